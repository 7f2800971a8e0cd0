using System.Diagnostics;
using System.Text;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests.Verify;

/// <summary>Which archive a bare <c>verify</c> looks at, and that an empty one is not all right.</summary>
public class VerifyToolTests
{
    static readonly byte[] Events = Encoding.UTF8.GetBytes("{\"user\":\"ada\",\"ip\":\"192.0.2.7\",\"action\":\"login\",\"object\":\"shop\"}\n");

    [Fact]
    public async Task The_archive_of_the_environment_is_verified_and_an_empty_folder_is_not_ok()
    {
        using var world = new TempFolder();
        var (data, archive) = (world.In("data"), world.In("elsewhere"));
        Directory.CreateDirectory(Path.Combine(data, "archive"));
        var taken = await Tool.RunAsync(Events, "ingest", "--data", data, "--archive", archive, "--source", "shop", "--format", "app");
        Assert.Equal(0, taken.ExitCode);

        var set = await RunAsync(archive, "verify", "--data", data);
        Assert.Equal((0, ""), (set.ExitCode, set.Errors));
        Assert.StartsWith("file:" + archive, set.Output, StringComparison.Ordinal);
        Assert.Contains("not older than: " + Path.Combine(data, "state", "sealed.note"), set.Output, StringComparison.Ordinal);

        var unset = await RunAsync("", "verify", "--data", data);
        Assert.Equal(1, unset.ExitCode);
        Assert.Contains("nothing-sealed: ", unset.Output, StringComparison.Ordinal);
        Assert.Contains("rolled-back: ", unset.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("\nOK", unset.Output, StringComparison.Ordinal);
    }

    static async Task<Run> RunAsync(string archive, params string[] args)
    {
        var start = Tool.Start(args);
        start.Environment["LOGWARDEN_ARCHIVE"] = archive;
        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var cancel = TestContext.Current.CancellationToken;
        var errors = process.StandardError.ReadToEndAsync(cancel);
        var output = await process.StandardOutput.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return new(process.ExitCode, output, await errors);
    }
}
