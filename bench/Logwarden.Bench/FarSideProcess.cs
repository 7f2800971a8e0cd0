using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Logwarden.Destinations;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;

namespace Logwarden.Bench;

/// <summary>The far side of destinations, in a process of its own, so that its CPU is not counted: it reads what it is sent and answers as each service answers when all is well.</summary>
sealed class FarSideProcess : IAsyncDisposable
{
    /// <summary>Name of the benchmark that is the process.</summary>
    public const string Name = "far-side";

    readonly Process _process;

    FarSideProcess(Process process, string http, int port) => (_process, Http, Port) = (process, http, port);

    /// <summary>Where HTTP goes.</summary>
    public string Http { get; }

    /// <summary>Port that reads whatever comes.</summary>
    public int Port { get; }

    /// <summary>Starts it.</summary>
    public static async Task<FarSideProcess> StartAsync()
    {
        var process = Process.Start(new ProcessStartInfo("dotnet", [typeof(FarSideProcess).Assembly.Location, Name]) { RedirectStandardOutput = true, RedirectStandardInput = true })!;
        var line = await process.StandardOutput.ReadLineAsync() ?? throw new InvalidOperationException("The far side did not start.");
        var parts = line.Split(' ');
        return new(process, parts[0], int.Parse(parts[1], CultureInfo.InvariantCulture));
    }

    /// <summary>Ends it.</summary>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync();
        _process.Dispose();
    }

    /// <summary>The process itself; it ends with its input.</summary>
    public static async Task RunAsync(string[] args)
    {
        var builder = WebApplication.CreateEmptyBuilder(new() { Args = args });
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        await using var app = builder.Build();
        app.Run(AnswerAsync);
        await app.StartAsync();
        // Lives as long as the process.
        _ = ReadAsync(app.Urls.First());
        await Console.In.ReadToEndAsync();
    }

    /// <summary>Reads whatever comes, one connection after the other, and says where.</summary>
    static async Task ReadAsync(string http)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await Console.Out.WriteLineAsync($"{http} {((IPEndPoint)listener.LocalEndpoint).Port}");
        var buffer = new byte[1 << 20];
        while (true)
        {
            try
            {
                using var client = await listener.AcceptTcpClientAsync();
                while (await client.GetStream().ReadAsync(buffer) > 0)
                {
                    // That is all.
                }
            }
            catch (IOException)
            {
                // The sender is gone.
            }
        }
    }

    static async Task AnswerAsync(HttpContext http)
    {
        var isClickHouse = http.Request.Headers.ContainsKey("X-ClickHouse-User");
        var isInsert = http.Request.Query["query"].ToString().StartsWith("INSERT", StringComparison.Ordinal);
        var sql = await ReadAsync(http, isKept: isClickHouse && !isInsert);
        if (isClickHouse) await http.Response.Body.WriteAsync(isInsert ? ReadOnlyMemory<byte>.Empty : Rows(sql));
        else if (http.Request.Headers.ContainsKey("X-Amz-Target")) await http.Response.Body.WriteAsync("{}"u8.ToArray());
        else if (http.Request.Path == "/v1/logs") http.Response.ContentType = http.Request.ContentType;
        else http.Response.StatusCode = StatusCodes.Status202Accepted;
        if (http.Request.Path == "/v1/logs" && http.Request.ContentType == "application/json") await http.Response.Body.WriteAsync("{}"u8.ToArray());
    }

    static async Task<string> ReadAsync(HttpContext http, bool isKept)
    {
        var kept = new StringBuilder();
        while (true)
        {
            var read = await http.Request.BodyReader.ReadAsync();
            if (isKept) kept.Append(Encoding.UTF8.GetString(read.Buffer));
            http.Request.BodyReader.AdvanceTo(read.Buffer.End);
            if (read.IsCompleted) return kept.ToString();
        }
    }

    /// <summary>What a ClickHouse says that has the table and nothing in it, in RowBinary.</summary>
    static byte[] Rows(string sql)
    {
        if (sql.StartsWith("SELECT version()", StringComparison.Ordinal)) return Text("26.1.1.1");
        if (sql.StartsWith("SELECT name, type", StringComparison.Ordinal)) return [.. ClickHouseRow.Columns.SelectMany(name => (byte[])[.. Text(name), .. Text("String")])];
        if (sql.StartsWith("SELECT max", StringComparison.Ordinal)) return new byte[16];
        return sql.StartsWith("SELECT toInt64(count())", StringComparison.Ordinal) ? new byte[8] : [];
    }

    static byte[] Text(string text) => [(byte)text.Length, .. Encoding.UTF8.GetBytes(text)];
}
