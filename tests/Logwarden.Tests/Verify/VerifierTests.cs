using Logwarden.Archive;
using Logwarden.Policy;
using Logwarden.Retention;
using Logwarden.Tests.Archive;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

public sealed class VerifierTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    public static TheoryData<string> Kinds => [.. Tampering.Kinds];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_clean_archive_has_no_finding_and_everything_in_it_was_looked_at()
    {
        await _world.SealTo(1200, 1210, 3000);

        var report = await _world.Verify();

        Assert.Empty(report.Findings);
        Assert.True(report.IsClean);
        Assert.Equal((3L, 3000L, 3000L), (report.Seals, report.Events, report.SealedTo));
        Assert.Equal(9, report.Checkpoints - 3); // 3 classes × 3 seals, and the 3 live ones
        Assert.Equal(5 + 2 + 2, report.Tiles - 6); // full tiles of 1500, 750, 750 leaves, partial ones of two levels
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Tampering_is_named(string kind)
    {
        await _world.SealTo(1200, 2000, 3000);
        var seals = await _world.Records();

        var expected = await Tampering.Do(kind, new FolderIntruder(_world.Store, _world.ArchiveFolder), seals, _world.DataFolder);

        var report = await _world.Verify();
        foreach (var (code, key) in expected) Assert.Contains(report.Findings, finding => finding.Code == code && string.Equals(finding.Object, key, StringComparison.Ordinal));
        // One cause is one finding, not an avalanche: everything said is about the objects that were touched.
        Assert.All(report.Findings, finding => Assert.Contains(finding.Object, expected.Select(pair => pair.Key), StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_row_that_was_dropped_is_named_by_its_leaf()
    {
        await _world.SealTo(1200, 2000);
        await Tampering.Do("drop a row and rewrite", new FolderIntruder(_world.Store, _world.ArchiveFolder), await _world.Records(), _world.DataFolder);

        var report = await _world.Verify();

        Assert.Equal([FindingCode.SegmentChanged, FindingCode.RowMissing], report.Findings.Select(finding => finding.Code));
        Assert.Equal(17, report.Findings[1].Leaf);
    }

    [Fact]
    public async Task Another_key_verifies_nothing()
    {
        await _world.SealTo(1200);
        using var other = Logwarden.Proof.Notes.SigningKey.Generate(ArchiveWorld.Origin);

        var report = await Verifier.Run(_world.Store, new() { Keys = [other.Verifier] }, _world.Time, _ => { }, Cancel);

        Assert.Contains(report.Findings, finding => finding.Code == FindingCode.SealInvalid);
        Assert.Equal(0, report.Seals);
    }

    [Fact]
    public async Task An_archive_older_than_a_known_checkpoint_was_rolled_back()
    {
        await _world.SealTo(1200, 2000);
        var live = ArchiveLayout.LiveCheckpoint(Tampering.Class);
        var known = await _world.Store.ReadBytes(live, null, Cancel);
        var seals = await _world.Records();
        var old = await _world.Store.ReadBytes(ArchiveLayout.Checkpoint(Tampering.Class, seals[0].Tree(Tampering.Class).Size), null, Cancel);
        foreach (var key in seals[1].Segments.Select(segment => segment.Path)
            .Concat(seals[1].Trees.Select(tree => ArchiveLayout.Checkpoint(tree.Class, tree.Size))).Append(ArchiveLayout.Seal(1)))
        {
            File.Delete(Path.Combine(_world.ArchiveFolder, key));
        }
        await File.WriteAllBytesAsync(Path.Combine(_world.ArchiveFolder, live), old!, Cancel);

        var report = await Verifier.Run(
            _world.Store, new() { Keys = [_world.Key.Verifier], Known = [new("kept", known)] }, _world.Time, _ => { }, Cancel);

        Assert.Contains(report.Findings, finding => finding.Code == FindingCode.RolledBack);
    }

    [Fact]
    public async Task A_missing_seal_is_named_once_and_the_rest_is_still_verified()
    {
        await _world.SealTo(1200, 2000, 3000);
        File.Delete(Path.Combine(_world.ArchiveFolder, ArchiveLayout.Seal(1)));

        var report = await _world.Verify();

        Assert.Contains(report.Findings, finding => finding.Code == FindingCode.SealMissing && string.Equals(finding.Object, ArchiveLayout.Seal(1), StringComparison.Ordinal));
        Assert.Equal(2, report.Seals);
        Assert.DoesNotContain(report.Findings, finding => finding.Code is FindingCode.RootMismatch or FindingCode.TileChanged);
    }

    [Fact]
    public async Task What_may_be_gone_after_its_retention_is_no_finding()
    {
        await _world.SealTo(1200, 2000);
        _world.Time.Advance(TimeSpan.FromDays(100));
        var (run, _) = await _world.Retain(PolicySnapshot.Default);

        var report = await _world.Verify();

        Assert.Empty(report.Findings);
        Assert.Equal(run.Count(RetentionActKind.Expired), report.SegmentsExpired);
        Assert.InRange(report.SegmentsExpired, 1, report.SegmentsExpired + report.Segments - 1);
    }
}
