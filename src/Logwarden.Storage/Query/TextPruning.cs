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

    static BitArray? Of(Predicate predicate, TextIndex index) => predicate switch
    {
        Predicate.AllOf all => All(all.Parts, part => Of(part, index)),
        Predicate.AnyOf any => Any(any.Parts, part => Of(part, index)),
        Predicate.FreeText text => All(Pieces(text.Pattern), piece => index.Candidates(piece)),
        Predicate.FieldTest test when IsIndexed(test.Field) => Any(test.Tests, one => Of(test.Field, one, index)),
        _ => null,
    };

    static BitArray? Of(Field field, ValueTest test, TextIndex index)
    {
        var literals = Literals(field, test);
        return field is Field.Column column && test is (ValueTest.EqualTo or ValueTest.Exactly) && literals.Count == 1
            ? index.Candidates(column.Name, literals[0])
            : All(literals, literal => index.Candidates(literal));
    }

    /// <summary>What all parts leave; a part that tells nothing leaves everything.</summary>
    static BitArray? All<T>(IEnumerable<T> parts, Func<T, BitArray?> candidates)
    {
        var told = parts.Select(candidates).OfType<BitArray>().ToList();
        return told.Count == 0 ? null : told.Aggregate((a, b) => a.And(b));
    }

    /// <summary>What at least one part leaves.</summary>
    static BitArray? Any<T>(IEnumerable<T> parts, Func<T, BitArray?> candidates)
    {
        var told = parts.Select(candidates).ToList();
        return told.Contains(null) ? null : told.Aggregate((a, b) => a!.Or(b!));
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
