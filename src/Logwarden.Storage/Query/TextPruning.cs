using System.Collections;
using System.Globalization;
using System.Text;
using Logwarden.Hot;
using Logwarden.Match;

namespace Logwarden.Query;

/// <summary>Which row groups of a segment can have a match of a predicate, by the segment's text index. Leaves out only what can't match.</summary>
static class TextPruning
{
    /// <summary>Null when all row groups are to be read.</summary>
    public static BitArray? Candidates(Predicate predicate, HotSegment segment) =>
        Tells(predicate) && segment.TextIndex is { } index ? Of(predicate, index) : null;

    static bool Tells(Predicate predicate) => predicate switch
    {
        Predicate.AllOf all => all.Parts.Any(Tells),
        Predicate.AnyOf any => any.Parts.All(Tells),
        Predicate.FreeText => true,
        Predicate.FieldTest test => IsIndexed(test.Field) && test.Tests.All(one => Literals(test.Field, one).Count > 0),
        _ => false,
    };

    static BitArray? Of(Predicate predicate, TextIndex index)
    {
        switch (predicate)
        {
            case Predicate.AllOf all:
                BitArray? both = null;
                foreach (var part in all.Parts)
                    if (Of(part, index) is { } some) both = both is null ? some : both.And(some);
                return both;
            case Predicate.AnyOf any:
                BitArray? either = null;
                foreach (var part in any.Parts)
                {
                    if (Of(part, index) is not { } some) return null;
                    either = either is null ? some : either.Or(some);
                }
                return either;
            case Predicate.FreeText text:
                return Of(Pieces(text.Pattern), index);
            case Predicate.FieldTest test when IsIndexed(test.Field):
                BitArray? one = null;
                foreach (var value in test.Tests)
                {
                    if (Of(Literals(test.Field, value), index) is not { } some) return null;
                    one = one is null ? some : one.Or(some);
                }
                return one;
            default:
                return null;
        }
    }

    static BitArray? Of(List<byte[]> literals, TextIndex index)
    {
        BitArray? all = null;
        foreach (var literal in literals)
        {
            var some = index.Candidates(literal);
            all = all is null ? some : all.And(some);
        }
        return all;
    }

    static bool IsIndexed(Field field) => field is Field.Path
        or Field.Column { Name: EventColumn.EventId or EventColumn.User or EventColumn.Ip or EventColumn.Action or EventColumn.Object };

    /// <summary>Texts that a value must have in it to pass; none when it may pass without.</summary>
    static List<byte[]> Literals(Field field, ValueTest test)
    {
        switch (test)
        {
            case ValueTest.Exactly exactly:
                return Literal(exactly.Text);
            // In JSON this can also be a number or a truth value, which the index does not have.
            case ValueTest.EqualTo equal when field is Field.Column
                || !(double.TryParse(equal.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out _)
                    || equal.Text.Equals("true", StringComparison.OrdinalIgnoreCase) || equal.Text.Equals("false", StringComparison.OrdinalIgnoreCase)):
                return Literal(equal.Text);
            case ValueTest.Fits like:
                return Pieces(like.Pattern);
            default:
                return [];
        }
    }

    static List<byte[]> Literal(string text) => text.Length == 0 ? [] : [TextFold.LowerUtf8(text)];

    /// <summary>What stands between the wildcards.</summary>
    static List<byte[]> Pieces(TextPattern pattern)
    {
        var pieces = new List<byte[]>();
        var piece = new StringBuilder();
        for (var i = 0; i < pattern.Text.Length; i++)
        {
            if (pattern.Text[i] is '*' or '?')
            {
                End();
                continue;
            }
            if (pattern.Text[i] == '\\') i++;
            piece.Append(pattern.Text[i]);
        }
        End();
        return pieces;

        void End()
        {
            if (piece.Length > 0) pieces.Add(TextFold.LowerUtf8(piece.ToString()));
            piece.Clear();
        }
    }
}
