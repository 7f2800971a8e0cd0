using System.Buffers.Binary;
using Logwarden.Journal;

namespace Logwarden.Flow;

/// <summary>Ids of events whose source gives none.</summary>
static class EventId
{
    /// <summary>Length of an id as text: a UUID.</summary>
    public const int TextBytes = 36;

    /// <summary>Writes a UUIDv7 (RFC 9562 section 5.7).</summary>
    public static void New(DateTimeOffset now, Span<byte> text) => Guid.CreateVersion7(now).TryFormat(text, out _);

    /// <summary>Writes a UUIDv8 (RFC 9562 section 5.8) made from source, file, ordinal and content (<c>docs/formats/journal.md</c>).</summary>
    public static void OfPosition(DedupKeys keys, ReadOnlySpan<byte> source, RecordOrigin origin, long ordinal, ReadOnlySpan<byte> record, Span<byte> text)
    {
        Span<byte> bits = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bits, origin.Identity);
        var hash = keys.Begin();
        hash.Append(source.Length);
        hash.Append(source);
        hash.Append(bits);
        hash.Append(ordinal);
        hash.Append(record);
        BinaryPrimitives.WriteUInt128BigEndian(bits, hash.Finish());
        bits[6] = (byte)((bits[6] & 0x0F) | 0x80);
        bits[8] = (byte)((bits[8] & 0x3F) | 0x80);
        new Guid(bits, bigEndian: true).TryFormat(text, out _);
    }
}
