using System.Buffers.Binary;
using System.Buffers.Text;
using System.IO.Hashing;
using System.Text;

namespace Logwarden.Query;

/// <summary>
/// Where a page ends: <c>u8 version ‖ i64 time_us ‖ i64 offset ‖ u64 XXH3 of these and the query</c> in base64url. The hash is no secret; it finds
/// damaged cursors and those of another query, which would give pages that don't fit together.
/// </summary>
/// <param name="TimeMicros">Time of the last event given.</param>
/// <param name="Offset">Its offset.</param>
readonly record struct SearchCursor(long TimeMicros, long Offset)
{
    const byte Version = 1;
    const int Signed = 17;
    const int Bytes = Signed + sizeof(ulong);

    /// <summary>The cursor as text.</summary>
    public string ToText(EventScope scope)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        bytes[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(bytes[1..], TimeMicros);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[9..], Offset);
        BinaryPrimitives.WriteUInt64LittleEndian(bytes[Signed..], Hash(bytes[..Signed], scope));
        return Base64Url.EncodeToString(bytes);
    }

    /// <summary>Reads a cursor.</summary>
    /// <exception cref="QueryRefusedException">It is none, or of another query.</exception>
    public static SearchCursor Parse(string text, EventScope scope)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        if (text.Length > 64 || !Base64Url.IsValid(text) || !Base64Url.TryDecodeFromChars(text, bytes, out var size) || size != Bytes || bytes[0] != Version)
            throw new QueryRefusedException("The cursor is damaged. Take it as the page before gave it, or leave it out to begin anew.");
        if (BinaryPrimitives.ReadUInt64LittleEndian(bytes[Signed..]) != Hash(bytes[..Signed], scope))
            throw new QueryRefusedException("The cursor is damaged, or belongs to another query. Filter, times, class and source must be those of the page before.");
        return new(BinaryPrimitives.ReadInt64LittleEndian(bytes[1..]), BinaryPrimitives.ReadInt64LittleEndian(bytes[9..]));
    }

    static ulong Hash(ReadOnlySpan<byte> position, EventScope scope)
    {
        var hash = new XxHash3();
        hash.Append(position);
        Span<byte> number = stackalloc byte[sizeof(long)];
        foreach (var text in (ReadOnlySpan<string>)[scope.Filter, scope.Class ?? "\0", scope.Source ?? "\0"])
        {
            var utf8 = Encoding.UTF8.GetBytes(text);
            BinaryPrimitives.WriteInt64LittleEndian(number, utf8.Length);
            hash.Append(number);
            hash.Append(utf8);
        }
        foreach (var time in (ReadOnlySpan<DateTimeOffset?>)[scope.From, scope.To])
        {
            BinaryPrimitives.WriteInt64LittleEndian(number, time?.UtcTicks ?? -1);
            hash.Append(number);
        }
        return hash.GetCurrentHashAsUInt64();
    }
}
