using System.Buffers;

namespace Logwarden.Redaction;

/// <summary>
/// Finds the literals of SQL text, so that the statement can stay without them: <c>INSERT INTO t VALUES ('a', 1)</c> becomes
/// <c>INSERT INTO t VALUES ([REDACTED:sql-literal], [REDACTED:sql-literal])</c>. Knows PostgreSQL's quoting ('' and E'\'',
/// dollar quotes, bit and Unicode strings, nested comments); a literal that is not closed goes to the end of the text.
/// Identifiers, also quoted ones, keywords, operators, parameters ($1) and comments without digits or quotes stay. Running it
/// again changes nothing.
/// </summary>
static class SqlLiterals
{
    static readonly SearchValues<byte> Telling = SearchValues.Create("'0123456789="u8);

    /// <summary>Adds the ranges of the literals of <paramref name="text"/> from <paramref name="from"/> up to <paramref name="to"/> to <paramref name="found"/>.</summary>
    public static void Find(ReadOnlySpan<byte> text, int from, int to, List<Range> found)
    {
        var sql = text[from..to];
        for (var p = 0; p < sql.Length;)
        {
            var next = Next(sql, p, out var start, out var secret);
            if (secret) found.Add((from + start)..(from + next));
            p = next;
        }
    }

    // One token: where it ends, and whether (and from where) it is a literal.
    static int Next(ReadOnlySpan<byte> sql, int p, out int start, out bool secret)
    {
        start = p;
        secret = true;
        var c = sql[p];
        switch (c)
        {
            case (byte)'\'':
                return QuotedEnd(sql, p + 1, escapes: false);
            case (byte)'"':
                secret = false;
                return IdentifierEnd(sql, p + 1);
            case (byte)'$' when DollarTag(sql, p) is > 0 and var tag:
                var close = sql[(p + tag)..].IndexOf(sql.Slice(p, tag));
                return close < 0 ? sql.Length : p + tag + close + tag;
            case (byte)'$':
                secret = false;
                return Chars.RunEnd(sql, p + 1, Ch.Name);
            case (byte)'-' when p + 1 < sql.Length && sql[p + 1] == '-':
                var line = sql[p..].IndexOf((byte)'\n');
                var lineEnd = line < 0 ? sql.Length : p + line;
                start = p + 2;
                secret = Tells(sql[p..lineEnd]);
                return lineEnd;
            case (byte)'/' when p + 1 < sql.Length && sql[p + 1] == '*':
                var commentEnd = CommentEnd(sql, p + 2);
                secret = Tells(sql[p..commentEnd]);
                return commentEnd;
            case (byte)'[':
                var marker = Placeholders.MarkerLength(sql[p..]);
                secret = false;
                return p + Math.Max(1, marker);
            case >= (byte)'0' and <= (byte)'9':
                return NumberEnd(sql, p);
            case (byte)'.' when p + 1 < sql.Length && Chars.Is(sql[p + 1], Ch.Digit) && (p == 0 || !Chars.Is(sql[p - 1], Ch.Name) && sql[p - 1] != '"'):
                return NumberEnd(sql, p);
            default:
                return Word(sql, p, ref start, out secret);
        }
    }

    static int Word(ReadOnlySpan<byte> sql, int p, ref int start, out bool secret)
    {
        secret = false;
        if (!Chars.Is(sql[p], Ch.Letter | Ch.Under | Ch.High)) return p + 1;
        var end = p;
        while (end < sql.Length && (Chars.Is(sql[end], Ch.Name | Ch.High) || sql[end] == '$')) end++;
        var length = end - p;
        if (end < sql.Length && sql[end] == '\'' && length == 1 && sql[p] is (byte)'E' or (byte)'e' or (byte)'B' or (byte)'b' or (byte)'X' or (byte)'x' or (byte)'N' or (byte)'n')
        {
            secret = true;
            return QuotedEnd(sql, end + 1, sql[p] is (byte)'E' or (byte)'e');
        }
        if (length == 1 && sql[p] is (byte)'U' or (byte)'u' && end + 1 < sql.Length && sql[end] == '&' && sql[end + 1] == '\'')
        {
            secret = true;
            return QuotedEnd(sql, end + 2, escapes: false);
        }
        if (!After(sql, p, end, out var from)) return end;
        // A password without quotes: IDENTIFIED BY tiger.
        var stop = from;
        while (stop < sql.Length && sql[stop] > ' ' && sql[stop] is not ((byte)';' or (byte)')' or (byte)',' or (byte)'"' or (byte)'\'')) stop++;
        if (stop == from) return end;
        start = from;
        secret = true;
        return stop;
    }

    // The word at p..end is BY after IDENTIFIED, and a bare word follows.
    static bool After(ReadOnlySpan<byte> sql, int p, int end, out int from)
    {
        from = end;
        if (end - p != 2 || !Chars.StartsWithNoCase(sql[p..], "by"u8)) return false;
        var before = sql[..p].TrimEnd((byte)' ');
        if (before.Length < 10 || !Chars.StartsWithNoCase(before[^10..], "identified"u8)) return false;
        while (from < sql.Length && sql[from] <= ' ') from++;
        return from > end && from < sql.Length && Chars.Is(sql[from], Ch.Alnum) && !Placeholders.StartsWithMarker(sql[from..]);
    }

    static int QuotedEnd(ReadOnlySpan<byte> sql, int p, bool escapes)
    {
        for (; p < sql.Length; p++)
        {
            if (escapes && sql[p] == '\\')
            {
                p++;
            }
            else if (sql[p] == '\'')
            {
                if (p + 1 >= sql.Length || sql[p + 1] != '\'') return p + 1;
                p++;
            }
        }
        return sql.Length;
    }

    static int IdentifierEnd(ReadOnlySpan<byte> sql, int p)
    {
        for (; p < sql.Length; p++)
        {
            if (sql[p] != '"') continue;
            if (p + 1 >= sql.Length || sql[p + 1] != '"') return p + 1;
            p++;
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

    // A comment that could hold a value: a digit or a quote in it.
    static bool Tells(ReadOnlySpan<byte> comment) => comment.IndexOfAny(Telling) >= 0;

    static int NumberEnd(ReadOnlySpan<byte> sql, int p)
    {
        while (p < sql.Length && (Chars.Is(sql[p], Ch.Name | Ch.High) || sql[p] is (byte)'.' or (byte)'$' || (sql[p] is (byte)'+' or (byte)'-' && sql[p - 1] is (byte)'e' or (byte)'E' && p + 1 < sql.Length && Chars.Is(sql[p + 1], Ch.Digit)))) p++;
        return p;
    }
}
