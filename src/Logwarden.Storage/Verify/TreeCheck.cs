using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>
/// Rebuilds the Merkle tree of one class leaf by leaf and compares it with what is stored: each tile when it becomes full, the root at each seal
/// and at each known checkpoint. Since all roots come from one growing tree, equal roots are consistent with each other.
/// </summary>
sealed class TreeCheck(
    string @class, IBlobStore store, VersionedReader reader, VerifyState state, TileQueue tiles, IReadOnlyDictionary<long, TreeHash> known)
{
    readonly TileWriter _tree = new();
    (long Index, ReadOnlyMemory<byte>? Bytes) _stored = (-1, null);

    public long Size => _tree.Size;

    /// <summary>Leaves are missing that no tile has: from there on nothing of this class can be checked.</summary>
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
    public async ValueTask FillTo(long end, long sealedSize, CancellationToken cancel)
    {
        while (_tree.Size < end && !IsLost)
        {
            if (await StoredLeaf(_tree.Size, sealedSize, cancel) is { } leaf) Append(leaf);
            else IsLost = true;
        }
    }

    /// <summary>A leaf as the stored tile has it; null when no tile has it.</summary>
    public async ValueTask<TreeHash?> StoredLeaf(long leaf, long sealedSize, CancellationToken cancel)
    {
        var index = leaf / Tile.FullWidth;
        if (_stored.Index != index)
        {
            var source = new ArchiveTiles(store, @class);
            var bytes = await source.Get(new(0, index, Tile.FullWidth), cancel);
            var width = (int)(sealedSize - index * Tile.FullWidth);
            if (bytes is null && width is > 0 and < Tile.FullWidth) bytes = await source.Get(new(0, index, width), cancel);
            _stored = (index, bytes);
        }
        var at = (int)(leaf % Tile.FullWidth) * TreeHash.Size;
        return _stored.Bytes is { } stored && stored.Length >= at + TreeHash.Size ? new TreeHash(stored.Span.Slice(at, TreeHash.Size)) : null;
    }

    /// <summary>The tiles that became full since the last call are compared, in the background.</summary>
    public async ValueTask CompareFull(SealedTree sealedTree, CancellationToken cancel)
    {
        foreach (var tile in _tree.TakeFull())
        {
            if (!IsLost) await tiles.Add(() => Compare(tile, sealedTree, cancel));
        }
    }

    /// <summary>The partial tiles of the newest tree.</summary>
    public async ValueTask ComparePartial(CancellationToken cancel)
    {
        foreach (var tile in _tree.Partial())
            if (!IsLost) await tiles.Add(() => Compare(tile, null, cancel));
    }

    /// <summary>The seal's statement on the tree, and its checkpoint.</summary>
    public async ValueTask CompareSeal(
        string sealKey, string origin, SealedTree sealedTree, IReadOnlyList<VerifierKey> keys, DateTimeOffset now, bool isNew, CancellationToken cancel)
    {
        if (!IsLost && (_tree.Size != sealedTree.Size || !IsRoot(_tree.Root(), sealedTree)))
        {
            state.Add(FindingCode.RootMismatch, sealKey,
                $"It says that {@class} has {sealedTree.Size} leaves with root {sealedTree.Root}; the leaves give {_tree.Size} with root {_tree.Root()}.", Advice.Investigate);
        }
        if (!isNew) return;
        var key = ArchiveLayout.Checkpoint(@class, sealedTree.Size);
        await CompareCheckpoint(key, ArchiveLayout.Origin(origin, @class), sealedTree, keys, now, isLive: false, cancel);
    }

    /// <summary>The live checkpoint must be that of the newest seal.</summary>
    public ValueTask CompareLive(string origin, SealedTree newest, IReadOnlyList<VerifierKey> keys, DateTimeOffset now, CancellationToken cancel) =>
        CompareCheckpoint(ArchiveLayout.LiveCheckpoint(@class), ArchiveLayout.Origin(origin, @class), newest, keys, now, isLive: true, cancel);

    async ValueTask CompareCheckpoint(
        string key, string origin, SealedTree expected, IReadOnlyList<VerifierKey> keys, DateTimeOffset now, bool isLive, CancellationToken cancel)
    {
        bool IsRight(byte[] bytes) =>
            Checkpoint.TryOpen(bytes, keys, origin, out var read, out _) && read.Size == expected.Size && IsRoot(read.Root, expected);

        Interlocked.Increment(ref state.Checkpoints);
        var advice = isLive ? Advice.Rebuild : Advice.Restore;
        if (await reader.FetchBytes(key, IsRight, cancel) is not { } found)
        {
            state.Add(FindingCode.CheckpointMissing, key, "It is not there.", advice);
            return;
        }
        if (!Checkpoint.TryOpen(found.Bytes, keys, origin, out var checkpoint, out var reason))
        {
            state.Add(FindingCode.CheckpointInvalid, key, $"It is not a checkpoint of this log signed by the given key: {reason}.", advice);
        }
        else if (isLive && checkpoint.Size < expected.Size)
        {
            state.Add(FindingCode.LiveCheckpointOld, key,
                $"It is of size {checkpoint.Size}, the newest seal of size {expected.Size}: an old checkpoint was put back, or the last seal was not finished.", Advice.Rebuild);
        }
        else if (isLive && checkpoint.Size > expected.Size)
        {
            state.Add(FindingCode.RolledBack, key,
                $"It is of size {checkpoint.Size}, the newest seal of size {expected.Size}: the seals between were removed.", Advice.Investigate);
        }
        else if (checkpoint.Size != expected.Size || !IsRoot(checkpoint.Root, expected))
        {
            state.Add(FindingCode.RootMismatch, key,
                $"It is of size {checkpoint.Size} with root {checkpoint.Root}; its seal says {expected.Size} with root {expected.Root}.", Advice.Investigate);
        }
        if (!isLive) await reader.CheckLock(key, found.Right, expected.Mode, expected.RetainUntil, now, cancel);
    }

    static bool IsRoot(TreeHash root, SealedTree tree) => string.Equals(root.ToString(), tree.Root, StringComparison.Ordinal);

    async Task Compare(Tile tile, SealedTree? sealedTree, CancellationToken cancel)
    {
        var key = ArchiveLayout.TileOf(@class, tile.Id);
        Interlocked.Increment(ref state.Tiles);
        var found = await reader.FetchBytes(key, bytes => bytes.AsSpan().SequenceEqual(tile.Bytes.Span), cancel);
        if (found is not { } stored)
        {
            state.Add(FindingCode.TileMissing, key, "It is not there.", tile.Id.IsFull ? Advice.Restore : Advice.Rebuild);
            return;
        }
        if (!stored.Bytes.AsSpan().SequenceEqual(tile.Bytes.Span)) Differs(tile, key, stored.Bytes);
        if (sealedTree is not null) await reader.CheckLock(key, stored.Right, sealedTree.Mode, sealedTree.RetainUntil, tiles.Now, cancel);
    }

    void Differs(Tile tile, string key, byte[] stored)
    {
        var advice = tile.Id.IsFull ? Advice.Restore : Advice.Rebuild;
        if (stored.Length != tile.Bytes.Length)
        {
            state.Add(FindingCode.TileChanged, key, $"It has {stored.Length} bytes instead of {tile.Bytes.Length}.", advice);
            return;
        }
        var first = stored.AsSpan().CommonPrefixLength(tile.Bytes.Span) / TreeHash.Size;
        var what = $"Hash {first} of it is not what the {(tile.Id.Level == 0 ? "event" : "tile below")} gives.";
        state.Add(FindingCode.TileChanged, key, what, advice, tile.Id.Level == 0 ? tile.Id.Index * Tile.FullWidth + first : null);
    }
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
