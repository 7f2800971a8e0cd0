using Logwarden.Delivery;
using Logwarden.Watchers;

#pragma warning disable CA2000 // each is disposed of with the others

namespace Logwarden.Hosting;

/// <summary>What goes on in a server beside its requests: sealing, legal holds, delivery, canaries, own events, retention. Each is a loop that tells its failures and goes on; they end in the opposite order of their beginning.</summary>
sealed class BackgroundLoops : IAsyncDisposable
{
    readonly Installation _installation;
    readonly string _data;
    readonly ILoggerFactory _logs;
    readonly TimeProvider _time = TimeProvider.System;
    readonly Stack<IAsyncDisposable> _running = new();
    Telemetry? _telemetry;
    Func<string?> _retentionFailure = () => null;

    /// <summary>Begins to seal and to keep holds; the rest begins with <see cref="StartAsync"/>.</summary>
    public BackgroundLoops(Installation installation, string data, SealOptions sealing, ILoggerFactory logs)
    {
        (_installation, _data, _logs) = (installation, data, logs);
        Sealing = Begin(new SealLoop(installation, sealing, _time, logs.CreateLogger<SealLoop>()));
        Holding = Begin(new HoldLoop(installation, _time, logs.CreateLogger<HoldLoop>()));
        Deliveries = Begin(new Deliveries(DeliveriesParts()));
        Sources = new(new(installation.Control.Database, installation.Control.Alarms, Watched, () => installation.Policy.Policy, new()), _time.GetUtcNow(), installation.Journal.DurableEnd);
    }

    /// <summary>Seals.</summary>
    public SealLoop Sealing { get; }

    /// <summary>Keeps legal holds.</summary>
    public HoldLoop Holding { get; }

    /// <summary>Takes events to destinations.</summary>
    public Deliveries Deliveries { get; }

    /// <summary>Watches the sources.</summary>
    public SourceWatch Sources { get; }

    /// <summary>How the installation fares, now.</summary>
    public StatusReport Report()
    {
        (string What, string? Why)[] loops = [("retention", _retentionFailure()), ("legal holds", Holding.Failure), ("text indexes", Sealing.LastIndexError)];
        string[] troubles = [.. loops.Where(one => one.Why is not null).Select(one => $"{one.What}: {one.Why}")];
        var report = StatusReport.Of(_installation, Deliveries, Sources, Sealing, _data, _time);
        return troubles.Length == 0 ? report : report with { Troubles = troubles, State = report.State is "ok" ? "warning" : report.State };
    }

    WatchedSource[] Watched() => [.. _installation.Sources.All.Select(source => new WatchedSource(source.Id, source.Created, source.SilenceMax))];

    /// <summary>Begins everything else.</summary>
    /// <param name="heartbeat">Where the secret URL of a heartbeat is; null is none.</param>
    /// <exception cref="Destinations.SettingException">There is no such URL.</exception>
    public async Task StartAsync(string? heartbeat)
    {
        if (heartbeat is not null) Begin(new HeartbeatLoop(heartbeat, Report, _time, _logs.CreateLogger<HeartbeatLoop>()));
        Begin(new OwnEventFeed(_installation, _time, _logs.CreateLogger<OwnEventFeed>()));
        await Deliveries.StartAsync();
        Begin(new CanaryLoop(_installation, Deliveries, Canaries.Every, _time, _logs.CreateLogger<CanaryLoop>()));
        Begin(new ObserverLoop(_installation, _data, Sources, Report, _time, _logs.CreateLogger<ObserverLoop>()));
        Begin(new CertificateLoop(_installation, _data, _time, _logs.CreateLogger<CertificateLoop>()));
        var retention = Begin(new RetentionLoop(cancel => _installation.RetainAsync(options => options, cancel), _time, _logs.CreateLogger<RetentionLoop>()));
        _retentionFailure = () => retention.Failure;
        _telemetry = new(Report, _time);
    }

    /// <summary>Ends all of it.</summary>
    public async ValueTask DisposeAsync()
    {
        _telemetry?.Dispose();
        while (_running.TryPop(out var loop)) await loop.DisposeAsync();
    }

    T Begin<T>(T loop)
        where T : IAsyncDisposable
    {
        _running.Push(loop);
        return loop;
    }

    DeliveriesParts DeliveriesParts()
    {
        var control = _installation.Control;
        return new(
            _data, _installation.Journal, control.Destinations, control.Deliveries,
            entry => ControlState.Make(entry, _installation.Policy.Policy, _time, what => control.Found(entry.Name, what)),
            () => _installation.Policy.Policy, _time, _logs.CreateLogger<Deliveries>())
        {
            Settled = control.Canaries.Settled,
            Seed = System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue),
        };
    }
}
