using System.Globalization;
using DuckDB.NET.Data;
using Logwarden.Events;
using Logwarden.Hot;

namespace Logwarden.Query;

/// <summary>
/// One page. Row groups are read in the order of their latest event, few at first and then more at a time, until no row group that is left
/// can have an event newer than the last of the page.
/// </summary>
sealed class Search(QueryRun run, SearchRequest request)
{
    const int FirstUnits = 2;
    const int UnitsMax = 32;
    readonly List<Key> _keys = [];

    readonly record struct Key(long TimeMicros, long Offset, string Class, long? Leaf);

    /// <summary>What is taken together: row groups when the JSON is looked at, and otherwise whole segments.</summary>
    readonly record struct Unit(SearchPlan.Candidate[] RowGroups, long MaxTimeMicros);

    /// <summary>Finds it.</summary>
    public SearchPage Run()
    {
        var plan = SearchPlan.Of(request.Scope, run.Snapshot);
        SearchCursor? cursor = request.Cursor is { } text ? SearchCursor.Parse(text, request.Scope) : null;
        var units = Units(plan, cursor);
        var tail = (string?)run.Snapshot.Tail;
        var wanted = request.Limit + 1;
        var done = 0;
        for (var size = FirstUnits; tail is not null || done < units.Length; size = Math.Min(size * 2, UnitsMax))
        {
            var full = _keys.Count == wanted;
            if (full && (done == units.Length || units[done].MaxTimeMicros < _keys[^1].TimeMicros)) break;
            var batch = units.AsSpan(done, Math.Min(size, units.Length - done)).ToArray().SelectMany(unit => unit.RowGroups).ToArray();
            done = Math.Min(done + size, units.Length);
            Take(plan, batch, tail, cursor, wanted, full ? _keys[^1].TimeMicros : null);
            tail = null;
        }
        var more = _keys.Count == wanted;
        if (more) _keys.RemoveAt(_keys.Count - 1);
        var next = more ? new SearchCursor(_keys[^1].TimeMicros, _keys[^1].Offset).ToText(request.Scope) : null;
        return new(Fetch(), next, Scanned(units.AsSpan(0, done)), run.Elapsed);
    }

    static Unit[] Units(SearchPlan plan, SearchCursor? cursor)
    {
        var left = plan.Candidates.Where(unit => cursor is null || unit.Group.MinTimeMicros <= cursor.Value.TimeMicros);
        var units = plan.ReadsJson
            ? left.Select(group => new Unit([group], group.Group.MaxTimeMicros))
            : left.GroupBy(group => group.Segment).Select(segment => new Unit([.. segment], segment.Max(group => group.Group.MaxTimeMicros)));
        return [.. units.OrderByDescending(unit => unit.MaxTimeMicros)];
    }

    void Take(SearchPlan plan, SearchPlan.Candidate[] batch, string? tail, SearchCursor? cursor, int wanted, long? floor)
    {
        var slices = plan.Texts.Count == 0 ? plan.Slices(batch) : Scan(plan, batch);
        if (slices.Count == 0 && tail is null) return;
        var bounds = "";
        if (cursor is { } c)
        {
            bounds = string.Create(CultureInfo.InvariantCulture, $"""
                time <= make_timestamptz({c.TimeMicros}::BIGINT) AND (time < make_timestamptz({c.TimeMicros}::BIGINT) OR "offset" < {c.Offset}) AND 
                """);
        }
        if (floor is { } f) bounds += string.Create(CultureInfo.InvariantCulture, $"time >= make_timestamptz({f}::BIGINT) AND ");
        // Only what orders and finds the rows: the JSON of those that are on the page is fetched at the end.
        var sql = string.Create(CultureInfo.InvariantCulture, $"""
            SELECT epoch_us(time), "offset", "class", leaf FROM ({EventsSql.Rows(slices, tail, quarantined: true)})
            WHERE {bounds}{plan.Condition} ORDER BY time DESC, "offset" DESC LIMIT {wanted}
            """);
        var before = _keys.Count;
        run.Read(sql, plan.Parameters, null, row =>
        {
            _keys.Add(new(row.GetInt64(0), row.GetInt64(1), row.GetString(2), row.IsDBNull(3) ? null : row.GetInt64(3)));
            return true;
        });
        if (_keys.Count == before) return;
        _keys.Sort(static (a, b) => Newer((a.TimeMicros, a.Offset), (b.TimeMicros, b.Offset)));
        if (_keys.Count > wanted) _keys.RemoveRange(wanted, _keys.Count - wanted);
    }

