using System.Buffers;

namespace Logwarden.Formats;

/// <summary>
/// Takes values out of SQL and out of what PostgreSQL says about rows: the statement's shape stays, every literal becomes <c>?</c>.
/// </summary>
static class SqlText
{
    static readonly byte[][] SqlBefore = [.. new[] { "statement: ", "SQL statement \"", "query: " }.Select(System.Text.Encoding.UTF8.GetBytes)];

    /// <summary>Copies a statement with its literals replaced: strings of every kind, numbers, dollar-quoted bodies, comments.</summary>
    /// <returns>How many were replaced.</returns>
    public static int Redact(ReadOnlySpan<byte> sql, IBufferWriter<byte> output)
    {
        int at = 0, from = 0, count = 0;
        while (at < sql.Length)
        {
            var end = LiteralEnd(sql, at);
            if (end > at)
            {
                output.Write(sql[from..at]);
                output.Write("?"u8);
                count++;
                at = from = end;
                continue;
            }
            at = SkipWord(sql, at);
        }
        output.Write(sql[from..]);
        return count;
    }

    /// <summary>End of the literal that begins here, or <paramref name="at"/> when none does.</summary>
    static int LiteralEnd(ReadOnlySpan<byte> sql, int at)
    {
        var c = sql[at];
        if (c == '\'') return QuoteEnd(sql, at, hasEscapes: false);
        if (c is (byte)'E' or (byte)'e' && Next(sql, at) == '\'') return QuoteEnd(sql, at + 1, hasEscapes: true);
        if (c is (byte)'B' or (byte)'b' or (byte)'X' or (byte)'x' or (byte)'N' or (byte)'n' && Next(sql, at) == '\'')
            return QuoteEnd(sql, at + 1, hasEscapes: false);
        if (c == '$') return DollarEnd(sql, at);
        if (c == '-' && Next(sql, at) == '-')
        {
            var line = sql[at..].IndexOf((byte)'\n');
            return line < 0 ? sql.Length : at + line;
        }
        if (c == '/' && Next(sql, at) == '*') return CommentEnd(sql, at);
        if (!char.IsAsciiDigit((char)c) && !(c == '.' && char.IsAsciiDigit((char)Next(sql, at)))) return at;
        var end = at + 1;
        while (end < sql.Length && (char.IsAsciiLetterOrDigit((char)sql[end]) || sql[end] is (byte)'.' or (byte)'_')) end++;
        return end;
    }

    static byte Next(ReadOnlySpan<byte> sql, int at) => at + 1 < sql.Length ? sql[at + 1] : (byte)0;

    static int QuoteEnd(ReadOnlySpan<byte> sql, int open, bool hasEscapes)
    {
        var at = open + 1;
        while (at < sql.Length)
        {
            if (hasEscapes && sql[at] == '\\') at++;
            else if (sql[at] == '\'')
            {
                if (Next(sql, at) != '\'') return at + 1;
                at++;
            }
            at++;
        }
        // Cut off inside a literal: what is there is a value all the same.
        return sql.Length;
    }

    static int DollarEnd(ReadOnlySpan<byte> sql, int at)
    {
        var tag = at + 1;
        while (tag < sql.Length && (char.IsAsciiLetterOrDigit((char)sql[tag]) || sql[tag] == '_')) tag++;
        if (tag == sql.Length || sql[tag] != '$' || (tag > at + 1 && char.IsAsciiDigit((char)sql[at + 1]))) return at;
        var mark = sql[at..(tag + 1)];
        var close = sql[(tag + 1)..].IndexOf(mark);
        return close < 0 ? sql.Length : tag + 1 + close + mark.Length;
    }

    static int CommentEnd(ReadOnlySpan<byte> sql, int at)
    {
        var depth = 0;
        for (; at < sql.Length; at++)
        {
            if (sql[at] == '/' && Next(sql, at) == '*') (depth, at) = (depth + 1, at + 1);
            else if (sql[at] == '*' && Next(sql, at) == '/')
            {
                at++;
                if (--depth == 0) return at + 1;
            }
        }
        return sql.Length;
    }

