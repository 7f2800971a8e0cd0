namespace Logwarden.Journal;

/// <summary>Consecutive events as they stand in the journal. One instance is reused for every read. Not thread-safe.</summary>
public sealed class JournalBatch
{
    readonly List<(int Start, int Length, byte Flags)> _events = [];
    byte[] _bytes;

    /// <param name="bytesMax">Bytes read at once, 64 KiB to 1 GiB; a single larger event makes it grow.</param>
    public JournalBatch(int bytesMax = 1 << 20)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bytesMax, 64 << 10);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bytesMax, 1 << 30);
        _bytes = GC.AllocateUninitializedArray<byte>(bytesMax);
    }

    /// <summary>Offset of the first event.</summary>
    public long First { get; private set; }

    /// <summary>Number of events.</summary>
    public int Count => _events.Count;

    /// <summary>Offset after the last event.</summary>
    public long End => First + Count;

    /// <summary>The event with offset <c>First + index</c> in its canonical encoding; valid until the next read into this batch.</summary>
    public ReadOnlySpan<byte> this[int index] => Memory(index).Span;

    /// <summary>The same as memory.</summary>
    public ReadOnlyMemory<byte> Memory(int index) => new(_bytes, _events[index].Start, _events[index].Length);

    /// <summary>Whether the event stands for a record that could not be taken in.</summary>
    public bool IsQuarantined(int index) => (_events[index].Flags & JournalFormat.QuarantineFlag) != 0;

    /// <summary>The event's dedup key; zero when it has none.</summary>
    public UInt128 Key(int index) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt128LittleEndian(
            _bytes.AsSpan(_events[index].Start - JournalFormat.KeyBytes));

    internal Span<byte> Space => _bytes;

    internal void Begin(long first)
    {
        _events.Clear();
        First = first;
    }

    internal void Add(int start, int length, byte flags) => _events.Add((start, length, flags));

    internal void Grow(long size) => _bytes = GC.AllocateUninitializedArray<byte>(checked((int)size));
}
