using System.Runtime.CompilerServices;

namespace Logwarden.Redaction;

/// <summary>Classes of bytes, as bits, so that a token's alphabet is one mask.</summary>
[Flags]
enum Ch : ushort
{
    None = 0,
    HexLower = 1,
    Lower = 2,
    HexUpper = 4,
    Upper = 8,
    Digit = 16,
    Under = 32,
    Dash = 64,
    Plus = 128,
    Slash = 256,
    Equal = 512,
    Dot = 1024,
    Tilde = 2048,
    Space = 4096,
    Quote = 8192,
    Percent = 16384,
    High = 32768,

    Low = HexLower | Lower,
    Up = HexUpper | Upper,
    Letter = Low | Up,
    Alnum = Letter | Digit,
    Hex = HexLower | Digit,
    HexAny = Hex | HexUpper,
    Base36 = Low | Digit,
    UpAlnum = Up | Digit,
    Name = Alnum | Under,
    Token = Name | Dash,
    Base64 = Alnum | Plus | Slash | Equal,
    Base64Url = Token | Equal,
    Dotted = Token | Dot,
    Wide = Token | Plus | Slash | Equal | Dot,
}

/// <summary>The table behind <see cref="Ch"/> and the small tests that all matchers share.</summary>
static class Chars
{
    static readonly ushort[] Table = Build();

    static ushort[] Build()
    {
        var table = new ushort[256];
        for (var c = 0; c < 256; c++) table[c] = (ushort)ClassOf(c);
        return table;
    }

    static Ch ClassOf(int c) => c switch
    {
        >= 'a' and <= 'f' => Ch.HexLower,
        >= 'g' and <= 'z' => Ch.Lower,
        >= 'A' and <= 'F' => Ch.HexUpper,
        >= 'G' and <= 'Z' => Ch.Upper,
        >= '0' and <= '9' => Ch.Digit,
        '_' => Ch.Under,
        '-' => Ch.Dash,
        '+' => Ch.Plus,
        '/' => Ch.Slash,
        '=' => Ch.Equal,
        '.' => Ch.Dot,
        '~' => Ch.Tilde,
        ' ' or '\t' or '\r' or '\n' => Ch.Space,
        '"' or '\'' or '`' => Ch.Quote,
        '%' => Ch.Percent,
        >= 128 => Ch.High,
        _ => Ch.None,
    };

    /// <summary>Whether <paramref name="c"/> belongs to <paramref name="set"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool Is(byte c, Ch set) => (Table[c] & (ushort)set) != 0;

    /// <summary>The class of <paramref name="c"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Ch Of(byte c) => (Ch)Table[c];

    /// <summary>End of the run of <paramref name="set"/> that starts at <paramref name="at"/>.</summary>
    public static int RunEnd(ReadOnlySpan<byte> text, int at, Ch set)
    {
        while (at < text.Length && Is(text[at], set)) at++;
        return at;
    }

    /// <summary>Start of the run of <paramref name="set"/> that ends before <paramref name="at"/>, not before <paramref name="floor"/>.</summary>
    public static int RunStart(ReadOnlySpan<byte> text, int at, int floor, Ch set)
    {
        while (at > floor && Is(text[at - 1], set)) at--;
        return at;
    }

    /// <summary>Whether <paramref name="text"/> starts with <paramref name="lower"/> (lower-case ASCII), ignoring case.</summary>
    public static bool StartsWithNoCase(ReadOnlySpan<byte> text, ReadOnlySpan<byte> lower)
    {
        if (text.Length < lower.Length) return false;
        for (var i = 0; i < lower.Length; i++)
            if (Lower(text[i]) != lower[i]) return false;
        return true;
    }

    /// <summary>ASCII lower case.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte Lower(byte c) => c is >= (byte)'A' and <= (byte)'Z' ? (byte)(c | 0x20) : c;

    /// <summary>Value of a hexadecimal digit, or -1.</summary>
    public static int HexValue(byte c) => c switch
    {
        >= (byte)'0' and <= (byte)'9' => c - '0',
        >= (byte)'a' and <= (byte)'f' => c - 'a' + 10,
        >= (byte)'A' and <= (byte)'F' => c - 'A' + 10,
        _ => -1,
    };
}
