using Logwarden.Archive;
using Logwarden.Proof.Tree;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

/// <summary>After segments have expired and are gone, what stays is still proved: by the hashes that tiles keep of their rows.</summary>
public sealed class ExpiryTests : IDisposable
{
    const string Class = Tampering.Class;

    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Leaves_of_an_expired_segment_are_taken_from_the_newest_partial_tile(int expired)
    {
        await SealOneByOne(expired, 1, 2, 3);

        var report = await _world.Verify();

        Assert.Empty(report.Findings);
        Assert.Equal((expired, 3L - expired, 1L), (report.SegmentsExpired, report.Events, report.Tiles));
    }

    [Fact]
    public async Task A_known_checkpoint_raises_no_alarm_when_old_segments_have_expired()
    {
        await SealOneByOne(1, 1, 2, 3);

        foreach (var size in (long[])[1, 2, 3])
        {
            var known = await _world.Store.ReadBytes(ArchiveLayout.Checkpoint(Class, size), null, Cancel);
            Assert.Empty((await Verifier.Run(_world.Store, new() { Keys = [_world.Key.Verifier], Known = [new("kept", known)] }, _world.Time, _ => { }, Cancel)).Findings);
        }
    }

    [Theory]
    [InlineData("flip", FindingCode.TileChanged)]
    [InlineData("flip of a row that is there", FindingCode.TileChanged)]
    [InlineData("cut", FindingCode.TileChanged)]
    [InlineData("drop", FindingCode.TileMissing)]
    public async Task A_partial_tile_that_is_needed_for_expired_leaves_is_one_finding_when_it_is_wrong(string what, FindingCode code)
    {
        await SealOneByOne(1, 1, 2, 3, 4);

        var tile = await Break(ArchiveLayout.TileOf(Class, new(0, 0, 4)), what);

        var finding = Assert.Single((await _world.Verify()).Findings);
        Assert.Equal((code, tile), (finding.Code, finding.Object));
    }

    [Theory]
    [InlineData("flip", FindingCode.TileChanged)]
    [InlineData("cut", FindingCode.TileChanged)]
    [InlineData("drop", FindingCode.TileMissing)]
    public async Task A_full_tile_that_is_needed_for_expired_leaves_is_one_finding_when_it_is_wrong(string what, FindingCode code)
    {
        await SealOneByOne(1, 200, 300, 400);

        var tile = await Break(ArchiveLayout.TileOf(Class, new(0, 0, Tile.FullWidth)), what);

        var finding = Assert.Single((await _world.Verify()).Findings);
        Assert.Equal((code, tile), (finding.Code, finding.Object));
        Assert.Contains(Class, finding.What, StringComparison.Ordinal);
    }

    async Task<string> Break(string tile, string what)
    {
        var path = Path.Combine(_world.ArchiveFolder, tile);
        File.SetAttributes(path, FileAttributes.Normal);
        var bytes = await File.ReadAllBytesAsync(path, Cancel);
        if (what is "drop")
        {
            File.Delete(path);
            return tile;
        }
        if (what is "cut") bytes = bytes[..16];
        else bytes[what is "flip" ? 3 : ^3] ^= 1;
        await File.WriteAllBytesAsync(path, bytes, Cancel);
        return tile;
    }

    // One class, so that each seal has one segment; the oldest expire and are deleted.
    async Task SealOneByOne(int expired, params long[] ends)
    {
        using (var sealer = await _world.OpenSealer())
        {
            foreach (var end in ends)
            {
                var from = sealer.SealedTo;
                await sealer.SealEvents(Enumerable.Range((int)from, (int)(end - from)).Select(offset => (ReadOnlyMemory<byte>)StoredEvents.One(offset)), end, null, Cancel);
            }
        }
        _world.Time.Advance(TimeSpan.FromDays(100));
        await _world.Expire(expired);
    }
}
