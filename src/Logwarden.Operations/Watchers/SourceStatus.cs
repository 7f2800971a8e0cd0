namespace Logwarden.Watchers;

/// <summary>A source that is to be watched.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Created">When it was registered.</param>
/// <param name="SilenceMax">Silence that is an alarm whatever was learned; null leaves it to what is learned, see <see cref="WatchOptions.SilenceMaxUnlearned"/>.</param>
public sealed record WatchedSource(string Id, DateTimeOffset Created, TimeSpan? SilenceMax);

/// <summary>How a source goes.</summary>
/// <param name="Source">Its id.</param>
public sealed record SourceStatus(string Source)
{
    /// <summary>What is wrong; <see cref="Verdict.Ok"/> when nothing is.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Since when; null when nothing is.</summary>
    public DateTimeOffset? Since { get; init; }

    /// <summary>Events in the last full hour.</summary>
    public long EventsLastHour { get; init; }

    /// <summary>Usual events an hour at this time of the week; null before it is learned.</summary>
    public double? UsualPerHour { get; init; }

    /// <summary>Time of the event that arrived last; null when none did.</summary>
    public DateTimeOffset? LastEvent { get; init; }

    /// <summary>When it arrived.</summary>
    public DateTimeOffset? LastArrival { get; init; }

    /// <summary>95% of the events of the last full hour with events arrived within this time, rounded up to a power of two of seconds; null before there was one.</summary>
    public TimeSpan? Lag { get; init; }

    /// <summary>Whether its rhythm is trusted.</summary>
    public bool IsLearned { get; init; }

    /// <summary>If it died now: how long after its last event that is told. Null when it never sent anything.</summary>
    public TimeSpan? TimeToDetect { get; init; }

    /// <summary>What it sends.</summary>
    public IReadOnlyList<SourcePart> Parts { get; init; } = [];
}
