using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Retention;

namespace Logwarden.Verify;

/// <summary>
/// The deletion records of an archive: what is gone is gone as required only when one of them, signed and in its chain, names it, and its retention was over by its seal and by the reckoning in
/// the record. Holds what they say of each segment.
/// </summary>
sealed class DeletionTrail(IBlobStore store, VersionedReader reader, VerifyState state, Inventory inventory, IReadOnlyList<VerifierKey> keys, DateTimeOffset now)
{
    readonly Dictionary<string, (DeletionHeader Deletion, DeletedSegment Segment)> _deleted = new(StringComparer.Ordinal);
    readonly Dictionary<(string Class, long First), byte[]> _leaves = [];
    string? _lastHash = "";
    string? _origin;
    long _next;

    /// <summary>Reads the records that were not known yet.</summary>
    public async ValueTask Read(CancellationToken cancel)
    {
        var fresh = new SortedDictionary<long, List<BlobVersion>>();
        await foreach (var version in store.List(ArchiveLayout.Deletions, cancel))
        {
            if (ArchiveLayout.DeletionNumber(version.Key) is not { } number || number < _next) continue;
            if (!fresh.TryGetValue(number, out var versions)) fresh.Add(number, versions = []);
            versions.Add(version);
        }
        // How far they reach is told by those that are signed; what lies behind them is anybody's, and no record names it.
        var signed = new SortedDictionary<long, (Deletion Deletion, IReadOnlyList<string?> Right)>();
        foreach (var (number, versions) in fresh)
        {
            reader.Note(ArchiveLayout.Deletion(number), versions);
            if (await Open(number, cancel) is { } opened) signed.Add(number, opened);
        }
        foreach (var (number, (deletion, right)) in signed)
        {
            for (; _next < number; _next++) Gap(_next, fresh.ContainsKey(_next));
            await Take(deletion, right, cancel);
            _next = number + 1;
        }
    }

    /// <summary>What is told of a segment that is not there, or is there all the same.</summary>
    /// <returns>False when no record names it.</returns>
    public bool Find(SealedSegment segment, SealHeader seal, out string key, out string? why)
    {
        (key, why) = ("", null);
        if (!_deleted.TryGetValue(segment.Path, out var found)) return false;
        key = ArchiveLayout.Deletion(found.Deletion.Number);
        why = DeletionCheck.Why(found.Deletion, found.Segment, segment, seal, now);
        return true;
    }

    /// <summary>A leaf that a record keeps because no full tile had it.</summary>
    public TreeHash? Leaf(string @class, long leaf)
    {
        var at = (int)(leaf % Tile.FullWidth) * TreeHash.Size;
        return _leaves.TryGetValue((@class, leaf - leaf % Tile.FullWidth), out var kept) && kept.Length >= at + TreeHash.Size ? new TreeHash(kept.AsSpan(at, TreeHash.Size)) : null;
    }

    /// <summary>What they name that no seal has.</summary>
    public void ReportUnknown()
    {
        foreach (var (path, (deletion, _)) in _deleted)
        {
            if (!inventory.Names(path))
                state.Add(FindingCode.DeletionInvalid, ArchiveLayout.Deletion(deletion.Number), $"It names {path}, which no seal has.", Advice.Investigate);
        }
    }

    async ValueTask<(Deletion Deletion, IReadOnlyList<string?> Right)?> Open(long number, CancellationToken cancel)
    {
        byte[]? first = null;
        bool IsRight(byte[] bytes) =>
            Notes.HasOneSignature(bytes) && Deletion.TryOpen(bytes, number, keys, out _) is not null && (first ??= bytes).AsSpan().SequenceEqual(bytes);

        if (await reader.FetchBytes(ArchiveLayout.Deletion(number), IsRight, cancel) is not { } found) return null;
        return Deletion.TryOpen(found.Bytes, number, keys, out _) is { } deletion ? (deletion, found.Right) : null;
    }

    async ValueTask Take(Deletion deletion, IReadOnlyList<string?> right, CancellationToken cancel)
    {
        var (header, key) = (deletion.Record.Header, ArchiveLayout.Deletion(deletion.Number));
        state.Deletions++;
        inventory.Name(key);
        _origin ??= header.Origin;
        if (right.Count == 0) state.Add(FindingCode.DeletionInvalid, key, Notes.Added, Advice.Restore);
        if (!string.Equals(header.Origin, _origin, StringComparison.Ordinal)) Broken($"It is of the installation {header.Origin}, not {_origin}.");
        if (_lastHash is not null && !string.Equals(header.Previous, _lastHash, StringComparison.Ordinal)) Broken("It does not name the hash of the deletion before it.");
        _lastHash = deletion.Sha256;
        await reader.CheckLock(key, right, header.Mode, header.RetainUntil, now, cancel);
        foreach (var segment in deletion.Record.Segments)
            if (!_deleted.TryAdd(segment.Path, (header, segment))) Broken($"It names {segment.Path}, which an earlier one has named.");
        foreach (var leaves in deletion.Record.Leaves)
            if (!_leaves.TryGetValue((leaves.Class, leaves.FirstLeaf), out var known) || known.Length < leaves.Hashes.Length) _leaves[(leaves.Class, leaves.FirstLeaf)] = leaves.Hashes;

        void Broken(string what) => state.Add(FindingCode.DeletionInvalid, key, what, Advice.Investigate);
    }

    void Gap(long number, bool isThere)
    {
        var key = ArchiveLayout.Deletion(number);
        if (isThere) state.Add(FindingCode.DeletionInvalid, key, "It is not a deletion record signed by the given key.", Advice.Restore);
        else state.Add(FindingCode.DeletionMissing, key, "It is not there, but later deletion records are.", Advice.Restore);
        inventory.Name(key);
        _lastHash = null;
    }
}
