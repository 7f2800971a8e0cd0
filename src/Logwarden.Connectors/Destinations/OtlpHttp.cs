using System.Buffers;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Security.Authentication;
using Logwarden.Flow;
using OpenTelemetry.Proto.Collector.Logs.V1;

namespace Logwarden.Destinations;

/// <summary>What became of a request.</summary>
/// <param name="Taken">The receiver's answer, if it took the request.</param>
/// <param name="Answer">What its failure means, if that does not depend on the batch; null with <paramref name="Taken"/> null too is a request that the receiver calls wrong.</param>
/// <param name="Said">What it said, fit to be shown; empty when it said nothing.</param>
readonly record struct OtlpOutcome(ExportLogsServiceResponse? Taken, Answer? Answer, string Said);

/// <summary>OTLP over HTTP. Not thread-safe.</summary>
/// <param name="client">Sends; without redirects. Not disposed of here.</param>
/// <param name="address">Where logs are posted.</param>
/// <param name="isJson">JSON instead of protobuf.</param>
/// <param name="isCompressed">Whether requests are compressed with gzip.</param>
/// <param name="time">Clock, for a <c>Retry-After</c> that is a date.</param>
sealed class OtlpHttp(HttpClient client, Uri address, bool isJson, bool isCompressed, TimeProvider time) : IDisposable
{
    /// <summary>Answers are a few bytes; past this it is no answer of OTLP.</summary>
    const int AnswerBytesMax = 64 << 10;

    readonly MemoryStream _compressed = new();

    string MediaType => isJson ? "application/json" : "application/x-protobuf";

    /// <summary>Posts a request.</summary>
    /// <exception cref="HttpRequestException">The far side was not reached.</exception>
    /// <exception cref="IOException">There was no whole answer.</exception>
    public async Task<OtlpOutcome> SendAsync(ArrayBufferWriter<byte> body, OtlpHeaders headers, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, address) { Content = new ReadOnlyMemoryContent(Packed(body.WrittenMemory)) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue(MediaType);
        if (isCompressed) request.Content.Headers.ContentEncoding.Add("gzip");
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(MediaType));
        foreach (var (name, value) in headers.All) request.Headers.TryAddWithoutValidation(name, value);
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
            return await ReadAsync(response, headers, cancel);
        }
        catch (HttpRequestException bad) when (bad.InnerException is AuthenticationException)
        {
            return new(null, Untrusted(bad.InnerException), "");
        }
    }

    /// <summary>What a handshake means that failed for what one side thinks of the other's certificate.</summary>
    public static Answer Untrusted(Exception bad) =>
        new Answer.Blocked($"no TLS connection: {FarText.Shown(bad.InnerException?.Message ?? bad.Message, [])}. Put the setting ca-file right, the name in endpoint, or the client certificate");

    /// <inheritdoc/>
    public void Dispose() => _compressed.Dispose();

    async Task<OtlpOutcome> ReadAsync(HttpResponseMessage response, OtlpHeaders headers, CancellationToken cancel)
    {
        var answer = await BodyAsync(response.Content, cancel);
        var status = (int)response.StatusCode;
        var isOtlp = string.Equals(response.Content.Headers.ContentType?.MediaType, MediaType, StringComparison.OrdinalIgnoreCase);
        if (response.IsSuccessStatusCode)
        {
            // A portal or a proxy that says 200 has not taken anything.
            if (answer is not null && (isOtlp || answer.Length == 0) && OtlpAnswers.Read(answer, isJson) is { } taken) return new(taken, null, "");
            return new(null, new Answer.Blocked($"the receiver answered {status} with what is no answer of OTLP: look at the setting endpoint and at what stands between"), "");
        }
        var said = headers.Hide(isOtlp && answer is not null ? OtlpAnswers.Message(answer, isJson) : null);
        return new(null, OtlpAnswers.OfStatus(status, DestinationHttp.RetryAfter(response, time), said), said.Length == 0 ? $"{status}" : $"{status}: {said}");
    }

    ReadOnlyMemory<byte> Packed(ReadOnlyMemory<byte> body)
    {
        if (!isCompressed) return body;
        _compressed.SetLength(0);
        using (var gzip = new GZipStream(_compressed, CompressionLevel.Fastest, leaveOpen: true)) gzip.Write(body.Span);
        return _compressed.GetBuffer().AsMemory(0, (int)_compressed.Length);
    }

    /// <returns>Null when it is longer than an answer can be.</returns>
    static async Task<byte[]?> BodyAsync(HttpContent content, CancellationToken cancel)
    {
        try
        {
            await using var stream = await content.ReadAsStreamAsync(cancel);
            var buffer = new byte[AnswerBytesMax + 1];
            var length = await stream.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false, cancel);
            return length > AnswerBytesMax ? null : buffer[..length];
        }
        catch (HttpRequestException broken)
        {
            throw new IOException($"the connection broke within the answer: {broken.Message}", broken);
        }
    }
}
