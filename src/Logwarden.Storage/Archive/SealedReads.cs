using System.Security.Cryptography;

namespace Logwarden.Archive;

/// <summary>
/// Reads what was sealed, whatever was laid over it since. Object Lock keeps versions, not names: who may write can put a newer version or a delete marker over a locked
/// object, and its bytes are still there. Verification names that; sealing and proving go on with what is right.
/// </summary>
static class SealedReads
{
    /// <summary>A small object: its newest version if that is right, else an older one that is.</summary>
    /// <returns>Null when no version is right.</returns>
    public static async ValueTask<byte[]?> ReadRight(this IBlobStore store, string key, Func<byte[], bool> isRight, CancellationToken cancel)
    {
        if (await store.ReadBytes(key, versionId: null, cancel) is { } newest && isRight(newest)) return newest;
        foreach (var version in await Versions(store, key, cancel))
            if (await store.ReadBytes(key, version.VersionId, cancel) is { } bytes && isRight(bytes)) return bytes;
        return null;
    }

    /// <summary>An object that was locked, of which nothing is known beforehand: of several versions the oldest that is locked.</summary>
    /// <returns>Null when it is not there.</returns>
    public static async ValueTask<byte[]?> ReadLocked(this IBlobStore store, string key, CancellationToken cancel)
    {
        var versions = await Versions(store, key, cancel);
        foreach (var version in versions.Count > 1 ? versions : [])
            if (await store.Head(key, version.VersionId, cancel) is { Mode: not null }) return await store.ReadBytes(key, version.VersionId, cancel);
        return versions.Count == 0 ? null : await store.ReadBytes(key, versions[^1].VersionId, cancel);
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
