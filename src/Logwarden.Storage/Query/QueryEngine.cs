using System.Globalization;
using System.Text;
using DuckDB.NET.Data;
using DuckDB.NET.Native;
using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Match;

namespace Logwarden.Query;

/// <summary>
/// Answers questions about the events of a data directory: those in hot segments and those that the journal holds and that are not sealed yet,
/// up to the moment of asking. Reads only; works beside the process that writes. Thread-safe. Start reading here.
/// </summary>
public sealed class QueryEngine : IDisposable
{
    readonly HotStore _store;
    readonly QueryLimits _limits;
    readonly TimeProvider _time;
    readonly SemaphoreSlim _turns;

    /// <param name="options">Where the events are.</param>
    /// <param name="limits">Bounds of queries.</param>
    /// <param name="time">Clock.</param>
    public QueryEngine(HotStoreOptions options, QueryLimits limits, TimeProvider time)
    {
        (_store, _limits, _time) = (new(options, time), limits, time);
        _turns = new(limits.ConcurrentMax, limits.ConcurrentMax);
    }

    /// <summary>
    /// Finds events, newest first: by time, then by offset. Pages that follow each other by cursor have each event at most once, also while events
    /// are taken in; one that comes in with a time before the cursor's is on a later page.
    /// </summary>
    /// <exception cref="QueryRefusedException">The request has an error, or took too long.</exception>
    public Task<SearchPage> SearchAsync(SearchRequest request, CancellationToken cancel)
    {
        if (request.Limit is < 1 or > SearchRequest.LimitMax)
            throw new QueryRefusedException($"limit is {request.Limit}; it can be 1 to {SearchRequest.LimitMax}.");
        return InTurnAsync(run => new Search(run, request).Run(), cancel);
    }

    /// <summary>Counts events.</summary>
    /// <exception cref="QueryRefusedException">The scope has an error, or took too long.</exception>
    public Task<long> CountAsync(EventScope scope, CancellationToken cancel) => InTurnAsync(
        run =>
        {
            var plan = SearchPlan.Of(scope, run.Snapshot);
            var count = 0L;
            run.Read($"SELECT count(*) FROM ({From(run, plan)}) WHERE {plan.Condition}", plan.Parameters, null, row =>
            {
                count = row.GetInt64(0);
                return true;
            });
            return count;
        },
        cancel);

    /// <summary>Counts events per stretch of time. Without bounds in the scope, it spans the events that match.</summary>
    /// <param name="scope">Which events.</param>
    /// <param name="buckets">Number of equal stretches, 1 to 10,000.</param>
    /// <param name="cancel">Stops it.</param>
    /// <exception cref="QueryRefusedException">The scope has an error, or took too long.</exception>
    public Task<Histogram> HistogramAsync(EventScope scope, int buckets, CancellationToken cancel)
    {
        if (buckets is < 1 or > 10_000) throw new QueryRefusedException($"buckets is {buckets}; it can be 1 to 10000.");
        return InTurnAsync(run => Bars(run, scope, buckets), cancel);
    }

    /// <summary>The most frequent values of a field.</summary>
    /// <param name="scope">Which events.</param>
    /// <param name="field">A column such as <c>user</c>, or a path into the JSON such as <c>actor.user.name</c>.</param>
    /// <param name="count">Number of values, 1 to 10,000.</param>
    /// <param name="cancel">Stops it.</param>
    /// <exception cref="QueryRefusedException">The scope or the field has an error, or took too long.</exception>
    public Task<TopValues> TopAsync(EventScope scope, string field, int count, CancellationToken cancel)
    {
        if (count is < 1 or > 10_000) throw new QueryRefusedException($"The number of values is {count}; it can be 1 to 10000.");
        return InTurnAsync(run => Top(run, scope, field, count), cancel);
    }

