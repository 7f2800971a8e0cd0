using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.AspNetCore.Server.Kestrel.Https;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry.Proto.Collector.Logs.V1;
using OpenTelemetry.Proto.Logs.V1;
using OpenTelemetry.Proto.Resource.V1;
using Status = Grpc.Core.Status;

namespace Logwarden.Tests.World;

/// <summary>
/// A receiver of OTLP 1.11.0: HTTP/1.1 in protobuf and JSON, gRPC over HTTP/2. Decodes with the generated types, takes gzip, refuses what the protocol refuses, and
/// answers with faults on demand. Stores nothing of a request that it does not take.
/// </summary>
sealed class OtlpStandIn : IAsyncDisposable
{
    readonly WebApplication _app;

    OtlpStandIn(WebApplication app) => _app = app;

    /// <summary>Base address for HTTP.</summary>
    public Uri Http { get; private set; } = null!;

    /// <summary>Base address for gRPC.</summary>
    public Uri Grpc { get; private set; } = null!;

    /// <summary>Value that the header <c>authorization</c> must have; null lets everybody in.</summary>
    public string? Authorization { get; set; }

    /// <summary>Most bytes of a request, unpacked.</summary>
    public int BytesMax { get; set; } = 4 << 20;

    /// <summary>Answers to the next requests over HTTP, in this order.</summary>
    public ConcurrentQueue<HttpFault> HttpFaults { get; } = new();

    /// <summary>Answers to the next calls over gRPC, in this order.</summary>
    public ConcurrentQueue<GrpcFault> GrpcFaults { get; } = new();

    /// <summary>Records for which a whole request is called wrong.</summary>
    public Func<LogRecord, bool> IsWrong { get; set; } = static _ => false;

    /// <summary>Records that are rejected while the others are taken.</summary>
    public Func<LogRecord, bool> IsRejected { get; set; } = static _ => false;

    /// <summary>Calls every request wrong.</summary>
    public bool TakesNothing { get; set; }

    /// <summary>What a partial success says.</summary>
    public string PartialMessage { get; set; } = "";

    /// <summary>What was taken.</summary>
    public ConcurrentQueue<LogRecord> Records { get; } = new();

    /// <summary>Resources of the requests that were taken.</summary>
    public ConcurrentQueue<Resource> Resources { get; } = new();

    /// <summary>Requests that came, and those of them that were packed.</summary>
    public int Requests, Packed;

