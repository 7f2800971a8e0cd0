using Logwarden.Policy;

namespace Logwarden.Archive;

/// <summary>How long an object that holds events of a class is locked, by the latest of their event times.</summary>
/// <param name="class">Policy class.</param>
/// <param name="latestEvent">Time of the latest event in the object, as the event says. It may be far off: a wrong clock made it.</param>
public delegate BlobLock RetentionRule(string @class, DateTimeOffset latestEvent);

/// <summary>Requirements of single events, found while a segment is cut.</summary>
/// <param name="Matcher">Which events.</param>
/// <param name="Until">Until when those that match ask to keep an object, by the latest of its event times.</param>
public sealed record SegmentRequirements(RequirementMatcher Matcher, Func<RequirementSet, DateTimeOffset, DateTimeOffset> Until);

/// <summary>Where and how an installation seals.</summary>
public sealed record SealerOptions
{
    /// <summary>The data directory; the sealer uses <c>hot/segments/</c> and <c>state/</c> in it.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Identity of the installation, such as <c>example.com/logwarden</c>; a class's log is <c>ORIGIN/CLASS</c>. Never changes.</summary>
    public required string Origin { get; init; }

    /// <summary>Retention by class and event time.</summary>
    public required RetentionRule Retention { get; init; }

    /// <summary>What asks for longer for some events of a class; a segment that has one of them is kept as long as it asks. Null where nothing does.</summary>
    public SegmentRequirements? Requirements { get; init; }

    /// <summary>The legal holds in force, asked for at the begin of each seal; null answers are no hold. What it throws keeps the seal from being made.</summary>
    public Func<HoldWatch?>? Holds { get; init; }

    /// <summary>Encoded events held in memory at once; what is beyond is cut into a segment. Default 48 MiB, at least 1 MiB.</summary>
    public long MemoryBytesMax { get; init; } = 48L << 20;

    /// <summary>Segments in one seal, at most; a seal that would have more ends early. Default 1000 (a note may have 1 MB).</summary>
    public int SegmentsMax { get; init; } = 1000;

    /// <summary>zstd level of the event column.</summary>
    public int CompressionLevel { get; init; } = Segments.SegmentWriter.DefaultLevel;

    /// <summary>Objects put at the same time. Default 8.</summary>
    public int ConcurrentPuts { get; init; } = 8;

    /// <summary>Called before and after each change of a local file; tests break the process here.</summary>
    internal Action<SealStep, bool>? Probe { get; init; }

    internal string StateDirectory => Path.Combine(DataDirectory, "state");

    internal string StagingDirectory => Path.Combine(StateDirectory, "sealing");

    internal string HotDirectory => Path.Combine(DataDirectory, "hot");

    internal string PlanPath => Path.Combine(StateDirectory, "seal-plan.json");

    internal string SealedPath => Path.Combine(StateDirectory, "sealed.note");

    internal void Step(SealStep step, Action change)
    {
        Probe?.Invoke(step, false);
        change();
        Probe?.Invoke(step, true);
    }
}

/// <summary>The local changes of a seal, in order.</summary>
enum SealStep
{
    /// <summary>A segment file is written into the staging folder.</summary>
    StageSegment,

    /// <summary>The plan is written: from here on the seal will be carried out.</summary>
    WritePlan,

    /// <summary>A segment file is moved into the hot folder.</summary>
    PublishSegment,

    /// <summary>The seal is recorded as done.</summary>
    RecordSeal,

    /// <summary>The plan is deleted.</summary>
    DeletePlan,
}

/// <summary>The archive holds less than this installation put there, or something else: it was rolled back, or is another's.</summary>
public sealed class ArchiveRolledBackException(string message) : IOException(message);
