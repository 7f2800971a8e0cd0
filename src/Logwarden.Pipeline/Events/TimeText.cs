namespace Logwarden.Events;

/// <summary>Times as text: RFC 3339 and its looser relatives that logs carry, to unix microseconds.</summary>
static class TimeText
{
    const long MicrosPerSecond = 1_000_000;
    const long SecondsPerDay = 86_400;

    /// <summary>
    /// Reads <c>2026-11-24T14:07:59[.fraction][Z|±hh:mm| UTC| GMT]</c>; a space or a small t may stand for the T, a comma for the
    /// point, and a time without a zone is UTC. Digits past the microsecond are cut. Second 60 is taken as the end of 59.
    /// </summary>
    /// <returns>False when it is not such a time, or the day does not exist.</returns>
    public static bool TryRead(ReadOnlySpan<byte> text, out long micros) =>
        TryRead(text, out micros, out var used) && used == text.Length;

    /// <summary>The same for a time at the start of <paramref name="text"/>, telling how many bytes it takes.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out long micros, out int used)
    {
        micros = 0;
        used = 0;
        if (text.Length < 19 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':') return false;
        if (text[10] is not ((byte)'T' or (byte)'t' or (byte)' ')) return false;
        if (!Digits(text, 0, 4, out var year) || !Digits(text, 5, 2, out var month) || !Digits(text, 8, 2, out var day)
            || !Digits(text, 11, 2, out var hour) || !Digits(text, 14, 2, out var minute) || !Digits(text, 17, 2, out var second))
        {
            return false;
        }
        if (year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month)) return false;
        if (hour > 23 || minute > 59 || second > 60) return false;
        var at = 19;
        var fraction = Fraction(text, ref at);
        if (second == 60) (second, fraction) = (59, MicrosPerSecond - 1);
        if (!Zone(text, ref at, out var zoneSeconds)) return false;
        var days = new DateOnly(year, month, day).DayNumber - new DateOnly(1970, 1, 1).DayNumber;
        var seconds = days * SecondsPerDay + hour * 3600 + minute * 60 + second - zoneSeconds;
        micros = seconds * MicrosPerSecond + fraction;
        used = at;
        return true;
    }

    /// <summary>Reads a number of seconds, milliseconds, microseconds or nanoseconds since 1970, told apart by magnitude.</summary>
    public static bool TryReadUnix(ReadOnlySpan<byte> digits, out long micros)
    {
        micros = 0;
        if (!System.Buffers.Text.Utf8Parser.TryParse(digits, out decimal value, out var used) || used != digits.Length || value < 0) return false;
        // 1e11 s is the year 5138, 1e11 ms is 1973: no time that a log carries is on the wrong side.
        var scaled = value switch
        {
            < 100_000_000_000m => value * 1_000_000m,
            < 100_000_000_000_000m => value * 1_000m,
            < 100_000_000_000_000_000m => value,
            < 9_223_372_036_854_775_807m => value / 1_000m,
            _ => -1m,
        };
        if (scaled < 0 || scaled > 253_402_300_799_999_999m) return false;
        micros = (long)scaled;
        return true;
    }

    static long Fraction(ReadOnlySpan<byte> text, ref int at)
    {
        if (at + 1 >= text.Length || text[at] is not ((byte)'.' or (byte)',') || !char.IsAsciiDigit((char)text[at + 1])) return 0;
        at++;
        long fraction = 0;
        var unit = MicrosPerSecond;
        for (; at < text.Length && char.IsAsciiDigit((char)text[at]); at++)
        {
            unit /= 10;
            fraction += unit * (text[at] - '0');
        }
        return fraction;
    }

    static bool Zone(ReadOnlySpan<byte> text, ref int at, out int seconds)
    {
        seconds = 0;
        var rest = text[at..];
        if (rest.IsEmpty) return true;
        if (rest[0] is (byte)'Z' or (byte)'z')
        {
            at++;
            return true;
        }
        var skip = rest[0] == ' ' ? 1 : 0;
        if (skip == 1 && rest.Length >= 4 && (rest[1..4].SequenceEqual("UTC"u8) || rest[1..4].SequenceEqual("GMT"u8)))
        {
            at += 4;
            return true;
        }
        if (rest.Length <= skip || rest[skip] is not ((byte)'+' or (byte)'-')) return true;
        if (!Digits(rest, skip + 1, 2, out var hours) || hours > 23) return skip == 1;
        var colon = rest.Length > skip + 3 && rest[skip + 3] == ':' ? 1 : 0;
        if (!Digits(rest, skip + 3 + colon, 2, out var minutes)) (minutes, colon) = (0, -2);
        if (minutes > 59) return false;
        seconds = (hours * 3600 + minutes * 60) * (rest[skip] == '-' ? -1 : 1);
        at += skip + 5 + colon;
        return true;
    }

    static bool Digits(ReadOnlySpan<byte> text, int at, int count, out int value)
    {
        value = 0;
        if (text.Length < at + count) return false;
        foreach (var c in text.Slice(at, count))
        {
            if (!char.IsAsciiDigit((char)c)) return false;
            value = value * 10 + (c - '0');
        }
        return true;
    }
}
