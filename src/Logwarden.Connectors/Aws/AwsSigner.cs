using System.Globalization;
using System.Security.Cryptography;
using Amazon.Runtime;
using Amazon.Runtime.Internal.Auth;

namespace Logwarden.Aws;

/// <summary>
/// Signs a request of any AWS service (Signature Version 4). Canonical headers and parameters and the signature are made by the SDK's own signer; this class gives it a
/// request of <see cref="HttpClient"/> and our clock. Not the path: there the SDK takes characters such as <c>;</c> and <c>+</c> as they are, and servers do not. See <see href="https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html"/>.
/// </summary>
public sealed class AwsSigner : AWS4Signer
{
    AwsSigner()
    {
    }

    /// <summary>Adds date, body hash, session token and signature. All headers that the request has now are signed, so add others only if they may be changed on the way.</summary>
    /// <param name="request">Absolute address, method and headers; nothing of the signature yet.</param>
    /// <param name="body">The body that it is sent with.</param>
    /// <param name="credentials">Whose signature.</param>
    /// <param name="region">Region of the service, such as <c>eu-central-1</c>.</param>
    /// <param name="service">Signing name of the service, such as <c>logs</c> or <c>s3</c>.</param>
    /// <param name="now">The time. AWS takes no signature that is more than five minutes off.</param>
    public static void Sign(HttpRequestMessage request, ReadOnlySpan<byte> body, ImmutableCredentials credentials, string region, string service, DateTimeOffset now)
    {
        var address = request.RequestUri ?? throw new ArgumentException("has no address", nameof(request));
        var at = now.UtcDateTime;
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        request.Headers.Host = address.IsDefaultPort ? address.Host : string.Create(CultureInfo.InvariantCulture, $"{address.Host}:{address.Port}");
        request.Headers.Add("x-amz-date", at.ToString("yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture));
        request.Headers.Add("x-amz-content-sha256", hash);
        if (credentials.UseToken) request.Headers.Add("x-amz-security-token", credentials.Token);
        var headers = SortAndPruneHeaders(request.Headers.Concat(request.Content?.Headers.AsEnumerable() ?? [])
            .Where(header => !string.Equals(header.Key, "Content-Length", StringComparison.OrdinalIgnoreCase))
            .Select(header => KeyValuePair.Create(header.Key, string.Join(',', header.Value))));
        var names = CanonicalizeHeaderNames(headers);
        var canonical = string.Join('\n', request.Method.Method, Path(address, service), CanonicalizeQueryParameters(Parameters(address.Query)), CanonicalizeHeaders(headers), names, hash);
        var signature = ComputeSignature(credentials, region, at, service, names, canonical);
        request.Headers.TryAddWithoutValidation("Authorization", signature.ForAuthorizationHeader);
    }

    /// <summary>The path with all but unreserved characters escaped in each segment; once more for every service but S3.</summary>
    static string Path(Uri address, string service)
    {
        var segments = address.AbsolutePath.Split('/').Select(segment => Uri.EscapeDataString(Uri.UnescapeDataString(segment)));
        return string.Join('/', string.Equals(service, "s3", StringComparison.Ordinal) ? segments : segments.Select(Uri.EscapeDataString));
    }

    /// <summary>Names and values of a query, as they were before they were escaped.</summary>
    static IEnumerable<KeyValuePair<string, string>> Parameters(string query) => query.TrimStart('?').Split('&', StringSplitOptions.RemoveEmptyEntries)
        .Select(pair => pair.Split('=', 2)).Select(pair => KeyValuePair.Create(Uri.UnescapeDataString(pair[0]), pair.Length < 2 ? "" : Uri.UnescapeDataString(pair[1])));
}
