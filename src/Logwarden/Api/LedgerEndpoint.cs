using Logwarden.Commands;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary><c>GET /api/v1/ledger</c>: where everything that came in went.</summary>
static class LedgerEndpoint
{
    /// <summary>Adds the route.</summary>
    public static void Map(IEndpointRouteBuilder routes) => routes
        .MapGet("/api/v1/ledger", (Installation installation) => Results.Text(LedgerCommand.Json(installation.Journal.Ledger), "application/json"))
        .AddEndpointFilter<ApiGuard>()
        .WithName("ledger")
        .WithTags("api")
        .WithSummary("The conservation ledger: in = stored + duplicates + quarantined, per source and reader.");
}
