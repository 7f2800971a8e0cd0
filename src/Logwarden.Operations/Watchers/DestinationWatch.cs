using System.Globalization;
using Logwarden.Events;

namespace Logwarden.Watchers;

/// <summary>How a destination, the archive or the journal fares, as far as alarms go.</summary>
/// <param name="Name">Name of the destination; <c>archive</c>, <c>journal</c>.</param>
public sealed record DestinationHealth(string Name)
{
    /// <summary>What somebody has to put right before anything more is taken: credentials, a quota, a setting. Null when it is nothing.</summary>
    public string? Blocked { get; init; }

    /// <summary>Since when every attempt failed; null while all is well.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>What it last said.</summary>
    public string? LastError { get; init; }

    /// <summary>When the oldest event that waits for it was accepted; null when none does.</summary>
    public DateTimeOffset? WaitingSince { get; init; }

    /// <summary>Sources whose canaries were sent in time and did not come back in time.</summary>
    public IReadOnlyList<string> OverdueCanaries { get; init; } = [];

    /// <summary>When it last took something.</summary>
    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>Whether somebody stopped it on purpose: then it is not an alarm that nothing goes there.</summary>
    public bool IsPaused { get; init; }
}

/// <summary>
/// Raises the alarm of a destination when ingestion stops there unexpectedly, and clears it when it goes on (PRO-4): at once when it is blocked, since only a person can help; after the
/// policy's <c>alerts.ingestion_stop.after</c> when it fails, does not take what waits, or does not give back canaries. A decision over what it is given and the time; no clock, no I/O but the book.
/// </summary>
public sealed class DestinationWatch(AlarmBook alarms)
{
    /// <summary>Kind of its alarms.</summary>
    public const string Kind = "destination";

    /// <summary>Looks at all of them.</summary>
    /// <param name="all">How they fare. One that is not in the list any more has no alarm.</param>
    /// <param name="patience">The policy's limit.</param>
    /// <param name="severity">Its severity.</param>
    /// <param name="now">Now.</param>
    public void Step(IReadOnlyList<DestinationHealth> all, TimeSpan patience, string severity, DateTimeOffset now)
    {
        foreach (var one in all)
        {
            if (Wrong(one, patience, now) is { } wrong) alarms.Raise(Kind, one.Name, severity, $"{wrong} {Todo(one)}", Evidence(one));
            else alarms.Clear(Kind, one.Name);
        }
        foreach (var open in alarms.Open)
        {
            if (string.Equals(open.Kind, Kind, StringComparison.Ordinal) && all.All(one => !string.Equals(one.Name, open.Subject, StringComparison.Ordinal))) alarms.Clear(Kind, open.Subject);
        }
    }

    static string? Wrong(DestinationHealth one, TimeSpan patience, DateTimeOffset now)
    {
        if (one.IsPaused) return null;
        if (one.Blocked is not null) return $"{one.Name} takes nothing until somebody puts this right: {one.Blocked}.";
        if (now - one.FailingSince > patience) return $"{one.Name} has taken nothing since {Time(one.FailingSince!.Value)}: {one.LastError}.";
        if (now - one.WaitingSince > patience) return $"{one.Name} is behind: an event of {Time(one.WaitingSince!.Value)} has not arrived yet.";
        return one.OverdueCanaries.Count > 0 ? $"Canaries from {string.Join(", ", one.OverdueCanaries)} did not arrive at {one.Name} in time, though it says that all is well." : null;
    }

    static string Todo(DestinationHealth one) => one.Name switch
    {
        "archive" => "Nothing acknowledged is lost: it waits in the journal, which fills. Look at the archive and at `logwarden status`.",
        "journal" => "Sources are told to wait. Make room on the disk or put the archive right; `logwarden status` tells how much is left.",
        _ => $"Nothing is lost: it goes on where it was. Look at `logwarden status` and change its settings with `logwarden destination set {one.Name} …` if need be.",
    };

    static AlarmFact[] Evidence(DestinationHealth one)
    {
        (string Name, string? Value)[] facts =
        [
            ("last_success", one.LastSuccess is { } success ? Time(success) : "never"),
            ("last_error", one.LastError),
            ("failing_since", one.FailingSince is { } since ? Time(since) : null),
            ("waiting_since", one.WaitingSince is { } waiting ? Time(waiting) : null),
            ("overdue_canaries", one.OverdueCanaries.Count == 0 ? null : one.OverdueCanaries.Count.ToString(CultureInfo.InvariantCulture)),
        ];
        return [.. facts.Where(fact => fact.Value is not null).Select(fact => new AlarmFact(fact.Name, fact.Value!))];
    }

    static string Time(DateTimeOffset time) => EventJson.Micros(UnixMicros.Of(time));
}
