using System.Globalization;
using Logwarden.Events;

namespace Logwarden.Match;

/// <summary>Reads what stands right of an operator, by the type of the field.</summary>
sealed class OperandReader(PredicateScanner scanner)
{
    static readonly string[] KindWords = ["LOG-1", "LOG-2", "LOG-3", "LOG-4", "none"];
    static readonly string[] MissingWords = ["user", "ip", "time", "action", "object", "none"];
    const string ListExpected = "a list in parentheses, a network such as 10.0.0.0/8, or a range such as 1..4";
    int _terms;
    bool _inList;

    /// <summary>Counts a term against the limit; false, with an error, when there are too many.</summary>
    internal bool CountTerm()
    {
        if (++_terms <= PredicateParser.TermsMax) return true;
        scanner.Fail(scanner.Position, 0, "too many terms", $"at most {PredicateParser.TermsMax}");
        return false;
    }

    /// <summary>Reads the field in <c>exists(…)</c> or before <c>is present</c>.</summary>
    internal Predicate? Existence(ScannedValue name)
    {
        if (scanner.Error is not null) return null;
        if (!name.Quoted && name.Text is "kind") return new Predicate.Negation(new Predicate.KindTest(LogKinds.None));
        if (!name.Quoted && name.Text is "missing") return new Predicate.Negation(new Predicate.MissingTest(MissingFields.None));
        return FieldReader.Read(scanner, name) is { } field ? new Predicate.Has(field) : null;
    }

    /// <summary>Reads the operand of <paramref name="symbol"/> and makes the term.</summary>
    internal Predicate? Read(ScannedValue name, string symbol, int operatorAt)
    {
        if (symbol is "is") return Presence(name);
        var negated = symbol is "!=" or "not in";
        var positive = symbol switch { "!=" or ":" => "=", "not in" => "in", _ => symbol };
        var term = name switch
        {
            { Quoted: false, Text: "kind" } => Flags("kind", KindWords, positive, operatorAt) is { } bits ? new Predicate.KindTest((LogKinds)bits) : null,
            { Quoted: false, Text: "missing" } => Flags("missing", MissingWords, positive, operatorAt) is { } bits ? new Predicate.MissingTest((MissingFields)bits) : null,
            _ => (Predicate?)Tests(name, positive, operatorAt),
        };
        return term is not null && negated ? new Predicate.Negation(term) : term;
    }

    Predicate? Presence(ScannedValue name)
    {
        var negated = scanner.TakeKeyword("not");
        var word = scanner.TakeValue("missing or present");
        if (scanner.Error is not null) return null;
        var missing = word.Plain.Equals("missing", StringComparison.OrdinalIgnoreCase);
        if (!missing && !word.Plain.Equals("present", StringComparison.OrdinalIgnoreCase))
        {
            scanner.Fail(word.Position, word.Length, $"unknown state '{word.Plain}'", "missing or present", NearestWord.Find(word.Plain, ["missing", "present"]));
            return null;
        }
        var exists = Existence(name);
        return exists is not null && missing != negated ? new Predicate.Negation(exists) : exists;
    }

    int? Flags(string field, string[] words, string symbol, int operatorAt)
    {
        var bits = 0;
        var values = new List<ScannedValue>();
        if (symbol is not ("=" or "==" or "in"))
        {
            scanner.Fail(operatorAt, symbol.Length, $"{field} cannot be compared with {symbol}", "= != or in");
            return null;
        }
        if (!Values(symbol, string.Join(", ", words), values)) return null;
        foreach (var value in values)
        {
            var index = Array.FindIndex(words, word => word.Equals(value.Plain, StringComparison.OrdinalIgnoreCase));
            if (index < 0 || (index == words.Length - 1 && values.Count > 1))
            {
                var reason = index < 0 ? $"unknown {field} '{value.Plain}'" : "none cannot stand beside others";
                scanner.Fail(value.Position, value.Length, reason, string.Join(", ", words), index < 0 ? NearestWord.Find(value.Plain, words) : null);
                return null;
            }
            if (index < words.Length - 1) bits |= 1 << index;
        }
        return bits;
    }

    Predicate.FieldTest? Tests(ScannedValue name, string symbol, int operatorAt)
    {
        if (FieldReader.Read(scanner, name) is not { } field) return null;
        var type = field is Field.Column column ? EventColumns.Type(column.Name) : (ColumnType?)null;
        if (symbol is "<" or "<=" or ">" or ">=")
        {
            if (type == ColumnType.Text)
            {
                scanner.Fail(operatorAt, 0, $"{name.Text} is a text and cannot be compared with {symbol}", "= == != : or in");
                return null;
            }
            return ValueOf(field, Compared(type, symbol));
        }
        var expected = type switch { ColumnType.Whole => "a whole number", ColumnType.Time => TimeLiteral.Expected, _ => "a value" };
        var values = new List<ScannedValue>();
        if (!Values(symbol, expected, values)) return null;
        var tests = new List<ValueTest>(values.Count);
        foreach (var value in values)
        {
            var test = type switch
            {
                ColumnType.Whole or ColumnType.Time => WholeTest(value, type.Value, symbol is "in"),
                _ when symbol is "==" => new ValueTest.Exactly(value.Plain),
                _ => TextTest(field, value, type is null && symbol is "in"),
            };
            if (test is null) return null;
            if (symbol is "in" && !_inList && test is (ValueTest.EqualTo or ValueTest.Fits))
            {
                scanner.Fail(value.Position, value.Length, $"'{value.Text}' is no list", ListExpected);
                return null;
            }
            tests.Add(test);
        }
        return new(field, [.. tests]);
    }

