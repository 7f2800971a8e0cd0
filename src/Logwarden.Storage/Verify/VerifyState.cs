using Logwarden.Archive;

namespace Logwarden.Verify;

/// <summary>Findings and counts of one verification. Thread-safe.</summary>
sealed class VerifyState(int findingsMax)
{
    readonly Lock _gate = new();
    readonly HashSet<Finding> _findings = [];
    readonly List<Finding> _ordered = [];

    public long FindingsTotal { get; private set; }

    public long Seals;
    public long Segments;
    public long SegmentsExpired;
    public long SegmentsUndeleted;
    public long Deletions;
    public long Events;
    public long Tiles;
    public long Checkpoints;
    public long Locks;
    public long Bytes;

    public IReadOnlyList<Finding> Findings
    {
        get
        {
            lock (_gate) return [.. _ordered];
        }
    }

    /// <summary>Takes over what another has found and counted.</summary>
    public void Take(VerifyState other)
    {
        Tiles += other.Tiles;
        Checkpoints += other.Checkpoints;
        foreach (var finding in other.Findings) Add(finding);
        FindingsTotal += other.FindingsTotal - other.Findings.Count;
    }

    public void Add(FindingCode code, string key, string what, string next, long? leaf = null, long? offset = null) =>
        Add(new Finding(code, key, what, next) { Leaf = leaf, Offset = offset });

    void Add(Finding finding)
    {
        lock (_gate)
        {
            if (_findings.Contains(finding)) return;
            FindingsTotal++;
            if (_findings.Count >= findingsMax) return;
            _findings.Add(finding);
            _ordered.Add(finding);
        }
    }
}

/// <summary>What to do about a finding.</summary>
static class Advice
{
    public const string Restore = "Restore the object from a copy or, in a versioned bucket, from its locked version; then verify again.";
    public const string Investigate = "Find out who could write to the archive, and when; keep it as it is until then.";
    public const string Resume = "If a seal is just being written, verify again in a minute; if the server was stopped in the middle, start it and it will finish the seal.";
    public const string Relock = "Lock it again until the date in the seal, and find out who removed the lock.";
    public const string Rebuild = "It is not locked and can be made again: start the server, or seal once more.";
    public const string Remake = "It is not locked: start the server, which makes it again where it still has the events; else restore it from a copy.";
    public const string Unmark = "Remove the delete marker; the locked version lies beneath it.";
}

/// <summary>
/// Reads objects by version. An object with one version is read as it is. Where there are several, the one that holds the right bytes counts;
/// what lies over it is a finding.
/// </summary>
sealed class VersionedReader(IBlobStore store, VerifyState state)
{
    readonly Dictionary<string, List<BlobVersion>> _odd = new(StringComparer.Ordinal);

    /// <summary>Remembers the versions of a key that has more than one, or none but delete markers.</summary>
    public void Note(string key, List<BlobVersion> versions)
    {
        if (versions.Count == 1 && !versions[0].IsDeleteMarker) return;
        _odd[key] = versions;
        if (versions[0].IsDeleteMarker)
            state.Add(FindingCode.ObjectDeleted, key, $"A delete marker of {versions[0].Modified:u} hides it.", Advice.Unmark);
    }

    /// <summary>Reads the version that is right; if none is, the newest.</summary>
    public async ValueTask<Fetched?> Fetch(string key, Func<Stream> open, Func<Stream, bool> isRight, CancellationToken cancel)
    {
        Fetched? newest = null;
        var (right, wrong) = (new List<string?>(), new List<string?>());
        Fetched? best = null;
        foreach (var version in Candidates(key))
        {
            var content = open();
            var isTooLarge = false;
            try
            {
                if (!await store.Read(key, version, content, cancel))
                {
                    await content.DisposeAsync();
                    continue;
                }
            }
            catch (NotSmallException)
            {
                content.SetLength(0); // whatever it is, it is not what it should be
                isTooLarge = true;
            }
            content.Position = 0;
            var ok = !isTooLarge && isRight(content);
            content.Position = 0;
            (ok ? right : wrong).Add(version);
            var fetched = new Fetched(content, ok, isTooLarge, right);
            if (ok && best is null) best = fetched;
            else if (newest is null) newest = fetched;
            else await content.DisposeAsync();
        }
        if (best is null) return newest;
        if (newest is not null) await newest.DisposeAsync();
        if (wrong.Count == 0) return best;
        // Over it: that is what a reader gets who asks for no version. Beneath it: it was there before, and whoever put it there meant to be in the way.
        if (!right.Contains(Candidates(key).First()))
        {
            state.Add(FindingCode.ObjectReplaced, key, "A newer version with other bytes lies over the sealed one.",
                "Delete the newer version; the sealed one is still there and locked.");
        }
        else
        {
            state.Add(FindingCode.ObjectUnexpected, key, $"An older version ({wrong[^1]}) has other bytes; the sealed one lies over it.", Advice.Investigate);
        }
        return best;
    }

