using System.Diagnostics.Metrics;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;

namespace Logwarden.Hosting;

/// <summary>
/// Our own metrics (<c>docs/metrics.md</c>), by the names of OpenTelemetry: at <c>GET /metrics</c> for Prometheus, and by OTLP where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set. All of
/// them are read from the live status when they are asked for; nothing is counted a second time.
/// </summary>
sealed class Telemetry : IDisposable
{
    /// <summary>Name of the meter.</summary>
    public const string Name = "logwarden";

    static readonly TimeSpan FreshFor = TimeSpan.FromSeconds(1);

    readonly Meter _meter = new(Name);
    readonly Func<StatusReport> _report;
    readonly TimeProvider _time;
    readonly Lock _gate = new();
    StatusReport? _last;
    long _lastAt;

    /// <summary>Defines them.</summary>
    public Telemetry(Func<StatusReport> report, TimeProvider time)
    {
        (_report, _time) = (report, time);
        Intake();
        Delivery();
        Storage();
    }

    /// <summary>Adds the exporters to a server.</summary>
    public static void Add(IServiceCollection services)
    {
        services.AddOpenTelemetry().ConfigureResource(resource => resource.AddService("logwarden", serviceVersion: typeof(Telemetry).Assembly.GetName().Version?.ToString(3)))
            .WithMetrics(metrics =>
            {
                metrics.AddMeter(Name).AddRuntimeInstrumentation().AddPrometheusExporter();
                if (Environment.GetEnvironmentVariable("OTEL_EXPORTER_OTLP_ENDPOINT") is { Length: > 0 }) metrics.AddOtlpExporter();
            });
    }

    /// <inheritdoc/>
    public void Dispose() => _meter.Dispose();

    void Intake()
    {
        _meter.CreateObservableCounter("logwarden.source.events", () => Report.Sources.SelectMany(source => (Measurement<long>[])
        [
            new(source.Stored, Tag("source", source.Source), Tag("outcome", "stored")),
            new(source.Duplicates, Tag("source", source.Source), Tag("outcome", "duplicate")),
            new(source.Quarantined, Tag("source", source.Source), Tag("outcome", "quarantined")),
        ]), "{event}", "Records taken in, by source and what became of them.");
    }

    void Delivery()
    {
        _meter.CreateObservableCounter("logwarden.destination.events", () => Report.Destinations.SelectMany(one => (Measurement<long>[])
        [
            new(one.Delivered, Tag("destination", one.Name), Tag("outcome", "delivered")),
            new(one.DeadLetters, Tag("destination", one.Name), Tag("outcome", "refused")),
            new(one.Shed, Tag("destination", one.Name), Tag("outcome", "shed")),
        ]), "{event}", "Events for a destination, by what became of them.");
        _meter.CreateObservableGauge("logwarden.destination.lag.events", () => Destinations(one => one.BehindEvents), "{event}", "Events of the journal that the destination has not passed.");
        _meter.CreateObservableGauge("logwarden.destination.lag.bytes", () => Destinations(one => one.BehindBytes), "By", "The same in bytes, estimated.");
        _meter.CreateObservableGauge("logwarden.destination.lag.age", () => Destinations(one => one.OldestSeconds ?? 0), "s", "Age of the oldest event that is being sent.");
        _meter.CreateObservableGauge("logwarden.destination.healthy", () => Destinations(one => one.State is "ok" ? 1L : 0), "1", "1 while the destination's state is ok.");
        _meter.CreateObservableGauge("logwarden.canary.latency", () => Canaries(canary => canary.LatencySeconds ?? 0), "s", "Longest of the last round trips of canaries to a destination.");
        _meter.CreateObservableGauge("logwarden.canary.overdue", () => Canaries(canary => canary.Overdue.Count), "{source}", "Sources whose canaries did not come back in time.");
    }

    void Storage()
    {
        _meter.CreateObservableGauge("logwarden.journal.size", () => Report.Journal.Bytes, "By", "Bytes of the journal on disk.");
        _meter.CreateObservableGauge("logwarden.journal.limit", () => Report.Journal.BytesMax, "By", "Bytes beyond which the journal takes nothing.");
        _meter.CreateObservableCounter("logwarden.journal.events", () => Report.Journal.End, "{event}", "Events in the journal, ever.");
        _meter.CreateObservableGauge("logwarden.archive.lag.events", () => Report.Archive.BehindEvents, "{event}", "Events that are not in the archive yet.");
        _meter.CreateObservableGauge("logwarden.archive.healthy", () => Report.Archive.State is "ok" ? 1 : 0, "1", "1 while sealing works.");
        _meter.CreateObservableGauge("logwarden.alarm.open", () => Report.Alarms.GroupBy(alarm => (alarm.Kind, alarm.Severity)).Select(same =>
            new Measurement<int>(same.Count(), Tag("kind", same.Key.Kind), Tag("severity", same.Key.Severity))), "{alarm}", "Open alarms.");
        _meter.CreateObservableGauge("logwarden.hold.objects", () => Report.Holds, "{object}", "Objects of the archive under a legal hold.");
        _meter.CreateObservableGauge("logwarden.disk.free", () => Report.DiskFreeBytes, "By", "Bytes left on the disk of the data folder.");
    }

    StatusReport Report
    {
        get
        {
            lock (_gate)
            {
                // All instruments of one collection tell of the same moment.
                if (_last is null || _time.GetElapsedTime(_lastAt) > FreshFor) (_last, _lastAt) = (_report(), _time.GetTimestamp());
                return _last;
            }
        }
    }

    IEnumerable<Measurement<T>> Destinations<T>(Func<DestinationReport, T> value) where T : struct =>
        Report.Destinations.Select(one => new Measurement<T>(value(one), Tag("destination", one.Name)));

    IEnumerable<Measurement<double>> Canaries(Func<CanaryReport, double> value)
    {
        foreach (var one in Report.Destinations)
        {
            if (one.Canary is { } canary) yield return new(value(canary), Tag("destination", one.Name));
        }
        if (Report.Archive.Canary is { } archived) yield return new(value(archived), Tag("destination", "archive"));
    }

    static KeyValuePair<string, object?> Tag(string name, string value) => new("logwarden." + name, value);
}
