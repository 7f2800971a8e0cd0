namespace Logwarden.Redaction;

/// <summary>What stands where a secret would: masks, references to variables, markers of an earlier redaction, empty values.</summary>
static class Placeholders
{
    /// <summary>Whether <paramref name="value"/> is a row of one masking character (x, *, #, 0, dot), perhaps in groups.</summary>
    public static bool IsMask(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return true;
        byte mask = 0;
        foreach (var c in value)
        {
            if (c is (byte)'-' or (byte)'_' or (byte)' ' or (byte)'.') continue;
            if (mask == 0) mask = Chars.Lower(c);
            else if (Chars.Lower(c) != mask) return false;
        }
        return mask is 0 or (byte)'x' or (byte)'*' or (byte)'#' or (byte)'?' or (byte)'0' or (byte)'.';
    }

    /// <summary>Whether <paramref name="text"/> starts with the marker of an earlier redaction.</summary>
    public static bool StartsWithMarker(ReadOnlySpan<byte> text) =>
        text.Length > 10 && text[0] == '[' && (text.StartsWith("[REDACTED:"u8) || text.StartsWith("[PSEUDONYM:"u8));

    /// <summary>Length of the marker that starts <paramref name="text"/>, 0 when none does.</summary>
    public static int MarkerLength(ReadOnlySpan<byte> text)
    {
        if (!StartsWithMarker(text)) return 0;
        for (var i = 10; i < text.Length && i < 100; i++)
        {
            if (text[i] == ']') return i + 1;
            if (!Chars.Is(text[i], Ch.Token) && text[i] != ':') return 0;
        }
        return 0;
    }

    /// <summary>Whether <paramref name="value"/> names a secret instead of being one, or says that there is none.</summary>
    public static bool IsReference(ReadOnlySpan<byte> value)
    {
        if (IsMask(value) || StartsWithMarker(value)) return true;
        var first = value[0];
        if (first == '\\' && value.Length > 2 && value[1] == '$') return IsReference(value[1..]);
        if (first is (byte)'$' && value.Length > 1) return IsVariable(value);
        if (first == '%' && value.Length > 2 && value[^1] == '%') return true;
        if (first == '<' && value[^1] == '>') return true;
        if (first == '{' && value.Length > 1 && value[1] is (byte)'{' or (byte)'%') return true;
        // #{name} is a template; an expression in its place may be anything.
        if (first == '#' && value.Length > 3 && value[1] == '{' && Chars.RunEnd(value, 2, Ch.Name | Ch.Dot) is var brace && brace < value.Length && value[brace] == '}') return true;
        return IsEmptyWord(value) || IsHidden(value) || (value.EndsWith("EXAMPLE"u8) && value.StartsWith("A"u8)) || value.EndsWith("..."u8);
    }

    /// <summary>Whether part of <paramref name="value"/> was masked: five masking characters in a row.</summary>
    public static bool IsPartlyMasked(ReadOnlySpan<byte> value)
    {
        var run = 1;
        for (var i = 1; i < value.Length; i++)
        {
            run = value[i] == value[i - 1] ? run + 1 : 1;
            if (run >= 5 && value[i] is (byte)'*' or (byte)'#' or (byte)'x' or (byte)'X') return true;
        }
        return false;
    }

    /// <summary>
    /// Whether somebody made <paramref name="value"/> up to show what one looks like: nothing but digits that count up behind a
    /// prefix (xoxp-1234567890).
    /// </summary>
    public static bool IsMadeUp(ReadOnlySpan<byte> value)
    {
        const int Counting = 8;
        var from = value.Length;
        while (from > 0 && Chars.Is(value[from - 1], Ch.Digit) && (from == value.Length || (value[from - 1] - '0' + 1) % 10 == value[from] - '0')) from--;
        return value.Length - from >= Counting && from > 0 && value[from - 1] is (byte)'-' or (byte)'_' && Chars.RunEnd(value, 0, Ch.Letter) == from - 1;
    }

    /// <summary>Whether <paramref name="value"/> is the last word of the <paramref name="name"/> that it is given to: <c>password = "password"</c>.</summary>
    public static bool IsOwnName(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        if (value.Length < 5 || name.Length < value.Length || Chars.RunEnd(value, 0, Ch.Letter | Ch.Under) != value.Length) return false;
        var end = name[^value.Length..];
        for (var i = 0; i < value.Length; i++)
            if (Chars.Lower(end[i]) != Chars.Lower(value[i])) return false;
        return true;
    }

    // ${x}, $(x), $name, $NAME/more; not $2a$… and not a password that begins with the sign.
    static bool IsVariable(ReadOnlySpan<byte> value)
    {
        if (value[1] is (byte)'{' or (byte)'(' or (byte)'_') return true;
        var end = Chars.RunEnd(value, 1, Ch.Letter | Ch.Under);
        return end == value.Length ? end > 3 : end > 3 && value[end] is (byte)'/' or (byte)'[' or (byte)'.' or (byte)'-';
    }

    static bool IsEmptyWord(ReadOnlySpan<byte> value) => value.Length <= 13 && (Is(value, "null"u8) || Is(value, "none"u8)
        || Is(value, "nil"u8) || Is(value, "true"u8) || Is(value, "false"u8) || Is(value, "undefined"u8) || Is(value, "redacted"u8)
        || Is(value, "hidden"u8) || Is(value, "not-set"u8) || Is(value, "yes"u8) || Is(value, "no"u8) || Is(value, "n/a"u8) || Is(value, "nan"u8)
        || Is(value, "string"u8) || Is(value, "required"u8) || Is(value, "optional"u8) || Is(value, "enabled"u8)
        || Is(value, "disabled"u8) || Is(value, "masked"u8) || Is(value, "omitted"u8) || Is(value, "changed"u8) || Is(value, "empty"u8)
        || Is(value, "success"u8) || Is(value, "failure"u8) || Is(value, "failed"u8) || Is(value, "expired"u8) || Is(value, "invalid"u8)
        || Is(value, "base64"u8) || Is(value, "utf8"u8) || Is(value, "utf-8"u8) || Is(value, "__token__"u8));

    // AWS and others write HIDDEN_DUE_TO_SECURITY_REASONS, ****, [REDACTED], (hidden) themselves.
    static bool IsHidden(ReadOnlySpan<byte> value) => value.StartsWith("HIDDEN_DUE_TO"u8) || value.StartsWith("***"u8)
        || value.StartsWith("[REDACTED"u8) || value.StartsWith("[redacted"u8) || value.StartsWith("[Filtered"u8) || value.StartsWith("[FILTERED"u8)
        || value.StartsWith("(hidden"u8) || value.StartsWith("(sensitive"u8) || value.StartsWith("[hidden"u8);

    static bool Is(ReadOnlySpan<byte> value, ReadOnlySpan<byte> lower) =>
        value.Length == lower.Length && Chars.StartsWithNoCase(value, lower);
}
