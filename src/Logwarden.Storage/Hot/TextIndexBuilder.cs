using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Segments;

namespace Logwarden.Hot;

/// <summary>
/// Writes the text index of a segment beside it: <c>SEGMENT.parquet.tokens</c>. It is derived and can be made again at any time. It tells which row
/// groups can have a text, never which do; so a filter gives the same events with and without it.
/// <para>
/// What is indexed: every text value of the JSON, decoded, and the columns event_id, user, ip, action and object; all in lower case. Words that
/// several rows of a row group have go to a dictionary with one bit per row group. What remains is rare, mostly random ids, which would make a dictionary
/// as large as the data. Of rare words a row group keeps the set of trigrams (which tells that no rare word can have
/// "delete" in it when they are all hexadecimal), and of runs of 19 bytes and more with a rare word the minimizers: of each 12 consecutive 8-byte grams the
/// one with the smallest hash, in a Bloom filter. Any text of 19 bytes within such a run has one of them. A second filter has the whole values of the five columns,
/// for tests of equality.
/// </para>
/// <code>
/// 8 magic ‖ u32 row groups ‖ u32 words ‖ u32 bytes of words, packed ‖ u32 bytes of words
/// per row group: 4096 trigram set ‖ twice (grams, values): u32 bits ‖ filter, a whole number of bytes
/// zstd of: words, each behind a line feed, and one at the end ‖ per word ⌈row groups / 8⌉ bytes of bits
/// u64 XXH3 of everything before
/// </code>
/// Not thread-safe. Budget: 12 µs per event of 1 KB.
/// </summary>
public sealed class TextIndexBuilder
{
    // A full disk refuses them all: no use in building each only to be told again.
    const int FailuresMax = 3;
    const int RareRowsMax = 3;
    const int BitsPerGram = 6;
    const int BitsPerValue = 10;
    readonly long _seed = BinaryPrimitives.ReadInt64LittleEndian(System.Security.Cryptography.RandomNumberGenerator.GetBytes(8));
    readonly Dictionary<string, (DateTime Written, long Bytes)> _sound = new(StringComparer.Ordinal);
    readonly Dictionary<ulong, int> _words = [];
    readonly List<byte[]> _texts = [];
    readonly List<byte[]> _bits = [];
    readonly Dictionary<ulong, Seen> _group = [];
    readonly Dictionary<ulong, Seen> _seen = [];
    readonly HashSet<ulong> _runs = [];
    readonly ArrayBufferWriter<byte> _runBytes = new(1 << 16);
    readonly List<int> _runEnds = [];
    readonly ArrayBufferWriter<byte> _wordBytes = new(1 << 16);
    readonly ArrayBufferWriter<byte> _groups = new(1 << 16);
    readonly HashSet<ulong> _grams = [];
    readonly HashSet<ulong> _values = [];
    readonly List<ulong> _minimizers = [];
    byte[] _decoded = new byte[4096];
    byte[] _folded = new byte[4096];
    int _groupBytes;
    int _row;

    struct Seen
    {
        public int LastRow;
        public int Rows;
        public int Start;
        public int Length;
    }

    /// <summary>Path of the index of a segment.</summary>
    public static string PathOf(string segment) => segment + ".tokens";

    /// <summary>
    /// Makes the indexes that are missing or damaged below a folder of segments, and removes those whose segment is gone. One that can't be made does
    /// not keep the others from being made. What was found sound is not read again while it does not change.
    /// </summary>
    /// <returns>How many were made.</returns>
    /// <exception cref="IOException">Some could not be made, for the reason that it tells; the next call tries again.</exception>
    public int BuildMissing(string segmentsDirectory, CancellationToken cancel)
    {
        if (!Directory.Exists(segmentsDirectory)) return 0;
        foreach (var index in Directory.EnumerateFiles(segmentsDirectory, "*.parquet.tokens", SearchOption.AllDirectories))
        {
            if (File.Exists(index[..^".tokens".Length])) continue;
            File.Delete(index);
            _sound.Remove(Path.GetFullPath(index));
        }
        var made = 0;
        List<(string Segment, Exception Why)> failed = [];
        foreach (var segment in Directory.EnumerateFiles(segmentsDirectory, "*.parquet", SearchOption.AllDirectories))
        {
            cancel.ThrowIfCancellationRequested();
            try
            {
                if (IsSound(segment)) continue;
                Build(segment);
                made++;
            }
            catch (FileNotFoundException)
            {
                // evicted meanwhile
            }
            catch (Exception why) when (why is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                failed.Add((segment, why));
                if (failed.Count == FailuresMax) break;
            }
        }
        if (failed.Count == 0) return made;
        throw new IOException($"the text index of {failed[0].Segment} could not be made: {failed[0].Why.Message}", failed[0].Why);
    }

