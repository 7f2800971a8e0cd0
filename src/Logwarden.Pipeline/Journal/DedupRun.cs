using System.Buffers.Binary;
using System.IO.Hashing;
using System.Numerics;
using System.Runtime.InteropServices;

namespace Logwarden.Journal;

/// <summary>
/// A sorted file of the dedup keys of a range of offsets, never changed once it has its name. A lookup of a key that is not there costs one
/// cache line of the filter; one that is there a line of the directory and about one of the keys.
/// <code>
/// 8 magic ‖ u32 crc of all behind ‖ u32 directory bits ‖ i64 from ‖ i64 to ‖ i64 keys ‖ i64 filter blocks ‖ i64 newest ‖ 8 zero
/// keys u128[], ascending ‖ filter u64[8] per block ‖ directory u32[2^bits + 1]: where the keys with these top bits begin
/// </code>
/// </summary>
sealed class DedupRun : IDisposable
{
    const int HeaderBytes = 64;
    const int BlockWords = 8;
    const int BitsPerKey = 10;
    const int Probes = 7;
    const int KeysPerBucket = 16;
    const int BufferBytes = 1 << 20;
    readonly MappedFile _file;
    readonly int _bits;
    readonly int _count;
    readonly int _blocks;

    DedupRun(string path)
    {
#pragma warning disable CA2000 // it owns the mapping
        (Path, _file) = (path, new MappedFile(path));
#pragma warning restore CA2000
        var header = _file.Slice(0, HeaderBytes);
        _bits = BinaryPrimitives.ReadInt32LittleEndian(header[12..]);
        From = BinaryPrimitives.ReadInt64LittleEndian(header[16..]);
        To = BinaryPrimitives.ReadInt64LittleEndian(header[24..]);
        NewestMicros = BinaryPrimitives.ReadInt64LittleEndian(header[48..]);
        _count = checked((int)BinaryPrimitives.ReadInt64LittleEndian(header[32..]));
        _blocks = checked((int)BinaryPrimitives.ReadInt64LittleEndian(header[40..]));
    }

    public string Path { get; }

    /// <summary>First offset whose key is in it.</summary>
    public long From { get; }

    /// <summary>Offset after the last.</summary>
    public long To { get; }

    /// <summary>No key of it was added later: unix microseconds.</summary>
    public long NewestMicros { get; }

    public int Count => _count;

    static ReadOnlySpan<byte> Magic => "LWDEDU\0\u0002"u8;

    public static string FileName(long from, long to) =>
        string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{from:D20}-{to:D20}.keys");

    /// <exception cref="JournalDamagedException">It is not as it was written.</exception>
    public static DedupRun Open(string path)
    {
        if (!IsIntact(path))
        {
            throw new JournalDamagedException(path, 0,
                "the checksum of this dedup run does not fit. Restore the file from a copy. If there is none, move it and all other .keys files away, and write the number that the oldest "
                + "file in journal/ is named for into the file floor beside them: events before it would then be stored again when they are sent again.");
        }
        return new(path);
    }

