using System.Text.Json;
using Logwarden.Redaction;

namespace Logwarden.Formats;

/// <summary>
/// Where the data of users stands in a record of a PostgreSQL log, in any of its three forms, by offset in the record as it is
/// written: for filters that leave everything else alone. Holds buffers; not for two threads at once.
/// </summary>
public sealed class PostgresData
{
    readonly List<Range> _ranges = [];
    byte[] _plain = [];
    int[] _origin = [];

    /// <summary>Length of the record that begins <paramref name="text"/>, its line break and continuation lines included.</summary>
    public static int RecordLength(ReadOnlySpan<byte> text) =>
        new PostgresFraming().TryCut(text, isAtEnd: true, out var length, out _) ? length : text.Length;

    /// <summary>Finds the data in <paramref name="record"/>.</summary>
    /// <param name="record">One record: a JSON document when <paramref name="isJson"/>, else a line of csvlog, a line with any prefix, or a bare message.</param>
    /// <param name="isJson">Whether it is a JSON document, known to be valid.</param>
    /// <param name="statements">What becomes of statements.</param>
    /// <returns>The ranges, in order and apart; valid until the next call.</returns>
    public List<Range> Find(ReadOnlySpan<byte> record, bool isJson, PostgresStatements statements)
    {
        _ranges.Clear();
        if (isJson)
        {
            FindInJson(record, statements);
        }
        else if (PostgresFraming.IsCsv(record))
        {
            FindInCsv(record, statements);
        }
        else
        {
            var line = record.IndexOf((byte)'\n') is >= 0 and var end ? record[..end] : record;
            if (!PostgresLine.TryFindSeverity(line, out var word, out var length, out var message)) (word, length, message) = (0, 0, 0);
            var severity = record.Slice(word, length);
            Add(record[message..], message, severity.SequenceEqual("STATEMENT"u8) || severity.SequenceEqual("QUERY"u8), statements);
        }
        return _ranges;
    }

    void FindInJson(ReadOnlySpan<byte> record, PostgresStatements statements)
    {
        var reader = new Utf8JsonReader(record, new JsonReaderOptions { MaxDepth = 128 });
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.PropertyName || reader.CurrentDepth != 1) continue;
            var isStatement = reader.ValueTextEquals("statement"u8) || reader.ValueTextEquals("internal_query"u8);
            var isMessage = reader.ValueTextEquals("message"u8) || reader.ValueTextEquals("detail"u8) || reader.ValueTextEquals("hint"u8) || reader.ValueTextEquals("context"u8);
            reader.Read();
            if (!(isStatement || isMessage) || reader.TokenType != JsonTokenType.String) continue;
            var start = (int)reader.TokenStartIndex + 1;
            if (!reader.ValueIsEscaped)
            {
                Add(reader.ValueSpan, start, isStatement, statements);
                continue;
            }
            Reserve(reader.ValueSpan.Length);
            var written = 0;
            for (var at = 0; at < reader.ValueSpan.Length;) at = Unescape(reader.ValueSpan, at, ref written);
            AddMapped(written, start, start + reader.ValueSpan.Length, isStatement, statements);
        }
    }

    // One character or escape. Of characters beyond ASCII only that they are such matters here.
    int Unescape(ReadOnlySpan<byte> value, int at, ref int written)
    {
        _origin[written] = at;
        var next = value[at] != '\\' ? at + 1 : value[at + 1] == 'u' ? at + 6 : at + 2;
        _plain[written++] = value[at] != '\\' ? value[at] : value[at + 1] switch
        {
            (byte)'n' => (byte)'\n',
            (byte)'t' => (byte)'\t',
            (byte)'r' => (byte)'\r',
            (byte)'b' or (byte)'f' => (byte)' ',
            (byte)'u' => System.Buffers.Text.Utf8Parser.TryParse(value.Slice(at + 2, 4), out int unit, out _, 'x') && unit < 128 ? (byte)unit : (byte)0xFF,
            var other => other,
        };
        return next;
    }

    void FindInCsv(ReadOnlySpan<byte> record, PostgresStatements statements)
    {
        var at = 0;
        for (var column = 0; at < record.Length; column++)
        {
            var isQuoted = record[at] == '"';
            var start = isQuoted ? at + 1 : at;
            var written = 0;
            Reserve(record.Length - start);
            for (at = start; at < record.Length && (isQuoted ? record[at] != '"' || (at + 1 < record.Length && record[at + 1] == '"') : record[at] != ','); at++)
            {
                _origin[written] = at - start;
                _plain[written++] = record[at];
                if (isQuoted && record[at] == '"') at++;
            }
            var isStatement = (PgColumn)column is PgColumn.Statement or PgColumn.InternalQuery;
            if (isStatement || (PgColumn)column is PgColumn.Message or PgColumn.Detail or PgColumn.Hint or PgColumn.Context)
                AddMapped(written, start, at, isStatement, statements);
            if (isQuoted && at < record.Length) at++;
            if (at < record.Length && record[at] != ',') return;
            at++;
        }
    }

    void Reserve(int length)
    {
        if (_plain.Length > length) return;
        _plain = new byte[(2 * length) + 1];
        _origin = new int[(2 * length) + 1];
    }

    void AddMapped(int length, int start, int end, bool isStatement, PostgresStatements statements)
    {
        _origin[length] = end - start;
        var first = _ranges.Count;
        Add(_plain.AsSpan(0, length), 0, isStatement, statements);
        for (var i = first; i < _ranges.Count; i++)
            _ranges[i] = (start + _origin[_ranges[i].Start.Value])..(start + _origin[_ranges[i].End.Value]);
    }

    void Add(ReadOnlySpan<byte> text, int offset, bool isStatement, PostgresStatements statements)
    {
        var first = _ranges.Count;
        if (isStatement) PostgresText.FindInStatement(text, statements, _ranges);
        else PostgresText.Find(text, statements, _ranges);
        if (offset == 0) return;
        for (var i = first; i < _ranges.Count; i++)
            _ranges[i] = (_ranges[i].Start.Value + offset)..(_ranges[i].End.Value + offset);
    }
}
