using System.Buffers.Binary;
using System.Numerics;

namespace Logwarden.Journal;

/// <summary>
/// SipHash-2-4 with 128 bits of output (https://cr.yp.to/siphash/siphash-20120918.pdf and the reference implementation's <c>SIPHASH 128</c>): who does not know the key
/// cannot find two texts with one hash. Appended to piece by piece.
/// </summary>
struct SipHash
{
    ulong _v0;
    ulong _v1;
    ulong _v2;
    ulong _v3;
    ulong _tail;
    long _length;

    /// <summary>Begins.</summary>
    /// <param name="key">16 bytes.</param>
    public SipHash(ReadOnlySpan<byte> key)
    {
        var k0 = BinaryPrimitives.ReadUInt64LittleEndian(key);
        var k1 = BinaryPrimitives.ReadUInt64LittleEndian(key[8..]);
        _v0 = k0 ^ 0x736F6D6570736575;
        _v1 = k1 ^ 0x646F72616E646F6D ^ 0xEE;
        _v2 = k0 ^ 0x6C7967656E657261;
        _v3 = k1 ^ 0x7465646279746573;
    }

    public void Append(ReadOnlySpan<byte> bytes)
    {
        var had = (int)(_length & 7);
        _length += bytes.Length;
        if (had > 0)
        {
            while (had < 8 && !bytes.IsEmpty)
            {
                _tail |= (ulong)bytes[0] << had++ * 8;
                bytes = bytes[1..];
            }
            if (had < 8) return;
            Take(_tail);
            _tail = 0;
        }
        for (; bytes.Length >= 8; bytes = bytes[8..]) Take(BinaryPrimitives.ReadUInt64LittleEndian(bytes));
        for (var i = 0; i < bytes.Length; i++) _tail |= (ulong)bytes[i] << i * 8;
    }

    public void Append(long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64LittleEndian(bytes, number);
        Append(bytes);
    }

    /// <summary>Ends.</summary>
    /// <returns>The 16 bytes of output as one number, the first the highest.</returns>
    public UInt128 Finish()
    {
        Take(_tail | (ulong)_length << 56);
        _v2 ^= 0xEE;
        for (var i = 0; i < 4; i++) Round();
        var first = _v0 ^ _v1 ^ _v2 ^ _v3;
        _v1 ^= 0xDD;
        for (var i = 0; i < 4; i++) Round();
        return new(BinaryPrimitives.ReverseEndianness(first), BinaryPrimitives.ReverseEndianness(_v0 ^ _v1 ^ _v2 ^ _v3));
    }

    /// <summary>Ends, for where zero means that there is none: a hash of zero becomes one.</summary>
    public UInt128 FinishNonZero() => NonZero(Finish());

    internal static UInt128 NonZero(UInt128 hash) => hash == UInt128.Zero ? UInt128.One : hash;

    void Take(ulong word)
    {
        _v3 ^= word;
        Round();
        Round();
        _v0 ^= word;
    }

    void Round()
    {
        unchecked
        {
            _v0 += _v1;
            _v2 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 13) ^ _v0;
            _v3 = BitOperations.RotateLeft(_v3, 16) ^ _v2;
            _v0 = BitOperations.RotateLeft(_v0, 32);
            _v2 += _v1;
            _v0 += _v3;
            _v1 = BitOperations.RotateLeft(_v1, 17) ^ _v2;
            _v3 = BitOperations.RotateLeft(_v3, 21) ^ _v0;
            _v2 = BitOperations.RotateLeft(_v2, 32);
        }
    }
}
