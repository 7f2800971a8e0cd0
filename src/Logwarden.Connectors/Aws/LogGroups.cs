using Logwarden.Flow;

namespace Logwarden.Aws;

/// <summary>
/// The log groups and streams of a destination: made when they are needed first, and each group keeps its events for the hot time of its class. That is looked at
/// at first need and then once a day, and put right when somebody has changed it. Not thread-safe.
/// </summary>
/// <param name="logs">CloudWatch Logs.</param>
/// <param name="hotDays">Hot time of each class in days. Events of another class, such as those in quarantine, are kept for the longest of them.</param>
/// <param name="time">Clock.</param>
/// <param name="tell">Told what was found and put right.</param>
sealed class LogGroups(CloudWatchLogs logs, IReadOnlyDictionary<string, int> hotDays, TimeProvider time, Action<string> tell)
{
    static readonly TimeSpan CheckEvery = TimeSpan.FromDays(1);

    readonly Dictionary<string, Known> _groups = new(StringComparer.Ordinal);

    sealed record Known(long CheckedAt)
    {
        public HashSet<string> Streams { get; } = new(StringComparer.Ordinal);
    }

    /// <summary>Makes sure that a stream is there, and its group, with the right retention.</summary>
    /// <returns>Null when it is; otherwise what to answer.</returns>
    /// <exception cref="HttpRequestException">AWS was not reached.</exception>
    /// <exception cref="IOException">Its answer did not come.</exception>
    public async ValueTask<Answer?> EnsureAsync(LogStream stream, string @class, CancellationToken cancel)
    {
        if (!_groups.TryGetValue(stream.Group, out var known) || time.GetElapsedTime(known.CheckedAt) >= CheckEvery)
        {
            if (await CheckAsync(stream.Group, @class, cancel) is { } failure) return failure;
            _groups[stream.Group] = known = new(time.GetTimestamp());
        }
        if (known.Streams.Contains(stream.Name)) return null;
        var reply = await logs.CreateStreamAsync(stream, cancel);
        if (reply.Is("ResourceNotFoundException"))
        {
            // Nobody could tell whether the group is there, or it went just now.
            if (await CreateAsync(stream.Group, Wanted(@class), cancel) is { } failure) return failure;
            reply = await logs.CreateStreamAsync(stream, cancel);
        }
        if (reply.Error is not null && !reply.Is("ResourceAlreadyExistsException")) return AwsAnswers.Of(reply, "logs:CreateLogStream", stream.Group);
        known.Streams.Add(stream.Name);
        return null;
    }

    /// <summary>A stream was not there though it had been: it and its group are looked at again at the next need. Somebody is told.</summary>
    public void Lost(LogStream stream)
    {
        if (!_groups.Remove(stream.Group)) return;
        tell($"The log group {stream.Group} or its stream {stream.Name} was deleted by somebody and is made anew. What it held is gone from CloudWatch; the archive has it. CloudTrail says who: DeleteLogGroup, DeleteLogStream.");
    }

    async ValueTask<Answer?> CheckAsync(string group, string @class, CancellationToken cancel)
    {
        var wanted = Wanted(@class);
        var (failure, exists, days) = await logs.FindGroupAsync(group, cancel);
        if (failure is not null)
        {
            var answer = AwsAnswers.Of(failure, "logs:DescribeLogGroups", group);
            if (!failure.Is("AccessDeniedException")) return answer;
            // Events are delivered all the same: what can't be looked at is no reason to hold them back.
            tell($"How long {group} keeps its events can't be checked, it should be {LogRetention.Text(wanted)}. {((Answer.Blocked)answer).Reason}");
            return null;
        }
        if (!exists) return await CreateAsync(group, wanted, cancel);
        if (days == wanted) return null;
        return await RetainAsync(group, wanted, $"The log group {group} kept its events {LogRetention.Text(days)} instead of {LogRetention.Text(wanted)}", cancel);
    }

    async ValueTask<Answer?> CreateAsync(string group, int? wanted, CancellationToken cancel)
    {
        var reply = await logs.CreateGroupAsync(group, cancel);
        if (reply.Error is not null && !reply.Is("ResourceAlreadyExistsException")) return AwsAnswers.Of(reply, "logs:CreateLogGroup", group);
        return wanted is null ? null : await RetainAsync(group, wanted, null, cancel);
    }

    async ValueTask<Answer?> RetainAsync(string group, int? wanted, string? found, CancellationToken cancel)
    {
        var reply = await logs.RetainAsync(group, wanted, cancel);
        if (reply.Error is null)
        {
            if (found is not null) tell($"{found}; that is put right. CloudTrail says who changed it: PutRetentionPolicy, DeleteRetentionPolicy.");
            return null;
        }
        var answer = AwsAnswers.Of(reply, wanted is null ? "logs:DeleteRetentionPolicy" : "logs:PutRetentionPolicy", group);
        if (!reply.Is("AccessDeniedException")) return answer;
        tell($"{found ?? $"The log group {group} should keep its events {LogRetention.Text(wanted)}"}, and that can't be put right. {((Answer.Blocked)answer).Reason}");
        return null;
    }

    int? Wanted(string @class)
    {
        if (hotDays.TryGetValue(@class, out var days)) return LogRetention.AtLeast(days);
        return hotDays.Count == 0 ? null : LogRetention.AtLeast(hotDays.Values.Max());
    }
}
