using System.Net;
using Logwarden.Api;
using Logwarden.Delivery;

namespace Logwarden.Hosting;

/// <summary>The HTTP server: routes, health, OpenAPI, and the loop that seals.</summary>
sealed partial class WebHost : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly SealLoop _sealing;
    readonly OwnEventFeed _ownEvents;
    readonly Deliveries _deliveries;
    readonly CanaryLoop _canaries;
    readonly ObserverLoop _observers;
    readonly Telemetry _telemetry;

    WebHost(WebApplication app, SealLoop sealing, OwnEventFeed ownEvents, Deliveries deliveries, CanaryLoop canaries, ObserverLoop observers, Telemetry telemetry)
    {
        _telemetry = telemetry;
        _canaries = canaries;
        _observers = observers;
        _app = app;
        _sealing = sealing;
        _ownEvents = ownEvents;
        _deliveries = deliveries;
        var address = app.Urls.Single();
        Endpoint = IPEndPoint.Parse(address[(address.IndexOf("//", StringComparison.Ordinal) + 2)..]);
    }

    /// <summary>What it listens on; its port is the real one also when any was asked for.</summary>
    public IPEndPoint Endpoint { get; }

    /// <summary>File that holds a token for the API, until the next start.</summary>
    public string LocalToken => _app.Services.GetRequiredService<ApiTokens>().LocalPath;

    /// <summary>Builds and starts it. When it returns, the port is open.</summary>
    /// <exception cref="Commands.CommandException">The port is taken.</exception>
    public static async Task<WebHost> StartAsync(Installation installation, IPEndPoint endpoint, string data, SealOptions sealing)
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
        Telemetry.Add(builder.Services);
        var app = builder.Build();
        installation.Sources.Unreadable = reason => LogUnreadable(app.Logger, reason);
        var loop = new SealLoop(installation, sealing, TimeProvider.System, app.Services.GetRequiredService<ILogger<SealLoop>>());
        SourceEndpoint.Map(app);
        QueryEndpoint.Map(app);
        LedgerEndpoint.Map(app);
        HealthEndpoint.Map(app, loop);
        var deliveries = DeliveriesOf(installation, data, app.Services.GetRequiredService<ILogger<Deliveries>>());
        StatusEndpoint.Map(app, deliveries, loop, data);
        MetricsEndpoint.Map(app);
        app.MapOpenApi("/openapi/{documentName}.json");
        var ownEvents = new OwnEventFeed(installation, TimeProvider.System, app.Services.GetRequiredService<ILogger<OwnEventFeed>>());
        try
        {
            await app.StartAsync();
            await deliveries.StartAsync();
        }
        catch (Exception failed)
        {
            await deliveries.DisposeAsync();
            await ownEvents.DisposeAsync();
            await loop.DisposeAsync();
            await app.DisposeAsync();
            if (failed is not IOException) throw;
            throw new Commands.CommandException($"{endpoint} can't be listened on: {failed.GetBaseException().Message}. Stop what listens there, or choose another address and port with --listen", Commands.Cli.Broken);
        }
        var canaries = new CanaryLoop(installation, deliveries, Canaries.Every, TimeProvider.System, app.Services.GetRequiredService<ILogger<CanaryLoop>>());
        var observers = new ObserverLoop(installation.Journal, [installation.Control.Canaries.Observe], TimeProvider.System, app.Services.GetRequiredService<ILogger<ObserverLoop>>());
        var telemetry = new Telemetry(() => StatusReport.Of(installation, deliveries, loop, data, TimeProvider.System), TimeProvider.System);
        var host = new WebHost(app, loop, ownEvents, deliveries, canaries, observers, telemetry);
        ServerAddress.Write(data, host.Endpoint);
        return host;
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

    static Deliveries DeliveriesOf(Installation installation, string data, ILogger log)
    {
        var (control, time) = (installation.Control, TimeProvider.System);
        return new(new(
            data, installation.Journal, control.Destinations, control.Deliveries,
            entry => ControlState.Make(entry, installation.Policy.Policy, time, what => control.Found(entry.Name, what)),
            () => installation.Policy.Policy, time, log)
        {
            Settled = control.Canaries.Settled,
            Seed = System.Security.Cryptography.RandomNumberGenerator.GetInt32(int.MaxValue),
        });
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

    /// <summary>Stops listening, finishes what is under way, then the seal under way.</summary>
    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(CancellationToken.None);
        await _app.DisposeAsync();
        _telemetry.Dispose();
        await _observers.DisposeAsync();
        await _canaries.DisposeAsync();
        await _deliveries.DisposeAsync();
        await _ownEvents.DisposeAsync();
        await _sealing.DisposeAsync();
    }
}
