using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Archive;

/// <summary>Tiles of one class as the archive holds them.</summary>
sealed class ArchiveTiles(IBlobStore store, string @class)
{
    /// <summary>
    /// A tile's bytes. A partial tile that is not there (its prefix is not locked) is made again: from the full tiles below it, or, of level 0,
    /// from the rows of the segments that <paramref name="seals"/> name and from deletion records.
    /// </summary>
    public TileSource Source(SealHistory seals, IReadOnlyDictionary<string, string> localFiles) => async (tile, cancel) =>
        await Get(tile, cancel) ?? (tile.IsFull ? null : await Make(tile, seals, localFiles, cancel));

    /// <summary>As <see cref="Source"/>, but partial tiles are always made again: for when what is stored does not give the signed root.</summary>
    public TileSource LockedSource(SealHistory seals, IReadOnlyDictionary<string, string> localFiles) => async (tile, cancel) =>
        tile.IsFull ? await Get(tile, cancel) : await Make(tile, seals, localFiles, cancel);

    /// <summary>A tile's bytes; null when it is not there.</summary>
    public async ValueTask<ReadOnlyMemory<byte>?> Get(TileId tile, CancellationToken cancel)
    {
        var key = ArchiveLayout.TileOf(@class, tile);
        var bytes = tile.IsFull ? await store.ReadLocked(key, cancel) : await store.ReadSmall(key, versionId: null, cancel);
        return bytes is null ? (ReadOnlyMemory<byte>?)null : bytes;
    }

    async ValueTask<ReadOnlyMemory<byte>?> Make(TileId tile, SealHistory seals, IReadOnlyDictionary<string, string> localFiles, CancellationToken cancel) =>
        tile.Level > 0 ? await FromBelow(tile, cancel) : await Rehash(tile.Index * Tile.FullWidth, tile.Width, seals, localFiles, cancel);

    async ValueTask<ReadOnlyMemory<byte>?> FromBelow(TileId tile, CancellationToken cancel)
    {
        var hashes = new byte[tile.Width * TreeHash.Size];
        for (var i = 0; i < tile.Width; i++)
        {
            if (await Get(new(tile.Level - 1, tile.Index * Tile.FullWidth + i, Tile.FullWidth), cancel) is not { } below) return null;
            var root = new Frontier();
            for (var at = 0; at + TreeHash.Size <= below.Length; at += TreeHash.Size) root.Append(new(below.Span.Slice(at, TreeHash.Size)));
            root.Root().Bytes.CopyTo(hashes.AsSpan(i * TreeHash.Size));
        }
        return hashes;
    }

    async ValueTask<ReadOnlyMemory<byte>?> Rehash(
        long first, int count, SealHistory seals, IReadOnlyDictionary<string, string> localFiles, CancellationToken cancel)
    {
        var hashes = new byte[count * TreeHash.Size];
        // Of events that were deleted after their retention the deletion record keeps the hashes that no full tile has.
        var kept = await seals.KeptLeaves(@class, first, count, cancel);
        kept = kept[..Math.Min(kept.Length, hashes.Length)];
        kept.CopyTo(hashes);
        var found = kept.Length / TreeHash.Size;
        var behind = first + found;
        await foreach (var segment in seals.Segments(cancel))
        {
            if (!string.Equals(segment.Class, @class, StringComparison.Ordinal)) continue;
            if (segment.FirstLeaf >= first + count) continue;
            if (segment.FirstLeaf + segment.Rows <= behind) break;
            using var reader = await SegmentFiles.Open(store, segment, localFiles, cancel);
            while (reader is not null && reader.Next())
            {
                if (reader.Leaf < behind || reader.Leaf >= first + count) continue;
                MerkleTree.Leaf(reader.Event).Bytes.CopyTo(hashes.AsSpan((int)(reader.Leaf - first) * TreeHash.Size));
                found++;
            }
        }
        return found == count ? hashes : (ReadOnlyMemory<byte>?)null;
    }
}

/// <summary>Segment files, wherever they are.</summary>
static class SegmentFiles
{
    /// <summary>Opens a segment, from a local file if there is one, else from the archive; null when it is nowhere as it was sealed.</summary>
    public static async ValueTask<SegmentReader?> Open(
        IBlobStore store, SealedSegment segment, IReadOnlyDictionary<string, string> localFiles, CancellationToken cancel)
    {
        if (localFiles.TryGetValue(segment.Path, out var path)) return SegmentReader.Open(path);
        var scratch = Scratch();
        if (await store.ReadHashed(segment.Path, segment.Sha256, scratch, cancel)) return SegmentReader.Open(scratch);
        await scratch.DisposeAsync();
        return null;
    }

    /// <summary>A file that is gone when it is closed.</summary>
    public static FileStream Scratch() => new(Path.GetTempFileName(), new FileStreamOptions
    {
        Mode = FileMode.Create,
        Access = FileAccess.ReadWrite,
        Options = FileOptions.DeleteOnClose,
        BufferSize = 0,
    });
}
