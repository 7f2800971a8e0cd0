using DuckDB.NET.Data;
using DuckDB.NET.Native;
using Logwarden.Hot;

namespace Logwarden.Query;

/// <summary>Runs statements of one query on one snapshot, until it is cancelled or its time is over.</summary>
sealed class QueryRun : IDisposable
{
    readonly HotSnapshot _snapshot;
    readonly TimeProvider _time;
    readonly TimeSpan _timeMax;
    readonly long _start;
    readonly CancellationToken _asked;
    readonly CancellationTokenSource _clock;
    readonly CancellationTokenSource _both;

    public QueryRun(HotSnapshot snapshot, QueryLimits limits, TimeProvider time, CancellationToken cancel)
    {
        (_snapshot, _time, _timeMax, _asked) = (snapshot, time, limits.TimeMax, cancel);
        _start = time.GetTimestamp();
        _clock = new(limits.TimeMax, time);
        _both = CancellationTokenSource.CreateLinkedTokenSource(_clock.Token, cancel);
    }

    public HotSnapshot Snapshot => _snapshot;

    public TimeSpan Elapsed => _time.GetElapsedTime(_start);

    /// <summary>Between steps that are not statements: whether it may go on.</summary>
    /// <exception cref="QueryRefusedException">Its time is over.</exception>
    public void Check()
    {
        _asked.ThrowIfCancellationRequested();
        if (_clock.IsCancellationRequested) throw TooLong(null);
    }

    /// <summary>Does <paramref name="one"/> for 0 to <paramref name="count"/> − 1 on all processors, and stops between two of them when the query is stopped.</summary>
    /// <exception cref="QueryRefusedException">Its time is over.</exception>
    public void Parallel(int count, Action<int> one)
    {
        Check();
        try
        {
            var options = new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount, CancellationToken = _both.Token };
            System.Threading.Tasks.Parallel.For(0, count, options, one);
        }
        catch (OperationCanceledException)
        {
            Check();
            throw;
        }
        catch (AggregateException failed)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failed.InnerExceptions[0]);
        }
    }

    /// <summary>Runs a statement and hands each row to <paramref name="take"/>, until that returns false.</summary>
    /// <exception cref="QueryRefusedException">The statement is wrong, or reached a bound.</exception>
    /// <exception cref="IOException">What holds the events can't be read.</exception>
    public void Read(string sql, IReadOnlyList<object> parameters, Action<DuckDBDataReader>? begin, Func<DuckDBDataReader, bool> take)
    {
        Check();
        using var command = HotDatabase.Command(_snapshot.Connection, sql);
        command.UseStreamingMode = true;
        foreach (var value in parameters) command.Parameters.Add(new DuckDBParameter(value));
        using var registration = _both.Token.Register(command.Cancel);
        try
        {
            using var reader = command.ExecuteReader();
            begin?.Invoke(reader);
            while (reader.Read())
            {
                if (!take(reader)) return;
                if (_both.IsCancellationRequested) break;
            }
        }
        catch (Exception failed) when (failed is DuckDBException or OperationCanceledException && _both.IsCancellationRequested)
        {
            if (!_asked.IsCancellationRequested) throw TooLong(failed);
        }
        catch (DuckDBException broken) when (broken.ErrorType == DuckDBErrorType.Io)
        {
            throw new IOException($"The events can't be read: {broken.Message}", broken);
        }
        catch (DuckDBException refused)
        {
            throw new QueryRefusedException(Said(refused), refused);
        }
        Check();
    }

    public void Dispose()
    {
        _both.Dispose();
        _clock.Dispose();
    }

    // Where its memory is over, the database advises to change settings, which nobody may here.
    static string Said(DuckDBException refused) => refused.ErrorType == DuckDBErrorType.OutOfMemory || refused.Message.Contains("Out of Memory Error", StringComparison.Ordinal)
        ? $"The statement needs more memory than it may have ({refused.Message.Split('\n')[0]}). Ask for less at once: fewer groups, smaller values, a narrower time."
        : refused.Message;

    QueryRefusedException TooLong(Exception? cause)
    {
        var message = $"The query took longer than {_timeMax.TotalSeconds:0.#} s and was stopped. Narrow its times or its filter.";
        return cause is null ? new(message) : new(message, cause);
    }
}
