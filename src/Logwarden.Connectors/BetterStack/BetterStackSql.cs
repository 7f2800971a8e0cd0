using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.BetterStack;

/// <summary>
/// Reads back what a source at Better Stack has: SQL of ClickHouse over HTTP with Basic authentication (https://betterstack.com/docs/logs/query-api/connect-remotely/). The newest rows are in
/// <c>remote(…_logs)</c> and move to <c>s3Cluster(primary, …_s3)</c>, so both are asked at once. Four queries may run at a time for a whole team: this asks one after another,
/// with a pause between them. One caller at a time.
/// </summary>
sealed class BetterStackSql : IDisposable
{
    const int QueryBytesMax = 96 << 10; // the server parses no more than 256 KiB
    const int AnswerBytesMax = 4 << 20;
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    readonly DestinationContext _context;
    readonly Uri _endpoint;
    readonly string _user;
    readonly string _table;
    readonly DestinationHttp _http;

    BetterStackSql(DestinationContext context, Uri endpoint)
    {
        (_context, _endpoint) = (context, endpoint);
        _user = context.Required("query-user");
        if (_user.Contains(':', StringComparison.Ordinal)) throw new SettingException("query-user", "must not hold a colon");
        _table = context.Required("query-table");
        if (!_table.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')) throw new SettingException("query-table", "must be letters, digits and _ only, such as t123456_production");
        _ = context.HeaderSecret("query-password");
        _http = new(endpoint, DestinationHttp.AttemptMax, context.Time);
    }

    /// <summary>Makes one of the settings <c>query-…</c>; null when there is none of them.</summary>
    /// <exception cref="SettingException">Some of them are missing, or one is wrong.</exception>
    public static BetterStackSql? Open(DestinationContext context)
    {
        if (context.Service("query-endpoint") is { } endpoint) return new(context, endpoint);
        foreach (var name in (ReadOnlySpan<string>)["query-user", "query-password", "query-table"])
        {
            if (context.Optional(name) is not null) throw new SettingException("query-endpoint", $"is missing, while {name} is set");
        }
        return null;
    }

    /// <summary>Which of these events are there.</summary>
    /// <exception cref="HttpRequestException">It can't be told now; the message says why.</exception>
    /// <exception cref="IOException">The connection broke.</exception>
    public async Task<IReadOnlySet<string>> FindAsync(IReadOnlyList<SentEvent> wanted, CancellationToken cancel)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        var isFirst = true;
        foreach (var part in Parts(wanted))
        {
            if (!isFirst) await Task.Delay(Pause, _context.Time, cancel);
            isFirst = false;
            await AskAsync(Query(part), found, cancel);
        }
        return found;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    /// <summary>Cuts what is wanted into queries of near times.</summary>
    static IEnumerable<List<SentEvent>> Parts(IReadOnlyList<SentEvent> wanted)
    {
        var part = new List<SentEvent>();
        var bytes = 0;
        foreach (var one in wanted.OrderBy(one => one.TimeMicros))
        {
            var size = 2 * Encoding.UTF8.GetByteCount(one.Id) + 3;
            if (part.Count > 0 && (bytes + size > QueryBytesMax || one.TimeMicros / 1_000_000 - part[0].TimeMicros / 1_000_000 > 6 * 3600))
            {
                yield return part;
                (part, bytes) = ([], 0);
            }
            part.Add(one);
            bytes += size;
        }
        if (part.Count > 0) yield return part;
    }

    string Query(List<SentEvent> part)
    {
        var when = Between(part);
        var ids = string.Join(',', part.Select(one => Literal(one.Id)));
        return $"""
            SELECT DISTINCT id FROM (
            SELECT JSONExtractString(raw, 'event_id') AS id FROM remote({_table}_logs) WHERE {when}
            UNION ALL
            SELECT JSONExtractString(raw, 'event_id') AS id FROM s3Cluster(primary, {_table}_s3) WHERE _row_type = 1 AND {when}
            ) WHERE id IN ({ids}) FORMAT JSONEachRow
            """;
    }

    /// <summary>The time of the events, a second more on either side; none where a time is out of what the server can hold, for then it shows another.</summary>
    static string Between(List<SentEvent> part)
    {
        const long Min = 1_000_000;
        const long Max = 4_102_444_800_000_000; // 2100-01-01
        var (first, last) = (part[0].TimeMicros, part[^1].TimeMicros);
        return first < Min || last > Max ? "1 = 1" : $"dt BETWEEN {Time(first - 1_000_000)} AND {Time(last + 1_000_000)}";
    }

    static string Time(long micros) => string.Create(CultureInfo.InvariantCulture, $"toDateTime64('{UnixMicros.ToInstant(micros):yyyy-MM-dd HH:mm:ss.ffffff}', 6, 'UTC')");

    static string Literal(string text)
    {
        var quoted = new StringBuilder("'", text.Length + 2);
        foreach (var c in text)
        {
            if (c is '\'' or '\\') quoted.Append('\\').Append(c);
            else if (char.IsControl(c) && c < 0x80) quoted.Append(CultureInfo.InvariantCulture, $"\\x{(int)c:X2}");
            else quoted.Append(c);
        }
        return quoted.Append('\'').ToString();
    }

    async Task AskAsync(string query, HashSet<string> found, CancellationToken cancel)
    {
        string password;
        try
        {
            password = _context.HeaderSecret("query-password");
        }
        catch (SettingException missing)
        {
            throw new HttpRequestException(missing.Message, missing);
        }
        using var request = new HttpRequestMessage(HttpMethod.Post, _endpoint);
        request.Headers.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{_user}:{password}")));
        request.Content = new StringContent(query, Encoding.UTF8, "text/plain");
        var reply = await _http.SendAsync(request, [password], AnswerBytesMax, cancel);
        var what = reply.Status switch
        {
            HttpStatusCode.OK => null,
            HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden => "it refused the user of the setting query-user or the password",
            HttpStatusCode.TooManyRequests => "too many queries run at the moment",
            HttpStatusCode.NotFound => "it has no such table; the setting query-table names it",
            _ => "it failed",
        };
        if (what is not null) throw new HttpRequestException($"Better Stack can't be read back: {what}: {reply.Reason}", null, reply.Status);
        if (reply.IsCut) throw new HttpRequestException("Better Stack can't be read back: the answer is larger than was asked for");
        Read(reply.Body, found, [password]);
    }

    /// <summary>Reads the rows. An exception of the server comes behind them with status 200, as a text or as a row of its own.</summary>
    static void Read(ReadOnlyMemory<byte> answer, HashSet<string> found, IReadOnlyList<string> secrets)
    {
        foreach (var range in answer.Span.Split((byte)'\n'))
        {
            var line = answer.Span[range].Trim((byte)'\r');
            if (line.IsEmpty) continue;
            if (Id(line) is not { } id) throw new HttpRequestException($"Better Stack can't be read back: its answer breaks off with: {DestinationHttp.Clean(line, secrets)}");
            found.Add(id);
        }
    }

    static string? Id(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject || !reader.Read() || reader.TokenType != JsonTokenType.PropertyName || !reader.ValueTextEquals("id"u8)) return null;
            return reader.Read() && reader.TokenType == JsonTokenType.String ? reader.GetString() : null;
        }
        catch (Exception bad) when (bad is JsonException or InvalidOperationException)
        {
            return null;
        }
    }
}
