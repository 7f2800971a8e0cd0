using System.Buffers;

namespace Logwarden.Redaction;

/// <summary>How much of a statement stays in a line of the PostgreSQL log.</summary>
public enum PostgresStatements
{
    /// <summary>The statement stays without its literals; plans go whole.</summary>
    WithoutLiterals,

    /// <summary>Statements and plans go whole.</summary>
    Removed,
}

/// <summary>
/// Takes the data of users out of the messages that PostgreSQL writes into its log: statements, bound parameters, the values
/// of rows in error details, lines of pg_hba.conf. What the server itself says stays. Messages of an unknown shape stay as they
/// are; run <see cref="Redactor.Text"/> over the result as over any text.
/// </summary>
public static class PostgresText
{
    // What a message of this shape hides: from after the second text (searched behind the first) to before the third.
    static readonly (string Start, string From, string To)[] Shapes =
    [
        ("Key (", ")=(", ") "),
        ("Failing row contains (", "(", ")."),
        ("Partition key of the failing row contains ", "contains ", "."),
        ("malformed array literal: \"", "\"", "\""),
        ("malformed range literal: \"", "\"", "\""),
        ("malformed record literal: \"", "\"", "\""),
        ("duplicate JSON object key value: \"", "\"", "\""),
        ("invalid byte sequence for encoding ", "\": ", ""),
        ("could not receive data from WAL stream: ", "stream: ", ""),
        ("invalid input syntax for ", ": \"", "\""),
        ("invalid input value for ", ": \"", "\""),
        ("date/time field value out of range: \"", "\"", "\""),
        ("value \"", "\"", "\" is out of range"),
        ("argument \"", "\"", "\" of jsonpath"),
        ("trailing junk after ", "near \"", "\""),
        ("unterminated quoted ", "near \"", "\""),
        ("COPY ", ": \"", "\""),
        ("Token \"", "\"", "\""),
        ("JSON data, line ", ": ", ""),
    ];

    /// <summary>Writes <paramref name="message"/> (without the prefix of its line) and without data to <paramref name="output"/>.</summary>
    /// <param name="message">The text of one LOG, ERROR, DETAIL, CONTEXT, HINT or other entry.</param>
    /// <param name="statements">What becomes of statements.</param>
    /// <param name="output">Where the result goes.</param>
    /// <param name="count">How many ranges were taken out; when 0, what was written equals the input.</param>
    public static void Redact(ReadOnlySpan<byte> message, PostgresStatements statements, IBufferWriter<byte> output, out int count)
    {
        ArgumentNullException.ThrowIfNull(output);
        count = 0;
        if (StatementAt(message) is > 0 and var at)
        {
            output.Write(message[..at]);
            Statement(message[at..], statements, output, out count);
            return;
        }
        if (PlanAt(message) is > 0 and var plan)
        {
            Cut(message, plan, message.Length, output, ref count);
            return;
        }
        if (message.IndexOf("parameters: $1 = "u8) is >= 0 and var parameters)
        {
            output.Write(message[..parameters]);
            Quoted(message[parameters..], (byte)'\'', output, ref count);
            return;
        }
        if (message.StartsWith("invalid value \""u8))
        {
            Quoted(message, (byte)'"', output, ref count);
            return;
        }
        if (HbaAt(message) is > 0 and var hba)
        {
            Cut(message, hba, Math.Max(hba, message.LastIndexOf((byte)'"')), output, ref count);
            return;
        }
        if (TryShape(message, out var from, out var to)) Cut(message, from, to, output, ref count);
        else output.Write(message);
    }

    /// <summary>Writes a STATEMENT entry, or any SQL text, as <paramref name="statements"/> says.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="statements">What becomes of it.</param>
    /// <param name="output">Where the result goes.</param>
    /// <param name="count">How many ranges were taken out.</param>
    public static void Statement(ReadOnlySpan<byte> sql, PostgresStatements statements, IBufferWriter<byte> output, out int count)
    {
        ArgumentNullException.ThrowIfNull(output);
        count = 0;
        if (statements == PostgresStatements.WithoutLiterals) SqlLiterals.Redact(sql, output, out count);
        else Cut(sql, 0, sql.Length, output, ref count);
    }

    static void Cut(ReadOnlySpan<byte> message, int from, int to, IBufferWriter<byte> output, ref int count)
    {
        output.Write(message[..from]);
        if (to > from && !Placeholders.StartsWithMarker(message[from..to]))
        {
            output.Write("[REDACTED:sql-literal]"u8);
            count++;
        }
        else
        {
            output.Write(message[from..to]);
        }
        output.Write(message[to..]);
    }

    // "statement: …", "duration: 1 ms  statement: …", "execute name: …", "duration: 1 ms  bind <unnamed>: …"
    static int StatementAt(ReadOnlySpan<byte> message)
    {
        var p = 0;
        if (message.StartsWith("duration: "u8))
        {
            p = message.IndexOf(" ms"u8);
            if (p < 0) return 0;
            p += 3;
            while (p < message.Length && message[p] == ' ') p++;
        }
        var rest = message[p..];
        if (!rest.StartsWith("statement: "u8) && !rest.StartsWith("execute "u8) && !rest.StartsWith("parse "u8) && !rest.StartsWith("bind "u8)) return 0;
        var colon = rest.IndexOf(": "u8);
        return colon < 0 ? 0 : p + colon + 2;
    }

    static int PlanAt(ReadOnlySpan<byte> message)
    {
        if (!message.StartsWith("duration: "u8)) return 0;
        var at = message.IndexOf(" plan:"u8);
        if (at < 0) return 0;
        at += 6;
        while (at < message.Length && message[at] <= ' ') at++;
        return at;
    }

    static int HbaAt(ReadOnlySpan<byte> message)
    {
        var at = message.IndexOf("Connection matched "u8);
        if (at < 0) return 0;
        var line = message[at..].IndexOf(": \""u8);
        return line < 0 ? 0 : at + line + 3;
    }

    static void Quoted(ReadOnlySpan<byte> text, byte quote, IBufferWriter<byte> output, ref int count)
    {
        for (var p = 0; p < text.Length;)
        {
            var open = text[p..].IndexOf(quote);
            if (open < 0)
            {
                output.Write(text[p..]);
                return;
            }
            var start = p + open + 1;
            var end = start;
            while (end < text.Length && (text[end] != quote || (end + 1 < text.Length && text[end + 1] == quote)))
                end += text[end] == quote ? 2 : 1;
            end = Math.Min(end, text.Length);
            Cut(text[p..end], start - p, end - p, output, ref count);
            if (end < text.Length) output.Write(text.Slice(end, 1));
            p = end + 1;
        }
    }

    static bool TryShape(ReadOnlySpan<byte> message, out int from, out int to)
    {
        from = to = 0;
        Span<byte> buffer = stackalloc byte[64];
        foreach (var shape in Shapes)
        {
            if (!message.StartsWith(Ascii(shape.Start, buffer))) continue;
            var open = message.IndexOf(Ascii(shape.From, buffer));
            if (open < 0) return false;
            from = open + shape.From.Length;
            var close = shape.To.Length == 0 ? message.Length - from : message[from..].LastIndexOf(Ascii(shape.To, buffer));
            to = from + (close < 0 ? message.Length - from : close);
            return true;
        }
        return false;
    }

    static ReadOnlySpan<byte> Ascii(string text, Span<byte> buffer)
    {
        for (var i = 0; i < text.Length; i++) buffer[i] = (byte)text[i];
        return buffer[..text.Length];
    }
}
