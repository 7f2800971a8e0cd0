using System.Buffers;
using System.Text.Json;
using System.Text.RegularExpressions;
using Amazon;
using Amazon.Runtime.CredentialManagement;
using Logwarden.Aws;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// AWS CloudWatch Logs, by PutLogEvents. A log group for each policy class, a log stream for each source; both are made when they are needed and groups keep their
/// events for the class's hot time. The message is the event's JSON line. Nothing there keeps an event from being stored twice when an answer is lost: whoever counts
/// goes by <c>unmapped.logwarden.event_id</c>. Events that CloudWatch drops inside an answer of success are refused, with the reason.
/// See <c>docs/destinations-cloudwatch.md</c> and <see href="https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html"/>.
/// </summary>
public sealed partial class CloudWatchDestination : IDestination
{
    /// <summary>How it is added.</summary>
    public static DestinationType Type { get; } = new("cloudwatch", "AWS CloudWatch Logs: a log group for each class, a stream for each source",
    [
        new("region", "AWS region, such as eu-central-1; default is AWS_REGION or the profile's"),
        new("log-group-prefix", "what the names of all log groups begin with; default /logwarden"),
        new("endpoint", "address of a VPC endpoint; default is the region's own"),
        new("profile", "profile of the shared AWS files; default is what the AWS SDK finds by itself, such as a role"),
    ], Open);

    const string DefaultPrefix = "/logwarden";
    const int PrefixLengthMax = 300;
    const int CallsAtOnce = 4;
    const int LineKeptMax = 1 << 20; // one huge event does not hold its memory for ever

    /// <summary>How long a call that AWS took proves that our clock is right.</summary>
    static readonly TimeSpan ClockProofAge = TimeSpan.FromHours(1);

    /// <summary>Ids of these characters stand in the event's JSON as they are, and in a filter pattern too.</summary>
    static readonly SearchValues<char> PlainInPattern = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:/@=-");

    readonly HttpMessageHandler _handler;
    readonly HttpClient _http;
    readonly CloudWatchLogs _logs;
    readonly LogGroups _groups;
    readonly string _prefix;
    readonly TimeProvider _time;
    readonly Action<string> _tell;
    ArrayBufferWriter<byte> _line = new(4096);
    long _clockProved;
    bool _isToldUnreadable;

    /// <summary>One with these credentials.</summary>
    internal CloudWatchDestination(AwsCredentials credentials, AwsService service, string prefix, DestinationContext context)
    {
        (_prefix, _time, _tell) = (prefix, context.Time, context.Tell);
        _handler = DestinationHttp.Handler(service.Endpoint, AwsJsonClient.CallTimeout, context.Time);
        // Each call has its own limit of time.
        _http = new(_handler) { Timeout = Timeout.InfiniteTimeSpan };
        _logs = new(new(_http, credentials, service, context.Time));
        _groups = new(_logs, context.Classes, context.Time, context.Tell);
    }

