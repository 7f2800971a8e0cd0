using System.Collections.Concurrent;
using System.Globalization;
using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Logwarden.Tests.World;

/// <summary>
/// Better Stack as far as we use it, over real HTTP on loopback: ingestion (https://betterstack.com/docs/logs/ingesting-data/http/logs/), SQL over HTTP and heartbeats, with the service's
/// limits, answers and traps: a batch is taken whole or not at all, what is sent twice is there twice, a time that it can't read is silently replaced, and what it took in can be found only
/// later, first in one table and then in another. It does not read MessagePack. Thread-safe.
/// </summary>
sealed class BetterStackStandIn : IAsyncDisposable
{
    const int PackedMax = 10 << 20;
    const int RawMax = 20 << 20;
    const int RecordMax = 10 << 20;

    readonly WebApplication _web;
    readonly TimeProvider _time;
    readonly ConcurrentDictionary<string, StandInSource> _sources = new(StringComparer.Ordinal);
    readonly ConcurrentDictionary<string, StandInHeartbeat> _heartbeats = new(StringComparer.Ordinal);
    readonly ConcurrentQueue<StandInFault> _faults = new();
    readonly StandInSql _sql;
    int _requests;

    BetterStackStandIn(WebApplication web, TimeProvider time)
    {
        (_web, _time) = (web, time);
        _sql = new(time, () => _sources.Values);
        web.Run(AnswerAsync);
    }

