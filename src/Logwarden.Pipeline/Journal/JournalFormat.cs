using System.Buffers;
using System.Buffers.Binary;
using System.IO.Hashing;

namespace Logwarden.Journal;

/// <summary>
/// The bytes of a journal file, <c>docs/formats/journal.md</c>. A file is a header and then groups; a group is entry frames closed by one
/// commit frame. What no intact commit frame closes was never acknowledged. All integers are little-endian.
/// <code>
/// header  8 magic ‖ u32 crc ‖ u32 length ‖ [ i64 first offset ‖ i64 first commit ‖ u64 salt ‖ i64 created_us ‖ ledger totals ]
/// frame   u32 crc ‖ u32 length ‖ u8 kind ‖ u8 flags ‖ u16 0 ‖ body; crc is CRC-32 of everything behind itself
/// entry   kind 1: 16 dedup key ‖ event in canonical encoding, offset set
/// commit  kind 2: u64 salt ‖ i64 number ‖ i64 first offset ‖ u32 entries ‖ u32 bytes ‖ u32 crc of these bytes ‖ i64 time_us ‖ ledger deltas
/// </code>
/// </summary>
static class JournalFormat
{
    public const int HeaderFixedBytes = 48;
    public const int FrameHeaderBytes = 12;
    public const int KeyBytes = 16;
    public const int EntryOverhead = FrameHeaderBytes + KeyBytes;
    public const int CommitFixedBytes = 44;
    public const byte EntryKind = 1;
    public const byte CommitKind = 2;
    public const byte QuarantineFlag = 1;
    public const string Extension = ".log";

    public static ReadOnlySpan<byte> Magic => "LWJRNL\0\u0001"u8;

    public static string FileName(long first) => first.ToString("D20", System.Globalization.CultureInfo.InvariantCulture) + Extension;

    /// <summary>Writes one entry frame to the front of <paramref name="to"/> and returns its size.</summary>
    public static int WriteEntry(Span<byte> to, ReadOnlySpan<byte> encoded, UInt128 key, byte flags, long offset)
    {
        var size = EntryOverhead + encoded.Length;
        to = to[..size];
        BinaryPrimitives.WriteInt32LittleEndian(to[4..], KeyBytes + encoded.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], EntryKind | (uint)flags << 8);
        BinaryPrimitives.WriteUInt128LittleEndian(to[FrameHeaderBytes..], key);
        encoded.CopyTo(to[EntryOverhead..]);
        Events.EventEncoding.SetOffset(to[EntryOverhead..], offset);
        BinaryPrimitives.WriteUInt32LittleEndian(to, Crc32.HashToUInt32(to[4..]));
        return size;
    }

    /// <summary>Appends the commit frame that closes a group.</summary>
    public static void WriteCommit(IBufferWriter<byte> output, in JournalCommit commit, LedgerTotals deltas)
    {
        var frame = new ArrayBufferWriter<byte>(256);
        var to = frame.GetSpan(FrameHeaderBytes + CommitFixedBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(to[8..], CommitKind);
        var body = to[FrameHeaderBytes..];
        BinaryPrimitives.WriteUInt64LittleEndian(body, commit.Salt);
        BinaryPrimitives.WriteInt64LittleEndian(body[8..], commit.Number);
        BinaryPrimitives.WriteInt64LittleEndian(body[16..], commit.First);
        BinaryPrimitives.WriteInt32LittleEndian(body[24..], commit.Count);
        BinaryPrimitives.WriteInt32LittleEndian(body[28..], commit.GroupBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(body[32..], commit.GroupCrc);
        BinaryPrimitives.WriteInt64LittleEndian(body[36..], commit.TimeMicros);
        frame.Advance(FrameHeaderBytes + CommitFixedBytes);
        deltas.Write(frame);
        var whole = output.GetSpan(frame.WrittenCount)[..frame.WrittenCount];
        frame.WrittenSpan.CopyTo(whole);
        BinaryPrimitives.WriteInt32LittleEndian(whole[4..], whole.Length - FrameHeaderBytes);
        BinaryPrimitives.WriteUInt32LittleEndian(whole, Crc32.HashToUInt32(whole[4..]));
        output.Advance(whole.Length);
    }

    /// <summary>Reads a frame at the front of <paramref name="input"/>.</summary>
    /// <param name="input">Bytes of a journal file.</param>
    /// <param name="frame">The frame, when it is intact.</param>
    /// <param name="size">Bytes that the frame takes by its own word, also when too few are there; 0 when not even that is known.</param>
    public static bool TryFrame(ReadOnlySpan<byte> input, out JournalFrame frame, out long size)
    {
        frame = default;
        size = 0;
        if (input.Length < FrameHeaderBytes) return false;
        size = FrameHeaderBytes + (long)BinaryPrimitives.ReadUInt32LittleEndian(input[4..]);
        if (size > input.Length) return false;
        var crc = BinaryPrimitives.ReadUInt32LittleEndian(input);
        var rest = input[4..(int)size];
        if (Crc32.HashToUInt32(rest) != crc) return false;
        var (kind, flags) = (rest[4], rest[5]);
        var body = rest[(FrameHeaderBytes - 4)..];
        if (kind == EntryKind ? body.Length < KeyBytes + 9 : kind != CommitKind || body.Length < CommitFixedBytes) return false;
        frame = new JournalFrame(kind, flags, body);
        return true;
    }

    /// <summary>The header of a new file.</summary>
    public static byte[] Header(in JournalHeader header)
    {
        var output = new ArrayBufferWriter<byte>(1024);
        var to = output.GetSpan(HeaderFixedBytes);
        Magic.CopyTo(to);
        BinaryPrimitives.WriteInt64LittleEndian(to[16..], header.First);
        BinaryPrimitives.WriteInt64LittleEndian(to[24..], header.FirstCommit);
        BinaryPrimitives.WriteUInt64LittleEndian(to[32..], header.Salt);
        BinaryPrimitives.WriteInt64LittleEndian(to[40..], header.CreatedMicros);
        output.Advance(HeaderFixedBytes);
        header.Totals.Write(output);
        var bytes = output.WrittenSpan.ToArray();
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(12), bytes.Length - 16);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), Crc32.HashToUInt32(bytes.AsSpan(12)));
        return bytes;
    }

    /// <summary>Reads a file's header; false when it is damaged or of another version.</summary>
    public static bool TryHeader(ReadOnlySpan<byte> file, out JournalHeader header)
    {
        header = default;
        if (file.Length < HeaderFixedBytes || !file.StartsWith(Magic)) return false;
        var length = BinaryPrimitives.ReadUInt32LittleEndian(file[12..]);
        if (length > file.Length - 16 || length < HeaderFixedBytes - 16) return false;
        var size = 16 + (int)length;
        if (Crc32.HashToUInt32(file[12..size]) != BinaryPrimitives.ReadUInt32LittleEndian(file[8..])) return false;
        if (LedgerTotals.Read(file[HeaderFixedBytes..size]) is not { } totals) return false;
        header = new JournalHeader(
            BinaryPrimitives.ReadInt64LittleEndian(file[16..]), BinaryPrimitives.ReadInt64LittleEndian(file[24..]),
            BinaryPrimitives.ReadUInt64LittleEndian(file[32..]), BinaryPrimitives.ReadInt64LittleEndian(file[40..]), totals, size);
        return header.First >= 0 && totals.Balances(header.First);
    }

    /// <summary>How many bytes the header at the front of <paramref name="start"/> takes, by its own word.</summary>
    public static long HeaderBytes(ReadOnlySpan<byte> start) =>
        start.Length < 16 || !start.StartsWith(Magic) ? -1 : 16 + (long)BinaryPrimitives.ReadUInt32LittleEndian(start[12..]);
}

