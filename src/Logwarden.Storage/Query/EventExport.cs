using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Logwarden.Events;

namespace Logwarden.Query;

/// <summary>How an answer is printed.</summary>
public enum ExportFormat
{
    /// <summary>Aligned columns, cut to the width of the terminal. For people.</summary>
    Table,

    /// <summary>One JSON object a line.</summary>
    Json,

    /// <summary>RFC 4180 with a header line. The lines end with CR LF.</summary>
    Csv,
}

/// <summary>
/// Prints answers as UTF-8, row by row. What each format has is described in <c>docs/query.md</c>. Control characters of events never reach a
/// terminal: tables show them as <c>·</c>. Not thread-safe.
/// </summary>
/// <param name="output">Where to. Not closed.</param>
/// <param name="format">Format.</param>
/// <param name="width">Columns of the terminal, for tables; at least 40 are used.</param>
public sealed class EventExport(Stream output, ExportFormat format, int width)
{
    static readonly string[] CsvColumns =
    [
        "time", "ingested", "class", "source", "format", "event_id", "offset", "leaf", "kinds", "missing", "user", "ip", "action", "object", "redactions", "event",
    ];

    static readonly (string Name, int Share, Func<EventRow, string> Text)[] TableColumns =
    [
        ("TIME", 0, row => EventJson.Micros(row.TimeMicros) is { Length: 27 } time ? $"{time.AsSpan(0, 10)} {time.AsSpan(11, 12)}" : EventJson.Micros(row.TimeMicros)),
        ("CLASS", 14, row => row.Class),
        ("SOURCE", 12, row => row.Source),
        ("USER", 20, row => row.User ?? "-"),
        ("IP", 15, row => row.Ip ?? "-"),
        ("ACTION", 26, row => row.Action ?? "-"),
        ("OBJECT", 30, row => row.Object ?? "-"),
    ];

