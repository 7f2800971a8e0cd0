using System.Text;
using System.Text.Json;
using Amazon.Runtime;
using Logwarden.Aws;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Destinations;

/// <summary>The destination and the stand-in that it talks to, on one clock.</summary>
sealed class CloudWatchWorld : IAsyncDisposable
{
    CloudWatchWorld(CloudWatchStandIn aws, FakeTimeProvider time)
    {
        (Aws, Time, Key) = (aws, time, aws.Key);
        Destination = New(new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = 30, ["security-audit"] = 100 });
    }

    public static DateTimeOffset Start { get; } = new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero);

    public CloudWatchStandIn Aws { get; }

    public FakeTimeProvider Time { get; }

    public CloudWatchDestination Destination { get; private set; }

    /// <summary>The key that is found when credentials are looked for.</summary>
    public AwsKey? Key { get; set; }

    /// <summary>How often they were looked for.</summary>
    public int Lookups { get; private set; }

    public List<string> Told { get; } = [];

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static async Task<CloudWatchWorld> StartAsync()
    {
        var time = new FakeTimeProvider(Start);
        return new(await CloudWatchStandIn.StartAsync(time), time);
    }

    public async ValueTask DisposeAsync()
    {
        await Destination.DisposeAsync();
        await Aws.DisposeAsync();
    }

    /// <summary>Another start of the program, perhaps with other hot times.</summary>
    public async Task RestartAsync(IReadOnlyDictionary<string, int> hotDays)
    {
        await Destination.DisposeAsync();
        Destination = New(hotDays);
    }

    /// <summary>An event of the journal. Its id follows from its offset.</summary>
    public static byte[] Event(long offset, DateTimeOffset at, string @class = "application", string source = "shop", string? text = null) =>
        StoredEvents.One(offset, UnixMicros.Of(at), @class, source, text is null ? null : $$"""{"message":"{{text}}"}""");

    /// <summary>An event whose message has exactly this many bytes.</summary>
    public byte[] Sized(long offset, DateTimeOffset at, int bytes, string unit = "x")
    {
        var bare = Batch(Event(offset, at, text: "")).Wire(0).Length;
        var (whole, rest) = Math.DivRem(bytes - bare, Encoding.UTF8.GetByteCount(unit));
        return Event(offset, at, text: string.Concat(Enumerable.Repeat(unit, whole)) + new string('y', rest));
    }

    public EventBatch Batch(params IEnumerable<byte[]> events)
    {
        var batch = new EventBatch();
        foreach (var encoded in events)
        {
            Assert.True(EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, Destination);
        }
        return batch;
    }

    /// <summary>What is left of a batch.</summary>
    public static EventBatch Without(EventBatch batch, IEnumerable<int> indexes)
    {
        var rest = new EventBatch();
        rest.CopyFrom(batch, [.. Enumerable.Range(0, batch.Count).Except(indexes)]);
        return rest;
    }

    public ValueTask<Answer> SendAsync(params IEnumerable<byte[]> events) => Destination.SendAsync(Batch(events), Cancel);

    /// <summary>Ids of all stored events, sorted, each as often as it is stored.</summary>
    public List<string> StoredIds() =>
        [.. Aws.State.Groups.SelectMany(group => Aws.State.Streams(group).SelectMany(stream => Aws.State.Events(group, stream))).Select(e => Id(e.Message)).Order(StringComparer.Ordinal)];

    public int Count(string operation) => Aws.Calls.Count(call => call.Operation == operation);

    public static string Id(string message)
    {
        using var json = JsonDocument.Parse(message);
        return json.RootElement.GetProperty("unmapped").GetProperty("logwarden").GetProperty("event_id").GetString()!;
    }

    public static SentEvent Sent(long offset, DateTimeOffset at, string @class = "application", string source = "shop") =>
        new(StoredEvents.Id(offset), UnixMicros.Of(at), @class, source);

    CloudWatchDestination New(IReadOnlyDictionary<string, int> hotDays)
    {
        var credentials = new AwsCredentials(_ =>
        {
            Lookups++;
            return Task.FromResult<AWSCredentials>(Key switch
            {
                null => throw new AmazonClientException("Unable to find credentials."),
                { Token: { } token } key => new SessionAWSCredentials(key.AccessKey, key.SecretKey, token),
                var key => new BasicAWSCredentials(key.AccessKey, key.SecretKey),
            });
        });
        var context = new DestinationContext("aws", new Dictionary<string, string>(StringComparer.Ordinal), hotDays, Time) { Tell = Told.Add };
        return new(credentials, new(Aws.Endpoint, Aws.Region, "logs", "Logs_20140328"), "/logwarden", context);
    }
}
