using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Holds;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary>What is asked of <c>POST /api/v1/holds</c>; as <see cref="HoldRequest"/>.</summary>
sealed record HoldQuestion
{
    /// <summary>The matter, such as a case number.</summary>
    public string? Matter { get; init; }

    /// <summary>Who asks for it.</summary>
    public string? Requester { get; init; }

    /// <summary>Who approves it: someone else.</summary>
    public string? Approver { get; init; }

    /// <summary>Events of this source.</summary>
    public string? Source { get; init; }

    /// <summary>Events of this user; may have the wildcards * and ?.</summary>
    public string? User { get; init; }

    /// <summary>Events on this object; may have wildcards.</summary>
    public string? Object { get; init; }

    /// <summary>Events of this policy class.</summary>
    public string? Class { get; init; }

    /// <summary>Events from this time on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Events before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>A filter (docs/query-language.md).</summary>
    public string? When { get; init; }
}

/// <summary>What is asked of <c>POST /api/v1/holds/ID/release</c>.</summary>
sealed record ReleaseQuestion
{
    /// <summary>Who asks for it.</summary>
    public string? Requester { get; init; }

    /// <summary>Who approves it: someone else.</summary>
    public string? Approver { get; init; }

    /// <summary>Why it ends.</summary>
    public string? Reason { get; init; }
}

[JsonSerializable(typeof(HoldQuestion))]
[JsonSerializable(typeof(ReleaseQuestion))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow)]
sealed partial class HoldQuestionJson : JsonSerializerContext;

/// <summary>
/// <c>/api/v1/holds</c>: legal holds, as <c>logwarden hold</c> has them. A hold that is added or released is so at once; the archive follows within seconds where little is to be looked at, and
/// <c>state</c> tells when it has.
/// </summary>
static class HoldsEndpoint
{
    /// <summary>Adds what the routes need.</summary>
    public static void AddHolds(this IServiceCollection services) =>
        services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, HoldQuestionJson.Default));

    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes, HoldLoop holding)
    {
        Tell(routes.MapGet("/api/v1/holds", (HttpContext http, Installation installation, AccessLog access) =>
        {
            access.Record(new(ApiGuard.Actor(http), "holds", "") { Ip = http.Connection.RemoteIpAddress?.ToString() });
            var (holds, summary) = (installation.Custody.Holds.All(), installation.Custody.Holds.Summary());
            return Results.Json(
                new { holds = holds.Select(HoldJson.Of), active = summary.Active, objects = summary.Objects, missing = summary.Missing, pending = summary.Pending, failure = holding.Failure is null ? null : "the archive can't be brought up to it at present; the server's log tells more" },
                JsonSerializerOptions.Web);
        }), "holds", "All legal holds, those that were released too, and how many objects they are on.");
        Tell(routes.MapPost("/api/v1/holds", Add), "add-hold", "Brings a legal hold into force.");
        Tell(routes.MapPost("/api/v1/holds/{id:long}/release", Release), "release-hold", "Ends a legal hold.")
            .ProducesProblem(StatusCodes.Status404NotFound);
    }

    static RouteHandlerBuilder Tell(RouteHandlerBuilder route, string name, string summary) => route
        .AddEndpointFilter<ApiGuard>()
        .Produces(StatusCodes.Status200OK, contentType: "application/json")
        .ProducesProblem(StatusCodes.Status400BadRequest)
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
        .WithName(name)
        .WithTags("api")
        .WithSummary(summary);

    static IResult Add(HttpContext http, HoldQuestion asked, Installation installation) => Answer(() =>
    {
        if (asked.Class is { } @class && installation.Policy.Unknown(@class) is { } unknown) throw new HoldRefusedException("class", unknown);
        return installation.Custody.Holds.Add(
            new()
            {
                Matter = asked.Matter ?? "",
                Requester = asked.Requester ?? "",
                Approver = asked.Approver ?? "",
                Source = asked.Source,
                User = asked.User,
                Object = asked.Object,
                Class = asked.Class,
                From = asked.From,
                To = asked.To,
                When = asked.When,
            },
            ApiGuard.Actor(http), http.Connection.RemoteIpAddress?.ToString());
    });

    static IResult Release(HttpContext http, long id, ReleaseQuestion asked, Installation installation) => Answer(() => installation.Custody.Holds.Release(
        id, asked.Requester ?? "", asked.Approver ?? "", asked.Reason ?? "", ApiGuard.Actor(http), http.Connection.RemoteIpAddress?.ToString()));

    static IResult Answer(Func<Hold?> ask)
    {
        try
        {
            return ask() is { } hold ? Results.Json(HoldJson.Of(hold), JsonSerializerOptions.Web) : Results.Problem("There is no such hold; GET /api/v1/holds lists them.", statusCode: StatusCodes.Status404NotFound);
        }
        catch (HoldRefusedException refused)
        {
            return Results.Problem($"{refused.Field}: {refused.Message}", statusCode: StatusCodes.Status400BadRequest);
        }
    }
}
