using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Numerics;

namespace Logwarden.Segments;

/// <summary>
/// Split block Bloom filter of the Parquet format (https://parquet.apache.org/docs/file-format/bloomfilter/): blocks of 256 bits, eight bits set
/// in one block per value, chosen by XXH64 of the value's bytes.
/// </summary>
/// <remarks>
/// It is made for as many values as the row group has rows and folded in half at the end as long as few enough bits are set, so that a column
/// of few distinct values ends up with a small one and nobody has to count them.
/// </remarks>
sealed class BloomFilter
{
    const int BlockWords = 8;
    const double FillMax = 0.62; // 0.62^8: one in 45 absent values is not excluded

    static readonly uint[] Salt = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31];

    readonly uint[] _words;

    /// <param name="values">Values that may be added, all different: a byte of filter for each.</param>
    public BloomFilter(int values) =>
        _words = new uint[Math.Max(BlockWords, BitOperations.RoundUpToPowerOf2((uint)values) / sizeof(uint))];

    public void Add(ReadOnlySpan<byte> value)
    {
        var hash = XxHash64.HashToUInt64(value);
        var block = Block(hash, _words.Length / BlockWords);
        for (var i = 0; i < BlockWords; i++) _words[block + i] |= Bit(hash, i);
    }

    /// <summary>Whether the value may have been added. False is certain.</summary>
    public bool MayContain(ReadOnlySpan<byte> value)
    {
        var hash = XxHash64.HashToUInt64(value);
        var block = Block(hash, _words.Length / BlockWords);
        for (var i = 0; i < BlockWords; i++)
            if ((_words[block + i] & Bit(hash, i)) == 0) return false;
        return true;
    }

    /// <summary>Appends header and bits as they stand in a file, folded.</summary>
    public void WriteTo(IBufferWriter<byte> output)
    {
        var words = _words.AsSpan();
        while (words.Length > BlockWords)
        {
            var folded = Fold(words);
            if (Fill(folded) > FillMax) break;
            words = folded;
        }
        var header = new ThriftWriter(output);
        header.Field(1, ThriftType.I32);
        header.Integer(words.Length * sizeof(uint));
        // The algorithm, the hash and the compression are unions whose first member, an empty struct, is the only one there is.
        for (short field = 2; field <= 4; field++)
        {
            header.Field(field, ThriftType.Struct);
            header.Begin();
            header.Field(1, ThriftType.Struct);
            header.Begin();
            header.End();
            header.End();
        }
        header.Stop();
        foreach (var word in words)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(output.GetSpan(sizeof(uint)), word);
            output.Advance(sizeof(uint));
        }
    }

    static int Block(ulong hash, int blocks) => (int)(((hash >> 32) * (ulong)blocks) >> 32) * BlockWords;

    static uint Bit(ulong hash, int word) => 1u << (int)(unchecked((uint)hash * Salt[word]) >> 27);

    // With half as many blocks, what was in blocks 2n and 2n+1 is looked for in block n.
    static uint[] Fold(ReadOnlySpan<uint> words)
    {
        var folded = new uint[words.Length / 2];
        for (var i = 0; i < folded.Length; i++)
        {
            var from = i / BlockWords * 2 * BlockWords + i % BlockWords;
            folded[i] = words[from] | words[from + BlockWords];
        }
        return folded;
    }

    static double Fill(ReadOnlySpan<uint> words)
    {
        var bits = 0L;
        foreach (var word in words) bits += BitOperations.PopCount(word);
        return bits / (32.0 * words.Length);
    }
}
