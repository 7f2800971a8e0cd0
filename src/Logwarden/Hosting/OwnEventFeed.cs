using Logwarden.Data;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>
/// Takes own audit events over into the journal, in order, each once: it forgets one only when the journal has it, and the journal knows one that comes again by its id.
/// Only the process that has the journal open does so.
/// </summary>
sealed partial class OwnEventFeed : IAsyncDisposable
{
    const int BatchMax = 500;
    static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    readonly Installation _installation;
    readonly OwnEvents _events;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    /// <summary>Starts it.</summary>
    public OwnEventFeed(Installation installation, TimeProvider time, ILogger log)
    {
        (_installation, _events, _time, _log) = (installation, installation.Control.Events, time, log);
        _running = Task.Run(RunAsync);
    }

    /// <summary>Takes over all that wait now.</summary>
    /// <exception cref="IOException">The journal or the control database failed; they wait on.</exception>
    public static async Task DrainAsync(Installation installation, TimeProvider time)
    {
        var events = installation.Control.Events;
        var waiting = events.Waiting(BatchMax);
        if (waiting.Count == 0) return;
        var worker = installation.Worker(Installation.Route(new SourceEntry { Id = OwnEvents.Source, Format = "app", Created = time.GetUtcNow() }));
        for (; waiting.Count > 0; waiting = events.Waiting(BatchMax))
        {
            var batch = new AppendBatch { Source = OwnEvents.Source };
            foreach (var (_, record) in waiting) worker.Add(new FramedRecord { Bytes = record }, RecordOrigin.None, batch);
            await installation.Journal.AppendAsync(batch, CancellationToken.None);
            events.Taken(waiting[^1].Number);
        }
    }

    /// <summary>Takes over what waits, and stops.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    async Task RunAsync()
    {
        var isLast = false;
        while (!isLast)
        {
            await Task.Delay(Every, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            isLast = _stop.IsCancellationRequested;
            try
            {
                await DrainAsync(_installation, _time);
            }
            catch (Exception failed) when (failed is IOException or Microsoft.Data.Sqlite.SqliteException)
            {
                LogWaiting(failed.Message);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Events about this installation wait to be taken into the journal: {Reason}")]
    partial void LogWaiting(string reason);
}
