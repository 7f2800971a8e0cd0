using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Tests.Archive;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

/// <summary>Ways to have something taken out, put in or laid over and still be told that all is well, or to keep the verifier from ever telling.</summary>
public sealed class HidingTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Theory]
    [InlineData("nothing")]
    [InlineData("all of it")]
    [InlineData("the seals")]
    public async Task An_archive_without_seals_is_a_finding(string removed)
    {
        if (removed is not "nothing") await _world.SealTo(1200);
        if (removed is "all of it") Directory.Delete(_world.ArchiveFolder, recursive: true);
        if (removed is "the seals") Directory.Delete(InArchive("seals"), recursive: true);

        var report = await _world.Verify();

        Assert.False(report.IsClean);
        Assert.Equal("nothing-sealed", report.Findings[0].CodeText);
        Assert.NotEmpty(report.Findings[0].Next);
    }

    [Theory]
    [InlineData("junk", 9_000_000_000_000_000_000)]
    [InlineData("junk", long.MaxValue)]
    [InlineData("seal 1", 9_000_000_000_000_000_000)]
    [InlineData("seal 1", 3)]
    public async Task A_seal_far_above_the_newest_that_is_none_is_named_and_nothing_else_is_missing(string what, long number)
    {
        await _world.SealTo(100, 200, 300);
        var stray = ArchiveLayout.Seal(number);
        var bytes = what is "junk" ? "junk"u8.ToArray() : await _world.Store.ReadBytes(ArchiveLayout.Seal(1), null, Cancel);
        await _world.Store.PutBytes(stray, bytes!, null, Cancel);

        var report = await _world.Verify().WaitAsync(TimeSpan.FromSeconds(30), Cancel);

        Assert.Equal((3L, 300L, 300L), (report.Seals, report.Events, report.SealedTo));
        Assert.Contains(report.Findings, finding => finding.Code is FindingCode.ObjectUnexpected);
        Assert.All(report.Findings, finding => Assert.Equal(stray, finding.Object));
    }

    [Fact]
    public async Task Seals_that_are_missing_one_after_the_other_are_one_finding()
    {
        await _world.SealTo(100, 200, 300, 400, 500, 600, 700);
        foreach (var number in (long[])[1, 2, 3, 5]) File.Delete(InArchive(ArchiveLayout.Seal(number)));

        var missing = (await _world.Verify()).Findings.Where(finding => finding.Code is FindingCode.SealMissing).ToArray();

        Assert.Equal([ArchiveLayout.Seal(1), ArchiveLayout.Seal(5)], missing.Select(finding => finding.Object));
        Assert.Contains("1 to 3", missing[0].What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_first_seals_cannot_be_left_out()
    {
        await _world.SealTo(100, 200, 300);
        foreach (var number in (long[])[0, 1]) File.Delete(InArchive(ArchiveLayout.Seal(number)));

        var missing = Assert.Single((await _world.Verify()).Findings, finding => finding.Code is FindingCode.SealMissing);

        Assert.Contains("0 to 1", missing.What, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("log/application/tile/7/000")]
    [InlineData("log/application/tile/7/x001/499")]
    [InlineData("log/application/tile/2/000")]
    [InlineData("log/application/tile/0/005")]
    [InlineData("log/application/tile/0/005.p/3")]
    [InlineData("log/application/checkpoint/00000000000000000007")]
    [InlineData("log/other/tile/0/000")]
    [InlineData("seals/00000000000000000000.note2")]
    [InlineData("segments/class=application/x")]
    public async Task What_no_seal_names_is_unexpected(string key)
    {
        await _world.SealTo(1200, 3000);
        await _world.Store.PutBytes(key, new byte[32 * 256], null, Cancel);

        var finding = Assert.Single((await _world.Verify()).Findings);

        Assert.Equal((FindingCode.ObjectUnexpected, key), (finding.Code, finding.Object));
    }

    [Fact]
    public async Task A_name_with_control_characters_prints_no_line_of_its_own()
    {
        await _world.SealTo(100);
        await File.WriteAllTextAsync(InArchive("seals/x\nOK: nothing is changed\u001b[2K\u202e"), "", Cancel);

        var finding = Assert.Single((await _world.Verify()).Findings);

        Assert.DoesNotContain(finding.ToString(), c => char.IsControl(c) || c is '\u202e');
        Assert.Contains(@"seals/x\u000aOK", finding.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Links_in_a_circle_have_an_end_and_are_named()
    {
        await _world.SealTo(100);
        string[] links = ["seals/a", "seals/b", "segments/up"];
        foreach (var link in links) Directory.CreateSymbolicLink(InArchive(link), link is "segments/up" ? "../.." : ".");
        VerifyReport report;
        try
        {
            report = await Task.Run(() => _world.Verify(), Cancel).WaitAsync(TimeSpan.FromSeconds(30), Cancel);
        }
        finally
        {
            // Or clearing away would have no end.
            foreach (var link in links) Directory.Delete(InArchive(link));
        }

        Assert.All(report.Findings, finding => Assert.Equal(FindingCode.ObjectUnexpected, finding.Code));
        Assert.Equal(links, report.Findings.Select(finding => finding.Object));
    }

    [Fact]
    public async Task A_folder_that_was_moved_to_another_disk_is_listed_like_any_other()
    {
        await _world.SealTo(100);
        Directory.Move(InArchive("segments"), _world.DataFolder + "-big");
        Directory.CreateSymbolicLink(InArchive("segments"), _world.DataFolder + "-big");
        Assert.Empty((await _world.Verify()).Findings);
        await _world.Store.PutBytes("segments/class=application/x", new byte[1], null, Cancel);

        Assert.Equal("segments/class=application/x", Assert.Single((await _world.Verify()).Findings).Object);
    }

    [Theory]
    [InlineData("seal")]
    [InlineData("checkpoint")]
    public async Task A_signature_that_was_added_is_a_change(string what)
    {
        await _world.SealTo(100, 200);
        var key = what is "seal" ? ArchiveLayout.Seal(1) : ArchiveLayout.Checkpoint(Tampering.Class, 100);
        var note = (await _world.Store.ReadBytes(key, null, Cancel))!;
        // The same signature once more: every line of it is of a trusted key.
        var last = note.AsSpan(note.AsSpan()[..^1].LastIndexOf((byte)'\n') + 1);
        byte[] changed = [.. note, .. last];
        File.SetAttributes(InArchive(key), FileAttributes.Normal);
        await File.WriteAllBytesAsync(InArchive(key), changed, Cancel);

        var finding = Assert.Single((await _world.Verify()).Findings);

        Assert.Equal(key, finding.Object);
    }

    [Fact]
    public async Task An_object_far_larger_than_its_segment_is_not_read_whole()
    {
        await _world.SealTo(100);
        var segment = (await _world.Records())[0].Segments[0];
        File.SetAttributes(InArchive(segment.Path), FileAttributes.Normal);
        await using (var file = File.OpenWrite(InArchive(segment.Path))) file.SetLength(1L << 40);

        var finding = Assert.Single((await _world.Verify()).Findings);

        Assert.Equal((FindingCode.SegmentChanged, segment.Path), (finding.Code, finding.Object));
        Assert.Contains("more than", finding.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_end_cannot_be_cut_off_when_the_newest_seal_is_known()
    {
        await _world.SealTo(1200, 2000);
        var known = new KnownNote("state/sealed.note", await File.ReadAllBytesAsync(_world.Options.SealedPath, Cancel));
        var options = new VerifyOptions { Keys = [_world.Key.Verifier], Known = [known] };
        Assert.Empty((await Verifier.Run(_world.Store, options, _world.Time, _ => { }, Cancel)).Findings);
        await _world.SealTo(3000);
        Assert.Empty((await Verifier.Run(_world.Store, options, _world.Time, _ => { }, Cancel)).Findings);

        await CutOff(1);
        // What is left is an archive as it was: by itself it gives no sign.
        Assert.Empty((await _world.Verify()).Findings);

        var finding = Assert.Single((await Verifier.Run(_world.Store, options, _world.Time, _ => { }, Cancel)).Findings);
        Assert.Equal((FindingCode.RolledBack, ArchiveLayout.Seal(1)), (finding.Code, finding.Object));
        Assert.Contains("state/sealed.note", finding.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Another_seal_than_the_one_that_is_known_is_a_finding()
    {
        await _world.SealTo(1200, 2000);
        var record = (await _world.Records())[1];
        var other = SignedNote.Sign((record with { Header = record.Header with { Sealed = record.Header.Sealed.AddDays(1) } }).ToText(), _world.Key);

        var report = await Verifier.Run(_world.Store, new() { Keys = [_world.Key.Verifier], Known = [new("kept", other)] }, _world.Time, _ => { }, Cancel);

        var finding = Assert.Single(report.Findings);
        Assert.Equal((FindingCode.SealChainBroken, ArchiveLayout.Seal(1)), (finding.Code, finding.Object));
    }

    [Fact]
    public async Task What_is_known_of_another_archive_is_a_finding()
    {
        await _world.SealTo(1200);
        using var stranger = SigningKey.Generate(ArchiveWorld.Origin);
        var known = SignedNote.Sign((await _world.Records())[0].ToText(), stranger);

        var report = await Verifier.Run(_world.Store, new() { Keys = [_world.Key.Verifier], Known = [new("kept", known)] }, _world.Time, _ => { }, Cancel);

        Assert.Equal((FindingCode.CheckpointInvalid, "kept"), (report.Findings.Single().Code, report.Findings.Single().Object));
    }

    [Theory]
    [InlineData("application")]
    [InlineData("security-audit")]
    [InlineData("database")]
    public async Task A_class_that_was_taken_out_whole_is_missed(string @class)
    {
        await _world.SealTo(1200, 3000);
        foreach (var folder in (string[])[$"segments/class={@class}", $"log/{@class}", $"live/{@class}"]) Directory.Delete(InArchive(folder), recursive: true);

        var report = await _world.Verify();

        Assert.Contains(report.Findings, finding => finding.Code is FindingCode.SegmentMissing);
        Assert.Contains(report.Findings, finding => finding.Code is FindingCode.TileMissing);
        Assert.Contains(report.Findings, finding => finding.Code is FindingCode.CheckpointMissing);
        Assert.All(report.Findings, finding => Assert.Contains(@class, finding.Object, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Seals_that_are_made_while_it_reads_are_verified_too_and_raise_no_alarm()
    {
        await _world.SealTo(100);
        var end = 100L;
        // Each reading of a live checkpoint comes just after another seal.
        using var store = new Busy(_world.Store, async key =>
        {
            if (end < 400 && string.Equals(key, ArchiveLayout.LiveCheckpoint(Tampering.Class), StringComparison.Ordinal)) await _world.SealTo(end += 100);
        });

        var report = await _world.Verify(store);

        Assert.Empty(report.Findings);
        Assert.Equal((4L, 400L), (report.Seals, report.Events));
    }

    /// <summary>Removes all seals from a number on with what they name, and puts back the live checkpoints and partial tiles of before.</summary>
    async Task CutOff(int from)
    {
        var seals = await _world.Records();
        foreach (var seal in seals.Skip(from))
        {
            File.Delete(InArchive(ArchiveLayout.Seal(seal.Header.Number)));
            foreach (var segment in seal.Segments) File.Delete(InArchive(segment.Path));
            foreach (var tree in seal.Trees)
            {
                File.Delete(InArchive(ArchiveLayout.Checkpoint(tree.Class, tree.Size)));
                foreach (var tile in Tile.Full(seals[from - 1].Tree(tree.Class).Size, tree.Size)) File.Delete(InArchive(ArchiveLayout.TileOf(tree.Class, tile)));
            }
        }
        Directory.Delete(InArchive("live"), recursive: true);
        var state = _world.Options with { DataDirectory = _world.DataFolder + "-2" };
        using var sealer = await _world.OpenSealer(state); // makes what is not locked again
    }

    string InArchive(string key) => Path.Combine(_world.ArchiveFolder, key);

    sealed class Busy(IBlobStore store, Func<string, Task> before) : StoreAround(store)
    {
        bool _isIn;

        protected override ValueTask<T> Change<T>(Func<ValueTask<T>> change) => change();

        public override async ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel)
        {
            if (!_isIn)
            {
                _isIn = true;
                await before(key);
                _isIn = false;
            }
            return await base.Read(key, versionId, destination, cancel);
        }
    }
}
