using System.Globalization;
using System.Text;

namespace Logwarden.Match;

/// <summary>Prints predicates in their canonical text; parsing it gives an equal tree.</summary>
public static class PredicatePrinter
{
    /// <summary>The canonical text.</summary>
    public static string Print(Predicate predicate)
    {
        var text = new StringBuilder();
        Append(text, predicate);
        return text.ToString();
    }

    /// <summary>A field name as it is written in predicates.</summary>
    public static string Print(Field field)
    {
        var text = new StringBuilder();
        Append(text, field);
        return text.ToString();
    }

    static void Append(StringBuilder text, Predicate predicate)
    {
        switch (predicate)
        {
            case Predicate.Everything:
                text.Append('*');
                break;
            case Predicate.AllOf all:
                Joined(text, all.Parts, " AND ", part => part is Predicate.AnyOf);
                break;
            case Predicate.AnyOf any:
                Joined(text, any.Parts, " OR ", _ => false);
                break;
            case Predicate.Negation not:
                text.Append("NOT ");
                Enclosed(text, not.Part, not.Part is Predicate.AllOf or Predicate.AnyOf);
                break;
            case Predicate.Has has:
                text.Append("exists(");
                Append(text, has.Field);
                text.Append(')');
                break;
            case Predicate.KindTest kind:
                Flags(text, "kind", (int)kind.Kinds, ["LOG-1", "LOG-2", "LOG-3", "LOG-4"]);
                break;
            case Predicate.MissingTest missing:
                Flags(text, "missing", (int)missing.Fields, ["user", "ip", "time", "action", "object"]);
                break;
            case Predicate.FreeText free:
                AppendPattern(text, free.Pattern);
                break;
            case Predicate.FieldTest test:
                Append(text, test);
                break;
        }
    }

    static void Joined(StringBuilder text, ValueList<Predicate> parts, string separator, Func<Predicate, bool> enclose)
    {
        for (var i = 0; i < parts.Count; i++)
        {
            if (i > 0) text.Append(separator);
            Enclosed(text, parts[i], enclose(parts[i]));
        }
    }

    static void Enclosed(StringBuilder text, Predicate part, bool enclose)
    {
        if (enclose) text.Append('(');
        Append(text, part);
        if (enclose) text.Append(')');
    }

    static void Flags(StringBuilder text, string field, int bits, string[] words)
    {
        var set = words.Where((_, i) => (bits & (1 << i)) != 0).ToArray();
        text.Append(field).Append(set.Length > 1 ? " in (" : "=").AppendJoin(", ", set.Length == 0 ? ["none"] : set);
        if (set.Length > 1) text.Append(')');
    }

    static void Append(StringBuilder text, Predicate.FieldTest test)
    {
        Append(text, test.Field);
        if (test.Tests.Count == 1)
        {
            AppendOnly(text, test.Field, test.Tests[0]);
            return;
        }
        text.Append(" in (");
        for (var i = 0; i < test.Tests.Count; i++)
        {
            if (i > 0) text.Append(", ");
            AppendItem(text, test.Field, test.Tests[i]);
        }
        text.Append(')');
    }

    static void AppendOnly(StringBuilder text, Field field, ValueTest test)
    {
        var relation = test switch
        {
            ValueTest.Exactly => "==",
            ValueTest.InNetwork network => network.Network.IsSingle && field.IsIp ? "=" : " in ",
            ValueTest.WholeRange range when range.Min == range.Max => "=",
            ValueTest.WholeRange { Max: null } => ">=",
            ValueTest.WholeRange { Min: null } => "<=",
            ValueTest.RealRange { Max: null } range => range.MinIncluded ? ">=" : ">",
            ValueTest.RealRange { Min: null } range => range.MaxIncluded ? "<=" : "<",
            ValueTest.WholeRange or ValueTest.RealRange => " in ",
            _ => "=",
        };
        text.Append(relation);
        switch (test)
        {
            case ValueTest.RealRange { Min: null } or ValueTest.RealRange { Max: null }:
                text.Append(Number(((ValueTest.RealRange)test).Min ?? ((ValueTest.RealRange)test).Max));
                break;
            case ValueTest.WholeRange { Min: null } or ValueTest.WholeRange { Max: null }:
                text.Append(Whole(field, ((ValueTest.WholeRange)test).Min ?? ((ValueTest.WholeRange)test).Max));
                break;
            default:
                AppendItem(text, field, test);
                break;
        }
    }

