using System.Diagnostics;
using System.Net.Http.Headers;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

[assembly: AssemblyFixture(typeof(ClickHouseServers))]

namespace Logwarden.SystemTests.World;

/// <summary>The ClickHouse servers of a run, each started by the first test that asks for it and stopped at the end.</summary>
public sealed class ClickHouseServers : IAsyncDisposable
{
    readonly SemaphoreSlim _gate = new(1);
    readonly Dictionary<string, ClickHouseServer> _running = new(StringComparer.Ordinal);
    string? _failure;

    /// <summary>A running one.</summary>
    /// <param name="kind"><c>old</c>: Debian's 18.16. <c>today</c>: the engine of today behind HTTP.</param>
    public async Task<ClickHouseServer> StartAsync(string kind)
    {
        await _gate.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (_running.TryGetValue(kind, out var running)) return running;
            var server = new ClickHouseServer(kind);
            _running.Add(kind, server);
            _failure ??= await server.StartAsync();
            if (_failure is null) return server;
        }
        finally
        {
            _gate.Release();
        }
        var message = $"ClickHouse did not start: {_failure}";
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase)) Assert.Fail(message);
        Assert.Skip(message);
        throw new UnreachableException();
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var server in _running.Values) await server.DisposeAsync();
        _gate.Dispose();
    }
}

/// <summary>A real ClickHouse on loopback (<c>tests/services/clickhouse.sh</c>).</summary>
public sealed class ClickHouseServer(string kind) : IAsyncDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("logwarden-clickhouse-").FullName;
    readonly HttpClient _client = new();

    /// <summary>Where it answers; the same after another start.</summary>
    public Uri Endpoint { get; private set; } = new("http://127.0.0.1");

    /// <summary>Password of the users <c>logwarden</c> and, on an old server, <c>reader</c>, who may only read.</summary>
    public string Password { get; private set; } = "";

    /// <summary>File that holds the password.</summary>
    public string PasswordFile => Path.Combine(_folder, "password");

    /// <summary>Starts it; what was stored before is there.</summary>
    /// <returns>Null, or why it did not.</returns>
    public async Task<string?> StartAsync()
    {
        var (code, output, errors) = await ScriptAsync("start", TestContext.Current.CancellationToken);
        if (code != 0) return errors.Trim();
        var settings = output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        Endpoint = new(settings["CLICKHOUSE_ENDPOINT"]);
        Password = settings["CLICKHOUSE_PASSWORD"];
        await File.WriteAllBytesAsync(PasswordFile, System.Text.Encoding.ASCII.GetBytes(Password + "\n"));
        return null;
    }

    /// <summary>Stops it; its data stay.</summary>
    public async Task StopAsync() => Assert.Equal(0, (await ScriptAsync("stop", CancellationToken.None)).Code);

    /// <summary>Runs a statement, past the code under test.</summary>
    /// <returns>Rows and their fields, as ClickHouse writes them in TabSeparated.</returns>
    public async Task<string[][]> SqlAsync(string sql, string queryId = "")
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(Endpoint, $"/?wait_end_of_query=1&query_id={queryId}")) { Content = new StringContent(sql) };
        request.Headers.Add("X-ClickHouse-User", "logwarden");
        request.Headers.Add("X-ClickHouse-Key", Password);
        request.Headers.Connection.Add("close");
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("text/plain");
        using var response = await _client.SendAsync(request, TestContext.Current.CancellationToken);
        var text = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        return [.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split('\t'))];
    }

    /// <summary>The one value of a statement.</summary>
    public async Task<string> OneAsync(string sql) => Assert.Single(Assert.Single(await SqlAsync(sql)));

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client.Dispose();
        await StopAsync();
        Directory.Delete(_folder, recursive: true);
    }

    async Task<(int Code, string Output, string Errors)> ScriptAsync(string command, CancellationToken cancel)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [Script, command, _folder, kind]) { RedirectStandardOutput = true, RedirectStandardError = true })!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, await output, await errors);
    }

    static string Script => Path.Combine(Repository.Root, "tests", "services", "clickhouse.sh");
}
