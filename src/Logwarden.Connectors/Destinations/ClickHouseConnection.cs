using System.Globalization;
using System.Net;
using System.Text;
using System.Text.RegularExpressions;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>What ClickHouse answered to one statement.</summary>
/// <param name="Code">0: done. Otherwise ClickHouse's error code, or <see cref="Unnamed"/> when something else answered, such as a proxy.</param>
/// <param name="Status">HTTP status.</param>
/// <param name="Text">What it said when it was not done, cut to a line. It may quote data.</param>
/// <param name="Body">Its answer; empty when it was not done.</param>
/// <param name="RetryAfter">When it wants to be asked again.</param>
sealed record ClickHouseReply(int Code, HttpStatusCode Status, string Text, byte[] Body, TimeSpan? RetryAfter)
{
    /// <summary>Code of an answer that is not ClickHouse's.</summary>
    public const int Unnamed = -1;

    /// <summary>Whether it did what it was asked.</summary>
    public bool IsDone => Code == 0;

    /// <summary>Whether the table or its database is not there.</summary>
    public bool IsGone => Code is 60 or 81;
}

/// <summary>
/// ClickHouse's HTTP interface (https://clickhouse.com/docs/interfaces/http), as servers since 2018 speak it: a statement in the body, or in the address with its data in the body.
/// User and password go in headers. Answers are held back by the server until the statement has ended (<c>wait_end_of_query</c>), so that an error has a status of
/// its own and does not come behind a 200; should one do so all the same, it is found in the body.
/// </summary>
sealed partial class ClickHouseConnection(HttpClient client, Uri endpoint, string user, Func<string?> password) : IDisposable
{
    const int TextMax = 300;

    /// <inheritdoc/>
    public void Dispose() => client.Dispose();

    /// <summary>Runs a statement.</summary>
    /// <param name="sql">It; a SELECT says FORMAT RowBinary.</param>
    /// <param name="settings">Settings of the server for it, <c>name=value&amp;…</c>.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    /// <exception cref="IOException">The connection broke, or no answer came in time; whether it was done is not known.</exception>
    /// <exception cref="SettingException">The password can't be read.</exception>
    public async ValueTask<ClickHouseReply> RunAsync(string sql, string settings, CancellationToken cancel)
    {
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(sql));
        return await PostAsync($"wait_end_of_query=1&{settings}", content, isInsert: false, cancel);
    }

    /// <summary>Runs an INSERT with its data.</summary>
    /// <param name="sql">It, up to its FORMAT.</param>
    /// <param name="queryId">Its id in <c>system.processes</c>.</param>
    /// <param name="settings">Settings of the server for it, <c>name=value&amp;…</c>.</param>
    /// <param name="data">The data, in parts.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="HttpRequestException">The server was not reached.</exception>
    /// <exception cref="IOException">The connection broke, or no answer came in time; whether it was done is not known.</exception>
    /// <exception cref="SettingException">The password can't be read.</exception>
    public async ValueTask<ClickHouseReply> InsertAsync(string sql, string queryId, string settings, IReadOnlyList<ReadOnlyMemory<byte>> data, CancellationToken cancel)
    {
        using var content = new PartsContent(data);
        return await PostAsync($"wait_end_of_query=1&query_id={Uri.EscapeDataString(queryId)}&query={Uri.EscapeDataString(sql)}&{settings}", content, isInsert: true, cancel);
    }

    /// <summary>A text as a literal of SQL.</summary>
    public static string Literal(string text) => "'" + text.Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("'", "\\'", StringComparison.Ordinal).Replace("\0", "\\0", StringComparison.Ordinal) + "'";

    async ValueTask<ClickHouseReply> PostAsync(string settings, HttpContent content, bool isInsert, CancellationToken cancel)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new UriBuilder(endpoint) { Query = settings.TrimEnd('&') }.Uri) { Content = content };
        request.Headers.TryAddWithoutValidation("X-ClickHouse-User", user);
        if (password() is { } secret) request.Headers.TryAddWithoutValidation("X-ClickHouse-Key", secret);
        try
        {
            using var response = await client.SendAsync(request, HttpCompletionOption.ResponseContentRead, cancel);
            var body = await response.Content.ReadAsByteArrayAsync(cancel);
            return Read(response, body, isInsert);
        }
        catch (HttpRequestException bad) when (bad.HttpRequestError is not (HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError
            or HttpRequestError.SecureConnectionError or HttpRequestError.ProxyTunnelError))
        {
            throw new IOException($"The connection to ClickHouse broke before its answer came ({bad.HttpRequestError}).", bad);
        }
        catch (OperationCanceledException late) when (!cancel.IsCancellationRequested)
        {
            throw new IOException("ClickHouse did not answer in time.", late);
        }
    }

    static ClickHouseReply Read(HttpResponseMessage response, byte[] body, bool isInsert)
    {
        var code = response.Headers.TryGetValues("X-ClickHouse-Exception-Code", out var named)
            && int.TryParse(named.First(), CultureInfo.InvariantCulture, out var number) ? number : 0;
        if (response.IsSuccessStatusCode && code == 0 && !(isInsert && body.Length > 0)) return new(0, response.StatusCode, "", body, null);
        // An INSERT answers nothing: what stands there is an error that came late.
        var text = Encoding.UTF8.GetString(body.AsSpan(0, Math.Min(body.Length, 4096)));
        if (code == 0 && Exception().Match(text) is { Success: true } found) code = int.Parse(found.Groups["code"].ValueSpan, CultureInfo.InvariantCulture);
        text = text.ReplaceLineEndings(" ").Trim();
        return new(code == 0 ? ClickHouseReply.Unnamed : code, response.StatusCode, text.Length > TextMax ? text[..TextMax] + "…" : text, [], response.Headers.RetryAfter?.Delta);
    }

    [GeneratedRegex(@"Code: (?<code>[0-9]{1,6})", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)]
    private static partial Regex Exception();

    /// <summary>A body that lies in parts, with its length told before it.</summary>
    sealed class PartsContent(IReadOnlyList<ReadOnlyMemory<byte>> parts) : HttpContent
    {
        protected override Task SerializeToStreamAsync(Stream stream, TransportContext? context) => SerializeToStreamAsync(stream, context, CancellationToken.None);

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context, CancellationToken cancellationToken)
        {
            // The connection puts small ones together.
            foreach (var part in parts) await stream.WriteAsync(part, cancellationToken);
        }

        protected override bool TryComputeLength(out long length)
        {
            length = parts.Sum(part => (long)part.Length);
            return true;
        }
    }
}

