using System.Diagnostics;
using System.Runtime.InteropServices;
using Logwarden.Events;

namespace Logwarden.Segments;

/// <summary>
/// Native memory in pieces of 64 KiB, reused: events wait here to be sorted, out of the garbage collector's sight. Not thread-safe.
/// </summary>
public sealed unsafe class EventMemory : IDisposable
{
    internal const int ChunkBytes = 64 * 1024;

    readonly Stack<nint> _free = new();
    bool _disposed;

    /// <summary>Bytes handed out at this moment.</summary>
    public long InUse { get; private set; }

    /// <inheritdoc/>
    public void Dispose()
    {
        _disposed = true;
        while (_free.TryPop(out var chunk)) NativeMemory.Free((void*)chunk);
    }

    internal nint Rent(int bytes)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        InUse += bytes;
        if (bytes == ChunkBytes && _free.TryPop(out var chunk)) return chunk;
        return (nint)NativeMemory.Alloc((nuint)bytes);
    }

    internal void Return(nint chunk, int bytes)
    {
        InUse -= bytes;
        if (bytes == ChunkBytes && !_disposed) _free.Push(chunk);
        else NativeMemory.Free((void*)chunk);
    }
}

/// <summary>
/// The events of one segment to be: encoded, in native memory, each behind a zero byte so that the input of its leaf hash
/// (<c>0x00 ‖ encoding</c>, RFC 6962) is one span. Not thread-safe.
/// </summary>
public sealed unsafe class EventBuffer(EventMemory memory) : IDisposable
{
    readonly List<(nint Start, int Bytes)> _chunks = [];
    Entry[] _entries = new Entry[256];
    nint _next;
    int _left;

    /// <summary>Events in it.</summary>
    public int Count { get; private set; }

    /// <summary>Bytes of their encodings.</summary>
    public long Bytes { get; private set; }

    /// <summary>Latest event time; meaningless when empty.</summary>
    public long MaxTimeMicros { get; private set; } = long.MinValue;

    /// <summary>Earliest event time; meaningless when empty.</summary>
    public long MinTimeMicros { get; private set; } = long.MaxValue;

    /// <summary>The encoding of one event, valid until the buffer is cleared.</summary>
    public ReadOnlySpan<byte> this[int index] => LeafInput(index)[1..];

    /// <summary>What the leaf hash of one event is the SHA-256 of.</summary>
    public ReadOnlySpan<byte> LeafInput(int index)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual((uint)index, (uint)Count, nameof(index));
        ref var entry = ref _entries[index];
        return new((void*)entry.Start, entry.Length + 1);
    }

    /// <summary>Copies one event into it.</summary>
    /// <exception cref="ArgumentException">The bytes are not an event.</exception>
    public void Add(ReadOnlySpan<byte> encoded)
    {
        if (!EventEncoding.TryRead(encoded, out var e)) throw new ArgumentException("Not an encoded event.", nameof(encoded));
        Add(encoded, e.TimeMicros, e.Offset);
    }

    /// <summary>Orders by event time, then offset: the order of the leaves.</summary>
    public void Sort() => _entries.AsSpan(0, Count).Sort(static (left, right) =>
        left.TimeMicros != right.TimeMicros ? left.TimeMicros.CompareTo(right.TimeMicros) : left.Offset.CompareTo(right.Offset));

    /// <summary>Gives the memory of the events back.</summary>
    public void Clear()
    {
        foreach (var (start, bytes) in _chunks) memory.Return(start, bytes);
        _chunks.Clear();
        (_next, _left, Count, Bytes, MaxTimeMicros, MinTimeMicros) = (0, 0, 0, 0, long.MinValue, long.MaxValue);
    }

    /// <inheritdoc/>
    public void Dispose() => Clear();

    internal void Add(ReadOnlySpan<byte> encoded, long timeMicros, long offset)
    {
        var size = encoded.Length + 1;
        var start = Take(size);
        *(byte*)start = 0;
        encoded.CopyTo(new Span<byte>((void*)(start + 1), encoded.Length));
        if (Count == _entries.Length) Array.Resize(ref _entries, _entries.Length * 2);
        _entries[Count++] = new(timeMicros, offset, start, encoded.Length);
        Bytes += encoded.Length;
        MaxTimeMicros = Math.Max(MaxTimeMicros, timeMicros);
        MinTimeMicros = Math.Min(MinTimeMicros, timeMicros);
    }

    nint Take(int size)
    {
        if (size > _left)
        {
            // What is larger than a quarter of a chunk gets memory of its own: else a large event would waste the rest of a chunk.
            if (size > EventMemory.ChunkBytes / 4) return Rent(size);
            _next = Rent(EventMemory.ChunkBytes);
            _left = EventMemory.ChunkBytes;
        }
        var start = _next;
        _next += size;
        _left -= size;
        Debug.Assert(_left >= 0, "an event never crosses a chunk");
        return start;
    }

    nint Rent(int bytes)
    {
        var chunk = memory.Rent(bytes);
        _chunks.Add((chunk, bytes));
        return chunk;
    }

    readonly record struct Entry(long TimeMicros, long Offset, nint Start, int Length);
}
