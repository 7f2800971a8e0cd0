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
