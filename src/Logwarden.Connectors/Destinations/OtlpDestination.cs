using System.Buffers;
using System.Net;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// Anything that takes logs by the OpenTelemetry protocol 1.11.0: its Collector, or a backend. Sends protobuf or JSON over HTTP, or protobuf over gRPC; an event
/// becomes one log record (<see cref="OtlpFields"/>), and the answers mean what <see cref="OtlpAnswers"/> says.
/// </summary>
public sealed class OtlpDestination : IDestination
{
    const string HttpProtobuf = "http/protobuf", HttpJson = "http/json", Grpc = "grpc";
    const string LogsPath = "/v1/logs";

    /// <summary>The Collector takes 4 MiB over gRPC unless it is told otherwise, before and after compression.</summary>
    const int BytesMaxByDefault = 3 << 20;

    static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(60);
    static readonly TimeSpan AgeMax = TimeSpan.FromSeconds(2);

    readonly DestinationContext _context;
    readonly DestinationTls _tls;
    readonly HttpClient _client;
    readonly OtlpProtobuf? _protobuf;
    readonly OtlpJson? _json;
    readonly OtlpHttp? _http;
    readonly OtlpGrpc? _grpc;
    readonly ArrayBufferWriter<byte> _request = new(256 << 10);
    bool _hasTaken;

    OtlpDestination(DestinationContext context, Options options, DestinationTls tls)
    {
        _context = context;
        _tls = tls;
        // No time-out: each exchange has one, which holds for the body of the answer too.
#pragma warning disable CA2000 // The client owns the handler.
        _client = new(DestinationHttp.Handler(options.Endpoint, AnswerTimeout, tls.Options(host: null), context.Time)) { Timeout = Timeout.InfiniteTimeSpan };
#pragma warning restore CA2000
        _client.DefaultRequestHeaders.UserAgent.ParseAdd(DestinationHttp.UserAgent);
        if (options.Protocol is HttpJson) _json = new(options.Resource, options.Version);
        else _protobuf = new(options.Resource, options.Version);
        if (options.Protocol is Grpc) _grpc = new(_client, options.Endpoint, options.IsCompressed);
        else _http = new(_client, options.Endpoint, options.Protocol is HttpJson, options.IsCompressed, context.Time);
        var events = options.BytesMax - (_json?.EnvelopeBytes ?? _protobuf!.EnvelopeBytes);
        var comma = _json is null ? 0 : 1;
        Limits = new(options.EventsMax, events, events - comma, comma, AgeMax);
    }

    /// <summary>This kind of destination.</summary>
    public static DestinationType Type { get; } = new(
        "otlp",
        "OpenTelemetry Collector, or any backend that takes logs by OTLP over HTTP or gRPC",
        [
            new("endpoint", "where it listens: https://HOST:4318 for HTTP (/v1/logs is added), https://HOST:4317 for gRPC", IsRequired: true),
            new("protocol", "http/protobuf, http/json or grpc; http/protobuf by default"),
            new("headers", "headers of each request, one a line as Name: value, such as a token", IsSecret: true),
            new("resource", "more attributes of the resource, as key=value,key=value; service.name is logwarden by default"),
            new("compression", "gzip or none; gzip by default"),
            new("plain-http", "yes allows an http:// endpoint that is not on this machine, for where something else encrypts the way; no by default"),
            new("request-bytes-max", "most bytes of a request before compression, 65536 to 67108864; 3145728 by default, since Collectors take 4 MiB over gRPC"),
            new("request-events-max", "most events in a request, 1 to 100000; 2000 by default"),
            .. DestinationTls.Settings,
        ],
        Open);

