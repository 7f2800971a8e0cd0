using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Logwarden.Tests.World;

/// <summary>An event of a log stream.</summary>
/// <param name="Millis">When it happened, unix milliseconds.</param>
/// <param name="Message">Its text.</param>
/// <param name="IngestedMillis">When it was taken.</param>
public sealed record CloudWatchEvent(long Millis, string Message, long IngestedMillis);

/// <summary>What CloudWatch Logs holds and how it treats calls. Made for <see cref="CloudWatchStandIn"/>. Thread-safe.</summary>
public sealed partial class CloudWatchState(TimeProvider time)
{
    const int BytesMax = 1_048_576;
    const int Overhead = 26;

    static readonly int[] Retentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653];

    readonly Lock _gate = new();
    readonly SortedDictionary<string, Group> _groups = new(StringComparer.Ordinal);

    sealed class Group
    {
        public int? Days { get; set; }
        public long Created { get; init; }
        public SortedDictionary<string, List<CloudWatchEvent>> Streams { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>How long an event can still be seen after its retention: deletion lags by up to three days.</summary>
    public TimeSpan DeletionLag { get; set; } = TimeSpan.FromHours(72);

    /// <summary>Empty pages that FilterLogEvents answers with before the first one that is none.</summary>
    public int EmptyPages { get; set; }

    /// <summary>Largest event with its overhead, bytes. It was 262,144 once.</summary>
    public int EventBytesMax { get; set; } = BytesMax;

    /// <summary>Groups on a page of DescribeLogGroups.</summary>
    public int GroupsPerPage { get; set; } = 50;

    /// <summary>Names of the groups.</summary>
    public IReadOnlyList<string> Groups => Locked(() => _groups.Keys.ToList());

    /// <summary>Names of a group's streams.</summary>
    public IReadOnlyList<string> Streams(string group) => Locked(() => _groups[group].Streams.Keys.ToList());

    /// <summary>Days that a group keeps its events; null is for ever.</summary>
    public int? Retention(string group) => Locked(() => _groups[group].Days);

    /// <summary>What a stream shows now, in order of time; nothing where there is no such stream.</summary>
    public IReadOnlyList<CloudWatchEvent> Events(string group, string stream) => Locked(() =>
        _groups.TryGetValue(group, out var found) && found.Streams.TryGetValue(stream, out var events) ? Visible(found, events).OrderBy(e => e.Millis).ToList() : []);

    /// <summary>Somebody with the console open makes a group keep its events otherwise.</summary>
    public void Retain(string group, int? days) => Locked(() => _groups[group].Days = days);

    /// <summary>Somebody deletes a group with all that it holds.</summary>
    public void Delete(string group) => Locked(() => _groups.Remove(group));

    /// <summary>Somebody makes a group.</summary>
    public void Create(string group) => Locked(() => _groups[group] = new());

    internal JsonObject? Carry(string operation, JsonObject input, DateTimeOffset now)
    {
        lock (_gate)
        {
            return operation switch
            {
                "CreateLogGroup" => CreateGroup(input, now),
                "CreateLogStream" => CreateStream(input),
                "PutRetentionPolicy" => Retain(input),
                "DeleteRetentionPolicy" => Unretain(input),
                "DescribeLogGroups" => Describe(input),
                "PutLogEvents" => Put(input, now),
                "FilterLogEvents" => Filter(input),
                _ => throw new CloudWatchException("UnknownOperationException", ""),
            };
        }
    }

    JsonObject? CreateGroup(JsonObject input, DateTimeOffset now)
    {
        var name = GroupNameOf(input);
        if (name.StartsWith("aws/", StringComparison.Ordinal)) throw Invalid("Log group names that start with 'aws/' are reserved.");
        if (!_groups.TryAdd(name, new() { Created = now.ToUnixTimeMilliseconds() })) throw new CloudWatchException("ResourceAlreadyExistsException", "The specified log group already exists");
        return null;
    }

    JsonObject? CreateStream(JsonObject input)
    {
        var (group, name) = (GroupOf(input), StreamName(Text(input, "logStreamName")));
        if (!group.Streams.TryAdd(name, [])) throw new CloudWatchException("ResourceAlreadyExistsException", "The specified log stream already exists");
        return null;
    }

    JsonObject? Retain(JsonObject input)
    {
        var group = GroupOf(input);
        if (input["retentionInDays"] is not JsonValue value || !value.TryGetValue<int>(out var days) || !Retentions.Contains(days))
            throw Invalid($"1 validation error detected: Value at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: [{string.Join(", ", Retentions)}]");
        group.Days = days;
        return null;
    }

    JsonObject? Unretain(JsonObject input)
    {
        GroupOf(input).Days = null;
        return null;
    }

    JsonObject Describe(JsonObject input)
    {
        var prefix = input["logGroupNamePrefix"] is null ? "" : GroupName(Text(input, "logGroupNamePrefix"));
        var after = input["nextToken"] is null ? "" : Text(input, "nextToken");
        var rest = _groups.Where(pair => pair.Key.StartsWith(prefix, StringComparison.Ordinal) && string.CompareOrdinal(pair.Key, after) > 0).ToList();
        var page = new JsonArray();
        foreach (var (name, group) in rest.Take(GroupsPerPage))
        {
            var one = new JsonObject { ["logGroupName"] = name, ["creationTime"] = group.Created, ["logGroupClass"] = "STANDARD" };
            if (group.Days is { } days) one["retentionInDays"] = days;
            page.Add(one);
        }
        var answer = new JsonObject { ["logGroups"] = page };
        if (rest.Count > GroupsPerPage) answer["nextToken"] = rest[GroupsPerPage - 1].Key;
        return answer;
    }

    JsonObject Put(JsonObject input, DateTimeOffset now)
    {
        var (groupName, streamName) = (GroupNameOf(input), StreamName(Text(input, "logStreamName")));
        var events = Events(input, now);
        var group = _groups.GetValueOrDefault(groupName) ?? throw new CloudWatchException("ResourceNotFoundException", "The specified log group does not exist.");
        var stream = group.Streams.GetValueOrDefault(streamName) ?? throw new CloudWatchException("ResourceNotFoundException", "The specified log stream does not exist.");
        var tooOld = events.Count(e => e.Millis < (now - TimeSpan.FromDays(14)).ToUnixTimeMilliseconds());
        var expired = group.Days is { } days ? events.Count(e => e.Millis < (now - TimeSpan.FromDays(days)).ToUnixTimeMilliseconds()) : 0;
        var tooNew = events.Count(e => e.Millis <= (now + TimeSpan.FromHours(2)).ToUnixTimeMilliseconds());
        var from = Math.Max(tooOld, expired);
        var valid = from < tooNew ? events[from..tooNew] : [];
        if (valid.Count > 0 && valid[^1].Millis - valid[0].Millis > 24L * 3600 * 1000)
            throw Invalid("The batch of log events in a single PutLogEvents request cannot span more than 24 hours.");
        stream.AddRange(valid);
        var answer = new JsonObject { ["nextSequenceToken"] = "49590302" };
        var info = new JsonObject();
        if (tooNew < events.Count) info["tooNewLogEventStartIndex"] = tooNew;
        if (tooOld > 0) info["tooOldLogEventEndIndex"] = tooOld;
        if (expired > 0) info["expiredLogEventEndIndex"] = expired;
        if (info.Count > 0) answer["rejectedLogEventsInfo"] = info;
        return answer;
    }

    List<CloudWatchEvent> Events(JsonObject input, DateTimeOffset now)
    {
        if (input["logEvents"] is not JsonArray list || list.Count is 0 or > 10_000)
            throw Invalid("1 validation error detected: Value at 'logEvents' failed to satisfy constraint: Member must have length between 1 and 10000");
        var events = new List<CloudWatchEvent>();
        long bytes = 0;
        foreach (var item in list)
        {
            if (item is not JsonObject one || one["timestamp"] is not JsonValue at || !at.TryGetValue<long>(out var millis) || millis < 0)
                throw Invalid("1 validation error detected: Value at 'logEvents.member.timestamp' failed to satisfy constraint: Member must have value greater than or equal to 0");
            var message = Text(one, "message");
            var size = Encoding.UTF8.GetByteCount(message) + Overhead;
            if (size > EventBytesMax) throw Invalid($"Log event too large: {size} bytes exceeds limit of {EventBytesMax}");
            bytes += size;
            events.Add(new(millis, message, now.ToUnixTimeMilliseconds()));
        }
        if (bytes > BytesMax) throw Invalid($"Upload too large: {bytes} bytes exceeds limit of {BytesMax}");
        for (var i = 1; i < events.Count; i++)
        {
            if (events[i].Millis < events[i - 1].Millis) throw Invalid("Log events in a single PutLogEvents request must be in chronological order.");
        }
        return events;
    }

    /// <summary>Knows the filter patterns that are one quoted phrase; another one is refused, so that nobody believes it was looked at.</summary>
    JsonObject Filter(JsonObject input)
    {
        var group = GroupOf(input);
        var names = input["logStreamNames"] is JsonArray list ? list.Select(name => name!.GetValue<string>()).ToHashSet(StringComparer.Ordinal) : null;
        var (from, to) = (Long(input, "startTime", 0), Long(input, "endTime", long.MaxValue));
        if (from > to) throw Invalid("startTime is after endTime.");
        var pattern = input["filterPattern"] is null ? "" : Text(input, "filterPattern");
        if (pattern.Length > 0 && !QuotedPhrase().IsMatch(pattern)) throw Invalid($"Invalid filter pattern: {pattern}");
        var missing = names?.FirstOrDefault(name => !group.Streams.ContainsKey(name));
        if (missing is not null) throw new CloudWatchException("ResourceNotFoundException", "The specified log stream does not exist.");
        var page = input["nextToken"] is null ? 0 : int.Parse(Text(input, "nextToken"), System.Globalization.CultureInfo.InvariantCulture);
        var answer = new JsonObject { ["events"] = new JsonArray(), ["searchedLogStreams"] = new JsonArray() };
        if (page < EmptyPages)
        {
            answer["nextToken"] = (page + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
            return answer;
        }
        var limit = (int)Long(input, "limit", 10_000);
        if (limit is < 1 or > 10_000) throw Invalid("limit must be between 1 and 10000.");
        var found = group.Streams.Where(stream => names?.Contains(stream.Key) ?? true).SelectMany(stream => Visible(group, stream.Value).Select(e => (Stream: stream.Key, Event: e)))
            .Where(one => one.Event.Millis >= from && one.Event.Millis <= to && one.Event.Message.Contains(pattern.Trim('"'), StringComparison.Ordinal))
            .OrderBy(one => one.Event.Millis).Skip((page - EmptyPages) * limit).Take(limit + 1).ToList();
        foreach (var (stream, e) in found.Take(limit))
        {
            answer["events"]!.AsArray().Add(new JsonObject
            {
                ["logStreamName"] = stream,
                ["timestamp"] = e.Millis,
                ["message"] = e.Message,
                ["ingestionTime"] = e.IngestedMillis,
                ["eventId"] = $"{e.Millis}-{e.IngestedMillis}",
            });
        }
        if (found.Count > limit) answer["nextToken"] = (page + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);
        return answer;
    }

    IEnumerable<CloudWatchEvent> Visible(Group group, List<CloudWatchEvent> events) => group.Days is { } days
        ? events.Where(e => e.Millis >= (time.GetUtcNow() - TimeSpan.FromDays(days) - DeletionLag).ToUnixTimeMilliseconds()) : events;

    Group GroupOf(JsonObject input) => _groups.GetValueOrDefault(GroupNameOf(input))
        ?? throw new CloudWatchException("ResourceNotFoundException", "The specified log group does not exist.");

    static string GroupNameOf(JsonObject input) => GroupName(Text(input, "logGroupName"));

    static string GroupName(string name) => name.Length <= 512 && GroupNamePattern().IsMatch(name)
        ? name : throw Invalid("1 validation error detected: Value at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+");

    static string StreamName(string name) => name.Length <= 512 && !name.AsSpan().ContainsAny(':', '*')
        ? name : throw Invalid("1 validation error detected: Value at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*");

    static string Text(JsonObject input, string name) => input[name] is JsonValue value && value.GetValueKind() == JsonValueKind.String && value.GetValue<string>() is { Length: > 0 } text
        ? text : throw Invalid($"1 validation error detected: Value null at '{name}' failed to satisfy constraint: Member must not be null");

    static long Long(JsonObject input, string name, long byDefault)
    {
        if (input[name] is not { } node) return byDefault;
        return node is JsonValue value && value.TryGetValue<long>(out var number) && number >= 0 ? number : throw Invalid($"1 validation error detected: Value at '{name}' is no time.");
    }

    static CloudWatchException Invalid(string message) => new("InvalidParameterException", message);

    T Locked<T>(Func<T> read)
    {
        lock (_gate) return read();
    }

    [GeneratedRegex(@"\A[.\-_/#A-Za-z0-9]+\z", RegexOptions.NonBacktracking)]
    private static partial Regex GroupNamePattern();

    [GeneratedRegex(@"\A""[^""]+""\z", RegexOptions.NonBacktracking)]
    private static partial Regex QuotedPhrase();
}