    static void AppendItem(StringBuilder text, Field field, ValueTest test)
    {
        switch (test)
        {
            case ValueTest.EqualTo equal:
                AppendText(text, equal.Text, !NeedsQuotes(field, equal.Text));
                break;
            case ValueTest.Exactly exactly:
                AppendText(text, exactly.Text, bareAllowed: true);
                break;
            case ValueTest.Fits like:
                AppendPattern(text, like.Pattern);
                break;
            case ValueTest.InNetwork { Network: var network }:
                text.Append(network).Append(network.IsSingle && !field.IsIp ? (network.IsV6 ? "/128" : "/32") : "");
                break;
            case ValueTest.WholeRange range:
                text.Append(Whole(field, range.Min));
                if (range.Min != range.Max) text.Append("..").Append(Whole(field, range.Max));
                break;
            case ValueTest.RealRange range:
                text.Append(Number(range.Min)).Append("..").Append(Number(range.Max));
                break;
        }
    }

    static string Number(double? number) => number?.ToString("R", CultureInfo.InvariantCulture) ?? "";

    static string Whole(Field field, long? number) => number is null ? ""
        : field is Field.Column { Name: EventColumn.Time or EventColumn.Ingested } ? TimeLiteral.Print(number.Value)
        : number.Value.ToString(CultureInfo.InvariantCulture);

    static void Append(StringBuilder text, Field field)
    {
        if (field is Field.Column column)
        {
            text.Append(EventColumns.Name(column.Name));
            return;
        }
        var segments = ((Field.Path)field).Segments;
        for (var i = 0; i < segments.Count; i++)
        {
            if (i > 0) text.Append('.');
            var bare = segments[i].Length > 0 && segments[i].All(FieldReader.IsNameCharacter) && (i > 0 || segments[0][0] != '-');
            if (segments.Count == 1) bare &= !IsReserved(segments[0]);
            if (bare) text.Append(segments[i]);
            else Quote(text, segments[i]);
        }
    }

    static bool IsReserved(string word) => IsKeyword(word) || EventColumns.TryFind(word, out _)
        || word is "kind" or "missing" || FieldReader.MisspeltColumn(word) is not null;

    static bool IsKeyword(string word) => PredicateScanner.Keywords.Contains(word, StringComparer.OrdinalIgnoreCase);

    // a range or a network in a list, were it bare
    static bool NeedsQuotes(Field field, string value) => value.Contains("..", StringComparison.Ordinal)
        || (!field.IsIp && value.Contains('/', StringComparison.Ordinal) && IpNetwork.TryParse(value, out _));

    static void AppendPattern(StringBuilder text, TextPattern pattern)
    {
        if (!pattern.HasWildcards)
        {
            AppendText(text, pattern.Unescaped(), bareAllowed: true);
            return;
        }
        for (var i = 0; i < pattern.Text.Length; i++)
        {
            var c = pattern.Text[i];
            if (c == '\\') text.Append(c).Append(pattern.Text[++i]);
            else if (c is '*' or '?' || IsBare(c, i)) text.Append(c);
            else text.Append('\\').Append(c);
        }
    }

    static void AppendText(StringBuilder text, string value, bool bareAllowed)
    {
        var bare = bareAllowed && value.Length > 0 && !IsKeyword(value);
        for (var i = 0; bare && i < value.Length; i++) bare = IsBare(value[i], i);
        if (bare) text.Append(value);
        else Quote(text, value);
    }

    static bool IsBare(char c, int index) => char.IsLetterOrDigit(c) || c is '_' or '.' or '/' or '@' || (c == '-' && index > 0);

    static void Quote(StringBuilder text, string value)
    {
        text.Append('"');
        foreach (var c in value)
        {
            if (c is '"' or '\\') text.Append('\\').Append(c);
            else if (char.IsControl(c)) text.Append(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}");
            else text.Append(c);
        }
        text.Append('"');
    }
}
