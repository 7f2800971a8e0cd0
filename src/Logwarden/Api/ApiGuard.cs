using Logwarden.Hosting;

namespace Logwarden.Api;

/// <summary>
/// Lets in who may read logs (PRO-3): the holder of a token (<see cref="ApiTokens"/>), wherever the request comes from (docs/decisions/0010). Everyone else gets 401,
/// which is recorded, up to sixty times a minute; the next record tells how many were passed over. When it can't be told who it is, or can't be recorded, nobody is let in.
/// </summary>
sealed partial class ApiGuard(ApiTokens tokens, AccessLog access, ILogger<ApiGuard> log) : IEndpointFilter
{
    const string ActorKey = "logwarden.actor";

    /// <inheritdoc/>
    public async ValueTask<object?> InvokeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        try
        {
            if (BearerToken.Of(http.Request) is not { } token || Holder(token) is not { } actor)
            {
                access.RecordRefusal(http.Request.Path, http.Connection.RemoteIpAddress?.ToString());
                http.Response.Headers.WWWAuthenticate = "Bearer";
                return Results.Problem(
                    "This needs an API token, sent as `Authorization: Bearer TOKEN`: make one with `logwarden token add NAME`; on the server itself DATA/state/local.token holds one.",
                    statusCode: StatusCodes.Status401Unauthorized);
            }
            http.Items[ActorKey] = actor;
            return await next(context);
        }
        catch (Exception failed) when (failed is UnrecordedAccessException or UnknownHolderException)
        {
            LogRefused(failed.Message);
            return Results.Problem("Who asks can't be told or recorded at present; the server's log tells more.", statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    /// <summary>Who was let in.</summary>
    public static string Actor(HttpContext http) => (string)http.Items[ActorKey]!;

    string? Holder(string token)
    {
        try
        {
            return tokens.Holder(token);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException or InvalidDataException)
        {
            throw new UnknownHolderException(unreadable);
        }
    }

    [LoggerMessage(1, LogLevel.Error, "A request was not answered: {Reason}")]
    partial void LogRefused(string reason);

    sealed class UnknownHolderException(Exception inner) : Exception(inner.Message, inner);
}
