using System.Security.Cryptography;

namespace Logwarden.Archive;

/// <summary>
/// Reads what was sealed, whatever was laid over it since. Object Lock keeps versions, not names: who may write can put a newer version or a delete marker over a locked
/// object, and its bytes are still there. Verification names that; sealing and proving go on with what is right.
/// </summary>
static class SealedReads
{
    /// <summary>A small object: its newest version if that is right, else the oldest that is. Each version is read and opened once.</summary>
    /// <param name="store">Store.</param>
    /// <param name="key">Key of the object.</param>
    /// <param name="open">What the bytes say; null when they are not right.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>Null when no version is right.</returns>
    public static async ValueTask<T?> ReadRight<T>(this IBlobStore store, string key, Func<byte[], T?> open, CancellationToken cancel)
        where T : class
    {
        if (await store.ReadSmall(key, versionId: null, cancel) is { } newest && open(newest) is { } right) return right;
        foreach (var version in await Versions(store, key, cancel))
            if (!version.IsLatest && await store.ReadSmall(key, version.VersionId, cancel) is { } bytes && open(bytes) is { } older) return older;
        return null;
    }

    /// <summary>A version of a small object; null when it is not there, or is not small.</summary>
    public static async ValueTask<byte[]?> ReadSmall(this IBlobStore store, string key, string? versionId, CancellationToken cancel)
    {
        using var content = new SmallStream();
        try
        {
            return await store.Read(key, versionId, content, cancel) ? content.ToArray() : null;
        }
        catch (NotSmallException)
        {
            return null;
        }
    }

    /// <summary>A small object that was locked, of which nothing is known beforehand: of several versions the oldest that is locked.</summary>
    /// <returns>Null when it is not there.</returns>
    public static async ValueTask<byte[]?> ReadLocked(this IBlobStore store, string key, CancellationToken cancel)
    {
        var versions = await Versions(store, key, cancel);
        foreach (var version in versions.Count > 1 ? versions : [])
            if (await store.Head(key, version.VersionId, cancel) is { Mode: not null }) return await store.ReadSmall(key, version.VersionId, cancel);
        return versions.Count == 0 ? null : await store.ReadSmall(key, versions[^1].VersionId, cancel);
    }

    /// <summary>A large object whose hash is known.</summary>
    /// <returns>False when no version has it; the destination then holds what the newest does, or nothing.</returns>
    public static async ValueTask<bool> ReadHashed(this IBlobStore store, string key, string sha256, Stream destination, CancellationToken cancel)
    {
        if (await Take(null)) return true;
        foreach (var version in await Versions(store, key, cancel))
            if (await Take(version.VersionId)) return true;
        return false;

        async ValueTask<bool> Take(string? version)
        {
            destination.SetLength(0);
            if (!await store.Read(key, version, destination, cancel)) return false;
            destination.Position = 0;
            var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(destination, cancel));
            destination.Position = 0;
            return string.Equals(hash, sha256, StringComparison.Ordinal);
        }
    }

    /// <summary>A segment, as it was sealed, whatever lies over it.</summary>
    /// <param name="store">Store.</param>
    /// <param name="segment">The segment, from a signed record.</param>
    /// <param name="destination">Holds its bytes when they were found; else nothing of use.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>The version that has its bytes, or null; and whether anything lies there.</returns>
    public static async ValueTask<(BlobVersion? Right, bool IsThere)> ReadSealed(this IBlobStore store, SealedSegment segment, Stream destination, CancellationToken cancel)
    {
        var versions = await Versions(store, segment.Path, cancel);
        foreach (var version in versions)
        {
            // What has another length can't be it, and may be of any size.
            if (version.Length != segment.Bytes) continue;
            destination.SetLength(0);
            if (!await store.Read(segment.Path, version.VersionId, destination, cancel)) continue;
            destination.Position = 0;
            var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(destination, cancel));
            destination.Position = 0;
            if (string.Equals(hash, segment.Sha256, StringComparison.Ordinal)) return (version, IsThere: true);
        }
        return (null, versions.Count > 0);
    }

    /// <summary>
    /// The versions of a segment that are to be protected: the one with its bytes. Where there is only one of its length, that one, without reading it; where none has its bytes, all of them:
    /// what is not as it was sealed is evidence too.
    /// </summary>
    public static async ValueTask<IReadOnlyList<BlobVersion>> FindSealed(this IBlobStore store, SealedSegment segment, CancellationToken cancel)
    {
        var versions = await Versions(store, segment.Path, cancel);
        var candidates = versions.FindAll(version => version.Length == segment.Bytes);
        if (candidates.Count < 2) return candidates.Count == 1 ? candidates : versions;
        foreach (var version in candidates)
        {
            using var sha = SHA256.Create();
            await using (var sink = new CryptoStream(Stream.Null, sha, CryptoStreamMode.Write))
            {
                if (!await store.Read(segment.Path, version.VersionId, sink, cancel)) continue;
            }
            if (string.Equals(Convert.ToHexStringLower(sha.Hash!), segment.Sha256, StringComparison.Ordinal)) return [version];
        }
        return versions;
    }

    // Oldest first, without delete markers.
    static async ValueTask<List<BlobVersion>> Versions(IBlobStore store, string key, CancellationToken cancel)
    {
        var versions = new List<BlobVersion>();
        await foreach (var version in store.List(key, cancel))
            if (!version.IsDeleteMarker && string.Equals(version.Key, key, StringComparison.Ordinal)) versions.Add(version);
        versions.Reverse();
        return versions;
    }

}

/// <summary>What is read is not as small as it should be. Of the kind that a store passes on as it is.</summary>
sealed class NotSmallException() : BlobStoreException("larger than it should be", null);

/// <summary>Takes a small object. A signed note has 1 MB at most, a tile 8 KB; what is larger is neither, and must not fill the memory of who looks at it.</summary>
sealed class SmallStream : MemoryStream
{
    const int BytesMax = 1 << 20;

    /// <inheritdoc/>
    /// <remarks>Every other way to write comes down to this one.</remarks>
    /// <exception cref="NotSmallException">It is too large.</exception>
    public override void Write(byte[] buffer, int offset, int count)
    {
        if (count > BytesMax - Length) throw new NotSmallException();
        base.Write(buffer, offset, count);
    }
}
