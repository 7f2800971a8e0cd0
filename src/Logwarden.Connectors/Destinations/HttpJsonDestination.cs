using System.Buffers;
using System.Net;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// Any service that takes JSON by POST: lines (NDJSON) or an array, with headers of one's own, compressed or not. What its answers mean is HTTP's: a 2xx is taken as durable,
/// so name an address that answers only then.
/// </summary>
public sealed class HttpJsonDestination : IDestination
{
    /// <summary>Its entry in the catalog.</summary>
    public static DestinationType Type { get; } = new("http-json", "any service that takes JSON lines or arrays by HTTPS POST", [
        new("endpoint", "where to post; https://, on this machine also http://", IsRequired: true),
        new("layout", "ndjson (default) or array"),
        new("compression", "gzip (default), zstd or none"),
        new("headers", "further headers, NAME=VALUE; NAME=VALUE; a VALUE of file:PATH or env:NAME is a secret that is read when it is used"),
        new("token", "sent as Authorization: Bearer …", IsSecret: true),
        new("max-events", "most events in a request, 1 to 100000; 1000 by default"),
        new("max-bytes", "most bytes of a request before compression, 1024 to 67108864; 4194304 by default"),
        new("max-event-bytes", "most bytes of one event, 1024 to max-bytes; 1048576 by default, or max-bytes where that is less"),
    ], static context => new HttpJsonDestination(context));

    static readonly string[] OurHeaders = ["Host", "Content-Length", "Content-Type", "Content-Encoding", "Transfer-Encoding", "Connection", "User-Agent", "Expect", "TE", "Trailer", "Upgrade"];
    static readonly string[] SecretWords = ["auth", "token", "key", "secret", "password", "cookie", "credential", "signature"];
    static readonly SearchValues<char> TokenChars = SearchValues.Create("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    readonly DestinationContext _context;
    readonly Uri _endpoint;
    readonly DestinationHttp _http;
    readonly (string Name, string Value, bool IsSecret)[] _headers;
    readonly bool _isArray;
    readonly Packing _packing;
    readonly PackedBatch _packed = new();
    readonly EventLine _line = new([], null);
    readonly ArrayBufferWriter<byte> _one = new();

    HttpJsonDestination(DestinationContext context)
    {
        _context = context;
        _endpoint = context.Service("endpoint") ?? throw new SettingException("endpoint", "is missing");
        _isArray = context.Optional("layout") switch
        {
            null or "ndjson" => false,
            "array" => true,
            _ => throw new SettingException("layout", "must be ndjson or array"),
        };
        _packing = context.Optional("compression") switch
        {
            null or "gzip" => Packing.Gzip,
            "zstd" => Packing.Zstd,
            "none" => Packing.None,
            _ => throw new SettingException("compression", "must be gzip, zstd or none"),
        };
        _headers = Headers(context);
        foreach (var _ in Values())
        {
            // All secrets are there now; each request reads them again.
        }
        var max = context.Number("max-bytes", 1024, 64 << 20, 4 << 20);
        var one = context.Number("max-event-bytes", 1024, max, Math.Min(max, 1 << 20));
        // Of an array one bracket counts for itself, the other for a comma too few.
        Limits = new(context.Number("max-events", 1, 100_000, 1000), _isArray ? max - 1 : max, _isArray ? one - 2 : one, _isArray ? 1 : 0, TimeSpan.FromSeconds(2));
        _http = new(_endpoint, DestinationHttp.AttemptMax, context.Time);
    }

    /// <inheritdoc/>
    public DestinationLimits Limits { get; }

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        if (!_isArray)
        {
            _line.Write(output, e);
            return;
        }
        _one.ResetWrittenCount();
        _line.Write(_one, e);
        output.Write(_one.WrittenSpan[..^1]);
    }

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint);
        var secrets = new List<string>();
        try
        {
            foreach (var (name, value, isSecret) in Values())
            {
                request.Headers.TryAddWithoutValidation(name, value);
                if (isSecret) secrets.AddRange(Secrets(value));
            }
        }
        catch (SettingException missing)
        {
            return new Answer.Blocked(missing.Message);
        }
        request.Content = _isArray ? _packed.Pack(batch, "["u8, ","u8, "]"u8, _packing, "application/json") : _packed.Pack(batch, [], [], [], _packing, "application/x-ndjson");
        var reply = await _http.SendAsync(request, secrets, DestinationHttp.ReasonBytesMax, cancel);
        return reply.Status switch
        {
            _ when reply.IsSuccess => new Answer.Accepted(),
            HttpStatusCode.RequestEntityTooLarge => new Answer.TooLarge(),
            // One bad event may turn all of them away: halving finds it.
            HttpStatusCode.BadRequest or HttpStatusCode.UnprocessableEntity => batch.Count > 1 ? new Answer.TooLarge() : Answer.Refused.All(batch, reply.Reason),
            _ when reply.IsPassing => new Answer.Later(reply.RetryAfter, reply.Reason),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new Answer.Blocked($"The credentials were refused; put right the settings token or headers. It said: {reply.Reason}"),
            _ => new Answer.Blocked($"It does not take events at this address or in this form; check the settings endpoint, layout and compression. It said: {reply.Reason}"),
        };
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        _packed.Dispose();
        _line.Dispose();
        return default;
    }

    IEnumerable<(string Name, string Value, bool IsSecret)> Values()
    {
        if (_context.Optional("token") is not null) yield return ("Authorization", $"Bearer {_context.HeaderSecret("token")}", true);
        foreach (var (name, value, isSecret) in _headers) yield return (name, isSecret ? DestinationContext.ReadHeaderSecret("headers", value) : value, isSecret);
    }

    /// <summary>The value, and what follows its scheme: <c>Bearer …</c>.</summary>
    static IEnumerable<string> Secrets(string value)
    {
        yield return value;
        if (value.IndexOf(' ', StringComparison.Ordinal) is > 0 and var space) yield return value[(space + 1)..].Trim();
    }

    static (string Name, string Value, bool IsSecret)[] Headers(DestinationContext context)
    {
        var headers = new List<(string Name, string Value, bool IsSecret)>();
        foreach (var pair in (context.Optional("headers") ?? "").Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = equals < 0 ? pair : pair[..equals].TrimEnd();
            if (equals < 1 || name.AsSpan().ContainsAnyExcept(TokenChars)) throw new SettingException("headers", "must be NAME=VALUE pairs with ; between them");
            var value = pair[(equals + 1)..].TrimStart();
            var isSecret = value.StartsWith("file:", StringComparison.Ordinal) || value.StartsWith("env:", StringComparison.Ordinal);
            if (OurHeaders.Contains(name, StringComparer.OrdinalIgnoreCase)) throw new SettingException("headers", $"must not hold {name}, which is set by what is sent");
            if (!isSecret && SecretWords.Any(word => name.Contains(word, StringComparison.OrdinalIgnoreCase))) throw new SettingException("headers", $"must name a file or variable for {name} (file:PATH or env:NAME), so that no secret stands in a configuration");
            if (value.AsSpan().ContainsAnyExceptInRange(' ', '~')) throw new SettingException("headers", $"holds something else than plain ASCII for {name}");
            if (headers.Exists(one => string.Equals(one.Name, name, StringComparison.OrdinalIgnoreCase)) || (context.Optional("token") is not null && string.Equals(name, "Authorization", StringComparison.OrdinalIgnoreCase)))
                throw new SettingException("headers", $"holds {name}, which is already set");
            headers.Add((name, value, isSecret));
        }
        return [.. headers];
    }
}
