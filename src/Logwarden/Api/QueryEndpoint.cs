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
    public int Limit { get; init; } = 100;

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
            var body = new MemoryStream();
            if (question.Sql is { } sql) EventExport.WriteApi(await engine.SqlAsync(sql, cancel), body);
            else if (question.Histogram is { } buckets) EventExport.WriteApi(await engine.HistogramAsync(scope, buckets, cancel), body);
            else if (question.Top is { } field) EventExport.WriteApi(await engine.TopAsync(scope, field, question.Limit, cancel), body);
            else EventExport.WriteApi(await engine.SearchAsync(new SearchRequest { Scope = scope, Limit = question.Limit, Cursor = question.Cursor }, cancel), body);
            return Results.Bytes(body.GetBuffer().AsMemory(0, (int)body.Length), "application/json");
        }
        catch (QueryRefusedException refused)
        {
            return Results.Problem(refused.Message, statusCode: StatusCodes.Status400BadRequest);
        }
    }
}
