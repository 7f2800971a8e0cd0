using System.Globalization;
using System.Runtime.InteropServices;

namespace Logwarden.Proof.Tree;

/// <summary>
/// Name of a tile: up to 256 neighbouring hashes of one level of the tree, as in https://c2sp.org/tlog-tiles. Hash <c>i</c> of tile
/// <c>n</c> at level <c>l</c> is the root over the leaves <c>[(256n + i)·256^l, (256n + i + 1)·256^l)</c>. A full tile never changes.
/// </summary>
/// <param name="Level">0 for leaf hashes, then one for each 8 levels of the tree.</param>
/// <param name="Index">Position within the level.</param>
/// <param name="Width">Hashes in it, 1 to 256.</param>
public readonly record struct TileId(int Level, long Index, int Width)
{
    const int LevelMax = 7; // 256^8 leaves are more than a long counts

    /// <summary>Whether it has all 256 hashes.</summary>
    public bool IsFull => Width == Tile.FullWidth;

    /// <summary>Path below the log's prefix, such as <c>tile/0/x001/x234/067</c> or <c>tile/1/000.p/3</c>.</summary>
    public string Path
    {
        get
        {
            var path = (Index % 1000).ToString("000", CultureInfo.InvariantCulture);
            for (var rest = Index / 1000; rest > 0; rest /= 1000)
            {
                path = string.Create(CultureInfo.InvariantCulture, $"x{rest % 1000:000}/{path}");
            }
            return string.Create(CultureInfo.InvariantCulture, $"tile/{Level}/{path}{(IsFull ? "" : $".p/{Width}")}");
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Path;

    /// <summary>Reads a <see cref="Path"/>; only the one canonical form is taken.</summary>
    public static bool TryParse(string path, out TileId tile)
    {
        tile = default;
        var parts = path.Split('/');
        if (parts.Length < 3 || parts[0] is not "tile" || !Number(parts[1], LevelMax, out var level)) return false;
        var (last, width) = (parts.Length - 1, (long)Tile.FullWidth);
        if (parts[last - 1].EndsWith(".p", StringComparison.Ordinal))
        {
            if (!Number(parts[last], Tile.FullWidth - 1, out width) || width == 0) return false;
            parts[--last] = parts[last][..^2];
        }
        long index = 0;
        for (var i = 2; i <= last; i++)
        {
            var digits = parts[i].AsSpan();
            if (i < last)
            {
                if (!digits.StartsWith("x")) return false;
                digits = digits[1..];
            }
            if (digits.Length != 3 || digits.ContainsAnyExceptInRange('0', '9') || index > long.MaxValue / 1000 - 1) return false;
            index = index * 1000 + int.Parse(digits, CultureInfo.InvariantCulture);
        }
        tile = new((int)level, index, (int)width);
        return string.Equals(tile.Path, path, StringComparison.Ordinal); // no leading zero groups
    }

    static bool Number(string text, long most, out long value) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value) && value <= most
        && (text.Length == 1 || text[0] != '0');
}

/// <summary>A tile with its hashes.</summary>
/// <param name="Id">Its name.</param>
/// <param name="Bytes">The hashes one behind the other, 32 bytes each.</param>
public readonly record struct Tile(TileId Id, ReadOnlyMemory<byte> Bytes)
{
    /// <summary>Hashes in a full tile.</summary>
    public const int FullWidth = 256;

    /// <summary>Levels of the tree in one tile.</summary>
    public const int Height = 8;

    /// <summary>Hashes of a level that lies <paramref name="level"/> tiles high in a tree of <paramref name="size"/> leaves.</summary>
    internal static long HashesAt(int level, long size) => level * Height > 62 ? 0 : size >> (level * Height);

    internal static ReadOnlySpan<TreeHash> Hashes(ReadOnlyMemory<byte> bytes) => MemoryMarshal.Cast<byte, TreeHash>(bytes.Span);

    /// <summary>The partial tiles at the right edge of a tree, lowest level first. With the full ones they are all tiles of the tree.</summary>
    public static IEnumerable<TileId> Partial(long size)
    {
        for (var level = 0; HashesAt(level, size) > 0; level++)
        {
            var hashes = HashesAt(level, size);
            if (hashes % FullWidth is var width and > 0) yield return new(level, hashes / FullWidth, (int)width);
        }
    }

    /// <summary>The full tiles that a tree of <paramref name="to"/> leaves has and one of <paramref name="from"/> had not.</summary>
    public static IEnumerable<TileId> Full(long from, long to)
    {
        for (var level = 0; HashesAt(level, to) >= FullWidth; level++)
        {
            for (var index = HashesAt(level, from) / FullWidth; index < HashesAt(level, to) / FullWidth; index++)
            {
                yield return new(level, index, FullWidth);
            }
        }
    }
}

/// <summary>Gets a tile's bytes, from disk or an object store; null when it is not there.</summary>
public delegate ValueTask<ReadOnlyMemory<byte>?> TileSource(TileId tile, CancellationToken cancel);
