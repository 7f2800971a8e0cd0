using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>The archive is there and the journal is not, or is an older copy.</summary>
public class LossTests
{
    [Fact]
    public async Task Without_its_journal_it_says_so_and_goes_on_only_when_told_to()
    {
        using var data = new TempFolder();
        await IngestAsync(data, 1, 2, 3);
        foreach (var folder in Directory.GetDirectories(data.Path).Where(path => Path.GetFileName(path) is not ("keys" or "archive"))) Directory.Delete(folder, recursive: true);

        await GoesOnAsync(data, ends: 0, sealedTo: 3);

        // An event that was known is stored again: the keys are lost too.
        Assert.Equal((0, 1), await RunAsync(data, 3));
        Assert.Equal((0, 1), await RunAsync(data, 4));
        Assert.Equal((0, 0), await RunAsync(data, 4));
        await AddsUpAsync(data, shop: 5);
    }

    [Fact]
    public async Task With_an_older_copy_of_its_folder_it_says_so_and_goes_on_only_when_told_to()
    {
        using var data = new TempFolder();
        await IngestAsync(data, 1);
        string[] parts = ["journal", "cursors", "dedup", "state", "hot"];
        foreach (var part in parts) Copy(data.In(part), data.In("copy", part));
        await IngestAsync(data, 2, 3);
        foreach (var part in parts)
        {
            Directory.Delete(data.In(part), recursive: true);
            Directory.Move(data.In("copy", part), data.In(part));
        }

        await GoesOnAsync(data, ends: 1, sealedTo: 3);

        Assert.Equal((0, 1), await RunAsync(data, 4));
        await AddsUpAsync(data, shop: 4);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(Assert.Single(Directory.GetDirectories(data.Path, "journal-before-*")), "journal")));
    }

    static async Task GoesOnAsync(TempFolder data, int ends, int sealedTo)
    {
        var refused = await Tool.RunAsync(Line(9), [.. Ingest(data)]);
        Assert.Equal(74, refused.ExitCode);
        Assert.Contains($"up to offset {sealedTo}, the journal in {data.Path} ends at {ends}", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("--continue-after-loss", refused.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", refused.Errors, StringComparison.Ordinal);

        var run = await Tool.RunAsync(ReadOnlyMemory<byte>.Empty, [.. Ingest(data), "--continue-after-loss"]);
        Assert.True(run.ExitCode == 0, run.Errors);
        Assert.Contains($"begins again at offset {sealedTo}", run.Errors, StringComparison.Ordinal);

        // Told once, and only when there was a loss.
        run = await Tool.RunAsync(ReadOnlyMemory<byte>.Empty, [.. Ingest(data), "--continue-after-loss"]);
        Assert.DoesNotContain("begins again", run.Errors, StringComparison.Ordinal);
        Assert.Contains("how many is unknown", await Tool.OkAsync("query", "", "--source", "logwarden", "--class", "security-audit", "--data", data.Path, "--format", "json"), StringComparison.Ordinal);
    }

    static async Task AddsUpAsync(TempFolder data, int shop)
    {
        var verdict = await Tool.OkAsync("verify", data.In("archive"));
        Assert.Contains($"offsets 0 to {shop + 1}", verdict, StringComparison.Ordinal);
        var ledger = JsonDocument.Parse(await Tool.OkAsync("ledger", "--json", "--data", data.Path)).RootElement;
        Assert.Equal(shop + 1, ledger.GetProperty("durable_end").GetInt32());
        var sources = ledger.GetProperty("sources").EnumerateArray().ToDictionary(source => source.GetProperty("source").GetString()!, source => source.GetProperty("stored").GetInt32(), StringComparer.Ordinal);
        Assert.Equal((1, shop), (sources["logwarden"], sources["shop"]));
    }

    static async Task IngestAsync(TempFolder data, params int[] events)
    {
        foreach (var number in events) await RunAsync(data, number);
    }

    static async Task<(int Code, int Stored)> RunAsync(TempFolder data, int number)
    {
        var run = await Tool.RunAsync(Line(number), Ingest(data));
        Assert.True(run.ExitCode == 0, run.Errors);
        return (run.ExitCode, JsonDocument.Parse(run.Output).RootElement.GetProperty("stored").GetInt32());
    }

    static string[] Ingest(TempFolder data) => ["ingest", "--data", data.Path, "--source", "shop", "--format", "app", "--json", "-"];

    static byte[] Line(int number) => Encoding.UTF8.GetBytes($"{{\"id\":\"e{number}\",\"user\":\"ada\",\"message\":\"m\"}}\n");

    static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.GetDirectories(from, "*", SearchOption.AllDirectories)) Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        foreach (var file in Directory.GetFiles(from, "*", SearchOption.AllDirectories)) File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
    }
}
