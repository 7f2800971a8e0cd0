using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace Logwarden.Api;

/// <summary>Tells in the OpenAPI document which tokens the endpoints take.</summary>
static class OpenApiSecurity
{
    const string SourceToken = "source_token";
    const string ApiToken = "api_token";

    /// <summary>Adds it.</summary>
    public static void Add(OpenApiOptions options)
    {
        options.AddDocumentTransformer((document, _, _) =>
        {
            document.Info.Title = "Logwarden";
            document.Components ??= new();
            document.Components.SecuritySchemes = new Dictionary<string, IOpenApiSecurityScheme>(StringComparer.Ordinal)
            {
                [SourceToken] = Bearer("Token of a source: `logwarden source add ID --format FORMAT` prints it."),
                [ApiToken] = Bearer("Token of who may read logs: `logwarden token add NAME` prints it; on the server itself DATA/state/local.token holds one."),
            };
            foreach (var (path, item) in document.Paths)
            {
                if (path.StartsWith("/health", StringComparison.Ordinal)) continue;
                if (item.Operations is null) continue;
                foreach (var operation in item.Operations.Values)
                {
                    var scheme = new OpenApiSecuritySchemeReference(path is "/" ? SourceToken : ApiToken, document);
                    operation.Security = [new OpenApiSecurityRequirement { [scheme] = [] }];
                }
            }
            return Task.CompletedTask;
        });
    }

    static OpenApiSecurityScheme Bearer(string description) => new() { Type = SecuritySchemeType.Http, Scheme = "bearer", Description = description };
}
