using System.Text.Json;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Destinations;

/// <summary>A destination with its far side, for the tests that every kind must pass.</summary>
abstract class DestinationRig : IAsyncDisposable
{
    static int _number;

    /// <summary>How a rig of each kind is made. With a new kind of destination goes a line here.</summary>
    public static readonly Dictionary<string, Func<CancellationToken, Task<DestinationRig>>> Kinds = new(StringComparer.Ordinal)
    {
        ["better-stack"] = BetterStackRig.StartAsync,
        ["file"] = FileRig.StartAsync,
        ["http-json"] = HttpJsonRig.StartAsync,
        ["otlp"] = OtlpRig.StartAsync,
    };

    protected ScratchFolder Scratch { get; } = new();

    public FakeTimeProvider Time { get; } = new(UnixMicros.ToInstant(StoredEvents.Epoch));

    public IDestination Destination { get; private set; } = null!;

    /// <summary>What must show up nowhere.</summary>
    public List<string> Secrets { get; } = [];

    /// <summary>Ids of what arrived, in order, with duplicates.</summary>
    public abstract IReadOnlyList<string> Arrived { get; }

    /// <summary>From now on the far side turns everything away with this status and repeats what it was sent in its headers. False where there is no such thing.</summary>
    public virtual bool AnswerWith(int status) => false;

    /// <summary>From now on there is no far side. False where it can't be away.</summary>
    public virtual ValueTask<bool> GoAwayAsync() => new(false);

    public async ValueTask DisposeAsync()
    {
        await Destination.DisposeAsync();
        await EndAsync();
        Scratch.Dispose();
    }

    protected virtual ValueTask EndAsync() => default;

    /// <summary>A file with a secret in it, as a setting names it.</summary>
    protected string Secret(string value)
    {
        var path = Scratch.File($"secret-{Interlocked.Increment(ref _number)}");
        File.WriteAllText(path, value + "\n", System.Text.Encoding.UTF8);
        Secrets.Add(value);
        return "file:" + path;
    }

    protected void Open(string type, params (string Name, string Value)[] settings) => Destination = Make(type, Time, settings);

    public static IDestination Make(string type, TimeProvider time, params (string Name, string Value)[] settings)
    {
        Assert.True(DestinationCatalog.TryFind(type, out var found));
        Assert.All(settings, setting => Assert.Contains(found.Settings, one => one.Name == setting.Name));
        return found.Open(new("test", settings.ToDictionary(one => one.Name, one => one.Value, StringComparer.Ordinal), new Dictionary<string, int>(StringComparer.Ordinal), time));
    }

    public static EventBatch Batch(IDestination destination, params ReadOnlySpan<byte[]> events)
    {
        var batch = new EventBatch();
        foreach (var encoded in events)
        {
            Assert.True(EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, destination);
        }
        return batch;
    }

    public EventBatch Batch(int from, int count) => Batch(Destination, [.. Enumerable.Range(from, count).Select(offset => StoredEvents.One(offset))]);

    public static string FactId(JsonElement one) => one.GetProperty("unmapped").GetProperty("logwarden").GetProperty("event_id").GetString()!;
}

sealed class BetterStackRig : DestinationRig
{
    StandInSource _source = null!;

    public BetterStackStandIn Far { get; private set; } = null!;

    public StandInSource Source => _source;

    public override IReadOnlyList<string> Arrived => [.. _source.Received.Select(one => one.Id)];

    public static async Task<DestinationRig> StartAsync(CancellationToken cancel)
    {
        var rig = new BetterStackRig();
        rig.Far = await BetterStackStandIn.StartAsync(rig.Time, cancel);
        rig._source = rig.Far.AddSource("token-of-the-source-1", "t1_shop");
        rig.Open(
            "better-stack", ("endpoint", rig.Far.Endpoint.AbsoluteUri), ("token", rig.Secret("token-of-the-source-1")),
            ("query-endpoint", rig.Far.QueryEndpoint.AbsoluteUri), ("query-user", "reader"), ("query-password", rig.Secret("reader-password")), ("query-table", "t1_shop"));
        return rig;
    }

