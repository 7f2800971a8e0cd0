using System.Text.Json;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary>For orchestrators: <c>/health/live</c> says that the process answers, <c>/health/ready</c> that it can take events and reach its archive.</summary>
static class HealthEndpoint
{
    /// <summary>Adds the routes.</summary>
    public static void Map(IEndpointRouteBuilder routes, SealLoop sealing)
    {
        routes.MapGet("/health/live", () => Results.Ok(new { status = "live" })).WithTags("health").WithSummary("200 while the process answers.");
        routes.MapGet("/health/ready", (Installation installation) =>
        {
            var failure = installation.Journal.Failure?.Message ?? sealing.LastError;
            var state = new
            {
                status = failure is null ? "ready" : "degraded",
                reason = failure,
                durable_end = installation.Journal.DurableEnd,
                sealed_to = installation.SealedTo,
                archive = installation.ArchiveLocation,
            };
            return Results.Json(state, JsonSerializerOptions.Web, statusCode: failure is null ? 200 : 503);
        }).WithTags("health").WithSummary("200 when events can be taken and the archive was reached; 503 with the reason otherwise.");
    }
}