/// <summary>An intact frame.</summary>
readonly ref struct JournalFrame(byte kind, byte flags, ReadOnlySpan<byte> body)
{
    public ReadOnlySpan<byte> Body { get; } = body;

    public bool IsEntry => kind == JournalFormat.EntryKind;

    public byte Flags => flags;

    public int Size => JournalFormat.FrameHeaderBytes + Body.Length;

    public UInt128 Key => BinaryPrimitives.ReadUInt128LittleEndian(Body);

    public long Offset =>
        BinaryPrimitives.ReadInt64LittleEndian(Body[(JournalFormat.KeyBytes + Events.EventEncoding.OffsetPosition)..]);

    public JournalCommit Commit => new(
        BinaryPrimitives.ReadUInt64LittleEndian(Body), BinaryPrimitives.ReadInt64LittleEndian(Body[8..]),
        BinaryPrimitives.ReadInt64LittleEndian(Body[16..]), BinaryPrimitives.ReadInt32LittleEndian(Body[24..]),
        BinaryPrimitives.ReadInt32LittleEndian(Body[28..]), BinaryPrimitives.ReadUInt32LittleEndian(Body[32..]),
        BinaryPrimitives.ReadInt64LittleEndian(Body[36..]));

    public LedgerTotals? Deltas => LedgerTotals.Read(Body[JournalFormat.CommitFixedBytes..]);
}

/// <summary>The fixed part of a commit frame.</summary>
readonly record struct JournalCommit(
    ulong Salt, long Number, long First, int Count, int GroupBytes, uint GroupCrc, long TimeMicros);

/// <summary>The header of a journal file. <paramref name="Salt"/> is random, so that no event can carry bytes that look like a commit.</summary>
readonly record struct JournalHeader(
    long First, long FirstCommit, ulong Salt, long CreatedMicros, LedgerTotals Totals, int Bytes);
