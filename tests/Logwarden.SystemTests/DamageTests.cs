using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Files of an installation that a crash, a disk or a person damaged: each is named, with what to do, and none is answered with a stack trace.</summary>
public class DamageTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("state/tokens.json", "{", "is not a list of tokens", "token", "list")]
    [InlineData("state/sources.json", "{", "is not a list of sources", "source", "list")]
    [InlineData("state/sources.json", "{", "is not a list of sources", "ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("keys/log.key", "", "a private key is", "ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("state/seal-plan.json", "{", "is not the plan of a seal", "ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("state/seal-plan.json", "{}", "is not the plan of a seal", "ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("state/sealed.note", "x", "sealed.note", "ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("policy.yaml", "x", "policy.yaml", "query")]
    public async Task A_damaged_file_is_named_and_no_trace_is_printed(string file, string content, string says, params string[] args)
    {
        using var data = new TempFolder();
        await IngestAsync(data);
        await File.WriteAllTextAsync(data.In(file), content, Cancel);

        var run = await Tool.RunAsync([.. args, "--data", data.Path]);

        Assert.True(run.ExitCode is 64 or 74, run.Errors);
        Assert.Contains("error: ", run.Errors, StringComparison.Ordinal);
        Assert.Contains(says, run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_that_others_can_read_is_refused_without_a_trace()
    {
        using var data = new TempFolder();
        await IngestAsync(data);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(data.In("keys", "log.key"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.OtherRead);

        var run = await Tool.RunAsync("ingest", "--data", data.Path, "--source", "shop", "--format", "app", "-");

        Assert.Equal(74, run.ExitCode);
        Assert.Contains("chmod 600 it", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_key_of_pseudonyms_that_was_cut_off_is_told_and_not_made_anew()
    {
        using var data = new TempFolder();
        var policy = await File.ReadAllTextAsync(Path.Combine(Tests.World.Repository.Root, "policy", "policy.yaml"), Cancel);
        Assert.Contains("actor: keep", policy, StringComparison.Ordinal);
        await File.WriteAllTextAsync(data.In("policy.yaml"), policy.Replace("actor: keep", "actor: pseudonym", StringComparison.Ordinal), Cancel);
        await IngestAsync(data);
        var key = data.In("keys", "pseudonym.key");
        Assert.Equal(32, (await File.ReadAllBytesAsync(key, Cancel)).Length);
        await File.WriteAllBytesAsync(key, [], Cancel);

        var run = await Tool.RunAsync("query", "--data", data.Path);

        Assert.Equal(74, run.ExitCode);
        Assert.Contains("pseudonym.key is cut off: put it back", run.Errors, StringComparison.Ordinal);
        Assert.Empty(await File.ReadAllBytesAsync(key, Cancel));
    }

    [Fact]
    public async Task The_keys_and_their_folders_are_on_disk_before_anything_is_signed()
    {
        Assert.SkipUnless(File.Exists("/usr/bin/strace"), "strace is not installed");
        using var data = new TempFolder();
        var trace = data.In("trace");
        var start = Tool.Start("ingest", "--data", data.In("a", "data"), "--source", "shop", "--format", "app", "-");
        start.FileName = "/usr/bin/strace";
        foreach (var (at, argument) in ((string[])["-f", "-y", "-qq", "-o", trace, "-e", "trace=fsync,rename,renameat,renameat2", "dotnet"]).Index()) start.ArgumentList.Insert(at, argument);
        using var process = System.Diagnostics.Process.Start(start)!;
        process.StandardInput.Close();
        await process.WaitForExitAsync(Cancel);
        Assert.True(process.ExitCode == 0, await process.StandardError.ReadToEndAsync(Cancel));

        var calls = await File.ReadAllLinesAsync(trace, Cancel);
        var named = Array.FindIndex(calls, call => call.Contains("rename", StringComparison.Ordinal) && call.Contains("log.key\"", StringComparison.Ordinal));
        Assert.True(named >= 0, string.Join('\n', calls));
        Assert.Contains(calls[..named], call => Syncs(call, "a", "data", "keys", "log.key.new"));
        Assert.Contains(calls[named..], call => Syncs(call, "a", "data", "keys"));
        Assert.Contains(calls[..named], call => Syncs(call));
        Assert.Contains(calls[..named], call => Syncs(call, "a"));
        Assert.Contains(calls[..named].SkipWhile(call => !Syncs(call, "a", "data", "dedup")), call => Syncs(call, "a", "data"));

        bool Syncs(string call, params string[] path) => call.Contains("fsync(", StringComparison.Ordinal) && call.Contains($"<{data.In(path)}>", StringComparison.Ordinal);
    }

    static async Task IngestAsync(TempFolder data)
    {
        var run = await Tool.RunAsync("{\"id\":\"1\",\"user\":\"ada\",\"message\":\"m\"}\n"u8.ToArray(), "ingest", "--data", data.Path, "--source", "shop", "--format", "app", "-");
        Assert.True(run.ExitCode == 0, run.Errors);
    }
}
