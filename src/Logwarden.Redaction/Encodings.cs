namespace Logwarden.Redaction;

/// <summary>Undoes the encodings that hide a secret, and maps offsets of the decoded text back.</summary>
static class Encodings
{
    /// <summary>Whether every byte is printable ASCII or white space.</summary>
    public static bool Printable(ReadOnlySpan<byte> text)
    {
        foreach (var c in text)
            if (c is < 0x20 and not ((byte)'\n' or (byte)'\r' or (byte)'\t') or >= 0x7F) return false;
        return true;
    }

    /// <summary>Decodes %XX; <paramref name="plain"/> is at least as long as <paramref name="text"/>.</summary>
    public static int Percent(ReadOnlySpan<byte> text, Span<byte> plain)
    {
        var n = 0;
        for (var i = 0; i < text.Length; n++)
        {
            if (PercentAt(text, i)) plain[n] = (byte)(Chars.HexValue(text[i + 1]) << 4 | Chars.HexValue(text[i + 2]));
            else plain[n] = text[i];
            i += PercentAt(text, i) ? 3 : 1;
        }
        return n;
    }

    /// <summary>Offset in the encoded text of the decoded offset <paramref name="wanted"/>.</summary>
    public static int PercentOffset(ReadOnlySpan<byte> text, int wanted)
    {
        var i = 0;
        for (var n = 0; n < wanted && i < text.Length; n++) i += PercentAt(text, i) ? 3 : 1;
        return i;
    }

    static bool PercentAt(ReadOnlySpan<byte> text, int i) =>
        text[i] == '%' && i + 2 < text.Length && Chars.HexValue(text[i + 1]) >= 0 && Chars.HexValue(text[i + 2]) >= 0;

    /// <summary>Decodes the escapes of a JSON string; <paramref name="plain"/> is at least as long as <paramref name="raw"/>.</summary>
    public static int Json(ReadOnlySpan<byte> raw, Span<byte> plain)
    {
        var n = 0;
        for (var i = 0; i < raw.Length;)
        {
            var step = JsonUnit(raw, i, plain[n..], out var written);
            i += step;
            n += written;
        }
        return n;
    }

    /// <summary>Offset in the raw string of the decoded offset <paramref name="wanted"/>: the start of the unit that holds it.</summary>
    public static int JsonOffset(ReadOnlySpan<byte> raw, int wanted, bool after, ref int rawAt, ref int plainAt)
    {
        Span<byte> unit = stackalloc byte[4];
        while (rawAt < raw.Length && plainAt < wanted)
        {
            var step = JsonUnit(raw, rawAt, unit, out var written);
            if (plainAt + written > wanted && !after) break;
            rawAt += step;
            plainAt += written;
        }
        return rawAt;
    }

    // One character of the raw string: how many raw bytes it takes, and its bytes.
    static int JsonUnit(ReadOnlySpan<byte> raw, int i, Span<byte> plain, out int written)
    {
        written = 1;
        if (raw[i] != '\\' || i + 1 >= raw.Length)
        {
            plain[0] = raw[i];
            return 1;
        }
        switch (raw[i + 1])
        {
            case (byte)'n': plain[0] = (byte)'\n'; return 2;
            case (byte)'r': plain[0] = (byte)'\r'; return 2;
            case (byte)'t': plain[0] = (byte)'\t'; return 2;
            case (byte)'b': plain[0] = (byte)' '; return 2;
            case (byte)'f': plain[0] = (byte)' '; return 2;
            case (byte)'u' when Unit(raw, i) is >= 0 and var first:
                var step = 6;
                var rune = first;
                if (first is >= 0xD800 and < 0xDC00 && i + 6 < raw.Length && raw[i + 6] == '\\' && Unit(raw, i + 6) is >= 0xDC00 and < 0xE000 and var second)
                {
                    rune = 0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00);
                    step = 12;
                }
                written = Utf8(rune, plain);
                return step;
            default: plain[0] = raw[i + 1]; return 2;
        }
    }

    static int Unit(ReadOnlySpan<byte> raw, int i)
    {
        if (i + 6 > raw.Length || raw[i + 1] != 'u') return -1;
        var value = 0;
        for (var k = 2; k < 6; k++)
        {
            var digit = Chars.HexValue(raw[i + k]);
            if (digit < 0) return -1;
            value = value << 4 | digit;
        }
        return value;
    }

    // A lone surrogate is written as three bytes: this text is only searched, never kept.
    static int Utf8(int rune, Span<byte> plain)
    {
        if (rune < 0x80)
        {
            plain[0] = (byte)rune;
            return 1;
        }
        if (rune < 0x800)
        {
            plain[0] = (byte)(0xC0 | rune >> 6);
            plain[1] = (byte)(0x80 | rune & 0x3F);
            return 2;
        }
        if (rune < 0x10000)
        {
            plain[0] = (byte)(0xE0 | rune >> 12);
            plain[1] = (byte)(0x80 | rune >> 6 & 0x3F);
            plain[2] = (byte)(0x80 | rune & 0x3F);
            return 3;
        }
        plain[0] = (byte)(0xF0 | rune >> 18);
        plain[1] = (byte)(0x80 | rune >> 12 & 0x3F);
        plain[2] = (byte)(0x80 | rune >> 6 & 0x3F);
        plain[3] = (byte)(0x80 | rune & 0x3F);
        return 4;
    }
}
