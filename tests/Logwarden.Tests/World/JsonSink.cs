using System.IO.Compression;
using System.Net;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Logwarden.Tests.World;

/// <summary>A service that takes JSON by POST, strictly: right headers, content that is what its type and encoding say, and no more than it takes. Thread-safe.</summary>
sealed class JsonSink : IAsyncDisposable
{
    readonly WebApplication _web;
    readonly Lock _gate = new();
    readonly List<JsonElement> _received = [];

    JsonSink(WebApplication web)
    {
        _web = web;
        web.Run(AnswerAsync);
    }

    public static async Task<JsonSink> StartAsync(CancellationToken cancel)
    {
        var builder = WebApplication.CreateEmptyBuilder(new());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, 0));
        builder.Logging.ClearProviders();
        var sink = new JsonSink(builder.Build());
        await sink._web.StartAsync(cancel);
        sink.Endpoint = new(new Uri(sink._web.Urls.First()), "/in");
        return sink;
    }

    public Uri Endpoint { get; private set; } = null!;

    /// <summary>Headers without which it answers 401.</summary>
    public Dictionary<string, string> Wants { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Most bytes before compression; more is answered with 413.</summary>
    public int BytesMax { get; set; } = 4 << 20;

    /// <summary>Events that turn their request away with 400.</summary>
    public Func<JsonElement, bool> Refuses { get; set; } = static _ => false;

    /// <summary>When it is set, every request is answered by it and nothing is taken.</summary>
    public Func<HttpContext, Task>? Instead { get; set; }

    /// <summary>Content-Type and Content-Encoding of the last request that was read.</summary>
    public (string? Type, string? Encoding) Last { get; private set; }

    public IReadOnlyList<JsonElement> Received
    {
        get
        {
            lock (_gate) return [.. _received];
        }
    }

    public ValueTask DisposeAsync() => _web.DisposeAsync();

    async Task AnswerAsync(HttpContext http)
    {
        if (Instead is { } instead)
        {
            await instead(http);
            return;
        }
        http.Response.StatusCode = await TakeAsync(http);
    }

    /// <summary>Takes the events of a request, or says with which status it does not.</summary>
    public async Task<int> TakeAsync(HttpContext http)
    {
        if (!HttpMethods.IsPost(http.Request.Method) || http.Request.Path != "/in") return 404;
        if (Wants.Any(pair => http.Request.Headers[pair.Key] != pair.Value)) return 401;
        Last = (http.Request.ContentType, http.Request.Headers.ContentEncoding);
        var body = Last.Encoding switch
        {
            "" or null => (Stream?)http.Request.Body,
            "gzip" => new GZipStream(http.Request.Body, CompressionMode.Decompress),
            "zstd" => new ZstdSharp.DecompressionStream(http.Request.Body),
            _ => null,
        };
        if (body is null) return 415;
        var raw = new MemoryStream();
        await body.CopyToAsync(raw, http.RequestAborted);
        if (raw.Length > BytesMax) return 413;
        try
        {
            List<JsonElement> events = Last.Type switch
            {
                "application/json" => [.. JsonElement.Parse(raw.ToArray()).EnumerateArray()],
                "application/x-ndjson" => [.. Encoding.UTF8.GetString(raw.ToArray()).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => JsonElement.Parse(line))],
                _ => [],
            };
            if (events.Count == 0) return 415;
            if (events.Exists(one => Refuses(one))) return 400;
            lock (_gate) _received.AddRange(events);
            return 200;
        }
        catch (JsonException)
        {
            return 400;
        }
    }
}
