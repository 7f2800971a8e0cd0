using System.Buffers.Binary;
using System.Collections;
using System.IO.Hashing;
using Logwarden.Match;

namespace Logwarden.Hot;

/// <summary>The text index of one segment, as <see cref="TextIndexBuilder"/> wrote it. Thread-safe.</summary>
sealed class TextIndex
{
    public const int HeaderBytes = 24;
    readonly byte[] _file;
    readonly byte[] _words;
    readonly int[] _starts;
    readonly int _wordsEnd;
    readonly Group[] _groups;

    TextIndex(byte[] file, byte[] words, Group[] groups, int count)
    {
        (_file, _words, _groups) = (file, words, groups);
        _starts = new int[count];
        _wordsEnd = words.Length - count * GroupBytes;
        var word = 0;
        for (var i = 0; i < _wordsEnd - 1; i++)
            if (words[i] == (byte)'\n') _starts[word++] = i;
    }

    public static ReadOnlySpan<byte> Magic => "LWTOKEN2"u8;

    int GroupBytes => (_groups.Length + 7) / 8;

    /// <summary>Bytes that it takes in memory.</summary>
    public long Bytes => _file.Length + _words.Length + _starts.Length * 4L;

    /// <summary>Reads the index of a segment.</summary>
    /// <returns>Null when there is none, or it is damaged or does not fit the segment: then every row group is read.</returns>
    public static TextIndex? TryOpen(HotSegment segment)
    {
        byte[] file;
        try
        {
            file = File.ReadAllBytes(TextIndexBuilder.PathOf(segment.Path));
        }
        catch (Exception unread) when (unread is IOException or UnauthorizedAccessException)
        {
            return null;
        }
        if (file.Length < HeaderBytes + sizeof(ulong) || !file.AsSpan().StartsWith(Magic)) return null;
        var body = file.AsSpan(0, file.Length - sizeof(ulong));
        if (BinaryPrimitives.ReadUInt64LittleEndian(file.AsSpan(body.Length)) != XxHash3.HashToUInt64(body)) return null;
        if (BinaryPrimitives.ReadInt32LittleEndian(body[8..]) != segment.RowGroups.Length) return null;
        var groups = new Group[segment.RowGroups.Length];
        var at = HeaderBytes;
        for (var i = 0; i < groups.Length; i++)
        {
            var trigrams = at;
            at += IndexText.TrigramBits / 8;
            groups[i] = new(trigrams, Filter.Read(body, ref at), Filter.Read(body, ref at));
        }
        using var zstd = new ZstdSharp.Decompressor();
        var words = zstd.Unwrap(body.Slice(at, BinaryPrimitives.ReadInt32LittleEndian(body[16..]))).ToArray();
        if (words.Length != BinaryPrimitives.ReadInt32LittleEndian(body[20..])) return null;
        // The words were unpacked: what stays is the part that is looked up in place.
        return new(file[..at], words, groups, BinaryPrimitives.ReadInt32LittleEndian(body[12..]));
    }

    /// <summary>Row groups that can have a text with <paramref name="literal"/> in it.</summary>
    /// <param name="literal">Lower case UTF-8.</param>
    public BitArray Candidates(ReadOnlySpan<byte> literal)
    {
        var candidates = new BitArray(_groups.Length, defaultValue: true);
        foreach (var run in IndexText.Runs(literal))
        {
            Run(literal[run], run.Start.Value == 0, run.End.Value == literal.Length, candidates);
        }
        return candidates;
    }

    /// <summary>Row groups that can have an event with this value in a column.</summary>
    /// <param name="column">One of the five indexed columns.</param>
    /// <param name="value">Lower case UTF-8, not empty.</param>
    public BitArray Candidates(EventColumn column, ReadOnlySpan<byte> value)
    {
        var hash = IndexText.Value(column, value);
        var candidates = new BitArray(_groups.Length);
        for (var group = 0; group < _groups.Length; group++) candidates[group] = _groups[group].Values.MayHave(_file, hash);
        return candidates;
    }

