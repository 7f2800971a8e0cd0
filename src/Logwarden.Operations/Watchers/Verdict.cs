namespace Logwarden.Watchers;

/// <summary>What is wrong with the events of a source, from the least to the most urgent.</summary>
public enum Verdict
{
    /// <summary>Nothing.</summary>
    Ok = 0,

    /// <summary>Less comes than usual, of everything.</summary>
    Quiet = 1,

    /// <summary>Something that usually comes does not, while the rest goes on.</summary>
    Partial = 2,

    /// <summary>Events arrive long after they happened.</summary>
    Late = 3,

    /// <summary>The times of events are wrong: ahead of us, or moved from one moment to the next.</summary>
    ClockSkewed = 4,

    /// <summary>Nothing comes, for longer than is usual by any measure.</summary>
    Dead = 5,

    /// <summary>It was registered and has never sent anything.</summary>
    NeverSent = 6,

    /// <summary>The source counts what it sends, and numbers are missing. Only in gap records.</summary>
    SequenceGap = 7,

    /// <summary>We were not running. Only in gap records.</summary>
    NotWatched = 8,
}

/// <summary>Verdicts as they are written.</summary>
public static class VerdictText
{
    /// <summary>The word for a verdict.</summary>
    public static string Name(this Verdict verdict) => verdict switch
    {
        Verdict.Quiet => "quiet",
        Verdict.Partial => "partial",
        Verdict.Late => "late",
        Verdict.ClockSkewed => "clock-skewed",
        Verdict.Dead => "dead",
        Verdict.NeverSent => "never-sent",
        Verdict.SequenceGap => "sequence-gap",
        Verdict.NotWatched => "not-watched",
        _ => "ok",
    };
}
