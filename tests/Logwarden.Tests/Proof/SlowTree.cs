using System.Security.Cryptography;
using Logwarden.Proof.Tree;

namespace Logwarden.Tests.Proof;

/// <summary>RFC 6962 section 2.1 word for word, recursive and slow: what the tree code must agree with.</summary>
static class SlowTree
{
    public static TreeHash Root(ReadOnlySpan<byte[]> leaves) => leaves.Length switch
    {
        0 => new(SHA256.HashData([])),
        1 => new(SHA256.HashData([0, .. leaves[0]])),
        _ => new(SHA256.HashData([1, .. Root(leaves[..Left(leaves.Length)]).Bytes, .. Root(leaves[Left(leaves.Length)..]).Bytes])),
    };

    public static TreeHash[] Path(int index, ReadOnlySpan<byte[]> leaves)
    {
        if (leaves.Length == 1) return [];
        var k = Left(leaves.Length);
        return index < k ? [.. Path(index, leaves[..k]), Root(leaves[k..])] : [.. Path(index - k, leaves[k..]), Root(leaves[..k])];
    }

    public static TreeHash[] Proof(int earlier, ReadOnlySpan<byte[]> leaves) => SubProof(earlier, leaves, known: true);

    static TreeHash[] SubProof(int m, ReadOnlySpan<byte[]> leaves, bool known)
    {
        if (m == leaves.Length) return known ? [] : [Root(leaves)];
        var k = Left(leaves.Length);
        return m <= k
            ? [.. SubProof(m, leaves[..k], known), Root(leaves[k..])]
            : [.. SubProof(m - k, leaves[k..], known: false), Root(leaves[..k])];
    }

    static int Left(int count)
    {
        var k = 1;
        while (k * 2 < count) k *= 2;
        return k;
    }
}

/// <summary>Tiles in memory, by their path.</summary>
sealed class TileShelf
{
    public Dictionary<string, ReadOnlyMemory<byte>> Tiles { get; } = new(StringComparer.Ordinal);

    public ValueTask<ReadOnlyMemory<byte>?> Read(TileId tile, CancellationToken cancel) =>
        ValueTask.FromResult(Tiles.TryGetValue(tile.Path, out var bytes) ? bytes : (ReadOnlyMemory<byte>?)null);

    /// <summary>Stores what a writer has to store at this point.</summary>
    public void Store(TileWriter writer)
    {
        foreach (var tile in writer.TakeFull()) Assert.True(Tiles.TryAdd(tile.Id.Path, tile.Bytes) || Tiles[tile.Id.Path].Span.SequenceEqual(tile.Bytes.Span));
        foreach (var tile in writer.Partial()) Tiles[tile.Id.Path] = tile.Bytes;
    }
}
