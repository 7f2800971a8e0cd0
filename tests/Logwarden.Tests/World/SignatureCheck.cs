using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Logwarden.Tests.World;

/// <summary>A key that a stand-in of AWS knows.</summary>
/// <param name="AccessKey">Access key id.</param>
/// <param name="SecretKey">Secret key.</param>
/// <param name="Token">Session token; null for a lasting key.</param>
/// <param name="Expires">When the session ends; null is never.</param>
public sealed record AwsKey(string AccessKey, string SecretKey, string? Token = null, DateTimeOffset? Expires = null);

/// <summary>
/// Checks Signature Version 4 as AWS does, written from its documentation and sharing nothing with the signer: the canonical request is made from what came over the
/// wire and the signature from the secret. See docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
/// </summary>
static class SignatureCheck
{
    static readonly TimeSpan SkewMax = TimeSpan.FromMinutes(5);

    /// <summary>What AWS answers when it does not take the signature; null when it does.</summary>
    public static (string Type, string Message)? Refuse(HttpRequest request, byte[] body, Func<string, AwsKey?> find, string region, string service, DateTimeOffset now)
    {
        var authorization = request.Headers.Authorization.ToString();
        if (authorization.Length == 0) return ("MissingAuthenticationTokenException", "Missing Authentication Token");
        if (!TryParse(authorization, out var credential, out var names, out var signature)) return ("IncompleteSignatureException", "Authorization header is not complete.");
        if (find(credential[0]) is not { } key) return ("UnrecognizedClientException", "The security token included in the request is invalid.");
        var token = request.Headers["x-amz-security-token"].ToString();
        if (!string.Equals(token, key.Token ?? "", StringComparison.Ordinal)) return ("UnrecognizedClientException", "The security token included in the request is invalid.");
        if (!names.Contains("host") || request.Headers.Keys.Select(name => name.ToLowerInvariant()).Any(name => name.StartsWith("x-amz-", StringComparison.Ordinal) && !names.Contains(name)))
            return ("InvalidSignatureException", "'Host' and all 'X-Amz-' headers must be signed.");
        var date = request.Headers["x-amz-date"].ToString();
        if (!DateTimeOffset.TryParseExact(date, "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var signed))
            return ("IncompleteSignatureException", "Date must be in ISO-8601 'basic format'.");
        if (credential[1] != date[..8] || credential[2] != region || credential[3] != service || credential[4] != "aws4_request")
            return ("InvalidSignatureException", $"Credential should be scoped to a valid region, not '{credential[2]}', and to correct service: '{service}'.");
        if (signed < now - SkewMax) return ("InvalidSignatureException", $"Signature expired: {date} is now earlier than {now - SkewMax:yyyyMMdd'T'HHmmss'Z'}");
        if (signed > now + SkewMax) return ("InvalidSignatureException", $"Signature not yet current: {date} is still later than {now + SkewMax:yyyyMMdd'T'HHmmss'Z'}");
        var hash = Convert.ToHexStringLower(SHA256.HashData(body));
        if (request.Headers["x-amz-content-sha256"].ToString() is { Length: > 0 } told && told != hash)
            return ("InvalidSignatureException", "The value of the header 'x-amz-content-sha256' does not match the calculated hash of the body.");
        if (!CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(Signature(request, hash, key.SecretKey, credential, names, date)), Encoding.ASCII.GetBytes(signature)))
            return ("InvalidSignatureException", $"The request signature we calculated does not match the signature you provided. x-amz-security-token:{token}");
        return key.Expires <= now ? ("ExpiredTokenException", "The security token included in the request is expired") : null;
    }

    static bool TryParse(string authorization, out string[] credential, out string[] names, out string signature)
    {
        (credential, names, signature) = ([], [], "");
        const string Algorithm = "AWS4-HMAC-SHA256 ";
        if (!authorization.StartsWith(Algorithm, StringComparison.Ordinal)) return false;
        var parts = authorization[Algorithm.Length..].Split(',', StringSplitOptions.TrimEntries).Select(part => part.Split('=', 2))
            .Where(part => part.Length == 2).ToDictionary(part => part[0], part => part[1], StringComparer.Ordinal);
        if (!parts.TryGetValue("Credential", out var scope) || !parts.TryGetValue("SignedHeaders", out var list) || !parts.TryGetValue("Signature", out signature!)) return false;
        (credential, names) = (scope.Split('/'), list.Split(';'));
        return credential.Length == 5;
    }

    static string Signature(HttpRequest request, string hash, string secret, string[] credential, string[] names, string date)
    {
        var canonical = new StringBuilder().Append(request.Method).Append('\n');
        canonical.Append(string.Join('/', (request.Path.Value ?? "/").Split('/').Select(Uri.EscapeDataString).Select(Uri.EscapeDataString))).Append('\n');
        canonical.Append(string.Join('&', request.Query.SelectMany(pair => pair.Value.Select(value => $"{Uri.EscapeDataString(pair.Key)}={Uri.EscapeDataString(value ?? "")}"))
            .Order(StringComparer.Ordinal))).Append('\n');
        foreach (var name in names) canonical.Append(name).Append(':').AppendJoin(',', request.Headers[name].Select(value => value!.Trim())).Append('\n');
        canonical.Append('\n').AppendJoin(';', names).Append('\n').Append(hash);
        var toSign = $"AWS4-HMAC-SHA256\n{date}\n{string.Join('/', credential[1..])}\n{Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(canonical.ToString())))}";
        var key = Encoding.UTF8.GetBytes("AWS4" + secret);
        foreach (var part in credential[1..]) key = HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(part));
        return Convert.ToHexStringLower(HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(toSign)));
    }
}
