using System.Numerics;

namespace Logwarden.Proof.Tree;

/// <summary>
/// The right edge of a growing tree: the roots of its complete subtrees, widest first (a compact range from leaf 0). Enough to append
/// leaves and to know the root at every size, in at most 63 hashes of memory. Not thread-safe.
/// </summary>
public sealed class Frontier
{
    // _nodes[i] is the complete subtree of 2^i leaves, there when bit i of Size is set.
    readonly TreeHash[] _nodes = new TreeHash[63];

    /// <summary>Number of leaves.</summary>
    public long Size { get; private set; }

    /// <summary>Adds a leaf behind the last one.</summary>
    public void Append(in TreeHash leaf)
    {
        var node = leaf;
        var level = 0;
        for (var size = Size; (size & 1) != 0; size >>= 1) node = MerkleTree.Node(_nodes[level++], node);
        _nodes[level] = node;
        Size++;
    }

    /// <summary>Root of the tree as it is now.</summary>
    public TreeHash Root()
    {
        if (Size == 0) return MerkleTree.Empty;
        var level = BitOperations.TrailingZeroCount(Size);
        var root = _nodes[level];
        for (var rest = Size >> ++level; rest != 0; rest >>= 1, level++)
        {
            if ((rest & 1) != 0) root = MerkleTree.Node(_nodes[level], root);
        }
        return root;
    }
}
