using System.Buffers;
using System.Buffers.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>Columns of a PostgreSQL log record: those of csvlog in its order, then what only jsonlog has.</summary>
enum PgColumn
{
    Time,
    User,
    Database,
    Pid,
    Remote,
    SessionId,
    LineNumber,
    CommandTag,
    SessionStart,
    VirtualTransaction,
    Transaction,
    Severity,
    StateCode,
    Message,
    Detail,
    Hint,
    InternalQuery,
    InternalPosition,
    Context,
    Statement,
    CursorPosition,
    Location,
    Application,
    BackendType,
    LeaderPid,
    QueryId,
    RemotePort,
    FunctionName,
    FileName,
    FileLine,
    Count,
}

/// <summary>One record of a PostgreSQL log in any of its three forms, as plain text by column. The text stands in one buffer.</summary>
readonly ref struct PgRecord(ReadOnlySpan<byte> text, ReadOnlySpan<Range> columns)
{
    const int CsvColumnsMin = 23;
    static readonly NameTable JsonNames = new(
        "timestamp", "user", "dbname", "pid", "remote_host", "session_id", "line_num", "ps", "session_start", "vxid", "txid",
        "error_severity", "state_code", "message", "detail", "hint", "internal_query", "internal_position", "context", "statement",
        "cursor_position", "location", "application_name", "backend_type", "leader_pid", "query_id", "remote_port", "func_name",
        "file_name", "file_line_num");

    readonly ReadOnlySpan<byte> _text = text;
    readonly ReadOnlySpan<Range> _columns = columns;

    /// <summary>A column's text; empty when it has none.</summary>
    public ReadOnlySpan<byte> this[PgColumn column] => _text[_columns[(int)column]];

    /// <summary>Reads a record of jsonlog. The text of every column goes to <paramref name="text"/>, without escapes.</summary>
    public static NormalizeError? ReadJson(ReadOnlySpan<byte> record, JsonIndex index, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        if (index.Read(record) is { } refused) return refused;
        var view = new JsonView(index, record);
        for (var row = view.First(0); row >= 0; row = view.After(row, 0))
        {
            var column = JsonNames.Find(view.Name(row));
            if (column < 0 || view.Kind(row) == JsonKind.Null) continue;
            if (view.Kind(row) is JsonKind.Object or JsonKind.Array)
                return view.Wrong(row, "expected text or a number");
            columns[column] = Append(text, view.Scalar(row), hasEscapes: view.Kind(row) == JsonKind.String);
        }
        return columns[(int)PgColumn.Message].Equals(default) && columns[(int)PgColumn.Severity].Equals(default)
            ? new("not-postgres", "message", 0, "not a PostgreSQL log record: expected error_severity and message")
            : null;
    }

    /// <summary>Reads a record of csvlog: 23 columns (PostgreSQL 9 to 12), 24 (13) or 26.</summary>
    public static NormalizeError? ReadCsv(ReadOnlySpan<byte> record, ArrayBufferWriter<byte> text, Span<Range> columns)
    {
        int at = 0, column = 0;
        while (true)
        {
            if (column > (int)PgColumn.QueryId) return NormalizeError.At("invalid-csv", at, "more than the 26 columns of csvlog");
            if (!CsvText.TryField(record, ref at, text, out columns[column]))
                return NormalizeError.At("invalid-csv", at, "a quoted field does not end: expected `\"` before a comma or the end");
            column++;
            if (at >= record.Length) break;
            at++;
            if (at == record.Length)
            {
                if (column <= (int)PgColumn.QueryId) columns[column++] = default;
                break;
            }
        }
        return column < CsvColumnsMin
            ? NormalizeError.At("invalid-csv", record.Length, $"{column} columns where csvlog has 23 to 26: the record is cut off")
            : null;
    }

    static Range Append(ArrayBufferWriter<byte> text, ReadOnlySpan<byte> value, bool hasEscapes)
    {
        var start = text.WrittenCount;
        if (hasEscapes && value.Contains((byte)'\\'))
        {
            var to = text.GetSpan(value.Length);
            text.Advance(Unescape(value, to));
        }
        else
        {
            text.Write(value);
        }
        return start..text.WrittenCount;
    }

    /// <summary>Plain text of a JSON string that is known to be valid.</summary>
    static int Unescape(ReadOnlySpan<byte> value, Span<byte> to)
    {
        int at = 0, written = 0;
        while (at < value.Length)
        {
            var stop = value[at..].IndexOf((byte)'\\');
            if (stop < 0) stop = value.Length - at;
            value.Slice(at, stop).CopyTo(to[written..]);
            written += stop;
            at += stop;
            if (at >= value.Length) break;
            if (value[at + 1] != 'u')
            {
                to[written++] = value[at + 1] switch
                {
                    (byte)'n' => (byte)'\n',
                    (byte)'t' => (byte)'\t',
                    (byte)'r' => (byte)'\r',
                    (byte)'b' => (byte)'\b',
                    (byte)'f' => (byte)'\f',
                    var other => other,
                };
                at += 2;
                continue;
            }
            var unit = Unit(value, at);
            at += 6;
            var scalar = (int)unit;
            if (char.IsHighSurrogate(unit))
            {
                scalar = char.ConvertToUtf32(unit, Unit(value, at));
                at += 6;
            }
            written += new System.Text.Rune(scalar).EncodeToUtf8(to[written..]);
        }
        return written;
    }

    static char Unit(ReadOnlySpan<byte> value, int at) =>
        Utf8Parser.TryParse(value.Slice(at + 2, 4), out int unit, out _, 'x') ? (char)unit : '\uFFFD';
}

/// <summary>Fields of comma-separated text whose quotes are doubled inside quotes.</summary>
static class CsvText
{
    /// <summary>Copies the field at <paramref name="at"/> without its quotes; <paramref name="at"/> moves to the comma behind it or the end.</summary>
    /// <returns>False when its quote does not end, or something follows the quote.</returns>
    public static bool TryField(ReadOnlySpan<byte> line, ref int at, ArrayBufferWriter<byte> text, out Range field)
    {
        var start = text.WrittenCount;
        if (at < line.Length && line[at] == '"')
        {
            at++;
            while (true)
            {
                var quote = line[at..].IndexOf((byte)'"');
                if (quote < 0)
                {
                    field = default;
                    return false;
                }
                text.Write(line.Slice(at, quote));
                at += quote + 1;
                if (at >= line.Length || line[at] != '"') break;
                text.Write("\""u8);
                at++;
            }
            field = start..text.WrittenCount;
            return at >= line.Length || line[at] == ',';
        }
        var comma = line[at..].IndexOf((byte)',');
        var end = comma < 0 ? line.Length : at + comma;
        text.Write(line[at..end]);
        at = end;
        field = start..text.WrittenCount;
        return true;
    }
}
