using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Tests.Match;

/// <summary>The meaning of predicates said once more, slowly and plainly, over strings and a parsed document.</summary>
static class ReferenceEvaluator
{
    internal static bool Matches(Predicate predicate, SampleEvent e) => predicate switch
    {
        Predicate.Everything => true,
        Predicate.AllOf all => all.Parts.All(part => Matches(part, e)),
        Predicate.AnyOf any => any.Parts.Any(part => Matches(part, e)),
        Predicate.Negation not => !Matches(not.Part, e),
        Predicate.KindTest kind => kind.Kinds == LogKinds.None ? e.Kinds == LogKinds.None : (e.Kinds & kind.Kinds) != LogKinds.None,
        Predicate.MissingTest missing => missing.Fields == MissingFields.None ? e.Missing == MissingFields.None : (e.Missing & missing.Fields) != MissingFields.None,
        Predicate.FreeText free => Strings(Root(e)).Any(text => Fits(free.Pattern, text, whole: false)),
        Predicate.Has { Field: Field.Column column } => Column(e, column.Name) is not (null or ""),
        Predicate.Has { Field: Field.Path path } => Values(Root(e), path.Segments).Any(value =>
            value.ValueKind != JsonValueKind.Null && !(value.ValueKind == JsonValueKind.String && value.GetString() is "")),
        Predicate.FieldTest { Field: Field.Column column } test => Column(e, column.Name) switch
        {
            null => false,
            string text => test.Tests.Any(one => Passes(one, text)),
            long number => test.Tests.Cast<ValueTest.WholeRange>().Any(range => number >= (range.Min ?? number) && number <= (range.Max ?? number)),
            _ => throw new InvalidOperationException(),
        },
        Predicate.FieldTest { Field: Field.Path path } test => Values(Root(e), path.Segments).Any(value => test.Tests.Any(one => Passes(one, value))),
        _ => throw new InvalidOperationException(),
    };

    static JsonElement Root(SampleEvent e) => JsonDocument.Parse(e.Json).RootElement;

    static object? Column(SampleEvent e, EventColumn column) => column switch
    {
        EventColumn.Offset => e.Offset,
        EventColumn.Time => e.TimeMicros,
        EventColumn.Ingested => e.IngestedMicros,
        EventColumn.ClassUid => (long)e.ClassUid,
        EventColumn.ActivityId => (long)e.ActivityId,
        EventColumn.SeverityId => (long)e.SeverityId,
        EventColumn.StatusId => (long)e.StatusId,
        EventColumn.EventId => e.Id,
        EventColumn.Class => e.Class,
        EventColumn.Source => e.Source,
        EventColumn.Format => e.Format,
        EventColumn.User => e.User,
        EventColumn.Ip => e.Ip,
        EventColumn.Action => e.Action,
        EventColumn.Object => e.Object,
        EventColumn.Redactions => e.Redactions,
        _ => throw new InvalidOperationException(),
    };

    static IEnumerable<JsonElement> Values(JsonElement root, IEnumerable<string> segments)
    {
        var values = Elements(root);
        foreach (var segment in segments)
        {
            values = [.. values.Where(value => value.ValueKind == JsonValueKind.Object)
                .SelectMany(value => value.EnumerateObject().Where(property => string.Equals(property.Name, segment, StringComparison.Ordinal)).Take(1))
                .SelectMany(property => Elements(property.Value))];
        }
        return values;
    }

    static IEnumerable<JsonElement> Elements(JsonElement value) => value.ValueKind == JsonValueKind.Array ? [.. value.EnumerateArray()] : [value];

    static IEnumerable<string> Strings(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Strings),
        JsonValueKind.Object => value.EnumerateObject().SelectMany(property => Strings(property.Value)),
        _ => [],
    };

    static bool Passes(ValueTest test, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => Passes(test, value.GetString()!),
        JsonValueKind.Number => test switch
        {
            ValueTest.EqualTo equal => double.TryParse(equal.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && number == value.GetDouble(),
            ValueTest.RealRange range => (range.Min is null || value.GetDouble() > range.Min || (range.MinIncluded && value.GetDouble() == range.Min))
                && (range.Max is null || value.GetDouble() < range.Max || (range.MaxIncluded && value.GetDouble() == range.Max)),
            _ => false,
        },
        JsonValueKind.True or JsonValueKind.False => test is ValueTest.EqualTo equal && string.Equals(Lower(equal.Text), value.GetBoolean() ? "true" : "false", StringComparison.Ordinal),
        _ => false,
    };

    static bool Passes(ValueTest test, string text) => test switch
    {
        ValueTest.EqualTo equal => string.Equals(Lower(equal.Text), Lower(text), StringComparison.Ordinal),
        ValueTest.Exactly exactly => string.Equals(exactly.Text, text, StringComparison.Ordinal),
        ValueTest.Fits like => Fits(like.Pattern, text, whole: true),
        ValueTest.InNetwork network => InNetwork(network.Network.ToString(), text),
        _ => false,
    };

    static bool InNetwork(string network, string text)
    {
        if (!network.Contains('/', StringComparison.Ordinal)) network += network.Contains(':', StringComparison.Ordinal) ? "/128" : "/32";
        if (text.StartsWith("::ffff:", StringComparison.Ordinal) || text.StartsWith("::FFFF:", StringComparison.Ordinal))
        {
            if (Regex.IsMatch(text, @"^::[fF]{4}:\d+\.\d+\.\d+\.\d+$", RegexOptions.None, TimeSpan.FromSeconds(1))) text = text[7..];
        }
        var isV4 = Regex.IsMatch(text, @"^(0|[1-9]\d{0,2})(\.(0|[1-9]\d{0,2})){3}$", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));
        var isV6 = text.Contains(':', StringComparison.Ordinal) && !text.AsSpan().ContainsAny(".%[/");
        return (isV4 || isV6) && IPAddress.TryParse(text, out var address) && IPNetwork.Parse(network).Contains(address);
    }

    static bool Fits(TextPattern pattern, string text, bool whole)
    {
        var regex = new StringBuilder(whole ? "^" : "");
        var folded = pattern.Text;
        for (var i = 0; i < folded.Length; i++)
        {
            if (folded[i] is '*' or '?')
            {
                regex.Append(folded[i] == '*' ? "(?:.|\\n)*" : "(?:[\\uD800-\\uDBFF][\\uDC00-\\uDFFF]|.|\\n)");
            }
            else
            {
                if (folded[i] == '\\') i++;
                var rune = Rune.GetRuneAt(folded, i);
                regex.Append(Regex.Escape(Lower(rune.ToString())));
                i += rune.Utf16SequenceLength - 1;
            }
        }
        if (whole) regex.Append("\\z");
        return Regex.IsMatch(Lower(text), regex.ToString(), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(5));
    }

    static string Lower(string text) => string.Concat(text.EnumerateRunes().Select(rune => rune.Value == 0x130 ? "i" : Rune.ToLowerInvariant(rune).ToString()));
}