    /// <summary>Starts it on ports of the system's choice.</summary>
    public static async Task<BetterStackStandIn> StartAsync(TimeProvider time, CancellationToken cancel)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Listen(IPAddress.Loopback, 0);
        });
        builder.Logging.ClearProviders();
        var standIn = new BetterStackStandIn(builder.Build(), time);
        await standIn._web.StartAsync(cancel);
        var addresses = standIn._web.Urls.ToArray();
        (standIn.Endpoint, standIn.QueryEndpoint) = (new(addresses[0]), new(addresses[1]));
        return standIn;
    }

    /// <summary>Where events go, and heartbeats.</summary>
    public Uri Endpoint { get; private set; } = null!;

    /// <summary>Where SQL goes.</summary>
    public Uri QueryEndpoint { get; private set; } = null!;

    /// <summary>Requests for ingestion, whatever their answer.</summary>
    public int Requests => Volatile.Read(ref _requests);

    /// <summary>While it is set, every event is answered with 402.</summary>
    public bool IsQuotaExceeded { get; set; }

    /// <summary>Events that turn the request they are in away with 406.</summary>
    public Func<JsonElement, bool> Refuses { get; set; } = static _ => false;

    /// <summary>SQL: what can be seen, when, and what goes wrong with it.</summary>
    public StandInSql Sql => _sql;

    /// <summary>Adds a source.</summary>
    /// <param name="token">Its token.</param>
    /// <param name="table">Its table for SQL, such as <c>t1_shop</c>.</param>
    public StandInSource AddSource(string token, string table) => _sources[token] = new(table);

    /// <summary>Adds a heartbeat; it is at <see cref="HeartbeatAddress"/>.</summary>
    public StandInHeartbeat AddHeartbeat(string token, TimeSpan period, TimeSpan grace) => _heartbeats[token] = new(period, grace, _time);

    /// <summary>The URL of a heartbeat, which is a secret.</summary>
    public Uri HeartbeatAddress(string token) => new(Endpoint, $"/api/v1/heartbeat/{token}");

    /// <summary>Makes the next requests for ingestion, one each, go wrong in this way.</summary>
    public void Fail(params ReadOnlySpan<StandInFault> faults)
    {
        foreach (var fault in faults) _faults.Enqueue(fault);
    }

    /// <summary>Faults that no request has met yet.</summary>
    public int Pending => _faults.Count;

    /// <summary>Takes them back.</summary>
    public void Heal() => _faults.Clear();

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _web.DisposeAsync();

    Task AnswerAsync(HttpContext http)
    {
        if (http.Connection.LocalPort == QueryEndpoint.Port) return _sql.AnswerAsync(http);
        return http.Request.Path.StartsWithSegments("/api/v1/heartbeat", StringComparison.Ordinal, out var rest) ? PingAsync(http, rest) : IngestAsync(http);
    }

    async Task IngestAsync(HttpContext http)
    {
        Interlocked.Increment(ref _requests);
        _faults.TryDequeue(out var fault);
        if (fault is { Wait: { } wait }) await Task.Delay(wait, _time, http.RequestAborted);
        if (fault is { Kind: StandInFaultKind.CutBefore })
        {
            http.Abort();
            return;
        }
        if (fault is { Kind: StandInFaultKind.Answer })
        {
            if (fault.RetryAfter is { } after) http.Response.Headers.RetryAfter = after;
            await SayAsync(http, fault.Status, fault.Body);
            return;
        }
        var (status, body) = await TakeAsync(http);
        if (fault is { Kind: StandInFaultKind.CutAfter }) http.Abort();
        else await SayAsync(http, status, body);
    }

    async Task<(int Status, string Body)> TakeAsync(HttpContext http)
    {
        if (http.Request.Path != "/" || !HttpMethods.IsPost(http.Request.Method)) return (404, "Not found");
        if (http.Request.Headers.Authorization.ToString() is not ['B', 'e', 'a', 'r', 'e', 'r', ' ', .. var token] || !_sources.TryGetValue(token, out var source)) return (403, "Unauthorized");
        if (IsQuotaExceeded) return (402, "Quota exceeded");
        const string Garbage = "Couldn't parse JSON content.";
        const string TooLarge = "payload reached size limit";
        if (await ReadAsync(http.Request.Body, PackedMax, http.RequestAborted) is not { } packed) return (413, TooLarge);
        try
        {
            var raw = packed;
            switch (http.Request.Headers.ContentEncoding.ToString())
            {
                case "":
                    break;
                case "gzip":
                    await using (var gzip = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress))
                    {
                        if (await ReadAsync(gzip, RawMax, http.RequestAborted) is not { } unpacked) return (413, TooLarge);
                        raw = unpacked;
                    }
                    break;
                default:
                    return (406, Garbage);
            }
            if (Records(http.Request.ContentType?.Split(';')[0].Trim(), raw) is not { Count: > 0 } records || records.Exists(one => one.ValueKind != JsonValueKind.Object || Refuses(one))) return (406, Garbage);
            if (records.Exists(one => Encoding.UTF8.GetByteCount(one.GetRawText()) > RecordMax)) return (413, TooLarge);
            source.Add(records, _time.GetUtcNow());
            return (202, "");
        }
        catch (Exception garbage) when (garbage is JsonException or InvalidDataException)
        {
            return (406, Garbage);
        }
    }

    static List<JsonElement>? Records(string? type, byte[] raw)
    {
        switch (type)
        {
            case "application/json":
                var whole = JsonElement.Parse(raw);
                return whole.ValueKind == JsonValueKind.Array ? [.. whole.EnumerateArray()] : [whole];
            case "application/x-ndjson":
                return [.. Encoding.UTF8.GetString(raw).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))];
            default:
                return null;
        }
    }

    static async Task<byte[]?> ReadAsync(Stream from, int max, CancellationToken cancel)
    {
        var to = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (await from.ReadAsync(buffer, cancel) is > 0 and var read)
        {
            to.Write(buffer, 0, read);
            if (to.Length > max) return null;
        }
        return to.ToArray();
    }

    async Task PingAsync(HttpContext http, PathString rest)
    {
        var parts = rest.Value!.Trim('/').Split('/');
        if (!_heartbeats.TryGetValue(parts[0], out var heartbeat) || parts.Length > 2)
        {
            await SayAsync(http, 404, "No such heartbeat: " + parts[0]);
            return;
        }
        using var reader = new StreamReader(http.Request.Body);
        var log = await reader.ReadToEndAsync(http.RequestAborted);
        var isWell = parts.Length == 1 || (int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var code) && code == 0);
        heartbeat.Ping(isWell, log);
        await SayAsync(http, heartbeat.Status, "");
    }

    static Task SayAsync(HttpContext http, int status, string body)
    {
        http.Response.StatusCode = status;
        http.Response.ContentLength = Encoding.UTF8.GetByteCount(body);
        return body.Length == 0 ? Task.CompletedTask : http.Response.WriteAsync(body, http.RequestAborted);
    }
}

/// <summary>What goes wrong with one request.</summary>
enum StandInFaultKind
{
    None,
    Answer,
    CutBefore,
    CutAfter,
}