    /// <summary>Answers SQL: one SELECT over the view <c>events</c> (<c>docs/query.md</c>), which can reach nothing else.</summary>
    /// <exception cref="QueryRefusedException">It is something else or has an error, or reached a bound.</exception>
    public Task<SqlAnswer> SqlAsync(string sql, CancellationToken cancel) => InTurnAsync(
        run =>
        {
            var select = SqlSandbox.Check(run, sql);
            var everything = run.Snapshot.Segments.Where(segment => segment.Class != SearchPlan.Quarantine).Select(segment => new SegmentSlice(segment, [])).ToList();
            run.Read($"CREATE OR REPLACE TEMP VIEW events AS {EventsSql.Rows(everything, run.Snapshot.Tail, quarantined: false)}", [], null, _ => true);
            string[] columns = [];
            var rows = new List<object?[]>();
            var truncated = false;
            run.Read(
                select,
                [],
                reader => columns = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetName)],
                reader =>
                {
                    if (rows.Count == _limits.SqlRowsMax)
                    {
                        truncated = true;
                        return false;
                    }
                    var row = new object?[columns.Length];
                    for (var i = 0; i < row.Length; i++) row[i] = reader.IsDBNull(i) ? null : reader.GetValue(i);
                    rows.Add(row);
                    return true;
                });
            return new SqlAnswer(columns, rows, truncated, run.Elapsed);
        },
        cancel);

    /// <inheritdoc/>
    public void Dispose()
    {
        _store.Dispose();
        _turns.Dispose();
    }

    async Task<T> InTurnAsync<T>(Func<QueryRun, T> answer, CancellationToken cancel)
    {
        await _turns.WaitAsync(cancel);
        try
        {
            // A segment can be evicted while it is read; the next snapshot does not have it.
            for (var attempt = 1; ; attempt++)
            {
                using var snapshot = _store.Open();
                using var run = new QueryRun(snapshot, _limits, _time, cancel);
                try
                {
                    return answer(run);
                }
                catch (DuckDBException gone) when (gone.ErrorType == DuckDBErrorType.Io && attempt < 3)
                {
                }
            }
        }
        finally
        {
            _turns.Release();
        }
    }

    static string From(QueryRun run, SearchPlan plan) => EventsSql.Rows(SearchPlan.Slices(plan.Candidates), run.Snapshot.Tail, quarantined: true);

    static Histogram Bars(QueryRun run, EventScope scope, int buckets)
    {
        var plan = SearchPlan.Of(scope, run.Snapshot);
        var from = $"FROM ({From(run, plan)}) WHERE {plan.Condition}";
        var (first, end) = (SearchPlan.Micros(scope.From, 0), SearchPlan.Micros(scope.To, 0));
        if (scope.From is null || scope.To is null)
        {
            var found = false;
            run.Read($"SELECT epoch_us(min(time)), epoch_us(max(time)) {from}", plan.Parameters, null, row =>
            {
                found = !row.IsDBNull(0);
                if (found && scope.From is null) first = row.GetInt64(0);
                if (found && scope.To is null) end = row.GetInt64(1) + 1;
                return true;
            });
            if (!found) return new([], run.Elapsed);
        }
        if (end <= first) throw new QueryRefusedException("The end of the histogram is not after its start.");
        var width = (end - first + buckets - 1) / buckets;
        var counts = new long[buckets];
        var sql = string.Create(CultureInfo.InvariantCulture, $"SELECT (epoch_us(time) - {first}) // {width} AS bucket, count(*) {from} GROUP BY bucket");
        run.Read(sql, plan.Parameters, null, row =>
        {
            counts[row.GetInt64(0)] += row.GetInt64(1);
            return true;
        });
        var bars = new HistogramBucket[buckets];
        for (var i = 0; i < buckets; i++) bars[i] = new(Instant(first + i * width), Instant(first + (i + 1) * width), counts[i]);
        return new(bars, run.Elapsed);
    }

    static DateTimeOffset Instant(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    static TopValues Top(QueryRun run, EventScope scope, string field, int count)
    {
        var plan = SearchPlan.Of(scope, run.Snapshot);
        var parameters = new List<object>();
        var value = FieldSql.Value(field, parameters);
        parameters.AddRange(plan.Parameters);
        var values = new List<TopValue>();
        var sql = string.Create(CultureInfo.InvariantCulture, $"""
            SELECT ({value})::VARCHAR AS value, count(*) AS n FROM ({From(run, plan)}) WHERE {plan.Condition}
            GROUP BY ALL ORDER BY n DESC, value LIMIT {count}
            """);
        run.Read(sql, parameters, null, row =>
        {
            values.Add(new(row.IsDBNull(0) ? null : row.GetString(0), row.GetInt64(1)));
            return true;
        });
        return new(field, values, run.Elapsed);
    }
}
