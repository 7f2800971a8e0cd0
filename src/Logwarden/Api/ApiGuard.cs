using System.Net;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary>
/// Lets in who may read logs (PRO-3): the holder of an API token; or, while no token was ever made, whoever is on this machine and comes over
/// loopback. Everyone else gets 401.
/// </summary>
sealed class ApiGuard(ApiTokens tokens) : IEndpointFilter
{
    const string ActorKey = "logwarden.actor";

    /// <inheritdoc/>
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var actor = BearerToken.Of(http.Request) is { } token ? tokens.Holder(token)
            : tokens.All.Count == 0 && http.Connection.RemoteIpAddress is { } ip && IPAddress.IsLoopback(ip) ? "loopback"
            : null;
        if (actor is null)
        {
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return Results.Problem("This needs an API token: make one with `logwarden token add NAME` and send it as `Authorization: Bearer TOKEN`.", statusCode: 401);
        }
        http.Items[ActorKey] = actor;
        return await next(context);
    }

    /// <summary>Who was let in.</summary>
    public static string Actor(HttpContext http) => (string)http.Items[ActorKey]!;
}
