using System.Buffers;

namespace Logwarden.Journal;

/// <summary>
/// Events of one source that are appended together: encoded, redacted, in order. The journal drops those whose dedup key it has
/// seen, numbers the rest, and counts all of it in the same commit.
/// </summary>
public sealed class AppendBatch
{
    /// <summary>
    /// Bytes that the events of one batch may have together. With <see cref="JournalOptions.GroupBytesLimit"/> and <see cref="JournalOptions.FileBytesLimit"/> it keeps
    /// every group and every journal file well below 2 GiB, beyond which neither could be read back.
    /// </summary>
    public const int EventBytesMax = 256 << 20;

    /// <summary>Events that one batch may have.</summary>
    public const int EntriesMax = 1_000_000;

    /// <summary>Id of the source.</summary>
    public required string Source { get; init; }

    /// <summary><see cref="Events.EventEncoding"/> of each event, one behind the other. Offsets in them are not yet set.</summary>
    public ArrayBufferWriter<byte> Bytes { get; } = new(256 * 1024);

    /// <summary>One item for each event in <see cref="Bytes"/>, in order.</summary>
    public List<AppendEntry> Entries { get; } = [];

    /// <summary>Makes it ready for the next batch of the same source.</summary>
    public void Clear()
    {
        Bytes.ResetWrittenCount();
        Entries.Clear();
    }
}

/// <summary>One event of an <see cref="AppendBatch"/>.</summary>
/// <param name="Start">Where it begins in the batch's bytes.</param>
/// <param name="Length">Its length in bytes.</param>
/// <param name="Key">128-bit hash of source and event id, or zero when it can't be a duplicate.</param>
/// <param name="Quarantine">Reason code when it stands for a record that could not be taken in; null for an ordinary event.</param>
public readonly record struct AppendEntry(int Start, int Length, UInt128 Key, string? Quarantine);

/// <summary>What a durable append did.</summary>
/// <param name="First">Offset of the first event stored; meaningless when none was.</param>
/// <param name="Stored">Events stored, quarantined ones not counted.</param>
/// <param name="Duplicates">Events that had been stored before.</param>
/// <param name="Quarantined">Quarantined entries stored.</param>
public readonly record struct AppendReceipt(long First, int Stored, int Duplicates, int Quarantined);
