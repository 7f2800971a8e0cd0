using System.Diagnostics;
using System.Text.Json;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests;

/// <summary>Real CloudTrail files through the program: all of it in, each once, whatever happens on the way.</summary>
public class IngestTests
{
    static readonly string[] Format = ["--source", "aws", "--format", "cloudtrail"];

    [Fact]
    public async Task Every_record_is_stored_once_also_when_it_is_read_twice()
    {
        var files = Files();
        using var data = new TempFolder();

        await Tool.OkAsync(["ingest", "--data", data.Path, .. Format, .. files]);
        await Tool.OkAsync(["ingest", "--data", data.Path, .. Format, .. files]);

        Assert.Equal(ExpectedIds(files), await StoredIds(data.Path));
        await Tool.OkAsync("verify", data.In("archive"));
        var found = await Tool.OkAsync("query", "action:*GetCallerIdentity*", "--data", data.Path, "--format", "json", "--limit", "5");
        Assert.Contains("GetCallerIdentity", found, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Killed_at_twenty_random_moments_it_loses_nothing_and_doubles_nothing()
    {
        var files = Files();
        using var data = new TempFolder();
        var chance = new Random(20261125);
        for (var kill = 0; kill < 20; kill++)
        {
            using var process = Process.Start(Tool.Start(["ingest", "--data", data.Path, .. Format, .. files]))!;
            _ = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
            _ = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
            process.StandardInput.Close();
            await Task.Delay(TimeSpan.FromMilliseconds(chance.Next(100, 1500)), TimeProvider.System, TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        }

        await Tool.OkAsync(["ingest", "--data", data.Path, .. Format, .. files]);

        Assert.Equal(ExpectedIds(files), await StoredIds(data.Path));
        await Tool.OkAsync("verify", data.In("archive"));
    }

    [Fact]
    public async Task Records_without_an_id_are_known_by_their_place_in_their_file_and_only_by_that()
    {
        using var data = new TempFolder();
        const string Start = "{\"user\":\"ada\",\"action\":\"start\",\"message\":\"started\"}\n";
        const string More = "{\"user\":\"ada\",\"action\":\"work\",\"message\":\"worked\"}\n";
        foreach (var host in (string[])["a", "b"])
        {
            Directory.CreateDirectory(data.In(host));
            await File.WriteAllTextAsync(data.In(host, "app.log"), Start, TestContext.Current.CancellationToken);
        }
        var installation = data.In("data");

        Assert.Equal((2, 0), await Ingest(data.In("a", "app.log"), data.In("b", "app.log"))); // one name, two hosts
        Assert.Equal((0, 2), await Ingest(data.In("a", "app.log"), data.In("b", "app.log"))); // the same again
        await File.AppendAllTextAsync(data.In("a", "app.log"), More, TestContext.Current.CancellationToken);
        Assert.Equal((1, 1), await Ingest(data.In("a", "app.log"))); // grown
        new FileInfo(data.In("a", "app.log")).MoveTo(data.In("a", "app.log.1"));
        await File.WriteAllTextAsync(data.In("a", "app.log"), Start, TestContext.Current.CancellationToken);
        Assert.Equal((1, 0), await Ingest(data.In("a", "app.log"))); // rotated, and begun as the old one was
        Assert.Equal((1, 0), await IngestPipe(Start)); // what comes through a pipe is new each time
        Assert.Equal((1, 0), await IngestPipe(Start));

        Task<(int, int)> Ingest(params string[] files) => Counted(default, files);

        Task<(int, int)> IngestPipe(string text) => Counted(System.Text.Encoding.UTF8.GetBytes(text), "-");

        async Task<(int Stored, int Duplicates)> Counted(ReadOnlyMemory<byte> input, params string[] files)
        {
            var run = await Tool.RunAsync(input, ["ingest", "--data", installation, "--source", "shop", "--format", "app", "--json", .. files]);
            Assert.True(run.ExitCode == 0, run.Errors);
            using var answer = JsonDocument.Parse(run.Output);
            return (answer.RootElement.GetProperty("stored").GetInt32(), answer.RootElement.GetProperty("duplicates").GetInt32());
        }
    }

    [Fact]
    public async Task What_was_read_before_a_file_broke_off_is_stored_sealed_and_counted()
    {
        using var data = new TempFolder();
        var whole = data.In("whole.log");
        var packed = new MemoryStream();
        await using (var gzip = new System.IO.Compression.GZipStream(packed, System.IO.Compression.CompressionLevel.Fastest, leaveOpen: true))
            await gzip.WriteAsync(System.Text.Encoding.UTF8.GetBytes(string.Concat(Enumerable.Range(0, 500).Select(i => $"{{\"id\":\"e{i}\",\"user\":\"ada\",\"n\":{i * 7919}}}\n"))), TestContext.Current.CancellationToken);
        await File.WriteAllBytesAsync(whole, packed.ToArray()[..^40], TestContext.Current.CancellationToken);

        var run = await Tool.RunAsync("ingest", "--data", data.In("data"), "--source", "shop", "--format", "app", "--json", whole);

        using var answer = JsonDocument.Parse(run.Output);
        Assert.True(run.ExitCode == 1, run.Errors);
        Assert.Contains("whole.log: the compressed data is damaged or cut off", run.Errors, StringComparison.Ordinal);
        Assert.InRange(answer.RootElement.GetProperty("stored").GetInt32(), 100, 499);
        Assert.InRange(answer.RootElement.GetProperty("quarantined").GetInt32(), 1, 2);
        Assert.Contains("corrupt-compression", await Tool.OkAsync("query", "", "--class", "quarantine", "--data", data.In("data"), "--format", "json"), StringComparison.Ordinal);
        await Tool.OkAsync("verify", data.In("data", "archive"));
    }

    [Fact]
    public async Task A_file_that_can_not_be_read_ends_the_run_and_what_was_taken_before_is_sealed_and_counted()
    {
        using var data = new TempFolder();
        var good = data.In("good.log");
        await File.WriteAllBytesAsync(good, [.. Order("first"), (byte)'\n'], TestContext.Current.CancellationToken);

        // Reading from address 0 of a process fails with EIO.
        var run = await Tool.RunAsync("ingest", "--data", data.In("data"), "--source", "shop", "--format", "app", "--json", good, "/proc/self/mem");

        using var answer = JsonDocument.Parse(run.Output);
        Assert.Equal((74, 1, 1), (run.ExitCode, answer.RootElement.GetProperty("stored").GetInt32(), answer.RootElement.GetProperty("sealed_to").GetInt32()));
        Assert.Contains("not everything was taken in", run.Errors, StringComparison.Ordinal);
        await Tool.OkAsync("verify", data.In("data", "archive"));
    }

    [Fact]
    public async Task A_folder_in_place_of_a_file_is_told_as_one()
    {
        using var data = new TempFolder();
        foreach (var command in (string[][])[["ingest", "--data", data.Path, "--source", "shop", "--format", "app"], ["normalize", "--format", "app"], ["redact"]])
        {
            var run = await Tool.RunAsync([.. command, data.Path]);
            Assert.Equal(64, run.ExitCode);
            Assert.Contains($"{data.Path} is a folder: name the files in it", run.Errors, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task A_text_index_that_can_not_be_made_is_told_and_made_later_and_nothing_else_suffers()
    {
        using var data = new TempFolder();
        string[] ingest = ["ingest", "--data", data.Path, "--source", "shop", "--format", "app", "-"];
        Assert.Equal(0, (await Tool.RunAsync(Order("first"), ingest)).ExitCode);
        var index = Assert.Single(Directory.GetFiles(data.Path, "*.tokens", SearchOption.AllDirectories));
        File.Delete(index);
        Directory.CreateDirectory(index);

        var refused = await Tool.RunAsync(Order("second"), ingest);
        Assert.Equal(0, refused.ExitCode);
        Assert.Contains("warning: the text index of", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(2, (await Tool.OkAsync("query", "\"refund wanted\"", "--data", data.Path, "--format", "csv")).TrimEnd().Split('\n').Length - 1);
        await Tool.OkAsync("verify", data.In("archive"));

        Directory.Delete(index);
        var repaired = await Tool.RunAsync(Order("second"), ingest);
        Assert.DoesNotContain("warning", repaired.Errors, StringComparison.Ordinal);
        Assert.True(File.Exists(index));
    }

    [Fact]
    public async Task A_record_that_is_quarantined_is_a_finding()
    {
        using var data = new TempFolder();
        string[] ingest = ["ingest", "--data", data.Path, "--source", "aws", "--format", "cloudtrail", "-"];

        var run = await Tool.RunAsync("{\"no\":\"record of a trail\"}\n"u8.ToArray(), ingest);

        Assert.Equal(1, run.ExitCode);
        Assert.Contains("1 quarantined", run.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fields_of_a_source_that_is_there_are_compared_and_changed_only_on_demand()
    {
        using var data = new TempFolder();
        var line = "{\"who\":\"ada\",\"by\":\"bob\",\"n\":1}\n"u8.ToArray();
        string[] ingest = ["ingest", "--data", data.Path, "--source", "own", "--format", "json", "-"];
        Assert.Equal(0, (await Tool.RunAsync(line, [.. ingest, "--field", "user=who"])).ExitCode);
        Assert.Equal(0, (await Tool.RunAsync(line, [.. ingest, "--field", "user=who"])).ExitCode);
        Assert.Equal(0, (await Tool.RunAsync(line, ingest)).ExitCode);

        var refused = await Tool.RunAsync(line, [.. ingest, "--field", "user=by"]);
        Assert.Equal(64, refused.ExitCode);
        Assert.Contains("is registered with --field user=who, not --field user=by", refused.Errors, StringComparison.Ordinal);
        Assert.Contains("logwarden source set own --field user=by", refused.Errors, StringComparison.Ordinal);
        Assert.Equal(64, (await Tool.RunAsync("source", "add", "own", "--format", "json", "--field", "user=by", "--data", data.Path)).ExitCode);
        Assert.Contains("--field goes with format json", (await Tool.RunAsync("source", "add", "shop", "--format", "app", "--field", "user=by", "--data", data.Path)).Errors, StringComparison.Ordinal);

        await Tool.OkAsync("source", "set", "own", "--field", "user=by", "--data", data.Path);
        Assert.Equal(0, (await Tool.RunAsync(line, [.. ingest, "--field", "user=by"])).ExitCode);
        Assert.Contains("\"fields\":{\"user\":\"by\"}", await Tool.OkAsync("source", "list", "--json", "--data", data.Path), StringComparison.Ordinal);
        Assert.Equal(1, (await Tool.OkAsync("query", "user=bob", "--data", data.Path, "--format", "csv")).TrimEnd().Split('\n').Length - 1);
        Assert.Equal(64, (await Tool.RunAsync("source", "set", "nobodys", "--field", "user=by", "--data", data.Path)).ExitCode);
    }

    [Fact]
    public async Task A_query_goes_by_the_policy_that_events_were_taken_in_with()
    {
        using var data = new TempFolder();
        var shipped = await File.ReadAllTextAsync(Path.Combine(Repository.Root, "policy", "policy.yaml"), TestContext.Current.CancellationToken);
        var policy = data.In("own.yaml");
        await File.WriteAllTextAsync(policy, shipped.Replace("email: redact", "email: pseudonym", StringComparison.Ordinal), TestContext.Current.CancellationToken);
        string[] ingest = ["ingest", "--data", data.In("data"), "--source", "shop", "--format", "app", "-"];
        var run = await Tool.RunAsync(Order("first"), [.. ingest, "--policy", policy]);
        Assert.True(run.ExitCode == 0, run.Errors);

        Assert.DoesNotContain("REDACTED", await RecordedAsync(), StringComparison.Ordinal);
        Assert.Matches("email\\W+pseudonym", await Tool.OkAsync("policy", "show", "--data", data.In("data")));

        Assert.Equal(0, (await Tool.RunAsync(Order("second"), ingest)).ExitCode);
        Assert.Contains("[REDACTED:email]", await RecordedAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain("REDACTED", await RecordedAsync("--policy", policy), StringComparison.Ordinal);

        async Task<string> RecordedAsync(params string[] more)
        {
            await Tool.OkAsync(["query", "user=eve@example.com", "--data", data.In("data"), .. more]);
            var line = (await File.ReadAllLinesAsync(Assert.Single(Directory.GetFiles(data.In("data", "access"))), TestContext.Current.CancellationToken))[^1];
            Assert.DoesNotContain("eve@example.com", line, StringComparison.Ordinal);
            return line;
        }
    }

    static byte[] Order(string id) => System.Text.Encoding.UTF8.GetBytes(
        $$"""{"id":"{{id}}","dt":"2026-01-02T03:04:05Z","user":{"id":"u-1"},"ip":"192.0.2.1","action":"order.refund","object":"order/{{id}}","message":"refund wanted"}""");

    static string[] Files() => [.. Directory.GetFiles(Path.Combine(Corpora.Folder("cloudtrail-invictus"), "CloudTrail"), "*.json").Order(StringComparer.Ordinal)];

    static string[] ExpectedIds(string[] files) =>
        [.. files.SelectMany(file => JsonDocument.Parse(File.ReadAllBytes(file)).RootElement.GetProperty("Records").EnumerateArray())
            .Select(record => record.GetProperty("eventID").GetString()!).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal)];

    static async Task<string[]> StoredIds(string data)
    {
        var csv = await Tool.OkAsync("query", "--sql", "SELECT event_id FROM events", "--data", data, "--format", "csv");
        return [.. csv.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line.Trim('\r', '"')).Order(StringComparer.Ordinal)];
    }
}
