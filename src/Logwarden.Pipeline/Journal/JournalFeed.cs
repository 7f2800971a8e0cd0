namespace Logwarden.Journal;

/// <summary>
/// Appends many batches of one source from one ordinary thread: while earlier batches are being written the next one is filled. Not
/// thread-safe.
/// </summary>
public sealed class JournalFeed
{
    readonly DiskJournal _journal;
    readonly string _source;
    readonly Queue<AppendBatch> _free = new();
    readonly Queue<(AppendBatch Batch, Task<AppendReceipt> Receipt)> _written = new();

    internal JournalFeed(DiskJournal journal, string source, int batches)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(batches, 2);
        (_journal, _source) = (journal, source);
        for (var i = 0; i < batches; i++) _free.Enqueue(new() { Source = source });
    }

    /// <summary>Events stored durably so far, quarantined ones not counted.</summary>
    public long Stored { get; private set; }

    /// <summary>Events so far that had been stored before.</summary>
    public long Duplicates { get; private set; }

    /// <summary>Quarantined entries stored durably so far.</summary>
    public long Quarantined { get; private set; }

    /// <summary>An empty batch to fill; waits until one is free.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public AppendBatch Next()
    {
        if (_free.Count == 0) Finish();
        var batch = _free.Dequeue();
        batch.Clear();
        return batch;
    }

    /// <summary>Hands over a batch that <see cref="Next"/> gave. It is durable when the totals count it, at the latest after <see cref="Drain"/>.</summary>
    /// <exception cref="JournalFullException">Nothing was taken: hand the same batch over again later.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Append(AppendBatch batch)
    {
        if (!ReferenceEquals(batch.Source, _source)) throw new ArgumentException("Not a batch of this feed.", nameof(batch));
        _written.Enqueue((batch, _journal.Enqueue(batch)));
    }

    /// <summary>Waits until everything handed over is durable.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Drain()
    {
        while (_written.Count > 0) Finish();
    }

    void Finish()
    {
        if (!_written.TryDequeue(out var oldest)) throw new InvalidOperationException("Every batch is in the caller's hands.");
        var receipt = oldest.Receipt.GetAwaiter().GetResult();
        Stored += receipt.Stored;
        Duplicates += receipt.Duplicates;
        Quarantined += receipt.Quarantined;
        _free.Enqueue(oldest.Batch);
    }
}
