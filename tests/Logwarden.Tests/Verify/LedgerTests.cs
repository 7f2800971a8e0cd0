using Logwarden.Journal;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

/// <summary>The conservation ledger that a seal carries, against the rows that the archive holds.</summary>
public class LedgerTests
{
    static readonly string?[] Rows = [null, "invalid-json", null, "truncated", "invalid-json", null, null];

    [Fact]
    public async Task A_ledger_that_holds_is_no_finding() =>
        Assert.Empty(await Verify(Source(stored: 4, duplicates: 2, ("invalid-json", 2), ("truncated", 1))));

    [Fact]
    public async Task Another_reason_is_named() => Assert.Equal(
        [
            "source shop has 2 rows quarantined as invalid-json, its ledger says 1",
            "source shop has 1 rows quarantined as truncated, its ledger says 2",
        ],
        await Verify(Source(stored: 4, duplicates: 2, ("invalid-json", 1), ("truncated", 2))));

    [Fact]
    public async Task A_reason_that_no_row_has_is_named() => Assert.Equal(
        ["source shop has 0 rows quarantined as too-deep, its ledger says 1", "source shop has 1 rows quarantined as truncated, its ledger says 0"],
        await Verify(Source(stored: 4, duplicates: 2, ("invalid-json", 2), ("too-deep", 1))));

    [Fact]
    public async Task Rows_that_the_ledger_does_not_have_are_named() => Assert.Contains(
        "source shop has 4 rows and 3 quarantined ones, its ledger says 5 and 2", await Verify(Source(stored: 5, duplicates: 2, ("invalid-json", 1), ("truncated", 1))));

    [Fact]
    public async Task A_ledger_that_does_not_add_up_is_named() => Assert.Contains(
        "source shop does not add up", await Verify(Source(stored: 4, duplicates: 2, ("invalid-json", 2), ("truncated", 1)) with { In = 8 }));

    static SourceLedger Source(long stored, long duplicates, params (string Reason, long Count)[] quarantined)
    {
        var sum = quarantined.Sum(pair => pair.Count);
        return new("shop", stored + duplicates + sum, stored, duplicates, sum, quarantined.ToDictionary(pair => pair.Reason, pair => pair.Count, StringComparer.Ordinal));
    }

    static async Task<IEnumerable<string>> Verify(SourceLedger source)
    {
        using var world = new ArchiveWorld();
        var events = Rows.Select((reason, offset) => (ReadOnlyMemory<byte>)(reason is null
            ? StoredEvents.One(offset)
            : StoredEvents.One(offset, @class: "quarantine", json: $$$"""{"class_uid":0,"metadata":{"reason":"not this one"},"unmapped":{"field":"reason","reason":"{{{reason}}}","record":3}}""")));
        using (var sealer = await world.OpenSealer())
        {
            var total = source with { Source = "" };
            await sealer.SealEvents(events, Rows.Length, new LedgerSnapshot(Rows.Length, total, [source], []), ArchiveWorld.Cancel);
        }
        var report = await world.Verify();
        Assert.All(report.Findings, finding => Assert.Equal(FindingCode.LedgerMismatch, finding.Code));
        return report.Findings.Select(finding => finding.What["The ledger does not hold: ".Length..].TrimEnd('.'));
    }
}
