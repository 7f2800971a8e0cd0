using System.Buffers;
using Logwarden.Redaction;

namespace Logwarden.Formats;

/// <summary>
/// Takes values out of SQL and out of what PostgreSQL says about rows: the statement's shape stays, every value becomes
/// <c>[REDACTED:sql-literal]</c>.
/// </summary>
static class SqlText
{
    static readonly byte[][] SqlBefore = [.. new[] { "statement: ", "SQL statement \"", "query: " }.Select(System.Text.Encoding.UTF8.GetBytes)];

    static ReadOnlySpan<byte> Marker => "[REDACTED:sql-literal]"u8;

    /// <summary>Copies a statement with its literals replaced.</summary>
    /// <returns>How many were replaced.</returns>
    public static int Redact(ReadOnlySpan<byte> sql, IBufferWriter<byte> output)
    {
        SqlLiterals.Redact(sql, output, out var count);
        return count;
    }

    /// <summary>End of the quoted text that begins at <paramref name="open"/>; one that is cut off goes to the end.</summary>
    static int QuoteEnd(ReadOnlySpan<byte> text, int open)
    {
        var at = open + 1;
        while (text[at..].IndexOf((byte)'\'') is var quote && quote >= 0)
        {
            at += quote + 1;
            if (at >= text.Length || text[at] != '\'') return at;
            at++;
        }
        return text.Length;
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
        if (Cut(text, "invalid value \""u8, (byte)'"', output, out count)) return count;
        if (Cut(text, "at or near \""u8, (byte)'"', output, out count)) return count;
        if (Cut(text, "\": 0x"u8, 0, output, out count)) return count;
        if (Cut(text, "WAL stream: "u8, 0, output, out count)) return count;
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
            output.Write(" "u8);
            output.Write(Marker);
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
        output.Write(Marker);
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
            output.Write(Marker);
            count++;
            at = from = QuoteEnd(text, at);
        }
        output.Write(text[from..]);
        return count;
    }
}
