using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Retention;

/// <summary>
/// Deletes from the archive what is no longer kept. What goes are segments, with all versions and delete markers of theirs. Seals, checkpoints and tiles stay: they hold hashes only, and
/// what comes later is proved by them.
/// <para>
/// <b>The steps</b>, and what a crash after each leaves:
/// </para>
/// <list type="number">
/// <item>Each segment is looked at: no version is locked or held, the bytes are those that were sealed, every reason to keep it is over, and the hash of each of its events is in the tiles
/// that stay. <i>Crash:</i> nothing was done.</item>
/// <item>The signed deletion record is put, locked, under the next number. <i>Crash:</i> the next run finds the record and goes on with step 3. Which bytes it has is decided by the archive alone: a
/// put that failed and arrived all the same is found, one that did not arrive is decided anew.</item>
/// <item>It is told among the logs. <i>Crash:</i> it is told once more.</item>
/// <item>Each version is looked at once more and deleted. <i>Crash:</i> those that are left are deleted by the next run. What is held or locked meanwhile stays, and is tried again by each run.</item>
/// </list>
/// </summary>
sealed class Expiry(RetentionOptions options, IBlobStore store, SigningKey key, TimeProvider time, DeletionLog log)
{
    /// <summary>Why a segment that seems to be due is not deleted, or what is told of it in the record.</summary>
    public async ValueTask<(DeletedSegment? Deleted, RetentionAct? Act)> Examine(SealedSegment segment, SealHeader seal, LeafSource leaves, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        if (options.HoldsOf(segment) is [var hold, ..]) return Told(RetentionActKind.Held, $"Its retention is over, but the legal hold {hold} is on it.");
        var there = await SegmentObject.Look(store, segment, cancel);
        if (there.IsHeld) return Told(RetentionActKind.Held, "Its retention is over, but a legal hold is on it in the archive.");
        if (!there.IsThere) return Told(RetentionActKind.Missing, $"It is not there, and no deletion record says why; it had a lock until {segment.RetainUntil:u}. Run `logwarden verify`.");
        if (there.LockedUntil > now) return (null, null);
        await using var scratch = SegmentFiles.Scratch();
        var isRight = false;
        foreach (var (version, head) in there.Heads)
            if (head.Length == segment.Bytes && (isRight = await there.Read(store, version.VersionId, scratch, cancel))) break;
        if (!isRight) return Told(RetentionActKind.Refused, "What the archive has is not what was sealed. It is not deleted, for it is evidence; run `logwarden verify`.");
        var among = options.Rules.Matcher.Sometimes(segment.Class);
        var kept = await leaves.Of(segment, cancel);
        var isKept = true;
        using var rows = SegmentReader.Open(scratch);
        var isWhole = SegmentObject.Match(rows, segment, options.Rules.Matcher, among, (leaf, hash) => isKept = isKept && kept(leaf) == hash, out var matched);
        if (!isWhole || !isKept)
            return Told(RetentionActKind.Refused, "The tiles that would have to prove it do not have the hashes of its events. It is not deleted; run `logwarden verify`.");
        var reckoning = options.Rules.Reckon(segment, new(seal.Sealed), matched);
        if (reckoning.Until > now) return (null, null);
        return (new(segment.Path, segment.Class, segment.Sha256, segment.Bytes, segment.Rows, segment.FirstLeaf, segment.MinTime, segment.MaxTime, seal.Number, segment.RetainUntil,
            there.Versions.Count, reckoning.Terms, there.LockedUntil?.UtcDateTime), null);

        (DeletedSegment?, RetentionAct?) Told(RetentionActKind kind, string what) => (null, RetentionAct.Of(kind, segment, what));
    }

