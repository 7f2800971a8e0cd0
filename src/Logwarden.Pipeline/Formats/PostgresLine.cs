using System.Buffers;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// PostgreSQL log lines in text form: whatever <c>log_line_prefix</c> puts before the severity. Prefixes are not configured here but
/// recognised by their parts: a time anywhere; <c>[pid]</c>; <c>user@database</c> at the end, as in <c>%m [%p] %q%u@%d </c>, or between
/// colons behind the address, as RDS writes <c>%t:%r:%u@%d:[%p]:</c>; <c>key=value</c> pairs, as in <c>user=%u,db=%d,app=%a,client=%h</c>;
/// a session id of two hexadecimal numbers; a line number <c>[3-1]</c>.
/// </summary>
static class PostgresLine
{
    const int PrefixBytesMax = 1024;
    static readonly NameTable Severities = new(
        "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "INFO", "NOTICE", "WARNING", "ERROR", "LOG", "FATAL", "PANIC",
        "STATEMENT", "DETAIL", "HINT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE");

    static readonly NameTable Keys = new(
        "user", "usr", "u", "db", "database", "d", "app", "application_name", "client", "host", "remote", "connection_source", "r", "h", "pid", "p",
        "session_id", "session", "log_line", "line", "l");

    static readonly PgColumn[] KeyColumns =
    [
        PgColumn.User, PgColumn.User, PgColumn.User, PgColumn.Database, PgColumn.Database, PgColumn.Database, PgColumn.Application,
        PgColumn.Application, PgColumn.Remote, PgColumn.Remote, PgColumn.Remote, PgColumn.Remote, PgColumn.Remote, PgColumn.Remote,
        PgColumn.Pid, PgColumn.Pid, PgColumn.SessionId, PgColumn.SessionId, PgColumn.LineNumber, PgColumn.LineNumber, PgColumn.LineNumber,
    ];

    /// <summary>Finds the severity that ends the prefix of a line: a word such as <c>LOG</c> before a colon and a blank.</summary>
    /// <param name="line">One line.</param>
    /// <param name="start">Where the word begins.</param>
    /// <param name="length">Its length.</param>
    /// <param name="message">Where the message begins.</param>
    public static bool TryFindSeverity(ReadOnlySpan<byte> line, out int start, out int length, out int message)
    {
        (start, length, message) = (0, 0, 0);
        var window = line[..Math.Min(line.Length, PrefixBytesMax)];
        var from = 0;
        while (window[from..].IndexOf(": "u8) is var colon && colon >= 0)
        {
            colon += from;
            var word = colon;
            while (word > 0 && char.IsAsciiLetterOrDigit((char)window[word - 1])) word--;
            if (word < colon && Severities.Has(window[word..colon]))
            {
                var at = colon + 2;
                if (at < line.Length && line[at] == ' ') at++;
                (start, length, message) = (word, colon - word, at);
                return true;
            }
            from = colon + 1;
        }
        return false;
    }

    /// <summary>Whether a time stands in the prefix of a line.</summary>
    public static bool HasTime(ReadOnlySpan<byte> prefix) => FindTime(prefix, out _, out _);

    /// <summary>Reads one record: a line and its continuation lines. The text of every column goes to <paramref name="text"/>.</summary>
    public static NormalizeError? Read(ReadOnlySpan<byte> record, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        var end = record.IndexOf((byte)'\n');
        var line = end < 0 ? record : record[..end];
        if (!TryFindSeverity(line, out var start, out var length, out var message))
        {
            return NormalizeError.At("no-log-prefix", 0,
                "not a PostgreSQL log line: expected log_line_prefix, a severity such as LOG, a colon and the message");
        }
        columns[(int)PgColumn.Severity] = Append(text, record.Slice(start, length));
        columns[(int)PgColumn.Message] = AppendMessage(text, record[message..]);
        ReadPrefix(record[..start], text, columns);
        return null;
    }

    static void ReadPrefix(ReadOnlySpan<byte> prefix, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        var rest = 0;
        if (FindTime(prefix, out var at, out var used))
        {
            columns[(int)PgColumn.Time] = Append(text, prefix.Slice(at, used));
            rest = at + used;
        }
        ReadBrackets(prefix, text, columns);
        var hasPairs = ReadPairs(prefix, text, columns);
        if (!hasPairs && columns[(int)PgColumn.User].Equals(default)) ReadUser(prefix[rest..], text, columns);
    }

    /// <summary>The time of the line: with a fraction rather than without, as sessions start at a whole second.</summary>
    static bool FindTime(ReadOnlySpan<byte> prefix, out int start, out int length)
    {
        (start, length) = (-1, 0);
        for (var at = 0; at + 19 <= prefix.Length; at++)
        {
            if (!char.IsAsciiDigit((char)prefix[at]) || (at > 0 && char.IsAsciiDigit((char)prefix[at - 1]))) continue;
            if (!TimeText.TryRead(prefix[at..], out _, out var used)) continue;
            var hasFraction = used > 19 && prefix[at + 19] == '.';
            if (start < 0 || hasFraction) (start, length) = (at, WithZone(prefix[at..], used));
            if (hasFraction) return true;
            at += used - 1;
        }
        return start >= 0;
    }

