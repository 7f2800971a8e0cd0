using System.Buffers.Binary;
using System.IO.Hashing;
using System.Text;
using Logwarden.Journal;

namespace Logwarden.Flow;

/// <summary>Ids of events whose source gives none.</summary>
sealed class EventId
{
    /// <summary>Length of an id as text: a UUID.</summary>
    public const int TextBytes = 36;

    const int NameCharactersMax = 255;

    readonly XxHash128 _hash = new();

    /// <summary>Writes a UUIDv7 (RFC 9562 section 5.7).</summary>
    public static void New(DateTimeOffset now, Span<byte> text) => Guid.CreateVersion7(now).TryFormat(text, out _);

    /// <summary>
    /// Writes a UUIDv8 (RFC 9562 section 5.8) made from source, file name, ordinal and content, so that a file that is read again, after
    /// an interruption or when it has grown, gives the same ids.
    /// </summary>
    /// <returns>Its dedup key; zero when it came with no file.</returns>
    public UInt128 OfPosition(ReadOnlySpan<byte> source, string name, long ordinal, ReadOnlySpan<byte> record, Span<byte> text)
    {
        Span<byte> number = stackalloc byte[8];
        var shown = name.AsSpan(0, Math.Min(name.Length, NameCharactersMax));
        Span<byte> utf8 = stackalloc byte[NameCharactersMax * 3];
        var bytes = Encoding.UTF8.GetBytes(shown, utf8);
        _hash.Reset();
        _hash.Append(source);
        BinaryPrimitives.WriteInt64LittleEndian(number, bytes);
        _hash.Append(number);
        _hash.Append(utf8[..bytes]);
        BinaryPrimitives.WriteInt64LittleEndian(number, ordinal);
        _hash.Append(number);
        _hash.Append(record);
        Span<byte> bits = stackalloc byte[16];
        _hash.GetCurrentHash(bits);
        bits[6] = (byte)((bits[6] & 0x0F) | 0x80);
        bits[8] = (byte)((bits[8] & 0x3F) | 0x80);
        new Guid(bits, bigEndian: true).TryFormat(text, out _);
        return name.Length > 0 ? DedupKey.Of(source, text) : default;
    }
}
