using DuckDB.NET.Data;
using DuckDB.NET.Native;
using Logwarden.Hot;

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
        _store = new HotStore(options, time);
        (_limits, _time) = (limits, time);
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
    public Task<long> CountAsync(EventScope scope, CancellationToken cancel) =>
        InTurnAsync(run => Aggregates.Count(run, scope), cancel);

    /// <summary>Counts events per stretch of time. Without bounds in the scope, it spans the events that match.</summary>
    /// <param name="scope">Which events.</param>
    /// <param name="buckets">Number of equal stretches, 1 to 10,000.</param>
    /// <param name="cancel">Stops it.</param>
    /// <exception cref="QueryRefusedException">The scope has an error, or took too long.</exception>
    public Task<Histogram> HistogramAsync(EventScope scope, int buckets, CancellationToken cancel)
    {
        if (buckets is < 1 or > 10_000) throw new QueryRefusedException($"buckets is {buckets}; it can be 1 to 10000.");
        return InTurnAsync(run => Aggregates.Bars(run, scope, buckets), cancel);
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
        return InTurnAsync(run => Aggregates.Top(run, scope, field, count), cancel);
    }

    /// <summary>Answers SQL: one SELECT over the view <c>events</c> (<c>docs/query.md</c>), which can reach nothing else.</summary>
    /// <param name="sql">The statement.</param>
    /// <param name="scope">What the view holds. Its filter must be empty: the statement has its own conditions.</param>
    /// <param name="cancel">Stops it.</param>
    /// <exception cref="QueryRefusedException">It is something else or has an error, or reached a bound.</exception>
    public Task<SqlAnswer> SqlAsync(string sql, EventScope scope, CancellationToken cancel)
    {
        if (scope.Filter.Length > 0) throw new QueryRefusedException("A filter and SQL do not go together: write the condition into the statement.");
        return InTurnAsync(run => Answer(run, sql, scope), cancel);
    }

    /// <summary>As the other, over all events.</summary>
    public Task<SqlAnswer> SqlAsync(string sql, CancellationToken cancel) => SqlAsync(sql, new EventScope(), cancel);

    SqlAnswer Answer(QueryRun run, string sql, EventScope scope)
    {
        var select = SqlSandbox.Check(run, sql);
        run.Read($"CREATE OR REPLACE TEMP VIEW events AS {EventsSql.View(run.Snapshot, scope)}", [], null, _ => true);
        string[] columns = [];
        var rows = new List<object?[]>();
        var (truncated, bytes) = (false, 0L);
        run.Read(
            select,
            [],
            reader => columns = [.. Enumerable.Range(0, reader.FieldCount).Select(reader.GetName)],
            reader =>
            {
                truncated = rows.Count == _limits.SqlRowsMax;
                if (truncated) return false;
                var row = new object?[columns.Length];
                for (var i = 0; i < row.Length; i++) row[i] = reader.IsDBNull(i) ? null : reader.GetValue(i);
                foreach (var value in row) bytes += SizeOf(value);
                truncated = bytes > _limits.SqlBytesMax;
                if (truncated && rows.Count == 0) throw new QueryRefusedException($"One row has more than the {_limits.SqlBytesMax >> 20} MiB that an answer may have: ask for less of it.");
                if (truncated) return false;
                rows.Add(row);
                return true;
            });
        return new SqlAnswer(columns, rows, truncated, run.Elapsed);
    }

    static long SizeOf(object? value) => value switch
    {
        string text => text.Length + 16,
        byte[] blob => blob.Length + 16,
        System.Collections.IDictionary map => SizeOf(map.Keys) + SizeOf(map.Values),
        System.Collections.IEnumerable list => list.Cast<object?>().Sum(SizeOf) + 16,
        Stream blob => blob.Length + 16,
        _ => 16,
    };

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
                catch (Exception gone) when (gone is FileNotFoundException or DuckDBException { ErrorType: DuckDBErrorType.Io } or IOException { InnerException: DuckDBException } && attempt < 3)
                {
                }
            }
        }
        finally
        {
            _turns.Release();
        }
    }
}
