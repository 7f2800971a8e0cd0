using Logwarden.Archive;

namespace Logwarden.Holds;

/// <summary>Puts the store's legal hold on the objects of segments and takes it off; what it did it reads back.</summary>
sealed class HeldObjects(IBlobStore store, TimeProvider time)
{
    static readonly TimeSpan LockMin = TimeSpan.FromHours(1);

    /// <summary>Sets it. What is so already is left alone.</summary>
    /// <returns>False when the object is not there.</returns>
    /// <exception cref="BlobStoreException">The store refused, or does not do what it says.</exception>
    public async ValueTask<bool> SetAsync(SealedSegment segment, bool on, CancellationToken cancel)
    {
        var isThere = false;
        foreach (var version in await store.FindSealed(segment, cancel))
        {
            if (await store.Head(segment.Path, version.VersionId, cancel) is not { } head) continue;
            isThere = true;
            if (head.LegalHold == on) continue;
            await store.Protect(segment.Path, version.VersionId, LockOf(head, segment, on), cancel);
            if (await store.Head(segment.Path, version.VersionId, cancel) is { } now && now.LegalHold != on)
                throw new BlobStoreException($"{store.Location} took {(on ? "a legal hold" : "the end of a legal hold")} for {segment.Path}, and does not have it: does this store support legal holds?", null);
        }
        return isThere;
    }

    /// <summary>Whether it is on; null when the object is not there.</summary>
    public async ValueTask<bool?> IsOnAsync(SealedSegment segment, CancellationToken cancel)
    {
        bool? isOn = null;
        foreach (var version in await store.FindSealed(segment, cancel))
            if (await store.Head(segment.Path, version.VersionId, cancel) is { } head) isOn = (isOn ?? true) && head.LegalHold;
        return isOn;
    }

    // Its retention stays as it is; one that was taken away is put back, for a lock has one.
    BlobLock LockOf(BlobHead head, SealedSegment segment, bool on)
    {
        if (head is { Mode: { } mode, RetainUntil: { } until }) return new(mode, until, on);
        var (wanted, earliest) = (new DateTimeOffset(DateTime.SpecifyKind(segment.RetainUntil, DateTimeKind.Utc)), time.GetUtcNow() + LockMin);
        return new(segment.Mode, wanted > earliest ? wanted : earliest, on);
    }
}
