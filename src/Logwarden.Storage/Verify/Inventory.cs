using Logwarden.Archive;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>
/// What seals name, and what lies below the locked prefixes that none names. Tiles are known by the size of their tree, so that what is held
/// in memory grows with segments and seals, not with tiles.
/// </summary>
sealed class Inventory
{
    readonly Dictionary<string, string> _pathOfHash = new(StringComparer.Ordinal);
    readonly HashSet<string> _keys = new(StringComparer.Ordinal);
    readonly Dictionary<string, long> _sizes = new(StringComparer.Ordinal);
    readonly SortedDictionary<string, BlobVersion> _suspects = new(StringComparer.Ordinal);

    /// <summary>Path of the sealed segment that has these bytes.</summary>
    public string? PathOfHash(string sha256) => _pathOfHash.GetValueOrDefault(sha256);

    /// <summary>Size of a class's tree at the newest seal that is known.</summary>
    public long SizeOf(string @class) => _sizes.GetValueOrDefault(@class);

    /// <summary>Whether a seal or something else that is signed names this key.</summary>
    public bool Names(string key) => _keys.Contains(key);

    /// <summary>Takes in a key that is known to be ours.</summary>
    public void Name(string key) => _keys.Add(key);

    public void Name(string sealKey, SealRecord record)
    {
        _keys.Add(sealKey);
        foreach (var segment in record.Segments)
        {
            _keys.Add(segment.Path);
            _pathOfHash[segment.Sha256] = segment.Path;
        }
        foreach (var tree in record.Trees)
        {
            _keys.Add(ArchiveLayout.Checkpoint(tree.Class, tree.Size));
            _sizes[tree.Class] = Math.Max(_sizes.GetValueOrDefault(tree.Class), tree.Size);
        }
    }

    /// <summary>Lists the archive; keys that no seal names yet are remembered.</summary>
    public async ValueTask List(IBlobStore store, VersionedReader reader, CancellationToken cancel)
    {
        var versions = new List<BlobVersion>();
        await foreach (var version in store.List("", cancel))
        {
            if (versions.Count > 0 && !string.Equals(versions[0].Key, version.Key, StringComparison.Ordinal))
            {
                Take(versions, reader);
                versions = [];
            }
            versions.Add(version);
        }
        if (versions.Count > 0) Take(versions, reader);
    }

    /// <summary>The keys below locked prefixes that still no seal names.</summary>
    public IEnumerable<BlobVersion> Unexpected() => _suspects.Values.Where(version => !IsNamed(version.Key));

    void Take(List<BlobVersion> versions, VersionedReader reader)
    {
        var key = versions[0].Key;
        if (!IsLocked(key)) return;
        if (!IsNamed(key)) _suspects[key] = versions[0];
        else if (versions.Count > 1 || versions[0].IsDeleteMarker) reader.Note(key, versions);
    }

    static bool IsLocked(string key) =>
        key.StartsWith(ArchiveLayout.Segments, StringComparison.Ordinal) || key.StartsWith(ArchiveLayout.Log, StringComparison.Ordinal)
        || key.StartsWith(ArchiveLayout.Seals, StringComparison.Ordinal) || key.StartsWith(ArchiveLayout.Deletions, StringComparison.Ordinal);

    bool IsNamed(string key)
    {
        if (_keys.Contains(key)) return true;
        if (!key.StartsWith(ArchiveLayout.Log, StringComparison.Ordinal)) return false;
        var rest = key[ArchiveLayout.Log.Length..];
        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || !TileId.TryParse(rest[(slash + 1)..], out var tile) || !tile.IsFull) return false;
        // A tile so high has more leaves than a tree can; and a shift by 64 would be one by none.
        var leavesLog2 = Tile.Height * (tile.Level + 1);
        return leavesLog2 < 63 && tile.Index < SizeOf(rest[..slash]) >> leavesLog2;
    }
}
