using System.Text.Json.Serialization;
using Logwarden.Delivery;
using Logwarden.Watchers;

namespace Logwarden.Hosting;

/// <summary>How the installation fares at one moment, computed from live data when it is asked for: <c>GET /api/v1/status</c>, <c>logwarden status</c> and the metrics.</summary>
sealed record StatusReport
{
    /// <summary><c>ok</c>; <c>warning</c> when something is late or was refused; <c>failing</c> when something needs a person.</summary>
    public required string State { get; init; }

    /// <summary>Moment that it is of.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What came in, by source.</summary>
    public required IReadOnlyList<SourceReport> Sources { get; init; }

    /// <summary>Where it goes.</summary>
    public required IReadOnlyList<DestinationReport> Destinations { get; init; }

    /// <summary>Names that routes of the policy send events to, and where there is no destination.</summary>
    public required IReadOnlyList<string> MissingDestinations { get; init; }

    /// <summary>The archive.</summary>
    public required ArchiveReport Archive { get; init; }

    /// <summary>The journal.</summary>
    public required JournalReport Journal { get; init; }

    /// <summary>Alarms that are open, the most urgent first.</summary>
    public required IReadOnlyList<AlarmReport> Alarms { get; init; }

    /// <summary>What else does not go as it should: retention, legal holds, text indexes.</summary>
    public IReadOnlyList<string> Troubles { get; init; } = [];

    /// <summary>Objects of the archive under a legal hold.</summary>
    public required long Holds { get; init; }

    /// <summary>Bytes left on the disk that the data folder is on.</summary>
    public required long DiskFreeBytes { get; init; }

    /// <summary>Makes it.</summary>
    public static StatusReport Of(Installation installation, Deliveries deliveries, SourceWatch watch, SealLoop sealing, string data, TimeProvider time)
    {
        var now = time.GetUtcNow();
        var paths = installation.Control.Canaries.Paths();
        var patience = installation.Policy.Policy.Alerts.IngestionStopAfter;
        DestinationReport[] destinations = [.. deliveries.Status().Select(status => DestinationReport.Of(status, installation.Control.Deliveries, Canary(status.Entry.Name), patience, now))];
        var archive = new ArchiveReport(
            installation.ArchiveLocation, sealing.Failure is null ? "ok" : "failing", installation.SealedTo, installation.Journal.DurableEnd - installation.SealedTo, sealing.Failure,
            sealing.FailingSince, Canary(DestinationRegistry.Archive));
        var journal = new JournalReport(
            installation.Journal.Failure is not null ? "failing" : installation.Journal.IsFull ? "full" : "ok", installation.Journal.DurableEnd, installation.Journal.Bytes, installation.Journal.BytesMax,
            installation.Journal.Failure?.Message);
        string[] missing =
        [
            .. installation.Policy.Policy.Routes.SelectMany(route => route.To).Where(name => !string.Equals(name, DestinationRegistry.Archive, StringComparison.Ordinal))
                .Distinct(StringComparer.Ordinal).Except(destinations.Select(one => one.Name), StringComparer.Ordinal),
        ];
        AlarmReport[] alarms = [.. installation.Control.Alarms.Open.Select(alarm => new AlarmReport(alarm.Kind, alarm.Subject, alarm.Severity, alarm.Opened, alarm.Text))];
        string[] states = [archive.State, journal.State, .. destinations.Select(one => one.State), missing.Length > 0 || alarms.Length > 0 ? "warning" : "ok"];
        return new()
        {
            State = states.Any(state => state is "failing" or "full" or "blocked" or "broken") ? "failing" : states.Any(state => state is not ("ok" or "paused")) ? "warning" : "ok",
            At = now,
            Sources = SourceReport.All(installation, watch.Status(now)),
            Alarms = alarms,
            Holds = installation.Custody.Holds.Summary().Objects,
            Destinations = destinations,
            MissingDestinations = missing,
            Archive = archive,
            Journal = journal,
            DiskFreeBytes = new DriveInfo(Path.GetFullPath(data)).AvailableFreeSpace,
        };

        CanaryReport? Canary(string destination)
        {
            CanaryPath[] to = [.. paths.Where(path => string.Equals(path.Destination, destination, StringComparison.Ordinal))];
            if (to.Length == 0) return null;
            var waiting = to.Min(path => path.WaitingSince);
            return new(to.Length, to.Max(path => path.Confirmed), to.Max(path => path.Latency)?.TotalSeconds, waiting,
                [.. to.Where(path => now - path.WaitingSince > patience).Select(path => path.Source)]);
        }
    }
}

/// <summary>One source.</summary>
sealed record SourceReport(string Source, long In, long Stored, long Duplicates, long Quarantined)
{
    /// <summary><c>ok</c>, or what is wrong: <c>quiet</c>, <c>late</c>, <c>partial</c>, <c>clock-skewed</c>, <c>dead</c>; null when it is not watched.</summary>
    public string? State { get; init; }

    /// <summary>Events in the last full hour.</summary>
    public long? LastHour { get; init; }

    /// <summary>Usual events an hour at this time of the week; null before that is learned.</summary>
    public double? UsualPerHour { get; init; }

    /// <summary>Time of the event that arrived last.</summary>
    public DateTimeOffset? LastEvent { get; init; }

    /// <summary>When it arrived.</summary>
    public DateTimeOffset? LastArrival { get; init; }

    /// <summary>95% of the last hour's events arrived within this time.</summary>
    public double? LagSeconds { get; init; }

    /// <summary>If it died now: how long after its last event that would be told.</summary>
    public double? TimeToDetectSeconds { get; init; }

