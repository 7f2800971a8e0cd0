using System.Globalization;
using Logwarden.Archive;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>What there is of one class and month of event time.</summary>
/// <param name="Class">Class.</param>
/// <param name="Month">Month, as <c>2028-02</c>.</param>
public sealed record RetentionMonth(string Class, string Month)
{
    /// <summary>Events that were ever sealed.</summary>
    public long Events { get; init; }

    /// <summary>Bytes of their segments.</summary>
    public long Bytes { get; init; }

    /// <summary>Of the events, those in the hot folder.</summary>
    public long Hot { get; init; }

    /// <summary>Of the events, those in the archive.</summary>
    public long Cold { get; init; }

    /// <summary>Of those in the archive, those that a legal hold keeps.</summary>
    public long Held { get; init; }

    /// <summary>Of the events, those that were deleted as required.</summary>
    public long Expired { get; init; }

    /// <summary>Of the events, those that are neither in the archive nor deleted as required.</summary>
    public long Missing { get; init; }

    /// <summary>When the next segment's retention ends; null when none is there. In the past: by the next run.</summary>
    public DateTimeOffset? NextExpiry { get; init; }
}

/// <summary>Sums up what is kept, by class and month of event time. Changes nothing.</summary>
/// <param name="options">Folder, policy, and whom to ask.</param>
/// <param name="store">The archive.</param>
/// <param name="keys">Keys that are trusted to sign it.</param>
public sealed class RetentionSummary(RetentionOptions options, IBlobStore store, IReadOnlyList<VerifierKey> keys)
{
    const int LookAtOnce = 16;

    /// <summary>Sums up.</summary>
    /// <param name="month">One month only, as <c>2028-02</c>; null is all.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>By class, then month.</returns>
    /// <exception cref="ArchiveRolledBackException">Seals or deletion records are no chain.</exception>
    public async ValueTask<IReadOnlyList<RetentionMonth>> Make(string? month, CancellationToken cancel)
    {
        var months = new SortedDictionary<(string, string), RetentionMonth>();
        var present = new HotEviction(options, store, TimeProvider.System).Present();
        var deletions = await DeletionLog.Read(store, keys, 0, cancel);
        await foreach (var seal in new SealWalk(store, keys).From(0, cancel))
        {
            var sealedAt = new DateTimeOffset(seal.Record.Header.Sealed);
            var segments = seal.Record.Segments.Where(segment => month is null || string.Equals(MonthOf(segment), month, StringComparison.Ordinal)).ToArray();
            var heads = new IReadOnlyList<BlobHead>[segments.Length];
            await Parallel.ForAsync(0, segments.Length, new ParallelOptions { MaxDegreeOfParallelism = LookAtOnce, CancellationToken = cancel }, async (i, _) =>
                heads[i] = [.. (await SegmentObject.Look(store, segments[i], cancel)).Heads.Select(one => one.Head)]);
            for (var i = 0; i < segments.Length; i++)
            {
                var (segment, key) = (segments[i], (segments[i].Class, MonthOf(segments[i])));
                var known = months.GetValueOrDefault(key) ?? new(key.Class, key.Item2);
                months[key] = Add(known, segment, sealedAt, heads[i], present.Contains(segment.Path), deletions.Of(segment.Path) is not null);
            }
        }
        return [.. months.Values];
    }

    RetentionMonth Add(RetentionMonth sum, SealedSegment segment, DateTimeOffset sealedAt, IReadOnlyList<BlobHead> heads, bool isHot, bool isDeleted)
    {
        var isCold = heads.Count > 0;
        var isHeld = isCold && (heads.Any(head => head.LegalHold) || options.HoldsOf(segment).Count > 0);
        DateTimeOffset? ends = isCold ? Ends(segment, sealedAt, heads) : null;
        return sum with
        {
            Events = sum.Events + segment.Rows,
            Bytes = sum.Bytes + segment.Bytes,
            Hot = sum.Hot + (isHot ? segment.Rows : 0),
            Cold = sum.Cold + (isCold ? segment.Rows : 0),
            Held = sum.Held + (isHeld ? segment.Rows : 0),
            Expired = sum.Expired + (!isCold && isDeleted ? segment.Rows : 0),
            Missing = sum.Missing + (!isCold && !isDeleted ? segment.Rows : 0),
            NextExpiry = ends is null || sum.NextExpiry < ends ? sum.NextExpiry : ends,
        };
    }

    DateTimeOffset Ends(SealedSegment segment, DateTimeOffset sealedAt, IReadOnlyList<BlobHead> heads)
    {
        var reckoned = options.Rules.Reckon(segment, sealedAt, default).Until;
        var sealedUntil = new DateTimeOffset(segment.RetainUntil);
        var locked = heads.Max(head => head.RetainUntil) ?? DateTimeOffset.MinValue;
        return new[] { reckoned, sealedUntil, locked }.Max();
    }

    static string MonthOf(SealedSegment segment) => SegmentCutter.TimeOf(segment.MaxTime).ToString("yyyy-MM", CultureInfo.InvariantCulture);
}
