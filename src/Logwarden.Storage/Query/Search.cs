using System.Globalization;
using DuckDB.NET.Data;
using Logwarden.Events;

namespace Logwarden.Query;

/// <summary>
/// One page. Row groups are read in the order of their latest event, few at first and then more at a time, until no row group that is left
/// can have an event newer than the last of the page.
/// </summary>
sealed class Search(QueryRun run, SearchRequest request)
{
    const int FirstRowGroups = 2;
    const int RowGroupsMax = 32;
    readonly List<EventRow> _rows = [];

    /// <summary>Finds it.</summary>
    public SearchPage Run()
    {
        var plan = SearchPlan.Of(request.Scope, run.Snapshot);
        SearchCursor? cursor = request.Cursor is { } text ? SearchCursor.Parse(text, request.Scope) : null;
        var units = plan.Candidates.Where(unit => cursor is null || unit.Group.MinTimeMicros <= cursor.Value.TimeMicros)
            .OrderByDescending(unit => unit.Group.MaxTimeMicros).ToArray();
        var tail = (string?)run.Snapshot.Tail;
        var wanted = request.Limit + 1;
        var done = 0;
        for (var size = FirstRowGroups; tail is not null || done < units.Length; size = Math.Min(size * 2, RowGroupsMax))
        {
            var full = _rows.Count == wanted;
            if (full && (done == units.Length || units[done].Group.MaxTimeMicros < _rows[^1].TimeMicros)) break;
            var batch = units.AsSpan(done, Math.Min(size, units.Length - done)).ToArray();
            done += batch.Length;
            Take(plan, batch, tail, cursor, wanted, full ? _rows[^1].TimeMicros : null);
            tail = null;
        }
        var more = _rows.Count == wanted;
        if (more) _rows.RemoveAt(_rows.Count - 1);
        var next = more ? new SearchCursor(_rows[^1].TimeMicros, _rows[^1].Offset).ToText(request.Scope) : null;
        return new(_rows, next, Scanned(units.AsSpan(0, done)), run.Elapsed);
    }

    void Take(SearchPlan plan, SearchPlan.Candidate[] batch, string? tail, SearchCursor? cursor, int wanted, long? floor)
    {
        var bounds = "";
        if (cursor is { } c)
        {
            bounds = string.Create(CultureInfo.InvariantCulture, $"""
                time <= make_timestamptz({c.TimeMicros}::BIGINT) AND (time < make_timestamptz({c.TimeMicros}::BIGINT) OR "offset" < {c.Offset}) AND 
                """);
        }
        if (floor is { } f) bounds += string.Create(CultureInfo.InvariantCulture, $"time >= make_timestamptz({f}::BIGINT) AND ");
        var sql = string.Create(CultureInfo.InvariantCulture, $"""
            SELECT leaf, "offset", epoch_us(time), epoch_us(ingested), event_id, "class", source, format, kinds, missing, "user", ip, action, "object",
                redactions, event
            FROM ({EventsSql.Rows(SearchPlan.Slices(batch), tail, quarantined: true)}) WHERE {bounds}{plan.Condition} ORDER BY time DESC, "offset" DESC LIMIT {wanted}
            """);
        var fresh = new List<EventRow>();
        run.Read(sql, plan.Parameters, null, row =>
        {
            fresh.Add(Row(row));
            return true;
        });
        if (fresh.Count == 0) return;
        _rows.AddRange(fresh);
        _rows.Sort(static (a, b) => a.TimeMicros != b.TimeMicros ? b.TimeMicros.CompareTo(a.TimeMicros) : b.Offset.CompareTo(a.Offset));
        if (_rows.Count > wanted) _rows.RemoveRange(wanted, _rows.Count - wanted);
    }

    ScanStatistics Scanned(ReadOnlySpan<SearchPlan.Candidate> read)
    {
        var segments = new HashSet<string>(StringComparer.Ordinal);
        foreach (var unit in read) segments.Add(unit.Segment.Path);
        var all = run.Snapshot.Segments;
        return new(all.Length, segments.Count, all.Sum(segment => segment.RowGroups.Length), read.Length, run.Snapshot.TailRows);
    }

    static EventRow Row(DuckDBDataReader row) => new()
    {
        Leaf = row.IsDBNull(0) ? null : row.GetInt64(0),
        Offset = row.GetInt64(1),
        TimeMicros = row.GetInt64(2),
        IngestedMicros = row.GetInt64(3),
        EventId = row.GetString(4),
        Class = row.GetString(5),
        Source = row.GetString(6),
        Format = row.GetString(7),
        Kinds = (LogKinds)row.GetInt32(8),
        Missing = (MissingFields)row.GetInt32(9),
        User = Text(row, 10),
        Ip = Text(row, 11),
        Action = Text(row, 12),
        Object = Text(row, 13),
        Redactions = row.GetString(14),
        Event = row.GetString(15),
    };

    static string? Text(DuckDBDataReader row, int column) => row.IsDBNull(column) ? null : row.GetString(column);
}
