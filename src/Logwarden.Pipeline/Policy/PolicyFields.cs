using System.Globalization;
using Logwarden.Match;
using YamlDotNet.Core;

namespace Logwarden.Policy;

/// <summary>
/// The keys of one YAML map, asked for by name and type. Each answer that is missing or wrong adds an error and gives a harmless
/// stand-in, so that reading goes on and every error of a file is found at once. <see cref="Done"/> reports the keys nobody asked for.
/// </summary>
sealed class PolicyFields
{
    readonly List<PolicyError> _errors;
    readonly Dictionary<string, YamlValue> _values = new(StringComparer.Ordinal);
    readonly List<YamlValue.Text> _keys = [];
    readonly List<string> _asked = [];
    readonly int _line;
    readonly int _column;

    internal PolicyFields(List<PolicyError> errors, YamlValue value, string path)
    {
        (_errors, Path, _line, _column) = (errors, path, value.Line, value.Column);
        if (value is not YamlValue.Map map)
        {
            Fail(value, path, value.What, "a map of keys and values");
            IsBroken = true;
            return;
        }
        foreach (var (key, item) in map.Entries)
        {
            if (_values.TryAdd(key.Value, item)) _keys.Add(key);
            else Fail(key, Join(path, key.Value), "the key stands here twice", "each key once");
        }
    }

    /// <summary>Dotted path of the map.</summary>
    internal string Path { get; }

    /// <summary>True when it was no map at all: one error says so already.</summary>
    internal bool IsBroken { get; }

    /// <summary>Keys in the order of the file.</summary>
    internal IReadOnlyList<YamlValue.Text> Keys => _keys;

    internal static string Join(string path, string key) => path.Length == 0 ? key : $"{path}.{key}";

    internal YamlValue? Optional(string key)
    {
        _asked.Add(key);
        return _values.TryGetValue(key, out var value) && value is not YamlValue.Text { IsNull: true } ? value : null;
    }

    internal YamlValue? Required(string key, string expected)
    {
        var value = Optional(key);
        if (value is not null || IsBroken) return value;
        if (_values.TryGetValue(key, out var empty)) Fail(empty, Join(Path, key), "nothing", expected);
        else _errors.Add(new(_line, _column, Path, $"'{key}' is missing", expected, null));
        return null;
    }

    internal PolicyFields? Map(string key) =>
        Required(key, "a map of keys and values") is { } value ? new(_errors, value, Join(Path, key)) : null;

    internal IReadOnlyList<YamlValue> List(string key, string expected)
    {
        switch (Required(key, expected))
        {
            case null:
                return [];
            case YamlValue.List list:
                return list.Items;
            case var other:
                Fail(other, Join(Path, key), other.What, expected);
                return [];
        }
    }

    internal string Text(string key, string expected) => Scalar(Required(key, expected), Join(Path, key), expected)?.Value ?? "";

    internal string? OptionalText(string key, string expected) => Scalar(Optional(key), Join(Path, key), expected)?.Value;

    internal string Word(string key, IReadOnlyCollection<string> words) => Word(Required(key, OneOf(words)), Join(Path, key), words);

    internal string Word(YamlValue? value, string path, IReadOnlyCollection<string> words)
    {
        if (Scalar(value, path, OneOf(words)) is not { } text) return "";
        if (words.Contains(text.Value, StringComparer.Ordinal)) return text.Value;
        Fail(text, path, text.What, OneOf(words), NearestWord.Find(text.Value, words));
        return "";
    }

    internal ValueList<string> Words(string key, IReadOnlyCollection<string> words, bool emptyAllowed)
    {
        var expected = $"a list of {string.Join(", ", words)}";
        var items = List(key, expected);
        if (items.Count == 0 && !emptyAllowed && Optional(key) is YamlValue.List empty) Fail(empty, Join(Path, key), "an empty list", expected);
        return [.. items.Select((item, i) => Word(item, Index(Join(Path, key), i), words))];
    }

    internal ValueList<string> Texts(string key, string expected)
    {
        var items = List(key, $"a list, each item {expected}");
        return [.. items.Select((item, i) => Scalar(item, Index(Join(Path, key), i), expected)?.Value ?? "")];
    }

    internal Period Period(string key)
    {
        const string Expected = "a period such as 90d, 13mo or 2y";
        if (Scalar(Required(key, Expected), Join(Path, key), Expected) is not { } text) return default;
        if (Policy.Period.TryParse(text.Value, out var period) && (period.Months > 0 || period.Days > 0)) return period;
        Fail(text, Join(Path, key), text.What, Expected, NearestPeriod(text.Value));
        return default;
    }

    internal TimeSpan Duration(string key)
    {
        if (Scalar(Required(key, DurationText.Expected), Join(Path, key), DurationText.Expected) is not { } text) return default;
        if (DurationText.TryParse(text.Value, out var span)) return span;
        Fail(text, Join(Path, key), text.What, DurationText.Expected);
        return default;
    }