    bool IsSound(string segment)
    {
        var file = new FileInfo(PathOf(segment));
        if (!file.Exists) return false;
        var version = (file.LastWriteTimeUtc, file.Length);
        if (_sound.TryGetValue(file.FullName, out var known) && known == version) return true;
        if (HotSegment.Open(segment) is not { } described || TextIndex.TryOpen(described) is null) return false;
        _sound[file.FullName] = version;
        return true;
    }

    /// <summary>Makes the index of a segment.</summary>
    /// <exception cref="InvalidDataException">The file is not a segment.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public void Build(string segment)
    {
        var described = HotSegment.Open(segment) ?? throw new InvalidDataException($"{segment} is not the path of a segment.");
        Clear();
        _groupBytes = (described.RowGroups.Length + 7) / 8;
        using var reader = SegmentReader.Open(segment);
        for (var group = 0; group < described.RowGroups.Length; group++)
        {
            for (_row = 0; _row < described.RowGroups[group].Rows; _row++)
            {
                if (!reader.Next()) throw new InvalidDataException($"{segment}: {reader.Error ?? "rows are missing"}");
                if (!EventEncoding.TryRead(reader.Event, out var e)) throw new InvalidDataException($"{segment}: row {_row} of row group {group} is no event.");
                Add(e);
            }
            Close(group);
        }
        DurableFile.Replace(PathOf(segment), Assemble(described.RowGroups.Length));
    }

    void Clear()
    {
        _words.Clear();
        _texts.Clear();
        _bits.Clear();
        _groups.ResetWrittenCount();
        ClearGroup();
    }

    void ClearGroup()
    {
        _group.Clear();
        _seen.Clear();
        _runs.Clear();
        _runBytes.ResetWrittenCount();
        _runEnds.Clear();
        _wordBytes.ResetWrittenCount();
        _grams.Clear();
        _values.Clear();
    }