    /// <inheritdoc/>
    public DestinationLimits Limits { get; }

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        if (_json is null) OtlpProtobuf.Render(e, output);
        else _json.Render(e, output);
    }

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        OtlpHeaders headers;
        try
        {
            headers = OtlpHeaders.Read(_context);
        }
        catch (SettingException bad)
        {
            return new Answer.Blocked(bad.Message);
        }
        _request.ResetWrittenCount();
        if (_json is null) _protobuf!.Assemble(batch, _request);
        else _json.Assemble(batch, _request);
        var outcome = await ExchangeAsync(headers, cancel);
        if (outcome.Taken is { } taken)
        {
            _hasTaken = true;
            return OtlpAnswers.OfSuccess(batch, taken, headers.Hide);
        }
        return outcome.Answer ?? await WrongAsync(batch, outcome.Said, headers, cancel);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _grpc?.Dispose();
        _http?.Dispose();
        _json?.Dispose();
        _client.Dispose();
        _tls.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// A request that the receiver calls wrong is halved until the event is found that it means. Before the first event of all is given up, an empty request, which
    /// receivers must take, tells whether anything is: an address that calls everything wrong would make dead letters of everything.
    /// </summary>
    async Task<Answer> WrongAsync(EventBatch batch, string said, OtlpHeaders headers, CancellationToken cancel)
    {
        if (batch.Count > 1) return new Answer.TooLarge();
        if (!_hasTaken)
        {
            _request.ResetWrittenCount();
            if (_json is not null) _request.Write("{}"u8);
            var empty = await ExchangeAsync(headers, cancel);
            if (empty.Taken is null)
            {
                return empty.Answer ?? new Answer.Blocked(
                    $"the receiver calls every request wrong, an empty one too{OtlpAnswers.Because(said)}: look at the settings endpoint and protocol, and at what stands between");
            }
        }
        return Answer.Refused.All(batch, $"the receiver calls it wrong{OtlpAnswers.Because(said)}");
    }

    async Task<OtlpOutcome> ExchangeAsync(OtlpHeaders headers, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(AnswerTimeout, _context.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            return _grpc is null ? await _http!.SendAsync(_request, headers, either.Token) : await _grpc.SendAsync(_request, headers, either.Token);
        }
        catch (OperationCanceledException ended) when (!cancel.IsCancellationRequested)
        {
            throw new IOException($"the receiver did not answer within {AnswerTimeout.TotalSeconds} seconds", ended);
        }
    }

    static OtlpDestination Open(DestinationContext context)
    {
        var options = Options.Read(context);
        OtlpHeaders.Read(context);
        var tls = new DestinationTls(context);
        try
        {
            return new(context, options, tls);
        }
        catch
        {
            tls.Dispose();
            throw;
        }
    }

    sealed record Options(Uri Endpoint, string Protocol, bool IsCompressed, IReadOnlyDictionary<string, string> Resource, string Version, int BytesMax, int EventsMax)
    {
        /// <exception cref="SettingException">A setting is missing or wrong.</exception>
        public static Options Read(DestinationContext context)
        {
            var protocol = Choice(context, "protocol", HttpProtobuf, HttpJson, Grpc);
            var endpoint = context.Address("endpoint", "https", "http") ?? throw new SettingException("endpoint", "is missing");
            var isPlainAllowed = Choice(context, "plain-http", "no", "yes") is "yes";
            if (endpoint.Scheme is "http" && !IsHere(endpoint) && !isPlainAllowed)
                throw new SettingException("endpoint", "would send logs and credentials readable over the network; use https://, or set plain-http to yes where something else encrypts the way");
            if (endpoint.Fragment.Length > 0) throw new SettingException("endpoint", "must not have a #");
            var version = typeof(OtlpDestination).Assembly.GetName().Version!.ToString(3);
            return new(
                protocol is Grpc ? OfGrpc(endpoint) : OfHttp(endpoint),
                protocol,
                Choice(context, "compression", "gzip", "none") is "gzip",
                ReadResource(context, version),
                version,
                context.Number("request-bytes-max", 64 << 10, 64 << 20, BytesMaxByDefault),
                context.Number("request-events-max", 1, 100_000, 2_000));
        }

        static Uri OfHttp(Uri endpoint) =>
            endpoint.AbsolutePath.EndsWith(LogsPath, StringComparison.Ordinal) ? endpoint : new UriBuilder(endpoint) { Path = endpoint.AbsolutePath.TrimEnd('/') + LogsPath }.Uri;

        static Uri OfGrpc(Uri endpoint) => endpoint.PathAndQuery is "/" ? endpoint : throw new SettingException("endpoint", "must be no more than https://HOST:PORT for gRPC");

        static bool IsHere(Uri endpoint) => endpoint.IdnHost is "localhost" || (IPAddress.TryParse(endpoint.IdnHost, out var address) && IPAddress.IsLoopback(address));

        static string Choice(DestinationContext context, string name, params ReadOnlySpan<string> choices)
        {
            var text = context.Optional(name) ?? choices[0];
            return choices.Contains(text) ? text : throw new SettingException(name, $"must be one of {string.Join(", ", choices.ToArray())}");
        }

        /// <summary>Written as in the variable <c>OTEL_RESOURCE_ATTRIBUTES</c>: commas and equal signs in values as %2C and %3D.</summary>
        static Dictionary<string, string> ReadResource(DestinationContext context, string version)
        {
            var resource = new Dictionary<string, string>(StringComparer.Ordinal) { ["service.name"] = "logwarden", ["service.version"] = version };
            foreach (var pair in (context.Optional("resource") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
            {
                var equal = pair.IndexOf('=', StringComparison.Ordinal);
                if (equal < 1) throw new SettingException("resource", "must be key=value,key=value");
                resource[pair[..equal].Trim()] = Uri.UnescapeDataString(pair[(equal + 1)..].Trim());
            }
            return resource;
        }
    }
}
