using System.Buffers;
using Logwarden.Events;
using Logwarden.Segments;

namespace Logwarden.Hot;

/// <summary>
/// Reads sealed events in order of their journal offsets, for readers that are so far behind that the journal has let go of what they want. Segments are sorted by event
/// time, so a stretch of offsets is collected from all segments that have some of it, and sorted; what is in memory is bounded. Not thread-safe.
/// </summary>
public sealed class SegmentBacklog(string dataFolder)
{
    const int StretchMax = 16_384;
    const int BytesMax = 48 << 20;

    readonly HotCatalog _catalog = new(Path.Combine(Path.GetFullPath(dataFolder), "hot", "segments"));
    readonly ArrayBufferWriter<byte> _bytes = new(1 << 20);
    readonly List<(long Offset, int Start, int Length)> _events = [];
    int _stretch = StretchMax;

    /// <summary>Events that the last <see cref="Read"/> collected.</summary>
    public int Count => _events.Count;

    /// <summary>Offset behind the last stretch: where the next begins.</summary>
    public long End { get; private set; }

    /// <summary>One of them in <see cref="EventEncoding"/>, by its place in the order of offsets; valid until the next read.</summary>
    public ReadOnlySpan<byte> this[int index] => _bytes.WrittenSpan.Slice(_events[index].Start, _events[index].Length);

    /// <summary>Collects the events of the stretch that begins at an offset. Offsets whose segments are not in the hot store any more are left out.</summary>
    /// <param name="from">First offset.</param>
    /// <param name="to">Offset that it does not reach: everything below it is sealed.</param>
    /// <exception cref="IOException">A segment can't be read.</exception>
    /// <exception cref="InvalidDataException">A segment is damaged; the message names it.</exception>
    public void Read(long from, long to)
    {
        _ = _catalog.Refresh();
        while (true)
        {
            End = Math.Min(to, from + _stretch);
            try
            {
                if (Collect(from, End)) break;
            }
            catch (FileNotFoundException)
            {
                // Evicted while it was listed.
                _ = _catalog.Refresh();
                continue;
            }
            _stretch = Math.Max(1, _stretch / 4);
        }
        if (_bytes.WrittenCount < BytesMax / 8 && _stretch < StretchMax) _stretch = Math.Min(StretchMax, _stretch * 2);
        _events.Sort(static (a, b) => a.Offset.CompareTo(b.Offset));
    }

    /// <summary>False when it is more than may be in memory, unless it is one event.</summary>
    bool Collect(long from, long to)
    {
        _events.Clear();
        _bytes.ResetWrittenCount();
        foreach (var segment in _catalog.Segments)
        {
            if (segment.MinOffset >= to || segment.MaxOffset < from) continue;
            if (!File.Exists(segment.Path)) throw new FileNotFoundException($"{segment.Path} is gone.", segment.Path);
            using var reader = SegmentReader.Open(segment.Path);
            reader.Offsets = (from, to);
            while (reader.Next())
            {
                var offset = System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(reader.Event[EventEncoding.OffsetPosition..]);
                if (offset < from || offset >= to) continue;
                _events.Add((offset, _bytes.WrittenCount, reader.Event.Length));
                _bytes.Write(reader.Event);
                if (_bytes.WrittenCount > BytesMax && to - from > 1) return false;
            }
            if (reader.Error is { } error) throw new InvalidDataException($"{segment.Path}: {error}");
        }
        return true;
    }
}
