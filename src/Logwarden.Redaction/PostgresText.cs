using System.Buffers;
using System.Text;

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
/// Finds the data of users in the messages that PostgreSQL writes into its log: statements, bound parameters, the values
/// of rows in error details, lines of pg_hba.conf. What the server itself says stays. Of a message of an unknown
/// shape what stands in single quotes goes; run <see cref="Redactor.Text"/> over the result as over any text.
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

    // Text behind which the rest of a message is SQL, wherever it stands.
    static readonly byte[][] SqlBehind = [.. new[] { "SQL statement \"", "query: " }.Select(Encoding.ASCII.GetBytes)];

    // Input that the server repeats in quotes, wherever it stands.
    static readonly byte[][] InputBehind = [.. new[] { "at or near \"", ": \"" }.Select(Encoding.ASCII.GetBytes)];

    static ReadOnlySpan<byte> Marker => "[REDACTED:sql-literal]"u8;

    /// <summary>Adds the ranges of <paramref name="message"/> that are data to <paramref name="found"/>, in order and apart.</summary>
    /// <param name="message">The text of one LOG, ERROR, DETAIL, CONTEXT, HINT or other entry, without the prefix of its line.</param>
    /// <param name="statements">What becomes of statements.</param>
    /// <param name="found">Where the ranges go; not cleared.</param>
    public static void Find(ReadOnlySpan<byte> message, PostgresStatements statements, List<Range> found)
    {
        ArgumentNullException.ThrowIfNull(found);
        if (StatementAt(message) is > 0 and var at) Sql(message, at, message.Length, statements, found);
        else if (PlanAt(message) is > 0 and var plan) Add(message, plan, message.Length, found);
        else if (message.StartsWith("AUDIT: "u8)) Audit(message, statements, found);
        else if (ParametersAt(message) is >= 0 and var parameters) Quoted(message, parameters, (byte)'\'', found);
        else if (message.StartsWith("invalid value \""u8)) Quoted(message, 0, (byte)'"', found);
        else if (HbaAt(message) is > 0 and var hba) Add(message, hba, Math.Max(hba, message.LastIndexOf((byte)'"')), found);
        else if (TryShape(message, out var from, out var to)) Add(message, from, to, found);
        else if (Behind(message, SqlBehind) is > 0 and var sql) Sql(message, sql, SqlEnd(message, sql), statements, found);
        else if (Behind(message, InputBehind) is > 0 and var input) Add(message, input, Math.Max(input, message.LastIndexOf((byte)'"')), found);
        else Quoted(message, 0, (byte)'\'', found);
    }

    /// <summary>Adds the ranges that go from a STATEMENT entry, or any SQL text, to <paramref name="found"/>.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="statements">What becomes of it.</param>
    /// <param name="found">Where the ranges go; not cleared.</param>
    public static void FindInStatement(ReadOnlySpan<byte> sql, PostgresStatements statements, List<Range> found)
    {
        ArgumentNullException.ThrowIfNull(found);
        Sql(sql, 0, sql.Length, statements, found);
    }

    /// <summary>Writes <paramref name="text"/> with a marker in place of each range of <paramref name="found"/>.</summary>
    /// <param name="text">The text in which the ranges were found.</param>
    /// <param name="found">The ranges, in order and apart.</param>
    /// <param name="output">Where the result goes.</param>
    public static void Write(ReadOnlySpan<byte> text, List<Range> found, IBufferWriter<byte> output)
    {
        ArgumentNullException.ThrowIfNull(found);
        ArgumentNullException.ThrowIfNull(output);
        var at = 0;
        foreach (var range in found)
        {
            output.Write(text[at..range.Start.Value]);
            output.Write(Marker);
            at = range.End.Value;
        }
        output.Write(text[at..]);
    }

    static void Sql(ReadOnlySpan<byte> text, int from, int to, PostgresStatements statements, List<Range> found)
    {
        if (statements == PostgresStatements.WithoutLiterals) SqlLiterals.Find(text, from, to, found);
        else Add(text, from, to, found);
    }

    static void Add(ReadOnlySpan<byte> text, int from, int to, List<Range> found)
    {
        while (to > from && text[to - 1] <= ' ') to--;
        while (from < to && text[from] <= ' ') from++;
        if (to > from && Placeholders.MarkerLength(text[from..to]) != to - from) found.Add(from..to);
    }

    // AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,public.t,"insert …",<parameters>,rows
    static void Audit(ReadOnlySpan<byte> message, PostgresStatements statements, List<Range> found)
    {
        const int Before = 7;
        var at = "AUDIT: ".Length;
        for (var field = 0; field < Before; field++)
        {
            at = FieldEnd(message, at);
            if (at >= message.Length) return;
            at++;
        }
        var end = FieldEnd(message, at);
        Sql(message, at + (message[at..].StartsWith("\""u8) ? 1 : 0), end, statements, found);
        if (end >= message.Length) return;
        var parameters = FieldEnd(message, end + 1);
        if (message[end + 1] != '<') Add(message, end + 1, parameters, found);
    }

    static int FieldEnd(ReadOnlySpan<byte> text, int at)
    {
        if (at >= text.Length || text[at] != '"') return at + (text[at..].IndexOf((byte)',') is >= 0 and var comma ? comma : text.Length - at);
        return QuotedEnd(text, at + 1, (byte)'"') is var end && end < text.Length ? end + 1 : text.Length;
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

    // "parameters: $1 = '…'" since 8.0, "portal "x" parameter $1 = '…'" since 13; with any name and any number before it.
    static int ParametersAt(ReadOnlySpan<byte> message)
    {
        var at = message.IndexOf(" = '"u8);
        if (at < 0) return -1;
        var name = Chars.RunStart(message, at, 0, Ch.Digit);
        return name < at && name > 0 && message[name - 1] == '$' ? name - 1 : -1;
    }

    static int Behind(ReadOnlySpan<byte> message, byte[][] marks)
    {
        foreach (var mark in marks)
            if (message.IndexOf(mark) is >= 0 and var at) return at + mark.Length;
        return 0;
    }

    // A statement in quotes ends with the line of its context; one that no quote ends, with the message.
    static int SqlEnd(ReadOnlySpan<byte> message, int from)
    {
        if (message[from - 1] != '"') return message.Length;
        var end = message[from..].IndexOf("\"\n"u8);
        return end >= 0 ? from + end : message[^1] == '"' && message.Length > from ? message.Length - 1 : message.Length;
    }

    // What stands in quotes; an apostrophe within a word is none.
    static void Quoted(ReadOnlySpan<byte> text, int from, byte quote, List<Range> found)
    {
        for (var p = from; p < text.Length;)
        {
            var open = text[p..].IndexOf(quote);
            if (open < 0) return;
            open += p;
            p = open + 1;
            if (quote == '\'' && open > 0 && Chars.Is(text[open - 1], Ch.Alnum | Ch.High)) continue;
            var end = QuotedEnd(text, p, quote);
            Add(text, p, end, found);
            p = end + 1;
        }
    }

    static int QuotedEnd(ReadOnlySpan<byte> text, int at, byte quote)
    {
        while (at < text.Length && (text[at] != quote || (at + 1 < text.Length && text[at + 1] == quote)))
            at += text[at] == quote ? 2 : 1;
        return Math.Min(at, text.Length);
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
