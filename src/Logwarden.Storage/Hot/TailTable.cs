using System.Globalization;
using System.Text;
using DuckDB.NET.Data;
using Logwarden.Events;
using Logwarden.Journal;
using Logwarden.Segments;

namespace Logwarden.Hot;

/// <summary>
/// The events that are in the journal and in no segment yet, as a table of the database. Loaded on demand, up to what the journal holds
/// at that moment. When segments appear, the events in them leave by being left out of the table's next generation: a query that has
/// begun keeps the generation it began with. Not thread-safe.
/// </summary>
sealed class TailTable : IDisposable
{
    readonly HotStoreOptions _options;
    readonly TimeProvider _time;
    readonly DuckDBConnection _connection;
    readonly JournalBatch _batch = new(4 << 20);
    JournalView? _journal;
    JournalReader? _reader;
    int _generation;
    long _first;

    public TailTable(HotDatabase database, HotStoreOptions options, TimeProvider time)
    {
        (_options, _time) = (options, time);
        _connection = database.Connect();
        Execute($"CREATE TABLE {Name} ({Columns()})");
    }

    /// <summary>Name of the table in its present generation.</summary>
    public string Name => string.Create(CultureInfo.InvariantCulture, $"tail_{_generation}");

    /// <summary>Events in it.</summary>
    public long Rows { get; private set; }

    /// <summary>Takes in what the journal has that was not taken in before.</summary>
    /// <param name="segments">All segments listed before this call.</param>
    /// <exception cref="JournalReleasedException">
    /// Events were sealed and released since the segments were listed: list them again, then call <see cref="Restart"/>.
    /// </exception>
    public void Load(IReadOnlyCollection<HotSegment> segments)
    {
        if (_reader is null && !OpenJournal()) return;
        var first = _reader!.Position;
        var rows = 0;
        if (_reader.Read(_batch) == 0) return;
        using (var appender = _connection.CreateAppender(Name))
        {
            do
            {
                for (var i = 0; i < _batch.Count; i++)
                    if (Append(appender, _batch[i])) rows++;
            }
            while (_reader.Read(_batch) > 0);
        }
        _first = Rows == 0 ? first : Math.Min(first, _first);
        Rows += rows;
        // What comes late out of the journal may be in segments already.
        Leave(segments, first);
    }

    /// <summary>Takes out the events that are in segments which have come.</summary>
    /// <param name="segments">The new ones.</param>
    public void Leave(IReadOnlyCollection<HotSegment> segments) => Leave(segments, _first);

    void Leave(IReadOnlyCollection<HotSegment> segments, long first)
    {
        if (Rows == 0) return;
        var files = segments.Where(segment => segment.MaxOffset >= first).Select(segment => HotDatabase.Literal(segment.Path)).ToList();
        if (files.Count == 0) return;
        var last = Name;
        _generation++;
        Execute(string.Create(CultureInfo.InvariantCulture, $"""
            CREATE TABLE {Name} AS SELECT * FROM {last} WHERE "offset" NOT IN (SELECT "offset" FROM
                read_parquet([{string.Join(", ", files)}], hive_partitioning = false) WHERE "offset" >= {first});
            DROP TABLE {last};
            """));
        using var command = HotDatabase.Command(_connection, $"SELECT count(*), coalesce(min(\"offset\"), 0) FROM {Name}");
        using var reader = command.ExecuteReader();
        reader.Read();
        (Rows, _first) = (reader.GetInt64(0), reader.GetInt64(1));
    }

    /// <summary>Forgets everything and begins with the oldest event of the journal that may not be sealed.</summary>
    public void Restart()
    {
        _reader?.Dispose();
        _reader = null;
        var last = Name;
        _generation++;
        Execute($"CREATE TABLE {Name} ({Columns()}); DROP TABLE {last}");
        Rows = 0;
    }

    public void Dispose()
    {
        _reader?.Dispose();
        _journal?.Dispose();
        _connection.Dispose();
    }

    bool OpenJournal()
    {
        _journal ??= JournalView.Open(new JournalOptions { Directory = _options.DataDirectory }, _time);
        if (_journal is null) return false;
        var start = _journal.Oldest;
        foreach (var reader in _journal.Ledger.Readers)
            if (string.Equals(reader.Reader, _options.SealerCursor, StringComparison.Ordinal)) start = Math.Max(start, reader.Cursor);
        _reader = _journal.OpenReader(start);
        return true;
    }

    static bool Append(DuckDBAppender appender, ReadOnlySpan<byte> encoded)
    {
        if (!EventEncoding.TryRead(encoded, out var e)) return false;
        appender.CreateRow().AppendValue(e.Offset).AppendValue(e.TimeMicros).AppendValue(e.IngestedMicros)
            .AppendValue(Text(e.Id)).AppendValue(Text(e.Class)).AppendValue(Text(e.Source)).AppendValue(Text(e.Format))
            .AppendValue(e.ClassUid).AppendValue(e.ActivityId).AppendValue((int)e.SeverityId).AppendValue((int)e.StatusId)
            .AppendValue((int)e.Kinds).AppendValue((int)e.Missing)
            .AppendValue(Text(e.User)).AppendValue(Text(e.Ip)).AppendValue(Text(e.Action)).AppendValue(Text(e.Object))
            .AppendValue(Text(e.Redactions)).AppendValue(Text(e.Json)).EndRow();
        return true;
    }

    static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);

    static string? Text(OptionalText text) => text.HasValue ? Encoding.UTF8.GetString(text.Utf8) : null;

    // Times as the journal has them; the queries make instants of them.
    static string Columns() => string.Join(", ", SegmentSchema.Viewed.Where(column => column != SegmentSchema.Leaf)
        .Select(column => $"\"{SegmentSchema.Names[column]}\" "
            + (SegmentSchema.IsText(column) ? "VARCHAR" : SegmentSchema.IsInt64(column) ? "BIGINT" : "INTEGER")));

    void Execute(string sql)
    {
        using var command = HotDatabase.Command(_connection, sql);
        command.ExecuteNonQuery();
    }
}