    /// <summary>Writes a run of keys that come in ascending order, durably.</summary>
    public static DedupRun Write(JournalOptions options, long from, long to, long newestMicros, int count, IEnumerable<UInt128[]> chunks)
    {
        var path = System.IO.Path.Combine(System.IO.Path.GetFullPath(options.DedupDirectory), FileName(from, to));
        options.Step(DiskStep.WriteRun, done: false);
        using (var file = File.OpenHandle(path + DurableFile.FreshSuffix, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            var bits = BitOperations.Log2((uint)Math.Max(1, count / KeysPerBucket));
            var filter = new ulong[Math.Max(1, (int)((long)count * BitsPerKey / (BlockWords * 64)) + 1) * BlockWords];
            var directory = new uint[(1 << bits) + 1];
            var header = new byte[HeaderBytes];
            Magic.CopyTo(header);
            BinaryPrimitives.WriteInt32LittleEndian(header.AsSpan(12), bits);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(16), from);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(24), to);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(32), count);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(40), filter.Length / BlockWords);
            BinaryPrimitives.WriteInt64LittleEndian(header.AsSpan(48), newestMicros);
            var crc = new Crc32();
            crc.Append(header.AsSpan(12));
            var at = (long)HeaderBytes;
            foreach (var chunk in chunks)
            {
                foreach (var key in chunk)
                {
                    Mark(filter, key);
                    directory[Bucket(key, bits) + 1]++;
                }
                Append(MemoryMarshal.AsBytes(chunk.AsSpan()));
            }
            for (var i = 1; i < directory.Length; i++) directory[i] += directory[i - 1];
            if (directory[^1] != count) throw new System.Diagnostics.UnreachableException("A dedup run of the wrong length.");
            Append(MemoryMarshal.AsBytes(filter.AsSpan()));
            Append(MemoryMarshal.AsBytes(directory.AsSpan()));
            BinaryPrimitives.WriteUInt32LittleEndian(header.AsSpan(8), crc.GetCurrentHashAsUInt32());
            RandomAccess.Write(file, header, 0);
            DurableFile.Sync(file);

            void Append(ReadOnlySpan<byte> bytes)
            {
                RandomAccess.Write(file, bytes, at);
                crc.Append(bytes);
                at += bytes.Length;
            }
        }
        DurableFile.Publish(path);
        options.Step(DiskStep.WriteRun, done: true);
        return new(path);
    }

    public bool Contains(UInt128 key)
    {
        if (!MayContain(key)) return false;
        var directory = _file.Items<uint>(DirectoryAt, (1 << _bits) + 1);
        var bucket = Bucket(key, _bits);
        var (low, high) = ((int)directory[bucket], (int)directory[bucket + 1]);
        return Keys(low, high - low).BinarySearch(key) >= 0;
    }

    public ReadOnlySpan<UInt128> Keys(int start, int count) => _file.Items<UInt128>(HeaderBytes + 16L * start, count);

    /// <summary>Unmaps it; it must not be used any more.</summary>
    public void Dispose() => _file.Dispose();

    long FilterAt => HeaderBytes + 16L * _count;

    long DirectoryAt => FilterAt + (long)_blocks * BlockWords * 8;

    bool MayContain(UInt128 key)
    {
        var block = _file.Items<ulong>(FilterAt + BlockOf(key, _blocks) * (BlockWords * 8L), BlockWords);
        var bits = (ulong)(key >> 64);
        for (var i = 0; i < Probes; i++)
        {
            var bit = (int)(bits & 511);
            if ((block[bit >> 6] & 1UL << bit) == 0) return false;
            bits >>= 9;
        }
        return true;
    }

    static void Mark(ulong[] filter, UInt128 key)
    {
        var block = BlockOf(key, filter.Length / BlockWords) * BlockWords;
        var bits = (ulong)(key >> 64);
        for (var i = 0; i < Probes; i++)
        {
            var bit = (int)(bits & 511);
            filter[block + (bit >> 6)] |= 1UL << bit;
            bits >>= 9;
        }
    }

    static long BlockOf(UInt128 key, int blocks) => (long)Math.BigMul(unchecked((ulong)key), (ulong)blocks, out _);

    static int Bucket(UInt128 key, int bits) => (int)((uint)(ulong)(key >> 96) >> (32 - bits) & ((1UL << bits) - 1));

    static bool IsIntact(string path)
    {
        using var file = File.OpenHandle(path);
        var length = RandomAccess.GetLength(file);
        if (length < HeaderBytes) return false;
        var buffer = new byte[BufferBytes];
        var crc = new Crc32();
        var expected = 0u;
        for (var at = 0L; at < length;)
        {
            var got = RandomAccess.Read(file, buffer, at);
            if (got == 0) return false;
            var bytes = buffer.AsSpan(0, got);
            if (at == 0)
            {
                if (got < HeaderBytes || !bytes.StartsWith(Magic)) return false;
                expected = BinaryPrimitives.ReadUInt32LittleEndian(bytes[8..]);
                bytes = bytes[12..];
            }
            crc.Append(bytes);
            at += got;
        }
        return crc.GetCurrentHashAsUInt32() == expected;
    }
}
