namespace Logwarden.Journal;

/// <summary>Where the journal is, and its bounds.</summary>
public sealed record JournalOptions
{
    /// <summary>What <see cref="FileBytesMax"/> may be at most: 1 GiB.</summary>
    public const long FileBytesLimit = 1L << 30;

    /// <summary>What <see cref="GroupBytesMax"/> may be at most: 64 MiB.</summary>
    public const int GroupBytesLimit = 64 << 20;

    /// <summary>The installation's data directory; the journal uses <c>journal/</c>, <c>cursors/</c>, <c>dedup/</c> and <c>lock</c> in it.</summary>
    public required string Directory { get; init; }

    /// <summary>A file that has reached this many bytes is followed by a new one. Default 64 MiB; 4 KiB to 1 GiB.</summary>
    public long FileBytesMax { get; init; } = 64L << 20;

    /// <summary>
    /// Bytes of journal files that not every reader has passed. Beyond it appends are refused with <see cref="JournalFullException"/>.
    /// Default 4 GiB. Batches already waiting are still taken, so that files may exceed it by <see cref="WaitingBatchesMax"/> batches.
    /// </summary>
    public long BytesMax { get; init; } = 4L << 30;

    /// <summary>Batches are put into one group (one write, one fsync) until it has this many bytes. Default 4 MiB; at most 64 MiB.</summary>
    public int GroupBytesMax { get; init; } = 4 << 20;

    /// <summary>Batches that may wait for the writer; further callers wait. Default 64.</summary>
    public int WaitingBatchesMax { get; init; } = 64;

    /// <summary>Dedup keys held in memory before they are written out as a sorted run. Default 262,144 (8 MiB, at most twice that); at least 16.</summary>
    public int DedupKeysInMemory { get; init; } = 1 << 18;

    /// <summary>
    /// How long an event is known, so that it is not stored again when it is sent again. Keys may be kept an eighth longer. Default 90 days, for which CloudTrail keeps its own history; 17.5 bytes
    /// on disk for each event in that time.
    /// </summary>
    public TimeSpan DedupWindow { get; init; } = TimeSpan.FromDays(90);

    /// <summary>Keys that one run may hold; more stay in several. Default 67,108,864: 1.2 GB on disk, and 100 MB of memory while it is written.</summary>
    public int DedupKeysInRun { get; init; } = 1 << 26;

    /// <summary>After what time a source that was refused because the journal is full may try again. Default 5 s.</summary>
    public TimeSpan RetryAfter { get; init; } = TimeSpan.FromSeconds(5);

    /// <summary>Called before and after each step that changes the disk; tests break the disk here.</summary>
    internal Action<DiskStep, bool>? Probe { get; init; }

    internal string JournalDirectory => Path.Combine(Directory, "journal");

    internal string CursorDirectory => Path.Combine(Directory, "cursors");

    internal string DedupDirectory => Path.Combine(Directory, "dedup");

    internal void Step(DiskStep step, bool done) => Probe?.Invoke(step, done);
}

/// <summary>The steps in which the journal changes the disk.</summary>
enum DiskStep
{
    WriteGroup,
    SyncGroup,
    CreateFile,
    ReplaceCursor,
    WriteRun,
    DeleteRun,
    ReplaceFloor,
    DeleteFile,
}

/// <summary>The journal holds as much as it may, for its readers are behind. Nothing was taken; the sender keeps its events and tries again.</summary>
public sealed class JournalFullException : IOException
{
    internal JournalFullException(long bytes, long bytesMax, TimeSpan retryAfter, string behind)
        : base($"The journal is full: {bytes:N0} bytes wait for readers, {bytesMax:N0} are allowed. Furthest behind: {behind}.") =>
        RetryAfter = retryAfter;

    /// <summary>When to try again.</summary>
    public TimeSpan RetryAfter { get; }
}

/// <summary>
/// Acknowledged data on disk is damaged or missing. Nothing was changed: restore the named file, or take it away and accept the loss
/// that the message names.
/// </summary>
public sealed class JournalDamagedException : IOException
{
    internal JournalDamagedException(string file, long position, string what)
        : base($"{file}, byte {position:N0}: {what}") => (File, Position) = (file, position);

    /// <summary>The damaged file.</summary>
    public string File { get; }

    /// <summary>First byte that is not as it was written.</summary>
    public long Position { get; }
}

/// <summary>The wanted events were released: every reader had passed them.</summary>
public sealed class JournalReleasedException : IOException
{
    internal JournalReleasedException(long wanted, long oldest)
        : base($"The journal no longer holds offset {wanted}; the oldest it holds is {oldest}.") => Oldest = oldest;

    /// <summary>Oldest offset that can be read.</summary>
    public long Oldest { get; }
}

/// <summary>What was found when the journal was opened.</summary>
/// <param name="File">The newest journal file, the only one that can have a torn tail.</param>
/// <param name="BytesCut">Bytes of an unfinished group that were cut off its end; 0 after a clean stop.</param>
/// <param name="EntriesDropped">Intact entries in them. None of them was ever acknowledged.</param>
/// <param name="DurableEnd">Where the journal goes on.</param>
public sealed record RecoveryReport(string File, long BytesCut, int EntriesDropped, long DurableEnd);
