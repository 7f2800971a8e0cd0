using Logwarden.Archive;

namespace Logwarden.Retention;

/// <summary>
/// Makes locks longer where the policy in force keeps something longer than it was sealed for, and keeps locked what proves it. Never makes one shorter: what is locked
/// stays as it is, whatever the policy says later. May be repeated at any point.
/// </summary>
sealed class LockExtension(RetentionOptions options, IBlobStore store, TimeProvider time)
{
    /// <summary>What proves live events is locked again when its lock ends in less than this. A run each day meets it many times over.</summary>
    public static TimeSpan ProofMargin { get; } = TimeSpan.FromDays(31);

    /// <summary>Until when a segment is to be kept by the policy in force; null when its events had to be read for that, and could not be.</summary>
    public async ValueTask<DateTimeOffset?> Wanted(SealedSegment segment, DateTimeOffset sealedAt, CancellationToken cancel)
    {
        var rules = options.Rules;
        var plain = rules.Reckon(segment, sealedAt, default).Until;
        var known = plain.UtcDateTime > segment.RetainUntil ? plain : new DateTimeOffset(segment.RetainUntil);
        // Only where a contract or a law would keep it beyond all that is known already does it matter which events are in it.
        var undecided = rules.Undecided(segment, sealedAt, known > time.GetUtcNow() ? known : time.GetUtcNow());
        if (undecided.IsEmpty) return plain;
        var local = Path.Combine(options.HotDirectory, segment.Path);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        if (File.Exists(local)) files[segment.Path] = local;
        using var rows = await SegmentFiles.Open(store, segment, files, cancel);
        return rows is not null && SegmentObject.Match(rows, segment, rules.Matcher, undecided, leaf: null, out var matched) ? rules.Reckon(segment, sealedAt, matched).Until : null;
    }

    /// <summary>Whether the lock of a segment ends before that date, and of which versions.</summary>
    /// <returns>Nothing to do when both are null; only what still exists is extended.</returns>
    public async ValueTask<(LockPlan? Plan, RetentionAct? Refused)> Plan(SealedSegment segment, DateTimeOffset until, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (until <= now) return (null, null);
        var there = await SegmentObject.Look(store, segment, cancel);
        if (!there.IsThere || there.Heads.All(one => one.Head.RetainUntil >= until)) return (null, null);
        var right = await there.Right(store, now, cancel);
        if (right.Count == 0) return (null, RetentionAct.Of(RetentionActKind.Refused, segment, "What the archive has is not what was sealed, so its lock was not made longer; run `logwarden verify`."));
        var due = right.Where(one => !(one.Head.RetainUntil >= until)).ToList();
        return due.Count == 0 ? (null, null) : (new(segment, until, there.LockedUntil, due), null);
    }

    /// <summary>Makes the locks longer.</summary>
    public async ValueTask<RetentionAct> CarryOut(LockPlan plan, CancellationToken cancel)
    {
        var (segment, until) = (plan.Segment, plan.Until);
        try
        {
            foreach (var (version, head) in options.IsDryRun ? [] : plan.Versions)
                await store.Protect(segment.Path, version.VersionId, head.Raised(new(head.Mode ?? segment.Mode, until, legalHold: false)), cancel);
        }
        catch (BlobLockedException refused)
        {
            return RetentionAct.Of(RetentionActKind.Refused, segment, $"Its lock was to be made longer, until {until.UtcDateTime:u}, and was not: {refused.Message}.");
        }
        return RetentionAct.Of(RetentionActKind.Extended, segment, plan.What);
    }

    /// <summary>Keeps what proves a class locked as long as any of its events is kept.</summary>
    /// <param name="prefixes">Where it lies.</param>
    /// <param name="until">Until when.</param>
    /// <param name="all">Whether all locks that end before are made longer; false: those that end soon.</param>
    /// <param name="tell">Is called before the first lock is changed.</param>
    /// <param name="acts">What was done is added.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The first moment at which one of the locks ends; the last moment of all when there are none.</returns>
    public async ValueTask<DateTimeOffset> ExtendProofs(IReadOnlyList<string> prefixes, DateTimeOffset until, bool all, Action<string, string> tell, List<RetentionAct> acts, CancellationToken cancel)
    {
        var soon = time.GetUtcNow() + ProofMargin;
        var first = DateTimeOffset.MaxValue;
        var (count, refused) = (0, (BlobLockedException?)null);
        var what = string.Join(" and ", prefixes);
        foreach (var prefix in prefixes)
        {
            await foreach (var version in store.List(prefix, cancel))
            {
                // What has no lock is not ours.
                if (version.IsDeleteMarker || await store.Head(version.Key, version.VersionId, cancel) is not { Mode: { } mode, RetainUntil: { } end } head) continue;
                if (end < until && (all || end < soon))
                {
                    if (count == 0 && refused is null) tell(what, $"Objects there prove events that are kept; their locks are made longer, until {until.UtcDateTime:u}.");
                    try
                    {
                        if (!options.IsDryRun) await store.Protect(version.Key, version.VersionId, head.Raised(new(mode, until, legalHold: false)), cancel);
                        (count, end) = (count + 1, until);
                    }
                    catch (BlobLockedException no)
                    {
                        refused = no;
                    }
                }
                if (end < first) first = end;
            }
        }
        if (count > 0) acts.Add(new(RetentionActKind.Extended, what, 0, 0, $"{count} objects there prove events that are kept; their locks end at {until.UtcDateTime:u}."));
        if (refused is not null) acts.Add(new(RetentionActKind.Refused, what, 0, 0, $"Objects there prove events that are kept, and their locks could not be made longer: {refused.Message}."));
        return first;
    }
}

/// <summary>A segment's lock that is to be made longer.</summary>
/// <param name="Segment">Which.</param>
/// <param name="Until">Until when.</param>
/// <param name="Before">Until when it is locked now.</param>
/// <param name="Versions">Versions that have the right bytes and a shorter lock.</param>
sealed record LockPlan(SealedSegment Segment, DateTimeOffset Until, DateTimeOffset? Before, IReadOnlyList<(BlobVersion Version, BlobHead Head)> Versions)
{
    public string What => $"Its lock ends at {Until.UtcDateTime:u} instead of {(Before is { } before ? before.UtcDateTime.ToString("u", System.Globalization.CultureInfo.InvariantCulture) : "never")}.";
}
