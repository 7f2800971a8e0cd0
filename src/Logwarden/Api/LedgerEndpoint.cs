using Logwarden.Commands;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary><c>GET /api/v1/ledger</c>: where everything that came in went.</summary>
static class LedgerEndpoint
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("/api/v1/ledger", (HttpContext http, Installation installation, AccessLog access) =>
        {
            access.Record(new(ApiGuard.Actor(http), "ledger", "") { Ip = http.Connection.RemoteIpAddress?.ToString() });
            return Results.Text(LedgerCommand.Json(installation.Journal.Ledger), "application/json");
        })
        .AddEndpointFilter<ApiGuard>()
        .Produces(StatusCodes.Status200OK, contentType: "application/json")
        .ProducesProblem(StatusCodes.Status401Unauthorized)
        .ProducesProblem(StatusCodes.Status503ServiceUnavailable)
        .WithName("ledger")
        .WithTags("api")
        .WithSummary("The conservation ledger: in = stored + duplicates + quarantined, per source and reader.");
}
