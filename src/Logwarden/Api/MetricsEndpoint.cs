namespace Logwarden.Api;

/// <summary><c>GET /metrics</c>: our own metrics in the form of Prometheus (<c>docs/metrics.md</c>). Behind a token like the rest: they name sources and destinations.</summary>
static class MetricsEndpoint
{
    /// <summary>Adds the route.</summary>
    public static void Map(WebApplication app) => app.UseWhen(context => context.Request.Path.Equals("/metrics", StringComparison.Ordinal), branch =>
    {
        branch.Use(async (context, next) =>
        {
            if (Hosting.BearerToken.Of(context.Request) is { } token && context.RequestServices.GetRequiredService<Hosting.ApiTokens>().Holder(token) is not null)
            {
                await next(context);
                return;
            }
            context.RequestServices.GetRequiredService<Hosting.AccessLog>().RecordRefusal(context.Request.Path, context.Connection.RemoteIpAddress?.ToString());
            context.Response.StatusCode = StatusCodes.Status401Unauthorized;
            context.Response.Headers.WWWAuthenticate = "Bearer";
        });
        branch.UseOpenTelemetryPrometheusScrapingEndpoint();
    });
}
