using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Whatever SQL makes, it takes the memory of a process of its own, and only so much.</summary>
public class SqlProcessTests
{
    const long MemoryBytesMax = 1280L << 20;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Statements_that_make_gigabytes_are_refused_and_others_go_on()
    {
        using var data = new TempFolder();
        await using var server = await StartAsync(data);
        string[] greedy =
        [
            "SELECT length(repeat(repeat('a', 10000), 200000))",
            "SELECT list_transform(range(100000000), lambda x: repeat('a', 1000))",
            "SELECT length(replace(repeat('a', 1000000), 'a', repeat('b', 4000)))",
            "SELECT bitstring('0', 2000000000)",
            "SELECT printf('%2000000000d', 1)",
            "WITH a AS (SELECT repeat('x', 10000000) AS x), b AS (SELECT x || x || x || x || x || x || x || x || x || x AS x FROM a) SELECT length(x || x || x || x || x || x || x || x || x || x || x || x || x || x || x || x) FROM b",
        ];
        foreach (var sql in greedy)
        {
            var asked = AskAsync(server, sql);
            var (status, text) = await AskAsync(server, "SELECT count(*) AS n FROM events WHERE source <> 'logwarden'");
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Contains("\"n\":1", text, StringComparison.Ordinal);

            (status, text) = await asked;
            Assert.True(status == HttpStatusCode.BadRequest, $"{sql}: {status} {text}");
            Assert.Matches("memory|took longer", text);
            Assert.False(text.Contains("SET ", StringComparison.Ordinal), $"{sql}: {text}");
            Assert.InRange(Workers(data.Path).Sum(Memory), 0, 2 * MemoryBytesMax);
        }
    }

    [Fact]
    public async Task The_process_can_write_no_file_and_has_no_environment_and_ends_with_the_server()
    {
        using var data = new TempFolder();
        await using var server = await StartAsync(data);
        await AskAsync(server, "SELECT 1");

        var worker = Assert.Single(Workers(data.Path));
        var limits = await File.ReadAllLinesAsync($"/proc/{worker}/limits", Cancel);
        Assert.Equal("0", Limit("Max file size"));
        Assert.Equal("0", Limit("Max core file size"));
        Assert.InRange(long.Parse(Limit("Max data size"), CultureInfo.InvariantCulture), MemoryBytesMax, 3 * MemoryBytesMax);
        Assert.Equal("1000", (await File.ReadAllTextAsync($"/proc/{worker}/oom_score_adj", Cancel)).Trim());
        var names = Encoding.UTF8.GetString(await File.ReadAllBytesAsync($"/proc/{worker}/environ", Cancel)).Split('\0', StringSplitOptions.RemoveEmptyEntries)
            .Select(variable => variable.Split('=')[0]);
        Assert.Empty(names.Where(name => !name.StartsWith("DOTNET_", StringComparison.Ordinal)).Except(["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"], StringComparer.Ordinal));

        // Also one that is amid a statement.
        var asked = AskAsync(server, "SELECT count(*) FROM range(100000000) a, range(100000000) b");
        await server.KillAsync();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => asked);
        for (var tries = 0; Workers(data.Path).Count > 0; tries++)
        {
            Assert.True(tries < 600, "a worker lives on");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancel);
        }

        string Limit(string name) => Assert.Single(limits, line => line.StartsWith(name, StringComparison.Ordinal))[name.Length..].Split(' ', StringSplitOptions.RemoveEmptyEntries)[0];
    }

    [Fact]
    public async Task One_process_answers_one_statement_after_the_other_and_a_dead_one_is_replaced()
    {
        using var data = new TempFolder();
        await using var server = await StartAsync(data);
        await AskAsync(server, "SELECT 1");
        var first = Assert.Single(Workers(data.Path));
        await AskAsync(server, "SELECT no_such_column FROM events");
        Assert.Equal([first], Workers(data.Path));

        using (var process = System.Diagnostics.Process.GetProcessById(first))
        {
            process.Kill();
            await process.WaitForExitAsync(Cancel);
        }
        var (status, text) = await AskAsync(server, "SELECT count(*) AS n FROM events WHERE source <> 'logwarden'");
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("\"n\":1", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_refusal_that_repeats_a_huge_value_is_cut_and_costs_nobody_the_process()
    {
        using var data = new TempFolder();
        await using var server = await StartAsync(data);
        await AskAsync(server, "SELECT 1");
        var before = Assert.Single(Workers(data.Path));
        var (status, text) = await AskAsync(server, "SELECT CAST(repeat('ä', 3000000) AS INTEGER)");
        Assert.Equal(HttpStatusCode.BadRequest, status);
        Assert.Contains("Could not convert string", text, StringComparison.Ordinal);
        Assert.EndsWith("… (cut)", System.Text.Json.JsonDocument.Parse(text).RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal([before], Workers(data.Path));
    }

    static async Task<Server> StartAsync(TempFolder data)
    {
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        var server = await Server.StartAsync(data.Path);
        using var taken = await server.PostAsync(token, """{"id":"shop-1","dt":"2026-11-24T01:02:03Z","user":"ada","message":"m"}"""u8.ToArray());
        Assert.Equal(HttpStatusCode.Accepted, taken.StatusCode);
        return server;
    }

    static async Task<(HttpStatusCode Status, string Text)> AskAsync(Server server, string sql)
    {
        using var body = new StringContent(JsonSerializer.Serialize(new Dictionary<string, string>(StringComparer.Ordinal) { ["sql"] = sql }), Encoding.UTF8, "application/json");
        using var answer = await server.Http.PostAsync(new Uri("api/v1/query", UriKind.Relative), body, Cancel);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel));
    }

    static List<int> Workers(string data)
    {
        var workers = new List<int>();
        foreach (var folder in Directory.GetDirectories("/proc"))
        {
            if (!int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id)) continue;
            try
            {
                var args = File.ReadAllText(Path.Combine(folder, "cmdline")).Split('\0');
                if (args.Contains("sql-worker", StringComparer.Ordinal) && args.Contains(data, StringComparer.Ordinal)) workers.Add(id);
            }
            catch (IOException)
            {
                // it ended meanwhile
            }
        }
        return workers;
    }

    static long Memory(int process)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(line => line.StartsWith("VmRSS:", StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(6).TrimEnd("kB ").Trim(), NumberStyles.None, CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return 0;
        }
    }
}
