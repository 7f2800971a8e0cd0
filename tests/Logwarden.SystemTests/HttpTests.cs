using System.IO.Compression;
using System.Net;
using System.Text;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>The Better Stack-compatible endpoint, by the requests that its documentation shows.</summary>
public sealed class HttpTests
{
    [Fact]
    public async Task Object_array_and_ndjson_plain_gzip_and_zstd_are_taken_and_visible_within_two_seconds()
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();

        var bodies = new (string Json, string Type, string? Encoding)[]
        {
            ("""{"id":"e1","dt":"2026-11-25T01:02:03Z","user":"ada","ip":"192.0.2.1","action":"login","object":"shop","message":"object"}""", "application/json", null),
            ("""[{"id":"e2","dt":1764032523,"user":"ada","message":"array"},{"id":"e3","dt":1764032523123,"user":"bob","message":"array"}]""", "application/json", null),
            ("{\"id\":\"e4\",\"dt\":1764032523123456789,\"message\":\"nd\"}\n{\"id\":\"e5\",\"dt\":\"2026-11-25 01:02:03.5+01:00\",\"message\":\"nd\"}\n", "application/x-ndjson", null),
            ("""{"id":"e6","message":"gzip"}""", "application/json", "gzip"),
            ("""{"id":"e7","message":"zstd"}""", "application/x-ndjson", "zstd"),
            ("""{"id":"e7","message":"zstd again"}""", "application/json", null),
        };
        foreach (var (json, type, encoding) in bodies)
        {
            using var answer = await server.PostAsync(token, Encode(json, encoding), type, encoding);
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            Assert.Equal("", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
        }
        var clock = TimeProvider.System.GetTimestamp();
        while (!(await server.QueryAsync("""{"sql":"SELECT count(*) AS n FROM events WHERE source <> 'logwarden'"}""")).Contains("\"n\":7", StringComparison.Ordinal))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(clock) < TimeSpan.FromSeconds(10), "not visible: " + server.Printed);
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
        }
        var rows = await server.QueryAsync("""{"sql":"SELECT event_id, strftime(time, '%Y-%m-%dT%H:%M:%S') AS t FROM events WHERE event_id IN ('e1','e2','e4','e5') ORDER BY 1"}""");
        Assert.Contains("2026-11-25T01:02:03", rows, StringComparison.Ordinal);
        Assert.Contains("2026-11-25T00:02:03", rows, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Tokens_of_a_source_are_changed_without_a_gap_and_revoked_ones_are_refused_at_once()
    {
        using var data = new TempFolder();
        var old = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);
        var young = (await Tool.OkAsync("source", "token", "shop", "--data", data.Path)).Trim();
        Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.Accepted], await SendAsync());

        Assert.Equal("1 token revoked", (await Tool.OkAsync("source", "revoke", "shop", "--keep-newest", "--data", data.Path)).Trim());
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Accepted], await SendAsync());

        Assert.Equal("1 token revoked", (await Tool.OkAsync("source", "revoke", "shop", "--data", data.Path)).Trim());
        Assert.Equal([HttpStatusCode.Forbidden, HttpStatusCode.Forbidden], await SendAsync());
        Assert.Contains("no source 'shp'", (await Tool.RunAsync("source", "revoke", "shp", "--data", data.Path)).Errors, StringComparison.Ordinal);

        async Task<HttpStatusCode[]> SendAsync()
        {
            using var first = await server.PostAsync(old, """{"message":"m","user":"ada"}"""u8.ToArray());
            using var second = await server.PostAsync(young, """{"message":"m","user":"ada"}"""u8.ToArray());
            return [first.StatusCode, second.StatusCode];
        }
    }

    [Theory]
    [InlineData("nonsense", "{}", "application/json", null, HttpStatusCode.Forbidden)]
    [InlineData(null, "{\"a\":", "application/json", null, HttpStatusCode.NotAcceptable)]
    [InlineData(null, "not gzip at all", "application/json", "gzip", HttpStatusCode.NotAcceptable)]
    public async Task What_it_can_not_take_it_refuses_as_the_vendor_does(string? wrongToken, string body, string type, string? encoding, HttpStatusCode expected)
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);

        using var answer = await server.PostAsync(wrongToken ?? token, Encoding.UTF8.GetBytes(body), type, encoding);

        Assert.Equal(expected, answer.StatusCode);
        // All or nothing: a client that sends it again after that answer would multiply what was kept of it.
        Assert.DoesNotContain("\"source\":\"shop\",\"in\":1", await Tool.OkAsync("ledger", "--data", data.Path, "--json"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_packed_body_that_is_cut_off_is_refused_and_nothing_of_it_is_stored()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);
        var lines = string.Concat(Enumerable.Range(0, 50).Select(i => $"{{\"id\":\"e{i}\",\"user\":\"ada\",\"message\":\"m\"}}\n"));
        foreach (var encoding in (string[])["gzip", "zstd"])
        {
            var packed = Encode(lines, encoding);
            using var answer = await server.PostAsync(token, packed[..^3], "application/x-ndjson", encoding);
            Assert.Equal(HttpStatusCode.NotAcceptable, answer.StatusCode);
        }
        Assert.Contains("\"n\":0", await server.QueryAsync("""{"sql":"SELECT count(*) AS n FROM events WHERE source <> 'logwarden'"}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Records_that_are_no_events_are_quarantined_and_acknowledged()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "trail", "--format", "cloudtrail", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);

        using var answer = await server.PostAsync(token, "{\"no\":\"record of a trail\"}"u8.ToArray());

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Equal("1", Assert.Single(answer.Headers.GetValues("X-Logwarden-Quarantined")));
    }

    [Fact]
    public async Task A_body_that_unpacks_to_too_much_is_too_large()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);

        using var answer = await server.PostAsync(token, Encode(new string(' ', 200_000_000), "gzip"), "application/json", "gzip");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
    }

    [Theory]
    [InlineData("{}\n")]
    [InlineData("x\n")]
    public async Task A_small_body_of_very_many_records_is_too_large_and_nothing_of_it_is_stored(string record)
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);
        var body = Encode(string.Concat(Enumerable.Repeat(record, 1_000_000)), "gzip");

        using var answer = await server.PostAsync(token, body, "application/x-ndjson", "gzip");

        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, answer.StatusCode);
        Assert.Contains("100,000 records", await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.True(server.PeakMemory < 700L << 20, $"{server.PeakMemory:N0} bytes");
        Assert.DoesNotContain("\"source\":\"shop\",\"in\":1", await Tool.OkAsync("ledger", "--data", data.Path, "--json"), StringComparison.Ordinal);
        using var next = await server.PostAsync(token, "{\"message\":\"m\"}"u8.ToArray());
        Assert.Equal(HttpStatusCode.Accepted, next.StatusCode);
    }

    [Fact]
    public async Task What_was_acknowledged_before_a_kill_is_there_after_it()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        var acknowledged = new List<string>();
        for (var round = 0; round < 4; round++)
        {
            await using var server = await Server.StartAsync(data.Path, "--seal-age", "1s");
            var first = round;
            using var stop = new CancellationTokenSource();
            var sender = Task.Run(async () =>
            {
                for (var i = 0; !stop.IsCancellationRequested; i++)
                {
                    var id = $"r{first}-{i}";
                    try
                    {
                        using var answer = await server.PostAsync(token, Encoding.UTF8.GetBytes($$"""{"id":"{{id}}","user":"ada","message":"m"}"""));
                        if (answer.StatusCode == HttpStatusCode.Accepted) acknowledged.Add(id);
                    }
                    catch (HttpRequestException)
                    {
                        return;
                    }
                }
            }, TestContext.Current.CancellationToken);
            await Task.Delay(TimeSpan.FromMilliseconds(700 + 600 * round), TimeProvider.System, TestContext.Current.CancellationToken);
            await server.KillAsync();
            await stop.CancelAsync();
            await sender;
        }
        Assert.NotEmpty(acknowledged);

        var csv = await Tool.OkAsync("query", "--sql", "SELECT event_id FROM events", "--data", data.Path, "--format", "csv");

        var stored = csv.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1).Select(line => line.Trim('\r', '"')).ToList();
        Assert.Equal(stored.Distinct(StringComparer.Ordinal).Count(), stored.Count);
        Assert.Empty(acknowledged.Except(stored, StringComparer.Ordinal));
    }

    static byte[] Encode(string text, string? encoding)
    {
        var raw = Encoding.UTF8.GetBytes(text);
        if (encoding is null || text.StartsWith("not ", StringComparison.Ordinal)) return raw;
        var packed = new MemoryStream();
        using (Stream pack = encoding is "gzip" ? new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true) : new ZstdSharp.CompressionStream(packed, leaveOpen: true))
        {
            pack.Write(raw);
        }
        return packed.ToArray();
    }
}
