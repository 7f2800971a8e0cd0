using System.Numerics;

namespace Logwarden.Proof.Tree;

/// <summary>The tiles are not those of the tree: one is missing, cut short or has wrong hashes.</summary>
public sealed class TileException(string message) : Exception(message);

/// <summary>
/// A Merkle tree of a known size, read from its tiles. Makes proofs. What it reads is not trusted by itself: compare <see cref="Root"/>
/// with a signed checkpoint, or verify the proof that comes out. Keeps the tiles it has read. Not thread-safe.
/// </summary>
public sealed class TileTree(long size, TileSource source)
{
    readonly Dictionary<(int Level, long Index), ReadOnlyMemory<byte>> _read = [];

    /// <summary>Number of leaves.</summary>
    public long Size { get; } = size >= 0 ? size : throw new ArgumentOutOfRangeException(nameof(size));

    /// <summary>Root of the tree.</summary>
    /// <exception cref="TileException">A tile is missing or has the wrong length.</exception>
    public ValueTask<TreeHash> Root(CancellationToken cancel) => Hash(new(0, Size), cancel);

    /// <summary>Root of the tree when it had only its first <paramref name="earlier"/> leaves.</summary>
    /// <exception cref="TileException">A tile is missing or has the wrong length.</exception>
    public ValueTask<TreeHash> RootAt(long earlier, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(earlier);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(earlier, Size);
        return Hash(new(0, earlier), cancel);
    }

    /// <summary>Hash of one leaf.</summary>
    /// <exception cref="TileException">A tile is missing or has the wrong length.</exception>
    public ValueTask<TreeHash> Leaf(long index, CancellationToken cancel)
    {
        CheckIndex(index);
        return Complete(0, index, cancel);
    }

    /// <summary>Proof that a leaf is in the tree, for <see cref="MerkleProof.VerifyInclusion(long, long, in TreeHash, ReadOnlySpan{TreeHash}, in TreeHash)"/>.</summary>
    /// <exception cref="TileException">A tile is missing or has the wrong length.</exception>
    public ValueTask<TreeHash[]> InclusionProof(long index, CancellationToken cancel)
    {
        CheckIndex(index);
        var ranges = new List<LeafRange>();
        var tree = new LeafRange(0, Size);
        while (tree.Count > 1)
        {
            var (left, right) = tree.Split();
            var isLeft = index < right.First;
            ranges.Add(isLeft ? right : left);
            tree = isLeft ? left : right;
        }
        return Hashes(ranges, cancel);
    }

    /// <summary>
    /// Proof that the tree of the first <paramref name="earlier"/> leaves grew into this one, for
    /// <see cref="MerkleProof.VerifyConsistency(long, long, in TreeHash, in TreeHash, ReadOnlySpan{TreeHash})"/>.
    /// </summary>
    /// <param name="earlier">1 to <see cref="Size"/>.</param>
    /// <param name="cancel">Stops reading.</param>
    /// <exception cref="TileException">A tile is missing or has the wrong length.</exception>
    public ValueTask<TreeHash[]> ConsistencyProof(long earlier, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(earlier, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(earlier, Size);
        var ranges = new List<LeafRange>();
        var tree = new LeafRange(0, Size);
        var known = true; // while we are at leaf 0, the verifier has the earlier root
        while (tree.End != earlier)
        {
            var (left, right) = tree.Split();
            var isLeft = earlier <= right.First;
            ranges.Add(isLeft ? right : left);
            tree = isLeft ? left : right;
            known &= isLeft;
        }
        if (!known) ranges.Add(tree);
        return Hashes(ranges, cancel);
    }

    void CheckIndex(long index)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(index);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(index, Size);
    }

    // The ranges were found from the root downwards; a proof is read from the leaf upwards.
    async ValueTask<TreeHash[]> Hashes(List<LeafRange> ranges, CancellationToken cancel)
    {
        var hashes = new TreeHash[ranges.Count];
        for (var i = 0; i < hashes.Length; i++) hashes[i] = await Hash(ranges[^(i + 1)], cancel);
        return hashes;
    }

    // Root over a range that is a subtree: its complete parts from left to right, folded from the right.
    async ValueTask<TreeHash> Hash(LeafRange range, CancellationToken cancel)
    {
        if (range.Count == 0) return MerkleTree.Empty;
        TreeHash? right = null;
        for (var (rest, end) = (range.Count, range.End); rest != 0; rest &= rest - 1)
        {
            var level = BitOperations.TrailingZeroCount(rest);
            end -= 1L << level;
            var part = await Complete(level, end >> level, cancel);
            right = right is { } so ? MerkleTree.Node(part, so) : part;
        }
        return right!.Value;
    }

    // Root over 2^level leaves, from the hashes of the tile that has them.
    async ValueTask<TreeHash> Complete(int level, long index, CancellationToken cancel)
    {
        var within = level % Tile.Height;
        var first = index << within;
        var tile = await Read(level / Tile.Height, first / Tile.FullWidth, cancel);
        return MerkleTree.Perfect(Tile.Hashes(tile).Slice((int)(first % Tile.FullWidth), 1 << within));
    }

    async ValueTask<ReadOnlyMemory<byte>> Read(int level, long index, CancellationToken cancel)
    {
        if (_read.TryGetValue((level, index), out var known)) return known;
        var id = new TileId(level, index, (int)Math.Min(Tile.FullWidth, Tile.HashesAt(level, Size) - index * Tile.FullWidth));
        var bytes = await source(id, cancel);
        // A partial tile may be gone once its full successor exists.
        if (bytes is null && !id.IsFull) bytes = await source(id with { Width = Tile.FullWidth }, cancel);
        if (bytes is not { } found) throw new TileException($"{id} is missing");
        var want = id.Width * TreeHash.Size;
        if (found.Length != want && found.Length != Tile.FullWidth * TreeHash.Size)
        {
            throw new TileException($"{id} has {found.Length} bytes, not {want}");
        }
        return _read[(level, index)] = found[..want];
    }
}

/// <summary>Neighbouring leaves: those of a tree or of a subtree of it.</summary>
readonly record struct LeafRange(long First, long End)
{
    public long Count => End - First;

    /// <summary>The two children in RFC 6962's shape: left is the largest power of two that leaves something to the right.</summary>
    public (LeafRange Left, LeafRange Right) Split()
    {
        var middle = First + (1L << BitOperations.Log2((ulong)(Count - 1)));
        return (new(First, middle), new(middle, End));
    }
}
