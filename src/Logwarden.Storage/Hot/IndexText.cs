using System.IO.Hashing;
using System.Numerics;
using System.Runtime.InteropServices;
using Logwarden.Match;

namespace Logwarden.Hot;

/// <summary>How texts are cut for the text index. All of it works on lower-cased UTF-8.</summary>
static class IndexText
{
    /// <summary>Bytes of a gram.</summary>
    public const int GramBytes = 8;

    /// <summary>Consecutive grams of which the smallest is kept.</summary>
    public const int WindowGrams = 12;

    /// <summary>A run of this many bytes has at least one whole window.</summary>
    public const int RunBytesMin = GramBytes + WindowGrams - 1;

    /// <summary>Bits of a trigram set.</summary>
    public const int TrigramBits = 1 << 15;

    const byte RunByte = 1;
    const byte WordByte = 2;

    /// <summary>The words of a text: letters, digits, and every byte of a character beyond ASCII.</summary>
    public static Pieces Words(ReadOnlySpan<byte> text) => new(text, WordByte);

    /// <summary>The runs of a text, which is what random ids are made of: word bytes, <c>-</c> and <c>_</c>.</summary>
    public static Pieces Runs(ReadOnlySpan<byte> text) => new(text, RunByte);

    /// <summary>Place of the trigram at <paramref name="at"/> in a trigram set.</summary>
    public static int Trigram(ReadOnlySpan<byte> word, int at) =>
        (int)(unchecked((word[at] | (uint)word[at + 1] << 8 | (uint)word[at + 2] << 16) * 0x9E3779B1u) >> 17);

    /// <summary>Gives the hash of every gram that is the smallest of some window of <paramref name="run"/>, in order, each once in a row.</summary>
    public static void Minimizers(ReadOnlySpan<byte> run, List<ulong> into)
    {
        var grams = run.Length - GramBytes + 1;
        Span<ulong> ring = stackalloc ulong[WindowGrams];
        var (smallest, at) = (ulong.MaxValue, -1);
        for (var i = 0; i < grams; i++)
        {
            var gram = Mix(MemoryMarshal.Read<ulong>(run[i..]));
            ring[i % WindowGrams] = gram;
            if (gram < smallest || at <= i - WindowGrams)
            {
                if (gram < smallest)
                {
                    (smallest, at) = (gram, i);
                }
                else
                {
                    smallest = ulong.MaxValue;
                    for (var j = i - WindowGrams + 1; j <= i; j++)
                        if (ring[j % WindowGrams] < smallest) (smallest, at) = (ring[j % WindowGrams], j);
                }
            }
            if (i >= WindowGrams - 1 && (into.Count == 0 || into[^1] != smallest)) into.Add(smallest);
        }
    }

    /// <summary>Hash of a whole value of a column.</summary>
    public static ulong Value(EventColumn column, ReadOnlySpan<byte> folded) => XxHash3.HashToUInt64(folded, (long)column);

    /// <summary>Three places of a gram or value in a filter of <paramref name="bits"/> bits.</summary>
    public static (uint A, uint B, uint C) Places(ulong gram, uint bits)
    {
        unchecked
        {
            // The gram is a minimum, so its high bits are small: mix anew.
            var mixed = Mix(gram ^ 0xD6E8FEB86659FD93);
            var (a, b) = ((uint)mixed, (uint)(mixed >> 32) | 1);
            return (Scale(a, bits), Scale(a + b, bits), Scale(a + 2 * b, bits));
        }
    }

    static uint Scale(uint hash, uint bits) => (uint)((ulong)hash * bits >> 32);

    static ulong Mix(ulong value)
    {
        unchecked
        {
            value *= 0x9FB21C651E98DF25;
            value ^= BitOperations.RotateLeft(value, 29) ^ value >> 35;
            value *= 0xD6E8FEB86659FD93;
            return value ^ value >> 32;
        }
    }

    static readonly byte[] Kinds = MakeKinds();

    static byte[] MakeKinds()
    {
        var kinds = new byte[256];
        for (var b = 0; b < 256; b++)
            kinds[b] = b >= 0x80 || char.IsAsciiLetterOrDigit((char)b) ? WordByte : b is '-' or '_' ? RunByte : (byte)0;
        return kinds;
    }

    /// <summary>Enumerates the longest pieces of a text in which every byte is of a kind or a narrower one.</summary>
    public ref struct Pieces(ReadOnlySpan<byte> text, byte kindMin)
    {
        readonly ReadOnlySpan<byte> _text = text;
        int _start;
        int _end;

        /// <summary>Where the piece stands in the text.</summary>
        public readonly Range Current => _start.._end;

        public readonly Pieces GetEnumerator() => this;

        public bool MoveNext()
        {
            var at = _end;
            while (at < _text.Length && Kinds[_text[at]] < kindMin) at++;
            _start = at;
            while (at < _text.Length && Kinds[_text[at]] >= kindMin) at++;
            _end = at;
            return _start < _end;
        }
    }
}
