using System.Runtime.InteropServices;
using Logwarden.Events;

namespace Logwarden.Journal;

/// <summary>A batch in the writer's queue, with the promise to answer it.</summary>
sealed class WaitingAppend(AppendBatch batch)
{
    const int TextCharsMax = 1000;
    const int EventBytesMin = 37;

    public AppendBatch Batch { get; } = batch;

    public TaskCompletionSource<AppendReceipt> Receipt { get; } = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <exception cref="ArgumentException">The batch is not what it must be: a bug of the caller.</exception>
    public static void Validate(AppendBatch batch)
    {
        if (batch.Source.Length is 0 or > TextCharsMax) throw new ArgumentException("A source id has 1 to 1,000 characters.", nameof(batch));
        if (batch.Entries.Count > AppendBatch.EntriesMax) throw new ArgumentException($"A batch has {AppendBatch.EntriesMax} events at most.", nameof(batch));
        var bytes = batch.Bytes.WrittenSpan;
        var sum = 0L;
        foreach (ref readonly var entry in CollectionsMarshal.AsSpan(batch.Entries))
        {
            if (entry.Length < EventBytesMin || (uint)entry.Start > (uint)bytes.Length || entry.Length > bytes.Length - entry.Start
                || bytes[entry.Start] != EventEncoding.Version)
            {
                throw new ArgumentException($"No encoded event at {entry.Start}, {entry.Length} bytes.", nameof(batch));
            }
            sum += entry.Length;
            if (entry.Quarantine is { Length: 0 or > TextCharsMax }) throw new ArgumentException("A reason has 1 to 1,000 characters.", nameof(batch));
        }
        if (sum > AppendBatch.EventBytesMax) throw new ArgumentException($"The events of a batch have {AppendBatch.EventBytesMax} bytes at most.", nameof(batch));
    }
}
