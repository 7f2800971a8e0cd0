using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;

namespace Logwarden.Api;

/// <summary>What one request may bring. A small body can become very many events: it shrinks a thousand times when packed, and an event of two bytes takes hundreds.</summary>
/// <param name="PackedBytesMax">Bytes of the body as it comes.</param>
/// <param name="RawBytesMax">Bytes of the body once it is unpacked.</param>
/// <param name="RecordsMax">Records in it.</param>
/// <param name="EventBytesMax">Bytes of the events made of them, as the journal takes them.</param>
sealed record RequestLimits(int PackedBytesMax, int RawBytesMax, int RecordsMax, int EventBytesMax)
{
    /// <summary>10 MiB packed and 20 MiB raw, as Better Stack has them; 100,000 records, of which its clients send 1,000 at once; 64 MiB of events.</summary>
    public static RequestLimits Default { get; } = new(10 << 20, 20 << 20, 100_000, 64 << 20);
}

/// <summary>The events of one request, made until its end or until it is over a limit.</summary>
sealed class RequestBatch(IntakeWorker worker, IntakeRoute route, ReadOnlyMemory<byte> body, RequestLimits limits)
{
    readonly RecordReader _reader = new(body, route.Format.Framing, RecordLimits.Default);

    /// <summary>What was made so far.</summary>
    public AppendBatch Events { get; } = new() { Source = route.Source };

    /// <summary>Of them quarantined.</summary>
    public int Refused { get; private set; }

    /// <summary>Of the quarantined those in which not even a record could be found.</summary>
    public int Unread { get; private set; }

    /// <summary>Why the last one was quarantined.</summary>
    public string LastRefusal => worker.LastRefusal?.Reason ?? "";

    /// <summary>Over a limit: nothing of it may be stored.</summary>
    public bool IsTooLarge => Events.Entries.Count > limits.RecordsMax || Events.Bytes.WrittenCount > limits.EventBytesMax;

    /// <summary>Goes on to the end, or until there are so many bytes of events, or it is too large.</summary>
    /// <returns>Whether there is nothing left to do.</returns>
    /// <exception cref="OperationCanceledException">The client is gone.</exception>
    public bool Read(int eventBytesMax, CancellationToken cancel)
    {
        while (!IsTooLarge)
        {
            if (Events.Bytes.WrittenCount >= eventBytesMax) return false;
            cancel.ThrowIfCancellationRequested();
            if (!_reader.Read(out var record)) return true;
            worker.Add(record, RecordOrigin.None, Events);
            if (Events.Entries[^1].Quarantine is not null) Refused++;
            if (record.Error is not null) Unread++;
        }
        return true;
    }
}
