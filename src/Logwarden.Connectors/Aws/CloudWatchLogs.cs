using System.Buffers;
using System.Collections.Concurrent;
using System.Text.Encodings.Web;
using System.Text.Json;
using Logwarden.Flow;

namespace Logwarden.Aws;

/// <summary>
/// The calls of CloudWatch Logs that we make (API 2014-03-28). Times are unix milliseconds.
/// See <see href="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/Welcome.html"/>.
/// </summary>
sealed class CloudWatchLogs(AwsJsonClient client)
{
    /// <summary>Most events of one PutLogEvents.</summary>
    public const int EventsMax = 10_000;

    /// <summary>Most bytes of one PutLogEvents: messages in UTF-8 and <see cref="EventOverhead"/> for each.</summary>
    public const int BytesMax = 1_048_576;

    /// <summary>What each event counts besides its message.</summary>
    public const int EventOverhead = 26;

    /// <summary>Older events are dropped.</summary>
    public static readonly TimeSpan OldestAge = TimeSpan.FromDays(14);

    /// <summary>Events further ahead are dropped.</summary>
    public static readonly TimeSpan MostAhead = TimeSpan.FromHours(2);

    const int BodyKeptMax = 8 << 20;

    readonly ConcurrentBag<ArrayBufferWriter<byte>> _bodies = [];

    static readonly JsonWriterOptions Short = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Stores events, in order of time.</summary>
    public ValueTask<AwsReply> PutAsync(PutCall call, EventBatch batch, CancellationToken cancel) => CallAsync("PutLogEvents", json =>
    {
        json.WriteString("logGroupName"u8, call.Stream.Group);
        json.WriteString("logStreamName"u8, call.Stream.Name);
        json.WriteStartArray("logEvents"u8);
        foreach (var (index, millis) in call.Events)
        {
            json.WriteStartObject();
            json.WriteNumber("timestamp"u8, millis);
            json.WriteString("message"u8, batch.Wire(index).Span);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }, cancel);

    /// <summary>Makes a group. It keeps its events for ever until <see cref="RetainAsync"/>.</summary>
    public ValueTask<AwsReply> CreateGroupAsync(string group, CancellationToken cancel) =>
        CallAsync("CreateLogGroup", json => json.WriteString("logGroupName"u8, group), cancel);

    /// <summary>Makes a stream.</summary>
    public ValueTask<AwsReply> CreateStreamAsync(LogStream stream, CancellationToken cancel) => CallAsync("CreateLogStream", json =>
    {
        json.WriteString("logGroupName"u8, stream.Group);
        json.WriteString("logStreamName"u8, stream.Name);
    }, cancel);

    /// <summary>Sets how long a group keeps its events.</summary>
    /// <param name="group">The group.</param>
    /// <param name="days">One of <see cref="LogRetention.Allowed"/>; null is for ever.</param>
    /// <param name="cancel">Gives up.</param>
    public ValueTask<AwsReply> RetainAsync(string group, int? days, CancellationToken cancel) => CallAsync(days is null ? "DeleteRetentionPolicy" : "PutRetentionPolicy", json =>
    {
        json.WriteString("logGroupName"u8, group);
        if (days is { } number) json.WriteNumber("retentionInDays"u8, number);
    }, cancel);

    /// <summary>Looks a group up by its name.</summary>
    /// <returns>The failed reply, or null; whether there is such a group, and the days that it keeps its events, null being for ever.</returns>
    public async ValueTask<(AwsReply? Failure, bool Exists, int? Days)> FindGroupAsync(string group, CancellationToken cancel)
    {
        string? page = null;
        do
        {
            var reply = await CallAsync("DescribeLogGroups", json =>
            {
                json.WriteString("logGroupNamePrefix"u8, group);
                if (page is not null) json.WriteString("nextToken"u8, page);
            }, cancel);
            if (reply.Error is not null) return (reply, false, null);
            using var answer = Parse(reply);
            foreach (var one in Items(answer, "logGroups"))
            {
                if (!one.TryGetProperty("logGroupName", out var name) || !name.ValueEquals(group)) continue;
                return (null, true, one.TryGetProperty("retentionInDays", out var days) && days.TryGetInt32(out var number) ? number : null);
            }
            page = NextPage(answer, page);
        }
        while (page is not null);
        return (null, false, null);
    }

    /// <summary>Looks for an event of one millisecond of a stream.</summary>
    /// <param name="stream">The stream.</param>
    /// <param name="millis">When it happened.</param>
    /// <param name="phrase">Text that its message holds; null asks for all of that millisecond.</param>
    /// <param name="isIt">Tells the event from others by its message.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The failed reply, or null; whether it is there.</returns>
    public async ValueTask<(AwsReply? Failure, bool Exists)> FindEventAsync(LogStream stream, long millis, string? phrase, Func<string, bool> isIt, CancellationToken cancel)
    {
        string? page = null;
        do
        {
            var reply = await CallAsync("FilterLogEvents", json =>
            {
                json.WriteString("logGroupName"u8, stream.Group);
                json.WriteStartArray("logStreamNames"u8);
                json.WriteStringValue(stream.Name);
                json.WriteEndArray();
                json.WriteNumber("startTime"u8, millis);
                // Whether the end belongs to the range has changed over the years; more is sorted out here.
                json.WriteNumber("endTime"u8, millis + 1);
                if (phrase is not null) json.WriteString("filterPattern"u8, $"\"{phrase}\"");
                if (page is not null) json.WriteString("nextToken"u8, page);
            }, cancel);
            if (reply.Error is not null) return (reply, false);
            using var answer = Parse(reply);
            foreach (var one in Items(answer, "events"))
            {
                if (one.TryGetProperty("message", out var message) && message.GetString() is { } text && isIt(text)) return (null, true);
            }
            // Pages may be empty though others follow.
            page = NextPage(answer, page);
        }
        while (page is not null);
        return (null, false);
    }

    /// <summary>Which events of a call were dropped though it was answered 200: those before <c>Expired</c> and <c>TooOld</c>, and those from <c>TooNew</c> on.</summary>
    /// <exception cref="IOException">The answer can't be read.</exception>
    public static (int TooOld, int Expired, int TooNew) Dropped(AwsReply reply, int count)
    {
        if (reply.Body.IsEmpty) return (0, 0, count);
        using var answer = Parse(reply);
        if (!answer.RootElement.TryGetProperty("rejectedLogEventsInfo", out var info) || info.ValueKind != JsonValueKind.Object) return (0, 0, count);
        return (Index("tooOldLogEventEndIndex", 0), Index("expiredLogEventEndIndex", 0), Index("tooNewLogEventStartIndex", count));

        int Index(string name, int none) => info.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var index)
            ? Math.Clamp(index, 0, count) : none;
    }

