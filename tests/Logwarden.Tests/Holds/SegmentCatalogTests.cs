using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Match;

namespace Logwarden.Tests.Holds;

public sealed class SegmentCatalogTests : IDisposable
{
    readonly HoldWorld _world = new();

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task It_has_every_segment_as_its_seal_says_also_when_it_was_lost()
    {
        await _world.SealTo(null, 300, 600, 900);
        await CheckAsync();

        // A database is made anew where it is gone.
        File.Delete(_world.Custody.Database.Path);
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        var anew = _world.Open();
        Assert.Equal(-1, anew.Catalog.Newest);
        Assert.Equal(3, await anew.Catalog.CatchUpAsync(_world.Archive.Store, [_world.Archive.Key.Verifier], null, HoldWorld.Cancel));
        Assert.Equal(0, await anew.Catalog.CatchUpAsync(_world.Archive.Store, [_world.Archive.Key.Verifier], null, HoldWorld.Cancel));
        await CheckAsync();
    }

    [Fact]
    public async Task A_seal_that_does_not_follow_is_left_to_be_caught_up()
    {
        await _world.SealTo(null, 300);
        await _world.Archive.SealTo(600, 900);
        using var sealer = await _world.Archive.OpenSealer();

        Assert.False(_world.Custody.Catalog.Add(sealer.Last!, null));
        Assert.Equal(2, await _world.Custody.Catalog.CatchUpAsync(_world.Archive.Store, [_world.Archive.Key.Verifier], null, HoldWorld.Cancel));
        Assert.True(_world.Custody.Catalog.Add(sealer.Last!, null)); // it has it
        await CheckAsync();
    }

    [Fact]
    public async Task Another_archive_is_not_taken_for_ours()
    {
        await _world.SealTo(null, 300, 600);
        using var other = new HoldWorld();
        await other.SealTo(null, 300, 600, 900);

        await Assert.ThrowsAsync<ArchiveRolledBackException>(() => _world.Custody.Catalog.CatchUpAsync(other.Archive.Store, [other.Archive.Key.Verifier, _world.Archive.Key.Verifier], null, HoldWorld.Cancel));
        await CheckAsync();
    }

    [Fact]
    public async Task Seals_that_expired_are_no_hindrance()
    {
        await _world.SealTo(null, 300, 600, 900);
        File.Delete(Path.Combine(_world.Archive.ArchiveFolder, ArchiveLayout.Seal(0)));
        var anew = new SegmentCatalog(Data.ControlDatabase.Open(Path.Combine(_world.Archive.DataFolder, "anew")));

        Assert.Equal(2, await anew.CatchUpAsync(_world.Archive.Store, [_world.Archive.Key.Verifier], null, HoldWorld.Cancel));
        Assert.Equal(2, anew.Newest);
    }

    [Theory]
    [InlineData("class=database", true)]
    [InlineData("class=DATABASE", true)]
    [InlineData("class==DATABASE", false)]
    [InlineData("class=data*", true)]
    [InlineData("class in (application, database)", true)]
    [InlineData("class=application", false)]
    [InlineData("class=application OR user=ada", true)]
    [InlineData("NOT class=database", true)] // pruning is cautious
    [InlineData("time >= 2026-07-02", false)]
    [InlineData("time < 2026-07-01", false)]
    [InlineData("time >= 2026-07-01T12:00:00Z time < 2026-07-01T12:00:10Z", true)]
    [InlineData("user=ada time < 2026-06-01", false)]
    public void Pruning_leaves_out_only_what_cannot_match(string filter, bool mayMatch)
    {
        var noon = Logwarden.Events.UnixMicros.Of(new(2026, 7, 1, 12, 0, 0, TimeSpan.Zero));
        var segment = new SealedSegment("p", "database", "", 1, 1, 0, noon, noon + 60_000_000, DateTime.UnixEpoch, LockMode.Governance, false);

        Assert.Equal(mayMatch, SegmentScope.MayMatch(PredicateParser.Parse(filter).Value, segment));
    }

    async Task CheckAsync()
    {
        var records = await _world.Archive.Records();
        var catalog = _world.Open().Catalog;
        Assert.Equal(records.Count - 1, catalog.Newest);
        foreach (var record in records)
        {
            Assert.Equal(
                record.Segments.OrderBy(segment => segment.Path, StringComparer.Ordinal).Select(segment => new CatalogSegment(segment, record.Header.Number, false)),
                catalog.OfSeal(record.Header.Number));
        }
    }
}
