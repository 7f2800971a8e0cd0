using System.Buffers;
using System.Text;

namespace Logwarden.Match;

/// <summary>
/// "Case does not matter": the lower case of each code point by itself, with the very same table as DuckDB's <c>lower()</c>, so
/// that streams and SQL agree on every text. ASCII takes a fast way.
/// </summary>
static class TextFold
{
    /// <summary>Lower case of one code point.</summary>
    internal static Rune Lower(Rune rune) => rune.Value switch
    {
        < 0x80 => new((char)(rune.Value is >= 'A' and <= 'Z' ? rune.Value | 0x20 : rune.Value)),
        0x130 => new('i'),
        // newer than the Unicode version that DuckDB was built with
        0x1C89 or 0xA7CB or 0xA7CC or 0xA7DA or 0xA7DC or (>= 0x10D50 and <= 0x10D65) => rune,
        _ => Rune.ToLowerInvariant(rune),
    };

    /// <summary>Lower case of a text; lone surrogates become U+FFFD, as they would in UTF-8.</summary>
    internal static string Lower(string text)
    {
        var lower = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes()) lower.Append(Lower(rune));
        return lower.ToString();
    }

    /// <summary>Lower case of a text as UTF-8.</summary>
    internal static byte[] LowerUtf8(string text) => Encoding.UTF8.GetBytes(Lower(text));

    /// <summary>Whether <paramref name="text"/> in lower case is <paramref name="lower"/>.</summary>
    internal static bool Equal(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower)
    {
        if (Ascii.IsValid(text)) return text.Length == lower.Length && Ascii.EqualsIgnoreCase(text, lower);
        Span<byte> folded = stackalloc byte[4];
        while (!text.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(text, out var rune, out var used);
            if (status != OperationStatus.Done) rune = Rune.ReplacementChar;
            var size = Lower(rune).EncodeToUtf8(folded);
            if (!lower.StartsWith(folded[..size])) return false;
            text = text[used..];
            lower = lower[size..];
        }
        return lower.IsEmpty;
    }

    /// <summary>Whether <paramref name="text"/> in lower case contains <paramref name="lower"/>.</summary>
    internal static bool Contains(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower)
    {
        if (lower.IsEmpty) return true;
        if (Ascii.IsValid(text)) return ContainsAscii(text, lower);
        // a code point can grow by at most half when folded (2 bytes to 3)
        var rented = ArrayPool<byte>.Shared.Rent(checked(text.Length * 3));
        var length = 0;
        while (!text.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(text, out var rune, out var used);
            if (status != OperationStatus.Done) rune = Rune.ReplacementChar;
            length += Lower(rune).EncodeToUtf8(rented.AsSpan(length));
            text = text[used..];
        }
        var found = rented.AsSpan(0, length).IndexOf(lower) >= 0;
        ArrayPool<byte>.Shared.Return(rented);
        return found;
    }

    static bool ContainsAscii(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower)
    {
        var first = lower[0];
        var upper = first is >= (byte)'a' and <= (byte)'z' ? (byte)(first & ~0x20) : first;
        while (text.Length >= lower.Length)
        {
            var at = text[..^(lower.Length - 1)].IndexOfAny(first, upper);
            if (at < 0) return false;
            if (Ascii.EqualsIgnoreCase(text.Slice(at, lower.Length), lower)) return true;
            text = text[(at + 1)..];
        }
        return false;
    }
}
