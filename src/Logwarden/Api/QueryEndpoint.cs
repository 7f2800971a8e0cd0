using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Catalog;
using Logwarden.Hosting;
using Logwarden.Hot;
using Logwarden.Match;
using Logwarden.Query;
using Logwarden.Sql;

namespace Logwarden.Api;

/// <summary>A question to <c>POST /api/v1/query</c>. One of <see cref="Sql"/>, <see cref="Histogram"/> and <see cref="Top"/>, or none of them for events.</summary>
sealed record QueryQuestion
{
    const int LimitDefault = 100;

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

    /// <summary>Number of stretches of time, 1 to 10,000.</summary>
    public int? Histogram { get; init; }

    /// <summary>Field whose most frequent values are wanted.</summary>
    public string? Top { get; init; }

    /// <summary>As it is asked everywhere, with the defaults of this route.</summary>
    public Question ToQuestion() => new()
    {
        Sql = Sql,
        Scope = new() { Filter = Filter ?? "", From = From, To = To, Class = Class, Source = Source },
        Limit = Limit ?? LimitDefault,
        Cursor = Cursor,
        Histogram = Histogram,
        Top = Top,
    };
}

[JsonSerializable(typeof(QueryQuestion))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
sealed partial class QueryJson : JsonSerializerContext;

/// <summary>The installation's folder.</summary>
sealed record DataFolder(string Folder);

/// <summary><c>POST /api/v1/query</c>: what <c>logwarden query</c> does, over HTTP. Every question is recorded before it is answered.</summary>
static class QueryEndpoint
{
    const int BodyBytesMax = 512 * 1024;

    static readonly string[] Names = ["filter", "sql", "from", "to", "class", "source", "limit", "cursor", "histogram", "top"];

    /// <summary>Adds what the route needs.</summary>
    public static void AddQuery(this IServiceCollection services, string data)
    {
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, QueryJson.Default));
        services.AddSingleton(new DataFolder(data));
        services.AddSingleton(_ => new QueryEngine(new HotStoreOptions { DataDirectory = data }, new QueryLimits(), TimeProvider.System));
        services.AddSingleton(_ => new SqlWorkers(data, new(), TimeProvider.System));
    }

    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapPost("/api/v1/query", AnswerAsync)
        .AddEndpointFilter<ApiGuard>()
        .Accepts<QueryQuestion>("application/json")
        .Produces(StatusCodes.Status200OK, contentType: "application/json")
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status413PayloadTooLarge)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
        .WithName("query")
        .WithTags("api")
        .WithSummary("Finds events by filter, newest first and in pages; or a histogram, top values, or read-only SQL over the view `events`.");

    static async Task<IResult> AnswerAsync(HttpContext http, QueryEngine engine, SqlWorkers workers, AccessLog access, Installation installation, DataFolder data)
    {
        var cancel = http.RequestAborted;
        var body = new PooledBytes(BodyBytesMax);
        try
        {
            if (!await body.ReadAsync(http.Request.Body, cancel))
                return Results.Problem($"The question has more than {BodyBytesMax} bytes.", statusCode: StatusCodes.Status413PayloadTooLarge);
            if ((Read(body.Memory, out var question) ?? question.Wrong(installation.Policy, "")) is { } wrong) return Results.Problem(wrong, statusCode: StatusCodes.Status400BadRequest);
            access.Record(question.Access(ApiGuard.Actor(http), installation.Policy) with { Ip = http.Connection.RemoteIpAddress?.ToString() });
            var (scope, limit) = (question.Scope, question.Limit);
            var answer = Answer(installation, data, scope);
            if (question.Sql is { } sql) await answer.WriteAsync(lines => workers.AnswerAsync(new(sql, scope, ExportFormat.Json, 0), lines, cancel));
            else if (question.Histogram is { } buckets) await answer.WriteAsync(await engine.HistogramAsync(scope, buckets, cancel), cancel);
            else if (question.Top is { } field) await answer.WriteAsync(await engine.TopAsync(scope, field, limit, cancel), cancel);
            else await answer.WriteAsync(await engine.SearchAsync(new SearchRequest { Scope = scope, Limit = limit, Cursor = question.Cursor }, cancel), cancel);
            return Results.Bytes(answer.Memory, "application/json");
        }
        catch (QueryRefusedException refused)
        {
            return Results.Problem(refused.Message, statusCode: StatusCodes.Status400BadRequest);
        }
        finally
        {
            body.Clear();
        }
    }

    /// <summary>An answer that tells what it lacks because it is in the archive only, or that this can't be told.</summary>
    static AnswerWriter Answer(Installation installation, DataFolder data, EventScope scope)
    {
        try
        {
            var catalog = installation.Custody.Catalog;
            return new(ColdRange.Of(catalog, data.Folder, scope.From, scope.To, scope.Class, scope.Filter), ColdRange.IsKnown(catalog, data.Folder));
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            return new(cold: null, isKnown: false);
        }
    }

    /// <summary>Reads a question; gives back what is wrong with it, or null.</summary>
    static string? Read(ReadOnlyMemory<byte> body, out Question question)
    {
        question = new QueryQuestion().ToQuestion();
        try
        {
            using (var document = JsonDocument.Parse(body))
            {
                if (document.RootElement.ValueKind != JsonValueKind.Object) return "The body must be a JSON object such as {\"filter\": \"user=ada\"}.";
                foreach (var property in document.RootElement.EnumerateObject())
                {
                    if (Names.Contains(property.Name, StringComparer.Ordinal)) continue;
                    var nearest = NearestWord.Find(property.Name, Names);
                    return $"There is no field '{property.Name}'{(nearest is null ? "" : $", did you mean '{nearest}'?")} The fields are {string.Join(", ", Names)}.";
                }
            }
            question = JsonSerializer.Deserialize(body.Span, QueryJson.Default.QueryQuestion)!.ToQuestion();
            return null;
        }
        catch (InvalidOperationException)
        {
            return "The body is not JSON: a name in it has a \\u escape of half a character.";
        }
        catch (JsonException bad)
        {
            return bad.Path is { Length: > 2 } path ? $"The field '{path[2..]}' has a value of the wrong kind: expected what the OpenAPI document says." : $"The body is not JSON: {bad.Message}";
        }
    }
}