    /// <summary>Reads a small object.</summary>
    public async ValueTask<(byte[] Bytes, IReadOnlyList<string?> Right)?> FetchBytes(string key, Func<byte[], bool> isRight, CancellationToken cancel)
    {
        await using var fetched = await Fetch(
            key, () => new SmallStream(), stream => isRight(((MemoryStream)stream).ToArray()), cancel);
        return fetched is null ? null : (((MemoryStream)fetched.Content).ToArray(), fetched.Right);
    }

    /// <summary>Checks that one of the versions that hold the right bytes is locked as it was sealed.</summary>
    public async ValueTask CheckLock(
        string key, IReadOnlyList<string?> versions, LockMode mode, DateTime until, DateTimeOffset now, CancellationToken cancel)
    {
        Interlocked.Increment(ref state.Locks);
        if (until <= now.UtcDateTime) return;
        var heads = new List<BlobHead>();
        foreach (var version in versions)
        {
            if (await store.Head(key, version, cancel) is not { } head) continue;
            if (head.Mode >= mode && head.RetainUntil?.UtcDateTime >= until) return;
            heads.Add(head);
        }
        // When it went away meanwhile, what reads it says so.
        if (heads.MaxBy(head => head.RetainUntil ?? default) is not { } strongest) return;
        if (strongest.Mode is null || strongest.RetainUntil is null)
            state.Add(FindingCode.LockMissing, key, $"It is not locked; it was sealed with a lock until {until:u}.", Advice.Relock);
        else if (strongest.RetainUntil.Value.UtcDateTime < until)
            state.Add(FindingCode.LockShortened, key, $"It is locked until {strongest.RetainUntil.Value.UtcDateTime:u}; it was sealed with a lock until {until:u}.", Advice.Relock);
        else
            state.Add(FindingCode.LockWeakened, key, $"It is locked in mode {strongest.Mode}; it was sealed in mode {mode}.", Advice.Relock);
    }

    IEnumerable<string?> Candidates(string key) =>
        _odd.TryGetValue(key, out var versions) ? versions.Where(version => !version.IsDeleteMarker).Select(version => version.VersionId) : [null];
}

/// <summary>One object as it was read.</summary>
/// <param name="Content">Its bytes, at the start.</param>
/// <param name="IsRight">Whether they are what they must be.</param>
/// <param name="IsTooLarge">Whether it was too large to be read; there are no bytes then.</param>
/// <param name="Right">All versions with the right bytes; empty when none has them.</param>
sealed record Fetched(Stream Content, bool IsRight, bool IsTooLarge, IReadOnlyList<string?> Right) : IAsyncDisposable
{
    public ValueTask DisposeAsync() => Content.DisposeAsync();
}

/// <summary>
/// A file that is gone when it is closed, and takes no more than what is read into it could sensibly have: what lies under the key of a segment can be of any size, and must not fill
/// the disk of who looks at it.
/// </summary>
sealed class ScratchStream(long bytesMax) : FileStream(Path.GetTempFileName(), new FileStreamOptions
{
    Mode = FileMode.Create,
    Access = FileAccess.ReadWrite,
    Options = FileOptions.DeleteOnClose,
    BufferSize = 0,
})
{
    public override void Write(byte[] buffer, int offset, int count)
    {
        Check(count);
        base.Write(buffer, offset, count);
    }

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        Check(buffer.Length);
        base.Write(buffer);
    }

    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
    {
        Check(count);
        return base.WriteAsync(buffer, offset, count, cancellationToken);
    }

    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        Check(buffer.Length);
        return base.WriteAsync(buffer, cancellationToken);
    }

    void Check(int count)
    {
        if (count > bytesMax - Position) throw new NotSmallException();
    }
}
