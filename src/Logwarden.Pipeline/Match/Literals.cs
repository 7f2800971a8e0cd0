using System.Globalization;
using Logwarden.Events;

namespace Logwarden.Match;

/// <summary>Instants in predicates: RFC 3339, or a date, which is the whole day in UTC.</summary>
static class TimeLiteral
{
    internal const string Expected = "a time such as 2026-01-31T08:00:00Z or a date such as 2026-01-31";
    const long MicrosPerDay = 86_400_000_000;

    static readonly string[] Formats =
    [
        "yyyy-MM-dd'T'HH:mmK", "yyyy-MM-dd'T'HH:mm:ssK", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFFK",
    ];

    /// <summary>Reads a time; first and last microsecond that it means.</summary>
    internal static bool TryParse(string text, out long first, out long last)
    {
        const DateTimeStyles Utc = DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal;
        (first, last) = (0, 0);
        if (DateTimeOffset.TryParseExact(text, "yyyy-MM-dd", CultureInfo.InvariantCulture, Utc, out var day))
        {
            first = UnixMicros.Of(day);
            last = first + MicrosPerDay - 1;
            return true;
        }
        if (!DateTimeOffset.TryParseExact(text, Formats, CultureInfo.InvariantCulture, Utc, out var instant)) return false;
        first = last = UnixMicros.Of(instant);
        return true;
    }

    /// <summary>RFC 3339 with no more digits than needed.</summary>
    internal static string Print(long micros)
    {
        var time = UnixMicros.ToInstant(micros);
        return time.ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);
    }
}

/// <summary>Numbers by the grammar of JSON, so that a text is a number here exactly when it is one in JSON.</summary>
static class JsonNumber
{
    /// <summary>Reads a finite number.</summary>
    internal static bool TryParse(string text, out double value)
    {
        value = 0;
        return IsNumber(text)
            && double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value) && double.IsFinite(value);
    }

    static bool IsNumber(string text)
    {
        var at = text.StartsWith('-') ? 1 : 0;
        var whole = Digits(text, ref at);
        if (whole == 0 || (whole > 1 && text[at - whole] == '0')) return false;
        if (at < text.Length && text[at] == '.')
        {
            at++;
            if (Digits(text, ref at) == 0) return false;
        }
        if (at < text.Length && text[at] is ('e' or 'E'))
        {
            at++;
            if (at < text.Length && text[at] is ('+' or '-')) at++;
            if (Digits(text, ref at) == 0) return false;
        }
        return at == text.Length;
    }

    static int Digits(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
        return at - start;
    }
}
