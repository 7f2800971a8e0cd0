using CsCheck;
using Logwarden.Proof.Tree;

namespace Logwarden.Tests.Proof;

public class TileTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(0, 0, 256, "tile/0/000")]
    [InlineData(0, 1_234_067, 256, "tile/0/x001/x234/067")]
    [InlineData(1, 1000, 17, "tile/1/x001/000.p/17")]
    [InlineData(7, 0, 1, "tile/7/000.p/1")]
    public void A_path_is_that_of_the_specification(int level, long index, int width, string path)
    {
        Assert.Equal(path, new TileId(level, index, width).Path);
        Assert.True(TileId.TryParse(path, out var tile));
        Assert.Equal(new(level, index, width), tile);
    }

    [Theory]
    [InlineData("tile/0/0")]
    [InlineData("tile/00/000")]
    [InlineData("tile/8/000")]
    [InlineData("tile/0/x000/001")]
    [InlineData("tile/0/001/001")]
    [InlineData("tile/0/x001")]
    [InlineData("tile/0/000.p/0")]
    [InlineData("tile/0/000.p/256")]
    [InlineData("tile/0/000.p/01")]
    [InlineData("tile/0/000.p")]
    [InlineData("tile/0/+01")]
    [InlineData("tile/entries/000")]
    [InlineData("tile/0/x999/x999/x999/x999/x999/x999/x999/999")]
    public void Any_other_path_is_refused(string path) => Assert.False(TileId.TryParse(path, out _));

    [Fact]
    public void Paths_survive_the_round_trip_and_noise_never_throws()
    {
        Gen.Select(Gen.Int[0, 7], Gen.Long[0, long.MaxValue / 1000], Gen.Int[1, 256]).Sample(
            (level, index, width) => TileId.TryParse(new TileId(level, index, width).Path, out var tile)
                && tile == new TileId(level, index, width), iter: 2000);
        Gen.String[Gen.Char["tile/0123456789xp. +-"], 0, 30].Sample(
            text => !TileId.TryParse(text, out var tile) || string.Equals(tile.Path, text, StringComparison.Ordinal), iter: 2000);
    }

    [Fact]
    public void A_tree_of_70000_has_the_tiles_that_the_specification_names()
    {
        Assert.Equal(["tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"], Tile.Partial(70_000).Select(tile => tile.Path), StringComparer.Ordinal);
        Assert.Equal(273 + 1, Tile.Full(0, 70_000).Count());
        Assert.Equal(["tile/1/000.p/1"], Tile.Partial(256).Select(tile => tile.Path), StringComparer.Ordinal);
        Assert.Empty(Tile.Partial(0));
        Assert.Equal(7, Tile.Partial(long.MaxValue).Max(tile => tile.Level));
    }

    [Fact]
    public async Task Appending_in_any_pieces_with_restarts_gives_the_same_tree()
    {
        var seeds = Gen.Select(Gen.Int[0, 900].Array[1, 5], Gen.Bool).Array[12].Single();
        foreach (var (pieces, dropPartial) in seeds)
        {
            var shelf = new TileShelf();
            var frontier = new Frontier();
            var all = new TileWriter();
            var root = MerkleTree.Empty;
            long size = 0;
            foreach (var piece in pieces)
            {
                // A partial tile above level 0 that got lost is made again.
                if (dropPartial)
                {
                    foreach (var tile in Tile.Partial(size).Where(tile => tile.Level > 0)) shelf.Tiles.Remove(tile.Path);
                }
                var writer = await TileWriter.Resume(size, root, shelf.Read, Cancel);
                for (var i = 0; i < piece; i++)
                {
                    var leaf = MerkleTree.Leaf(BitConverter.GetBytes(size++));
                    writer.Append(leaf);
                    frontier.Append(leaf);
                    all.Append(leaf);
                }
                shelf.Store(writer);
                root = writer.Root();
                Assert.Equal(size, writer.Size);
                Assert.Equal(frontier.Root(), root);
                Assert.Equal(root, await new TileTree(size, shelf.Read).Root(Cancel));
            }
            Assert.Equal(all.Root(), root);
            Assert.Equal(Tile.Full(0, size), all.TakeFull().Select(tile => tile.Id).OrderBy(tile => tile.Level).ThenBy(tile => tile.Index));
            Assert.Equal(Tile.Partial(size), all.Partial().Select(tile => tile.Id));
            foreach (var tile in Tile.Full(0, size)) Assert.True(shelf.Tiles.ContainsKey(tile.Path));
        }
    }

    [Fact]
    public async Task A_tree_of_three_tile_levels_is_right()
    {
        var shelf = new TileShelf();
        var writer = new TileWriter();
        var frontier = new Frontier();
        for (long i = 0; i < 70_000; i++)
        {
            var leaf = MerkleTree.Leaf(BitConverter.GetBytes(i));
            writer.Append(leaf);
            frontier.Append(leaf);
        }
        shelf.Store(writer);
        Assert.Equal(frontier.Root(), writer.Root());
        var tree = new TileTree(70_000, shelf.Read);
        foreach (var index in (long[])[0, 255, 256, 65_535, 65_536, 69_999])
        {
            var proof = await tree.InclusionProof(index, Cancel);
            Assert.True(MerkleProof.VerifyInclusion(index, 70_000, MerkleTree.Leaf(BitConverter.GetBytes(index)), proof, writer.Root()));
        }
        var old = await tree.RootAt(65_537, Cancel);
        Assert.True(MerkleProof.VerifyConsistency(65_537, 70_000, old, writer.Root(), await tree.ConsistencyProof(65_537, Cancel)));
        var resumed = await TileWriter.Resume(70_000, writer.Root(), shelf.Read, Cancel);
        Assert.Equal(writer.Root(), resumed.Root());
    }

    [Fact]
    public async Task After_a_crash_between_tiles_and_checkpoint_the_same_leaves_give_the_same_tiles()
    {
        var shelf = new TileShelf();
        var writer = new TileWriter();
        for (long i = 0; i < 300; i++) writer.Append(MerkleTree.Leaf(BitConverter.GetBytes(i)));
        shelf.Store(writer);
        var signed = writer.Root();
        for (long i = 300; i < 1100; i++) writer.Append(MerkleTree.Leaf(BitConverter.GetBytes(i)));
        shelf.Store(writer); // full tiles are there, the checkpoint of 1100 is not
        foreach (var tile in Tile.Partial(300)) shelf.Tiles.Remove(tile.Path);

        var again = await TileWriter.Resume(300, signed, shelf.Read, Cancel);
        for (long i = 300; i < 1100; i++) again.Append(MerkleTree.Leaf(BitConverter.GetBytes(i)));
        shelf.Store(again); // asserts that write-once tiles are written with the same bytes

        Assert.Equal(writer.Root(), again.Root());
    }

    [Fact]
    public async Task Tiles_that_do_not_belong_to_the_signed_root_are_refused()
    {
        var shelf = new TileShelf();
        var writer = new TileWriter();
        for (long i = 0; i < 300; i++) writer.Append(MerkleTree.Leaf(BitConverter.GetBytes(i)));
        shelf.Store(writer);
        var bytes = shelf.Tiles["tile/0/001.p/44"].ToArray();
        bytes[7] ^= 1;
        shelf.Tiles["tile/0/001.p/44"] = bytes;
        await Assert.ThrowsAsync<TileException>(async () => await TileWriter.Resume(300, writer.Root(), shelf.Read, Cancel));
        shelf.Tiles["tile/0/001.p/44"] = bytes.AsMemory(1);
        await Assert.ThrowsAsync<TileException>(async () => await TileWriter.Resume(300, writer.Root(), shelf.Read, Cancel));
        await Assert.ThrowsAsync<TileException>(async () => await new TileTree(300, shelf.Read).Root(Cancel));
        shelf.Tiles.Remove("tile/0/001.p/44");
        await Assert.ThrowsAsync<TileException>(async () => await TileWriter.Resume(300, writer.Root(), shelf.Read, Cancel));
        await Assert.ThrowsAsync<TileException>(async () => await new TileTree(300, shelf.Read).Root(Cancel));
    }
}