    SourceReport With(SourceStatus? status) => status is null ? this : this with
    {
        State = status.Verdict is Verdict.ClockSkewed ? "clock-skewed" : status.Verdict.ToString().ToLowerInvariant(),
        LastHour = status.EventsLastHour,
        UsualPerHour = status.UsualPerHour,
        LastEvent = status.LastEvent,
        LastArrival = status.LastArrival,
        LagSeconds = status.Lag?.TotalSeconds,
        TimeToDetectSeconds = status.TimeToDetect?.TotalSeconds,
    };

    /// <summary>Those that are registered or have sent.</summary>
    public static IReadOnlyList<SourceReport> All(Installation installation, IReadOnlyList<SourceStatus> watched)
    {
        var rhythm = watched.ToDictionary(one => one.Source, StringComparer.Ordinal);
        var ledger = installation.Journal.Ledger.Sources.ToDictionary(source => source.Source, StringComparer.Ordinal);
        return
        [
            .. installation.Sources.All.Select(source => source.Id).Union(ledger.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal).Select(id =>
                (ledger.TryGetValue(id, out var counts) ? new SourceReport(id, counts.In, counts.Stored, counts.Duplicates, counts.Quarantined) : new(id, 0, 0, 0, 0)).With(rhythm.GetValueOrDefault(id))),
        ];
    }
}

/// <summary>One destination.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Type">Its kind.</param>
/// <param name="State"><c>ok</c>, <c>late</c>, <c>failing</c>, <c>blocked</c> (somebody must put something right), <c>broken</c> (it can't be opened), <c>paused</c>.</param>
sealed record DestinationReport(string Name, string Type, string State)
{
    /// <summary>Everything below this journal offset is done with.</summary>
    public long Position { get; init; }

    /// <summary>Events of the journal that it has not passed, also those that do not go there.</summary>
    public long BehindEvents { get; init; }

    /// <summary>Bytes of them as they would be sent, estimated from what was sent.</summary>
    public long BehindBytes { get; init; }

    /// <summary>Age of the oldest event that is being sent.</summary>
    public double? OldestSeconds { get; init; }

    /// <summary>Since when nothing was taken; null while all is well.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Events a second over the last whole minute.</summary>
    public double PerSecond { get; init; }

    /// <summary>Events that arrived there, ever.</summary>
    public long Delivered { get; init; }

    /// <summary>Events that it refused for good and that did not arrive since.</summary>
    public long DeadLetters { get; init; }

    /// <summary>Events that outlived their hot time while it was away.</summary>
    public long Shed { get; init; }

    /// <summary>Events, of which some may have been for it, that were gone from the hot store before it got to them.</summary>
    public long Missing { get; init; }

    /// <summary>When it last took something.</summary>
    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>What last went wrong.</summary>
    public string? LastError { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>How its canaries fare; null when none was sent yet.</summary>
    public CanaryReport? Canary { get; init; }

    public static DestinationReport Of(DeliveryStatus status, DeliveryStore store, CanaryReport? canary, TimeSpan patience, DateTimeOffset now)
    {
        var (entry, view) = (status.Entry, status.View);
        var counts = store.Counts(entry.Name);
        var kept = store.Find(entry.Name);
        var state = entry.IsPaused ? "paused" : status.Failure is not null ? "broken" : view?.Blocked is not null ? "blocked"
            : view?.FailingSince is { } since ? (now - since > patience ? "failing" : "late")
            : now - view?.WaitingSince > patience || canary?.Overdue.Count > 0 ? "late" : "ok";
        return new(entry.Name, entry.Type, state)
        {
            Position = view?.Position ?? kept?.Position ?? entry.From,
            BehindEvents = status.Behind,
            BehindBytes = view is { Delivered: > 0 } ? (long)(view.BytesSent / (double)view.Delivered * status.Behind) : 0,
            OldestSeconds = view?.WaitingSince is { } waiting ? Math.Max(0, (now - waiting).TotalSeconds) : null,
            FailingSince = view?.FailingSince,
            PerSecond = view?.PerSecond ?? 0,
            Delivered = counts.Where(count => count.Outcome == Outcome.Delivered).Sum(count => count.Count),
            DeadLetters = counts.Where(count => count.Outcome == Outcome.Refused).Sum(count => count.Count),
            Shed = counts.Where(count => count.Outcome == Outcome.Shed).Sum(count => count.Count),
            Missing = counts.Where(count => count.Outcome == Outcome.Missing).Sum(count => count.Count),
            LastSuccess = view?.LastSuccess ?? kept?.LastSuccess,
            LastError = status.Failure ?? view?.LastError,
            LastErrorAt = view?.LastErrorAt,
            Canary = canary,
        };
    }
}

/// <summary>An alarm that is open.</summary>
sealed record AlarmReport(string Kind, string Subject, string Severity, DateTimeOffset Opened, string Text);

/// <summary>The archive.</summary>
sealed record ArchiveReport(string Location, string State, long SealedTo, long BehindEvents, string? LastError, DateTimeOffset? FailingSince, CanaryReport? Canary);

/// <summary>The journal.</summary>
sealed record JournalReport(string State, long End, long Bytes, long BytesMax, string? LastError);

/// <summary>Canaries of all sources to one destination.</summary>
/// <param name="Paths">Sources that have canaries there.</param>
/// <param name="Confirmed">When one last came back.</param>
/// <param name="LatencySeconds">The longest of the last round trips.</param>
/// <param name="WaitingSince">When the oldest that is not back was sent.</param>
/// <param name="Overdue">Sources whose canaries are not back in time.</param>
sealed record CanaryReport(int Paths, DateTimeOffset? Confirmed, double? LatencySeconds, DateTimeOffset? WaitingSince, IReadOnlyList<string> Overdue);

[JsonSerializable(typeof(StatusReport))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull)]
sealed partial class StatusJson : JsonSerializerContext;
