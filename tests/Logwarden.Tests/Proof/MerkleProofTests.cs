using System.Globalization;
using System.Text.Json;
using CsCheck;
using Logwarden.Proof.Tree;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Proof;

public class MerkleProofTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public void Every_probe_of_the_corpus_has_its_verdict()
    {
        var folder = Corpora.Folder("merkle-transparency-dev");
        var (seen, accepted) = (0, 0);
        var wrong = new List<string>();
        foreach (var file in Directory.EnumerateFiles(folder, "*.json", SearchOption.AllDirectories))
        {
            using var json = JsonDocument.Parse(File.ReadAllBytes(file));
            var kind = Path.GetRelativePath(folder, file).Split('/')[0];
            var ok = Verdict(kind, json.RootElement);
            seen++;
            if (ok) accepted++;
            if (ok == json.RootElement.GetProperty("wantErr").GetBoolean()) wrong.Add(file);
        }
        Assert.Empty(wrong);
        TestContext.Current.SendDiagnosticMessage($"{seen} probes, {accepted} accepted");
        Assert.True(seen > 0);
    }

    static bool Verdict(string kind, JsonElement probe)
    {
        ulong Number(string name) => probe.GetProperty(name).GetUInt64();
        var proof = new List<TreeHash>();
        if (!TryHash(probe.GetProperty(kind.EndsWith("inclusion", StringComparison.Ordinal) ? "root" : "root2"), out var root)
            || !TryHash(probe.GetProperty(kind.EndsWith("inclusion", StringComparison.Ordinal) ? "leafHash" : "root1"), out var first))
        {
            return false;
        }
        if (probe.GetProperty("proof").ValueKind == JsonValueKind.Array)
        {
            foreach (var item in probe.GetProperty("proof").EnumerateArray())
            {
                if (!TryHash(item, out var hash)) return false;
                proof.Add(hash);
            }
        }
        return kind switch
        {
            "inclusion" => MerkleProof.VerifyInclusion(Number("leafIdx"), Number("treeSize"), first, proof.ToArray(), root),
            "consistency" => MerkleProof.VerifyConsistency(Number("size1"), Number("size2"), first, root, proof.ToArray()),
            "subtreeinclusion" => MerkleProof.VerifySubtreeInclusion(
                Number("leafIdx"), Number("start"), Number("end"), first, proof.ToArray(), root),
            "subtreeconsistency" => MerkleProof.VerifySubtreeConsistency(
                Number("start"), Number("end"), Number("size"), first, root, proof.ToArray()),
            _ => throw new InvalidDataException(kind),
        };
    }

    static bool TryHash(JsonElement element, out TreeHash hash) => TreeHash.TryParse(element.GetString(), out hash);

    static byte[][] Leaves(int count) =>
        [.. Enumerable.Range(0, count).Select(i => System.Text.Encoding.UTF8.GetBytes(i.ToString(CultureInfo.InvariantCulture)))];

    static async Task<TileTree> Tree(byte[][] leaves)
    {
        var writer = new TileWriter();
        foreach (var leaf in leaves) writer.Append(MerkleTree.Leaf(leaf));
        var shelf = new TileShelf();
        shelf.Store(writer);
        var tree = new TileTree(leaves.Length, shelf.Read);
        Assert.Equal(writer.Root(), await tree.Root(Cancel));
        return tree;
    }

    [Fact]
    public async Task Roots_and_proofs_are_those_of_the_slow_tree()
    {
        for (var size = 0; size <= 70; size++)
        {
            var leaves = Leaves(size);
            var tree = await Tree(leaves);
            var root = SlowTree.Root(leaves);
            Assert.Equal(root, await tree.Root(Cancel));
            for (var i = 0; i < size; i++)
            {
                var proof = await tree.InclusionProof(i, Cancel);
                Assert.Equal(SlowTree.Path(i, leaves), proof);
                Assert.True(MerkleProof.VerifyInclusion(i, size, MerkleTree.Leaf(leaves[i]), proof, root));
                var growth = await tree.ConsistencyProof(i + 1, Cancel);
                Assert.Equal(SlowTree.Proof(i + 1, leaves), growth);
                Assert.True(MerkleProof.VerifyConsistency(i + 1, size, SlowTree.Root(leaves.AsSpan(0, i + 1)), root, growth));
            }
        }
    }

    [Fact]
    public async Task Proofs_over_several_tiles_are_those_of_the_slow_tree()
    {
        var cases = Gen.Select(Gen.Int[1, 1500], Gen.Int[0, 1499]).Where((size, at) => at < size).Array[25].Single();
        foreach (var (size, at) in cases)
        {
            var leaves = Leaves(size);
            var tree = await Tree(leaves);
            Assert.Equal(SlowTree.Path(at, leaves), await tree.InclusionProof(at, Cancel));
            Assert.Equal(SlowTree.Proof(at + 1, leaves), await tree.ConsistencyProof(at + 1, Cancel));
            Assert.Equal(SlowTree.Root(leaves.AsSpan(0, at)), await tree.RootAt(at, Cancel));
            Assert.Equal(MerkleTree.Leaf(leaves[at]), await tree.Leaf(at, Cancel));
        }
    }

    [Fact]
    public async Task A_proof_that_was_changed_anywhere_is_refused()
    {
        const int Size = 27;
        var leaves = Leaves(Size);
        var tree = await Tree(leaves);
        var root = await tree.Root(Cancel);
        for (var i = 0; i < Size; i++)
        {
            var leaf = MerkleTree.Leaf(leaves[i]);
            var proof = await tree.InclusionProof(i, Cancel);
            for (long at = -1; at <= Size + 1; at++) Assert.Equal(at == i, MerkleProof.VerifyInclusion(at, Size, leaf, proof, root));
            foreach (var changed in Changes(proof)) Assert.False(MerkleProof.VerifyInclusion(i, Size, leaf, changed, root));
            Assert.False(MerkleProof.VerifyInclusion(i, Size, MerkleTree.Leaf([]), proof, root));

            var old = SlowTree.Root(leaves.AsSpan(0, i + 1));
            var growth = await tree.ConsistencyProof(i + 1, Cancel);
            foreach (var changed in Changes(growth)) Assert.False(MerkleProof.VerifyConsistency(i + 1, Size, old, root, changed));
            if (i + 1 < Size) Assert.False(MerkleProof.VerifyConsistency(i + 1, Size, root, root, growth));
        }
    }

    static IEnumerable<TreeHash[]> Changes(TreeHash[] proof)
    {
        yield return [.. proof, MerkleTree.Empty];
        for (var i = 0; i < proof.Length; i++)
        {
            yield return [.. proof[..i], MerkleTree.Empty, .. proof[(i + 1)..]];
            yield return [.. proof[..i], .. proof[(i + 1)..]];
            if (i > 0) yield return [.. proof[..(i - 1)], proof[i], proof[i - 1], .. proof[(i + 1)..]];
        }
    }

    [Fact]
    public void Noise_is_refused_without_an_exception() =>
        Gen.Select(Gen.ULong, Gen.ULong, Gen.ULong, Gen.Int[0, 70]).Sample((start, end, size, count) =>
            !MerkleProof.VerifySubtreeConsistency(
                start, end, size, MerkleTree.Leaf([1]), MerkleTree.Leaf([2]), Enumerable.Repeat(MerkleTree.Empty, count).ToArray())
            && !MerkleProof.VerifyInclusion(start, size, MerkleTree.Leaf([1]), Enumerable.Repeat(MerkleTree.Empty, count).ToArray(),
                MerkleTree.Leaf([2])), iter: 2000);

    [Theory]
    [InlineData(0)]
    [InlineData(4095)]
    [InlineData(4096)]
    [InlineData(100_000)]
    public void A_leaf_of_any_length_is_hashed_with_its_prefix(int length)
    {
        var data = new byte[length];
        Array.Fill(data, (byte)7);
        Assert.Equal(new(System.Security.Cryptography.SHA256.HashData([0, .. data])), MerkleTree.Leaf(data));
    }

    [Fact]
    public void Hashing_a_leaf_and_a_node_allocates_nothing()
    {
        var data = new byte[2000];
        var hash = MerkleTree.Leaf(data);
        // The runtime itself allocates now and then, when it compiles hot code anew: the best of several rounds counts.
        var least = long.MaxValue;
        for (var round = 0; round < 20 && least > 0; round++)
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            for (var i = 0; i < 100; i++) hash = MerkleTree.Node(MerkleTree.Leaf(data), hash);
            least = Math.Min(least, GC.GetAllocatedBytesForCurrentThread() - before);
        }
        Assert.Equal(0, least);
    }
}
