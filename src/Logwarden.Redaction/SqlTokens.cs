using System.Buffers;

namespace Logwarden.Redaction;

/// <summary>What a token of SQL is.</summary>
enum SqlToken : byte
{
    /// <summary>One byte: a blank, an operator, a bracket.</summary>
    Other,

    /// <summary>A keyword, or a name without quotes.</summary>
    Name,

    /// <summary>A name in double quotes.</summary>
    QuotedName,

    /// <summary>A literal in quotes, of any form.</summary>
    Literal,

    /// <summary>A number.</summary>
    Number,

    /// <summary>A parameter: <c>$1</c>.</summary>
    Parameter,

    /// <summary>A comment, nested ones included.</summary>
    Comment,

    /// <summary>What redaction put in the place of something.</summary>
    Marker,
}

/// <summary>How what stands in quotes is to be read.</summary>
enum SqlForm : byte
{
    /// <summary>As it stands; a doubled quote is one.</summary>
    Plain,

    /// <summary><c>E'…'</c>: with escapes.</summary>
    Escapes,

    /// <summary><c>U&amp;'…'</c> or <c>U&amp;"…"</c>: with escapes of Unicode.</summary>
    Unicode,

    /// <summary><c>B'…'</c> or <c>X'…'</c>: bits.</summary>
    Bits,

    /// <summary><c>$tag$…$tag$</c>: as it stands.</summary>
    Dollar,
}

