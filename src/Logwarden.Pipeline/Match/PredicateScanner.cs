using System.Globalization;
using System.Text;

namespace Logwarden.Match;

/// <summary>A value as written: its text, still escaped when bare.</summary>
/// <param name="Position">Where it starts.</param>
/// <param name="Length">Characters taken, quotes included.</param>
/// <param name="Quoted">Whether it stood in quotes: then no character of it is special.</param>
/// <param name="Text">Unescaped when quoted; as written when bare.</param>
readonly record struct ScannedValue(int Position, int Length, bool Quoted, string Text)
{
    /// <summary>The text meant, wildcards taken literally.</summary>
    internal string Plain => Quoted ? Text : TextPattern.FromEscaped(Text).Unescaped();
}

/// <summary>Reads words, quotes and operators of a predicate. The first error stays; after it, everything reads as the end.</summary>
sealed class PredicateScanner(string text)
{
    /// <summary>Words that mean something and must be quoted to be searched for.</summary>
    internal static readonly string[] Keywords = ["and", "or", "not", "in", "is", "exists"];

    static readonly string[] Operators = ["==", "!=", "<=", ">=", "=", ":", "<", ">"];

    internal string Text { get; } = text;

    internal int Position { get; set; }

    internal PredicateError? Error { get; private set; }

    internal bool AtEnd => Position >= Text.Length;

    internal char Current => AtEnd ? '\0' : Text[Position];

    /// <summary>Records the first error and moves to the end.</summary>
    internal void Fail(int position, int length, string reason, string? expected = null, string? nearest = null)
    {
        Error ??= new(position, length, reason, expected, nearest);
        Position = Text.Length;
    }

    internal void SkipSpace()
    {
        while (!AtEnd && char.IsWhiteSpace(Text[Position])) Position++;
    }

    /// <summary>Takes a keyword, in any case, that ends at a border.</summary>
    internal bool TakeKeyword(string word)
    {
        SkipSpace();
        if (!IsKeywordAt(Position, word)) return false;
        Position += word.Length;
        return true;
    }

    internal bool IsKeywordAt(int position, string word) =>
        string.Compare(Text, position, word, 0, word.Length, StringComparison.OrdinalIgnoreCase) == 0
        && (position + word.Length >= Text.Length || char.IsWhiteSpace(Text[position + word.Length])
            || Text[position + word.Length] is '(' or ')' or '"');

    internal bool TakeSymbol(char symbol)
    {
        SkipSpace();
        if (AtEnd || Text[Position] != symbol) return false;
        Position++;
        return true;
    }

    /// <summary>Takes an operator: a symbol, or <c>in</c>, <c>not in</c>, <c>is</c>. Null when none stands here.</summary>
    internal string? TakeOperator()
    {
        var start = Position;
        SkipSpace();
        foreach (var symbol in Operators)
        {
            if (string.CompareOrdinal(Text, Position, symbol, 0, symbol.Length) != 0) continue;
            Position += symbol.Length;
            return symbol;
        }
        if (TakeKeyword("in")) return "in";
        if (TakeKeyword("is")) return "is";
        if (TakeKeyword("not") && TakeKeyword("in")) return "not in";
        Position = start;
        return null;
    }

    /// <summary>Takes a value: quoted, or bare up to white space, a parenthesis, a comma or a quote.</summary>
    internal ScannedValue TakeValue(string expected)
    {
        SkipSpace();
        var start = Position;
        if (Current == '"') return TakeQuoted();
        while (!AtEnd && !char.IsWhiteSpace(Text[Position]) && Text[Position] is not ('(' or ')' or ',' or '"')) SkipCharacter();
        if (Position > Text.Length) Position = Text.Length;
        var value = new ScannedValue(start, Position - start, false, Text[start..Position]);
        if (value.Length == 0) Fail(start, AtEnd ? 0 : 1, AtEnd ? "a value is missing" : $"unexpected '{Current}'", expected);
        else if (value.Text.EndsWith('\\') && EndsInOpenEscape(value.Text)) Fail(Position - 1, 1, "a backslash at the end escapes nothing", "\\\\ for a backslash");
        else if (IsConnective(value.Text)) Fail(start, value.Length, $"'{value.Text}' is a keyword", $"{expected}; write it in quotes to mean the word");
        return value;
    }

    /// <summary>Takes a word at the place of a term: bare characters, and quoted parts beside dots (<c>a."b.c".d</c>).</summary>
    internal ScannedValue TakeWord()
    {
        var start = Position;
        var quoted = Current == '"';
        while (!AtEnd)
        {
            var c = Text[Position];
            if (c == '"')
            {
                if (Position > start && Text[Position - 1] != '.') break;
                var part = TakeQuoted();
                if (Error is not null) return part;
                if (Current != '.') break;
                continue;
            }
            if (char.IsWhiteSpace(c) || c is '(' or ')' or ',' or '=' or ':' or '<' or '>') break;
            if (c == '!' && Position + 1 < Text.Length && Text[Position + 1] == '=') break;
            SkipCharacter();
        }
        if (Position > Text.Length) Position = Text.Length;
        var word = Text[start..Position];
        if (EndsInOpenEscape(word) && !quoted) Fail(Position - 1, 1, "a backslash at the end escapes nothing", "\\\\ for a backslash");
        return new(start, word.Length, quoted, word);
    }

    /// <summary>Takes a text in double quotes; <c>\" \\ \n \r \t \uXXXX</c> are its escapes.</summary>
    internal ScannedValue TakeQuoted()
    {
        var start = Position++;
        var value = new StringBuilder();
        while (!AtEnd && Text[Position] != '"')
        {
            var c = Text[Position++];
            if (c == '\\')
            {
                if (!TakeEscape(value)) return default;
                continue;
            }
            value.Append(c);
        }
        if (AtEnd)
        {
            Fail(start, Text.Length - start, "the quote is not closed", "\"");
            return default;
        }
        Position++;
        return new(start, Position - start, true, value.ToString());
    }

    bool TakeEscape(StringBuilder value)
    {
        var at = Position - 1;
        var c = AtEnd ? '\0' : Text[Position++];
        if (c == 'u' && Position + 4 <= Text.Length
            && ushort.TryParse(Text.AsSpan(Position, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var unit))
        {
            value.Append((char)unit);
            Position += 4;
            return true;
        }
        char? meant = c switch { '"' or '\\' or '/' or '*' or '?' => c, 'n' => '\n', 'r' => '\r', 't' => '\t', _ => null };
        if (meant is not null) value.Append(meant.Value);
        else Fail(at, Math.Min(2, Text.Length - at), "unknown escape in a quoted text", "one of \\\" \\\\ \\n \\r \\t \\uXXXX");
        return meant is not null;
    }

    void SkipCharacter() => Position += Text[Position] == '\\' ? 2 : 1;

    static bool EndsInOpenEscape(string word)
    {
        var backslashes = 0;
        while (backslashes < word.Length && word[^(backslashes + 1)] == '\\') backslashes++;
        return backslashes % 2 == 1;
    }

    static bool IsConnective(string word) => word.Equals("and", StringComparison.OrdinalIgnoreCase)
        || word.Equals("or", StringComparison.OrdinalIgnoreCase) || word.Equals("not", StringComparison.OrdinalIgnoreCase);
}
