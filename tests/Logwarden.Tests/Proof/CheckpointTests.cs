using System.Text;
using CsCheck;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Proof;

public class CheckpointTests
{
    static readonly string[] Pieces = ["c2sp.org/tlog-proof@v1\n", "index ", "extra ", "1", "\n", "\n\n", "AAAA", "=", "é"];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Roots_tiles_and_signatures_of_a_tessera_log_verify()
    {
        var log = Corpora.PathOf("tlog-tessera", "log");
        var script = await File.ReadAllLinesAsync(Corpora.PathOf("tlog-tessera", "build_log.sh"), Cancel);
        var vkey = script.Single(line => line.Contains("LOG_PUBLIC_KEY=", StringComparison.Ordinal)).Split('"')[1];
        Assert.True(VerifierKey.TryParse(vkey, out var key, out _));
        var entries = script.Single(line => line.StartsWith("for i in ", StringComparison.Ordinal))["for i in ".Length..].Split(';')[0].Split(' ');

        var checkpoints = Directory.GetFiles(log, "checkpoint*").Select(file =>
        {
            Assert.True(Checkpoint.TryOpen(File.ReadAllBytes(file), [key], "example.com/log/testdata", out var checkpoint, out var reason), reason);
            return checkpoint;
        }).OrderBy(checkpoint => checkpoint.Size).ToList();
        Assert.True(checkpoints.Count >= 2);

        var last = checkpoints[^1];
        var tree = new TileTree(last.Size, async (tile, cancel) =>
            File.Exists(Path.Combine(log, tile.Path)) ? await File.ReadAllBytesAsync(Path.Combine(log, tile.Path), cancel) : null);
        var writer = new TileWriter();
        var roots = new List<TreeHash> { writer.Root() };
        for (var i = 0; i < last.Size; i++)
        {
            Assert.Equal(MerkleTree.Leaf(Encoding.UTF8.GetBytes(entries[i])), await tree.Leaf(i, Cancel));
            writer.Append(await tree.Leaf(i, Cancel));
            roots.Add(writer.Root());
        }
        foreach (var checkpoint in checkpoints)
        {
            Assert.Equal(roots[(int)checkpoint.Size], checkpoint.Root);
            Assert.Equal(checkpoint.Root, await tree.RootAt(checkpoint.Size, Cancel));
            if (checkpoint.Size == 0) continue;
            Assert.True(MerkleProof.VerifyConsistency(
                checkpoint.Size, last.Size, checkpoint.Root, last.Root, await tree.ConsistencyProof(checkpoint.Size, Cancel)));
        }
        foreach (var tile in writer.Partial()) Assert.Equal(tile.Bytes.ToArray(), await File.ReadAllBytesAsync(Path.Combine(log, tile.Id.Path), Cancel));
    }

    [Fact]
    public void Text_and_signature_survive_the_round_trip()
    {
        using var key = SigningKey.Generate("example.com/log");
        Gen.Select(Gen.Long[0, long.MaxValue], Gen.Byte.Array[32], Gen.String[Gen.Char[' ', '~'], 1, 9].Array[0, 3]).Sample((size, root, lines) =>
        {
            var checkpoint = new Checkpoint { Origin = "example.com/log", Size = size, Root = new(root), Extensions = lines };
            Assert.True(Checkpoint.TryOpen(checkpoint.Sign(key), [key.Verifier], "example.com/log", out var opened, out _));
            Assert.Equal(checkpoint, opened);
            Assert.False(Checkpoint.TryOpen(checkpoint.Sign(key), [key.Verifier], "example.com/other", out _, out _));
        }, iter: 100);
    }

    [Theory]
    [InlineData("o\n1\n")]
    [InlineData("o\n1\nAAAA\n")]
    [InlineData("\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")]
    [InlineData("o\n01\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")]
    [InlineData("o\n-1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")]
    [InlineData("o\n+1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")]
    [InlineData("o\n99999999999999999999\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n")]
    [InlineData("o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFV=\n")] // unused bits not zero
    [InlineData("o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\n")]
    [InlineData("o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n\nx\n")]
    [InlineData("o\n1\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=")]
    public void What_is_no_checkpoint_is_refused(string text) => Assert.False(Checkpoint.TryParse(text, out _));

