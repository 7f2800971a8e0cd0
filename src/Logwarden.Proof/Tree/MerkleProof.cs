using System.Numerics;

namespace Logwarden.Proof.Tree;

/// <summary>
/// Checks Merkle proofs: lists of hashes from the bottom of the tree upwards (RFC 9162 sections 2.1.3.2 and 2.1.4.2). One algorithm
/// does all: a leaf is a subtree of width one, and an older tree is the subtree from leaf 0.
/// </summary>
public static class MerkleProof
{
    /// <summary>True when the leaf is at <paramref name="index"/> in the tree of <paramref name="size"/> leaves with this root.</summary>
    public static bool VerifyInclusion(long index, long size, in TreeHash leaf, ReadOnlySpan<TreeHash> proof, in TreeHash root) =>
        index >= 0 && size >= 0 && VerifyInclusion((ulong)index, (ulong)size, leaf, proof, root);

    /// <summary>
    /// True when the first <paramref name="size1"/> leaves of the second tree are the first tree. Growth from the empty tree proves
    /// nothing and is refused: a caller that starts at nothing has nothing to compare.
    /// </summary>
    public static bool VerifyConsistency(
        long size1, long size2, in TreeHash root1, in TreeHash root2, ReadOnlySpan<TreeHash> proof) =>
        size1 > 0 && size2 > 0 && VerifyConsistency((ulong)size1, (ulong)size2, root1, root2, proof);

    internal static bool VerifyInclusion(
        ulong index, ulong size, in TreeHash leaf, ReadOnlySpan<TreeHash> proof, in TreeHash root) =>
        index < size && VerifySubtreeConsistency(index, index + 1, size, leaf, root, proof);

    internal static bool VerifyConsistency(
        ulong size1, ulong size2, in TreeHash root1, in TreeHash root2, ReadOnlySpan<TreeHash> proof) =>
        size1 != 0 && VerifySubtreeConsistency(0, size1, size2, root1, root2, proof);

    /// <summary>Inclusion in the subtree of the leaves <c>[start, end)</c>, which must be one that a tree can have.</summary>
    internal static bool VerifySubtreeInclusion(
        ulong index, ulong start, ulong end, in TreeHash leaf, ReadOnlySpan<TreeHash> proof, in TreeHash root) =>
        IsSubtree(start, end) && index >= start && index < end
        && VerifyInclusion(index - start, end - start, leaf, proof, root);

    /// <summary>
    /// True when the leaves <c>[start, end)</c> of the tree of <paramref name="size"/> leaves with <paramref name="root2"/> are the
    /// subtree with <paramref name="root1"/>. An empty subtree has no leaves to compare: only the empty root on both sides is taken.
    /// </summary>
    internal static bool VerifySubtreeConsistency(
        ulong start, ulong end, ulong size, in TreeHash root1, in TreeHash root2, ReadOnlySpan<TreeHash> proof)
    {
        if (!IsSubtree(start, end) || end > size) return false;
        if (start == end) return proof.IsEmpty && root1 == MerkleTree.Empty && root2 == MerkleTree.Empty;

        // Positions at the level we are on: first and last node of the subtree, last node of the tree. Below the seed the two trees
        // agree, so climbing there takes no hash: up to the subtree's root when both end together, else while we are a right child.
        var (first, last, treeLast) = (start, end - 1, size - 1);
        var sharedEdge = last == treeLast;
        while (first != last && (sharedEdge || (last & 1) != 0)) Up(ref first, ref last, ref treeLast);

        TreeHash old, now;
        if (first == last)
        {
            old = now = root1; // the seed is the whole subtree
        }
        else
        {
            if (proof.IsEmpty) return false;
            old = now = proof[0];
            proof = proof[1..];
        }

        foreach (ref readonly var sibling in proof)
        {
            if (treeLast == 0) return false; // longer than the path
            if ((last & 1) != 0 || last == treeLast)
            {
                if (first < last) old = MerkleTree.Node(sibling, old);
                now = MerkleTree.Node(sibling, now);
                // On the right border a level without a left sibling has no node of its own.
                while ((last & 1) == 0) Up(ref first, ref last, ref treeLast);
            }
            else
            {
                now = MerkleTree.Node(now, sibling);
            }
            Up(ref first, ref last, ref treeLast);
        }
        return treeLast == 0 && old == root1 && now == root2;
    }

    /// <summary>Whether <c>[start, end)</c> is empty or the leaves of one subtree: start is a multiple of the next power of two.</summary>
    static bool IsSubtree(ulong start, ulong end)
    {
        if (start > end) return false;
        if (start == 0 || start == end) return true;
        var width = end - start;
        return width <= 1UL << 63 && start % BitOperations.RoundUpToPowerOf2(width) == 0;
    }

    static void Up(ref ulong first, ref ulong last, ref ulong treeLast)
    {
        first >>= 1;
        last >>= 1;
        treeLast >>= 1;
    }
}