/// <summary>How one request goes wrong.</summary>
sealed record StandInFault
{
    public StandInFaultKind Kind { get; private init; }
    public int Status { get; private init; }
    public string? RetryAfter { get; private init; }
    public string Body { get; private init; } = "";

    /// <summary>How long it takes before anything else happens.</summary>
    public TimeSpan? Wait { get; init; }

    /// <summary>It is only slow.</summary>
    public static StandInFault Slow(TimeSpan wait) => new() { Wait = wait };

    /// <summary>It answers so without taking anything.</summary>
    public static StandInFault Answer(int status, string? retryAfter = null, string body = "") => new() { Kind = StandInFaultKind.Answer, Status = status, RetryAfter = retryAfter, Body = body };

    /// <summary>The connection breaks before anything is taken.</summary>
    public static StandInFault CutBefore { get; } = new() { Kind = StandInFaultKind.CutBefore };

    /// <summary>All is taken, and the connection breaks before that is told.</summary>
    public static StandInFault CutAfter { get; } = new() { Kind = StandInFaultKind.CutAfter };
}

/// <summary>An event that a source has.</summary>
/// <param name="Json">The event as it came.</param>
/// <param name="Dt">Its time; that of reception where <c>dt</c> could not be read.</param>
/// <param name="Received">When it came.</param>
sealed record StandInEvent(JsonElement Json, DateTimeOffset Dt, DateTimeOffset Received)
{
    /// <summary>Its <c>event_id</c>; empty when it has none.</summary>
    public string Id => Json.TryGetProperty("event_id", out var id) ? id.GetString()! : "";
}

/// <summary>A source and what it has.</summary>
sealed class StandInSource(string table)
{
    readonly Lock _gate = new();
    readonly List<StandInEvent> _events = [];

    public string Table { get; } = table;

    /// <summary>All that was taken in, in order, with duplicates.</summary>
    public IReadOnlyList<StandInEvent> Received
    {
        get
        {
            lock (_gate) return [.. _events];
        }
    }

    public void Add(IEnumerable<JsonElement> records, DateTimeOffset now)
    {
        lock (_gate) _events.AddRange(records.Select(one => new StandInEvent(one, Dt(one) ?? now, now)));
    }

    /// <summary>Unix seconds, milliseconds or nanoseconds, told apart by magnitude, or RFC 3339 with T or a space.</summary>
    static DateTimeOffset? Dt(JsonElement one)
    {
        if (!one.TryGetProperty("dt", out var dt)) return null;
        if (dt.ValueKind == JsonValueKind.Number && dt.TryGetDouble(out var number) && number is >= 0 and < 9e18)
        {
            var ticks = number < 1e11 ? number * TimeSpan.TicksPerSecond : number < 1e14 ? number * TimeSpan.TicksPerMillisecond : number / 100;
            return DateTimeOffset.UnixEpoch.AddTicks((long)ticks);
        }
        return dt.ValueKind == JsonValueKind.String && dt.GetString() is { Length: >= 20 } text && text[10] is 'T' or ' '
            && DateTimeOffset.TryParse(dt.GetString(), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var parsed) ? parsed : null;
    }
}

/// <summary>A heartbeat on the stand-in's clock.</summary>
sealed class StandInHeartbeat(TimeSpan period, TimeSpan grace, TimeProvider time)
{
    readonly Lock _gate = new();
    readonly List<string> _logs = [];
    DateTimeOffset? _last;
    bool _isWell;

    /// <summary>What pings are answered with; 200 unless it is set.</summary>
    public int Status { get; set; } = 200;

    /// <summary><c>pending</c> until the first ping, which never alarms; then <c>up</c> or <c>down</c>.</summary>
    public string State
    {
        get
        {
            lock (_gate) return _last is not { } last ? "pending" : _isWell && time.GetUtcNow() <= last + period + grace ? "up" : "down";
        }
    }

    /// <summary>Bodies of the pings, in order.</summary>
    public IReadOnlyList<string> Pings
    {
        get
        {
            lock (_gate) return [.. _logs];
        }
    }

    public void Ping(bool isWell, string log)
    {
        lock (_gate)
        {
            if (Status is >= 200 and <= 299) (_last, _isWell) = (time.GetUtcNow(), isWell);
            _logs.Add(log);
        }
    }
}
