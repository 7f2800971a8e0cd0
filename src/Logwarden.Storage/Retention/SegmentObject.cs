using System.Security.Cryptography;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Retention;

/// <summary>A sealed segment as the store has it at this moment.</summary>
/// <param name="Segment">What the seal says.</param>
/// <param name="Versions">All versions of its key, delete markers too, the latest first; empty when it is not there.</param>
/// <param name="Heads">What protects each version that is no delete marker.</param>
sealed record SegmentObject(SealedSegment Segment, IReadOnlyList<BlobVersion> Versions, IReadOnlyList<(BlobVersion Version, BlobHead Head)> Heads)
{
    /// <summary>Whether a version of it holds anything.</summary>
    public bool IsThere => Heads.Count > 0;

    /// <summary>Whether a legal hold is on a version.</summary>
    public bool IsHeld => Heads.Any(one => one.Head.LegalHold);

    /// <summary>The longest lock; null when there is none.</summary>
    public DateTimeOffset? LockedUntil => Heads.Max(one => one.Head.RetainUntil);

    /// <summary>Whether only what was sealed can lie under the key: one version, kept by a lock that nobody can end early.</summary>
    public bool IsCertain(DateTimeOffset now) =>
        Versions is [{ VersionId: not null, IsDeleteMarker: false }] && Heads is [{ Head: { Mode: LockMode.Compliance } head }] && head.RetainUntil > now && head.Length == Segment.Bytes;

    /// <summary>Looks at it.</summary>
    public static async ValueTask<SegmentObject> Look(IBlobStore store, SealedSegment segment, CancellationToken cancel)
    {
        var (versions, heads) = (new List<BlobVersion>(), new List<(BlobVersion, BlobHead)>());
        await foreach (var version in store.List(segment.Path, cancel))
        {
            if (!string.Equals(version.Key, segment.Path, StringComparison.Ordinal)) continue;
            versions.Add(version);
            if (!version.IsDeleteMarker && await store.Head(version.Key, version.VersionId, cancel) is { } head) heads.Add((version, head));
        }
        return new(segment, versions, heads);
    }

    /// <summary>The versions that hold what was sealed.</summary>
    public async ValueTask<IReadOnlyList<(BlobVersion Version, BlobHead Head)>> Right(IBlobStore store, DateTimeOffset now, CancellationToken cancel)
    {
        if (IsCertain(now)) return Heads;
        var right = new List<(BlobVersion, BlobHead)>();
        foreach (var one in Heads)
        {
            if (one.Head.Length != Segment.Bytes) continue;
            await using var scratch = SegmentFiles.Scratch();
            if (await Read(store, one.Version.VersionId, scratch, cancel)) right.Add(one);
        }
        return right;
    }

    /// <summary>Reads a version into a file.</summary>
    /// <returns>Whether it has the bytes that were sealed.</returns>
    public async ValueTask<bool> Read(IBlobStore store, string? version, Stream destination, CancellationToken cancel)
    {
        destination.SetLength(0);
        if (!await store.Read(Segment.Path, version, destination, cancel)) return false;
        destination.Position = 0;
        var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(destination, cancel));
        destination.Position = 0;
        return string.Equals(hash, Segment.Sha256, StringComparison.Ordinal);
    }

    /// <summary>Goes through the events of a segment's file.</summary>
    /// <param name="rows">The file, from its first row on.</param>
    /// <param name="matcher">Compiled requirements.</param>
    /// <param name="among">Those that are looked for.</param>
    /// <param name="leaf">Is given each leaf's index and hash; null where they are not needed.</param>
    /// <param name="segment">What the file must hold.</param>
    /// <param name="matched">Those that an event has.</param>
    /// <returns>Whether it could be read whole.</returns>
    public static bool Match(SegmentReader rows, SealedSegment segment, RequirementMatcher matcher, RequirementSet among, Action<long, TreeHash>? leaf, out RequirementSet matched)
    {
        matched = default;
        var count = 0L;
        while (rows.Next())
        {
            leaf?.Invoke(segment.FirstLeaf + count, new(SHA256.HashData(rows.LeafInput)));
            count++;
            var open = among.Without(matched);
            if (!open.IsEmpty && EventEncoding.TryRead(rows.Event, out var e)) matched = matched.With(matcher.Match(e, open));
            if (leaf is null && among.Without(matched).IsEmpty) return true;
        }
        return rows.Error is null && count == segment.Rows;
    }
}
