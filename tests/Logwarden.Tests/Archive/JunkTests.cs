using System.Text;
using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Tests.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Archive;

/// <summary>What somebody put where a seal of ours belongs: it must not stop sealing, and nothing of ours may be lost to that end.</summary>
public sealed class JunkTests : IDisposable
{
    static readonly string Next = ArchiveLayout.Seal(2);

    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    public static TheoryData<string, bool> Junk => new MatrixTheoryData<string, bool>(["text", "locked text", "another's seal", "an older seal of ours", "far too large"], [false, true]);

    [Theory]
    [MemberData(nameof(Junk))]
    public async Task Junk_at_the_key_of_the_next_seal_stops_nothing_and_is_named(string what, bool isPutWhileOpen)
    {
        await _world.SealTo(100, 200);
        if (!isPutWhileOpen) await PutJunk(what);

        using (var sealer = await _world.OpenSealer())
        {
            Assert.Equal(200, sealer.SealedTo);
            if (isPutWhileOpen) await PutJunk(what);
            await sealer.SealEvents(ArchiveWorld.Journal(200), 300, ArchiveWorld.Ledger(300), Cancel);
        }
        await _world.SealTo(400);

        var aside = Next + ".aside-1";
        var report = await _world.Verify();
        Assert.Equal((4L, 400L), (report.Seals, report.Events));
        var finding = Assert.Single(report.Findings);
        Assert.Equal((FindingCode.ObjectUnexpected, aside), (finding.Code, finding.Object));
        var (length, isLocked) = (new FileInfo(InArchive(aside)).Length, File.Exists(InArchive(aside + ".lock")));
        Assert.Equal((what is "far too large", what is "locked text"), (length > int.MaxValue, isLocked));
    }

    [Theory]
    [InlineData("text")]
    [InlineData("far too large")]
    public async Task Junk_at_the_key_of_the_next_seal_is_named_before_there_is_one(string what)
    {
        await _world.SealTo(100, 200);
        await PutJunk(what);

        var findings = (await _world.Verify()).Findings;
        Assert.Contains(findings, finding => finding.Code == FindingCode.SealInvalid);
        Assert.All(findings, finding => Assert.Equal(Next, finding.Object));
    }

    [Fact]
    public async Task What_may_have_been_a_seal_is_not_passed_over()
    {
        await _world.SealTo(100, 200, 300);
        Directory.Delete(_world.DataFolder, recursive: true);
        File.SetAttributes(InArchive(Next), FileAttributes.Normal);
        await File.WriteAllBytesAsync(InArchive(Next), "damaged"u8.ToArray(), Cancel);

        var refused = await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await _world.OpenSealer());

        Assert.Contains($"{Next} is no seal that can be read", refused.Message, StringComparison.Ordinal);
        File.Delete(InArchive(Next));
        using var sealer = await _world.OpenSealer();
        Assert.Equal(200, sealer.SealedTo);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_gap_in_the_seals_is_not_sealed_over(bool isJunkInIt)
    {
        await _world.SealTo(100, 200, 300, 400);
        Directory.Delete(_world.DataFolder, recursive: true);
        File.Delete(InArchive(Next));
        if (isJunkInIt) await PutJunk("text");

        var refused = await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await _world.OpenSealer());

