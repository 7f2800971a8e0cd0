using Logwarden.Archive;
using Logwarden.Hot;
using Logwarden.Journal;

namespace Logwarden.Retention;

/// <summary>
/// Takes segments out of the hot folder when their hot time is over (RET-5): only those that the archive provably has at that moment, or that it has deleted as required.
/// Not those that are held, that a reader still needs, or that somebody had restored for longer.
/// <para>
/// "Has" means: the object is there, its lock covers what was sealed, and its bytes are those that were sealed. The bytes are read unless nothing but a lock in compliance
/// mode could be in the way of changing them. The segment goes before its text index: a query that comes between finds neither, and an index without segment is
/// nobody's.
/// </para>
/// </summary>
/// <param name="options">Folder, policy, and whom to ask.</param>
/// <param name="store">The archive.</param>
/// <param name="time">Clock.</param>
public sealed class HotEviction(RetentionOptions options, IBlobStore store, TimeProvider time)
{
    /// <summary>Path of a segment in the hot folder.</summary>
    public string PathOf(SealedSegment segment) => Path.Combine(options.HotDirectory, segment.Path);

    /// <summary>Keys of what lies in the hot folder.</summary>
    public IReadOnlySet<string> Present()
    {
        var folder = Path.Combine(options.HotDirectory, "segments");
        if (!Directory.Exists(folder)) return new HashSet<string>(StringComparer.Ordinal);
        return Directory.EnumerateFiles(folder, "*.parquet", SearchOption.AllDirectories)
            .Select(path => Path.GetRelativePath(options.HotDirectory, path).Replace('\\', '/')).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Looks whether a segment is due, and whether it may go. Whoever then calls <see cref="Remove"/> does so at once: what the archive has is as of this moment.</summary>
    /// <param name="segment">A sealed segment that lies in the hot folder.</param>
    /// <param name="sealedAt">When it was sealed.</param>
    /// <param name="isDeleted">Whether the archive has deleted it as required: then it is due, and need not be there.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns><see cref="RetentionActKind.Evicted"/> when it may go, <see cref="RetentionActKind.EvictionPutOff"/> with the reason when it is due and may not; null when it is not due.</returns>
    /// <exception cref="IOException">The archive failed.</exception>
    public async ValueTask<RetentionAct?> Examine(SealedSegment segment, DateTimeOffset sealedAt, bool isDeleted, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var until = options.Rules.HotUntil(segment, sealedAt);
        if (until > now && !isDeleted) return null;
        if (options.HoldsOf(segment) is [var hold, ..]) return PutOff($"the legal hold {hold} is on it");
        if (options.NeededBy(segment) is { } reader) return PutOff($"{reader} has not read it yet");
        if (options.RestoredUntil(segment) is { } restored && restored > now) return PutOff($"it was restored until {restored.UtcDateTime:u}");
        if (!isDeleted && await WhyNotSafe(segment, now, cancel) is { } why) return PutOff(why);
        return RetentionAct.Of(RetentionActKind.Evicted, segment, isDeleted ? "The archive has deleted it as required." : $"Its hot time ended at {until.UtcDateTime:u}; the archive has it.");

        RetentionAct PutOff(string what) => RetentionAct.Of(RetentionActKind.EvictionPutOff, segment, $"Its hot time ended at {until.UtcDateTime:u}; it stays: {what}.");
    }

    // Read at this moment: what was there when it was sealed is not what counts.
    async ValueTask<string?> WhyNotSafe(SealedSegment segment, DateTimeOffset now, CancellationToken cancel)
    {
        var there = await SegmentObject.Look(store, segment, cancel);
        if (!there.IsThere) return "the archive does not have it; run `logwarden verify`";
        if (there.Versions[0].IsDeleteMarker) return "a delete marker hides it in the archive; run `logwarden verify`";
        if (there.IsHeld) return "a legal hold is on it in the archive";
        var right = await there.Right(store, now, cancel);
        if (right.Count == 0) return "what the archive has is not what was sealed; run `logwarden verify`";
        var wanted = new BlobLock(segment.Mode, new DateTimeOffset(segment.RetainUntil), legalHold: false);
        return right.Any(one => one.Head.Covers(wanted)) ? null : $"the archive does not keep it locked until {segment.RetainUntil:u}; run `logwarden verify`";
    }

    /// <summary>Takes it out of the hot folder. A query that reads it at this moment begins again without it.</summary>
    /// <exception cref="IOException">The disk failed; it may still be there.</exception>
    public void Remove(SealedSegment segment)
    {
        var path = PathOf(segment);
        var folder = Path.GetDirectoryName(path)!;
        options.Step(RetentionStep.EvictSegment, () =>
        {
            File.Delete(path);
            DurableFile.SyncDirectory(folder);
        });
        options.Step(RetentionStep.EvictIndex, () => File.Delete(TextIndexBuilder.PathOf(path)));
    }
}