    static Predicate.FieldTest? ValueOf(Field field, ValueTest? test) => test is null ? null : new(field, [test]);

    /// <summary>One value after <c>=</c>; a list in parentheses, a network or a range after <c>in</c>.</summary>
    bool Values(string symbol, string expected, List<ScannedValue> values)
    {
        _inList = symbol is "in" && scanner.TakeSymbol('(');
        if (!_inList)
        {
            values.Add(scanner.TakeValue(symbol is "in" ? ListExpected : expected));
            return scanner.Error is null;
        }
        do
        {
            values.Add(scanner.TakeValue(expected));
            if (scanner.Error is not null || !CountTerm()) return false;
        }
        while (scanner.TakeSymbol(','));
        if (scanner.TakeSymbol(')')) return true;
        scanner.Fail(scanner.Position, scanner.AtEnd ? 0 : 1, scanner.AtEnd ? "the list is not closed" : "the list goes on without a comma", ", or )");
        return false;
    }

    ValueTest? TextTest(Field field, ScannedValue value, bool rangesAllowed)
    {
        var plain = value.Plain;
        if ((!value.Quoted && plain.Contains('/', StringComparison.Ordinal)) || field.IsIp)
        {
            if (IpNetwork.TryParse(plain, out var network)) return new ValueTest.InNetwork(network);
        }
        if (value.Quoted) return new ValueTest.EqualTo(plain);
        if (rangesAllowed && SplitRange(value.Text, out var low, out var high)
            && TryReal(low, out var min) && TryReal(high, out var max))
        {
            if (min <= max || min is null || max is null) return new ValueTest.RealRange(min, true, max, true);
            scanner.Fail(value.Position, value.Length, "the range is empty", "the lower number first");
            return null;
        }
        var pattern = TextPattern.FromEscaped(value.Text);
        return pattern.HasWildcards ? new ValueTest.Fits(pattern) : new ValueTest.EqualTo(plain);
    }

    ValueTest? Compared(ColumnType? type, string symbol)
    {
        var value = scanner.TakeValue(type == ColumnType.Time ? TimeLiteral.Expected : "a number");
        if (scanner.Error is not null) return null;
        if (type is null)
        {
            if (!TryReal(value.Plain, out var real) || real is null) return Wrong(value, "a number");
            return symbol[0] == '>'
                ? new ValueTest.RealRange(real, symbol is ">=", null, true)
                : new ValueTest.RealRange(null, true, real, symbol is "<=");
        }
        if (Bounds(value.Plain, type.Value) is not { } bounds) return Wrong(value, ExpectedOf(type.Value));
        return symbol switch
        {
            ">" => new ValueTest.WholeRange(bounds.Last + 1, null),
            ">=" => new ValueTest.WholeRange(bounds.First, null),
            "<" => new ValueTest.WholeRange(null, bounds.First - 1),
            _ => new ValueTest.WholeRange(null, bounds.Last),
        };
    }

    ValueTest? WholeTest(ScannedValue value, ColumnType type, bool rangesAllowed)
    {
        if (!rangesAllowed || !SplitRange(value.Plain, out var low, out var high))
        {
            return Bounds(value.Plain, type) is { } one ? new ValueTest.WholeRange(one.First, one.Last) : Wrong(value, ExpectedOf(type));
        }
        var (from, to) = (low.Length == 0 ? null : Bounds(low, type), high.Length == 0 ? null : Bounds(high, type));
        if ((low.Length > 0 && from is null) || (high.Length > 0 && to is null)) return Wrong(value, $"{ExpectedOf(type)} on each side of ..");
        if (from is null || to is null || from.Value.First <= to.Value.Last) return new ValueTest.WholeRange(from?.First, to?.Last);
        scanner.Fail(value.Position, value.Length, "the range is empty", "the lower end first");
        return null;
    }

    ValueTest? Wrong(ScannedValue value, string expected)
    {
        scanner.Fail(value.Position, value.Length, $"'{value.Text}' does not fit", expected);
        return null;
    }

    static string ExpectedOf(ColumnType type) => type == ColumnType.Time ? TimeLiteral.Expected : "a whole number";

    static (long First, long Last)? Bounds(string text, ColumnType type)
    {
        if (type == ColumnType.Time) return TimeLiteral.TryParse(text, out var first, out var last) ? (first, last) : null;
        const long Limit = 1_000_000_000_000_000_000;
        var isWhole = long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number);
        return isWhole && number is >= -Limit and <= Limit ? (number, number) : null;
    }

    static bool SplitRange(string text, out string low, out string high)
    {
        var dots = text.IndexOf("..", StringComparison.Ordinal);
        (low, high) = dots < 0 ? ("", "") : (text[..dots], text[(dots + 2)..]);
        return low.Length + high.Length > 0;
    }

    static bool TryReal(string text, out double? number)
    {
        number = null;
        if (text.Length == 0) return true;
        if (!JsonNumber.TryParse(text, out var value)) return false;
        number = value;
        return true;
    }
}
