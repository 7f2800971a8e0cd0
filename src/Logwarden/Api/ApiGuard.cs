using System.Net;
using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary>
/// Lets in who may read logs (PRO-3): the holder of an API token; or, while no token was ever made, whoever is on this machine, comes over loopback and calls the
/// server by a name of this machine, which a page of another site that a browser was lured to does not (DNS rebinding). Everyone else gets 401, which is recorded, up to
/// sixty times a minute; the next record tells how many were passed over.
/// </summary>
sealed class ApiGuard(ApiTokens tokens, AccessLog access) : IEndpointFilter
{
    const string ActorKey = "logwarden.actor";

    /// <inheritdoc/>
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        var actor = BearerToken.Of(http.Request) is { } token ? tokens.Holder(token) : !tokens.WereMade && IsLocal(http) ? "loopback" : null;
        if (actor is null)
        {
            access.RecordRefusal(http.Request.Path, http.Connection.RemoteIpAddress?.ToString());
            http.Response.Headers.WWWAuthenticate = "Bearer";
            return Results.Problem("This needs an API token: make one with `logwarden token add NAME` and send it as `Authorization: Bearer TOKEN`.", statusCode: 401);
        }
        http.Items[ActorKey] = actor;
        return await next(context);
    }

    /// <summary>Who was let in.</summary>
    public static string Actor(HttpContext http) => (string)http.Items[ActorKey]!;

    static bool IsLocal(HttpContext http)
    {
        if (http.Connection.RemoteIpAddress is not { } ip || !IPAddress.IsLoopback(ip)) return false;
        var origin = http.Request.Headers.Origin.ToString();
        return IsThisMachine(http.Request.Host.Host) && (origin.Length == 0 || (Uri.TryCreate(origin, UriKind.Absolute, out var site) && IsThisMachine(site.Host)));
    }

    static bool IsThisMachine(string host) => host.Equals("localhost", StringComparison.OrdinalIgnoreCase)
        || (IPAddress.TryParse(host.Trim('[', ']'), out var ip) && IPAddress.IsLoopback(ip));
}
