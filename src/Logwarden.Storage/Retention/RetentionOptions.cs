using Logwarden.Archive;

namespace Logwarden.Retention;

/// <summary>What a run of retention works on, and whom it asks.</summary>
public sealed record RetentionOptions
{
    /// <summary>The data directory; <c>hot/segments/</c> and <c>state/</c> in it are used.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>The policy in force.</summary>
    public required RetentionRules Rules { get; init; }

    /// <summary>Names of the legal holds that are on a segment now. What is held is not deleted, whatever else is over. Default: none are known but those that the store tells.</summary>
    public Func<SealedSegment, IReadOnlyList<string>> HoldsOf { get; init; } = _ => [];

    /// <summary>Who still has to read a segment from the hot folder, such as a destination that is behind; null when nobody does.</summary>
    public Func<SealedSegment, string?> NeededBy { get; init; } = _ => null;

    /// <summary>Until when a segment that somebody had restored stays in the hot folder; null when nobody had.</summary>
    public Func<SealedSegment, DateTimeOffset?> RestoredUntil { get; init; } = _ => null;

    /// <summary>Is told what is done to the logs, so that it is kept among them. Called before the deletes that it tells of; told again when a crash came between.</summary>
    public Action<RetentionNotice> Tell { get; init; } = _ => { };

    /// <summary>Only says what it would do. Default false.</summary>
    public bool IsDryRun { get; init; }

    /// <summary>Segments in one deletion record, at most. Default 200: a note may have 1 MB.</summary>
    public int SegmentsPerRecordMax { get; init; } = 200;

    /// <summary>Called before and after each change of a local file; tests break the process here.</summary>
    internal Action<RetentionStep, bool>? Probe { get; init; }

    internal string HotDirectory => Path.Combine(DataDirectory, "hot");

    internal string StatePath => Path.Combine(DataDirectory, "state", "retention.json");

    internal void Step(RetentionStep step, Action change)
    {
        Probe?.Invoke(step, false);
        change();
        Probe?.Invoke(step, true);
    }
}

/// <summary>The local changes of a run.</summary>
enum RetentionStep
{
    /// <summary>How far it is, is written.</summary>
    WriteState,

    /// <summary>A segment file leaves the hot folder.</summary>
    EvictSegment,

    /// <summary>Its text index does.</summary>
    EvictIndex,

    /// <summary>It is told among the logs.</summary>
    Tell,
}

/// <summary>Something that retention did to the logs.</summary>
/// <param name="Action">What, as <c>noun.verb</c>.</param>
/// <param name="Object">To what: a key in the archive.</param>
/// <param name="Message">One sentence for people.</param>
/// <param name="IsFailure">Whether it could not be done.</param>
/// <param name="Details">What else is to be known.</param>
public sealed record RetentionNotice(string Action, string Object, string Message, bool IsFailure, IReadOnlyList<(string Name, string? Value)> Details);

/// <summary>What a run did, or would do, to one thing.</summary>
public enum RetentionActKind
{
    /// <summary>It left the hot folder; the archive has it.</summary>
    Evicted = 0,

    /// <summary>Its hot time is over, but it stays in the hot folder.</summary>
    EvictionPutOff = 1,

    /// <summary>It was deleted from the archive, and a deletion record says so.</summary>
    Expired = 2,

    /// <summary>Its retention is over, but a legal hold is on it.</summary>
    Held = 3,

    /// <summary>Its lock was made longer.</summary>
    Extended = 4,

    /// <summary>The store refused, or what it holds is not what was sealed: it was left as it is.</summary>
    Refused = 5,

    /// <summary>It is gone, and no deletion record says why.</summary>
    Missing = 6,
}

/// <summary>One line of what a run did.</summary>
/// <param name="Kind">What.</param>
/// <param name="Path">Key.</param>
/// <param name="Rows">Events.</param>
/// <param name="Bytes">Size.</param>
/// <param name="What">A sentence for people.</param>
public sealed record RetentionAct(RetentionActKind Kind, string Path, int Rows, long Bytes, string What)
{
    internal static RetentionAct Of(RetentionActKind kind, SealedSegment segment, string what) => new(kind, segment.Path, segment.Rows, segment.Bytes, what);
}

/// <summary>What a run did.</summary>
/// <param name="Acts">Line by line.</param>
/// <param name="Deletions">Numbers of the deletion records that it wrote.</param>
public sealed record RetentionReport(IReadOnlyList<RetentionAct> Acts, IReadOnlyList<long> Deletions)
{
    /// <summary>How many lines are of a kind.</summary>
    public int Count(RetentionActKind kind) => Acts.Count(act => act.Kind == kind);

    /// <summary>Whether everything that was due was done, and nothing is missing. A hold, and a copy that somebody needs, are no failure.</summary>
    public bool IsDone => Count(RetentionActKind.Refused) == 0 && Count(RetentionActKind.Missing) == 0;
}
