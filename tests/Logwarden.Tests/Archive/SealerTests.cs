using Logwarden.Archive;
using Logwarden.Segments;

namespace Logwarden.Tests.Archive;

public sealed class SealerTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task A_seal_groups_by_class_and_date_and_continues_the_one_before()
    {
        await _world.SealTo(1000, 1500);

        using var sealer = await _world.OpenSealer();
        Assert.Equal(1500, sealer.SealedTo);
        var record = sealer.Last!.Record;
        Assert.Equal((1L, 1000L, 1500L), (record.Header.Number, record.Header.From, record.Header.To));
        Assert.Equal(["application", "database", "security-audit"], record.Trees.Select(tree => tree.Class), StringComparer.Ordinal);
        Assert.Equal([750, 375, 375], record.Trees.Select(tree => tree.Size));
        Assert.Equal(
            ["segments/class=application/date=2026-07-01/00000000000000000500-250.parquet",
             "segments/class=database/date=2026-06-30/00000000000000000250-25.parquet",
             "segments/class=database/date=2026-07-01/00000000000000000275-100.parquet",
             "segments/class=security-audit/date=2026-06-30/00000000000000000250-25.parquet",
             "segments/class=security-audit/date=2026-07-01/00000000000000000275-100.parquet"],
            record.Segments.Select(segment => segment.Path), StringComparer.Ordinal);
        Assert.Equal(new(1800, 1500, 300, 0), record.Ledger);
        foreach (var segment in record.Segments)
        {
            var head = await _world.Store.Head(segment.Path, null, Cancel);
            Assert.Equal(LockMode.Compliance, head!.Mode);
            Assert.Equal(segment.RetainUntil, head.RetainUntil!.Value.UtcDateTime);
            Assert.True(File.Exists(Path.Combine(_world.DataFolder, "hot", segment.Path)));
        }
    }

    [Fact]
    public async Task Memory_bounds_the_segments()
    {
        using var sealer = await _world.OpenSealer(_world.Options with { MemoryBytesMax = 1 << 20 });

        var seal = await sealer.SealEvents(ArchiveWorld.Journal(0), 12_000, null, Cancel);

        Assert.InRange(seal!.Record.Segments.Count, 6, 20);
        foreach (var segments in seal.Record.Segments.GroupBy(segment => segment.Class, StringComparer.Ordinal))
        {
            var next = 0L;
            foreach (var segment in segments)
            {
                Assert.Equal(next, segment.FirstLeaf);
                next += segment.Rows;
            }
        }
        Assert.Equal(12_000, seal.Record.Segments.Sum(segment => segment.Rows));
    }

    [Fact]
    public async Task A_seal_of_too_many_segments_ends_early()
    {
        using var sealer = await _world.OpenSealer(_world.Options with { SegmentsMax = 3 });

        var seal = await sealer.SealEvents(ArchiveWorld.Journal(0), 4000, ArchiveWorld.Ledger(4000), Cancel);

        Assert.True(seal!.Record.Segments.Count <= 3);
        Assert.InRange(sealer.SealedTo, 1, 3999);
        Assert.Null(seal.Record.Ledger);
    }

    [Fact]
    public async Task An_archive_that_was_rolled_back_is_not_continued()
    {
        await _world.SealTo(100, 200);
        File.Delete(Path.Combine(_world.ArchiveFolder, ArchiveLayout.Seal(1)));

        await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await _world.OpenSealer());
    }

    [Fact]
    public async Task Lost_local_state_is_taken_up_from_the_archive()
    {
        await _world.SealTo(100, 300);
        Directory.Delete(_world.DataFolder, recursive: true);
        // Without lock, and anybody may delete it.
        Directory.Delete(Path.Combine(_world.ArchiveFolder, "live"), recursive: true);

        using var sealer = await _world.OpenSealer();
        Assert.Equal(300, sealer.SealedTo);
        await sealer.SealEvents(ArchiveWorld.Journal(300), 700, ArchiveWorld.Ledger(700), Cancel);
        Assert.Equal(350, sealer.Last!.Record.Tree("application").Size);
        Assert.Empty((await _world.Verify()).Findings);
    }

    [Fact]
    public async Task What_is_not_locked_is_made_again_at_the_next_start()
    {
        await _world.SealTo(1200);
        Directory.Delete(Path.Combine(_world.ArchiveFolder, "live"), recursive: true);

        using (await _world.OpenSealer()) Assert.Empty((await _world.Verify()).Findings);
    }

    [Fact]
    public void A_record_has_one_form()
    {
        var record = new SealRecord
        {
            Header = new(1, "o", 3, "ab", 10, 20, DateTime.UnixEpoch, DateTime.UnixEpoch, LockMode.Compliance),
            Segments = [new(SegmentSchema.PathOf("a", new(2026, 1, 2), 5, 10), "a", "cd", 99, 10, 5, -1, 2, DateTime.UnixEpoch, LockMode.Governance, true)],
            Trees = [new("a", 15, "r", DateTime.UnixEpoch, LockMode.Governance)],
            Ledger = new(12, 10, 1, 1),
            Sources = [new("s\n✓", 12, 10, 1, new(StringComparer.Ordinal) { ["bad"] = 1 })],
        };
        var text = record.ToText();

        Assert.Equal(text, SealRecord.TryParse(text, out _)!.ToText());
        Assert.Null(SealRecord.TryParse(text.Replace("\"number\":3", "\"number\": 3", StringComparison.Ordinal), out _));
        Assert.Null(SealRecord.TryParse(text.Replace("\"number\":3", "\"number\":3,\"x\":1", StringComparison.Ordinal), out _));
        Assert.Null(SealRecord.TryParse("", out _));
        Assert.Null(SealRecord.TryParse("{", out _));
    }
}
