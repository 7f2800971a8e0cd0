using Logwarden.Events;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>An event as it passes by. Must be quick and must not keep what it is given.</summary>
delegate void EventObserver(in StoredEvent e);

/// <summary>Shows each event that becomes durable to those who learn from it: what shapes of events a source has, and its rhythm. It begins with what is new at the start.</summary>
sealed partial class ObserverLoop : IAsyncDisposable
{
    readonly JournalReader _reader;
    readonly JournalBatch _batch = new(256 << 10);
    readonly EventObserver[] _observers;
    readonly ILogger _log;
    readonly TimeProvider _time;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    /// <summary>Starts it.</summary>
    public ObserverLoop(DiskJournal journal, EventObserver[] observers, TimeProvider time, ILogger log)
    {
        (_observers, _time, _log) = (observers, time, log);
        _reader = journal.OpenReader(journal.DurableEnd);
        _running = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _reader.Dispose();
        _stop.Dispose();
    }

    async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (!await _reader.WaitAsync(_stop.Token)) return;
                while (_reader.Read(_batch) > 0 && !_stop.IsCancellationRequested) Show();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (JournalReleasedException behind)
            {
                // So far behind that they are sealed and gone from here: what they would have taught is missing, and said so.
                LogSkipped(_reader.Position, behind.Oldest);
                _reader.Seek(behind.Oldest);
            }
            catch (Exception failed) when (failed is IOException or Microsoft.Data.Sqlite.SqliteException)
            {
                LogFailed(failed.Message);
                await Task.Delay(TimeSpan.FromSeconds(5), _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    void Show()
    {
        for (var i = 0; i < _batch.Count; i++)
        {
            if (!EventEncoding.TryRead(_batch[i], out var e)) continue;
            foreach (var observer in _observers) observer(e);
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "What sources usually do was not learned from the events from offset {From} to {To}: they were sealed before they could be looked at.")]
    partial void LogSkipped(long from, long to);

    [LoggerMessage(2, LogLevel.Warning, "What sources usually do can't be learned at present: {Reason}")]
    partial void LogFailed(string reason);
}
