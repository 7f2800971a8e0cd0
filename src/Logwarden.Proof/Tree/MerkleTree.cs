using System.Buffers;
using System.Security.Cryptography;

namespace Logwarden.Proof.Tree;

/// <summary>
/// The hashes of RFC 6962 section 2.1 (unchanged in RFC 9162): a leaf is <c>SHA-256(0x00 ‖ data)</c>, a node
/// <c>SHA-256(0x01 ‖ left ‖ right)</c>, the empty tree <c>SHA-256("")</c>.
/// </summary>
/// <remarks>
/// Called once per event and once per node. Budget: one SHA-256 pass plus a copy of the data, no allocation. One-shot hashing of
/// prefix and data side by side is quicker than an incremental hash, which keeps a native context.
/// </remarks>
public static class MerkleTree
{
    const byte LeafPrefix = 0, NodePrefix = 1;
    const int StackBytes = 4096;

    /// <summary>Root of a tree without leaves.</summary>
    public static TreeHash Empty { get; } = new(SHA256.HashData([]));

    /// <summary>Hash of a leaf with this content.</summary>
    public static TreeHash Leaf(ReadOnlySpan<byte> data)
    {
        if (data.Length < StackBytes)
        {
            Span<byte> input = stackalloc byte[StackBytes];
            return Leaf(data, input);
        }
        var rented = ArrayPool<byte>.Shared.Rent(data.Length + 1);
        try
        {
            return Leaf(data, rented);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    static TreeHash Leaf(ReadOnlySpan<byte> data, Span<byte> input)
    {
        input[0] = LeafPrefix;
        data.CopyTo(input[1..]);
        TreeHash hash = default;
        SHA256.HashData(input[..(data.Length + 1)], TreeHash.Writable(ref hash));
        return hash;
    }

    /// <summary>Hash of the node over two subtrees.</summary>
    public static TreeHash Node(in TreeHash left, in TreeHash right)
    {
        Span<byte> input = stackalloc byte[1 + 2 * TreeHash.Size];
        input[0] = NodePrefix;
        left.Bytes.CopyTo(input[1..]);
        right.Bytes.CopyTo(input[(1 + TreeHash.Size)..]);
        TreeHash hash = default;
        SHA256.HashData(input, TreeHash.Writable(ref hash));
        return hash;
    }

    /// <summary>Root over hashes that are all of one level; their number is a power of two. Up to 256 of them.</summary>
    internal static TreeHash Perfect(ReadOnlySpan<TreeHash> hashes)
    {
        Span<TreeHash> level = stackalloc TreeHash[Tile.FullWidth];
        hashes.CopyTo(level);
        for (var width = hashes.Length; width > 1; width /= 2)
        {
            for (var i = 0; i < width; i += 2) level[i / 2] = Node(level[i], level[i + 1]);
        }
        return level[0];
    }
}
