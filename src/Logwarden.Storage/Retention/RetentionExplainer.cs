using System.Text;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>All that there is to know about how long something is kept.</summary>
public sealed record RetentionExplanation
{
    /// <summary>The segment, or the one that the event is in.</summary>
    public required SealedSegment Segment { get; init; }

    /// <summary>Number of the seal that names it.</summary>
    public required long Seal { get; init; }

    /// <summary>When it was sealed.</summary>
    public required DateTimeOffset SealedAt { get; init; }

    /// <summary>Time of the event that was asked for; null when a segment was.</summary>
    public DateTimeOffset? EventTime { get; init; }

    /// <summary>The reckoning by the policy in force; that of the deletion record when the segment was deleted.</summary>
    public required Reckoning Reckoning { get; init; }

    /// <summary>False when its events could not be read to see which requirements apply to them.</summary>
    public required bool IsComplete { get; init; }

    /// <summary>What protects it in the archive now; null when it is not there.</summary>
    public BlobHead? Lock { get; init; }

    /// <summary>Versions that the archive has of it, delete markers too.</summary>
    public int Versions { get; init; }

    /// <summary>Number of the deletion record that names it; null when none does.</summary>
    public long? Deletion { get; init; }

    /// <summary>When its deletion was decided.</summary>
    public DateTimeOffset? Deleted { get; init; }

    /// <summary>Until when it is hot.</summary>
    public required DateTimeOffset HotUntil { get; init; }

    /// <summary>Whether it lies in the hot folder now.</summary>
    public required bool IsHot { get; init; }

    /// <summary>Legal holds that are on it.</summary>
    public required IReadOnlyList<string> Holds { get; init; }

    /// <summary>Who needs it in the hot folder; null when nobody does.</summary>
    public string? NeededBy { get; init; }

    /// <summary>Until when it was restored; null when it was not.</summary>
    public DateTimeOffset? RestoredUntil { get; init; }

    /// <summary>Whether a hold keeps it, known by name or told by the archive.</summary>
    public bool IsHeld => Holds.Count > 0 || Lock is { LegalHold: true };

    /// <summary>Until when it is kept in the archive, holds apart: the latest of the reckoning, the lock that it was sealed with, and the lock that it has.</summary>
    public DateTimeOffset ColdUntil
    {
        get
        {
            var until = Reckoning.Until.UtcDateTime > Segment.RetainUntil ? Reckoning.Until : new DateTimeOffset(Segment.RetainUntil);
            return Lock?.RetainUntil > until ? Lock.RetainUntil.Value : until;
        }
    }
}

/// <summary>Explains how long an event or a segment is kept, from the archive and the policy in force. Changes nothing.</summary>
/// <param name="options">Folder, policy, and whom to ask.</param>
/// <param name="store">The archive.</param>
/// <param name="keys">Keys that are trusted to sign it.</param>
public sealed class RetentionExplainer(RetentionOptions options, IBlobStore store, IReadOnlyList<VerifierKey> keys)
{
    /// <summary>Explains.</summary>
    /// <param name="target">Id of an event, or path of a segment: its key, or where it lies in the hot folder.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Null when nothing that is sealed is of that name.</returns>
    /// <exception cref="ArchiveRolledBackException">The seals are no chain.</exception>
    public async ValueTask<RetentionExplanation?> Explain(string target, CancellationToken cancel)
    {
        var path = KeyOf(target);
        var candidates = new List<(SealedSegment Segment, SealHeader Seal)>();
        await foreach (var seal in new SealWalk(store, keys).From(0, cancel))
        {
            foreach (var segment in seal.Record.Segments)
                if (path is null || string.Equals(segment.Path, path, StringComparison.Ordinal)) candidates.Add((segment, seal.Record.Header));
        }
        var deletions = await DeletionLog.Read(store, keys, 0, cancel);
        // The newest first, and what is at hand before what has to be fetched.
        candidates.Reverse();
        var id = Encoding.UTF8.GetBytes(target);
        foreach (var (segment, seal) in candidates.Where(one => IsHot(one.Segment)).Concat(candidates.Where(one => !IsHot(one.Segment))))
        {
            if (path is not null) return await Explain(segment, seal, null, deletions, cancel);
            if (deletions.Of(segment.Path) is null && await TimeOf(segment, id, cancel) is { } time) return await Explain(segment, seal, time, deletions, cancel);
        }
        return null;
    }

    async ValueTask<RetentionExplanation> Explain(SealedSegment segment, SealHeader seal, DateTimeOffset? eventTime, DeletionLog deletions, CancellationToken cancel)
    {
        var rules = options.Rules;
        var sealedAt = new DateTimeOffset(seal.Sealed);
        var there = await SegmentObject.Look(store, segment, cancel);
        var deleted = deletions.Of(segment.Path);
        var record = deleted is { } named ? deletions.Records.Single(one => one.Number == named.Number) : null;
        var (matched, isComplete) = deleted is null ? await Matched(segment, cancel) : (default, true);
        return new()
        {
            Segment = segment,
            Seal = seal.Number,
            SealedAt = sealedAt,
            EventTime = eventTime,
            Reckoning = deleted is { } told ? new(told.Segment.Terms) : rules.Reckon(segment, sealedAt, matched),
            IsComplete = isComplete,
            Lock = there.Heads.Select(one => one.Head).MaxBy(head => head.RetainUntil),
            Versions = there.Versions.Count,
            Deletion = deleted?.Number,
            Deleted = record is null ? null : new DateTimeOffset(record.Record.Header.Decided),
            HotUntil = rules.HotUntil(segment, sealedAt),
            IsHot = IsHot(segment),
            Holds = options.HoldsOf(segment),
            NeededBy = IsHot(segment) ? options.NeededBy(segment) : null,
            RestoredUntil = options.RestoredUntil(segment),
        };
    }

    async ValueTask<(RequirementSet Matched, bool IsComplete)> Matched(SealedSegment segment, CancellationToken cancel)
    {
        var among = options.Rules.Matcher.Sometimes(segment.Class);
        if (among.IsEmpty) return (default, true);
        using var rows = await SegmentFiles.Open(store, segment, Local(segment), cancel);
        return rows is not null && SegmentObject.Match(rows, segment, options.Rules.Matcher, among, leaf: null, out var matched) ? (matched, true) : (default, false);
    }

    async ValueTask<DateTimeOffset?> TimeOf(SealedSegment segment, byte[] id, CancellationToken cancel)
    {
        using var reader = await SegmentFiles.Open(store, segment, Local(segment), cancel);
        return reader is not null && reader.Find(id) && EventEncoding.TryRead(reader.Event, out var e) ? SegmentCutter.TimeOf(e.TimeMicros) : null;
    }

    bool IsHot(SealedSegment segment) => File.Exists(Path.Combine(options.HotDirectory, segment.Path));

    Dictionary<string, string> Local(SealedSegment segment) =>
        IsHot(segment) ? new(StringComparer.Ordinal) { [segment.Path] = Path.Combine(options.HotDirectory, segment.Path) } : new(StringComparer.Ordinal);

    // An event's id has no slash; a path has, and may be given with what stands before it.
    static string? KeyOf(string target)
    {
        if (!target.Contains('/', StringComparison.Ordinal)) return null;
        var at = target.LastIndexOf(ArchiveLayout.Segments, StringComparison.Ordinal);
        return at >= 0 ? target[at..] : ArchiveLayout.Segments + target;
    }
}
