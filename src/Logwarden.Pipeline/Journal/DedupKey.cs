using System.Buffers.Binary;
using System.IO.Hashing;

namespace Logwarden.Journal;

/// <summary>The key by which the journal knows an event that it has already stored.</summary>
public static class DedupKey
{
    const int StackBytesMax = 512;

    /// <summary>
    /// XxHash128 of <paramref name="source"/> ‖ 0 ‖ <paramref name="id"/>, read big-endian; never zero, for zero means "no key".
    /// Only for ids that the source itself gives: an id that we made up can't come twice, and takes <see cref="UInt128.Zero"/>.
    /// </summary>
    public static UInt128 Of(ReadOnlySpan<byte> source, ReadOnlySpan<byte> id)
    {
        var length = source.Length + 1 + id.Length;
        var both = (length <= StackBytesMax ? stackalloc byte[StackBytesMax] : new byte[length])[..length];
        source.CopyTo(both);
        both[source.Length] = 0;
        id.CopyTo(both[(source.Length + 1)..]);
        Span<byte> hash = stackalloc byte[16];
        XxHash128.Hash(both, hash);
        var key = BinaryPrimitives.ReadUInt128BigEndian(hash);
        return key == UInt128.Zero ? UInt128.One : key;
    }
}
