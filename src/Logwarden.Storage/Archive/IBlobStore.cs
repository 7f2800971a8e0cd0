namespace Logwarden.Archive;

/// <summary>Who may end a lock early (the words of S3 Object Lock).</summary>
public enum LockMode
{
    /// <summary>Whoever has a special right may.</summary>
    Governance = 0,

    /// <summary>Nobody may, not even the account's root; the date can only be moved later.</summary>
    Compliance = 1,
}

/// <summary>How long a blob is to stay as it is.</summary>
public sealed record BlobLock
{
    /// <summary>A lock; the date is moved up to the next whole second, the finest that every store keeps.</summary>
    public BlobLock(LockMode mode, DateTimeOffset retainUntil, bool legalHold)
    {
        Mode = mode;
        var utc = retainUntil.ToUniversalTime();
        var part = utc.Ticks % TimeSpan.TicksPerSecond;
        RetainUntil = part == 0 ? utc : utc.AddTicks(TimeSpan.TicksPerSecond - part);
        LegalHold = legalHold;
    }

    /// <summary>Who may end it early.</summary>
    public LockMode Mode { get; }

    /// <summary>Until then nobody can delete or change it. UTC, whole seconds.</summary>
    public DateTimeOffset RetainUntil { get; }

    /// <summary>Kept, whatever the date, until the hold is taken off.</summary>
    public bool LegalHold { get; }
}

/// <summary>One stored version of a blob. A store with versions keeps what was there before a delete or a second put.</summary>
/// <param name="Key">Name, with <c>/</c> between its parts.</param>
/// <param name="VersionId">The store's id of this version; null where a store keeps one version only.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Modified">When it was stored, by the store's clock.</param>
/// <param name="IsLatest">Whether it is what a reader gets who names no version.</param>
/// <param name="IsDeleteMarker">Whether it only says that the blob was deleted.</param>
public sealed record BlobVersion(
    string Key, string? VersionId, long Length, DateTimeOffset Modified, bool IsLatest, bool IsDeleteMarker);

/// <summary>One version and what protects it.</summary>
/// <param name="VersionId">The store's id of the version; null where a store keeps one version only.</param>
/// <param name="Length">Bytes.</param>
/// <param name="Mode">Null when no retention is set, or when the caller may not see it.</param>
/// <param name="RetainUntil">End of the retention.</param>
/// <param name="LegalHold">Whether a hold is on.</param>
public sealed record BlobHead(string? VersionId, long Length, LockMode? Mode, DateTimeOffset? RetainUntil, bool LegalHold)
{
    /// <summary>Whether it can be neither deleted nor replaced at that moment.</summary>
    public bool IsLockedAt(DateTimeOffset now) => LegalHold || (Mode is not null && RetainUntil > now);

    /// <summary>The lock that it must have to be protected as asked and no less than it is: a repeated put takes no hold off and shortens nothing.</summary>
    public BlobLock Raised(BlobLock wanted) => new(
        Mode > wanted.Mode ? Mode.Value : wanted.Mode, RetainUntil > wanted.RetainUntil ? RetainUntil.Value : wanted.RetainUntil, LegalHold || wanted.LegalHold);

    /// <summary>Whether it is protected at least as asked.</summary>
    public bool Covers(BlobLock wanted) =>
        Mode >= wanted.Mode && RetainUntil >= wanted.RetainUntil && (LegalHold || !wanted.LegalHold);
}

/// <summary>What a put did.</summary>
/// <param name="VersionId">Version that now holds the bytes; record it, the latest can be anybody's. Null as in <see cref="BlobVersion"/>.</param>
/// <param name="Stored">False when the same bytes were there already.</param>
public readonly record struct PutReceipt(string? VersionId, bool Stored);

/// <summary>The store could not do it.</summary>
public class BlobStoreException : IOException
{
    /// <summary>Says what failed and what to do.</summary>
    public BlobStoreException(string message, Exception? inner)
        : base(message, inner)
    {
    }
}

/// <summary>Refused, because a lock is in force.</summary>
public sealed class BlobLockedException(string message, Exception? inner) : BlobStoreException(message, inner);

/// <summary>
/// Where the archive lies. Locked blobs are written once and never replaced; unlocked ones can be. All calls may be repeated after any
/// failure: what was done already is found and left alone.
/// </summary>
public interface IBlobStore : IDisposable
{
    /// <summary>Where it is, for messages; without credentials.</summary>
    string Location { get; }

    /// <summary>Findings about the place itself: whether it can protect what is put into it.</summary>
    ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel);

    /// <summary>
    /// Stores a blob. With a lock: durable, protected and read back on return; when a version with the same bytes is there already, it
    /// is given the lock if it lacks it, and nothing is stored. Without: replaces what is there.
    /// </summary>
    /// <param name="key">Name.</param>
    /// <param name="content">Bytes, from the stream's start; must be seekable.</param>
    /// <param name="protection">Null leaves it replaceable.</param>
    /// <param name="cancel">Gives up; the blob may or may not be stored.</param>
    /// <exception cref="BlobLockedException">The key holds other bytes under a lock.</exception>
    /// <exception cref="BlobStoreException">The store failed, or what it holds after the put is not what was put.</exception>
    ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel);

    /// <summary>
    /// As <see cref="Put"/> with a lock, where somebody else may have put something: other bytes under the key stop nothing, stay as they are, and can still be
    /// listed and read (as an older version; in a store without versions under another name beside it). For what carries its own proof, such as a signature.
    /// </summary>
    ValueTask<PutReceipt> PutOver(string key, Stream content, BlobLock protection, CancellationToken cancel);

    /// <summary>Copies a blob's bytes to a stream.</summary>
    /// <param name="key">Name.</param>
    /// <param name="versionId">Which version; null is the latest.</param>
    /// <param name="destination">Where to.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>False when it is not there; nothing is written then.</returns>
    ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel);

    /// <summary>What protects a blob; null when it is not there.</summary>
    ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel);

    /// <summary>Moves a version's retention to at least what is asked, and sets or takes off its hold.</summary>
    /// <exception cref="BlobLockedException">It would shorten or weaken the lock.</exception>
    ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel);

    /// <summary>Every version and delete marker below a prefix, by key in ordinal order, the latest of a key first.</summary>
    IAsyncEnumerable<BlobVersion> List(string prefix, CancellationToken cancel);

    /// <summary>Removes a version for good (null: the only or latest one). Nothing happens when it is not there.</summary>
    /// <exception cref="BlobLockedException">A lock is in force.</exception>
    ValueTask Delete(string key, string? versionId, CancellationToken cancel);
}

/// <summary>Small blobs in memory.</summary>
public static class BlobStoreBytes
{
    /// <summary>As <see cref="IBlobStore.Put"/>, from memory.</summary>
    public static async ValueTask<PutReceipt> PutBytes(
        this IBlobStore store, string key, ReadOnlyMemory<byte> bytes, BlobLock? protection, CancellationToken cancel)
    {
        using var content = new MemoryStream(bytes.ToArray(), writable: false);
        return await store.Put(key, content, protection, cancel);
    }

    /// <summary>As <see cref="IBlobStore.Read"/>, into memory; null when it is not there.</summary>
    public static async ValueTask<byte[]?> ReadBytes(this IBlobStore store, string key, string? versionId, CancellationToken cancel)
    {
        using var content = new MemoryStream();
        return await store.Read(key, versionId, content, cancel) ? content.ToArray() : null;
    }
}
