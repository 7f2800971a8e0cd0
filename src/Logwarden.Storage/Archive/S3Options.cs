namespace Logwarden.Archive;

/// <summary>A bucket and how to talk to it. No credentials: those come from the AWS SDK's own chain.</summary>
public sealed record S3Options
{
    /// <summary>Name of the bucket.</summary>
    public required string Bucket { get; init; }

    /// <summary>What stands before every key, without slashes at its ends; empty for the bucket's root.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Region; null is the SDK's own choice (AWS_REGION, profile).</summary>
    public string? Region { get; init; }

    /// <summary>Address of a gateway that is not AWS; null is AWS.</summary>
    public Uri? Endpoint { get; init; }

    /// <summary>Bucket in the path instead of the host name.</summary>
    public bool PathStyle { get; init; }

    /// <summary>
    /// Sends the SDK's own checksums only where the protocol demands one. Some gateways refuse the trailing checksums that are the
    /// default. Content-MD5 and the signature over the body protect each PUT in either case, and what was stored is read back.
    /// </summary>
    public bool ChecksumsWhenRequired { get; init; }

    /// <summary>Longest that one call may take, 1 ms and more. Default five minutes: a PUT of a large segment over a slow line.</summary>
    public TimeSpan CallTimeout { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>Longest that opening a connection may take.</summary>
    internal static TimeSpan ConnectTimeout { get; } = TimeSpan.FromSeconds(15);
}