/// <summary>
/// An answer as one JSON object: <c>events</c>, <c>rows</c>, <c>histogram</c> or <c>top</c> hold what the command line prints a line each; beside
/// them <c>next_cursor</c> (null at the end), <c>truncated</c> for SQL, <c>elapsed_ms</c>, <c>cold</c> when part of what was asked is in the archive only, and <c>cold_unknown</c> when
/// that can't be told at present.
/// </summary>
/// <param name="cold">What is in the archive only; null when nothing is.</param>
/// <param name="isKnown">Whether that is all.</param>
sealed class AnswerWriter(ColdRange? cold, bool isKnown)
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

    /// <summary>Rows of SQL, that someone prints as lines of JSON.</summary>
    public async Task WriteAsync(Func<Stream, Task<SqlEnd>> print)
    {
        SqlEnd? end = null;
        await LinesAsync("rows", async lines => end = await print(lines));
        End(end!.Elapsed, end.Truncated ? "\"truncated\":true," : "\"truncated\":false,");
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

    Task ListAsync(string name, Func<EventExport, Task> write) => LinesAsync(name, lines => write(new EventExport(lines, ExportFormat.Json, 0)));

    /// <summary>Lines as the elements of an array.</summary>
    async Task LinesAsync(string name, Func<Stream, Task> write)
    {
        using var lines = new MemoryStream();
        await write(lines);
        var text = lines.GetBuffer().AsSpan(0, (int)lines.Length).TrimEnd((byte)'\n').ToArray();
        text.AsSpan().Replace((byte)'\n', (byte)',');
        Put($"{{\"{name}\":[");
        System.Buffers.BuffersExtensions.Write(_body, text);
        Put("],");
    }

    void End(TimeSpan elapsed, string more) => Put(string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{more}\"elapsed_ms\":{elapsed.TotalMilliseconds:F1}{Cold()}}}"));

    string Cold() => (isKnown ? "" : ",\"cold_unknown\":true") + (cold is null ? "" : ",\"cold\":" + JsonSerializer.Serialize(new
    {
        segments = cold.Segments,
        bytes = cold.Bytes,
        events = cold.Rows,
        from = ColdRange.Text(cold.From),
        to = ColdRange.Text(cold.To),
        restore = cold.Command,
    }));

    void Put(string text) => System.Buffers.BuffersExtensions.Write(_body, System.Text.Encoding.UTF8.GetBytes(text));
}