    static int Newer((long Time, long Offset) a, (long Time, long Offset) b) => b.CompareTo(a);

    List<EventRow> Fetch()
    {
        var rows = Tail(_keys.Where(key => key.Leaf is null).Select(key => key.Offset).ToList());
        var parts = new List<(HotSegment Segment, int Group, List<long> Leaves)>();
        foreach (var segment in run.Snapshot.Segments)
        {
            var leaves = _keys.Where(key => key.Leaf >= segment.FirstLeaf && key.Leaf <= segment.LastLeaf && string.Equals(key.Class, segment.Class, StringComparison.Ordinal))
                .Select(key => key.Leaf!.Value);
            parts.AddRange(leaves.Order().GroupBy(segment.RowGroupOf).Select(group => (segment, group.Key, group.ToList())));
        }
        var found = new EventRow[parts.Count][];
        run.Parallel(parts.Count, i => found[i] = RowFetch.Read(parts[i].Segment, parts[i].Group, parts[i].Leaves));
        foreach (var some in found) rows.AddRange(some);
        rows.Sort(static (a, b) => Newer((a.TimeMicros, a.Offset), (b.TimeMicros, b.Offset)));
        return rows;
    }

    List<EventRow> Tail(List<long> offsets)
    {
        var rows = new List<EventRow>();
        if (offsets.Count == 0) return rows;
        var sql = $"""
            SELECT leaf, "offset", epoch_us(time), epoch_us(ingested), event_id, "class", source, format, kinds, missing, "user", ip, action, "object",
                redactions, event
            FROM ({EventsSql.Rows([], run.Snapshot.Tail, quarantined: true)}) WHERE "offset" IN ({string.Join(", ", offsets.Select(offset => offset.ToString(CultureInfo.InvariantCulture)))})
            """;
        run.Read(sql, [], null, row =>
        {
            rows.Add(Row(row));
            return true;
        });
        return rows;
    }

    // Rows that can have the texts are few, as a rule: only these are given to SQL.
    List<SegmentSlice> Scan(SearchPlan plan, SearchPlan.Candidate[] batch)
    {
        var found = new List<long>[batch.Length];
        run.Parallel(batch.Length, i => found[i] = TextScan.Leaves(batch[i].Segment, batch[i].Index, plan.Texts));
        var slices = new List<SegmentSlice>();
        foreach (var (unit, leaves) in batch.Zip(found))
        {
            if (leaves.Count > unit.Group.Rows / 8) slices.Add(new(unit.Segment, [(unit.Group.FirstLeaf, unit.Group.LastLeaf)]));
            else if (leaves.Count > 0) slices.Add(new(unit.Segment, [.. leaves.Select(leaf => (leaf, leaf))]));
        }
        return slices;
    }

    ScanStatistics Scanned(ReadOnlySpan<Unit> read)
    {
        var segments = new HashSet<string>(StringComparer.Ordinal);
        var groups = 0;
        foreach (var unit in read)
        {
            segments.Add(unit.RowGroups[0].Segment.Path);
            groups += unit.RowGroups.Length;
        }
        var all = run.Snapshot.Segments;
        return new(all.Length, segments.Count, all.Sum(segment => segment.RowGroups.Length), groups, run.Snapshot.TailRows);
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
