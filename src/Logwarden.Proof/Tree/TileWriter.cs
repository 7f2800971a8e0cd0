using System.Runtime.InteropServices;

namespace Logwarden.Proof.Tree;

/// <summary>
/// Appends leaves to a tree that is kept as tiles. Holds the right edge only (at most one tile a level, 8 KiB each). The way of one
/// append: <see cref="Append"/> all leaves, store <see cref="TakeFull"/> for good, store <see cref="Partial"/> where it may be
/// replaced, then sign <see cref="Root"/> at <see cref="Size"/>. After a crash at any point, <see cref="Resume"/> at the size that
/// was signed last and append again: the same leaves give the same tiles. Not thread-safe.
/// </summary>
public sealed class TileWriter
{
    readonly List<Edge> _levels = [];
    List<Tile> _full = [];

    /// <summary>Starts an empty tree.</summary>
    public TileWriter()
    {
    }

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>
    /// Goes on with a tree of which the tiles are stored. Partial tiles above level 0 that are missing are made again from the full
    /// tiles below them; a partial tile of level 0 must come from <paramref name="source"/>, which can hash its leaves again.
    /// </summary>
    /// <param name="size">Leaves that the last checkpoint signed.</param>
    /// <param name="root">Root that it signed.</param>
    /// <param name="source">Reads stored tiles.</param>
    /// <param name="cancel">Stops reading.</param>
    /// <exception cref="TileException">A tile is missing, or the tiles do not hash to <paramref name="root"/>.</exception>
    public static async ValueTask<TileWriter> Resume(long size, TreeHash root, TileSource source, CancellationToken cancel)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(size);
        var writer = new TileWriter { Size = size };
        foreach (var id in Tile.Partial(size))
        {
            while (writer._levels.Count < id.Level) writer._levels.Add(new());
            writer._levels.Add(await ReadEdge(id, source, cancel));
        }
        return writer.Root() == root ? writer : throw new TileException($"the tiles at size {size} do not hash to the signed root");
    }

    /// <summary>Adds a leaf behind the last one.</summary>
    public void Append(in TreeHash leaf)
    {
        Push(0, leaf);
        Size++;
    }

    /// <summary>Tiles that became full since the last call, lowest first. They never change: store them write-once.</summary>
    public IReadOnlyList<Tile> TakeFull()
    {
        var taken = _full;
        _full = [];
        return taken;
    }

    /// <summary>The right edge as it is now. A later size replaces these tiles.</summary>
    public IReadOnlyList<Tile> Partial()
    {
        var tiles = new List<Tile>(_levels.Count);
        for (var level = 0; level < _levels.Count; level++)
        {
            var edge = _levels[level];
            if (edge.Width == 0) continue;
            tiles.Add(new(new(level, Tile.HashesAt(level, Size) / Tile.FullWidth, edge.Width), edge.ToBytes()));
        }
        return tiles;
    }

    /// <summary>Root of the tree as it is now.</summary>
    public TreeHash Root()
    {
        TreeHash? right = null;
        foreach (var edge in _levels) right = edge.Fold(right);
        return right ?? MerkleTree.Empty;
    }

    void Push(int level, in TreeHash hash)
    {
        if (level == _levels.Count) _levels.Add(new());
        var edge = _levels[level];
        edge.Add(hash);
        if (edge.Width < Tile.FullWidth) return;
        // Size is still that of before the leaf: the tile's index is how many full ones there are at this level.
        _full.Add(new(new(level, Tile.HashesAt(level, Size) / Tile.FullWidth, Tile.FullWidth), edge.ToBytes()));
        var root = MerkleTree.Perfect(edge.Hashes);
        edge.Clear();
        Push(level + 1, root);
    }

    static async ValueTask<Edge> ReadEdge(TileId id, TileSource source, CancellationToken cancel)
    {
        var edge = new Edge();
        // A full tile may have been stored, and its partial form dropped, just before a crash: it begins with the same hashes.
        foreach (var width in new[] { id.Width, Tile.FullWidth })
        {
            if (await source(id with { Width = width }, cancel) is not { } stored) continue;
            if (stored.Length != width * TreeHash.Size) throw new TileException($"{id} has {stored.Length} bytes, not {width * TreeHash.Size}");
            foreach (ref readonly var hash in Tile.Hashes(stored)[..id.Width]) edge.Add(hash);
            return edge;
        }
        if (id.Level == 0) throw new TileException($"{id} is missing");
        for (var i = 0; i < id.Width; i++)
        {
            var below = new TileId(id.Level - 1, id.Index * Tile.FullWidth + i, Tile.FullWidth);
            var bytes = await source(below, cancel) ?? throw new TileException($"{id} and {below}, of which it could be made again, are missing");
            if (bytes.Length != Tile.FullWidth * TreeHash.Size) throw new TileException($"{below} has {bytes.Length} bytes");
            edge.Add(MerkleTree.Perfect(Tile.Hashes(bytes)));
        }
        return edge;
    }

    /// <summary>The last tile of a level while it fills.</summary>
    sealed class Edge
    {
        readonly TreeHash[] _hashes = new TreeHash[Tile.FullWidth];

        public int Width { get; private set; }

        public ReadOnlySpan<TreeHash> Hashes => _hashes.AsSpan(0, Width);

        public void Add(in TreeHash hash) => _hashes[Width++] = hash;

        public void Clear() => Width = 0;

        public byte[] ToBytes() => MemoryMarshal.AsBytes(Hashes).ToArray();

        // Root over this level's hashes with `right`, the root over everything to their right on lower levels, behind them.
        public TreeHash? Fold(TreeHash? right)
        {
            var end = Width;
            for (var rest = Width; rest != 0; rest &= rest - 1)
            {
                var count = rest & -rest;
                end -= count;
                var part = MerkleTree.Perfect(_hashes.AsSpan(end, count));
                right = right is { } so ? MerkleTree.Node(part, so) : part;
            }
            return right;
        }
    }
}
