using Logwarden.Flow;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Policy;
using Microsoft.Extensions.Logging;

namespace Logwarden.Delivery;

/// <summary>What <see cref="Deliveries"/> work with.</summary>
/// <param name="DataFolder">The installation's folder.</param>
/// <param name="Journal">Its journal.</param>
/// <param name="Registry">Its destinations.</param>
/// <param name="Store">Where they are.</param>
/// <param name="Open">Makes a destination of its configuration; throws <see cref="ArgumentException"/> or another when it can't, with a message for people.</param>
/// <param name="Policy">The policy in force, asked whenever a destination starts.</param>
/// <param name="Time">Clock.</param>
/// <param name="Log">Log.</param>
public sealed record DeliveriesParts(
    string DataFolder, DiskJournal Journal, DestinationRegistry Registry, DeliveryStore Store, Func<DestinationEntry, IDestination> Open, Func<PolicySnapshot> Policy, TimeProvider Time, ILogger Log)
{
    /// <summary>Seed of the jitter.</summary>
    public required int Seed { get; init; }

    /// <summary>See <see cref="DeliveryParts.Guard"/>.</summary>
    public Func<EventBatch, string?>? Guard { get; init; }

    /// <summary>Is told which events have arrived at which destination.</summary>
    public Action<string, EventBatch, Func<int, bool>>? Settled { get; init; }
}

