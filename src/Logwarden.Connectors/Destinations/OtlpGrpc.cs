using System.Buffers;
using System.Security.Authentication;
using Grpc.Core;
using Grpc.Net.Client;
using OpenTelemetry.Proto.Collector.Logs.V1;

namespace Logwarden.Destinations;

/// <summary>OTLP over gRPC. The request is handed over as the bytes that it is.</summary>
/// <param name="client">Sends; without redirects. Not disposed of here.</param>
/// <param name="address">Scheme, host and port of the receiver.</param>
/// <param name="isCompressed">Whether requests are compressed with gzip.</param>
sealed class OtlpGrpc(HttpClient client, Uri address, bool isCompressed) : IDisposable
{
    const int AnswerBytesMax = 64 << 10;

    static readonly Method<ArrayBufferWriter<byte>, ExportLogsServiceResponse> Export = new(
        MethodType.Unary,
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "Export",
        Marshallers.Create<ArrayBufferWriter<byte>>(Write, static _ => throw new System.Diagnostics.UnreachableException()),
        Marshallers.Create<ExportLogsServiceResponse>(static (_, _) => throw new System.Diagnostics.UnreachableException(), static answer => ExportLogsServiceResponse.Parser.ParseFrom(answer.PayloadAsReadOnlySequence())));

    readonly GrpcChannel _channel = GrpcChannel.ForAddress(address, new GrpcChannelOptions
    {
        HttpClient = client,
        MaxSendMessageSize = null,
        MaxReceiveMessageSize = AnswerBytesMax,
    });

    /// <summary>Calls Export.</summary>
    /// <exception cref="HttpRequestException">The far side was not reached.</exception>
    /// <exception cref="IOException">There was no whole answer.</exception>
    public async Task<OtlpOutcome> SendAsync(ArrayBufferWriter<byte> body, OtlpHeaders headers, CancellationToken cancel)
    {
        var sent = new Metadata();
        foreach (var (name, value) in headers.All) sent.Add(name, value);
        if (isCompressed) sent.Add("grpc-internal-encoding-request", "gzip");
        try
        {
            using var call = _channel.CreateCallInvoker().AsyncUnaryCall(Export, null, new CallOptions(sent, cancellationToken: cancel), body);
            return new(await call.ResponseAsync, null, "");
        }
        catch (RpcException bad) when (!cancel.IsCancellationRequested)
        {
            return Failed(bad, headers);
        }
        catch (RpcException bad)
        {
            throw new OperationCanceledException(bad.Message, bad, cancel);
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _channel.Dispose();

    static OtlpOutcome Failed(RpcException bad, OtlpHeaders headers)
    {
        switch (bad.Status.DebugException)
        {
            case HttpRequestException { InnerException: AuthenticationException untrusted }:
                return new(null, OtlpHttp.Untrusted(untrusted), "");
            case HttpRequestException { HttpRequestError: HttpRequestError.ResponseEnded or HttpRequestError.InvalidResponse } broken:
                throw new IOException("the receiver ended the connection without a whole answer", broken);
            case HttpRequestException unreached:
                throw new HttpRequestException(unreached.HttpRequestError, unreached.Message, unreached);
            case IOException broken:
                throw new IOException("the connection to the receiver broke", broken);
            default:
                var said = headers.Hide(bad.Status.Detail);
                var answer = OtlpAnswers.OfCode(bad.StatusCode, OtlpAnswers.RetryInfo(bad.Trailers.GetValueBytes("grpc-status-details-bin")), said);
                return new(null, answer, said.Length == 0 ? $"{bad.StatusCode}" : $"{bad.StatusCode}: {said}");
        }
    }

    static void Write(ArrayBufferWriter<byte> body, SerializationContext context)
    {
        context.SetPayloadLength(body.WrittenCount);
        context.GetBufferWriter().Write(body.WrittenSpan);
        context.Complete();
    }
}
