using System.Buffers;
using System.Text;

namespace Logwarden.Match;

/// <summary>
/// Text with wildcards: <c>*</c> is any run of characters, <c>?</c> one character (a Unicode code point). A backslash makes the
/// next of <c>* ? \</c> an ordinary character.
/// </summary>
public sealed record TextPattern
{
    TextPattern(string text) => Text = text;

    /// <summary>Canonical text: no two <c>*</c> in a row, backslashes only before <c>* ? \</c>.</summary>
    public string Text { get; }

    /// <summary>True when it has at least one wildcard.</summary>
    public bool HasWildcards
    {
        get
        {
            for (var i = 0; i < Text.Length; i++)
            {
                if (Text[i] == '\\') i++;
                else if (Text[i] is '*' or '?') return true;
            }
            return false;
        }
    }

    /// <summary>A pattern without wildcards, that means exactly <paramref name="text"/>.</summary>
    public static TextPattern Literal(string text)
    {
        var escaped = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (c is '*' or '?' or '\\') escaped.Append('\\');
            escaped.Append(c);
        }
        return new(escaped.ToString());
    }

    /// <summary>Reads a pattern; backslashes before other characters are dropped, runs of <c>*</c> become one.</summary>
    public static TextPattern FromEscaped(string text)
    {
        var canonical = new StringBuilder(text.Length);
        var star = false;
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (c == '*')
            {
                if (!star) canonical.Append('*');
                star = true;
                continue;
            }
            star = false;
            if (c == '?')
            {
                canonical.Append('?');
                continue;
            }
            if (c == '\\' && i + 1 < text.Length) c = text[++i];
            if (c is '*' or '?' or '\\') canonical.Append('\\');
            canonical.Append(c);
        }
        return new(canonical.ToString());
    }

    /// <summary>The text that a pattern without wildcards means.</summary>
    public string Unescaped()
    {
        var text = new StringBuilder(Text.Length);
        for (var i = 0; i < Text.Length; i++)
        {
            if (Text[i] == '\\') i++;
            text.Append(Text[i]);
        }
        return text.ToString();
    }

    /// <summary>The same as a pattern of SQL <c>LIKE</c> with <c>\</c> as its escape, in lower case.</summary>
    public string ToLike()
    {
        var like = new StringBuilder(Text.Length);
        for (var i = 0; i < Text.Length; i++)
        {
            var c = Text[i];
            if (c is '*' or '?')
            {
                like.Append(c == '*' ? '%' : '_');
            }
            else
            {
                if (c == '\\') c = Text[++i];
                if (c is '%' or '_' or '\\') like.Append('\\');
                like.Append(c);
            }
        }
        return TextFold.Lower(like.ToString());
    }

    /// <summary>Compiles it; a match is of the whole text.</summary>
    internal CompiledPattern Compile() => new(this);
}

/// <summary>A <see cref="TextPattern"/> over UTF-8 that has been lower-cased. Linear in time but for the classic star back-tracking.</summary>
sealed class CompiledPattern
{
    const int Star = -1;
    const int One = -2;
    readonly int[] _steps;

    internal CompiledPattern(TextPattern pattern)
    {
        var steps = new List<int>();
        var text = pattern.Text;
        for (var i = 0; i < text.Length;)
        {
            if (text[i] is '*' or '?')
            {
                steps.Add(text[i++] == '*' ? Star : One);
                continue;
            }
            if (text[i] == '\\') i++;
            _ = Rune.DecodeFromUtf16(text.AsSpan(i), out var rune, out var used);
            steps.Add(TextFold.Lower(rune).Value);
            i += used;
        }
        _steps = [.. steps];
    }

    /// <summary>Whether the whole of <paramref name="text"/>, in any case, fits.</summary>
    internal bool Matches(ReadOnlySpan<byte> text)
    {
        var (at, step) = (0, 0);
        var (starStep, starAt) = (-1, 0);
        while (at < text.Length)
        {
            var status = Rune.DecodeFromUtf8(text[at..], out var rune, out var used);
            if (step < _steps.Length && _steps[step] == Star)
            {
                (starStep, starAt) = (step++, at);
            }
            else if (step < _steps.Length
                && (_steps[step] == One || (status == OperationStatus.Done && _steps[step] == TextFold.Lower(rune).Value)))
            {
                step++;
                at += used;
            }
            else if (starStep >= 0)
            {
                _ = Rune.DecodeFromUtf8(text[starAt..], out _, out used);
                starAt += used;
                (at, step) = (starAt, starStep + 1);
            }
            else
            {
                return false;
            }
        }
        while (step < _steps.Length && _steps[step] == Star) step++;
        return step == _steps.Length;
    }
}