/// <summary>
/// The deliveries to all destinations of an installation. Destinations that are added, changed, stopped or removed while it runs are taken up within a second; one that can't be
/// opened is told and tried again each minute, and keeps none of the others waiting.
/// </summary>
public sealed partial class Deliveries : IAsyncDisposable
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan OpenEvery = TimeSpan.FromMinutes(1);

    readonly DeliveriesParts _parts;
    readonly ILogger _log;
    readonly CancellationTokenSource _stop = new();
    readonly Lock _gate = new();
    readonly Dictionary<string, Running> _running = new(StringComparer.Ordinal);
    readonly Dictionary<string, Broken> _broken = new(StringComparer.Ordinal);
    Task _task = Task.CompletedTask;
    long _version = -1;
    string _policy = "";

    /// <summary>Makes them; <see cref="StartAsync"/> begins.</summary>
    public Deliveries(DeliveriesParts parts) => (_parts, _log) = (parts, parts.Log);

    /// <summary>Begins, and returns when the destinations that are configured now are taken up.</summary>
    public async Task StartAsync()
    {
        await LookAsync();
        _task = Task.Run(RunAsync);
    }

    /// <summary>How each destination goes that is configured, by name.</summary>
    public IReadOnlyList<DeliveryStatus> Status()
    {
        var entries = _parts.Registry.All;
        var end = _parts.Journal.DurableEnd;
        lock (_gate)
        {
            return
            [
                .. entries.Select(entry => new DeliveryStatus(entry)
                {
                    View = _running.GetValueOrDefault(entry.Name)?.Loop.Progress.View,
                    Failure = _broken.GetValueOrDefault(entry.Name)?.Reason,
                    JournalEnd = end,
                }),
            ];
        }
    }

    /// <summary>The destination of that name while it is running, to look for what it got; null when it is not. Not to be disposed of.</summary>
    public IDestination? Find(string name)
    {
        lock (_gate) return _running.GetValueOrDefault(name)?.Destination;
    }

    /// <summary>Everything below this offset has been done with by every destination that is configured; the end of the journal when there is none.</summary>
    public long DoneTo
    {
        get
        {
            var done = _parts.Journal.DurableEnd;
            foreach (var entry in _parts.Registry.All) done = Math.Min(done, _parts.Store.Find(entry.Name)?.Position ?? entry.From);
            return done;
        }
    }

    /// <summary>Takes up what was changed now, without waiting for the next look.</summary>
    public async Task LookAsync()
    {
        var (version, policy) = (_parts.Registry.Version, _parts.Policy().Sha256);
        var isChanged = version != _version || !string.Equals(policy, _policy, StringComparison.Ordinal);
        if (!isChanged && !IsRetryDue()) return;
        var entries = _parts.Registry.All;
        foreach (var (name, running) in Snapshot())
        {
            var entry = entries.FirstOrDefault(one => string.Equals(one.Name, name, StringComparison.Ordinal));
            if (entry is { IsPaused: false } && entry.Version == running.Entry.Version && string.Equals(policy, running.Policy, StringComparison.Ordinal)) continue;
            await running.Loop.DisposeAsync();
            lock (_gate) _running.Remove(name);
            LogStopped(name);
        }
        foreach (var name in _broken.Keys.Except(entries.Select(entry => entry.Name), StringComparer.Ordinal).ToArray())
            lock (_gate) _broken.Remove(name);
        foreach (var entry in entries)
        {
            if (!entry.IsPaused && !_running.ContainsKey(entry.Name)) Open(entry, isChanged, policy);
        }
        (_version, _policy) = (version, policy);
    }

    /// <summary>Stops all; what was not confirmed is sent again the next time.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _task;
        await Task.WhenAll(Snapshot().Select(running => running.Value.Loop.DisposeAsync().AsTask()));
        _stop.Dispose();
    }

    async Task RunAsync()
    {
        while (!_stop.IsCancellationRequested)
        {
            await Task.Delay(LookEvery, _parts.Time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested) return;
            try
            {
                await LookAsync();
            }
            catch (Exception failed) when (failed is not OutOfMemoryException)
            {
                LogNotLooked(failed.Message);
            }
        }
    }

    void Open(DestinationEntry entry, bool isChanged, string policy)
    {
        if (!isChanged && _broken.GetValueOrDefault(entry.Name) is { } known && _parts.Time.GetElapsedTime(known.At) < OpenEvery) return;
        try
        {
            // Its cursor begins, whether it can be opened or not: what it misses meanwhile it gets later.
            var at = _parts.Store.Begin(entry.Name, Math.Min(entry.From, _parts.Journal.DurableEnd)).Position;
            if (at > _parts.Journal.DurableEnd)
            {
                at = _parts.Journal.DurableEnd;
                _parts.Store.Rewind(entry.Name, at);
                LogRewound(entry.Name, at);
            }
#pragma warning disable CA2000 // the loop disposes of them, and it is disposed of when it stops
            var own = entry.When is null ? null : PredicateParser.Parse(entry.When).Value;
            var route = DeliveryRoute.Of(_parts.Policy(), entry.Name, own);
            var destination = _parts.Open(entry);
            _parts.Store.Route(entry.Name, at, route.Text);
            var loop = new DeliveryLoop(new(
                entry.Name, destination, route, new Backlog(_parts.Journal, _parts.DataFolder, at), _parts.Store, _parts.Time,
                Jitter(entry.Name), _log)
            {
                Guard = _parts.Guard,
                Settled = _parts.Settled is { } settled ? (batch, isDelivered) => settled(entry.Name, batch, isDelivered) : null,
            });
#pragma warning restore CA2000
            lock (_gate)
            {
                _running[entry.Name] = new(entry, destination, loop, policy);
                _broken.Remove(entry.Name);
            }
            loop.Start();
            LogStarted(entry.Name, entry.Type, at);
        }
        catch (Exception failed) when (failed is not OutOfMemoryException)
        {
            lock (_gate) _broken[entry.Name] = new(failed.Message, _parts.Time.GetTimestamp());
            LogBroken(entry.Name, failed.Message);
        }
    }

    Random Jitter(string name) => new(name.Aggregate(_parts.Seed, (seed, c) => unchecked(seed * 31 + c)));

    bool IsRetryDue() => _broken.Values.Any(broken => _parts.Time.GetElapsedTime(broken.At) >= OpenEvery);

    KeyValuePair<string, Running>[] Snapshot()
    {
        lock (_gate) return [.. _running];
    }

    [LoggerMessage(1, LogLevel.Information, "Destination {Name} ({Type}) goes on at offset {Offset}.")]
    partial void LogStarted(string name, string type, long offset);

    [LoggerMessage(2, LogLevel.Information, "Destination {Name} is stopped.")]
    partial void LogStopped(string name);

    [LoggerMessage(3, LogLevel.Error, "Destination {Name} can't be opened, next try in a minute; what it misses it gets later: {Reason}")]
    partial void LogBroken(string name, string reason);

    [LoggerMessage(4, LogLevel.Error, "The destinations can't be looked up; those that run go on: {Reason}")]
    partial void LogNotLooked(string reason);

    [LoggerMessage(5, LogLevel.Warning, "Destination {Name} was ahead of the journal, which was lost and began again: it goes back to offset {Offset}.")]
    partial void LogRewound(string name, long offset);

    sealed record Running(DestinationEntry Entry, IDestination Destination, DeliveryLoop Loop, string Policy);

    sealed record Broken(string Reason, long At);
}

/// <summary>How a destination goes.</summary>
/// <param name="Entry">Its configuration.</param>
public sealed record DeliveryStatus(DestinationEntry Entry)
{
    /// <summary>How its delivery goes; null when it is not running.</summary>
    public DeliveryView? View { get; init; }

    /// <summary>Why it can't be opened; null when it can.</summary>
    public string? Failure { get; init; }

    /// <summary>End of the journal at that moment.</summary>
    public long JournalEnd { get; init; }

    /// <summary>Events of the journal that it has not passed, also those that do not go there.</summary>
    public long Behind => JournalEnd - (View?.Position ?? Entry.From);
}