/// <summary>
/// Goes over SQL token by token the way PostgreSQL's lexer does: quoting ('' and E'\'', dollar quotes, bit and Unicode strings), nested comments. Each byte belongs to
/// one token. Any bytes will do; what is not closed reaches to the end. A few nanoseconds a token, nothing allocated.
/// </summary>
ref struct SqlTokens(ReadOnlySpan<byte> text)
{
    static readonly SearchValues<byte> Blanks = SearchValues.Create(" \t\r\n\f\v"u8);

    readonly ReadOnlySpan<byte> _sql = text;
    int _inside;
    int _insideEnd;
    int _escapesEnd = -1;

    /// <summary>Where the token begins.</summary>
    public int Start { get; private set; }

    /// <summary>Where it ends.</summary>
    public int End { get; private set; }

    /// <summary>What it is.</summary>
    public SqlToken Kind { get; private set; }

    /// <summary>Of a literal or a quoted name: how it is to be read.</summary>
    public SqlForm Form { get; private set; }

    /// <summary>The token as it stands.</summary>
    public readonly ReadOnlySpan<byte> Text => _sql[Start..End];

    /// <summary>Of a literal or a quoted name: what stands between its quotes.</summary>
    public readonly ReadOnlySpan<byte> Inside => _sql[_inside.._insideEnd];

    /// <summary>Goes to the next token.</summary>
    /// <returns>False at the end.</returns>
    public bool Next()
    {
        Start = End;
        if (Start >= _sql.Length) return false;
        var sql = _sql;
        var p = Start;
        var c = sql[p];
        switch (c)
        {
            case (byte)'\'':
                Quoted(SqlToken.Literal, ContinuesEscapes() ? SqlForm.Escapes : SqlForm.Plain, p + 1, (byte)'\'');
                return true;
            case (byte)'"':
                Quoted(SqlToken.QuotedName, SqlForm.Plain, p + 1, (byte)'"');
                return true;
            case (byte)'$' when DollarTag(sql, p) is > 0 and var tag:
                Dollar(tag);
                return true;
            case (byte)'$':
                return Take(SqlToken.Parameter, Chars.RunEnd(sql, p + 1, Ch.Name));
            case (byte)'-' when p + 1 < sql.Length && sql[p + 1] == '-':
                var line = sql[p..].IndexOfAny((byte)'\n', (byte)'\r');
                return Take(SqlToken.Comment, line < 0 ? sql.Length : p + line);
            case (byte)'/' when p + 1 < sql.Length && sql[p + 1] == '*':
                return Take(SqlToken.Comment, CommentEnd(sql, p + 2));
            case (byte)'[' when Placeholders.MarkerLength(sql[p..]) is > 0 and var marker:
                return Take(SqlToken.Marker, p + marker);
            case >= (byte)'0' and <= (byte)'9':
                return Take(SqlToken.Number, NumberEnd(sql, p));
            case (byte)'.' when p + 1 < sql.Length && Chars.Is(sql[p + 1], Ch.Digit) && (p == 0 || !Chars.Is(sql[p - 1], Ch.Name) && sql[p - 1] != '"'):
                return Take(SqlToken.Number, NumberEnd(sql, p));
            default:
                if (!Chars.Is(c, Ch.Letter | Ch.Under | Ch.High)) return Take(SqlToken.Other, p + 1);
                Word();
                return true;
        }
    }

    /// <summary>Goes on from a place behind the current token.</summary>
    public void SkipTo(int end) => End = Math.Max(End, end);

    bool Take(SqlToken kind, int end)
    {
        (Kind, End) = (kind, end);
        return true;
    }

    void Word()
    {
        var sql = _sql;
        var p = Start;
        var end = p;
        while (end < sql.Length && (Chars.Is(sql[end], Ch.Name | Ch.High) || sql[end] == '$')) end++;
        if (end - p == 1 && end < sql.Length && sql[end] is (byte)'\'' or (byte)'&' && Prefixed(sql, p, end)) return;
        Take(SqlToken.Name, end);
    }

    // A letter before a quote that tells how to read what it quotes.
    bool Prefixed(ReadOnlySpan<byte> sql, int p, int end)
    {
        var letter = Chars.Lower(sql[p]);
        if (sql[end] == '&')
        {
            if (letter != 'u' || end + 1 >= sql.Length || sql[end + 1] is not ((byte)'\'' or (byte)'"')) return false;
            Quoted(sql[end + 1] == '"' ? SqlToken.QuotedName : SqlToken.Literal, SqlForm.Unicode, end + 2, sql[end + 1]);
            return true;
        }
        if (letter is not ((byte)'e' or (byte)'b' or (byte)'x' or (byte)'n')) return false;
        Quoted(SqlToken.Literal, letter == 'e' ? SqlForm.Escapes : letter == 'n' ? SqlForm.Plain : SqlForm.Bits, end + 1, (byte)'\'');
        return true;
    }

    void Quoted(SqlToken kind, SqlForm form, int from, byte quote)
    {
        var close = Close(_sql, from, quote, form == SqlForm.Escapes);
        (Kind, Form, _inside, _insideEnd, End) = (kind, form, from, close, Math.Min(close + 1, _sql.Length));
        _escapesEnd = form == SqlForm.Escapes ? End : -1;
    }

    // E'a' goes on in 'b' on another line, with its escapes.
    readonly bool ContinuesEscapes() =>
        _escapesEnd >= 0 && _sql[_escapesEnd..Start] is var between && between.IndexOfAnyExcept(Blanks) < 0 && between.IndexOfAny((byte)'\n', (byte)'\r') >= 0;

    void Dollar(int tag)
    {
        var from = Start + tag;
        var close = _sql[from..].IndexOf(_sql.Slice(Start, tag));
        (Kind, Form, _inside) = (SqlToken.Literal, SqlForm.Dollar, from);
        (_insideEnd, End) = close < 0 ? (_sql.Length, _sql.Length) : (from + close, from + close + tag);
    }

    // The closing quote; the end when there is none.
    static int Close(ReadOnlySpan<byte> sql, int p, byte quote, bool escapes)
    {
        for (; p < sql.Length; p++)
        {
            if (escapes && sql[p] == '\\')
            {
                p++;
            }
            else if (sql[p] == quote)
            {
                if (p + 1 >= sql.Length || sql[p + 1] != quote) return p;
                p++;
            }
        }
        return sql.Length;
    }

    // Length of $tag$ with both dollar signs, 0 when it is none.
    static int DollarTag(ReadOnlySpan<byte> sql, int p)
    {
        if (p > 0 && Chars.Is(sql[p - 1], Ch.Name)) return 0;
        var end = p + 1;
        if (end < sql.Length && Chars.Is(sql[end], Ch.Digit)) return 0;
        while (end < sql.Length && Chars.Is(sql[end], Ch.Name | Ch.High)) end++;
        return end < sql.Length && sql[end] == '$' ? end + 1 - p : 0;
    }

    static int CommentEnd(ReadOnlySpan<byte> sql, int p)
    {
        var depth = 1;
        for (; p + 1 < sql.Length; p++)
        {
            if (sql[p] == '*' && sql[p + 1] == '/')
            {
                p++;
                if (--depth == 0) return p + 1;
            }
            else if (sql[p] == '/' && sql[p + 1] == '*')
            {
                p++;
                depth++;
            }
        }
        return sql.Length;
    }

    static int NumberEnd(ReadOnlySpan<byte> sql, int p)
    {
        while (p < sql.Length && (Chars.Is(sql[p], Ch.Name | Ch.High) || sql[p] is (byte)'.' or (byte)'$' || (sql[p] is (byte)'+' or (byte)'-' && sql[p - 1] is (byte)'e' or (byte)'E' && p + 1 < sql.Length && Chars.Is(sql[p + 1], Ch.Digit)))) p++;
        return p;
    }
}
