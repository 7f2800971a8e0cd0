using System.Security.Cryptography;
using System.Text;

namespace Logwarden.Hosting;

/// <summary>
/// Tokens of sources and of people (RFC 6750): 256 random bits behind a prefix that tells what they are for. What is kept is the SHA-256
/// of one; it has that many bits that a plain hash is enough.
/// </summary>
static class BearerToken
{
    const int RandomBytes = 32;
    const string Scheme = "Bearer ";

    /// <summary>Makes one.</summary>
    public static string New(string prefix) => prefix + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(RandomBytes));

    /// <summary>What is kept of it: SHA-256, hex.</summary>
    public static string Hash(string token) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(token)));

    /// <summary>Whether two hashes are of the same token; takes the same time wherever they differ.</summary>
    public static bool IsSame(string hash, string other) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(hash), Encoding.ASCII.GetBytes(other));

    /// <summary>The token that a request carries; null when it has none.</summary>
    public static string? Of(HttpRequest request)
    {
        var header = request.Headers.Authorization.ToString();
        return header.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase) ? header[Scheme.Length..].Trim() : null;
    }
}