    static JsonDocument Parse(AwsReply reply) => JsonDocument.Parse(reply.Body.IsEmpty ? "{}"u8.ToArray() : reply.Body);

    static IEnumerable<JsonElement> Items(JsonDocument answer, string name) =>
        answer.RootElement.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? list.EnumerateArray() : Enumerable.Empty<JsonElement>();

    /// <summary>The next page, or null. One that repeats is the end.</summary>
    static string? NextPage(JsonDocument answer, string? page) =>
        answer.RootElement.TryGetProperty("nextToken", out var next) && next.GetString() is { Length: > 0 } token && !string.Equals(token, page, StringComparison.Ordinal) ? token : null;

    async ValueTask<AwsReply> CallAsync(string operation, Action<Utf8JsonWriter> write, CancellationToken cancel)
    {
        // A call has up to a megabyte, and several are under way at once.
        if (!_bodies.TryTake(out var body)) body = new(256);
        await using (var json = new Utf8JsonWriter(body, Short))
        {
            json.WriteStartObject();
            write(json);
            json.WriteEndObject();
        }
        var reply = await client.CallAsync(operation, body.WrittenMemory, cancel);
        // After a failure something may still read it.
        body.ResetWrittenCount();
        if (body.Capacity <= BodyKeptMax) _bodies.Add(body);
        return reply;
    }
}

/// <summary>How long a log group can keep its events.</summary>
static class LogRetention
{
    /// <summary>The only numbers of days that CloudWatch Logs knows, ascending.</summary>
    public static readonly IReadOnlyList<int> Allowed =
        [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

    /// <summary>The shortest that is not shorter than this; null, which is for ever, when there is none.</summary>
    public static int? AtLeast(int days) => Allowed.Where(one => one >= days).Select(one => (int?)one).FirstOrDefault();

    /// <summary>A time that events are kept, for people.</summary>
    public static string Text(int? days) => days is { } number ? string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{number} days") : "for ever";
}
