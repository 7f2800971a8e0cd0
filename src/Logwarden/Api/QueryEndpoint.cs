using System.Text.Json.Serialization;
using Logwarden.Hosting;
using Logwarden.Hot;
using Logwarden.Query;

namespace Logwarden.Api;

/// <summary>A question to <c>POST /api/v1/query</c>. One of <see cref="Sql"/>, <see cref="Histogram"/> and <see cref="Top"/>, or none of them for events.</summary>
sealed record QueryQuestion
{
    /// <summary>What events must match (docs/query-language.md); empty is all.</summary>
    public string? Filter { get; init; }

    /// <summary>One SELECT over the view <c>events</c> (docs/query.md).</summary>
    public string? Sql { get; init; }

    /// <summary>From this time on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Only this policy class.</summary>
    public string? Class { get; init; }

    /// <summary>Only this source.</summary>
    public string? Source { get; init; }

    /// <summary>Most rows, 1 to 10,000. Default 100.</summary>
    public int? Limit { get; init; }

    /// <summary><c>next_cursor</c> of the page before.</summary>
    public string? Cursor { get; init; }

    /// <summary>Number of stretches of time, 1 to 1,000.</summary>
    public int? Histogram { get; init; }

    /// <summary>Field whose most frequent values are wanted.</summary>
    public string? Top { get; init; }
}

[JsonSerializable(typeof(QueryQuestion))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
sealed partial class QueryJson : JsonSerializerContext;

/// <summary><c>POST /api/v1/query</c>: what <c>logwarden query</c> does, over HTTP. Every question is recorded before it is answered.</summary>
static class QueryEndpoint
{
    const int DefaultLimit = 100;

    /// <summary>Adds what the route needs.</summary>
    public static void AddQuery(this IServiceCollection services, string data)
    {
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, QueryJson.Default));
        services.AddSingleton(_ => new QueryEngine(new HotStoreOptions { DataDirectory = data }, new QueryLimits(), TimeProvider.System));
    }

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("/api/v1/query", AnswerAsync)
        .AddEndpointFilter<ApiGuard>()
        .WithName("query")
        .WithTags("api")
        .WithSummary("Finds events by filter, newest first and in pages; or a histogram, top values, or read-only SQL over the view `events`.");

    static async Task<IResult> AnswerAsync(QueryQuestion question, HttpContext http, QueryEngine engine, AccessLog access, Installation installation)
    {
        var cancel = http.RequestAborted;
        access.Record(
            ApiGuard.Actor(http), http.Connection.RemoteIpAddress?.ToString(), question.Sql is null ? "query" : "sql",
            AccessLog.Subject(installation.Policy.Redactor, question.Sql ?? question.Filter ?? ""));
        var scope = new EventScope { Filter = question.Filter ?? "", From = question.From, To = question.To, Class = question.Class, Source = question.Source };
        try
        {
            var answer = new AnswerWriter();
            if (question.Sql is { } sql) await answer.WriteAsync(await engine.SqlAsync(sql, cancel), cancel);
            else if (question.Histogram is { } buckets) await answer.WriteAsync(await engine.HistogramAsync(scope, buckets, cancel), cancel);
            else if (question.Top is { } field) await answer.WriteAsync(await engine.TopAsync(scope, field, question.Limit ?? DefaultLimit, cancel), cancel);
            else await answer.WriteAsync(await engine.SearchAsync(new SearchRequest { Scope = scope, Limit = question.Limit ?? DefaultLimit, Cursor = question.Cursor }, cancel), cancel);
            return Results.Bytes(answer.Memory, "application/json");
        }
        catch (QueryRefusedException refused)
        {
            return Results.Problem(refused.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }
}

/// <summary>
/// An answer as one JSON object: <c>events</c>, <c>rows</c>, <c>histogram</c> or <c>top</c> hold what the command line prints a line each; beside
/// them <c>next_cursor</c> (null at the end), <c>truncated</c> for SQL, and <c>elapsed_ms</c>.
/// </summary>
sealed class AnswerWriter
{
    readonly System.Buffers.ArrayBufferWriter<byte> _body = new(4096);

    /// <summary>The answer.</summary>
    public ReadOnlyMemory<byte> Memory => _body.WrittenMemory;

    public async Task WriteAsync(SearchPage page, CancellationToken cancel)
    {
        await ListAsync("events", export => export.WriteAsync(page.Rows, cancel));
        var cursor = page.NextCursor is null ? "null" : $"\"{System.Text.Json.JsonEncodedText.Encode(page.NextCursor)}\"";
        End(page.Elapsed, $"\"next_cursor\":{cursor},");
    }

    public async Task WriteAsync(SqlAnswer answer, CancellationToken cancel)
    {
        await ListAsync("rows", export => export.WriteAsync(answer, cancel));
        End(answer.Elapsed, answer.Truncated ? "\"truncated\":true," : "\"truncated\":false,");
    }

    public async Task WriteAsync(Histogram histogram, CancellationToken cancel)
    {
        await ListAsync("histogram", export => export.WriteAsync(histogram, cancel));
        End(histogram.Elapsed, "");
    }

    public async Task WriteAsync(TopValues top, CancellationToken cancel)
    {
        await ListAsync("top", export => export.WriteAsync(top, cancel));
        End(top.Elapsed, "");
    }

    /// <summary>The lines of an export as the elements of an array.</summary>
    async Task ListAsync(string name, Func<EventExport, Task> write)
    {
        using var lines = new MemoryStream();
        await write(new EventExport(lines, ExportFormat.Json, 0));
        var text = lines.GetBuffer().AsSpan(0, (int)lines.Length).TrimEnd((byte)'\n').ToArray();
        text.AsSpan().Replace((byte)'\n', (byte)',');
        Put($"{{\"{name}\":[");
        System.Buffers.BuffersExtensions.Write(_body, text);
        Put("],");
    }

    void End(TimeSpan elapsed, string more) => Put(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{more}\"elapsed_ms\":{elapsed.TotalMilliseconds:F1}}}"));

    void Put(string text) => System.Buffers.BuffersExtensions.Write(_body, System.Text.Encoding.UTF8.GetBytes(text));
}
