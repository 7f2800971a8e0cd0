using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>
/// Rebuilds the Merkle tree of one class leaf by leaf and compares it with what is stored: each tile when it becomes full, the root at each seal
/// and at each known checkpoint. Since all roots come from one growing tree, equal roots are consistent with each other.
/// </summary>
sealed class TreeCheck(
    string @class, IBlobStore store, VersionedReader reader, VerifyState state, TileQueue tiles, IReadOnlyDictionary<long, TreeHash> known, Func<long> newestSize,
    Func<long, TreeHash?> kept)
{
    readonly TileWriter _tree = new();
    (long Index, long Newest, TileId Id, ReadOnlyMemory<byte>? Bytes) _stored = (-1, 0, default, null);

    // Leaves taken from tiles since the last root that they gave: first and last of them, and the tile of the first.
    (long First, long Last, TileId Tile)? _taken;

    public long Size => _tree.Size;

    /// <summary>Leaves are missing that no tile has as they were sealed: from there on nothing of this class can be checked. That has been said.</summary>
    public bool IsLost { get; private set; }

    public void Append(in TreeHash leaf)
    {
        _tree.Append(leaf);
        if (known.TryGetValue(_tree.Size, out var root) && !IsLost && _tree.Root() != root)
        {
            state.Add(FindingCode.RootMismatch, $"{ArchiveLayout.Log}{@class}", $"At size {_tree.Size} its root is not that of the checkpoint that you know.",
                "The archive was rewritten after that checkpoint was signed. " + Advice.Investigate);
        }
    }

    /// <summary>Takes leaves up to <paramref name="end"/> as the stored tiles have them, where they cannot be recomputed.</summary>
    public async ValueTask FillTo(long end, CancellationToken cancel)
    {
        while (_tree.Size < end && !IsLost)
        {
            var leaf = _tree.Size;
            // What a deletion record keeps is signed; a partial tile is not.
            if ((kept(leaf) ?? await StoredLeaf(leaf, cancel)) is { } hash)
            {
                _taken = _taken is { } taken ? taken with { Last = leaf } : (leaf, leaf, new(0, leaf / Tile.FullWidth, Tile.FullWidth));
                Append(hash);
                continue;
            }
            IsLost = true;
            var (code, what) = _stored.Bytes is { } bytes ? (FindingCode.TileChanged, $"It has only {bytes.Length} bytes") : (FindingCode.TileMissing, "It is not there");
            state.Add(code, ArchiveLayout.TileOf(@class, _stored.Id), $"{what}, and the event of leaf {leaf} cannot be read: {Unchecked(leaf)}", AdviceOn(_stored.Id));
        }
    }

    /// <summary>A leaf as the stored tile has it; null when no tile has it.</summary>
    public async ValueTask<TreeHash?> StoredLeaf(long leaf, CancellationToken cancel)
    {
        var (index, newest) = (leaf / Tile.FullWidth, newestSize());
        if (_stored.Index != index || _stored.Newest != newest)
        {
            var (id, bytes) = await Stored(index, newest, cancel);
            _stored = (index, newest, id, bytes);
        }
        var at = (int)(leaf % Tile.FullWidth) * TreeHash.Size;
        return _stored.Bytes is { } stored && stored.Length >= at + TreeHash.Size ? new TreeHash(stored.Span.Slice(at, TreeHash.Size)) : null;
    }

    /// <summary>The tile of level 0 as it is stored: full, or as wide as the newest tree has it, for narrower ones are deleted.</summary>
    async ValueTask<(TileId Id, ReadOnlyMemory<byte>? Bytes)> Stored(long index, long newest, CancellationToken cancel)
    {
        var source = new ArchiveTiles(store, @class);
        var full = new TileId(0, index, Tile.FullWidth);
        if (await source.Get(full, cancel) is { } whole) return (full, whole);
        var width = newest - index * Tile.FullWidth;
        if (width is <= 0 or >= Tile.FullWidth) return (full, null);
        var partial = full with { Width = (int)width };
        if (await source.Get(partial, cancel) is { } bytes) return (partial, bytes);
        // A seal that was just made has replaced it by a wider one, or by the full one.
        var key = ArchiveLayout.TileOf(@class, partial);
        var widest = partial;
        await foreach (var version in store.List(key[..(key.LastIndexOf('/') + 1)], cancel))
        {
            if (TileId.TryParse(version.Key[(ArchiveLayout.Live.Length + @class.Length + 1)..], out var wider) && wider.Width > widest.Width) widest = wider;
        }
        if (widest != partial && await source.Get(widest, cancel) is { } more) return (widest, more);
        if (await source.Get(full, cancel) is { } late) return (full, late);
        return (partial, null);
    }

    string Unchecked(long leaf) => $"from leaf {leaf} on the tree of {@class} cannot be made again, and neither its tiles nor its roots are checked.";

    static string AdviceOn(TileId tile) => tile.IsFull ? Advice.Restore : Advice.Remake;

    /// <summary>The tiles that became full since the last call are compared, in the background.</summary>
    public async ValueTask CompareFull(SealedTree sealedTree, CancellationToken cancel)
    {
        foreach (var tile in _tree.TakeFull())
        {
            if (!IsLost) await tiles.Add(() => Compare(tile, sealedTree, state, cancel));
        }
    }

    /// <summary>The partial tiles of the newest tree.</summary>
    public async ValueTask ComparePartial(VerifyState to, CancellationToken cancel)
    {
        foreach (var tile in _tree.Partial())
            if (!IsLost) await Compare(tile, null, to, cancel);
    }

    /// <summary>The seal's statement on the tree, and its checkpoint.</summary>
    public async ValueTask CompareSeal(
        string sealKey, string origin, SealedTree sealedTree, IReadOnlyList<VerifierKey> keys, DateTimeOffset now, bool isNew, CancellationToken cancel)
    {
        if (!IsLost && _tree.Size == sealedTree.Size && IsRoot(_tree.Root(), sealedTree))
        {
            _taken = null;
        }
        else if (!IsLost && _tree.Size == sealedTree.Size && _taken is { } taken)
        {
            IsLost = true;
            state.Add(FindingCode.TileChanged, ArchiveLayout.TileOf(@class, taken.Tile),
                $"It had to be relied on, for the events of leaf {taken.First} to {taken.Last} cannot be read, but what it{(taken.Last / Tile.FullWidth == taken.Tile.Index ? "" : " and the tiles behind it")} "
                + $"say does not give the root that {sealKey} has signed: {Unchecked(taken.First)}", AdviceOn(taken.Tile));
        }
        else if (!IsLost)
        {
            state.Add(FindingCode.RootMismatch, sealKey,
                $"It says that {@class} has {sealedTree.Size} leaves with root {sealedTree.Root}; the leaves give {_tree.Size} with root {_tree.Root()}.", Advice.Investigate);
        }
        if (!isNew) return;
        var key = ArchiveLayout.Checkpoint(@class, sealedTree.Size);
        await CompareCheckpoint(key, ArchiveLayout.Origin(origin, @class), sealedTree, keys, now, cancel);
    }

    /// <summary>The live checkpoint must be that of the newest seal.</summary>
    public async ValueTask CompareLive(string origin, SealedTree newest, IReadOnlyList<VerifierKey> keys, VerifyState to, CancellationToken cancel)
    {
        var (key, log) = (ArchiveLayout.LiveCheckpoint(@class), ArchiveLayout.Origin(origin, @class));
        to.Checkpoints++;
        if (await reader.FetchBytes(key, _ => true, cancel) is not { } found)
        {
            to.Add(FindingCode.CheckpointMissing, key, "It is not there.", Advice.Rebuild);
        }
        else if (!Checkpoint.TryOpen(found.Bytes, keys, log, out var checkpoint, out var reason))
        {
            to.Add(FindingCode.CheckpointInvalid, key, $"It is not a checkpoint of this log signed by the given key: {reason}.", Advice.Rebuild);
        }
        else if (checkpoint.Size < newest.Size)
        {
            to.Add(FindingCode.LiveCheckpointOld, key,
                $"It is of size {checkpoint.Size}, the newest seal of size {newest.Size}: an old checkpoint was put back, or the last seal was not finished.", Advice.Rebuild);
        }
        else if (checkpoint.Size > newest.Size)
        {
            to.Add(FindingCode.RolledBack, key, $"It is of size {checkpoint.Size}, the newest seal of size {newest.Size}: the seals between were removed.", Advice.Investigate);
        }
        else if (!IsRoot(checkpoint.Root, newest))
        {
            to.Add(FindingCode.RootMismatch, key, Differs(checkpoint, newest), Advice.Investigate);
        }
    }

    async ValueTask CompareCheckpoint(
        string key, string origin, SealedTree expected, IReadOnlyList<VerifierKey> keys, DateTimeOffset now, CancellationToken cancel)
    {
        bool IsRight(byte[] bytes) => Notes.HasOneSignature(bytes)
            && Checkpoint.TryOpen(bytes, keys, origin, out var read, out _) && read.Size == expected.Size && IsRoot(read.Root, expected);

        Interlocked.Increment(ref state.Checkpoints);
        if (await reader.FetchBytes(key, IsRight, cancel) is not { } found)
        {
            state.Add(FindingCode.CheckpointMissing, key, "It is not there.", Advice.Restore);
            return;
        }
        if (!Checkpoint.TryOpen(found.Bytes, keys, origin, out var checkpoint, out var reason))
            state.Add(FindingCode.CheckpointInvalid, key, $"It is not a checkpoint of this log signed by the given key: {reason}.", Advice.Restore);
        else if (checkpoint.Size != expected.Size || !IsRoot(checkpoint.Root, expected))
            state.Add(FindingCode.RootMismatch, key, Differs(checkpoint, expected), Advice.Investigate);
        else if (found.Right.Count == 0)
            state.Add(FindingCode.CheckpointInvalid, key, Notes.Added, Advice.Restore);
        await reader.CheckLock(key, found.Right, expected.Mode, expected.RetainUntil, now, cancel);
    }

    static string Differs(Checkpoint checkpoint, SealedTree expected) =>
        $"It is of size {checkpoint.Size} with root {checkpoint.Root}; its seal says {expected.Size} with root {expected.Root}.";

    static bool IsRoot(TreeHash root, SealedTree tree) => string.Equals(root.ToString(), tree.Root, StringComparison.Ordinal);

    async Task Compare(Tile tile, SealedTree? sealedTree, VerifyState to, CancellationToken cancel)
    {
        var key = ArchiveLayout.TileOf(@class, tile.Id);
        Interlocked.Increment(ref to.Tiles);
        var advice = tile.Id.IsFull ? Advice.Restore : Advice.Rebuild;
        var found = await reader.FetchBytes(key, bytes => bytes.AsSpan().SequenceEqual(tile.Bytes.Span), cancel);
        if (found is not { } stored)
        {
            to.Add(FindingCode.TileMissing, key, "It is not there.", advice);
            return;
        }
        if (stored.Bytes.Length != tile.Bytes.Length)
        {
            to.Add(FindingCode.TileChanged, key, $"It has {stored.Bytes.Length} bytes instead of {tile.Bytes.Length}.", advice);
        }
        else if (!stored.Bytes.AsSpan().SequenceEqual(tile.Bytes.Span))
        {
            var first = stored.Bytes.AsSpan().CommonPrefixLength(tile.Bytes.Span) / TreeHash.Size;
            var what = $"Hash {first} of it is not what the {(tile.Id.Level == 0 ? "event" : "tile below")} gives.";
            to.Add(FindingCode.TileChanged, key, what, advice, tile.Id.Level == 0 ? tile.Id.Index * Tile.FullWidth + first : null);
        }
        if (sealedTree is not null) await reader.CheckLock(key, stored.Right, sealedTree.Mode, sealedTree.RetainUntil, tiles.Now, cancel);
    }
}

/// <summary>
/// Notes as the sealer writes them: with one signature. A note may have more, of anybody's keys, and still be valid; in the archive that is a change of what was locked.
/// </summary>
static class Notes
{
    public const string Added = "It is signed, but signatures were added to it that the sealer does not make.";

    public static bool HasOneSignature(ReadOnlySpan<byte> note) => note.LastIndexOf("\n\n"u8) is >= 0 and var text && !note[(text + 2)..^1].Contains((byte)'\n');
}

/// <summary>Comparisons that run side by side, a bounded number at once.</summary>
sealed class TileQueue(int concurrent, DateTimeOffset now)
{
    readonly List<Task> _running = [];

    public DateTimeOffset Now => now;

    public async ValueTask Add(Func<Task> compare)
    {
        while (_running.Count >= concurrent)
        {
            var done = await Task.WhenAny(_running);
            _running.Remove(done);
            await done;
        }
        _running.Add(compare());
    }

    public async ValueTask Drain()
    {
        await Task.WhenAll(_running);
        _running.Clear();
    }
}