    /// <summary>A zone that is a word, such as CET, belongs to the time although nobody can say what it means.</summary>
    static int WithZone(ReadOnlySpan<byte> time, int used)
    {
        if (used >= time.Length || time[used] != ' ') return used;
        var at = used + 1;
        while (at < time.Length && at - used <= 6 && char.IsAsciiLetterUpper((char)time[at])) at++;
        return at - used is >= 4 and <= 6 ? at : used;
    }

    /// <summary><c>[32369]</c> is the process, <c>[3-1]</c> the line of the session.</summary>
    static void ReadBrackets(ReadOnlySpan<byte> prefix, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        for (var at = 0; at < prefix.Length; at++)
        {
            if (prefix[at] != '[') continue;
            var end = prefix[at..].IndexOf((byte)']');
            if (end < 0) return;
            var inside = prefix.Slice(at + 1, end - 1);
            var digits = inside.IndexOfAnyExceptInRange((byte)'0', (byte)'9');
            if (inside.Length > 0 && digits < 0) columns[(int)PgColumn.Pid] = Append(text, inside);
            else if (digits > 0 && inside[digits] == '-' && inside[(digits + 1)..].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0)
                columns[(int)PgColumn.LineNumber] = Append(text, inside[..digits]);
        }
    }

    static bool ReadPairs(ReadOnlySpan<byte> prefix, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        var any = false;
        var from = 0;
        while (prefix[from..].IndexOf((byte)'=') is var equal && equal >= 0)
        {
            equal += from;
            from = equal + 1;
            var word = equal;
            while (word > 0 && (char.IsAsciiLetterLower((char)prefix[word - 1]) || prefix[word - 1] == '_')) word--;
            var key = Keys.Find(prefix[word..equal]);
            if (key < 0) continue;
            var column = KeyColumns[key];
            var value = Value(prefix[from..], column == PgColumn.Application);
            from += value.Length;
            any |= column is PgColumn.User or PgColumn.Database;
            if (!IsUnknown(value.Trim((byte)'"'))) columns[(int)column] = Append(text, value.Trim((byte)'"'));
        }
        return any;
    }

    static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> rest, bool mayHaveBlanks)
    {
        if (rest.Length > 0 && rest[0] == '"')
        {
            var close = rest[1..].IndexOf((byte)'"');
            return close < 0 ? rest : rest[..(close + 2)];
        }
        var end = mayHaveBlanks ? rest.IndexOf((byte)',') : rest.IndexOfAny((byte)',', (byte)' ');
        var value = end < 0 ? rest : rest[..end];
        value = value.TrimEnd((byte)' ');
        // `[user=a,db=b,app=c]` closes its bracket; `[unknown]` and `[local]` have their own.
        if (value.Length > 0 && value[^1] == ']' && value[0] != '[') value = value[..^1];
        return value;
    }

    /// <summary><c>address:user@database:[pid]:</c> or <c>[pid] user@database</c>, behind the time.</summary>
    static void ReadUser(ReadOnlySpan<byte> rest, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        var at = rest.LastIndexOf((byte)'@');
        if (at < 0) return;
        var isRds = rest.Length > 0 && rest[0] == ':';
        var tail = rest[(at + 1)..];
        var end = isRds ? tail.IndexOf((byte)':') : tail.IndexOf((byte)' ');
        var database = end < 0 ? tail : tail[..end];
        var head = rest[..at];
        var begin = isRds ? UserStart(head) : head.LastIndexOf((byte)' ') + 1;
        var user = head[begin..];
        if (isRds && begin > 1)
        {
            var remote = head[1..(begin - 1)];
            if (!IsUnknown(remote)) columns[(int)PgColumn.Remote] = Append(text, remote);
        }
        if (!IsUnknown(user)) columns[(int)PgColumn.User] = Append(text, user);
        if (!IsUnknown(database)) columns[(int)PgColumn.Database] = Append(text, database);
    }

    static int UserStart(ReadOnlySpan<byte> head) => head.LastIndexOf((byte)':') + 1;

    static bool IsUnknown(ReadOnlySpan<byte> value) => value.IsEmpty || value.SequenceEqual("[unknown]"u8);

    static Range Append(ArrayBufferWriter<byte> text, ReadOnlySpan<byte> value)
    {
        var start = text.WrittenCount;
        text.Write(value);
        return start..text.WrittenCount;
    }

    /// <summary>The server puts a tab before each continuation line; the message itself has none there.</summary>
    static Range AppendMessage(ArrayBufferWriter<byte> text, ReadOnlySpan<byte> message)
    {
        var start = text.WrittenCount;
        while (message.IndexOf("\n\t"u8) is var at && at >= 0)
        {
            text.Write(message[..(at + 1)]);
            message = message[(at + 2)..];
        }
        text.Write(message);
        return start..text.WrittenCount;
    }
}
