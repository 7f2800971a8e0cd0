using System.Numerics;

namespace Logwarden.Journal;

/// <summary>
/// A set of 128-bit keys in open addressing, zero being no key. The index writes it out before it is full; it grows only when a single
/// group of events brings more keys than that.
/// </summary>
sealed class DedupTable
{
    UInt128[] _slots;
    int _mask;
    readonly ulong _mix;

    /// <param name="keysMax">Keys that it must hold; at most three quarters of the slots are ever taken.</param>
    /// <param name="mix">Random, so that nobody can choose ids that fall together.</param>
    public DedupTable(int keysMax, ulong mix)
    {
        var slots = (int)BitOperations.RoundUpToPowerOf2((uint)Math.Max(16, keysMax + keysMax / 3));
        (_slots, _mask, _mix) = (new UInt128[slots], slots - 1, mix | 1);
    }

    public int Count { get; private set; }

    public bool Contains(UInt128 key)
    {
        for (var slot = SlotOf(key); ; slot = (slot + 1) & _mask)
        {
            var there = _slots[slot];
            if (there == key) return true;
            if (there == UInt128.Zero) return false;
        }
    }

    /// <summary>False when it was there.</summary>
    public bool Add(UInt128 key)
    {
        for (var slot = SlotOf(key); ; slot = (slot + 1) & _mask)
        {
            var there = _slots[slot];
            if (there == key) return false;
            if (there != UInt128.Zero) continue;
            _slots[slot] = key;
            Count++;
            if (Count > _slots.Length - _slots.Length / 4) Grow();
            return true;
        }
    }

    /// <summary>All keys in ascending order.</summary>
    public UInt128[] Sorted()
    {
        // Keys are hashes, so that dealing them out by their top bits leaves a few to sort at each place.
        var shift = 64 - Math.Max(1, BitOperations.Log2((uint)Count | 1) - 2);
        var starts = new int[(1 << (64 - shift)) + 1];
        foreach (var key in _slots)
        {
            if (key != UInt128.Zero) starts[(int)((ulong)(key >> 64) >> shift) + 1]++;
        }
        for (var i = 1; i < starts.Length; i++) starts[i] += starts[i - 1];
        var keys = new UInt128[Count];
        var next = starts.AsSpan(..^1).ToArray();
        foreach (var key in _slots)
        {
            if (key != UInt128.Zero) keys[next[(int)((ulong)(key >> 64) >> shift)]++] = key;
        }
        for (var i = 0; i < next.Length; i++)
        {
            if (starts[i + 1] - starts[i] > 1) keys.AsSpan(starts[i]..starts[i + 1]).Sort();
        }
        return keys;
    }

    void Grow()
    {
        var old = _slots;
        _slots = new UInt128[old.Length * 2];
        (_mask, Count) = (_slots.Length - 1, 0);
        foreach (var key in old)
        {
            if (key != UInt128.Zero) Add(key);
        }
    }

    int SlotOf(UInt128 key) =>
        unchecked((int)((((ulong)key ^ (ulong)(key >> 64)) * _mix) >> 32)) & _mask;
}