    void Add(in StoredEvent e)
    {
        AddColumn(EventColumn.EventId, e.Id);
        AddColumn(EventColumn.User, e.User.Utf8);
        AddColumn(EventColumn.Ip, e.Ip.Utf8);
        AddColumn(EventColumn.Action, e.Action.Utf8);
        AddColumn(EventColumn.Object, e.Object.Utf8);
        if (_decoded.Length < e.Json.Length) _decoded = new byte[e.Json.Length * 2];
        var reader = new Utf8JsonReader(e.Json, new JsonReaderOptions { MaxDepth = 1024 });
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType != JsonTokenType.String) continue;
                if (!reader.ValueIsEscaped) Add(reader.ValueSpan);
                else Add(_decoded.AsSpan(0, reader.CopyString(_decoded)));
            }
        }
        catch (Exception broken) when (broken is JsonException or InvalidOperationException)
        {
            // No filter on the JSON matches an event whose JSON is broken.
        }
    }

    void AddColumn(EventColumn column, ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return;
        var size = Fold(value);
        _values.Add(IndexText.Value(column, _folded.AsSpan(0, size)));
        AddText(_folded.AsSpan(0, size));
    }

    void Add(ReadOnlySpan<byte> value)
    {
        if (value.IsEmpty) return;
        // Most values are the same in many events: once enough rows had this one, its words are in the dictionary and its runs are known.
        ref var seen = ref CollectionsMarshal.GetValueRefOrAddDefault(_seen, XxHash3.HashToUInt64(value, _seed), out _);
        if (seen.Rows > RareRowsMax) return;
        if (seen.Rows == 0 || seen.LastRow != _row) seen = new() { LastRow = _row, Rows = seen.Rows + 1 };
        AddText(_folded.AsSpan(0, Fold(value)));
    }

    void AddText(ReadOnlySpan<byte> text)
    {
        foreach (var run in IndexText.Runs(text)) AddRun(text[run]);
    }

    int Fold(ReadOnlySpan<byte> value)
    {
        // Lower case can be longer: a letter of two bytes becomes one of three at most.
        if (_folded.Length < value.Length * 2) _folded = new byte[value.Length * 2];
        if (Ascii.IsValid(value))
        {
            Ascii.ToLower(value, _folded, out var written);
            return written;
        }
        var at = 0;
        while (!value.IsEmpty)
        {
            _ = Rune.DecodeFromUtf8(value, out var rune, out var used);
            at += TextFold.Lower(rune).EncodeToUtf8(_folded.AsSpan(at));
            value = value[used..];
            if (_folded.Length - at < value.Length * 2 + 4) Array.Resize(ref _folded, _folded.Length * 2);
        }
        return at;
    }

    void AddRun(ReadOnlySpan<byte> run)
    {
        foreach (var word in IndexText.Words(run)) AddWord(run[word]);
        if (run.Length < IndexText.RunBytesMin || !_runs.Add(XxHash3.HashToUInt64(run, _seed))) return;
        _runBytes.Write(run);
        _runEnds.Add(_runBytes.WrittenCount);
    }

    void AddWord(ReadOnlySpan<byte> word)
    {
        ref var seen = ref CollectionsMarshal.GetValueRefOrAddDefault(_group, XxHash3.HashToUInt64(word, _seed), out var known);
        if (!known)
        {
            seen = new() { LastRow = _row, Rows = 1, Start = _wordBytes.WrittenCount, Length = word.Length };
            _wordBytes.Write(word);
        }
        else if (seen.LastRow != _row)
        {
            seen.LastRow = _row;
            seen.Rows++;
        }
    }

    void Close(int group)
    {
        var trigrams = new byte[IndexText.TrigramBits / 8];
        var bytes = _wordBytes.WrittenSpan;
        foreach (var (hash, seen) in _group)
        {
            if (_words.TryGetValue(hash, out var index) || seen.Rows > RareRowsMax)
            {
                if (!_words.ContainsKey(hash)) index = AddToDictionary(hash, bytes.Slice(seen.Start, seen.Length));
                _bits[index][group / 8] |= (byte)(1 << group % 8);
                continue;
            }
            for (var i = 0; i + 3 <= seen.Length; i++)
            {
                var place = IndexText.Trigram(bytes.Slice(seen.Start, seen.Length), i);
                trigrams[place / 8] |= (byte)(1 << place % 8);
            }
        }
        var start = 0;
        foreach (var end in _runEnds)
        {
            var run = _runBytes.WrittenSpan[start..end];
            start = end;
            if (!HasRareWord(run)) continue;
            _minimizers.Clear();
            IndexText.Minimizers(run, _minimizers);
            foreach (var gram in _minimizers) _grams.Add(gram);
        }
        _groups.Write(trigrams);
        WriteFilter(_grams, BitsPerGram);
        WriteFilter(_values, BitsPerValue);
        ClearGroup();
    }

    int AddToDictionary(ulong hash, ReadOnlySpan<byte> word)
    {
        var index = _texts.Count;
        _words.Add(hash, index);
        _texts.Add(word.ToArray());
        _bits.Add(new byte[_groupBytes]);
        return index;
    }

    bool HasRareWord(ReadOnlySpan<byte> run)
    {
        foreach (var word in IndexText.Words(run))
        {
            if (!_words.ContainsKey(XxHash3.HashToUInt64(run[word], _seed))) return true;
        }
        return false;
    }

    void WriteFilter(HashSet<ulong> hashes, int bitsPerHash)
    {
        var bits = (uint)((hashes.Count * bitsPerHash + 7) / 8 * 8);
        Span<byte> size = stackalloc byte[4];
        BinaryPrimitives.WriteUInt32LittleEndian(size, bits);
        _groups.Write(size);
        var filter = new byte[bits / 8];
        foreach (var hash in hashes)
        {
            var (a, b, c) = IndexText.Places(hash, bits);
            filter[a / 8] |= (byte)(1 << (int)(a % 8));
            filter[b / 8] |= (byte)(1 << (int)(b % 8));
            filter[c / 8] |= (byte)(1 << (int)(c % 8));
        }
        _groups.Write(filter);
    }

    byte[] Assemble(int groups)
    {
        var order = Enumerable.Range(0, _texts.Count).ToArray();
        Array.Sort(order, (a, b) => _texts[a].AsSpan().SequenceCompareTo(_texts[b]));
        using var words = new MemoryStream();
        foreach (var index in order)
        {
            words.WriteByte((byte)'\n');
            words.Write(_texts[index]);
        }
        words.WriteByte((byte)'\n');
        foreach (var index in order) words.Write(_bits[index]);
        using var zstd = new ZstdSharp.Compressor(9);
        var packed = zstd.Wrap(words.GetBuffer().AsSpan(0, (int)words.Length));
        var file = new byte[TextIndex.HeaderBytes + _groups.WrittenCount + packed.Length + sizeof(ulong)];
        TextIndex.Magic.CopyTo(file);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(8), groups);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(12), order.Length);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(16), packed.Length);
        BinaryPrimitives.WriteInt32LittleEndian(file.AsSpan(20), (int)words.Length);
        _groups.WrittenSpan.CopyTo(file.AsSpan(TextIndex.HeaderBytes));
        packed.CopyTo(file.AsSpan(file.Length - sizeof(ulong) - packed.Length));
        BinaryPrimitives.WriteUInt64LittleEndian(file.AsSpan(file.Length - sizeof(ulong)), XxHash3.HashToUInt64(file.AsSpan(0, file.Length - sizeof(ulong))));
        return file;
    }
}