    /// <summary>Steps over an identifier, a quoted identifier, a parameter such as $1, or one other byte.</summary>
    static int SkipWord(ReadOnlySpan<byte> sql, int at)
    {
        if (sql[at] == '"')
        {
            var close = sql[(at + 1)..].IndexOf((byte)'"');
            return close < 0 ? sql.Length : at + close + 2;
        }
        if (!char.IsAsciiLetter((char)sql[at]) && sql[at] is not ((byte)'_' or (byte)'$') && sql[at] < 0x80) return at + 1;
        at++;
        while (at < sql.Length && (char.IsAsciiLetterOrDigit((char)sql[at]) || sql[at] is (byte)'_' or (byte)'$' || sql[at] >= 0x80)) at++;
        return at;
    }

    /// <summary>
    /// Copies a message, detail or context of the server with the values of rows replaced: <c>Key (a)=(…)</c>, <c>row contains (…)</c>,
    /// <c>: "…"</c> after which the server quotes input, single-quoted values, plans, and the literals of statements in it.
    /// </summary>
    /// <returns>How many were replaced.</returns>
    public static int RedactMessage(ReadOnlySpan<byte> text, IBufferWriter<byte> output)
    {
        foreach (var mark in SqlBefore)
        {
            if (text.IndexOf(mark) is not (>= 0 and var at)) continue;
            var before = RedactMessage(text[..(at + mark.Length - 1)], output);
            output.Write(mark.AsSpan(^1..));
            return before + Redact(text[(at + mark.Length)..], output);
        }
        if (text.StartsWith("duration: "u8)) return RedactDuration(text, output);
        if (Cut(text, ")=("u8, (byte)')', output, out var count)) return count;
        if (Cut(text, " contains ("u8, (byte)')', output, out count)) return count;
        if (Cut(text, "arameters: "u8, 0, output, out count)) return count;
        if (Cut(text, ": \""u8, (byte)'"', output, out count)) return count;
        return Quoted(text, output);
    }

    /// <summary>Durations stay, the statement or plan behind them is redacted.</summary>
    static int RedactDuration(ReadOnlySpan<byte> text, IBufferWriter<byte> output)
    {
        var plan = text.IndexOf("plan:"u8);
        if (plan >= 0)
        {
            output.Write(text[..(plan + 5)]);
            output.Write(" ?"u8);
            return 1;
        }
        var colon = text["duration: "u8.Length..].IndexOf(": "u8);
        if (colon < 0)
        {
            output.Write(text);
            return 0;
        }
        colon += "duration: "u8.Length + 2;
        output.Write(text[..colon]);
        return Redact(text[colon..], output);
    }

    static bool Cut(ReadOnlySpan<byte> text, ReadOnlySpan<byte> mark, byte close, IBufferWriter<byte> output, out int count)
    {
        count = 0;
        var at = text.IndexOf(mark);
        if (at < 0) return false;
        at += mark.Length;
        var end = close == 0 ? text.Length : text.LastIndexOf(close);
        if (end < at) end = text.Length;
        count = 1 + Quoted(text[..at], output);
        output.Write("?"u8);
        count += Quoted(text[end..], output);
        return true;
    }

    /// <summary>Replaces what stands in single quotes; an apostrophe inside a word is none.</summary>
    static int Quoted(ReadOnlySpan<byte> text, IBufferWriter<byte> output)
    {
        int from = 0, at = 0, count = 0;
        while (at < text.Length)
        {
            if (text[at] != '\'' || (at > 0 && char.IsAsciiLetterOrDigit((char)text[at - 1])))
            {
                at++;
                continue;
            }
            output.Write(text[from..at]);
            output.Write("?"u8);
            count++;
            at = from = QuoteEnd(text, at, hasEscapes: false);
        }
        output.Write(text[from..]);
        return count;
    }
}
