using Logwarden.Archive;
using Logwarden.Commands;
using Logwarden.Proof.Notes;
using Logwarden.Tests.Archive;
using Logwarden.Tests.World;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

/// <summary>Which key the verdict rests on, which archive it is of, and with what it is compared; all of it is said.</summary>
public sealed class VerifyCommandTests : IDisposable
{
    readonly ArchiveWorld _world = new();
    readonly ScratchFolder _scratch = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose()
    {
        _scratch.Dispose();
        _world.Dispose();
    }

    [Fact]
    public void The_key_of_the_installation_goes_before_one_that_came_with_the_archive()
    {
        using var ours = SigningKey.Generate("ours.example");
        using var theirs = SigningKey.Generate("theirs.example");
        var (data, delivered) = (_scratch.File("data"), _scratch.File("delivered"));
        var target = Path.Combine(delivered, "archive");
        PutKey(delivered, theirs);

        var only = TrustedKeys.Choose(null, target, data);
        Assert.Equal((theirs.Verifier, true), (Assert.Single(only.Keys), only.IsBesideArchive));
        foreach (var same in (string[])["file:" + target, target + "/", "file://" + target]) Assert.True(TrustedKeys.Choose([], same, data).IsBesideArchive);

        PutKey(data, ours);
        var chosen = TrustedKeys.Choose(null, target, data);
        Assert.Equal((ours.Verifier, false), (Assert.Single(chosen.Keys), chosen.IsBesideArchive));
        Assert.Contains(data, chosen.From, StringComparison.Ordinal);

        var named = TrustedKeys.Choose([theirs.Verifier.ToString()], target, data);
        Assert.Equal((theirs.Verifier, false), (Assert.Single(named.Keys), named.IsBesideArchive));
        Assert.StartsWith(named.Names, theirs.Verifier.ToString(), StringComparison.Ordinal);
        Assert.Throws<CommandException>(() => TrustedKeys.Choose(null, "s3://bucket/prefix", _scratch.File("nowhere")));
    }

    [Fact]
    public async Task An_archive_that_was_cut_off_behind_what_the_installation_has_sealed_is_not_ok()
    {
        await _world.SealTo(100, 200);
        PutKey(_world.DataFolder, _world.Key);
        var (code, output) = await Run(isOfData: true);
        Assert.Equal(Cli.Ok, code);
        Assert.Contains("not older than: " + _world.Options.SealedPath, output, StringComparison.Ordinal);
        Assert.Contains($"key: {TrustedKeys.NameOf(_world.Key.Verifier)}, from ", output, StringComparison.Ordinal);

        Directory.Delete(_world.ArchiveFolder, recursive: true);
        Directory.CreateDirectory(_world.ArchiveFolder);

        (code, output) = await Run(isOfData: false);
        Assert.Equal(Cli.Findings, code);
        Assert.Contains("nothing-sealed: ", output, StringComparison.Ordinal);
        Assert.Contains("rolled-back: " + ArchiveLayout.Seal(1), output, StringComparison.Ordinal);
        Assert.DoesNotContain("\nOK", output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_another_installation_has_sealed_is_compared_only_when_it_is_named()
    {
        await _world.SealTo(100);
        using var stranger = SigningKey.Generate(ArchiveWorld.Origin);
        var keys = new TrustedKeys([stranger.Verifier], "test", IsBesideArchive: true);

        Assert.Null(VerifyCommand.Sealed(_world.DataFolder, keys, isOfData: false));
        Assert.NotNull(VerifyCommand.Sealed(_world.DataFolder, keys, isOfData: true));
        Assert.Null(VerifyCommand.Sealed(_scratch.File("nowhere"), keys, isOfData: true));
    }

    [Fact]
    public async Task A_key_that_came_with_the_archive_is_warned_of_and_so_is_that_nothing_is_known()
    {
        await _world.SealTo(100);
        var output = new StringWriter();

        var code = await VerifyCommand.RunAsync(_world.ArchiveFolder, new([_world.Key.Verifier], "beside", IsBesideArchive: true), [], isJson: false, output, Cancel);

        Assert.Equal(Cli.Ok, code);
        Assert.Contains("WARNING: the key came with the archive", output.ToString(), StringComparison.Ordinal);
        Assert.Contains("--known", output.ToString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task That_an_event_is_not_there_is_not_said_of_an_archive_that_was_cut_off()
    {
        await _world.SealTo(100, 200);
        var known = new KnownNote("state/sealed.note", await File.ReadAllBytesAsync(_world.Options.SealedPath, Cancel));
        var proofs = new EventProofs(_world.Store, [_world.Key.Verifier], null, known);
        Assert.Null(await proofs.Build("evt-nowhere", Cancel));
        File.Delete(Path.Combine(_world.ArchiveFolder, ArchiveLayout.Seal(1)));

        var refused = await Assert.ThrowsAsync<ArchiveRolledBackException>(async () => await proofs.Build("evt-nowhere", Cancel));

        Assert.Contains(ArchiveLayout.Seal(1), refused.Message, StringComparison.Ordinal);
    }

    async Task<(int Code, string Output)> Run(bool isOfData)
    {
        var keys = TrustedKeys.Choose(null, _world.ArchiveFolder, _world.DataFolder);
        var output = new StringWriter();
        KnownNote[] known = VerifyCommand.Sealed(_world.DataFolder, keys, isOfData) is { } newest ? [newest] : [];
        return (await VerifyCommand.RunAsync(_world.ArchiveFolder, keys, known, isJson: false, output, Cancel), output.ToString());
    }

    static void PutKey(string installation, SigningKey key)
    {
        Directory.CreateDirectory(Path.Combine(installation, "keys"));
        using var file = new StreamWriter(Path.Combine(installation, "keys", "log.pub"));
        file.WriteLine(key.Verifier);
    }
}
