using System.Diagnostics;
using System.Net.Http.Headers;
using System.Text;

namespace Logwarden.SystemTests.World;

/// <summary><c>logwarden serve</c> on a port that is free, as a process of its own. Requests bring the token of this start unless they bring another.</summary>
sealed class Server : IAsyncDisposable
{
    readonly Process _process;
    readonly StringBuilder _output = new();

    readonly TaskCompletionSource<Uri?> _listens = new(TaskCreationOptions.RunContinuationsAsynchronously);

    Server(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => Note(line.Data);
        process.ErrorDataReceived += (_, line) => Note(line.Data);
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public HttpClient Http { get; } = new() { Timeout = TimeSpan.FromSeconds(60) };

    public int Id => _process.Id;

    /// <summary>Everything that it printed so far.</summary>
    public string Printed
    {
        get
        {
            lock (_output) return _output.ToString();
        }
    }

    /// <summary>The most memory that it had.</summary>
    public long PeakMemory
    {
        get
        {
            _process.Refresh();
            return _process.PeakWorkingSet64;
        }
    }

    public static async Task<Server> StartAsync(string data, params string[] args)
    {
        var server = Begin(data, Tool.Start(["serve", "--data", data, "--listen", "127.0.0.1:0", .. args]));
        await server.ReadyAsync(data);
        return server;
    }

    /// <summary>Starts it as another user of this machine, which only root can.</summary>
    public static async Task<Server> StartAsAsync(int user, string data)
    {
        var start = Tool.Start("serve", "--data", data, "--listen", "127.0.0.1:0");
        start.ArgumentList.Clear();
        foreach (var argument in (string[])["--reuid", $"{user}", "--regid", $"{user}", "--clear-groups", "dotnet", Tool.Assembly, "serve", "--data", data, "--listen", "127.0.0.1:0"]) start.ArgumentList.Add(argument);
        start.FileName = "setpriv";
        start.Environment["HOME"] = data;
        var server = Begin(data, start);
        await server.ReadyAsync(data);
        return server;
    }

    static Server Begin(string data, ProcessStartInfo start)
    {
        Directory.CreateDirectory(data);
        return new(Process.Start(start)!);
    }

    async Task ReadyAsync(string data)
    {
        Http.BaseAddress = await _listens.Task.WaitAsync(TimeSpan.FromMinutes(2), TimeProvider.System, TestContext.Current.CancellationToken);
        Assert.True(Http.BaseAddress is not null, $"serve ended: {Printed}");
        Http.DefaultRequestHeaders.Authorization = new("Bearer", (await File.ReadAllTextAsync(Path.Combine(data, "state", "local.token"), TestContext.Current.CancellationToken)).Trim());
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

    /// <summary>Sends a signal.</summary>
    public void Signal(int signal) => Tool.Signal(_process, signal);

    /// <summary>Waits until it has printed this.</summary>
    public async Task SaysAsync(string what)
    {
        while (!Printed.Contains(what, StringComparison.Ordinal)) await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, TestContext.Current.CancellationToken);
    }

    /// <summary>Waits until it ends.</summary>
    /// <returns>What it ends with.</returns>
    public async Task<int> EndAsync()
    {
        await _process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return _process.ExitCode;
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
        const string Listens = "listening on ";
        lock (_output) _output.AppendLine(line);
        if (line is null) _listens.TrySetResult(null); // it printed its last
        else if (line.StartsWith(Listens, StringComparison.Ordinal)) _listens.TrySetResult(new(line[Listens.Length..line.IndexOf(',', StringComparison.Ordinal)]));
    }
}
