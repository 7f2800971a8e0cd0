using Logwarden.Archive;
using Logwarden.Policy;

namespace Logwarden.Retention;

/// <summary>Why something is kept.</summary>
public enum TermKind
{
    /// <summary>The tier of its class (RET-1 to RET-4).</summary>
    Class = 0,

    /// <summary>A line of the records retention schedule (RET-7).</summary>
    Schedule = 1,

    /// <summary>A customer's contract (RET-6).</summary>
    Contract = 2,

    /// <summary>A law or a regulatory regime (RET-6).</summary>
    Regulation = 3,

    /// <summary>Time to look at what came late: the class's hot period from the seal on.</summary>
    Review = 4,
}

/// <summary>One reason to keep something, and until when.</summary>
/// <param name="Kind">What kind of reason.</param>
/// <param name="Name">Which: a clause, a type of record, a contract.</param>
/// <param name="Keep">How long, as the policy writes it.</param>
/// <param name="From">Counted from.</param>
/// <param name="Until">Until then.</param>
public sealed record RetentionTerm(TermKind Kind, string Name, string Keep, DateTime From, DateTime Until)
{
    /// <summary>A term of a period.</summary>
    public static RetentionTerm Of(TermKind kind, string name, Period keep, DateTimeOffset from) =>
        new(kind, name, keep.ToString(), from.UtcDateTime, keep.AddTo(from).UtcDateTime);
}

/// <summary>How long something is kept: the longest of all reasons.</summary>
/// <param name="Terms">The reasons, in the order class, schedule, requirements, review. Never empty.</param>
public sealed record Reckoning(IReadOnlyList<RetentionTerm> Terms)
{
    /// <summary>The term that governs: the one that ends last; of several that end together, the first.</summary>
    public RetentionTerm Governing => Terms.Aggregate((longest, term) => term.Until > longest.Until ? term : longest);

    /// <summary>Until then it is kept. Moved up to the whole second, as locks are.</summary>
    public DateTimeOffset Until => new BlobLock(LockMode.Governance, new(Governing.Until, TimeSpan.Zero), legalHold: false).RetainUntil;
}

/// <summary>
/// Reckons how long a policy keeps events (RET-1 to RET-7): the longest of the class's tier, the lines of the retention schedule of the class, and the contracts and
/// regulations that apply. All are counted from the time of the event in calendar months and days (<see cref="Period"/>); for an object, from the latest of its events.
/// <para>
/// Senders choose the times of their events, and must not choose how long those are kept: an event of more than a day behind the seal counts as one of the next day, and
/// nothing is kept shorter than the class's hot period from the seal on. Legal holds have no end: they are kept apart, and looked at before anything is deleted.
/// </para>
/// Immutable and thread-safe.
/// </summary>
/// <param name="policy">The policy.</param>
public sealed class RetentionRules(PolicySnapshot policy)
{
    /// <summary>What came so late that its hot time was over is at hand for as long as this after its seal.</summary>
    public static TimeSpan LateHotMin { get; } = TimeSpan.FromDays(7);

    /// <summary>The policy.</summary>
    public PolicySnapshot Policy => policy;

    /// <summary>Tells which requirements with a predicate apply to an event.</summary>
    public RequirementMatcher Matcher { get; } = new(policy);

    /// <summary>How long an object is kept.</summary>
    /// <param name="class">Class of its events.</param>
    /// <param name="latestEvent">The latest of their times, as they say.</param>
    /// <param name="sealedAt">When it was sealed.</param>
    /// <param name="matched">Requirements with a predicate that one of the events matches; those of the whole class need not be in it.</param>
    public Reckoning Reckon(string @class, DateTimeOffset latestEvent, DateTimeOffset sealedAt, RequirementSet matched)
    {
        var tier = policy.Class(@class);
        var from = Counted(latestEvent, sealedAt);
        var terms = new List<RetentionTerm> { RetentionTerm.Of(TermKind.Class, $"{tier.Name} ({tier.Clause})", tier.Total, from) };
        foreach (var line in policy.RetentionSchedule)
            if (string.Equals(line.Class, @class, StringComparison.Ordinal)) terms.Add(RetentionTerm.Of(TermKind.Schedule, line.Record, line.Keep, from));
        var applies = Matcher.Always(@class).With(matched);
        for (var i = 0; i < policy.Requirements.Count; i++)
            if (applies.Has(i)) terms.Add(TermOf(policy.Requirements[i], from));
        terms.Add(RetentionTerm.Of(TermKind.Review, "hot time from the seal", tier.Hot, sealedAt));
        return new(terms);
    }

    /// <summary>The same for a sealed segment.</summary>
    public Reckoning Reckon(SealedSegment segment, DateTimeOffset sealedAt, RequirementSet matched) =>
        Reckon(segment.Class, SegmentCutter.TimeOf(segment.MaxTime), sealedAt, matched);

    /// <summary>Until when those requirements alone keep an object.</summary>
    /// <returns>The first moment of all when there are none.</returns>
    public DateTimeOffset Until(RequirementSet matched, DateTimeOffset latestEvent, DateTimeOffset sealedAt)
    {
        var (until, from) = (DateTimeOffset.MinValue, Counted(latestEvent, sealedAt));
        for (var i = 0; i < policy.Requirements.Count; i++)
            if (matched.Has(i) && policy.Requirements[i].Keep.AddTo(from) is var end && end > until) until = end;
        return until;
    }

    /// <summary>Those of the requirements with a predicate that could keep an object beyond a moment, should one of its events match: whether it must be read at all.</summary>
    public RequirementSet Undecided(SealedSegment segment, DateTimeOffset sealedAt, DateTimeOffset beyond)
    {
        var (open, sometimes) = (0UL, Matcher.Sometimes(segment.Class));
        var from = Counted(SegmentCutter.TimeOf(segment.MaxTime), sealedAt);
        for (var i = 0; i < policy.Requirements.Count; i++)
            if (sometimes.Has(i) && policy.Requirements[i].Keep.AddTo(from) > beyond) open |= 1UL << i;
        return new(open);
    }

    /// <summary>Until when an object is in the hot store: the class's hot period from its latest event; what came late, at least <see cref="LateHotMin"/> from its seal.</summary>
    public DateTimeOffset HotUntil(SealedSegment segment, DateTimeOffset sealedAt)
    {
        var until = policy.Class(segment.Class).Hot.AddTo(Counted(SegmentCutter.TimeOf(segment.MaxTime), sealedAt));
        return until > sealedAt + LateHotMin ? until : sealedAt + LateHotMin;
    }

    /// <summary>The time that retention is counted from.</summary>
    public static DateTimeOffset Counted(DateTimeOffset latestEvent, DateTimeOffset sealedAt) => latestEvent > sealedAt.AddDays(1) ? sealedAt.AddDays(1) : latestEvent;

    static RetentionTerm TermOf(RetentionRequirement one, DateTimeOffset from) =>
        RetentionTerm.Of(one.Kind is RequirementKind.Regulation ? TermKind.Regulation : TermKind.Contract, one.Name, one.Keep, from);
}
