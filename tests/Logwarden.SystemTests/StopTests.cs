using System.Diagnostics;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Signals: the first is a request, the second an end.</summary>
public class StopTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData(Tool.Interrupt)]
    [InlineData(Tool.Terminate)]
    public async Task An_ingest_that_is_stopped_seals_what_it_took_however_long_that_takes(int signal)
    {
        const int Events = 100_000;
        using var data = new TempFolder();
        using var process = Process.Start(Tool.Start("ingest", "--data", data.Path, "--source", "shop", "--format", "app", "--json", "-"))!;
        var output = process.StandardOutput.ReadToEndAsync(Cancel);
        var errors = process.StandardError.ReadToEndAsync(Cancel);
        for (var i = 0; i < Events; i++) await process.StandardInput.WriteAsync($"{{\"id\":\"e{i}\",\"user\":\"ada\",\"message\":\"m\"}}\n");
        await process.StandardInput.FlushAsync(Cancel);
        // The pipe stays open: only the signal ends it, amid a read.
        var end = 0L;
        for (var tries = 0; end < Events / 2; tries++)
        {
            Assert.True(tries < 600, "it takes nothing in");
            var ledger = await Tool.RunAsync("ledger", "--data", data.Path, "--json");
            if (ledger.ExitCode == 0) end = JsonDocument.Parse(ledger.Output).RootElement.GetProperty("durable_end").GetInt64();
        }

        Tool.Signal(process, signal);
        // A seal of minutes, in short: the clock goes on and the process does not.
        Tool.Signal(process, Tool.Stop);
        await Task.Delay(TimeSpan.FromSeconds(2.5), TimeProvider.System, Cancel);
        Tool.Signal(process, Tool.Continue);
        await process.WaitForExitAsync(Cancel);

        Assert.True(process.ExitCode == 130, $"{process.ExitCode} {await errors}");
        var answer = JsonDocument.Parse(await output).RootElement;
        var stored = answer.GetProperty("stored").GetInt64();
        Assert.InRange(stored, end, Events);
        Assert.Equal(stored, answer.GetProperty("sealed_to").GetInt64());
        await Tool.OkAsync("verify", data.In("archive"));
    }

    [Theory]
    [InlineData(Tool.Interrupt)]
    [InlineData(Tool.Terminate)]
    public async Task A_server_finishes_what_is_under_way_and_a_second_signal_ends_it_at_once(int signal)
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path);
        // A request that stays under way.
        using var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", server.Http.BaseAddress!.Port, Cancel);
        await client.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"POST / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 100\r\nExpect: 100-continue\r\n\r\n"), Cancel);
        Assert.True(await client.GetStream().ReadAsync(new byte[100], Cancel) > 0); // its handler reads

        server.Signal(signal);
        await server.SaysAsync("once more");
        server.Signal(signal);

        Assert.Equal(128 + signal, await server.EndAsync());
    }

    [Fact]
    public async Task A_server_that_is_stopped_ends_well()
    {
        using var data = new TempFolder();
        await using var server = await Server.StartAsync(data.Path);

        server.Signal(Tool.Terminate);

        Assert.Equal(0, await server.EndAsync());
    }
}