/// <summary>What an answer of ClickHouse means for the delivery loop. Codes: https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp.</summary>
static class ClickHouseAnswers
{
    /// <summary>The answer to a batch of which this was not done.</summary>
    public static Answer Of(ClickHouseReply reply, EventBatch batch) => reply.Code switch
    {
        192 or 193 or 194 or 195 or 516 => new Answer.Blocked($"ClickHouse does not take the user and password (code {reply.Code}): put the settings user and password right."),
        164 or 291 or 497 => new Answer.Blocked($"the user of ClickHouse may not do this (code {reply.Code}): grant what docs/destinations-clickhouse.md lists. It said: {reply.Text}"),
        115 or 452 => new Answer.Blocked($"the user of ClickHouse may not change a setting that is needed (code {reply.Code}): loosen its profile. It said: {reply.Text}"),
        8 or 10 or 16 or 47 => new Answer.Blocked($"the table in ClickHouse has not the columns of docs/destinations-clickhouse.md (code {reply.Code}): alter it, or name another installation. It said: {reply.Text}"),
        // What is wrong with data is told by its code alone: the text quotes them.
        6 or 26 or 27 or 33 or 38 or 41 or 53 or 70 or 72 or 117 or 131 or 349 or 469 or 691 => Split(batch, $"ClickHouse can't read the row (code {reply.Code})"),
        // Of this statement, not of the server: half of it may pass.
        241 when reply.Text.Contains("for query", StringComparison.Ordinal) || reply.Text.Contains("Query memory limit", StringComparison.Ordinal) => Halve(reply, batch),
        252 when reply.Text.Contains("partitions for single INSERT", StringComparison.Ordinal) => Halve(reply, batch),
        ClickHouseReply.Unnamed => OfStatus(reply),
        _ => new Answer.Later(reply.RetryAfter, $"ClickHouse says (code {reply.Code}): {reply.Text}"),
    };

    static Answer OfStatus(ClickHouseReply reply) => (int)reply.Status switch
    {
        413 => new Answer.TooLarge(),
        408 or 425 or 429 => new Answer.Later(reply.RetryAfter, $"HTTP {(int)reply.Status}: {reply.Text}"),
        >= 300 and < 500 => new Answer.Blocked($"HTTP {(int)reply.Status} without a code of ClickHouse: is the setting endpoint its HTTP port? It said: {reply.Text}"),
        _ => new Answer.Later(reply.RetryAfter, $"HTTP {(int)reply.Status}: {reply.Text}"),
    };

    static Answer Split(EventBatch batch, string reason) => batch.Count > 1 ? new Answer.TooLarge() : Answer.Refused.All(batch, reason);

    static Answer Halve(ClickHouseReply reply, EventBatch batch) => batch.Count > 1 ? new Answer.TooLarge() : new Answer.Later(reply.RetryAfter, $"ClickHouse says (code {reply.Code}): {reply.Text}");
}
