using System.Buffers;
using System.Net;
using System.Net.Security;
using System.Reflection;
using System.Text;
using Microsoft.Extensions.Http.Resilience;
using Polly;
using Polly.CircuitBreaker;
using Polly.Timeout;

namespace Logwarden.Destinations;

/// <summary>
/// HTTP as all destinations use it: one connection pool for each, no redirect followed, no cookie kept, no credential given to a proxy, every attempt bounded in
/// time, and a circuit breaker, so that a far side that is down is not hammered. It does not try again: the delivery loop does, with jittered back-off.
/// What goes wrong on the way surfaces as the contract of a destination wants it: <see cref="HttpRequestException"/> when nothing
/// was taken, <see cref="IOException"/> when that is not known. Thread-safe.
/// </summary>
/// <remarks>For a library that wants a handler of its own (gRPC, an SDK), see <see cref="Handler(Uri, TimeSpan, SslClientAuthenticationOptions, TimeProvider)"/>; it behaves the same.</remarks>
public sealed class DestinationHttp : IDisposable
{
    /// <summary>Attempts end after this, if nothing else is said.</summary>
    public static readonly TimeSpan AttemptMax = TimeSpan.FromSeconds(60);

    /// <summary>How much of the answer to a request is read where only its reason matters.</summary>
    public const int ReasonBytesMax = 4096;

    const int ReasonCharsMax = 300;

    readonly HttpMessageHandler _handler;
    readonly HttpClient _client;
    readonly TimeSpan _attemptMax;
    readonly TimeProvider _time;

    /// <summary>Connects to nothing yet.</summary>
    /// <param name="address">Where requests go; loopback is never reached through a proxy.</param>
    /// <param name="attemptMax">Longest that one attempt takes: connecting, sending and the head of the answer. Reading its body has as long again.</param>
    /// <param name="time">Clock of time-outs, the circuit breaker and Retry-After.</param>
    public DestinationHttp(Uri address, TimeSpan attemptMax, TimeProvider time)
    {
        (_attemptMax, _time) = (attemptMax, time);
        _handler = Handler(address, attemptMax, time);
        _client = new(_handler, disposeHandler: false) { Timeout = Timeout.InfiniteTimeSpan };
        _client.DefaultRequestHeaders.UserAgent.ParseAdd(UserAgent);
    }