    public override bool AnswerWith(int status)
    {
        Far.Fail(StandInFault.Answer(status, body: "you sent Bearer token-of-the-source-1"));
        return true;
    }

    public override async ValueTask<bool> GoAwayAsync()
    {
        await Far.DisposeAsync();
        return true;
    }

    protected override ValueTask EndAsync() => Far.DisposeAsync();
}

sealed class HttpJsonRig : DestinationRig
{
    public JsonSink Far { get; private set; } = null!;

    public override IReadOnlyList<string> Arrived => [.. Far.Received.Select(FactId)];

    public static async Task<DestinationRig> StartAsync(CancellationToken cancel)
    {
        var rig = new HttpJsonRig { Far = await JsonSink.StartAsync(cancel) };
        rig.Far.Wants["Authorization"] = "Bearer the-bearer-token";
        rig.Far.Wants["X-Api-Key"] = "the-api/key+1";
        rig.Far.Wants["X-Tenant"] = "shop";
        rig.Open(
            "http-json", ("endpoint", rig.Far.Endpoint.AbsoluteUri), ("token", rig.Secret("the-bearer-token")),
            ("headers", $"X-Tenant = shop; X-Api-Key={rig.Secret("the-api/key+1")}"));
        return rig;
    }

    public override bool AnswerWith(int status)
    {
        Far.Instead = async http =>
        {
            http.Response.StatusCode = status;
            await http.Response.Body.WriteAsync(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', http.Request.Headers.Select(header => $"{header.Key}: {header.Value}")) + "\n" + Uri.EscapeDataString("the-api/key+1")));
        };
        return true;
    }

    public override async ValueTask<bool> GoAwayAsync()
    {
        await Far.DisposeAsync();
        return true;
    }

    protected override ValueTask EndAsync() => Far.DisposeAsync();
}

sealed class FileRig : DestinationRig
{
    public static async Task<DestinationRig> StartAsync(CancellationToken cancel)
    {
        await Task.CompletedTask;
        var rig = new FileRig();
        rig.Open("file", ("path", rig.Scratch.File("events.ndjson")));
        return rig;
    }

    public override IReadOnlyList<string> Arrived => [.. File.ReadLines(Scratch.File("events.ndjson")).Select(line => FactId(JsonElement.Parse(line)))];
}

sealed class OtlpRig : DestinationRig
{
    OtlpStandIn _far = null!;

    public override IReadOnlyList<string> Arrived => [.. _far.Records.Select(record => record.Attributes.Single(pair => pair.Key == "log.record.uid").Value.StringValue)];

    // JSON: an event's size grows by one with each byte of its text, which the test of the limits counts on; protobuf's lengths grow too.
    public static async Task<DestinationRig> StartAsync(CancellationToken cancel)
    {
        var rig = new OtlpRig { _far = await OtlpStandIn.StartAsync() };
        rig._far.Authorization = "Bearer the-bearer/token+1";
        var headers = rig.Secret("Authorization: Bearer the-bearer/token+1");
        rig.Secrets.Add("the-bearer/token+1");
        rig.Open("otlp", ("endpoint", rig._far.Http.AbsoluteUri), ("protocol", "http/json"), ("headers", headers));
        return rig;
    }

    public override bool AnswerWith(int status)
    {
        _far.HttpFaults.Clear();
        // Twice: an event that is called wrong is followed by an empty request.
        for (var i = 0; i < 2; i++) _far.HttpFaults.Enqueue(new(status, Message: "you sent {authorization}, that is " + Uri.EscapeDataString("Bearer the-bearer/token+1")));
        return true;
    }

    public override async ValueTask<bool> GoAwayAsync()
    {
        await _far.DisposeAsync();
        return true;
    }

    protected override ValueTask EndAsync() => _far.DisposeAsync();
}
