using System.Text.Json;
using Google.Protobuf;
using Google.Protobuf.WellKnownTypes;
using Grpc.Core;
using Logwarden.Flow;
using OpenTelemetry.Proto.Collector.Logs.V1;

namespace Logwarden.Destinations;

/// <summary>
/// What the answers of an OTLP receiver mean to us (OTLP 1.11.0). One rule is ours: the protocol tells senders to throw events away on 500 and on the gRPC codes
/// UNKNOWN, INTERNAL and RESOURCE_EXHAUSTED without RetryInfo, since another attempt would hardly help. A collector with a bug or a full queue must not cost
/// audit events, so these are tried again later like an outage, and the alarm on a destination that stands still tells of them.
/// </summary>
static class OtlpAnswers
{
    /// <summary>A far side may not stop us for longer than this.</summary>
    static readonly TimeSpan RetryAfterMax = TimeSpan.FromHours(1);

    /// <summary>Reads the answer to a request that was taken.</summary>
    /// <param name="body">An <c>ExportLogsServiceResponse</c>; empty is one in which nothing is said.</param>
    /// <param name="isJson">Its form.</param>
    /// <returns>Null when it is none.</returns>
    public static ExportLogsServiceResponse? Read(ReadOnlySpan<byte> body, bool isJson)
    {
        if (!isJson)
        {
            try
            {
                return ExportLogsServiceResponse.Parser.ParseFrom(body);
            }
            catch (InvalidProtocolBufferException)
            {
                return null;
            }
        }
        var response = new ExportLogsServiceResponse();
        if (body.IsEmpty) return response;
        try
        {
            using var document = JsonDocument.Parse(body.ToArray());
            if (document.RootElement.ValueKind != JsonValueKind.Object) return null;
            if (Field(document.RootElement, "partialSuccess", "partial_success") is not { ValueKind: JsonValueKind.Object } partial) return response;
            response.PartialSuccess = new ExportLogsPartialSuccess { ErrorMessage = Field(partial, "errorMessage", "error_message") is { ValueKind: JsonValueKind.String } text ? text.GetString() : "" };
            if (Field(partial, "rejectedLogRecords", "rejected_log_records") is not { } rejected) return response;
            // proto3 says a string, and that a number is to be understood too.
            if (!long.TryParse(rejected.ToString(), System.Globalization.CultureInfo.InvariantCulture, out var number)) return null;
            response.PartialSuccess.RejectedLogRecords = number;
            return response;
        }
        catch (Exception bad) when (bad is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>
    /// What a request became that was taken. When some records were rejected the protocol forbids to send any of them again and does not say which they were.
    /// So all of the batch is refused, each with a reason that says it may be among those that are there: nothing is lost, and who sends them again from the dead
    /// letters sends the same <c>log.record.uid</c>.
    /// </summary>
    public static Answer OfSuccess(EventBatch batch, ExportLogsServiceResponse response, Func<string?, string> shown)
    {
        var rejected = response.PartialSuccess?.RejectedLogRecords ?? 0;
        if (rejected <= 0) return new Answer.Accepted();
        var said = Because(shown(response.PartialSuccess!.ErrorMessage));
        return Answer.Refused.All(batch, rejected >= batch.Count
            ? $"the receiver rejected it{said}"
            : $"the receiver rejected {rejected} of the {batch.Count} events sent together and does not say which, so this one may be there or not{said}. Find out by its log.record.uid before it is sent again");
    }

    /// <summary>What a status other than success means.</summary>
    /// <param name="status">HTTP status.</param>
    /// <param name="retryAfter">Its <c>Retry-After</c>.</param>
    /// <param name="said">What the receiver said, fit to be shown.</param>
    /// <returns>Null for a request that the receiver calls wrong (400, 422): it depends on the batch.</returns>
    public static Answer? OfStatus(int status, TimeSpan? retryAfter, string said) => status switch
    {
        400 or 422 => null,
        408 or 425 or 429 => new Answer.Later(Capped(retryAfter), $"the receiver answered {status}{Because(said)}"),
        413 => new Answer.TooLarge(),
        401 or 403 => new Answer.Blocked($"the receiver answered {status}{Because(said)}: put the setting headers right, or the client certificate"),
        404 or 405 => new Answer.Blocked($"the receiver answered {status}{Because(said)}: there is no OTLP at that address; put the setting endpoint right"),
        415 => new Answer.Blocked($"the receiver answered 415{Because(said)}: it does not take this form; try another protocol, or compression none"),
        501 => new Answer.Blocked($"the receiver answered 501{Because(said)}: it does not take logs"),
        >= 300 and < 400 => new Answer.Blocked($"the receiver answered {status}, which sends elsewhere: put the address that it means into the setting endpoint"),
        >= 500 => new Answer.Later(Capped(retryAfter), $"the receiver answered {status}{Because(said)}"),
        _ => new Answer.Blocked($"the receiver answered {status}{Because(said)}, which is no answer of OTLP: look at the setting endpoint and at what stands between"),
    };

    /// <summary>What a failed call means.</summary>
    /// <param name="code">Its code.</param>
    /// <param name="retryAfter">Delay of its RetryInfo.</param>
    /// <param name="said">What the receiver said, fit to be shown.</param>
    /// <returns>Null for a request that the receiver calls wrong: it depends on the batch.</returns>
    public static Answer? OfCode(StatusCode code, TimeSpan? retryAfter, string said)
    {
        var answered = $"the receiver answered {code}{Because(said)}";
        return code switch
        {
            StatusCode.InvalidArgument => null,
            // Servers have one code for being full and for a message past their limit; only the text tells them apart.
            StatusCode.ResourceExhausted when IsSize(said) => new Answer.TooLarge(),
            StatusCode.Unknown when said.Contains("status code: 413", StringComparison.Ordinal) => new Answer.TooLarge(),
            StatusCode.Unauthenticated or StatusCode.PermissionDenied => new Answer.Blocked($"{answered}: put the setting headers right, or the client certificate"),
            StatusCode.Unimplemented or StatusCode.NotFound => new Answer.Blocked($"{answered}: there is no OTLP for logs over gRPC at that address; put the setting endpoint right"),
            StatusCode.FailedPrecondition => new Answer.Blocked($"{answered}: the receiver must be put right first"),
            _ => new Answer.Later(Capped(retryAfter), answered),
        };
    }

    /// <summary>Delay that the receiver asks for in a <c>google.rpc.RetryInfo</c>, among the details of a <c>google.rpc.Status</c>.</summary>
    /// <returns>Null when there is none, or the bytes are something else.</returns>
    public static TimeSpan? RetryInfo(byte[]? details)
    {
        if (details is null) return null;
        try
        {
            using var input = new CodedInputStream(details);
            for (uint tag; (tag = input.ReadTag()) != 0;)
            {
                if (tag != 26)
                {
                    input.SkipLastField();
                    continue;
                }
                var detail = new Any();
                input.ReadMessage(detail);
                if (!detail.TypeUrl.EndsWith("/google.rpc.RetryInfo", StringComparison.Ordinal)) continue;
                return Delay(detail.Value);
            }
        }
        catch (InvalidProtocolBufferException)
        {
        }
        return null;
    }

    /// <summary>Text of a <c>google.rpc.Status</c>, which is the body of an HTTP failure.</summary>
    public static string? Message(byte[] body, bool isJson)
    {
        try
        {
            if (isJson)
            {
                using var document = JsonDocument.Parse(body);
                return document.RootElement is { ValueKind: JsonValueKind.Object } root && root.TryGetProperty("message", out var message) ? message.ToString() : null;
            }
            using var input = new CodedInputStream(body);
            for (uint tag; (tag = input.ReadTag()) != 0; input.SkipLastField())
            {
                if (tag == 18) return input.ReadString();
            }
        }
        catch (Exception bad) when (bad is InvalidProtocolBufferException or JsonException or InvalidOperationException)
        {
        }
        return null;
    }

    /// <summary>What was said, as the end of a sentence; empty when it is.</summary>
    public static string Because(string said) => said.Length == 0 ? "" : $" ({said})";

    static TimeSpan? Delay(ByteString retryInfo)
    {
        using var input = retryInfo.CreateCodedInput();
        for (uint tag; (tag = input.ReadTag()) != 0; input.SkipLastField())
        {
            if (tag != 10) continue;
            var delay = new Duration();
            input.ReadMessage(delay);
            return Capped(TimeSpan.FromSeconds(Math.Clamp(delay.Seconds, 0, (long)RetryAfterMax.TotalSeconds)) + TimeSpan.FromMilliseconds(Math.Clamp(delay.Nanos, 0, 999_999_999) / 1_000_000));
        }
        return null;
    }

    static bool IsSize(string said) => said.Contains("larger than max", StringComparison.OrdinalIgnoreCase)
        || said.Contains("exceeds maximum", StringComparison.OrdinalIgnoreCase) || said.Contains("exceeds the maximum", StringComparison.OrdinalIgnoreCase);

    static TimeSpan? Capped(TimeSpan? wait) => wait is not { } time ? null : time < TimeSpan.Zero ? TimeSpan.Zero : time > RetryAfterMax ? RetryAfterMax : time;

    static JsonElement? Field(JsonElement of, string name, string original) =>
        of.TryGetProperty(name, out var value) || of.TryGetProperty(original, out value) ? value : null;
}