    /// <summary>Steps 2 and 3: from here on they will be deleted.</summary>
    public async ValueTask<Deletion> Record(IReadOnlyList<DeletedSegment> segments, Seal newest, LeafSource leaves, CancellationToken cancel)
    {
        var now = time.GetUtcNow();
        var policy = options.Rules.Policy;
        // The record is evidence of its own: kept as long as what administrators do, and as long as the seals that it explains.
        var until = policy.Class("security-audit").Total.AddTo(now).UtcDateTime;
        var header = new DeletionHeader(
            DeletionHeader.ThisVersion, newest.Record.Header.Origin, log.Next, log.Newest?.Sha256 ?? "", now.UtcDateTime, newest.Record.Header.Number, newest.Sha256,
            policy.Header.Version, policy.Sha256, until > newest.Record.Header.RetainUntil ? until : newest.Record.Header.RetainUntil, newest.Record.Header.Mode);
        var record = new DeletionRecord { Header = header, Segments = segments, Leaves = await leaves.NotInFullTiles(segments, cancel) };
        var note = SignedNote.Sign(record.ToText(), key);
        using var content = new MemoryStream(note, writable: false);
        // What somebody else put under its key stops nothing, as with seals.
        await store.PutOver(ArchiveLayout.Deletion(header.Number), content, new(header.Mode, new DateTimeOffset(header.RetainUntil), legalHold: false), cancel);
        var deletion = Deletion.TryOpen(note, header.Number, [key.Verifier], out var reason) ?? throw new InvalidDataException(reason);
        log.Add(deletion);
        return deletion;
    }

    /// <summary>Step 3.</summary>
    public void Tell(Deletion deletion)
    {
        var (header, segments) = (deletion.Record.Header, deletion.Record.Segments);
        options.Step(RetentionStep.Tell, () => options.Tell(new("retention.expire", ArchiveLayout.Deletion(header.Number),
            $"{segments.Count} segments with {segments.Sum(one => (long)one.Rows)} events are deleted from the archive: their retention is over.", IsFailure: false,
            [
                ("sha256", deletion.Sha256), ("decided", $"{header.Decided:O}"), ("policy_version", header.PolicyVersion), ("policy_sha256", header.PolicySha256),
                ("segments", $"{segments.Count}"), ("events", $"{segments.Sum(one => (long)one.Rows)}"), ("bytes", $"{segments.Sum(one => one.Bytes)}"),
                ("classes", string.Join(",", segments.Select(one => one.Class).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))),
                ("first", segments[0].Path), ("last", segments[^1].Path),
            ])));
    }

    /// <summary>Step 4, for one segment of a record.</summary>
    /// <returns>Whether it is gone, and what was done; null when it was gone already.</returns>
    public async ValueTask<(bool IsGone, RetentionAct? Act)> Delete(DeletedSegment deleted, long number, CancellationToken cancel)
    {
        var segment = new SealedSegment(
            deleted.Path, deleted.Class, deleted.Sha256, deleted.Bytes, deleted.Rows, deleted.FirstLeaf, deleted.MinTime, deleted.MaxTime, deleted.RetainUntil, LockMode.Governance, LegalHold: false);
        if (options.HoldsOf(segment) is [var hold, ..]) return Left(RetentionActKind.Held, $"Its retention is over, but the legal hold {hold} is on it.");
        // Right before: whatever is locked or held at this moment stays, all of it.
        var there = await SegmentObject.Look(store, segment, cancel);
        if (there.Versions.Count == 0) return (true, null);
        if (there.IsHeld) return Left(RetentionActKind.Held, "Its retention is over, but a legal hold is on it in the archive.");
        if (there.LockedUntil > time.GetUtcNow()) return Left(RetentionActKind.Held, $"Its retention is over, but the archive has it locked until {there.LockedUntil.Value.UtcDateTime:u}.");
        try
        {
            // The oldest first, so that what a crash leaves is still what a reader gets.
            foreach (var version in options.IsDryRun ? [] : there.Versions.Reverse()) await store.Delete(version.Key, version.VersionId, cancel);
        }
        catch (BlobLockedException refused)
        {
            return Left(RetentionActKind.Refused, $"Deletion record {number} names it, and the store did not delete it: {refused.Message}.");
        }
        return (true, RetentionAct.Of(RetentionActKind.Expired, segment, $"Its retention is over; deletion record {number} says why."));

        (bool, RetentionAct?) Left(RetentionActKind kind, string what) => (false, RetentionAct.Of(kind, segment, what));
    }
}

