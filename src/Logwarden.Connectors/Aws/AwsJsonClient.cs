using System.Net.Http.Headers;
using System.Text.Json;
using Amazon.Runtime;

namespace Logwarden.Aws;

/// <summary>A service of AWS that speaks its JSON protocol 1.1.</summary>
/// <param name="Endpoint">Where it is.</param>
/// <param name="Region">Region to sign for.</param>
/// <param name="Name">Its signing name, such as <c>logs</c>.</param>
/// <param name="Target">What stands before the operation in <c>X-Amz-Target</c>, such as <c>Logs_20140328</c>.</param>
public sealed record AwsService(Uri Endpoint, string Region, string Name, string Target);

/// <summary>What a service answered to a call.</summary>
/// <param name="Status">HTTP status; 0 when nothing was sent for want of credentials.</param>
/// <param name="Body">The answer's JSON; empty when there is none.</param>
/// <param name="Error">What is wrong; null when the call did what it should.</param>
public sealed record AwsReply(int Status, ReadOnlyMemory<byte> Body, AwsError? Error)
{
    /// <summary>When the service wants to be asked again, if it says so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>Whether the call failed with this type of error.</summary>
    public bool Is(string type) => string.Equals(Error?.Type, type, StringComparison.Ordinal);
}

/// <summary>An error of a service.</summary>
/// <param name="Type">Its name without namespace, such as <c>ThrottlingException</c>; empty when the answer has none.</param>
/// <param name="Message">What the service says; empty when it says nothing.</param>
public sealed record AwsError(string Type, string Message);

/// <summary>
/// Calls operations of one AWS service over its JSON protocol 1.1. It never tries a call again by itself, but for credentials that turned out to have ended.
/// See <see href="https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html"/>. Thread-safe.
/// </summary>
/// <param name="http">Sends; not owned. It must not follow redirects.</param>
/// <param name="credentials">Whom the calls are signed by.</param>
/// <param name="service">The service.</param>
/// <param name="time">Clock of signatures and time-outs.</param>
public sealed class AwsJsonClient(HttpClient http, AwsCredentials credentials, AwsService service, TimeProvider time)
{
    /// <summary>Error type of a call that was not made because no credentials were found.</summary>
    public const string NoCredentials = "NoCredentials";

    /// <summary>Longest answer that is read. A page of events has at most a megabyte, which JSON may write six times as long.</summary>
    const int AnswerBytesMax = 16 << 20;

    /// <summary>Longest that a call may take until its answer is read.</summary>
    public static TimeSpan CallTimeout { get; } = TimeSpan.FromSeconds(60);

    static readonly MediaTypeHeaderValue Json = new("application/x-amz-json-1.1");

    /// <summary>Calls an operation.</summary>
    /// <exception cref="HttpRequestException">The service was not reached.</exception>
    /// <exception cref="IOException">The connection broke or took too long, or the answer is none of this protocol: whether the call was carried out is not known.</exception>
    public async ValueTask<AwsReply> CallAsync(string operation, ReadOnlyMemory<byte> body, CancellationToken cancel)
    {
        try
        {
            var used = await credentials.GetAsync(cancel);
            var reply = await SendAsync(operation, body, used, cancel);
            if (!HasEnded(reply)) return reply;
            credentials.Forget();
            var fresh = await credentials.GetAsync(cancel);
            return fresh.Equals(used) ? reply : await SendAsync(operation, body, fresh, cancel);
        }
        catch (AmazonClientException bad)
        {
            return new(0, default, new(NoCredentials, bad.Message));
        }
        catch (AmazonServiceException bad)
        {
            return new(0, default, new(NoCredentials, bad.Message));
        }
    }

    static bool HasEnded(AwsReply reply) => reply.Is("ExpiredTokenException") || reply.Is("ExpiredToken") || reply.Is("UnrecognizedClientException")
        || reply.Is("InvalidSignatureException");

    async ValueTask<AwsReply> SendAsync(string operation, ReadOnlyMemory<byte> body, ImmutableCredentials signer, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, service.Endpoint);
        using var content = new ReadOnlyMemoryContent(body);
        content.Headers.ContentType = Json;
        request.Content = content;
        request.Headers.Add("X-Amz-Target", $"{service.Target}.{operation}");
        AwsSigner.Sign(request, body.Span, signer, service.Region, service.Name, time.GetUtcNow());
        using var timeout = new CancellationTokenSource(CallTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, timeout.Token);
        try
        {
            using var response = await http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, both.Token);
            await response.Content.LoadIntoBufferAsync(AnswerBytesMax, both.Token);
            return Read(response, await response.Content.ReadAsByteArrayAsync(both.Token));
        }
        catch (OperationCanceledException late) when (!cancel.IsCancellationRequested)
        {
            throw new IOException($"{service.Endpoint.Host} did not answer in time.", late);
        }
        catch (HttpRequestException broke) when (broke.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError))
        {
            throw new IOException(broke.Message, broke);
        }
    }

    AwsReply Read(HttpResponseMessage response, byte[] body)
    {
        var status = (int)response.StatusCode;
        var (type, message, isJson) = Parse(body);
        if (status == 200)
        {
            return isJson || body.Length == 0
                ? new(status, body, null) : throw new IOException($"{service.Endpoint.Host} answered 200 with something that is no JSON.");
        }
        // Some gateways before a service put the type into a header only.
        if (type.Length == 0 && response.Headers.TryGetValues("x-amzn-ErrorType", out var values)) type = values.First();
        type = type[(type.LastIndexOf('#') + 1)..];
        var colon = type.IndexOf(':', StringComparison.Ordinal);
        return new(status, default, new(colon < 0 ? type : type[..colon], message)) { RetryAfter = RetryAfter(response) };
    }

    TimeSpan? RetryAfter(HttpResponseMessage response)
    {
        var wanted = response.Headers.RetryAfter?.Delta ?? (response.Headers.RetryAfter?.Date - time.GetUtcNow());
        return wanted > TimeSpan.Zero ? wanted : null;
    }

    static (string Type, string Message, bool IsJson) Parse(byte[] body)
    {
        try
        {
            using var json = JsonDocument.Parse(body);
            if (json.RootElement.ValueKind != JsonValueKind.Object) return ("", "", false);
            return (Text(json.RootElement, "__type"), Text(json.RootElement, "message") is { Length: > 0 } text ? text : Text(json.RootElement, "Message"), true);
        }
        catch (JsonException)
        {
            return ("", "", false);
        }
    }

    static string Text(JsonElement from, string name) => from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