        if (!isJunkInIt) Assert.Contains($"{ArchiveLayout.Seal(3)} is of this installation, but does not continue {ArchiveLayout.Seal(1)}", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Another_seal_of_ours_is_not_sealed_over(bool isPutWhileOpen)
    {
        await _world.SealTo(100, 200);
        var record = (await _world.Records())[1];
        var fork = SignedNote.Sign((record with { Header = record.Header with { Number = 2 } }).ToText(), _world.Key);
        if (isPutWhileOpen)
        {
            using var sealer = await _world.OpenSealer();
            await _world.Store.PutBytes(Next, fork, null, Cancel);
            await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await sealer.SealEvents(ArchiveWorld.Journal(200), 300, null, Cancel));
        }
        else
        {
            await _world.Store.PutBytes(Next, fork, null, Cancel);
            await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await _world.OpenSealer());
        }
        Assert.Equal(fork, await _world.Store.ReadBytes(Next, null, Cancel));
    }

    [Fact]
    public async Task The_archive_of_another_installation_is_not_continued()
    {
        await _world.SealTo(100);
        using var other = SigningKey.Generate(ArchiveWorld.Origin);
        var options = _world.Options with { DataDirectory = _world.DataFolder + "-2" };

        var refused = await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await Sealer.Open(options, _world.Store, other, _world.Time, Cancel));

        Assert.Contains("not signed by this installation", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_plan_whose_seals_are_gone_is_not_thrown_away()
    {
        await _world.SealTo(100, 200);
        var options = _world.Options with { Probe = (step, done) => Stop(step is SealStep.RecordSeal && !done) };
        using (var sealer = await _world.OpenSealer(options))
            await Assert.ThrowsAsync<IOException>(async () => await sealer.SealEvents(ArchiveWorld.Journal(200), 300, null, Cancel));
        File.Delete(_world.Options.SealedPath);
        Directory.Delete(InArchive("seals"), recursive: true);

        await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await _world.OpenSealer());
        Assert.True(File.Exists(_world.Options.PlanPath));

        static void Stop(bool isHere)
        {
            if (isHere) throw new IOException("stopped");
        }
    }

    [Fact]
    public async Task Junk_above_the_seals_keeps_nothing_from_being_proved_and_nothing_is_said_to_be_absent()
    {
        await _world.SealTo(100, 200);
        await PutJunk("text");
        var proofs = new EventProofs(_world.Store, [_world.Key.Verifier], null);

        Assert.NotNull(await proofs.Build(StoredEvents.Id(199), Cancel));
        var unknown = await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await proofs.Build("evt-nowhere", Cancel));
        Assert.Contains(Next, unknown.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(8)]
    [InlineData(-1)]
    [InlineData(3_000_000)]
    public async Task Junk_in_place_of_what_is_not_locked_stops_nothing_and_is_made_again(int bytes)
    {
        await _world.SealTo(1200);
        foreach (var file in Directory.GetFiles(InArchive("live"), "*", SearchOption.AllDirectories))
            await File.WriteAllBytesAsync(file, new byte[bytes < 0 ? new FileInfo(file).Length : bytes], Cancel);
        var proof = await new EventProofs(_world.Store, [_world.Key.Verifier], null).Build(StoredEvents.Id(1190), Cancel);
        Assert.True(EventProofs.Check(proof!.File.ToBytes(), [_world.Key.Verifier]).IsValid);

        await _world.SealTo(1300);

        Assert.Empty((await _world.Verify()).Findings);
    }

    string InArchive(string key) => Path.Combine(_world.ArchiveFolder, key);

    async Task PutJunk(string what)
    {
        switch (what)
        {
            case "locked text":
                await _world.Store.PutBytes(Next, "junk"u8.ToArray(), new(LockMode.Compliance, _world.Time.GetUtcNow().AddYears(9), legalHold: true), Cancel);
                return;
            case "far too large":
                // With nothing in it that would take room on the disk.
                await using (var file = File.Create(InArchive(Next))) file.SetLength(1L + int.MaxValue);
                return;
        }
        using var stranger = SigningKey.Generate(ArchiveWorld.Origin);
        var bytes = what switch
        {
            "another's seal" => SignedNote.Sign((await _world.Records())[1].ToText(), stranger),
            "an older seal of ours" => await _world.Store.ReadBytes(ArchiveLayout.Seal(1), null, Cancel),
            _ => Encoding.UTF8.GetBytes("junk"),
        };
        await _world.Store.PutBytes(Next, bytes!, null, Cancel);
    }
}
