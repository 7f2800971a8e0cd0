using System.Net;
using Logwarden.Api;

namespace Logwarden.Hosting;

/// <summary>The HTTP server: routes, health, OpenAPI; and what goes on beside it.</summary>
sealed partial class WebHost : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly BackgroundLoops _loops;

    WebHost(WebApplication app, BackgroundLoops loops)
    {
        (_app, _loops) = (app, loops);
        var address = app.Urls.Single();
        Endpoint = IPEndPoint.Parse(address[(address.IndexOf("//", StringComparison.Ordinal) + 2)..]);
    }

    /// <summary>What it listens on; its port is the real one also when any was asked for.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>File that holds a token for the API, until the next start.</summary>
    public string LocalToken => _app.Services.GetRequiredService<ApiTokens>().LocalPath;

    /// <summary>Builds and starts it. When it returns, the port is open.</summary>
    /// <exception cref="Commands.CommandException">The port is taken.</exception>
    public static async Task<WebHost> StartAsync(Installation installation, IPEndPoint endpoint, string data, SealOptions sealing, string? heartbeat = null)
    {
        var tokens = new ApiTokens(data, TimeProvider.System);
        tokens.MakeLocal();
        var builder = WebApplication.CreateSlimBuilder();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Listen(endpoint);
            kestrel.Limits.MaxRequestBodySize = null; // the endpoints hold to limits of their own, with the answers that clients expect
        });
        Log(builder);
        builder.Services.AddOpenApi(OpenApiSecurity.Add);
        builder.Services.AddSingleton(installation);
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(new AccessLog(data, TimeProvider.System));
        builder.Services.AddSingleton(tokens);
        builder.Services.AddSingleton<SourceEndpoint>();
        builder.Services.AddSingleton<ApiGuard>();
        builder.Services.AddQuery(data);
        builder.Services.AddHolds();
        Telemetry.Add(builder.Services);
        var app = builder.Build();
        installation.Sources.Unreadable = reason => LogUnreadable(app.Logger, reason);
#pragma warning disable CA2000 // the host disposes of them, or the failure below
        var loops = new BackgroundLoops(installation, data, sealing, app.Services.GetRequiredService<ILoggerFactory>());
#pragma warning restore CA2000
        Map(app, loops, data);
        try
        {
            await app.StartAsync();
            var host = new WebHost(app, loops);
            ServerAddress.Write(data, host.Endpoint);
            await loops.StartAsync(heartbeat);
            return host;
        }
        catch (Exception failed)
        {
            await app.DisposeAsync();
            await loops.DisposeAsync();
            if (failed is Destinations.SettingException wrong) throw new Commands.CommandException($"--heartbeat: {wrong.Message}");
            if (failed is not IOException) throw;
            throw new Commands.CommandException($"{endpoint} can't be listened on: {failed.GetBaseException().Message}. Stop what listens there, or choose another address and port with --listen", Commands.Cli.Broken);
        }
    }

    static void Map(WebApplication app, BackgroundLoops loops, string data)
    {
        SourceEndpoint.Map(app);
        QueryEndpoint.Map(app);
        LedgerEndpoint.Map(app);
        HoldsEndpoint.Map(app, loops.Holding);
        HealthEndpoint.Map(app, loops.Sealing);
        StatusEndpoint.Map(app, loops.Report);
        MetricsEndpoint.Map(app);
        app.MapOpenApi("/openapi/{documentName}.json");
    }

    static void Log(WebApplicationBuilder builder)
    {
        builder.Logging.ClearProviders();
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "yyyy-MM-ddTHH:mm:ssZ ";
        });
        builder.Logging.AddFilter("Microsoft", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Hosting", LogLevel.None); // what it says at the start is thrown too
        builder.Services.Configure<Microsoft.Extensions.Logging.Console.ConsoleLoggerOptions>(console => console.LogToStandardErrorThreshold = LogLevel.Trace);
    }

    /// <summary>Runs until it is told to stop.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        try
        {
            await _app.WaitForShutdownAsync(cancel);
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // Ctrl-C is how it ends.
        }
    }

    [LoggerMessage(1, LogLevel.Error, "Who sends is told by the list of sources as it was before: {Reason}")]
    static partial void LogUnreadable(ILogger log, string reason);

    /// <summary>Stops listening, finishes what is under way, then what goes on beside it.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await _loops.DisposeAsync();
    }
}