    static readonly JsonWriterOptions JsonOptions = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };
    readonly ArrayBufferWriter<byte> _line = new(8 * 1024);
    bool _begun;

    /// <summary>Prints events. May be called for one page after the other.</summary>
    public async Task WriteAsync(IEnumerable<EventRow> rows, CancellationToken cancel)
    {
        Begin();
        foreach (var row in rows)
        {
            cancel.ThrowIfCancellationRequested();
            if (format == ExportFormat.Json) Json(row);
            else if (format == ExportFormat.Csv) Csv(row);
            else Line(TableColumns.Select(column => column.Text(row)));
            if (_line.WrittenCount > 60_000) await Flush(cancel);
        }
        await Flush(cancel);
    }

    /// <summary>Prints the answer to SQL. JSON: one object a row with the columns as keys.</summary>
    public async Task WriteAsync(SqlAnswer answer, CancellationToken cancel)
    {
        if (format == ExportFormat.Table)
        {
            Table(answer.Columns, [.. answer.Rows.Select(row => row.Select(value => SqlText(value) ?? "-").ToArray())]);
            await Flush(cancel);
            return;
        }
        if (format == ExportFormat.Csv) CsvLine(answer.Columns);
        foreach (var row in answer.Rows)
        {
            cancel.ThrowIfCancellationRequested();
            if (format == ExportFormat.Csv) CsvLine(row.Select(SqlText));
            else SqlJson(answer.Columns, row);
            if (_line.WrittenCount > 60_000) await Flush(cancel);
        }
        await Flush(cancel);
    }

    /// <summary>Prints a histogram; as a table it is a bar chart.</summary>
    public async Task WriteAsync(Histogram histogram, CancellationToken cancel)
    {
        var most = histogram.Buckets.Count == 0 ? 0 : histogram.Buckets.Max(bucket => bucket.Count);
        var digits = most.ToString("N0", CultureInfo.InvariantCulture).Length;
        if (format == ExportFormat.Csv) CsvLine(["from", "to", "count"]);
        foreach (var (from, to, count) in histogram.Buckets)
        {
            if (format == ExportFormat.Csv) CsvLine([Instant(from), Instant(to), count.ToString(CultureInfo.InvariantCulture)]);
            else if (format == ExportFormat.Json) Put($$"""{"from":"{{Instant(from)}}","to":"{{Instant(to)}}","count":{{count.ToString(CultureInfo.InvariantCulture)}}}""" + "\n");
            else Put($"{from.ToString("yyyy-MM-dd HH:mm:ss", CultureInfo.InvariantCulture)}  {count.ToString("N0", CultureInfo.InvariantCulture).PadLeft(digits)}  {Bar(count, most, Math.Max(40, width) - 23 - digits)}\n");
        }
        await Flush(cancel);
    }

    /// <summary>Prints the most frequent values of a field.</summary>
    public async Task WriteAsync(TopValues top, CancellationToken cancel)
    {
        var most = top.Values.Count == 0 ? 0 : top.Values[0].Count;
        var digits = most.ToString("N0", CultureInfo.InvariantCulture).Length;
        var names = Math.Min(Math.Max(40, width) / 2, top.Values.Select(value => (value.Value ?? "-").Length).Append(1).Max());
        if (format == ExportFormat.Csv) CsvLine([top.Field, "count"]);
        foreach (var (value, count) in top.Values)
        {
            if (format == ExportFormat.Csv) CsvLine([value, count.ToString(CultureInfo.InvariantCulture)]);
            else if (format == ExportFormat.Json) SqlJson([top.Field, "count"], [value, count]);
            else Put($"{Cell(value ?? "-", names)}  {count.ToString("N0", CultureInfo.InvariantCulture).PadLeft(digits)}  {Bar(count, most, Math.Max(40, width) - names - digits - 4)}\n");
        }
        await Flush(cancel);
    }

    void Begin()
    {
        if (_begun) return;
        _begun = true;
        if (format == ExportFormat.Csv) CsvLine(CsvColumns);
        if (format == ExportFormat.Table) Line(TableColumns.Select(column => column.Name));
    }

    void Json(EventRow row) => EventJson.Write(_line, new StoredEvent
    {
        Offset = row.Offset,
        TimeMicros = row.TimeMicros,
        IngestedMicros = row.IngestedMicros,
        Kinds = row.Kinds,
        Missing = row.Missing,
        Id = Utf8(row.EventId),
        Class = Utf8(row.Class),
        Source = Utf8(row.Source),
        Format = Utf8(row.Format),
        User = Optional(row.User),
        Ip = Optional(row.Ip),
        Action = Optional(row.Action),
        Object = Optional(row.Object),
        Redactions = Utf8(row.Redactions),
        Json = Utf8(row.Event),
    });

    static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    static OptionalText Optional(string? text) => text is null ? default : new(Utf8(text));

    void Csv(EventRow row) => CsvLine(
    [
        EventJson.Micros(row.TimeMicros), EventJson.Micros(row.IngestedMicros), row.Class, row.Source, row.Format, row.EventId, row.Offset.ToString(CultureInfo.InvariantCulture),
        row.Leaf?.ToString(CultureInfo.InvariantCulture), string.Join(' ', KindNames(row.Kinds)), string.Join(' ', MissingNames(row.Missing)),
        row.User, row.Ip, row.Action, row.Object, row.Redactions, row.Event,
    ]);

    // An absent value is nothing, an empty one is "".
    void CsvLine(IEnumerable<string?> values)
    {
        var isFirst = true;
        foreach (var value in values)
        {
            if (!isFirst) Put(",");
            isFirst = false;
            if (value is null) continue;
            var quoted = value.Length == 0 || value.AsSpan().IndexOfAny("\",\r\n") >= 0 || value[0] == ' ' || value[^1] == ' ';
            Put(quoted ? $"\"{value.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : value);
        }
        Put("\r\n");
    }

    void Line(IEnumerable<string> values)
    {
        const int TimeWidth = 23;
        var room = Math.Max(40, width) - TimeWidth - TableColumns.Length;
        var shares = TableColumns.Sum(column => column.Share);
        var text = new StringBuilder();
        foreach (var (value, column) in values.Zip(TableColumns))
        {
            var cell = column.Share == 0 ? TimeWidth : Math.Max(2, room * column.Share / shares);
            text.Append(Cell(value, cell)).Append(' ');
        }
        Put(text.ToString().TrimEnd() + "\n");
    }

    void Table(IReadOnlyList<string> columns, IReadOnlyList<string[]> rows)
    {
        var widths = columns.Select((name, i) => Math.Max(name.Length, rows.Select(row => Math.Min(row[i].Length, 200)).DefaultIfEmpty().Max())).ToArray();
        // Too wide: the widest column gives, until it fits or none is wider than 8.
        while (widths.Sum() + 2 * widths.Length > Math.Max(40, width) && widths.Max() > 8) widths[Array.IndexOf(widths, widths.Max())]--;
        Put(string.Join("  ", columns.Select((name, i) => Cell(name, widths[i]))).TrimEnd() + "\n");
        foreach (var row in rows) Put(string.Join("  ", row.Select((value, i) => Cell(value, widths[i]))).TrimEnd() + "\n");
    }

    static string Cell(string value, int size)
    {
        var cell = new StringBuilder(size);
        foreach (var rune in value.EnumerateRunes())
        {
            if (cell.Length + rune.Utf16SequenceLength > size)
            {
                while (cell.Length >= size) cell.Length--;
                if (cell.Length > 0 && char.IsHighSurrogate(cell[^1])) cell.Length--;
                cell.Append('…');
                break;
            }
            if (Rune.GetUnicodeCategory(rune) is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator)
                cell.Append('·');
            else cell.Append(rune.ToString());
        }
        return cell.ToString().PadRight(size);
    }

    static string Bar(long count, long most, int size)
    {
        const string Eighths = " ▏▎▍▌▋▊▉█";
        if (most == 0 || count == 0) return "";
        var eighths = (int)Math.Max(1, (double)count / most * size * 8);
        return new string('█', eighths / 8) + (eighths % 8 == 0 ? "" : Eighths[eighths % 8]);
    }

    void SqlJson(IReadOnlyList<string> columns, object?[] row)
    {
        using (var writer = new Utf8JsonWriter(_line, JsonOptions))
        {
            writer.WriteStartObject();
            for (var i = 0; i < columns.Count; i++)
            {
                writer.WritePropertyName(columns[i]);
                SqlValue(writer, row[i]);
            }
            writer.WriteEndObject();
        }
        Put("\n");
    }

    static void SqlValue(Utf8JsonWriter writer, object? value)
    {
        switch (value)
        {
            case null:
                writer.WriteNullValue();
                break;
            case bool flag:
                writer.WriteBooleanValue(flag);
                break;
            case double real when !double.IsFinite(real):
                writer.WriteStringValue(real.ToString(CultureInfo.InvariantCulture));
                break;
            case sbyte or byte or short or ushort or int or uint or long or ulong or float or double or decimal or System.Numerics.BigInteger:
                writer.WriteRawValue(SqlText(value)!, skipInputValidation: true);
                break;
            case System.Collections.IDictionary map:
                writer.WriteStartObject();
                foreach (System.Collections.DictionaryEntry entry in map)
                {
                    writer.WritePropertyName(SqlText(entry.Key) ?? "");
                    SqlValue(writer, entry.Value);
                }
                writer.WriteEndObject();
                break;
            case System.Collections.IEnumerable list and not string:
                writer.WriteStartArray();
                foreach (var item in list) SqlValue(writer, item);
                writer.WriteEndArray();
                break;
            default:
                writer.WriteStringValue(SqlText(value));
                break;
        }
    }

    static string? SqlText(object? value)
    {
        switch (value)
        {
            case null:
                return null;
            case string text:
                return text;
            case bool flag:
                return flag ? "true" : "false";
            case DateTimeOffset instant:
                return Instant(instant);
            case DateTime time:
                return Instant(new(DateTime.SpecifyKind(time, DateTimeKind.Utc)));
            case DateOnly date:
                return date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
            case IFormattable number:
                return number.ToString(null, CultureInfo.InvariantCulture);
            default:
                using (var buffer = new MemoryStream())
                {
                    using (var writer = new Utf8JsonWriter(buffer, JsonOptions)) SqlValue(writer, value is System.Collections.IEnumerable ? value : value.ToString());
                    return Encoding.UTF8.GetString(buffer.GetBuffer().AsSpan(0, (int)buffer.Length));
                }
        }
    }

    static IEnumerable<string> KindNames(LogKinds kinds) => EventJson.KindNames.Where((_, bit) => ((int)kinds >> bit & 1) != 0);

    static IEnumerable<string> MissingNames(MissingFields missing) => EventJson.MissingNames.Where((_, bit) => ((int)missing >> bit & 1) != 0);

    static string Instant(DateTimeOffset instant) => instant.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    void Put(ReadOnlySpan<char> text)
    {
        var size = Encoding.UTF8.GetBytes(text, _line.GetSpan(Encoding.UTF8.GetMaxByteCount(text.Length)));
        _line.Advance(size);
    }

    async Task Flush(CancellationToken cancel)
    {
        await output.WriteAsync(_line.WrittenMemory, cancel);
        _line.ResetWrittenCount();
    }
}
