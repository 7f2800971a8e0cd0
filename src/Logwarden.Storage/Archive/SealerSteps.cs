using System.Text;
using Logwarden.Journal;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Archive;

/// <summary>The steps of a seal, in the order of the class's description.</summary>
public sealed partial class Sealer
{
    /// <summary>Steps 1 and 2.</summary>
    SealPlan Stage(IEnumerable<ReadOnlyMemory<byte>> events, long to, LedgerSnapshot? ledger, CancellationToken cancel)
    {
        var now = _time.GetUtcNow();
        var offset = SealedTo;
        IReadOnlyList<SealedSegment> segments;
        _marks = null;
        using (var cutter = new SegmentCutter(_options, _memory, _writer, TreeOf, _options.Holds?.Invoke(), now))
        {
            if (offset < to)
            {
                foreach (var e in events)
                {
                    cutter.Take(e.Span, offset++);
                    if (offset == to || cutter.Count >= _options.SegmentsMax) break;
                    if (offset % 4096 == 0) cancel.ThrowIfCancellationRequested();
                }
            }
            segments = cutter.Finish();
            _marks = cutter.Marks;
        }
        if (offset == SealedTo) throw new InvalidDataException($"The journal gave no event at offset {offset}, but is said to reach to {to}.");
        DurableFile.SyncDirectory(_options.StagingDirectory);
        var record = Record(segments, offset, now, ledger?.DurableEnd == offset ? ledger : null);
        var checkpoints = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var tree in record.Trees)
        {
            if (tree.Size == (_last?.Record.Tree(tree.Class).Size ?? 0)) continue;
            var checkpoint = new Checkpoint { Origin = ArchiveLayout.Origin(_options.Origin, tree.Class), Size = tree.Size, Root = RootOf(tree) };
            checkpoints.Add(tree.Class, Encoding.UTF8.GetString(checkpoint.Sign(_key)));
        }
        var plan = new SealPlan(Encoding.UTF8.GetString(SignedNote.Sign(record.ToText(), _key)), checkpoints);
        _options.Step(SealStep.WritePlan, () => DurableFile.Replace(_options.PlanPath, plan.ToBytes()));
        return plan;
    }

    /// <summary>Steps 3 to 7. Every one of them may have been done before, wholly or in part.</summary>
    async ValueTask<Seal> CarryOut(SealPlan plan, CancellationToken cancel)
    {
        var note = Encoding.UTF8.GetBytes(plan.Note);
        var seal = Seal.TryOpen(note, [_key.Verifier], out var reason) ?? throw new InvalidDataException(reason);
        var record = seal.Record;

        foreach (var segment in record.Segments) _options.Step(SealStep.PublishSegment, () => Publish(segment));

        await Each(record.Segments, segment => PutSegment(segment, cancel), cancel);
        foreach (var tree in record.Trees)
        {
            var full = TreeOf(tree.Class).TakeFull();
            await Each(full, tile => Put(ArchiveLayout.TileOf(tree.Class, tile.Id), tile.Bytes, Lock(tree.Mode, tree.RetainUntil, hold: false), cancel), cancel);
        }
        foreach (var (@class, checkpoint) in plan.Checkpoints)
        {
            var tree = record.Tree(@class);
            var key = ArchiveLayout.Checkpoint(@class, tree.Size);
            await Put(key, Encoding.UTF8.GetBytes(checkpoint), Lock(tree.Mode, tree.RetainUntil, hold: false), cancel);
        }
        // Everything that the record names is in the archive and locked.
        await PutSeal(note, record.Header, cancel);

        foreach (var (@class, checkpoint) in plan.Checkpoints) await PutLive(@class, Encoding.UTF8.GetBytes(checkpoint), cancel);
        _options.Step(SealStep.RecordSeal, () => DurableFile.Replace(_options.SealedPath, note));
        var before = _last;
        _last = seal;
        _options.Step(SealStep.DeletePlan, () => Delete(_options.PlanPath));
        await DeleteOldTiles(before, plan, cancel);
        return seal;
    }

    // Locks protect versions, not names, and what somebody else put there must not stop us for good.
    async ValueTask PutSeal(byte[] note, SealHeader header, CancellationToken cancel)
    {
        var key = ArchiveLayout.Seal(header.Number);
        if (await _store.ReadRight(key, theirs => theirs.AsSpan().SequenceEqual(note) ? null : Ours(theirs, header.Number), cancel) is not null)
            throw new ArchiveRolledBackException($"{_store.Location}: {key} is another seal of this installation: do two copies of it write to one archive? Run `logwarden verify`; seal nothing until it is clear why.");
        using var content = new MemoryStream(note, writable: false);
        await _store.PutOver(key, content, Lock(header.Mode, header.RetainUntil, hold: false), cancel);
    }

    async ValueTask PutLive(string @class, byte[] checkpoint, CancellationToken cancel)
    {
        await Each(TreeOf(@class).Partial(), tile => Put(ArchiveLayout.TileOf(@class, tile.Id), tile.Bytes, null, cancel), cancel);
        // Last, so that whoever reads a live checkpoint finds the tiles of its size.
        await Put(ArchiveLayout.LiveCheckpoint(@class), checkpoint, null, cancel);
    }

    /// <summary>What is not locked may have been lost or changed; it is made again from what is locked.</summary>
    async ValueTask RefreshLive(CancellationToken cancel)
    {
        foreach (var tree in _last?.Record.Trees ?? [])
        {
            var key = ArchiveLayout.Checkpoint(tree.Class, tree.Size);
            byte[]? Right(byte[] note) => Checkpoint.TryOpen(note, [_key.Verifier], ArchiveLayout.Origin(_options.Origin, tree.Class), out var opened, out _)
                && opened.Size == tree.Size && opened.Root == RootOf(tree) ? note : null;

            var checkpoint = await _store.ReadRight(key, Right, cancel)
                ?? throw new ArchiveRolledBackException($"{_store.Location}: {key} is not there as this installation signed it");
            var isWhole = await IsStored(ArchiveLayout.LiveCheckpoint(tree.Class), checkpoint, cancel);
            foreach (var tile in TreeOf(tree.Class).Partial())
                isWhole = isWhole && await IsStored(ArchiveLayout.TileOf(tree.Class, tile.Id), tile.Bytes, cancel);
            if (!isWhole) await PutLive(tree.Class, checkpoint, cancel);
        }
    }

    async ValueTask<bool> IsStored(string key, ReadOnlyMemory<byte> bytes, CancellationToken cancel) =>
        (await _store.ReadSmall(key, versionId: null, cancel)).AsSpan().SequenceEqual(bytes.Span);

    SealRecord Record(IReadOnlyList<SealedSegment> segments, long to, DateTimeOffset now, LedgerSnapshot? ledger)
    {
        var trees = new List<SealedTree>();
        foreach (var (@class, tree) in _trees.OrderBy(pair => pair.Key, StringComparer.Ordinal))
        {
            // Tiles and checkpoints prove every older event too: their lock never ends earlier than that of what they prove.
            var (until, mode) = (DateTime.MinValue, LockMode.Governance);
            if (_last?.Record.Tree(@class) is { Size: > 0 } old) (until, mode) = (old.RetainUntil, old.Mode);
            foreach (var segment in segments)
            {
                if (!string.Equals(segment.Class, @class, StringComparison.Ordinal)) continue;
                until = segment.RetainUntil > until ? segment.RetainUntil : until;
                mode = segment.Mode > mode ? segment.Mode : mode;
            }
            trees.Add(new(@class, tree.Size, tree.Root().ToString(), until, mode));
        }
        return new()
        {
            Header = new(
                SealHeader.ThisVersion, _options.Origin, SealNumber, _last?.Sha256 ?? "", SealedTo, to, now.UtcDateTime,
                trees.Max(tree => tree.RetainUntil), trees.Max(tree => tree.Mode)),
            Segments = segments,
            Trees = trees,
            Ledger = ledger is null ? null : new(ledger.Total.In, ledger.Total.Stored, ledger.Total.Duplicates, ledger.Total.Quarantined),
            Sources = ledger is null ? [] : [.. ledger.Sources.Select(SealedSource.From)],
        };
    }

    void Publish(SealedSegment segment)
    {
        var (from, to) = (Staged(segment), Hot(segment));
        if (!File.Exists(from)) return;
        MakeDirectory(Path.GetDirectoryName(to)!);
        File.Move(from, to, overwrite: true);
        DurableFile.SyncDirectory(Path.GetDirectoryName(to)!);
        DurableFile.SyncDirectory(_options.StagingDirectory);
    }

    async ValueTask PutSegment(SealedSegment segment, CancellationToken cancel)
    {
        await using var file = File.OpenRead(Hot(segment));
        await _store.Put(segment.Path, file, Lock(segment.Mode, segment.RetainUntil, segment.LegalHold), cancel);
    }

    async ValueTask Put(string key, ReadOnlyMemory<byte> bytes, BlobLock? protection, CancellationToken cancel) =>
        await _store.PutBytes(key, bytes, protection, cancel);

    // A plan may be carried out so late that its shortest lock has ended meanwhile; stores refuse a date in the past.
    BlobLock Lock(LockMode mode, DateTime until, bool hold)
    {
        var earliest = _time.GetUtcNow().AddHours(1);
        return new(mode, until > earliest.UtcDateTime ? new(until, TimeSpan.Zero) : earliest, hold);
    }

    async ValueTask DeleteOldTiles(Seal? before, SealPlan plan, CancellationToken cancel)
    {
        if (before is null) return;
        foreach (var @class in plan.Checkpoints.Keys)
        {
            var now = TreeOf(@class).Partial().Select(tile => tile.Id).ToHashSet();
            foreach (var old in Tile.Partial(before.Record.Tree(@class).Size))
            {
                if (now.Contains(old)) continue;
                try
                {
                    await _store.Delete(ArchiveLayout.TileOf(@class, old), versionId: null, cancel);
                }
                catch (BlobLockedException)
                {
                    // A default retention of the bucket, or no right to delete: they stay, and nothing reads them any more.
                    return;
                }
            }
        }
    }

    async ValueTask Each<T>(IReadOnlyList<T> items, Func<T, ValueTask> put, CancellationToken cancel) => await Parallel.ForEachAsync(
        items, new ParallelOptions { MaxDegreeOfParallelism = _options.ConcurrentPuts, CancellationToken = cancel }, (item, _) => put(item));

    // New directories are durable only when their parents are synced too.
    static void MakeDirectory(string path)
    {
        if (Directory.Exists(path)) return;
        var parent = Path.GetDirectoryName(path)!;
        MakeDirectory(parent);
        Directory.CreateDirectory(path);
        DurableFile.SyncDirectory(parent);
    }
}
