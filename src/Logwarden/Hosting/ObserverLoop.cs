using Logwarden.Delivery;
using Logwarden.Events;
using Logwarden.Watchers;

namespace Logwarden.Hosting;

/// <summary>
/// Shows each event that becomes durable, in order, to those who learn from it: the shapes of a source's events, and its rhythm; and lets time pass for the watch over sources and
/// destinations. It goes on where the watch was, over sealed segments if need be.
/// </summary>
sealed partial class ObserverLoop : IAsyncDisposable
{
    static readonly TimeSpan StepEvery = TimeSpan.FromSeconds(30);

    readonly Installation _installation;
    readonly SourceWatch _sources;
    readonly DestinationWatch _destinations;
    readonly Func<StatusReport> _report;
    readonly Backlog _backlog;
    readonly ILogger _log;
    readonly TimeProvider _time;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;
    DateTimeOffset _next;

    /// <summary>Starts it.</summary>
    public ObserverLoop(Installation installation, string data, SourceWatch sources, Func<StatusReport> report, TimeProvider time, ILogger log)
    {
        (_installation, _sources, _report, _time, _log) = (installation, sources, report, time, log);
        _destinations = new(installation.Control.Alarms);
        _backlog = new(installation.Journal, data, Math.Min(sources.Observer.Position, installation.Journal.DurableEnd));
        _running = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _backlog.Dispose();
        _stop.Dispose();
    }

    async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                while (!_stop.IsCancellationRequested && _time.GetUtcNow() < _next && _backlog.TryNext(out var encoded)) Show(encoded);
                if (_time.GetUtcNow() >= _next) Step();
                await WaitAsync();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed) when (failed is not OutOfMemoryException)
            {
                LogFailed(failed.Message);
                await Task.Delay(StepEvery, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    void Show(ReadOnlySpan<byte> encoded)
    {
        if (!EventEncoding.TryRead(encoded, out var e) || Canaries.IsCanary(e.Id)) return;
        _installation.Control.Canaries.Observe(e);
        _sources.Observer.Observe(e, e.IngestedMicros);
    }

    void Step()
    {
        var now = _time.GetUtcNow();
        _next = now + StepEvery;
        _sources.Step(now, isCurrent: _backlog.Position >= _installation.Journal.DurableEnd);
        var alerts = _installation.Policy.Policy.Alerts;
        _destinations.Step(Health(_report(), now), alerts.IngestionStopAfter, alerts.IngestionStopSeverity, now);
    }

    static List<DestinationHealth> Health(StatusReport report, DateTimeOffset now)
    {
        var all = report.Destinations.Select(one => new DestinationHealth(one.Name)
        {
            Blocked = one.State is "blocked" or "broken" ? one.LastError : null,
            FailingSince = one.FailingSince,
            LastError = one.LastError,
            LastSuccess = one.LastSuccess,
            WaitingSince = one.OldestSeconds is { } age ? now - TimeSpan.FromSeconds(age) : null,
            OverdueCanaries = one.Canary?.Overdue ?? [],
            IsPaused = one.State is "paused",
        }).ToList();
        all.Add(new("archive")
        {
            FailingSince = report.Archive.FailingSince,
            LastError = report.Archive.LastError,
            OverdueCanaries = report.Archive.Canary?.Overdue ?? [],
        });
        all.Add(new("journal") { Blocked = report.Journal.State is "ok" ? null : report.Journal.LastError ?? "it is full" });
        all.AddRange(report.MissingDestinations.Select(name => new DestinationHealth(name) { Blocked = "the policy sends events there, and there is no such destination" }));
        return all;
    }

    async Task WaitAsync()
    {
        using var late = new CancellationTokenSource(StepEvery, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token, late.Token);
        try
        {
            if (await _backlog.WaitAsync(either.Token)) return;
            await Task.Delay(Timeout.InfiniteTimeSpan, _time, _stop.Token);
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !_stop.IsCancellationRequested)
        {
            // Nothing came; time passes all the same.
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Sources and destinations can't be watched at present: {Reason}")]
    partial void LogFailed(string reason);
}
