using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;

namespace Logwarden.SystemTests.World;

/// <summary><c>logwarden serve</c> on a free port, as a process of its own.</summary>
sealed class Server : IAsyncDisposable
{
    readonly Process _process;
    readonly StringBuilder _output = new();

    Server(Process process, Uri address)
    {
        _process = process;
        Http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(60) };
    }

    public HttpClient Http { get; }

    /// <summary>Everything that it printed so far.</summary>
    public string Printed
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    public static async Task<Server> StartAsync(string data, params string[] args)
    {
        var port = FreePort();
        var process = Process.Start(Tool.Start(["serve", "--data", data, "--listen", $"127.0.0.1:{port}", .. args]))!;
        var server = new Server(process, new Uri($"http://127.0.0.1:{port}/"));
        process.OutputDataReceived += (_, line) => server.Note(line.Data);
        process.ErrorDataReceived += (_, line) => server.Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        for (var tries = 0; ; tries++)
        {
            try
            {
                using var ready = await server.Http.GetAsync("health/ready", TestContext.Current.CancellationToken);
                if (ready.IsSuccessStatusCode) return server;
            }
            catch (HttpRequestException) when (!process.HasExited && tries < 600) { }
            Assert.False(process.HasExited, $"serve ended with {(process.HasExited ? process.ExitCode : 0)}: {server.Printed}");
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, TestContext.Current.CancellationToken);
        }
    }

    public async Task<HttpResponseMessage> PostAsync(string token, byte[] body, string type = "application/json", string? encoding = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = new ByteArrayContent(body);
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(type);
        if (encoding is not null) request.Content.Headers.ContentEncoding.Add(encoding);
        return await Http.SendAsync(request, TestContext.Current.CancellationToken);
    }

    public async Task<string> QueryAsync(string json)
    {
        using var body = new StringContent(json, Encoding.UTF8, "application/json");
        using var answer = await Http.PostAsync(new Uri("api/v1/query", UriKind.Relative), body, TestContext.Current.CancellationToken);
        var text = await answer.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(answer.IsSuccessStatusCode, $"{(int)answer.StatusCode} {text}");
        return text;
    }

    /// <summary>SIGKILL: nothing is flushed, nothing is said.</summary>
    public async Task KillAsync()
    {
        _process.Kill();
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
    }

    public async ValueTask DisposeAsync()
    {
        Http.Dispose();
        if (!_process.HasExited) _process.Kill();
        await _process.WaitForExitAsync(CancellationToken.None);
        _process.Dispose();
    }

    void Note(string? line)
    {
        lock (_output) _output.AppendLine(line);
    }

    static int FreePort()
    {
        using var listener = new System.Net.Sockets.TcpListener(System.Net.IPAddress.Loopback, 0);
        listener.Start();
        return ((System.Net.IPEndPoint)listener.LocalEndpoint).Port;
    }
}