    [Fact]
    public async Task An_inclusion_file_is_checked_without_the_log()
    {
        using var key = SigningKey.Generate("example.com/log");
        var writer = new TileWriter();
        var shelf = new TileShelf();
        for (var i = 0; i < 1000; i++) writer.Append(MerkleTree.Leaf(BitConverter.GetBytes(i)));
        shelf.Store(writer);
        var checkpoint = new Checkpoint { Origin = "example.com/log", Size = 1000, Root = writer.Root() }.Sign(key);
        foreach (var extra in (byte[]?[])[null, [], "event"u8.ToArray()])
        {
            var made = new InclusionFile
            {
                Index = 777,
                Hashes = await new TileTree(1000, shelf.Read).InclusionProof(777, Cancel),
                Checkpoint = checkpoint,
                Extra = extra is null ? null : (ReadOnlyMemory<byte>?)extra,
            };
            var bytes = made.ToBytes();
            Assert.True(InclusionFile.TryParse(bytes, out var file, out var reason), reason);
            Assert.Equal(bytes, file.ToBytes());
            Assert.True(file.Verify(MerkleTree.Leaf(BitConverter.GetBytes(777)), [key.Verifier], "example.com/log", out var signed, out reason), reason);
            Assert.Equal(1000, signed.Size);
            Assert.False(file.Verify(MerkleTree.Leaf(BitConverter.GetBytes(778)), [key.Verifier], "example.com/log", out _, out _));
            Assert.False(file.Verify(MerkleTree.Leaf(BitConverter.GetBytes(777)), [key.Verifier], "example.com/other", out _, out _));
            Assert.False((file with { Index = 776 }).Verify(MerkleTree.Leaf(BitConverter.GetBytes(777)), [key.Verifier], null, out _, out _));
            Assert.False((file with { Index = 1000 }).Verify(MerkleTree.Leaf(BitConverter.GetBytes(777)), [key.Verifier], null, out _, out _));
        }
    }

    [Fact]
    public void An_inclusion_file_has_the_form_of_the_specification()
    {
        var h1 = MerkleTree.Leaf("hash1"u8);
        var file = new InclusionFile { Index = 10, Hashes = [h1], Checkpoint = "checkpoint data\n"u8.ToArray(), Extra = "extra"u8.ToArray() };
        Assert.Equal($"c2sp.org/tlog-proof@v1\nextra ZXh0cmE=\nindex 10\n{h1}\n\ncheckpoint data\n", Encoding.UTF8.GetString(file.ToBytes()));
        var bare = new InclusionFile { Index = 0, Hashes = [], Checkpoint = "checkpoint\n"u8.ToArray() };
        Assert.Equal("c2sp.org/tlog-proof@v1\nindex 0\n\ncheckpoint\n", Encoding.UTF8.GetString(bare.ToBytes()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("not a proof at all")]
    [InlineData("c2sp.org/tlog-proof@v1\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v2\nindex 1\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex one\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 01\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex -1\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 18446744073709551616\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nextra AAAA\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nextra !!\nindex 1\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\nAAAA\n\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\nindex 1\ncheckpoint\n")]
    [InlineData("c2sp.org/tlog-proof@v1\r\nindex 1\r\n\r\ncheckpoint\n")]
    public void What_is_no_inclusion_file_is_refused(string text) =>
        Assert.False(InclusionFile.TryParse(Encoding.UTF8.GetBytes(text), out _, out _));

    [Fact]
    public void Noise_in_an_inclusion_file_never_throws() =>
        Gen.Int[0, Pieces.Length - 1].Select(i => Pieces[i]).Array[0, 12].Sample(parts =>
        {
            if (!InclusionFile.TryParse(Encoding.UTF8.GetBytes(string.Concat(parts)), out var file, out _)) return;
            Assert.False(file.Verify(MerkleTree.Empty, [], null, out _, out _));
        }, iter: 5000);
}