    // A run of the literal is part of a run of the text: of one with a rare word, which is in the filter, or of one
    // whose words are all in the dictionary.
    void Run(ReadOnlySpan<byte> run, bool isStart, bool isEnd, BitArray candidates)
    {
        BitArray? known = null;
        foreach (var place in IndexText.Words(run))
        {
            var word = run[place];
            var found = Dictionary(word, isStart && place.Start.Value == 0, isEnd && place.End.Value == run.Length);
            known = known is null ? new(found) : known.And(found);
            AddRare(word, found);
            candidates.And(found);
        }
        if (known is null || run.Length < IndexText.RunBytesMin) return;
        var grams = new List<ulong>();
        IndexText.Minimizers(run, grams);
        for (var group = 0; group < _groups.Length; group++)
            if (!known[group] && candidates[group] && !InFilter(group, grams)) candidates[group] = false;
    }

    /// <summary>Row groups with a word of the dictionary that has <paramref name="word"/> in it, at its start or end where nothing can come before or behind.</summary>
    BitArray Dictionary(ReadOnlySpan<byte> word, bool isOpenBefore, bool isOpenBehind)
    {
        var found = new BitArray(_groups.Length);
        var text = _words.AsSpan(0, _wordsEnd);
        var pattern = new byte[word.Length + 2];
        pattern[0] = pattern[^1] = (byte)'\n';
        word.CopyTo(pattern.AsSpan(1));
        var wanted = pattern.AsSpan(isOpenBefore ? 1 : 0, word.Length + (isOpenBefore ? 0 : 1) + (isOpenBehind ? 0 : 1));
        for (var at = 0; ;)
        {
            var next = text[at..].IndexOf(wanted);
            if (next < 0) return found;
            at += next;
            var index = Array.BinarySearch(_starts, at);
            if (index < 0) index = ~index - 1;
            var bits = _words.AsSpan(_wordsEnd + index * GroupBytes, GroupBytes);
            for (var group = 0; group < _groups.Length; group++)
                if ((bits[group / 8] >> group % 8 & 1) != 0) found[group] = true;
            if (index + 1 == _starts.Length) return found;
            at = _starts[index + 1];
        }
    }

    void AddRare(ReadOnlySpan<byte> word, BitArray found)
    {
        for (var group = 0; group < _groups.Length; group++)
        {
            if (found[group]) continue;
            var trigrams = _file.AsSpan(_groups[group].Trigrams, IndexText.TrigramBits / 8);
            var all = true;
            for (var i = 0; all && i + 3 <= word.Length; i++)
            {
                var place = IndexText.Trigram(word, i);
                all = (trigrams[place / 8] >> place % 8 & 1) != 0;
            }
            if (all) found[group] = true;
        }
    }

    bool InFilter(int group, List<ulong> grams)
    {
        foreach (var gram in grams)
            if (!_groups[group].Grams.MayHave(_file, gram)) return false;
        return true;
    }

    /// <summary>Where the parts of a row group stand in the file.</summary>
    readonly record struct Group(int Trigrams, Filter Grams, Filter Values);

    readonly record struct Filter(int Start, uint Bits)
    {
        public static Filter Read(ReadOnlySpan<byte> file, ref int at)
        {
            var filter = new Filter(at + sizeof(uint), BinaryPrimitives.ReadUInt32LittleEndian(file[at..]));
            at = checked(filter.Start + (int)(filter.Bits / 8));
            return filter;
        }

        public bool MayHave(byte[] file, ulong hash)
        {
            if (Bits == 0) return false;
            var (a, b, c) = IndexText.Places(hash, Bits);
            return Bit(file, a) && Bit(file, b) && Bit(file, c);
        }

        bool Bit(byte[] file, uint bit) => (file[Start + (int)(bit / 8)] >> (int)(bit % 8) & 1) != 0;
    }
}
