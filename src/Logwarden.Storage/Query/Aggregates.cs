using System.Globalization;
using Logwarden.Events;

namespace Logwarden.Query;

/// <summary>Counts. Row groups of which all rows are meant, and in the same stretch of time, are counted by their footers and not read.</summary>
static class Aggregates
{
    // Bars have instants at their ends: year 1 to 9999, less some years for the last bar's end.
    const long CalendarMin = -62_135_596_800_000_000;
    const long CalendarEnd = 253_000_000_000_000_000;

    public static long Count(QueryRun run, EventScope scope)
    {
        var plan = SearchPlan.Of(scope, run.Snapshot);
        var count = 0L;
        foreach (var unit in plan.IsByTimeOnly ? plan.Candidates : [])
        {
            var isWhole = unit.Group.MinTimeMicros >= plan.MinMicros && unit.Group.MaxTimeMicros < plan.EndMicros;
            count += isWhole ? unit.Group.Rows : Times(run, unit).Count(time => time >= plan.MinMicros && time < plan.EndMicros);
        }
        run.Read($"SELECT count(*) {From(run, plan, plan.IsByTimeOnly ? [] : plan.Candidates)}", plan.Parameters, null, row =>
        {
            count += row.GetInt64(0);
            return true;
        });
        return count;
    }

    public static Histogram Bars(QueryRun run, EventScope scope, int buckets)
    {
        var plan = SearchPlan.Of(scope, run.Snapshot);
        if (Span(run, scope, plan) is not var (first, end)) return new([], run.Elapsed);
        (first, end) = (Math.Max(first, CalendarMin), Math.Min(end, CalendarEnd));
        if (end <= first) throw new QueryRefusedException("The end of the histogram is not after its start.");
        var width = (end - first - 1) / buckets + 1;
        var counts = new long[buckets];
        foreach (var unit in plan.IsByTimeOnly ? plan.Candidates : [])
        {
            var (min, max) = (unit.Group.MinTimeMicros, unit.Group.MaxTimeMicros);
            if (min >= first && max < end && (min - first) / width == (max - first) / width)
            {
                counts[(min - first) / width] += unit.Group.Rows;
                continue;
            }
            foreach (var time in Times(run, unit))
                if (time >= first && time < end) counts[(time - first) / width]++;
        }
        var sql = string.Create(CultureInfo.InvariantCulture, $"SELECT (epoch_us(time) - {first}) // {width} AS bucket, count(*) {From(run, plan, plan.IsByTimeOnly ? [] : plan.Candidates)} GROUP BY bucket");
        run.Read(sql, plan.Parameters, null, row =>
        {
            // Times that no calendar has are in no bar.
            if (row.GetInt64(0) is >= 0 and var bucket && bucket < buckets) counts[bucket] += row.GetInt64(1);
            return true;
        });
        var bars = new HistogramBucket[buckets];
        for (var i = 0; i < buckets; i++) bars[i] = new(UnixMicros.ToInstant(first + i * width), UnixMicros.ToInstant(first + (i + 1) * width), counts[i]);
        return new(bars, run.Elapsed);
    }

    public static TopValues Top(QueryRun run, EventScope scope, string field, int count)
    {
        var plan = SearchPlan.Of(scope, run.Snapshot);
        var parameters = new List<object>();
        var value = FieldSql.Value(field, parameters);
        parameters.AddRange(plan.Parameters);
        var values = new List<TopValue>();
        var sql = string.Create(CultureInfo.InvariantCulture, $"""
            SELECT value::VARCHAR, n FROM (SELECT ({value}) AS value, count(*) AS n {From(run, plan, plan.Candidates)} GROUP BY ALL)
            ORDER BY n DESC, value::VARCHAR LIMIT {count}
            """);
        run.Read(sql, parameters, null, row =>
        {
            values.Add(new(row.IsDBNull(0) ? null : row.GetString(0), row.GetInt64(1)));
            return true;
        });
        return new(field, values, run.Elapsed);
    }

    /// <summary>What the bars are to span: the bounds asked for, and where there is none the earliest and latest event.</summary>
    static (long First, long End)? Span(QueryRun run, EventScope scope, SearchPlan plan)
    {
        var (first, end) = (plan.MinMicros, plan.EndMicros);
        if (scope.From is not null && scope.To is not null) return (first, end);
        var (min, max) = (long.MaxValue, long.MinValue);
        foreach (var unit in plan.IsByTimeOnly ? plan.Candidates : [])
        {
            if (unit.Group.MinTimeMicros >= first && unit.Group.MaxTimeMicros < end)
            {
                (min, max) = (Math.Min(min, unit.Group.MinTimeMicros), Math.Max(max, unit.Group.MaxTimeMicros));
                continue;
            }
            foreach (var time in Times(run, unit))
                if (time >= first && time < end) (min, max) = (Math.Min(min, time), Math.Max(max, time));
        }
        run.Read($"SELECT epoch_us(min(time)), epoch_us(max(time)) {From(run, plan, plan.IsByTimeOnly ? [] : plan.Candidates)}", plan.Parameters, null, row =>
        {
            if (!row.IsDBNull(0)) (min, max) = (Math.Min(min, row.GetInt64(0)), Math.Max(max, row.GetInt64(1)));
            return true;
        });
        if (min > max) return null;
        return (scope.From is null ? min : first, scope.To is null ? Math.Min(max, CalendarEnd) + 1 : end);
    }

    static long[] Times(QueryRun run, SearchPlan.Candidate unit)
    {
        run.Check();
        return unit.Segment.ReadTimes(unit.Index);
    }

    static string From(QueryRun run, SearchPlan plan, IEnumerable<SearchPlan.Candidate> units) =>
        $"FROM ({EventsSql.Rows(plan.Slices(units), run.Snapshot.Tail, quarantined: true)}) WHERE {plan.Condition}";
}
