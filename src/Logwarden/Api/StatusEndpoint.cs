using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary><c>GET /api/v1/status</c>: how sources, destinations, archive and journal fare.</summary>
static class StatusEndpoint
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes, Func<StatusReport> report) => routes
        .MapGet("/api/v1/status", (HttpContext http, AccessLog access) =>
        {
            access.Record(new(ApiGuard.Actor(http), "status", "") { Ip = http.Connection.RemoteIpAddress?.ToString() });
            return Results.Json(report(), StatusJson.Default.StatusReport);
        })
        .AddEndpointFilter<ApiGuard>()
        .Produces<StatusReport>(StatusCodes.Status200OK)
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
        .WithName("status")
        .WithTags("api")
        .WithSummary("Sources, destinations, archive and journal: rates, lag, last success, last error, canaries, disk left; computed when asked.");
}
