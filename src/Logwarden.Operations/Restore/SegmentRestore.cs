using System.Globalization;
using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Journal;

namespace Logwarden.Restore;

/// <summary>What is to be brought back.</summary>
/// <param name="From">Events from this time on.</param>
/// <param name="To">Events before this time.</param>
/// <param name="Class">Only of this class; null is all but what was quarantined.</param>
/// <param name="Cold">Segments that are not hot.</param>
/// <param name="Hot">Segments that are, and are to stay.</param>
public sealed record RestorePlan(DateTimeOffset From, DateTimeOffset To, string? Class, IReadOnlyList<CatalogSegment> Cold, IReadOnlyList<CatalogSegment> Hot)
{
    /// <summary>Bytes to fetch.</summary>
    public long Bytes => Cold.Sum(segment => segment.Sealed.Bytes);
}

/// <summary>What came back.</summary>
/// <param name="Segments">Segments that were fetched.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Expired">Segments that were gone after their retention.</param>
/// <param name="Failures">Segments that the archive does not have as they were sealed, each with what is wrong.</param>
public sealed record RestoreResult(long Segments, long Bytes, long Expired, IReadOnlyList<(string Path, string What)> Failures);

/// <summary>Not enough room on the disk for what is to be brought back.</summary>
public sealed class RestoreRefusedException(string message) : IOException(message);

/// <summary>
/// Brings sealed segments back from the archive into the hot folder, each only when its hash is that of its signed record. A segment appears there whole and synced, so it works beside a
/// running server; what was fetched stays when it is interrupted. First it is noted that they are to stay, then they are fetched. One at a time works on an installation.
/// </summary>
public sealed class SegmentRestore
{
    // For the text index of what is fetched, and so that the journal goes on whatever is restored.
    const long IndexShare = 4;
    const long SpareBytes = 512L << 20;

    readonly string _hot;
    readonly string _lock;
    readonly string _scratch;
    readonly IBlobStore _store;
    readonly SegmentCatalog _catalog;
    readonly RestoreRegistry _registry;
    readonly TimeProvider _time;

    internal SegmentRestore(string dataFolder, IBlobStore store, SegmentCatalog catalog, RestoreRegistry registry, TimeProvider time)
    {
        _hot = Path.Combine(Path.GetFullPath(dataFolder), "hot");
        _scratch = Path.Combine(_hot, "restoring");
        _lock = Path.Combine(Path.GetFullPath(dataFolder), "state", "restore");
        (_store, _catalog, _registry, _time) = (store, catalog, registry, time);
        FreeBytes = () => new DriveInfo(_hot).AvailableFreeSpace;
    }

    /// <summary>Room on the disk; tests say how much there is.</summary>
    internal Func<long> FreeBytes { get; init; }

    /// <summary>Called before a segment that was fetched gets its place; tests break the process here.</summary>
    internal Action<string>? Probe { get; init; }

    /// <summary>What is to be done for a time range.</summary>
    /// <exception cref="IOException">The catalog or the hot folder can't be read.</exception>
    public RestorePlan Plan(DateTimeOffset from, DateTimeOffset to, string? @class)
    {
        var cold = ColdRange.Cold(_catalog, Path.GetDirectoryName(_hot)!, from, to, @class).ToList();
        var paths = cold.Select(segment => segment.Sealed.Path).ToHashSet(StringComparer.Ordinal);
        return new(from, to, @class, cold, [.. _catalog.Overlapping(from, to, @class).Where(segment => !paths.Contains(segment.Sealed.Path))]);
    }

    /// <summary>Whether there is room for it.</summary>
    /// <exception cref="RestoreRefusedException">There is not.</exception>
    public void CheckRoom(RestorePlan plan)
    {
        if (plan.Cold.Count == 0) return;
        Directory.CreateDirectory(_hot);
        var (free, needed) = (FreeBytes(), plan.Bytes + plan.Bytes / IndexShare + SpareBytes);
        if (free >= needed) return;
        throw new RestoreRefusedException(
            $"{_hot} has {Mib(free)} MiB free; {Mib(plan.Bytes)} MiB are to be fetched, and with their text index and {Mib(SpareBytes)} MiB to spare {Mib(needed)} MiB are needed. Restore a shorter range or one class, or make room.");
    }

    /// <summary>Brings it back.</summary>
    /// <param name="plan">What.</param>
    /// <param name="stay">How long it stays.</param>
    /// <param name="user">Who asks.</param>
    /// <param name="ip">From where; null is this machine.</param>
    /// <param name="progress">Told how many bytes are there.</param>
    /// <param name="cancel">Gives up; what is there stays.</param>
    /// <exception cref="RestoreRefusedException">There is no room for it, or another process restores.</exception>
    /// <exception cref="IOException">The archive or the disk failed; once more goes on where it was.</exception>
    public async Task<RestoreResult> RunAsync(RestorePlan plan, TimeSpan stay, string user, string? ip, Action<long>? progress, CancellationToken cancel)
    {
        using var alone = ProcessLock.TryTake(_lock) ?? throw new RestoreRefusedException("another process is restoring: wait until it has ended");
        CheckRoom(plan);
        var id = _registry.Begin(plan, _time.GetUtcNow() + stay, user, ip);
        DurableFile.CreateDirectory(_scratch);
        // Of one that was interrupted.
        foreach (var file in Directory.GetFiles(_scratch)) File.Delete(file);
        var (segments, bytes, expired) = (0L, 0L, 0L);
        var failures = new List<(string, string)>();
        foreach (var segment in plan.Cold)
        {
            switch (await FetchAsync(segment.Sealed, cancel))
            {
                case null:
                    (segments, bytes) = (segments + 1, bytes + segment.Sealed.Bytes);
                    break;
                case "" when segment.Sealed.RetainUntil <= _time.GetUtcNow().UtcDateTime:
                    _catalog.Expire(segment.Sealed.Path);
                    expired++;
                    break;
                case "":
                    failures.Add((segment.Sealed.Path, "it is not there, though its retention has not ended"));
                    break;
                case { } wrong:
                    failures.Add((segment.Sealed.Path, wrong));
                    break;
            }
            progress?.Invoke(bytes);
        }
        if (failures.Count == 0) _registry.Finish(id);
        return new(segments, bytes, expired, failures);
    }

    /// <returns>Null when it is there; empty when the archive does not have it; else what is wrong with what it has.</returns>
    async ValueTask<string?> FetchAsync(SealedSegment segment, CancellationToken cancel)
    {
        var target = Path.Combine(_hot, segment.Path);
        if (File.Exists(target)) return null;
        var fresh = Path.Combine(_scratch, Path.GetFileName(segment.Path));
        await using (var file = new FileStream(fresh, FileMode.Create, FileAccess.ReadWrite, FileShare.None, bufferSize: 0, useAsync: true))
        {
            var (right, isThere) = await _store.ReadSealed(segment, file, cancel);
            if (right is null)
            {
                File.Delete(fresh);
                return isThere ? $"no version of it has the {segment.Bytes.ToString(CultureInfo.InvariantCulture)} bytes with SHA-256 {segment.Sha256} that were sealed" : "";
            }
            DurableFile.Sync(file.SafeFileHandle);
        }
        Probe?.Invoke(segment.Path);
        DurableFile.CreateDirectory(Path.GetDirectoryName(target)!);
        File.Move(fresh, target, overwrite: true);
        DurableFile.SyncDirectory(Path.GetDirectoryName(target)!);
        return null;
    }

    static string Mib(long bytes) => (bytes >> 20).ToString("N0", CultureInfo.InvariantCulture);
}
