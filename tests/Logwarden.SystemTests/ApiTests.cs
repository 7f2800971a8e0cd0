using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Who is let in, what is refused and how, and what is recorded of it.</summary>
public class ApiTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_token_that_is_taken_away_opens_nothing_any_more()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("token", "add", "ada", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(server, "{}", "lwa_other")).Status);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(server, "{}", token)).Status);

        await Tool.OkAsync("token", "remove", "ada", "--data", data.Path);

        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(server, "{}", token)).Status);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("X-Forwarded-For")]
    [InlineData("Origin")]
    public async Task Whoever_comes_from_this_machine_is_nobody_without_a_token(string? header)
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);
        using var http = new HttpClient { BaseAddress = server.Http.BaseAddress }; // as a proxy on this machine comes, for anyone
        using var request = Question("{}");
        if (header is not null) request.Headers.Add(header, "http://127.0.0.1");

        using var answer = await http.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("state/local.token", await answer.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Who_can_read_the_installation_has_the_token_of_this_start()
    {
        using var data = new TempFolder();
        string? old;
        await using (var server = await Server.StartAsync(data.Path))
        {
            old = server.Http.DefaultRequestHeaders.Authorization!.Parameter;
            Assert.Equal(HttpStatusCode.OK, (await AskAsync(server, "{}", old)).Status);
            if (!OperatingSystem.IsWindows()) Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(data.In("state", "local.token")));
            Assert.Contains(data.In("state", "local.token"), server.Printed, StringComparison.Ordinal);
            Assert.DoesNotContain(old!, server.Printed, StringComparison.Ordinal);
        }
        await using var again = await Server.StartAsync(data.Path);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(again, "{}", old)).Status);
        Assert.Equal(64, (await Tool.RunAsync("token", "add", "local", "--data", data.Path)).ExitCode);

        var first = JsonDocument.Parse((await File.ReadAllLinesAsync(Assert.Single(Directory.GetFiles(data.In("access"))), Cancel))[0]).RootElement;
        Assert.Equal("local", first.GetProperty("user").GetString());
    }

    [Theory]
    [InlineData("{\"filtr\":\"user=ada\"}", "no field 'filtr', did you mean 'filter'?")]
    [InlineData("{\"limit\":\"many\"}", "field 'limit' has a value of the wrong kind")]
    [InlineData("[1]", "must be a JSON object")]
    [InlineData("{", "is not JSON")]
    [InlineData("{\"sql\":\"SELECT 1\",\"top\":\"user\"}", "do not go together")]
    [InlineData("{\"sql\":\"SELECT 1\",\"filter\":\"user=ada\"}", "do not go together")]
    [InlineData("{\"top\":\"user\",\"cursor\":\"x\"}", "cursor goes on with a page")]
    [InlineData("{\"histogram\":0}", "1 to 10000")]
    [InlineData("{\"class\":\"databse\"}", "did you mean 'database'?")]
    [InlineData("{\"sql\":\"SELECT repeat('a', 100000000)\"}", "One row has more than the 64 MiB")]
    [InlineData("{\"filter\":\"user=\"}", "character")]
    [InlineData("{\"\\ud800\":1}", "escape of half a character")]
    [InlineData("{\"filter\":\"\\ud800\"}", "field 'filter' has a value of the wrong kind")]
    public async Task A_question_with_an_error_is_refused_with_the_reason(string question, string reason)
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);

        var (status, text) = await AskAsync(server, question);

        Assert.Equal(HttpStatusCode.BadRequest, status);
        using var problem = JsonDocument.Parse(text);
        Assert.Contains(reason, problem.RootElement.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Sql_sees_what_the_rest_of_the_question_narrows_it_to()
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);
        foreach (var source in (string[])["shop", "bank"])
        {
            var token = (await Tool.OkAsync("source", "add", source, "--format", "app", "--data", data.Path)).Trim();
            using var taken = await server.PostAsync(token, Encoding.UTF8.GetBytes($$"""{"id":"{{source}}-1","dt":"2026-11-2{{(source is "shop" ? 4 : 5)}}T01:02:03Z","user":"ada","message":"m"}"""));
            Assert.Equal(HttpStatusCode.Accepted, taken.StatusCode);
        }

        Assert.Contains("\"n\":2", await server.QueryAsync("""{"sql":"SELECT count(*) AS n FROM events WHERE source <> 'logwarden'"}"""), StringComparison.Ordinal);
        Assert.Contains("\"id\":\"shop-1\"", await server.QueryAsync("""{"sql":"SELECT min(event_id) AS id FROM events","source":"shop"}"""), StringComparison.Ordinal);
        Assert.Contains("\"id\":\"bank-1\"", await server.QueryAsync("""{"sql":"SELECT min(event_id) AS id FROM events WHERE source <> 'logwarden'","from":"2026-11-25T00:00:00Z"}"""), StringComparison.Ordinal);
        Assert.Contains("\"n\":0", await server.QueryAsync("""{"sql":"SELECT count(*) AS n FROM events WHERE source <> 'logwarden'","class":"database"}"""), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Every_access_is_recorded_with_its_scope_also_one_that_is_refused()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("token", "add", "ada", "--data", data.Path)).Trim();
        await using (var server = await Server.StartAsync(data.Path))
        {
            await AskAsync(server, """{"filter":"user=eve password=hunter2Really9Long","class":"database","source":"shop eve@example.com","limit":7}""", token);
            await AskAsync(server, """{"top":"user","from":"2026-01-01T00:00:00Z"}""", token);
            await AskAsync(server, "{}", "wrong");
            using var ledger = new HttpRequestMessage(HttpMethod.Get, "api/v1/ledger");
            ledger.Headers.Authorization = new("Bearer", token);
            (await server.Http.SendAsync(ledger, Cancel)).Dispose();
        }
        await Task.WhenAll(Enumerable.Range(0, 6).Select(i => Tool.OkAsync("query", $"user=u{i}", "--data", data.Path, "--from", "2026-01-01")));
        await Tool.OkAsync("ledger", "--data", data.Path);

        var lines = await File.ReadAllLinesAsync(Assert.Single(Directory.GetFiles(data.In("access"))), Cancel);
        var records = lines.Select(line => JsonDocument.Parse(line).RootElement).ToList();

        Assert.Equal(11, records.Count); // of the processes at once none wrote over another's
        Assert.Equal(("ada", "query", "database", "7"), (Text(0, "user"), Text(0, "action"), Text(0, "class"), Text(0, "limit")));
        Assert.StartsWith("shop ", Text(0, "source"), StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", lines[0], StringComparison.Ordinal);
        Assert.DoesNotContain("eve@example.com", lines[0], StringComparison.Ordinal);
        Assert.Equal(("top", "user"), (Text(1, "action"), Text(1, "top")));
        Assert.Equal(("refused", "/api/v1/query", ""), (Text(2, "action"), Text(2, "object"), Text(2, "user")));
        Assert.Equal(("ada", "ledger"), (Text(3, "user"), Text(3, "action")));
        Assert.Equal(["user=u0", "user=u1", "user=u2", "user=u3", "user=u4", "user=u5"], records.Skip(4).Take(6).Select(record => record.GetProperty("object").GetString()!).Order(StringComparer.Ordinal));
        Assert.Equal("ledger", Text(10, "action"));

        string Text(int index, string name) => records[index].GetProperty(name).GetString()!;
    }

    [Fact]
    public async Task Refusals_do_not_fill_the_disk()
    {
        using var data = new TempFolder();
        await Tool.OkAsync("token", "add", "ada", "--data", data.Path);
        await using var server = await Server.StartAsync(data.Path);

        await Task.WhenAll(Enumerable.Range(0, 500).Select(_ => AskAsync(server, "{}", "wrong")));

        var lines = await File.ReadAllLinesAsync(Assert.Single(Directory.GetFiles(data.In("access"))), Cancel);
        Assert.InRange(lines.Length, 60, 120); // a minute may end on the way
    }

    [Fact]
    public async Task What_is_written_is_nobody_elses_to_read()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.In("data"))).Trim();
        await Tool.OkAsync("token", "add", "ada", "--data", data.In("data"));
        await using (var server = await Server.StartAsync(data.In("data"), "--seal-age", "1s"))
            (await server.PostAsync(token, "{\"id\":\"1\",\"user\":\"ada\",\"message\":\"m\"}"u8.ToArray())).Dispose();
        await Tool.RunAsync("{\"id\":\"2\",\"user\":\"ada\",\"message\":\"m\"}\n"u8.ToArray(), "ingest", "--data", data.In("data"), "--source", "shop", "--format", "app", "-");
        await Tool.OkAsync("query", "", "--data", data.In("data"));

        const UnixFileMode Others = UnixFileMode.GroupRead | UnixFileMode.GroupWrite | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherWrite | UnixFileMode.OtherExecute;
        var open = Directory.EnumerateFileSystemEntries(data.In("data"), "*", SearchOption.AllDirectories).Append(data.In("data")).Where(path => (File.GetUnixFileMode(path) & Others) != 0);

        Assert.Empty(open);
    }

    [Fact]
    public async Task Registered_by_many_at_once_every_source_and_token_is_there()
    {
        using var data = new TempFolder();
        await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Tool.OkAsync("source", "add", $"s{i}", "--format", "app", "--data", data.Path))
            .Concat(Enumerable.Range(0, 4).Select(i => Tool.OkAsync("token", "add", $"t{i}", "--data", data.Path))));

        var sources = await Tool.OkAsync("source", "list", "--data", data.Path);
        var tokens = await Tool.OkAsync("token", "list", "--data", data.Path);
        Assert.All(Enumerable.Range(0, 8), i => Assert.Contains($"s{i} ", sources, StringComparison.Ordinal));
        Assert.All(Enumerable.Range(0, 4), i => Assert.Contains($"t{i} ", tokens, StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_port_that_is_taken_is_an_error_that_says_what_to_do()
    {
        using var data = new TempFolder();
        using var other = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        other.Start();

        var run = await Tool.RunAsync("serve", "--data", data.Path, "--listen", other.LocalEndpoint.ToString()!);

        Assert.Equal(74, run.ExitCode);
        Assert.Contains("choose another address and port with --listen", run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_demo_deletes_only_what_a_demo_made()
    {
        using var data = new TempFolder();
        await Tool.OkAsync("source", "add", "demo-shop", "--format", "app", "--data", data.Path);

        var run = await Tool.RunAsync("demo", "--data", data.Path);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("is not a folder that a demo made", run.Errors, StringComparison.Ordinal);
        Assert.Contains("demo-shop", await Tool.OkAsync("source", "list", "--data", data.Path), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_OpenAPI_document_tells_bodies_answers_and_tokens()
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);

        using var document = JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("openapi/v1.json", UriKind.Relative), Cancel));

        var paths = document.RootElement.GetProperty("paths");
        var query = paths.GetProperty("/api/v1/query").GetProperty("post");
        Assert.Equal(["200", "400", "401", "413", "503"], query.GetProperty("responses").EnumerateObject().Select(answer => answer.Name).Order(StringComparer.Ordinal));
        Assert.True(query.GetProperty("requestBody").GetProperty("content").TryGetProperty("application/json", out _));
        Assert.True(query.GetProperty("security")[0].TryGetProperty("api_token", out _));
        var ingest = paths.GetProperty("/").GetProperty("post");
        Assert.Equal(["202", "403", "406", "413", "415", "503"], ingest.GetProperty("responses").EnumerateObject().Select(answer => answer.Name).Order(StringComparer.Ordinal));
        Assert.True(ingest.GetProperty("security")[0].TryGetProperty("source_token", out _));
        Assert.Equal("bearer", document.RootElement.GetProperty("components").GetProperty("securitySchemes").GetProperty("api_token").GetProperty("scheme").GetString());
    }

    [Theory]
    [InlineData("--top and --sql", "query", "--top", "user", "--sql", "SELECT 1")]
    [InlineData("--json and --format csv", "query", "--json", "--format", "csv")]
    [InlineData("1 to 10000", "query", "--histogram", "0")]
    [InlineData("1 to 10000", "query", "--histogram", "-3")]
    [InlineData("did you mean 'database'", "query", "--class", "databse")]
    [InlineData("do not go together", "query", "user=ada", "--sql", "SELECT 1")]
    [InlineData("name the policy file", "policy", "check")]
    [InlineData("more memory than it may have", "query", "--sql", "SELECT len(range(3000000000))")]
    public async Task The_command_line_refuses_what_makes_no_sense(string reason, params string[] args)
    {
        using var data = new TempFolder();

        var run = await Tool.RunAsync([.. args, "--data", data.Path]);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains(reason.Split(" and ")[0], run.Errors, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", run.Errors, StringComparison.Ordinal);
    }

    static HttpRequestMessage Question(string json, string? token = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "api/v1/query") { Content = new StringContent(json, Encoding.UTF8, "application/json") };
        if (token is not null) request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        return request;
    }

    static async Task<(HttpStatusCode Status, string Text)> AskAsync(Server server, string json, string? token = null)
    {
        using var request = Question(json, token);
        using var answer = await server.Http.SendAsync(request, Cancel);
        return (answer.StatusCode, await answer.Content.ReadAsStringAsync(Cancel));
    }
}
