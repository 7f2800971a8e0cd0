using System.Globalization;

namespace Logwarden.Policy;

/// <summary>Short spans of time as text: <c>100ms</c>, <c>30s</c>, <c>15m</c>, <c>1h</c>; days and more are periods.</summary>
public static class DurationText
{
    /// <summary>What is expected, for messages.</summary>
    public const string Expected = "a duration such as 100ms, 30s, 15m or 1h";

    /// <summary>Reads one; at most six digits, not zero.</summary>
    public static bool TryParse(string text, out TimeSpan span)
    {
        span = default;
        var digits = 0;
        while (digits < text.Length && char.IsAsciiDigit(text[digits])) digits++;
        if (digits is 0 or > 6) return false;
        var number = long.Parse(text.AsSpan(0, digits), NumberStyles.None, CultureInfo.InvariantCulture);
        long? ticks = text[digits..] switch
        {
            "ms" => TimeSpan.TicksPerMillisecond,
            "s" => TimeSpan.TicksPerSecond,
            "m" => TimeSpan.TicksPerMinute,
            "h" => TimeSpan.TicksPerHour,
            _ => null,
        };
        if (ticks is null || number == 0) return false;
        span = new(number * ticks.Value);
        return true;
    }

    /// <summary>Writes one in its largest whole unit.</summary>
    public static string Print(TimeSpan span) => span switch
    {
        _ when span.Ticks % TimeSpan.TicksPerHour == 0 => Text(span.Ticks / TimeSpan.TicksPerHour, "h"),
        _ when span.Ticks % TimeSpan.TicksPerMinute == 0 => Text(span.Ticks / TimeSpan.TicksPerMinute, "m"),
        _ when span.Ticks % TimeSpan.TicksPerSecond == 0 => Text(span.Ticks / TimeSpan.TicksPerSecond, "s"),
        _ => Text(span.Ticks / TimeSpan.TicksPerMillisecond, "ms"),
    };

    static string Text(long number, string unit) => number.ToString(CultureInfo.InvariantCulture) + unit;
}
