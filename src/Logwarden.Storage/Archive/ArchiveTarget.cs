namespace Logwarden.Archive;

/// <summary>
/// Where an archive lies, from its text form: <c>file:PATH</c>, a plain path, or
/// <c>s3://BUCKET[/PREFIX][?region=…&amp;endpoint=…&amp;path-style=true&amp;checksums=when-required]</c>. Credentials come from the AWS
/// SDK's chain (environment, profile, role), never from the target. <c>endpoint</c> is for other makes of S3; it sets
/// <c>path-style</c> and <c>checksums=when-required</c>, which most of them need, unless they are given.
/// </summary>
public sealed record ArchiveTarget
{
    /// <summary>Folder; null for a bucket.</summary>
    public string? Folder { get; private init; }

    /// <summary>Bucket; null for a folder.</summary>
    public S3Options? Bucket { get; private init; }

    /// <summary>Reads the text form.</summary>
    /// <param name="text">The text.</param>
    /// <param name="target">The target.</param>
    /// <param name="reason">What is wrong, when the answer is false.</param>
    public static bool TryParse(string text, out ArchiveTarget target, out string reason)
    {
        target = null!;
        reason = "an archive is a folder (PATH or file:PATH) or s3://BUCKET/PREFIX";
        if (text.StartsWith("s3://", StringComparison.Ordinal)) return TryBucket(text["s3://".Length..], out target, out reason);
        var path = text.StartsWith("file:", StringComparison.Ordinal) ? text["file:".Length..] : text;
        if (path.StartsWith("//", StringComparison.Ordinal)) path = path[2..]; // file:///var/x
        if (path.Length == 0 || path.Contains("://", StringComparison.Ordinal)) return false;
        target = new() { Folder = path };
        reason = "";
        return true;
    }

    /// <summary>Opens the store that a text names. Makes no call and creates nothing yet.</summary>
    /// <exception cref="FormatException">The text is not a target.</exception>
    public static IBlobStore Open(string text, TimeProvider time) =>
        TryParse(text, out var target, out var reason) ? target.Open(time) : throw new FormatException($"'{text}': {reason}");

    /// <summary>Opens the store. Makes no call and creates nothing yet.</summary>
    public IBlobStore Open(TimeProvider time) => Bucket is null ? new FolderBlobStore(Folder!, time) : new S3BlobStore(Bucket, time);

    static bool TryBucket(string text, out ArchiveTarget target, out string reason)
    {
        target = null!;
        var (place, query) = Cut(text, '?');
        var (bucket, prefix) = Cut(place, '/');
        prefix = prefix.Trim('/');
        reason = "s3:// is followed by the name of a bucket";
        if (bucket.Length is < 3 or > 63 || bucket.AsSpan().ContainsAnyExcept(BucketCharacters)) return false;
        reason = $"'{prefix}' is no prefix";
        if (prefix.Length > 0 && !BlobKey.IsValid(prefix)) return false;
        var options = new S3Options { Bucket = bucket, Prefix = prefix };
        bool? pathStyle = null, whenRequired = null;
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var (name, value) = Cut(pair, '=');
            value = Uri.UnescapeDataString(value);
            reason = $"{name} cannot be '{value}'";
            switch (name)
            {
                case "region" when value.Length > 0:
                    options = options with { Region = value };
                    break;
                case "endpoint" when Uri.TryCreate(value, UriKind.Absolute, out var uri) && uri.Scheme is "http" or "https":
                    options = options with { Endpoint = uri };
                    break;
                case "path-style" when bool.TryParse(value, out var flag):
                    pathStyle = flag;
                    break;
                case "checksums" when value is "when-required" or "when-supported":
                    whenRequired = value is "when-required";
                    break;
                case "region" or "endpoint" or "path-style" or "checksums":
                    return false;
                default:
                    reason = $"'{name}' is not one of region, endpoint, path-style, checksums";
                    return false;
            }
        }
        var isOther = options.Endpoint is not null;
        target = new() { Bucket = options with { PathStyle = pathStyle ?? isOther, ChecksumsWhenRequired = whenRequired ?? isOther } };
        reason = "";
        return true;
    }

    static readonly System.Buffers.SearchValues<char> BucketCharacters =
        System.Buffers.SearchValues.Create("abcdefghijklmnopqrstuvwxyz0123456789.-");

    static (string Before, string After) Cut(string text, char at) =>
        text.IndexOf(at, StringComparison.Ordinal) is var i and >= 0 ? (text[..i], text[(i + 1)..]) : (text, "");
}
