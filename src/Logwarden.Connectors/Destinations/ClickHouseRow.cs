using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Destinations;

/// <summary>
/// A row of the ClickHouse table in RowBinary (https://clickhouse.com/docs/interfaces/formats/RowBinary): integers little-endian, texts with their length as LEB128,
/// a byte before each Nullable. LowCardinality does not show, and DateTime64 is its Int64, so that the bytes are the same for every version of the server.
/// </summary>
static class ClickHouseRow
{
    const long DayMicros = 86_400_000_000;

    /// <summary>1970-01-02: old servers show day 0 as "0000-00-00" and can't name its partition.</summary>
    const long DayMin = 1;

    /// <summary>2099-12-31: what every version's Date holds.</summary>
    const long DayMax = 47_481;

    const int FixedBytesMax = 3 * 8 + 2 * 4 + 4 + 2 + 4 + 10 * 5;

    /// <summary>Names of the columns, in the order of a row.</summary>
    public static IReadOnlyList<string> Columns { get; } =
    [
        "offset", "time", "ingested", "event_id", "class", "source", "format", "class_uid", "activity_id", "severity_id", "status_id", "kinds", "missing",
        "user", "ip", "action", "object", "redactions", "event", "day",
    ];

    /// <summary>Appends a row.</summary>
    public static void Write(in StoredEvent e, IBufferWriter<byte> output)
    {
        var to = output.GetSpan(FixedBytesMax + e.Id.Length + e.Class.Length + e.Source.Length + e.Format.Length + e.User.Utf8.Length + e.Ip.Utf8.Length
            + e.Action.Utf8.Length + e.Object.Utf8.Length + e.Redactions.Length + e.Json.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to, e.Offset);
        BinaryPrimitives.WriteInt64LittleEndian(to[8..], e.TimeMicros);
        BinaryPrimitives.WriteInt64LittleEndian(to[16..], e.IngestedMicros);
        var at = 24;
        Text(to, ref at, e.Id);
        Text(to, ref at, e.Class);
        Text(to, ref at, e.Source);
        Text(to, ref at, e.Format);
        BinaryPrimitives.WriteInt32LittleEndian(to[at..], e.ClassUid);
        BinaryPrimitives.WriteInt32LittleEndian(to[(at + 4)..], e.ActivityId);
        at += 8;
        to[at++] = e.SeverityId;
        to[at++] = e.StatusId;
        to[at++] = (byte)e.Kinds;
        to[at++] = (byte)e.Missing;
        Text(to, ref at, e.User);
        Text(to, ref at, e.Ip);
        Text(to, ref at, e.Action);
        Text(to, ref at, e.Object);
        Text(to, ref at, e.Redactions);
        Text(to, ref at, e.Json);
        BinaryPrimitives.WriteUInt16LittleEndian(to[at..], DayOf(e.TimeMicros, e.IngestedMicros));
        output.Advance(at + 2);
    }

    /// <summary>
    /// The day that an event is kept under, in days since 1970-01-01: its own in UTC, but not later than the day after it was accepted. A clock that runs ahead, or
    /// lies, would make rows that never expire, and partitions without end.
    /// </summary>
    public static ushort DayOf(long timeMicros, long ingestedMicros)
    {
        var latest = Math.Clamp(FloorDay(ingestedMicros) + 1, DayMin, DayMax);
        return (ushort)Math.Clamp(FloorDay(timeMicros), DayMin, latest);
    }

    static long FloorDay(long micros) => micros / DayMicros - (micros % DayMicros < 0 ? 1 : 0);

    static void Text(Span<byte> to, ref int at, ReadOnlySpan<byte> utf8)
    {
        var length = (uint)utf8.Length;
        while (length >= 0x80)
        {
            to[at++] = (byte)(length & 0x7F | 0x80);
            length >>= 7;
        }
        to[at++] = (byte)length;
        utf8.CopyTo(to[at..]);
        at += utf8.Length;
    }

    static void Text(Span<byte> to, ref int at, OptionalText text)
    {
        to[at++] = text.HasValue ? (byte)0 : (byte)1;
        if (text.HasValue) Text(to, ref at, text.Utf8);
    }
}

/// <summary>Reads what a SELECT answers in RowBinary, value by value. A cut-off answer is an <see cref="IOException"/>.</summary>
ref struct ClickHouseRows(ReadOnlySpan<byte> body)
{
    ReadOnlySpan<byte> _rest = body;

    /// <summary>Whether there is another row.</summary>
    public readonly bool HasMore => !_rest.IsEmpty;

    /// <summary>An Int64, DateTime64 or UInt64 that is small enough.</summary>
    public long Int64() => BinaryPrimitives.ReadInt64LittleEndian(Take(8));

    /// <summary>A String.</summary>
    public string Text()
    {
        var (length, shift) = (0L, 0);
        byte next;
        do
        {
            next = Take(1)[0];
            length |= (long)(next & 0x7F) << shift;
            shift += 7;
        }
        while (next >= 0x80 && shift < 35);
        return Encoding.UTF8.GetString(Take(length));
    }

    ReadOnlySpan<byte> Take(long count)
    {
        if (count > _rest.Length) throw new IOException("The answer of ClickHouse was cut off.");
        var taken = _rest[..(int)count];
        _rest = _rest[(int)count..];
        return taken;
    }
}
