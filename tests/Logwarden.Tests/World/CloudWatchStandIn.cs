using System.Collections.Concurrent;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Logwarden.Tests.World;

/// <summary>How a call goes wrong.</summary>
public enum CloudWatchFault
{
    /// <summary>Status 500 with an internal failure; nothing is done.</summary>
    InternalFailure,

    /// <summary>Status 500 with <c>ServiceUnavailableException</c>, as the service model has it; nothing is done.</summary>
    ServiceUnavailable,

    /// <summary>Status 503 of something before the service, with a page for people; nothing is done.</summary>
    BadGateway,

    /// <summary><c>OperationAbortedException</c>: two changes of one group at once; nothing is done.</summary>
    Aborted,

    /// <summary>The connection is cut, nothing is done.</summary>
    CutBefore,

    /// <summary>The call is carried out and the connection cut before the answer.</summary>
    CutAfter,

    /// <summary>The call is carried out and never answered; it ends when the client goes away.</summary>
    Silent,
}

/// <summary>A call as the stand-in saw it.</summary>
/// <param name="Operation">Which.</param>
/// <param name="Error">Type of the error that it was answered with; null when it was carried out.</param>
/// <param name="Events">Events of a PutLogEvents.</param>
public sealed record CloudWatchCall(string Operation, string? Error, int Events);

