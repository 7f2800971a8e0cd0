using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Microsoft.AspNetCore.Http;

namespace Logwarden.Tests.World;

/// <summary>
/// The SQL side of <see cref="BetterStackStandIn"/>: ClickHouse over HTTP with Basic authentication, as far as ids are asked for. A row is in <c>remote(TABLE_logs)</c> a while after it was taken
/// in, and from some time on only in <c>s3Cluster(primary, TABLE_s3)</c>, where rows that are no logs lie as well: who does not ask both misses rows. Four queries run at a time.
/// </summary>
sealed partial class StandInSql(TimeProvider time, Func<IEnumerable<StandInSource>> sources)
{
    int _running;
    TaskCompletionSource? _hold;

    /// <summary>The user of the connection.</summary>
    public string User { get; set; } = "reader";

    /// <summary>Its password.</summary>
    public string Password { get; set; } = "reader-password";

    /// <summary>How long after it was taken in a row can be found.</summary>
    public TimeSpan VisibleAfter { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>How long after it was taken in a row moves into the other table.</summary>
    public TimeSpan MovesAfter { get; set; } = TimeSpan.FromMinutes(30);

    /// <summary>What an answer of status 200 breaks off with, behind its rows; null when it does not.</summary>
    public string? BreaksOffWith { get; set; }

    /// <summary>Queries that run now.</summary>
    public int Running => Volatile.Read(ref _running);

    /// <summary>Queries that were answered with rows.</summary>
    public int Answered { get; private set; }

    /// <summary>From now on queries wait, until what this returns is disposed of.</summary>
    public IDisposable Hold()
    {
        _hold = new(TaskCreationOptions.RunContinuationsAsynchronously);
        return new Release(this);
    }

    internal async Task AnswerAsync(HttpContext http)
    {
        var expected = "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}"));
        if (!string.Equals(http.Request.Headers.Authorization, expected, StringComparison.Ordinal))
        {
            await SayAsync(http, 403, $"Code: 516. DB::Exception: {User}: Authentication failed: password is incorrect, or there is no user with such name. (AUTHENTICATION_FAILED)");
            return;
        }
        using var reader = new StreamReader(http.Request.Body);
        var query = await reader.ReadToEndAsync(http.RequestAborted);
        try
        {
            if (Interlocked.Increment(ref _running) > 4)
            {
                await SayAsync(http, 429, "Code: 202. DB::Exception: Too many simultaneous queries. Maximum: 4. (TOO_MANY_SIMULTANEOUS_QUERIES)");
                return;
            }
            if (_hold is { } hold) await hold.Task.WaitAsync(http.RequestAborted);
            if (Rows(query) is not { } rows)
            {
                await SayAsync(http, 400, "Code: 62. DB::Exception: Syntax error: failed at position 1. (SYNTAX_ERROR)");
                return;
            }
            Answered++;
            await SayAsync(http, 200, string.Concat(rows.Select(id => $"{{\"id\":{JsonSerializer.Serialize(id)}}}\n")) + BreaksOffWith);
        }
        finally
        {
            Interlocked.Decrement(ref _running);
        }
    }

    /// <summary>Ids that the query finds; null where it is not one that this understands.</summary>
    List<string>? Rows(string query)
    {
        if (!query.TrimEnd().EndsWith("FORMAT JSONEachRow", StringComparison.Ordinal) || Wanted().Match(query) is not { Success: true } wanted) return null;
        var ids = Literals().Matches(wanted.Groups["ids"].Value).Select(one => Unescape(one.Groups["text"].Value)).ToHashSet(StringComparer.Ordinal);
        var found = new List<string>();
        var now = time.GetUtcNow();
        foreach (System.Text.RegularExpressions.Match branch in Branches().Matches(query))
        {
            var isRecent = branch.Groups["recent"].Success;
            if (sources().FirstOrDefault(one => one.Table == branch.Groups[isRecent ? "recent" : "old"].Value) is not { } source) return null;
            if (!isRecent && !branch.Groups["where"].Value.Contains("_row_type = 1", StringComparison.Ordinal)) found.AddRange(ids); // spans and other rows come along
            var between = Between().Match(branch.Groups["where"].Value);
            found.AddRange(source.Received
                .Where(one => now >= one.Received + VisibleAfter && now < one.Received + MovesAfter == isRecent)
                .Where(one => !between.Success || (one.Dt >= Time(between.Groups["from"].Value) && one.Dt <= Time(between.Groups["to"].Value)))
                .Select(one => one.Id).Where(ids.Contains));
        }
        return query.Contains("SELECT DISTINCT id", StringComparison.Ordinal) ? [.. found.Distinct(StringComparer.Ordinal)] : found;
    }

    static DateTimeOffset Time(string text) => DateTimeOffset.ParseExact(text, "yyyy-MM-dd HH:mm:ss.ffffff", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal);

    static string Unescape(string literal) => Escapes().Replace(literal, escape => escape.Groups["hex"].Success
        ? ((char)int.Parse(escape.Groups["hex"].Value, NumberStyles.HexNumber, CultureInfo.InvariantCulture)).ToString() : escape.Groups["plain"].Value);

    static Task SayAsync(HttpContext http, int status, string body)
    {
        http.Response.StatusCode = status;
        return http.Response.WriteAsync(body, http.RequestAborted);
    }

    [GeneratedRegex(@"FROM (remote\((?<recent>\w+)_logs\)|s3Cluster\(primary, (?<old>\w+)_s3\)) WHERE (?<where>[^\n]*)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Branches();

    [GeneratedRegex(@"dt BETWEEN toDateTime64\('(?<from>[^']*)', 6, 'UTC'\) AND toDateTime64\('(?<to>[^']*)', 6, 'UTC'\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Between();

    [GeneratedRegex(@"\) WHERE id IN \((?<ids>.*)\) FORMAT", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Wanted();

    [GeneratedRegex(@"'(?<text>([^'\\]|\\.)*)'", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Literals();

    [GeneratedRegex(@"\\(x(?<hex>[0-9A-F]{2})|(?<plain>.))", RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Escapes();

    sealed class Release(StandInSql sql) : IDisposable
    {
        public void Dispose()
        {
            var hold = sql._hold;
            sql._hold = null;
            hold?.SetResult();
        }
    }
}
