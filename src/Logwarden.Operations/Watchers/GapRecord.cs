namespace Logwarden.Watchers;

/// <summary>A time in which the logs of a source were, or may have been, incomplete.</summary>
/// <param name="Number">Number in the list of all gaps.</param>
/// <param name="Source">Id of the source; <c>logwarden</c> when we were not running ourselves.</param>
/// <param name="Verdict">What was wrong.</param>
/// <param name="From">Since when: of a dead source the last arrival, of a part that was missing its last arrival.</param>
/// <param name="To">Until when; null while it goes on.</param>
public sealed record GapRecord(long Number, string Source, Verdict Verdict, DateTimeOffset From, DateTimeOffset? To)
{
    /// <summary>What was seen, for people.</summary>
    public string Detail { get; init; } = "";

    /// <summary>What depends on the events that are missing.</summary>
    public BlastRadius Radius { get; init; } = BlastRadius.Nothing;

    /// <summary>Events of that time that arrived when it was over.</summary>
    public long Late { get; init; }

    /// <summary>When the last of them arrived; null when none did.</summary>
    public DateTimeOffset? LastLate { get; init; }
}