/// <summary>Leaf hashes as the tiles of an archive have them, checked against the signed roots where they are not locked.</summary>
sealed class LeafSource(IBlobStore store, IReadOnlyList<VerifierKey> keys, Seal newest)
{
    readonly Dictionary<string, ReadOnlyMemory<byte>> _partial = new(StringComparer.Ordinal);

    /// <summary>A function that gives the hashes of a segment's leaves; null for one that no tile has.</summary>
    public async ValueTask<Func<long, TreeHash?>> Of(SealedSegment segment, CancellationToken cancel)
    {
        var tiles = new Dictionary<long, ReadOnlyMemory<byte>>();
        var source = new ArchiveTiles(store, segment.Class);
        var size = newest.Record.Tree(segment.Class).Size;
        for (var index = segment.FirstLeaf / Tile.FullWidth; index * Tile.FullWidth < segment.FirstLeaf + segment.Rows; index++)
        {
            if ((index + 1) * Tile.FullWidth > size) tiles[index] = await Partial(segment.Class, cancel);
            else if (await source.Get(new(0, index, Tile.FullWidth), cancel) is { Length: Tile.FullWidth * TreeHash.Size } full) tiles[index] = full;
        }
        return leaf => tiles.TryGetValue(leaf / Tile.FullWidth, out var tile) && (int)(leaf % Tile.FullWidth) * TreeHash.Size is var at && at + TreeHash.Size <= tile.Length
            ? new TreeHash(tile.Span.Slice(at, TreeHash.Size)) : null;
    }

    /// <summary>Of each class, the hashes that no full tile has, if one of the segments has any of them.</summary>
    public async ValueTask<IReadOnlyList<KeptLeaves>> NotInFullTiles(IReadOnlyList<DeletedSegment> segments, CancellationToken cancel)
    {
        var kept = new List<KeptLeaves>();
        foreach (var @class in segments.Select(one => one.Class).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            var first = newest.Record.Tree(@class).Size / Tile.FullWidth * Tile.FullWidth;
            var end = segments.Where(one => string.Equals(one.Class, @class, StringComparison.Ordinal)).Max(one => one.FirstLeaf + one.Rows);
            if (end <= first) continue;
            // Those up to the last that is deleted: the rest can be computed.
            kept.Add(new(@class, first, (await Partial(@class, cancel))[..((int)(end - first) * TreeHash.Size)].ToArray()));
        }
        return kept;
    }

    // Empty when it cannot be had as the signed root needs it.
    async ValueTask<ReadOnlyMemory<byte>> Partial(string @class, CancellationToken cancel)
    {
        if (_partial.TryGetValue(@class, out var known)) return known;
        var (tree, history, nowhere) = (newest.Record.Tree(@class), new SealHistory(store, keys, newest), new Dictionary<string, string>(StringComparer.Ordinal));
        var tiles = new ArchiveTiles(store, @class);
        var root = TreeHash.TryParse(tree.Root, out var parsed) ? parsed : default;
        ReadOnlyMemory<byte> edge = default;
        foreach (var source in (TileSource[])[tiles.Source(history, nowhere), tiles.LockedSource(history, nowhere)])
        {
            try
            {
                var writer = await TileWriter.Resume(tree.Size, root, source, cancel);
                edge = writer.Partial().FirstOrDefault(tile => tile.Id.Level == 0).Bytes;
                break;
            }
            catch (TileException)
            {
                // What is not locked may be anybody's: once more from what is. If that is not right either, nothing of the class is deleted.
            }
        }
        return _partial[@class] = edge;
    }
}
