using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Logwarden.Formats;
using Logwarden.Hosting;
using Logwarden.Journal;

namespace Logwarden.Api;

/// <summary>
/// <c>POST /</c>: takes events the way Better Stack's ingest endpoint does (https://betterstack.com/docs/logs/http-rest-api/), so that its
/// clients work by changing their host. 202 with an empty body once every event is on disk; 403 for a token that is not one of a source;
/// 406 for a body in which no record could be found, of which nothing is stored; 413 above one of <see cref="RequestLimits"/>, of which nothing is stored either; 503 with Retry-After while the journal is full. Records that
/// are none of the source's format are quarantined, and counted in <c>X-Logwarden-Quarantined</c> of the 202.
/// </summary>
sealed partial class SourceEndpoint(Installation installation, ILogger<SourceEndpoint> log) : IDisposable
{
    // Of the requests whose events are large together: the others wait for a place, so that memory is bounded however many come at once.
    const int LargeAtOnceMax = 4;
    const int SmallBytesMax = 1024 * 1024;

    static readonly RequestLimits Limits = RequestLimits.Default;

    readonly SemaphoreSlim _large = new(LargeAtOnceMax);

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("/", (HttpContext http, SourceEndpoint endpoint) => endpoint.TakeAsync(http))
        .Accepts<JsonElement>("application/json", "application/x-ndjson")
        .Produces(StatusCodes.Status202Accepted)
        .Produces(StatusCodes.Status403Forbidden, contentType: "text/plain")
        .Produces(StatusCodes.Status406NotAcceptable, contentType: "text/plain")
        .Produces(StatusCodes.Status413PayloadTooLarge, contentType: "text/plain")
        .Produces(StatusCodes.Status415UnsupportedMediaType, contentType: "text/plain")
        .Produces(StatusCodes.Status503ServiceUnavailable, contentType: "text/plain")
        .WithName("ingest")
        .WithSummary("Takes events of one source: a JSON object, an array, or NDJSON; gzip and zstd.")
        .WithTags("ingest");

    /// <inheritdoc/>
    public void Dispose() => _large.Dispose();

    async Task TakeAsync(HttpContext http)
    {
        SourceEntry? source;
        try
        {
            source = installation.Sources.FindByToken(BearerToken.Of(http.Request) ?? "");
        }
        catch (InvalidDataException unreadable)
        {
            LogUnreadable(unreadable.Message);
            await AnswerAsync(http, StatusCodes.Status503ServiceUnavailable, "The list of sources can't be read: send again later.");
            return;
        }
        if (source is null)
        {
            await AnswerAsync(http, StatusCodes.Status403Forbidden, "Unauthorized");
            return;
        }
        var type = http.Request.ContentType ?? "application/json";
        if (type.Contains("msgpack", StringComparison.OrdinalIgnoreCase))
        {
            await AnswerAsync(http, StatusCodes.Status415UnsupportedMediaType, "MessagePack is not taken here yet: send application/json or application/x-ndjson.");
            return;
        }
        var body = await BodyAsync(http);
        if (body is null) return;
        try
        {
            await StoreAsync(http, source, body);
        }
        finally
        {
            body.Clear();
        }
    }

    async Task StoreAsync(HttpContext http, SourceEntry source, PooledBytes body)
    {
        var route = Installation.Route(source);
        var request = new RequestBatch(installation.Worker(route), route, body.Memory, Limits);
        var isSmall = request.Read(SmallBytesMax, http.RequestAborted);
        if (!isSmall) await _large.WaitAsync(http.RequestAborted);
        try
        {
            if (!isSmall) request.Read(int.MaxValue, http.RequestAborted);
            await AppendAsync(http, request);
        }
        finally
        {
            if (!isSmall) _large.Release();
        }
    }

    async Task AppendAsync(HttpContext http, RequestBatch request)
    {
        var source = request.Events.Source;
        if (request.IsTooLarge)
        {
            LogTooLarge(source, request.Events.Entries.Count, request.Events.Bytes.WrittenCount);
            await AnswerAsync(http, StatusCodes.Status413PayloadTooLarge, string.Create(CultureInfo.InvariantCulture,
                $"payload reached size limit: a request may have {Limits.RecordsMax:N0} records, and its events {Limits.EventBytesMax:N0} bytes. Nothing of it is stored: send it in parts."));
            return;
        }
        if (request.Unread > 0 && request.Unread == request.Events.Entries.Count)
        {
            // Nothing of what is refused is stored: a client that sends it again would multiply it.
            LogUnread(source, request.LastRefusal);
            await AnswerAsync(http, StatusCodes.Status406NotAcceptable, $"Couldn't parse JSON content. {request.LastRefusal}");
            return;
        }
        try
        {
            if (request.Events.Entries.Count > 0) await installation.Journal.AppendAsync(request.Events, http.RequestAborted);
        }
        catch (JournalFullException full)
        {
            http.Response.Headers.RetryAfter = Math.Ceiling(full.RetryAfter.TotalSeconds).ToString(CultureInfo.InvariantCulture);
            await AnswerAsync(http, StatusCodes.Status503ServiceUnavailable, "The journal is full: send again later.");
            return;
        }
        catch (IOException broken)
        {
            LogBroken(source, broken.Message);
            await AnswerAsync(http, StatusCodes.Status503ServiceUnavailable, "The journal can't be written: send again later.");
            return;
        }
        if (request.Refused > 0) http.Response.Headers["X-Logwarden-Quarantined"] = request.Refused.ToString(CultureInfo.InvariantCulture);
        http.Response.StatusCode = StatusCodes.Status202Accepted;
    }

