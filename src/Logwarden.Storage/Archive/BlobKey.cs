namespace Logwarden.Archive;

/// <summary>Names that are safe as a path in any store: parts of letters, digits and <c>._-=</c>, none of them <c>.</c> or <c>..</c>.</summary>
static class BlobKey
{
    const int LengthMax = 900; // S3 takes 1024 bytes, prefix included

    public static void Check(string key)
    {
        if (!IsValid(key)) throw new ArgumentException($"'{key}' is no name for a blob", nameof(key));
    }

    public static bool IsValid(string key)
    {
        if (key.Length is 0 or > LengthMax) return false;
        foreach (var part in key.AsSpan().Split('/'))
        {
            var name = key.AsSpan(part);
            if (name.IsEmpty || name is "." or ".." || name.ContainsAnyExcept(Allowed)) return false;
        }
        return true;
    }

    static readonly System.Buffers.SearchValues<char> Allowed =
        System.Buffers.SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-=");
}
