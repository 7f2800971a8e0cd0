using System.Buffers;
using Logwarden.Events;

namespace Logwarden.Flow;

/// <summary>
/// Events that leave together, in order of their journal offsets; those of other destinations between them are left out. One instance is reused for all batches of a
/// destination, so nothing of it may be kept after a send has returned. Not thread-safe.
/// </summary>
public sealed class EventBatch
{
    readonly ArrayBufferWriter<byte> _encoded = new(256 << 10);
    readonly ArrayBufferWriter<byte> _wire = new(256 << 10);
    readonly List<(int Encoded, int EncodedLength, int Wire, int WireLength)> _events = [];

    /// <summary>Number of events.</summary>
    public int Count => _events.Count;

    /// <summary>Bytes of all wire forms.</summary>
    public int WireBytes { get; private set; }

    /// <summary>The wire form of an event, as the destination rendered it.</summary>
    public ReadOnlyMemory<byte> Wire(int index) => _wire.WrittenMemory.Slice(_events[index].Wire, _events[index].WireLength);

    /// <summary>The event in <see cref="EventEncoding"/>.</summary>
    public ReadOnlyMemory<byte> Encoded(int index) => _encoded.WrittenMemory.Slice(_events[index].Encoded, _events[index].EncodedLength);

    /// <summary>The event itself.</summary>
    public StoredEvent Event(int index) => EventEncoding.TryRead(Encoded(index).Span, out var e) ? e : throw new System.Diagnostics.UnreachableException();

    /// <summary>Copies an event into the batch and renders it.</summary>
    /// <returns>Bytes of its wire form.</returns>
    public int Add(ReadOnlySpan<byte> encoded, in StoredEvent e, IDestination destination)
    {
        var (at, wire) = (_encoded.WrittenCount, _wire.WrittenCount);
        _encoded.Write(encoded);
        destination.Render(e, _wire);
        _events.Add((at, encoded.Length, wire, _wire.WrittenCount - wire));
        WireBytes += _wire.WrittenCount - wire;
        return _wire.WrittenCount - wire;
    }

    /// <summary>Takes the last event out again.</summary>
    public void RemoveLast()
    {
        var last = _events[^1];
        _events.RemoveAt(_events.Count - 1);
        WireBytes -= last.WireLength;
    }

    /// <summary>Makes this batch hold some events of another one, sharing nothing with it.</summary>
    public void CopyFrom(EventBatch other, ReadOnlySpan<int> indexes)
    {
        Clear();
        foreach (var i in indexes)
        {
            var encoded = other.Encoded(i).Span;
            var wire = other.Wire(i).Span;
            _events.Add((_encoded.WrittenCount, encoded.Length, _wire.WrittenCount, wire.Length));
            _encoded.Write(encoded);
            _wire.Write(wire);
            WireBytes += wire.Length;
        }
    }

    /// <summary>Empties it.</summary>
    public void Clear()
    {
        _events.Clear();
        _encoded.ResetWrittenCount();
        _wire.ResetWrittenCount();
        WireBytes = 0;
    }
}