    public static async Task<OtlpStandIn> StartAsync(X509Certificate2? certificate = null, X509Certificate2? clientAuthority = null)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseKestrelHttpsConfiguration();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            foreach (var protocol in (HttpProtocols[])[HttpProtocols.Http1, HttpProtocols.Http2])
            {
                kestrel.Listen(System.Net.IPAddress.Loopback, 0, listen =>
                {
                    listen.Protocols = protocol;
                    if (certificate is not null) listen.UseHttps(certificate, https => RequireClient(https, clientAuthority));
                });
            }
        });
        builder.Services.AddGrpc(grpc => grpc.MaxReceiveMessageSize = null);
        OtlpStandIn? standIn = null;
        builder.Services.AddSingleton(_ => standIn!);
        var app = builder.Build();
        standIn = new OtlpStandIn(app);
        app.MapPost("/v1/logs", standIn.PostAsync);
        app.MapPost("/portal/v1/logs", static async context => await context.Response.WriteAsync("<html>please sign in</html>"));
        app.MapPost("/moved/v1/logs", static context =>
        {
            context.Response.Redirect("/v1/logs", permanent: false);
            return Task.CompletedTask;
        });
        app.MapGrpcService<Service>();
        await app.StartAsync(TestContext.Current.CancellationToken);
        var addresses = app.Urls.Select(url => new Uri(url)).ToList();
        (standIn.Http, standIn.Grpc) = (addresses[0], addresses[1]);
        return standIn;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    static void RequireClient(HttpsConnectionAdapterOptions https, X509Certificate2? authority)
    {
        if (authority is null) return;
        https.ClientCertificateMode = ClientCertificateMode.RequireCertificate;
        https.ClientCertificateValidation = (certificate, _, _) =>
        {
            using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
            chain.ChainPolicy.CustomTrustStore.Add(authority);
            return chain.Build(certificate);
        };
    }

    async Task PostAsync(HttpContext context)
    {
        Interlocked.Increment(ref Requests);
        var isJson = context.Request.ContentType == "application/json";
        var body = await BodyAsync(context.Request);
        if (HttpFaults.TryDequeue(out var fault))
        {
            if (fault.RetryAfter is { } wait) context.Response.Headers.RetryAfter = wait;
            await FailAsync(context, isJson, fault.Status, fault.Message.Replace("{authorization}", context.Request.Headers.Authorization, StringComparison.Ordinal));
        }
        else if (Authorization is not null && context.Request.Headers.Authorization != Authorization)
        {
            await FailAsync(context, isJson, 401, "who are you");
        }
        else if (!isJson && context.Request.ContentType != "application/x-protobuf")
        {
            await FailAsync(context, isJson, 415, "unknown type");
        }
        else if (body.Length > BytesMax)
        {
            await FailAsync(context, isJson, 413, "too large");
        }
        else if (Decode(body, isJson) is not { } request || TakesNothing || All(request).Any(IsWrong))
        {
            await FailAsync(context, isJson, 400, "malformed");
        }
        else
        {
            var response = Take(request);
            context.Response.ContentType = isJson ? "application/json" : "application/x-protobuf";
            await context.Response.BodyWriter.WriteAsync(isJson ? Encoding.UTF8.GetBytes(JsonFormatter.Default.Format(response)) : response.ToByteArray());
        }
    }

    async Task<byte[]> BodyAsync(HttpRequest request)
    {
        var stream = request.Body;
        if (request.Headers.ContentEncoding == "gzip")
        {
            Interlocked.Increment(ref Packed);
            stream = new GZipStream(stream, CompressionMode.Decompress);
        }
        using var body = new MemoryStream();
        await stream.CopyToAsync(body, request.HttpContext.RequestAborted);
        return body.ToArray();
    }

    static async Task FailAsync(HttpContext context, bool isJson, int status, string message)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = isJson ? "application/json" : "application/x-protobuf";
        using var output = new MemoryStream();
        if (isJson)
        {
            await JsonSerializer.SerializeAsync(output, new { code = 13, message });
        }
        else
        {
            using var proto = new CodedOutputStream(output, leaveOpen: true);
            proto.WriteTag(1, WireFormat.WireType.Varint);
            proto.WriteInt32(13);
            proto.WriteTag(2, WireFormat.WireType.LengthDelimited);
            proto.WriteString(message);
            proto.Flush();
        }
        await context.Response.Body.WriteAsync(output.ToArray());
    }

    /// <summary>Strict: valid UTF-8 everywhere, no field that the protocol has not, 64-bit numbers of JSON as strings.</summary>
    public static ExportLogsServiceRequest? Decode(byte[] body, bool isJson)
    {
        try
        {
            if (!isJson)
            {
                var request = ExportLogsServiceRequest.Parser.ParseFrom(body);
                return request.CalculateSize() == ExportLogsServiceRequest.Parser.WithDiscardUnknownFields(true).ParseFrom(body).CalculateSize() ? request : null;
            }
            using var document = JsonDocument.Parse(body);
            return AreWideStrings(document.RootElement) ? JsonParser.Default.Parse<ExportLogsServiceRequest>(new UTF8Encoding(false, true).GetString(body)) : null;
        }
        catch (Exception bad) when (bad is InvalidProtocolBufferException or JsonException or InvalidJsonException or DecoderFallbackException)
        {
            return null;
        }
    }

    static bool AreWideStrings(JsonElement element) => element.ValueKind switch
    {
        JsonValueKind.Object => element.EnumerateObject().All(field =>
            (field.Name is not ("intValue" or "timeUnixNano" or "observedTimeUnixNano") || field.Value.ValueKind == JsonValueKind.String) && AreWideStrings(field.Value)),
        JsonValueKind.Array => element.EnumerateArray().All(AreWideStrings),
        _ => true,
    };

    static IEnumerable<LogRecord> All(ExportLogsServiceRequest request) =>
        request.ResourceLogs.SelectMany(resource => resource.ScopeLogs).SelectMany(scope => scope.LogRecords);

    ExportLogsServiceResponse Take(ExportLogsServiceRequest request)
    {
        var rejected = 0;
        foreach (var resource in request.ResourceLogs) Resources.Enqueue(resource.Resource);
        foreach (var record in All(request))
        {
            if (IsRejected(record)) rejected++;
            else Records.Enqueue(record);
        }
        var response = new ExportLogsServiceResponse();
        if (rejected > 0 || PartialMessage.Length > 0) response.PartialSuccess = new() { RejectedLogRecords = rejected, ErrorMessage = PartialMessage };
        return response;
    }

    sealed class Service(OtlpStandIn standIn) : LogsService.LogsServiceBase
    {
        public override Task<ExportLogsServiceResponse> Export(ExportLogsServiceRequest request, ServerCallContext context)
        {
            Interlocked.Increment(ref standIn.Requests);
            var authorization = context.RequestHeaders.GetValue("authorization");
            if (context.GetHttpContext().Request.Headers["grpc-encoding"] == "gzip") Interlocked.Increment(ref standIn.Packed);
            if (standIn.GrpcFaults.TryDequeue(out var fault)) throw Failure(fault, authorization);
            if (standIn.Authorization is not null && authorization != standIn.Authorization) throw new RpcException(new Status(StatusCode.Unauthenticated, "who are you"));
            // The words of grpc-go, of which Collectors are made.
            if (request.CalculateSize() > standIn.BytesMax)
                throw new RpcException(new Status(StatusCode.ResourceExhausted, string.Create(CultureInfo.InvariantCulture, $"grpc: received message larger than max ({request.CalculateSize()} vs. {standIn.BytesMax})")));
            if (standIn.TakesNothing || All(request).Any(standIn.IsWrong)) throw new RpcException(new Status(StatusCode.InvalidArgument, "malformed"));
            return Task.FromResult(standIn.Take(request));
        }

        static RpcException Failure(GrpcFault fault, string? authorization)
        {
            var trailers = new Metadata();
            if (fault.RetryAfter is { } wait)
            {
                using var retryInfo = new MemoryStream();
                using (var output = new CodedOutputStream(retryInfo, leaveOpen: true))
                {
                    output.WriteTag(1, WireFormat.WireType.LengthDelimited);
                    output.WriteMessage(Duration.FromTimeSpan(wait));
                }
                using var status = new MemoryStream();
                using (var output = new CodedOutputStream(status, leaveOpen: true))
                {
                    output.WriteTag(1, WireFormat.WireType.Varint);
                    output.WriteInt32((int)fault.Code);
                    foreach (var detail in (Any[])[
                        new() { TypeUrl = "type.googleapis.com/google.rpc.DebugInfo", Value = ByteString.CopyFromUtf8("\n\u0003abc") },
                        new() { TypeUrl = "type.googleapis.com/google.rpc.RetryInfo", Value = ByteString.CopyFrom(retryInfo.ToArray()) }])
                    {
                        output.WriteTag(3, WireFormat.WireType.LengthDelimited);
                        output.WriteMessage(detail);
                    }
                }
                trailers.Add("grpc-status-details-bin", status.ToArray());
            }
            return new RpcException(new Status(fault.Code, fault.Message.Replace("{authorization}", authorization, StringComparison.Ordinal)), trailers);
        }
    }
}

/// <summary>A failure over HTTP; <c>{authorization}</c> in the message is what the header held.</summary>
sealed record HttpFault(int Status, string? RetryAfter = null, string Message = "");

/// <summary>A failure over gRPC.</summary>
sealed record GrpcFault(StatusCode Code, TimeSpan? RetryAfter = null, string Message = "");