/// <summary>
/// CloudWatch Logs as its documentation has it, over HTTP on loopback: real signatures, the JSON protocol 1.1, each rule with the right class of failure (a call that
/// fails whole, or events dropped inside a success), retention on the clock that it is given. What it holds and does not is in <see cref="CloudWatchState"/>.
/// </summary>
public sealed class CloudWatchStandIn : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly TimeProvider _time;
    readonly ConcurrentDictionary<string, AwsKey> _keys = new(StringComparer.Ordinal);
    readonly List<(string? Operation, CloudWatchFault Fault)> _faults = [];
    readonly ConcurrentQueue<CloudWatchCall> _calls = new();
    readonly Lock _gate = new();
    (long Second, int Calls) _rate;

    CloudWatchStandIn(WebApplication app, TimeProvider time, string region)
    {
        (_app, _time, Region) = (app, time, region);
        State = new(time);
        Add(Key);
    }

    /// <summary>Where it answers.</summary>
    public Uri Endpoint => new(_app.Urls.First());

    /// <summary>Region that signatures must be for.</summary>
    public string Region { get; }

    /// <summary>A key that it takes from the beginning.</summary>
    public AwsKey Key { get; } = new("AKIDSTANDIN", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYSTANDIN");

    /// <summary>Groups, streams and events.</summary>
    public CloudWatchState State { get; }

    /// <summary>Calls that it has answered or cut, in order.</summary>
    public IReadOnlyList<CloudWatchCall> Calls => [.. _calls];

    /// <summary>Operations that no key may call.</summary>
    public ISet<string> Denied { get; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Calls that it takes in one second of its clock; more are throttled. Null is no limit.</summary>
    public int? CallsPerSecond { get; set; }

    /// <summary>How far its clock is ahead of the one that it was given.</summary>
    public TimeSpan ClockAhead { get; set; }

    /// <summary>Starts one.</summary>
    public static async Task<CloudWatchStandIn> StartAsync(TimeProvider time, string region = "eu-central-1")
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(server => server.Limits.MaxRequestBodySize = 32 << 20).UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var world = new CloudWatchStandIn(app, time, region);
        app.Run(world.AnswerAsync);
        await app.StartAsync();
        return world;
    }

    /// <summary>Takes a key from now on.</summary>
    public void Add(AwsKey key) => _keys[key.AccessKey] = key;

    /// <summary>Takes a key no more.</summary>
    public void Remove(AwsKey key) => _keys.TryRemove(key.AccessKey, out _);

    /// <summary>Makes the next call go wrong; several are used up one after another.</summary>
    /// <param name="fault">How.</param>
    /// <param name="operation">Only a call of this operation; null is any.</param>
    public void Fail(CloudWatchFault fault, string? operation = null)
    {
        lock (_gate) _faults.Add((operation, fault));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
    }

    async Task AnswerAsync(HttpContext context)
    {
        using var buffer = new MemoryStream();
        await context.Request.Body.CopyToAsync(buffer, context.RequestAborted);
        var body = buffer.ToArray();
        var operation = Operation(context.Request);
        var fault = NextFault(operation);
        if (fault is CloudWatchFault.CutBefore or CloudWatchFault.BadGateway or CloudWatchFault.InternalFailure or CloudWatchFault.ServiceUnavailable or CloudWatchFault.Aborted)
        {
            _calls.Enqueue(new(operation, fault.ToString(), 0));
            await FailAsync(context, fault.Value);
            return;
        }
        try
        {
            var answer = Carry(context.Request, operation, body, out var events);
            _calls.Enqueue(new(operation, fault?.ToString(), events));
            if (fault == CloudWatchFault.CutAfter) context.Abort();
            else if (fault == CloudWatchFault.Silent) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
            else await WriteAsync(context, 200, answer);
        }
        catch (CloudWatchException refused)
        {
            _calls.Enqueue(new(operation, refused.Type, 0));
            await WriteAsync(context, 400, new JsonObject { ["__type"] = refused.Type, ["message"] = refused.Message });
        }
        catch (OperationCanceledException) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client has gone, as it should.
        }
    }

    JsonObject? Carry(HttpRequest request, string operation, byte[] body, out int events)
    {
        events = 0;
        var now = _time.GetUtcNow() + ClockAhead;
        if (request.Method != "POST" || request.Path != "/" || request.ContentType != "application/x-amz-json-1.1") throw new CloudWatchException("UnknownOperationException", "");
        if (SignatureCheck.Refuse(request, body, key => _keys.GetValueOrDefault(key), Region, "logs", now) is { } refused) throw new CloudWatchException(refused.Type, refused.Message);
        lock (_gate)
        {
            if (Denied.Contains(operation))
                throw new CloudWatchException("AccessDeniedException", $"User: arn:aws:iam::123456789012:user/logs is not authorized to perform: logs:{operation} because no identity-based policy allows the action");
            Throttle(now);
            JsonObject input;
            try
            {
                input = JsonNode.Parse(body) as JsonObject ?? throw new CloudWatchException("SerializationException", "Start of structure or map found where not expected.");
            }
            catch (JsonException)
            {
                throw new CloudWatchException("SerializationException", "The body is no JSON.");
            }
            events = input["logEvents"] is JsonArray list ? list.Count : 0;
            return State.Carry(operation, input, now);
        }
    }

    void Throttle(DateTimeOffset now)
    {
        if (CallsPerSecond is not { } most) return;
        var second = now.ToUnixTimeSeconds();
        _rate = second == _rate.Second ? (second, _rate.Calls + 1) : (second, 1);
        if (_rate.Calls > most) throw new CloudWatchException("ThrottlingException", "Rate exceeded");
    }

    CloudWatchFault? NextFault(string operation)
    {
        lock (_gate)
        {
            var at = _faults.FindIndex(fault => fault.Operation is null || fault.Operation == operation);
            if (at < 0) return null;
            var fault = _faults[at].Fault;
            _faults.RemoveAt(at);
            return fault;
        }
    }

    static string Operation(HttpRequest request)
    {
        var target = request.Headers["X-Amz-Target"].ToString();
        return target.StartsWith("Logs_20140328.", StringComparison.Ordinal) ? target["Logs_20140328.".Length..] : "";
    }

    static async Task FailAsync(HttpContext context, CloudWatchFault fault)
    {
        switch (fault)
        {
            case CloudWatchFault.CutBefore:
                context.Abort();
                break;
            case CloudWatchFault.BadGateway:
                context.Response.StatusCode = 503;
                context.Response.Headers.RetryAfter = "7";
                await context.Response.WriteAsync("<html><body>busy</body></html>", context.RequestAborted);
                break;
            case CloudWatchFault.Aborted:
                await WriteAsync(context, 400, new JsonObject { ["__type"] = "OperationAbortedException", ["message"] = "A conflicting operation is currently in progress." });
                break;
            default:
                var type = fault == CloudWatchFault.ServiceUnavailable ? "ServiceUnavailableException" : "com.amazon.coral.service#InternalFailure";
                await WriteAsync(context, 500, new JsonObject { ["__type"] = type });
                break;
        }
    }

    static async Task WriteAsync(HttpContext context, int status, JsonObject? body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/x-amz-json-1.1";
        if (body is not null) await context.Response.Body.WriteAsync(JsonSerializer.SerializeToUtf8Bytes(body), context.RequestAborted);
    }
}

/// <summary>A call that AWS refuses.</summary>
sealed class CloudWatchException(string type, string message) : Exception(message)
{
    /// <summary>Name of the error.</summary>
    public string Type { get; } = type;
}