    /// <inheritdoc/>
    public DestinationLimits Limits { get; } = new(CloudWatchLogs.EventsMax, CloudWatchLogs.BytesMax, CloudWatchLogs.BytesMax - CloudWatchLogs.EventOverhead,
        CloudWatchLogs.EventOverhead, TimeSpan.FromSeconds(5));

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        _line.ResetWrittenCount();
        EventJson.Write(_line, e);
        output.Write(_line.WrittenSpan[..^1]);
        if (_line.Capacity > LineKeptMax) _line = new(4096);
    }

    /// <summary>
    /// Sends one batch by as many calls as its streams and times need. When some calls fail, the answer is <see cref="Answer.Later"/> with the events that are in
    /// and those that were refused, also when what failed is blocked or too large: then the next send, which has nothing else in it any more, says so.
    /// </summary>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        var plan = PutPlan.Of(batch, _prefix, _time.GetUtcNow());
        var outcome = new PutOutcome();
        foreach (var call in plan.Calls.DistinctBy(call => call.Stream))
        {
            if (outcome.Failure is not null) break;
            if (await NetworkAsync(() => _groups.EnsureAsync(call.Stream, call.Class, cancel)) is { } failure) outcome.Failed(failure);
        }
        if (outcome.Failure is null) await PutAllAsync(plan.Calls, batch, outcome, cancel);
        if (outcome.Failure is null && plan.Outside.Count > 0) await RefuseAsync(plan.Outside, outcome, cancel);
        return outcome.ToAnswer();
    }

    /// <inheritdoc/>
    /// <exception cref="IOException">CloudWatch could not answer just now.</exception>
    public async ValueTask<IReadOnlySet<string>?> FindAsync(IReadOnlyList<SentEvent> wanted, CancellationToken cancel)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var one in wanted)
        {
            var stream = new LogStream(PutPlan.Group(_prefix, one.Class), PutPlan.Stream(one.Source));
            var phrase = one.Id.Length is > 0 and <= 256 && !one.Id.AsSpan().ContainsAnyExcept(PlainInPattern) ? one.Id : null;
            var (failure, exists) = await _logs.FindEventAsync(stream, PutPlan.Millis(one.TimeMicros), phrase, message => HasId(message, one.Id), cancel);
            if (exists) found.Add(one.Id);
            if (failure is null || failure.Is("ResourceNotFoundException")) continue;
            switch (AwsAnswers.Of(failure, "logs:FilterLogEvents", stream.Group))
            {
                case Answer.Blocked blocked:
                    if (!_isToldUnreadable) _tell($"What is in CloudWatch can't be read back, so its acknowledgements are all the proof there is. {blocked.Reason}");
                    _isToldUnreadable = true;
                    return null;
                case Answer.Later later:
                    throw new IOException(later.Reason);
                default:
                    throw new IOException($"CloudWatch refused to look for an event ({failure.Error!.Type}).");
            }
        }
        return found;
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        _handler.Dispose();
        return ValueTask.CompletedTask;
    }

    async ValueTask PutAllAsync(List<PutCall> calls, EventBatch batch, PutOutcome outcome, CancellationToken cancel)
    {
        var gone = new List<PutCall>();
        // When one fails, those under way end and no other begins: most failures are AWS's or the network's, not the call's.
        await Parallel.ForEachAsync(calls, new ParallelOptions { MaxDegreeOfParallelism = CallsAtOnce, CancellationToken = cancel }, async (call, token) =>
        {
            if (outcome.Failure is null && await PutAsync(call, batch, outcome, token)) return;
            if (outcome.Failure is not null) return;
            lock (gone) gone.Add(call);
        });
        foreach (var call in gone.DistinctBy(call => call.Stream.Group, StringComparer.Ordinal)) _groups.Lost(call.Stream);
        foreach (var call in gone)
        {
            if (outcome.Failure is not null) return;
            if (await NetworkAsync(() => _groups.EnsureAsync(call.Stream, call.Class, cancel)) is { } failure) outcome.Failed(failure);
            else if (!await PutAsync(call, batch, outcome, cancel)) outcome.Failed(new Answer.Later(null, $"The log group {call.Stream.Group} is not there yet."));
        }
    }

    /// <returns>False when the stream is not there.</returns>
    async ValueTask<bool> PutAsync(PutCall call, EventBatch batch, PutOutcome outcome, CancellationToken cancel)
    {
        var isThere = true;
        var failure = await NetworkAsync(async () =>
        {
            var reply = await _logs.PutAsync(call, batch, cancel);
            isThere = !reply.Is("ResourceNotFoundException");
            if (!isThere) return null;
            if (reply.Error is { } error) return IsTooLarge(error) ? new Answer.TooLarge() : AwsAnswers.Of(reply, "logs:PutLogEvents", call.Stream.Group);
            Volatile.Write(ref _clockProved, _time.GetTimestamp());
            outcome.Took(call, CloudWatchLogs.Dropped(reply, call.Events.Count));
            return null;
        });
        if (failure is not null) outcome.Failed(failure);
        return isThere;
    }

    /// <summary>
    /// Refuses events far outside of what CloudWatch takes without sending them: a backfill of years would take a call for each day, to be dropped. Only with a clock
    /// that AWS agrees with, which it does when it takes a signature: with a wrong one all events would be refused.
    /// </summary>
    async ValueTask RefuseAsync(List<PutEvent> events, PutOutcome outcome, CancellationToken cancel)
    {
        if (_clockProved == 0 || _time.GetElapsedTime(_clockProved) > ClockProofAge)
        {
            var failure = await NetworkAsync(async () =>
            {
                var (reply, _, _) = await _logs.FindGroupAsync(_prefix, cancel);
                return reply is null || reply.Is("AccessDeniedException") ? null : AwsAnswers.Of(reply, "logs:DescribeLogGroups", _prefix);
            });
            if (failure is not null)
            {
                outcome.Failed(failure);
                return;
            }
            Volatile.Write(ref _clockProved, _time.GetTimestamp());
        }
        var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
        foreach (var one in events) outcome.Refuse(one.Index, one.Millis > now ? PutOutcome.TooNew : PutOutcome.TooOld);
    }

    /// <summary>What the network breaks is tried again; an event whose call was carried out all the same is then there twice.</summary>
    static async ValueTask<Answer?> NetworkAsync(Func<ValueTask<Answer?>> call)
    {
        try
        {
            return await call();
        }
        catch (HttpRequestException bad)
        {
            return new Answer.Later(null, $"AWS was not reached: {bad.Message}");
        }
        catch (IOException bad)
        {
            return new Answer.Later(null, $"The connection to AWS broke: {bad.Message}");
        }
    }

    /// <summary>Older limits of some regions: the loop halves the batch until the event is alone.</summary>
    static bool IsTooLarge(AwsError error) =>
        error.Type is "InvalidParameterException" && error.Message.Contains("too large", StringComparison.OrdinalIgnoreCase) || error.Type is "RequestEntityTooLargeException";

    static bool HasId(string message, string id)
    {
        try
        {
            using var json = JsonDocument.Parse(message, new() { MaxDepth = 256 });
            return json.RootElement.TryGetProperty("unmapped", out var unmapped) && unmapped.TryGetProperty("logwarden", out var own)
                && own.TryGetProperty("event_id", out var one) && one.ValueEquals(id);
        }
        catch (Exception other) when (other is JsonException or InvalidOperationException)
        {
            return false;
        }
    }

    static CloudWatchDestination Open(DestinationContext context)
    {
        var profile = context.Optional("profile");
        var region = context.Optional("region") ?? DefaultRegion(profile)
            ?? throw new SettingException("region", "is missing, and neither AWS_REGION nor a profile names one");
        if (!RegionName().IsMatch(region)) throw new SettingException("region", "is no name of an AWS region, such as eu-central-1");
        var prefix = (context.Optional("log-group-prefix") ?? DefaultPrefix).TrimEnd('/');
        if (!GroupName().IsMatch(prefix) || prefix.Length > PrefixLengthMax) throw new SettingException("log-group-prefix", "must be 1 to 300 of letters, digits and . - _ / #");
        if (prefix.StartsWith("aws/", StringComparison.Ordinal)) throw new SettingException("log-group-prefix", "must not begin with aws/, which AWS keeps for itself");
        var endpoint = context.Address("endpoint", "https", "http") ?? new($"https://logs.{region}.{RegionEndpoint.GetBySystemName(region).PartitionDnsSuffix}");
        if (!string.Equals(endpoint.Scheme, Uri.UriSchemeHttps, StringComparison.Ordinal) && !endpoint.IsLoopback) throw new SettingException("endpoint", "must begin with https://; http:// is for this machine only");
        if (endpoint.PathAndQuery.Length > 1) throw new SettingException("endpoint", "must have no path");
        return new(AwsCredentials.Of(profile), new(endpoint, region, "logs", "Logs_20140328"), prefix, context);
    }

    static string? DefaultRegion(string? profile)
    {
        foreach (var name in (string[])["AWS_REGION", "AWS_DEFAULT_REGION"])
        {
            if (profile is null && Environment.GetEnvironmentVariable(name) is { Length: > 0 } region) return region;
        }
        var own = profile ?? Environment.GetEnvironmentVariable("AWS_PROFILE") ?? "default";
        return new CredentialProfileStoreChain().TryGetProfile(own, out var found) ? found.Region?.SystemName : null;
    }

    [GeneratedRegex(@"\A[a-z]{2,}(-[a-z0-9]+){1,5}\z", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex RegionName();

    [GeneratedRegex(@"\A[.\-_/#A-Za-z0-9]+\z", RegexOptions.NonBacktracking)]
    private static partial Regex GroupName();
}
