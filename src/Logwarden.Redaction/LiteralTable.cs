using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Logwarden.Redaction;

/// <summary>
/// A few hundred literals by the hash of their first three bytes (case folded): one load, one multiply and one table
/// read say "none starts here", which is the answer nearly always.
/// </summary>
sealed class LiteralTable
{
    const int Bits = 12;
    readonly ushort[] _first = new ushort[1 << Bits];
    readonly byte[][] _literals;
    readonly bool[] _fold;
    readonly ushort[] _next;

    /// <summary>Literals of at least three bytes; a folded one is given in lower case.</summary>
    public LiteralTable(IReadOnlyList<(byte[] Literal, bool Fold)> literals)
    {
        _literals = [.. literals.Select(l => l.Literal)];
        _fold = [.. literals.Select(l => l.Fold)];
        _next = new ushort[literals.Count + 1];
        // Longer literals first within a bucket, so that the most telling one is tried before its own prefix.
        foreach (var i in Enumerable.Range(0, literals.Count).OrderBy(i => _literals[i].Length))
        {
            if (_literals[i].Length < 3) throw new ArgumentException("A literal has at least three bytes.", nameof(literals));
            var slot = Slot(_literals[i][0] | (uint)_literals[i][1] << 8 | (uint)_literals[i][2] << 16);
            _next[i + 1] = _first[slot];
            _first[slot] = (ushort)(i + 1);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint Slot(uint three) => unchecked(((three & 0xFFFFFF) | 0x202020) * 0x9E3779B1u) >> (32 - Bits);

    /// <summary>First candidate (index + 1) for the three low bytes of <paramref name="three"/>, 0 when none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Candidate(uint three) => Unsafe.Add(ref MemoryMarshal.GetArrayDataReference(_first), Slot(three));

    /// <summary>The next candidate of the same bucket, 0 at its end.</summary>
    public int Next(int candidate) => _next[candidate];

    /// <summary>Whether <paramref name="text"/> starts with the literal of <paramref name="candidate"/>.</summary>
    public bool Matches(int candidate, ReadOnlySpan<byte> text)
    {
        var literal = _literals[candidate - 1];
        return _fold[candidate - 1] ? Chars.StartsWithNoCase(text, literal) : text.StartsWith(literal);
    }

    /// <summary>Length of the literal of <paramref name="candidate"/>.</summary>
    public int LengthOf(int candidate) => _literals[candidate - 1].Length;

    /// <summary>The three bytes at <paramref name="at"/>, fewer at the end of the text.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static uint Three(ReadOnlySpan<byte> text, int at)
    {
        if (at + 4 <= text.Length) return MemoryMarshal.Read<uint>(text[at..]);
        uint value = 0;
        for (var i = Math.Min(text.Length - at, 3) - 1; i >= 0; i--) value = value << 8 | text[at + i];
        return value;
    }
}
