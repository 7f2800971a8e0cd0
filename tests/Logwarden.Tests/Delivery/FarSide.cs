using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Tests.Delivery;

/// <summary>A destination in memory that answers as a script or a seed says, and keeps what it took, duplicates too, in the order of arrival.</summary>
sealed class FarSide : IDestination
{
    readonly Queue<Func<EventBatch, Answer>> _script = new();

    public DestinationLimits Limits { get; init; } = new(EventsMax: 100, BytesMax: 64 * 1024, EventBytesMax: 16 * 1024, EventOverhead: 1, AgeMax: TimeSpan.FromSeconds(1));

    /// <summary>Offsets in the order of arrival.</summary>
    public List<long> Got { get; init; } = [];

    /// <summary>Events of each request.</summary>
    public List<int> Sizes { get; } = [];

    /// <summary>Answers when the script is at its end.</summary>
    public Func<EventBatch, Answer>? Otherwise { get; init; }

    public bool IsDisposed { get; private set; }

    public FarSide Then(Func<EventBatch, Answer> answer)
    {
        _script.Enqueue(answer);
        return this;
    }

    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        var to = output.GetSpan(8 + e.Json.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to, e.Offset);
        e.Json.CopyTo(to[8..]);
        output.Advance(8 + e.Json.Length);
    }

    public ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        Assert.InRange(batch.Count, 1, Limits.EventsMax);
        Assert.True(batch.Count == 1 || batch.WireBytes + batch.Count * Limits.EventOverhead <= Limits.BytesMax);
        Sizes.Add(batch.Count);
        var answer = (_script.TryDequeue(out var scripted) ? scripted : Otherwise ?? (_ => new Answer.Accepted()))(batch);
        switch (answer)
        {
            case Answer.Accepted:
                Keep(batch, _ => true);
                break;
            case Answer.Later later:
                Keep(batch, later.Taken.Contains);
                break;
            case Answer.Refused refused:
                Keep(batch, index => refused.Events.All(e => e.Index != index));
                break;
        }
        return new(answer);
    }

    /// <summary>Takes it and then breaks the connection: the sender can't know.</summary>
    public void KeepAndBreak(EventBatch batch)
    {
        Keep(batch, _ => true);
        throw new IOException("The connection was reset.");
    }

    public ValueTask DisposeAsync()
    {
        IsDisposed = true;
        return default;
    }

    public static string Id(EventBatch batch, int index) => Encoding.UTF8.GetString(batch.Event(index).Id);

    void Keep(EventBatch batch, Func<int, bool> isTaken)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            if (isTaken(i)) Got.Add(BinaryPrimitives.ReadInt64LittleEndian(batch.Wire(i).Span));
        }
    }
}