    internal Deadline Deadline(string key)
    {
        string[] words = ["next-business-day", "best-effort"];
        const string Expected = "a duration such as 5m or 1h, next-business-day or best-effort";
        if (Scalar(Required(key, Expected), Join(Path, key), Expected) is not { } text) return new Deadline.BestEffort();
        if (text.Value is "next-business-day") return new Deadline.NextBusinessDay();
        if (text.Value is "best-effort") return new Deadline.BestEffort();
        if (DurationText.TryParse(text.Value, out var span)) return new Deadline.Within(span);
        Fail(text, Join(Path, key), text.What, Expected, NearestWord.Find(text.Value, words));
        return new Deadline.BestEffort();
    }

    internal DateOnly Date(string key)
    {
        const string Expected = "a date such as 2026-01-31";
        if (Scalar(Required(key, Expected), Join(Path, key), Expected) is not { } text) return default;
        if (DateOnly.TryParseExact(text.Value, "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out var date)) return date;
        Fail(text, Join(Path, key), text.What, Expected);
        return default;
    }

    internal int Whole(string key, int min, int max)
    {
        var expected = string.Create(CultureInfo.InvariantCulture, $"a whole number from {min} to {max}");
        if (Scalar(Required(key, expected), Join(Path, key), expected) is not { } text) return min;
        if (int.TryParse(text.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) && number >= min && number <= max) return number;
        Fail(text, Join(Path, key), text.What, expected);
        return min;
    }

    /// <summary>A predicate. Its errors are placed inside the line where the YAML allows to count characters.</summary>
    internal Predicate Predicate(string key)
    {
        const string Expected = "a predicate such as kind = LOG-1";
        if (Scalar(Required(key, Expected), Join(Path, key), Expected) is not { } text) return new Predicate.Everything();
        var parsed = PredicateParser.Parse(text.Value);
        if (parsed.Error is not { } error) return parsed.Value;
        var quote = text.Style is ScalarStyle.DoubleQuoted or ScalarStyle.SingleQuoted ? 1 : 0;
        var countable = text.Style is ScalarStyle.Plain or ScalarStyle.DoubleQuoted or ScalarStyle.SingleQuoted
            && !text.Value.AsSpan().ContainsAny("\n\\\"'");
        var reason = countable ? error.Reason : string.Create(CultureInfo.InvariantCulture, $"character {error.Position + 1} of the predicate: {error.Reason}");
        _errors.Add(new(text.Line, text.Column + (countable ? quote + error.Position : 0), Join(Path, key), reason, error.Expected, error.Nearest));
        return new Predicate.Everything();
    }

    /// <summary>Reports the keys that nobody asked for.</summary>
    internal void Done()
    {
        foreach (var key in _keys)
        {
            if (_asked.Contains(key.Value, StringComparer.Ordinal)) continue;
            string[] free = [.. _asked.Where(word => !_values.ContainsKey(word))];
            Fail(key, Join(Path, key.Value), "unknown key", $"one of {string.Join(", ", _asked.Distinct(StringComparer.Ordinal))}",
                NearestWord.Find(key.Value, free) ?? NearestWord.Find(key.Value, _asked));
        }
    }

    /// <summary>Marks a key as known.</summary>
    internal void Know(string key) => _asked.Add(key);

    /// <summary>Adds an error at the value of a key, or at the map when it is not there.</summary>
    internal void FailAt(string key, string reason, string? expected, string? nearest = null)
    {
        var (line, column) = _values.TryGetValue(key, out var value) ? (value.Line, value.Column) : (_line, _column);
        _errors.Add(new(line, column, Join(Path, key), reason, expected, nearest));
    }

    internal static string Index(string path, int index) => string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]");

    static string OneOf(IReadOnlyCollection<string> words) => words.Count == 1 ? words.First() : $"one of {string.Join(", ", words)}";

    static string? NearestPeriod(string text)
    {
        var unit = text.TrimStart('0', '1', '2', '3', '4', '5', '6', '7', '8', '9').Trim();
        var number = text[..(text.Length - text.TrimStart('0', '1', '2', '3', '4', '5', '6', '7', '8', '9').Length)];
        var meant = unit.ToLowerInvariant() switch
        {
            "day" or "days" => "d",
            "week" or "weeks" => "w",
            "m" or "mon" or "month" or "months" => "mo",
            "year" or "years" or "yr" => "y",
            "d" or "mo" or "w" or "y" => unit.ToLowerInvariant(),
            _ => null,
        };
        return meant is null || number.TrimStart('0').Length == 0 ? null : number + meant;
    }

    YamlValue.Text? Scalar(YamlValue? value, string path, string expected)
    {
        if (value is null or YamlValue.Text { IsNull: false }) return (YamlValue.Text?)value;
        Fail(value, path, value.What, expected);
        return null;
    }

    void Fail(YamlValue at, string path, string reason, string expected, string? nearest = null) =>
        _errors.Add(new(at.Line, at.Column, path, reason, expected, nearest));
}
