using Logwarden.Delivery;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary><c>GET /api/v1/status</c>: how sources, destinations, archive and journal fare.</summary>
static class StatusEndpoint
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes, Deliveries deliveries, SealLoop sealing, string data) => routes
        .MapGet("/api/v1/status", (HttpContext http, Installation installation, AccessLog access, TimeProvider time) =>
        {
            access.Record(new(ApiGuard.Actor(http), "status", "") { Ip = http.Connection.RemoteIpAddress?.ToString() });
            return Results.Json(StatusReport.Of(installation, deliveries, sealing, data, time), StatusJson.Default.StatusReport);
        })
        .AddEndpointFilter<ApiGuard>()
        .Produces<StatusReport>(StatusCodes.Status200OK)
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
        .WithName("status")
        .WithTags("api")
        .WithSummary("Sources, destinations, archive and journal: rates, lag, last success, last error, canaries, disk left; computed when asked.");
}
