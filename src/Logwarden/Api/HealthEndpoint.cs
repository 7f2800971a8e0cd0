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
        // Without a token: it says that and why it is not ready, and nothing of where the archive is.
        routes.MapGet("/health/ready", (Installation installation) =>
        {
            var failure = installation.Journal.Failure is not null ? "the journal's disk failed"
                : installation.Journal.IsFull ? "the journal is full"
                : sealing.Failure is not null ? "sealing fails"
                : installation.Sources.Failure is not null ? "the list of sources can't be read" : null;
            var state = new
            {
                status = failure is null ? "ready" : "degraded",
                reason = failure is null ? null : failure + "; the server's log tells more",
                durable_end = installation.Journal.DurableEnd,
                sealed_to = installation.SealedTo,
            };
            return Results.Json(state, JsonSerializerOptions.Web, statusCode: failure is null ? 200 : 503);
        }).Produces(200, contentType: "application/json").Produces(503, contentType: "application/json").WithTags("health").WithSummary("200 when events can be taken and are sealed and archived; 503 with the reason otherwise.");
    }
}
