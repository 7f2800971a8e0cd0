using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Journal;

namespace Logwarden.Delivery;

/// <summary>
/// What a destination has yet to get, in order of journal offsets: from the journal where it still has it, else from the sealed segments of the hot store. So a destination that is away
/// for days holds nothing up: the journal lets go of what is sealed, and the backlog lies compressed in segments that are kept anyway. Not thread-safe.
/// </summary>
public sealed class Backlog : IDisposable
{
    readonly DiskJournal _journal;
    readonly JournalReader _reader;
    readonly JournalBatch _batch = new(256 << 10);
    readonly SegmentBacklog _segments;
    bool _fromSegments;
    int _count;
    int _next;

    /// <summary>Begins at an offset.</summary>
    public Backlog(DiskJournal journal, string dataFolder, long from)
    {
        (_journal, _segments, Position) = (journal, new(dataFolder), from);
        _reader = journal.OpenReader(from);
    }

    /// <summary>Everything below was given by <see cref="TryNext"/>, or is not there any more.</summary>
    public long Position { get; private set; }

    /// <summary>Offsets that are neither in the journal nor in the hot store any more; they count as passed.</summary>
    public long Missing { get; private set; }

    /// <summary>Gives the next event, from what was read before or newly read.</summary>
    /// <param name="encoded">It in <see cref="EventEncoding"/>, valid until the next call.</param>
    /// <returns>False when there is none yet.</returns>
    /// <exception cref="IOException">The journal or a segment can't be read.</exception>
    public bool TryNext(out ReadOnlySpan<byte> encoded)
    {
        encoded = default;
        while (_next == _count)
        {
            if (_fromSegments && _count > 0) Pass(_segments.End);
            if (!Fill()) return false;
        }
        encoded = _fromSegments ? _segments[_next] : _batch[_next];
        _next++;
        var offset = OffsetOf(encoded);
        Pass(offset);
        Position = offset + 1;
        return true;
    }

    /// <summary>Waits until there is something.</summary>
    /// <returns>False when the journal was closed.</returns>
    public ValueTask<bool> WaitAsync(CancellationToken cancel) => _journal.WaitAsync(Position, cancel);

    /// <inheritdoc/>
    public void Dispose() => _reader.Dispose();

    bool Fill()
    {
        (_next, _count) = (0, 0);
        if (Position >= _journal.DurableEnd) return false;
        try
        {
            _reader.Seek(Position);
            _count = _reader.Read(_batch);
            _fromSegments = false;
            return _count > 0;
        }
        catch (JournalReleasedException released)
        {
            // What the journal has let go of is sealed.
            _segments.Read(Position, released.Oldest);
            (_fromSegments, _count) = (true, _segments.Count);
            if (_count == 0) Pass(_segments.End);
            return true;
        }
    }

    void Pass(long offset)
    {
        if (offset <= Position) return;
        Missing += offset - Position;
        Position = offset;
    }

    static long OffsetOf(ReadOnlySpan<byte> encoded) => System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(encoded[EventEncoding.OffsetPosition..]);
}
