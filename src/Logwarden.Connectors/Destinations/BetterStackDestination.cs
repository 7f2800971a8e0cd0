using System.Buffers;
using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Logwarden.BetterStack;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// Better Stack Telemetry: NDJSON over HTTPS with the token of one source (https://betterstack.com/docs/logs/ingesting-data/http/logs/). A request is taken whole or not at all, and twice
/// when it is sent twice: events carry <c>event_id</c>, by which a query counts them once. 202 means taken in, not yet to be found; <see cref="FindAsync"/> looks.
/// </summary>
public sealed class BetterStackDestination : IDestination
{
    /// <summary>Its entry in the catalog.</summary>
    public static DestinationType Type { get; } = new("better-stack", "Better Stack Telemetry, over HTTPS with a source token", [
        new("endpoint", "https:// and the ingesting host of the source, such as https://s123456.eu-nbg-2.betterstackdata.com", IsRequired: true),
        new("token", "source token", IsRequired: true, IsSecret: true),
        new("query-endpoint", "https:// and the host of the connection for SQL, such as https://eu-nbg-2-connect.betterstackdata.com; without it 202 is all the proof there is"),
        new("query-user", "user of that connection"),
        new("query-password", "password of that connection", IsSecret: true),
        new("query-table", "table of the source without its ending, such as t123456_production"),
    ], static context => new BetterStackDestination(context));

    /// <summary>The service takes 10 MiB compressed. What can't be compressed grows by a few bytes, so a little is left.</summary>
    const int BytesMax = (10 << 20) - (64 << 10);

    const int PartMax = 120; // bytes of one part of a message

    static readonly byte[][] Reserved = ["dt"u8.ToArray(), "message"u8.ToArray(), "level"u8.ToArray(), "event_id"u8.ToArray()];

    readonly DestinationContext _context;
    readonly Uri _endpoint;
    readonly DestinationHttp _http;
    readonly BetterStackSql? _sql;
    readonly PackedBatch _packed = new();
    readonly EventLine _line = new(Reserved, WriteOwn);

    BetterStackDestination(DestinationContext context)
    {
        _context = context;
        _endpoint = context.Service("endpoint") ?? throw new SettingException("endpoint", "is missing");
        _ = context.HeaderSecret("token");
        _sql = BetterStackSql.Open(context);
        _http = new(_endpoint, TimeSpan.FromMinutes(2), context.Time);
    }

    /// <inheritdoc/>
    public DestinationLimits Limits { get; } = new(EventsMax: 5_000, BytesMax, EventBytesMax: BytesMax, EventOverhead: 0, AgeMax: TimeSpan.FromSeconds(2));

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output) => _line.Write(output, e);

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        string token;
        try
        {
            token = _context.HeaderSecret("token");
        }
        catch (SettingException missing)
        {
            return new Answer.Blocked(missing.Message);
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        request.Content = _packed.Pack(batch, [], [], [], Packing.Gzip, "application/x-ndjson");
        var reply = await _http.SendAsync(request, [token], DestinationHttp.ReasonBytesMax, cancel);
        return reply.Status switch
        {
            HttpStatusCode.Accepted => new Answer.Accepted(),
            HttpStatusCode.RequestEntityTooLarge => new Answer.TooLarge(),
            // One event that it can't read turns all of them away: halving finds it.
            HttpStatusCode.NotAcceptable => batch.Count > 1 ? new Answer.TooLarge() : Answer.Refused.All(batch, reply.Reason),
            HttpStatusCode.PaymentRequired => new Answer.Blocked($"The quota of the plan or the spending limit is reached; raise it at Better Stack. It said: {reply.Reason}"),
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => new Answer.Blocked($"The source token was refused; put the one of the source into the setting token. It said: {reply.Reason}"),
            _ when reply.IsPassing => new Answer.Later(reply.RetryAfter, reply.Reason),
            _ => new Answer.Blocked($"An answer that Better Stack does not give; is the setting endpoint the ingesting host of the source? It said: {reply.Reason}"),
        };
    }

    /// <inheritdoc/>
    public async ValueTask<IReadOnlySet<string>?> FindAsync(IReadOnlyList<SentEvent> wanted, CancellationToken cancel) =>
        _sql is null ? null : await _sql.FindAsync(wanted, cancel);

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _http.Dispose();
        _sql?.Dispose();
        _packed.Dispose();
        _line.Dispose();
        return default;
    }

    static void WriteOwn(Utf8JsonWriter json, in StoredEvent e, bool hasMessage)
    {
        // A time that no calendar has would be replaced with that of reception over there, silently.
        var when = EventJson.IsInCalendar(e.TimeMicros) ? e.TimeMicros : e.IngestedMicros;
        Span<byte> time = stackalloc byte[EventJson.MicrosMax];
        json.WriteString("dt"u8, time[..EventJson.Micros(when, time)]);
        json.WriteString("level"u8, Level(e.SeverityId));
        json.WriteString("event_id"u8, EventLine.Valid(e.Id));
        if (hasMessage) return;
        Span<byte> message = stackalloc byte[5 * (PartMax + 16)];
        json.WriteString("message"u8, message[..Message(e, message)]);
    }

    /// <summary>OCSF severity in the words that the service colours.</summary>
    static ReadOnlySpan<byte> Level(byte severity) => severity switch
    {
        2 => "notice"u8,
        3 => "warn"u8,
        4 => "error"u8,
        5 => "critical"u8,
        6 => "fatal"u8,
        _ => "info"u8,
    };

    /// <summary><c>ACTION by USER on OBJECT: STATUS</c>, as far as the event has them.</summary>
    static int Message(in StoredEvent e, Span<byte> to)
    {
        var at = Part(e.Action.Utf8.IsEmpty ? "event"u8 : e.Action.Utf8, to);
        if (!e.User.Utf8.IsEmpty) at += Labelled(" by "u8, e.User.Utf8, to[at..]);
        if (!e.Object.Utf8.IsEmpty) at += Labelled(" on "u8, e.Object.Utf8, to[at..]);
        var status = e.StatusId switch { 1 => ": success"u8, 2 => ": failure"u8, _ => [] };
        status.CopyTo(to[at..]);
        return at + status.Length;
    }

    static int Labelled(ReadOnlySpan<byte> label, ReadOnlySpan<byte> text, Span<byte> to)
    {
        label.CopyTo(to);
        return label.Length + Part(text, to[label.Length..]);
    }

    /// <summary>Copies the start of a text, whole characters only, with U+FFFD for what is none.</summary>
    static int Part(ReadOnlySpan<byte> text, Span<byte> to)
    {
        var at = 0;
        while (!text.IsEmpty)
        {
            _ = System.Text.Rune.DecodeFromUtf8(text, out var rune, out var read);
            if (at + rune.Utf8SequenceLength > PartMax)
            {
                "…"u8.CopyTo(to[at..]);
                return at + 3;
            }
            at += rune.EncodeToUtf8(to[at..]);
            text = text[read..];
        }
        return at;
    }
}