    /// <summary>The body, unpacked; null when it was refused and answered.</summary>
    static async Task<PooledBytes?> BodyAsync(HttpContext http)
    {
        var packed = new PooledBytes(Limits.PackedBytesMax);
        if (!await packed.ReadAsync(http.Request.Body, http.RequestAborted))
        {
            packed.Clear();
            await AnswerAsync(http, StatusCodes.Status413PayloadTooLarge, "payload reached size limit");
            return null;
        }
        var encoding = http.Request.Headers.ContentEncoding.ToString();
        if (encoding.Length == 0 || string.Equals(encoding, "identity", StringComparison.OrdinalIgnoreCase)) return packed;

        var raw = new PooledBytes(Limits.RawBytesMax);
        try
        {
            using var unpack = encoding.ToUpperInvariant() switch
            {
                "GZIP" => Decompression.Gzip(packed.Open()),
                "ZSTD" => Decompression.Zstd(packed.Open()),
                _ => null,
            };
            if (unpack is null)
            {
                await AnswerAsync(http, StatusCodes.Status415UnsupportedMediaType, "Content-Encoding must be gzip, zstd or identity.");
                raw.Clear();
                return null;
            }
            if (await raw.ReadAsync(unpack, http.RequestAborted)) return raw;
            await AnswerAsync(http, StatusCodes.Status413PayloadTooLarge, "payload reached size limit");
        }
        catch (Exception bad) when (Decompression.IsDamage(bad))
        {
            await AnswerAsync(http, StatusCodes.Status406NotAcceptable, $"The body is not {encoding}, or is cut off.");
        }
        finally
        {
            packed.Clear();
        }
        raw.Clear();
        return null;
    }

    static async Task AnswerAsync(HttpContext http, int status, string text)
    {
        http.Response.StatusCode = status;
        http.Response.ContentType = "text/plain; charset=utf-8";
        await http.Response.WriteAsync(text, http.RequestAborted);
    }

    [LoggerMessage(4, LogLevel.Warning, "A request of source {Source} was refused as too large after {Records} records and {Bytes} bytes of events, nothing of it is stored.")]
    partial void LogTooLarge(string source, int records, int bytes);

    [LoggerMessage(3, LogLevel.Error, "Nothing is taken: {Reason}")]
    partial void LogUnreadable(string reason);

    [LoggerMessage(2, LogLevel.Warning, "A request of source {Source} was refused, nothing of it is stored: {Reason}")]
    partial void LogUnread(string source, string reason);

    [LoggerMessage(1, LogLevel.Error, "Events of source {Source} were not taken, the journal failed: {Reason}")]
    partial void LogBroken(string source, string reason);
}

/// <summary>Bytes of a request in a pooled buffer, up to a limit. They are not redacted yet, so the buffer is wiped when it goes back.</summary>
sealed class PooledBytes(int bytesMax)
{
    byte[] _buffer = ArrayPool<byte>.Shared.Rent(64 * 1024);
    int _count;

    /// <summary>What was read.</summary>
    public ReadOnlyMemory<byte> Memory => _buffer.AsMemory(0, _count);

    /// <summary>The same as a stream.</summary>
    public Stream Open() => new MemoryStream(_buffer, 0, _count, writable: false);

    /// <summary>Reads to the end.</summary>
    /// <returns>False when there is more than the limit.</returns>
    public async Task<bool> ReadAsync(Stream input, CancellationToken cancel)
    {
        while (true)
        {
            if (_count == _buffer.Length) Grow();
            var read = await input.ReadAsync(_buffer.AsMemory(_count), cancel);
            if (read == 0) return true;
            _count += read;
            if (_count > bytesMax) return false;
        }
    }

    /// <summary>Wipes it and gives the buffer back.</summary>
    public void Clear()
    {
        _buffer.AsSpan(0, _count).Clear();
        ArrayPool<byte>.Shared.Return(_buffer);
        (_buffer, _count) = ([], 0);
    }

    void Grow()
    {
        var larger = ArrayPool<byte>.Shared.Rent(_buffer.Length * 2);
        _buffer.AsSpan(0, _count).CopyTo(larger);
        _buffer.AsSpan(0, _count).Clear();
        ArrayPool<byte>.Shared.Return(_buffer);
        _buffer = larger;
    }
}