    /// <summary><c>logwarden/VERSION</c>.</summary>
    public static string UserAgent { get; } =
        "logwarden/" + (typeof(DestinationHttp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0").Split('+')[0];

    /// <summary>The handlers by themselves, with the system's certificate authorities and no certificate of ours.</summary>
    public static HttpMessageHandler Handler(Uri address, TimeSpan attemptMax, TimeProvider time) => Handler(address, attemptMax, tls: null, time);

    /// <summary>The handlers by themselves, for a client that is made elsewhere. It owns them; set no time-out on it.</summary>
    /// <param name="address">Where requests go.</param>
    /// <param name="attemptMax">Longest that one attempt takes.</param>
    /// <param name="tls">Whom to believe, and who we are; null is the system's authorities and no certificate.</param>
    /// <param name="time">Clock.</param>
    public static HttpMessageHandler Handler(Uri address, TimeSpan attemptMax, SslClientAuthenticationOptions? tls, TimeProvider time)
    {
        var sockets = new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = !address.IsLoopback,
            DefaultProxyCredentials = null,
            ActivityHeadersPropagator = null,
            ConnectTimeout = attemptMax < TimeSpan.FromSeconds(10) ? attemptMax : TimeSpan.FromSeconds(10),
            PooledConnectionLifetime = TimeSpan.FromMinutes(5), // a changed name is looked up again
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
            MaxConnectionsPerServer = 8,
        };
        if (tls is not null) sockets.SslOptions = tls;
        return new ContractHandler { InnerHandler = new ResilienceHandler(Pipeline(attemptMax, time)) { InnerHandler = sockets } };
    }

    /// <summary>Sends a request and reads its answer. The request is not disposed of.</summary>
    /// <param name="request">What to send. The value of its Authorization header is kept out of the reason.</param>
    /// <param name="secrets">Other texts that must not show up in the reason.</param>
    /// <param name="bodyBytesMax">Most bytes of the answer's body to read; <see cref="ReasonBytesMax"/> where only the reason matters.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="HttpRequestException">The far side was not reached, or is not asked at the moment because it failed several times in a row.</exception>
    /// <exception cref="IOException">The connection broke or nothing was answered in time: what was sent may or may not have been taken.</exception>
    public async ValueTask<HttpReply> SendAsync(HttpRequestMessage request, IReadOnlyList<string> secrets, int bodyBytesMax, CancellationToken cancel)
    {
        using var response = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancel);
        using var late = new CancellationTokenSource(_attemptMax, _time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            var (body, isCut) = await StartAsync(response.Content, bodyBytesMax, either.Token);
            return new(response.StatusCode, body, isCut, RetryAfter(response, _time), Reason(response, body, [.. Credentials(request), .. secrets]));
        }
        catch (OperationCanceledException ended) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            throw new IOException($"the answer was not complete after {Seconds(_attemptMax)}", ended);
        }
        catch (HttpRequestException broken)
        {
            throw new IOException($"the connection broke within the answer: {broken.Message}", broken);
        }
    }

    /// <summary>When the far side wants to be asked again, from its Retry-After header in either form; null when it says nothing that can be understood.</summary>
    public static TimeSpan? RetryAfter(HttpResponseMessage response, TimeProvider time)
    {
        if (response.Headers.RetryAfter is not { } after) return null;
        var wait = after.Delta ?? after.Date - time.GetUtcNow();
        return wait < TimeSpan.Zero ? TimeSpan.Zero : wait;
    }

    /// <summary>Makes text of a far side fit for people and logs: one line of at most 300 characters, without control characters and without any of the secrets.</summary>
    public static string Clean(ReadOnlySpan<byte> text, IEnumerable<string> secrets)
    {
        var decoded = Encoding.UTF8.GetString(text[..Math.Min(text.Length, ReasonBytesMax)]);
        // The longest first: one secret may be part of another.
        foreach (var secret in secrets.Where(secret => secret.Length > 0).OrderByDescending(secret => secret.Length))
        {
            decoded = decoded.Replace(secret, "***", StringComparison.OrdinalIgnoreCase).Replace(Uri.EscapeDataString(secret), "***", StringComparison.OrdinalIgnoreCase);
        }
        // What the end of the text cut in two can't be found; what is shown ends long before.
        var clean = new StringBuilder(ReasonCharsMax);
        foreach (var rune in decoded.AsSpan(0, Math.Min(decoded.Length, ReasonBytesMax / 4)).EnumerateRunes())
        {
            if (clean.Length > ReasonCharsMax - 2) return clean.Append('…').ToString();
            var isText = !Rune.IsControl(rune) && !Rune.IsWhiteSpace(rune) && Rune.GetUnicodeCategory(rune) is not (System.Globalization.UnicodeCategory.Format or System.Globalization.UnicodeCategory.PrivateUse);
            if (isText) clean.Append(rune);
            else if (clean.Length > 0 && clean[^1] != ' ') clean.Append(' ');
        }
        return clean.ToString().TrimEnd();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        _handler.Dispose();
    }

    static ResiliencePipeline<HttpResponseMessage> Pipeline(TimeSpan attemptMax, TimeProvider time) => new ResiliencePipelineBuilder<HttpResponseMessage> { TimeProvider = time }
        .AddCircuitBreaker(new()
        {
            FailureRatio = 0.9,
            MinimumThroughput = 5,
            SamplingDuration = TimeSpan.FromMinutes(2),
            BreakDuration = BreakDuration,
            // 500 is not among them: with some servers one bad event is enough for it, and then the batch is halved until it is found.
            ShouldHandle = static args => new(args.Outcome switch
            {
                { Exception: HttpRequestException or IOException or TimeoutRejectedException } => true,
                { Result.StatusCode: HttpStatusCode.BadGateway or HttpStatusCode.ServiceUnavailable or HttpStatusCode.GatewayTimeout } => true,
                _ => false,
            }),
        })
        .AddTimeout(new TimeoutStrategyOptions { Timeout = attemptMax })
        .Build();

    /// <summary>How long nothing is sent after the breaker has opened.</summary>
    public static readonly TimeSpan BreakDuration = TimeSpan.FromSeconds(15);

    static async ValueTask<(byte[] Body, bool IsCut)> StartAsync(HttpContent content, int max, CancellationToken cancel)
    {
        await using var stream = await content.ReadAsStreamAsync(cancel);
        var body = new ArrayBufferWriter<byte>(Math.Min(max, ReasonBytesMax) + 1);
        while (body.WrittenCount <= max)
        {
            var room = body.GetMemory();
            var read = await stream.ReadAsync(room[..Math.Min(room.Length, max + 1 - body.WrittenCount)], cancel);
            if (read == 0) return (body.WrittenSpan.ToArray(), false);
            body.Advance(read);
        }
        return (body.WrittenSpan[..max].ToArray(), true);
    }

    static string Reason(HttpResponseMessage response, byte[] body, IReadOnlyList<string> secrets)
    {
        var said = Clean(body, secrets);
        var status = $"{(int)response.StatusCode} {Clean(Encoding.UTF8.GetBytes(response.ReasonPhrase ?? ""), secrets)}".TrimEnd();
        return said.Length == 0 ? status : $"{status}: {said}";
    }

    static IEnumerable<string> Credentials(HttpRequestMessage request)
    {
        if (request.Headers.Authorization?.Parameter is not { Length: > 0 } given) yield break;
        yield return given;
        if (!string.Equals(request.Headers.Authorization.Scheme, "Basic", StringComparison.OrdinalIgnoreCase)) yield break;
        var decoded = new byte[given.Length];
        if (!Convert.TryFromBase64String(given, decoded, out var length)) yield break;
        var pair = Encoding.UTF8.GetString(decoded, 0, length);
        yield return pair;
        yield return pair[(pair.IndexOf(':', StringComparison.Ordinal) + 1)..];
    }

    static string Seconds(TimeSpan span) => string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{span.TotalSeconds:0.#} s");

    /// <summary>Says what broke in the two exceptions that a destination may throw.</summary>
    sealed class ContractHandler : DelegatingHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            try
            {
                return await base.SendAsync(request, cancellationToken);
            }
            catch (BrokenCircuitException open)
            {
                throw new HttpRequestException(HttpRequestError.ConnectionError, $"not asked for up to {Seconds(BreakDuration)}, because the last requests failed", open);
            }
            catch (TimeoutRejectedException late)
            {
                throw new IOException($"no answer after {Seconds(late.Timeout)}", late);
            }
            catch (HttpRequestException broken) when (broken.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
                or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError or HttpRequestError.VersionNegotiationError or HttpRequestError.UserAuthenticationError))
            {
                throw new IOException($"the connection broke: {broken.Message}", broken);
            }
        }
    }
}

/// <summary>What the far side answered to a request.</summary>
/// <param name="Status">Status code.</param>
/// <param name="Body">Body, or its start.</param>
/// <param name="IsCut">Whether there is more of the body.</param>
/// <param name="RetryAfter">When it wants to be asked again; null when it did not say.</param>
/// <param name="Reason">Status and what the body says, for people: one clean line without a credential.</param>
public sealed record HttpReply(HttpStatusCode Status, ReadOnlyMemory<byte> Body, bool IsCut, TimeSpan? RetryAfter, string Reason)
{
    /// <summary>Whether it is one of 200 to 299.</summary>
    public bool IsSuccess => (int)Status is >= 200 and <= 299;

    /// <summary>Whether it passes by itself: 408, 425, 429 and 500 to 599.</summary>
    public bool IsPassing => (int)Status is 408 or 425 or 429 or >= 500 and <= 599;
}
