using System.Buffers.Binary;
using System.Globalization;
using System.Text;

namespace Logwarden.Match;

/// <summary>
/// A network of IPv4 or IPv6 addresses; a single address is a network of one. The addresses of events are texts: dotted quads
/// without leading zeros, IPv6 in any RFC 4291 form without a dotted tail, and <c>::ffff:a.b.c.d</c>, which counts as the IPv4
/// address in it. Everything else (host names, zone ids, ports) is no address.
/// </summary>
/// <param name="First">Lowest address; an IPv4 address stands in the low 32 bits.</param>
/// <param name="PrefixBits">Leading bits that count: 0 to 32, or 0 to 128.</param>
/// <param name="IsV6">Which family.</param>
public readonly record struct IpNetwork(UInt128 First, int PrefixBits, bool IsV6)
{
    const string MappedLower = "::ffff:";
    const string MappedUpper = "::FFFF:";

    /// <summary>Bits of an address of the family.</summary>
    public int AddressBits => IsV6 ? 128 : 32;

    /// <summary>True for a network of one address.</summary>
    public bool IsSingle => PrefixBits == AddressBits;

    /// <summary>Highest address.</summary>
    public UInt128 Last => First | HostMask(PrefixBits, AddressBits);

    /// <summary>Reads <c>address</c> or <c>address/bits</c>. Host bits that are set are cleared.</summary>
    public static bool TryParse(string text, out IpNetwork network)
    {
        network = default;
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (!TryParseAddress(Encoding.UTF8.GetBytes(slash < 0 ? text : text[..slash]), out var address, out var v6)) return false;
        var bits = v6 ? 128 : 32;
        var prefix = bits;
        if (slash >= 0 && (slash + 1 == text.Length || text.Length - slash > 4
            || !int.TryParse(text.AsSpan(slash + 1), NumberStyles.None, CultureInfo.InvariantCulture, out prefix) || prefix > bits))
        {
            return false;
        }
        network = new(address & ~HostMask(prefix, bits), prefix, v6);
        return true;
    }

    /// <summary>Whether the text is an address of this network.</summary>
    public bool Contains(ReadOnlySpan<byte> text) => TryParseAddress(text, out var address, out var v6) && v6 == IsV6
        && (address & ~HostMask(PrefixBits, AddressBits)) == First;

    /// <summary>Reads one address as it stands in an event.</summary>
    internal static bool TryParseAddress(ReadOnlySpan<byte> text, out UInt128 address, out bool v6)
    {
        v6 = false;
        if (text.StartsWith("::ffff:"u8) || text.StartsWith("::FFFF:"u8))
        {
            if (TryParseV4(text[7..], out address)) return true;
        }
        if (TryParseV4(text, out address)) return true;
        v6 = true;
        return TryParseV6(text, out address);
    }

    static bool TryParseV4(ReadOnlySpan<byte> text, out UInt128 address)
    {
        address = 0;
        uint value = 0;
        for (var octet = 0; octet < 4; octet++)
        {
            if (octet > 0)
            {
                if (text.IsEmpty || text[0] != '.') return false;
                text = text[1..];
            }
            var (digits, number) = (0, 0u);
            while (digits < text.Length && digits < 4 && text[digits] is >= (byte)'0' and <= (byte)'9') number = number * 10 + text[digits++] - '0';
            if (digits is 0 or > 3 || number > 255 || (digits > 1 && text[0] == '0')) return false;
            value = value << 8 | number;
            text = text[digits..];
        }
        address = value;
        return text.IsEmpty;
    }

    static bool TryParseV6(ReadOnlySpan<byte> text, out UInt128 address)
    {
        address = 0;
        if (text.Length is < 2 or > 39) return false;
        var gap = text.IndexOf("::"u8);
        if (gap < 0) return TryHextets(text, out address, out var all) && all == 8;
        if (!TryHextets(text[..gap], out var high, out var left) || !TryHextets(text[(gap + 2)..], out var low, out var right)) return false;
        if (left + right > 7) return false;
        address = (left == 0 ? 0 : high << 16 * (8 - left)) | low;
        return true;
    }

    static bool TryHextets(ReadOnlySpan<byte> text, out UInt128 value, out int count)
    {
        (value, count) = (0, 0);
        if (text.IsEmpty) return true;
        while (count < 8)
        {
            var digits = 0;
            var hextet = 0;
            while (digits < text.Length && digits < 5 && char.IsAsciiHexDigit((char)text[digits]))
            {
                hextet = hextet << 4 | HexDigit(text[digits++]);
            }
            if (digits is 0 or > 4) return false;
            value = value << 16 | (UInt128)hextet;
            count++;
            text = text[digits..];
            if (text.IsEmpty) return true;
            if (text[0] != ':') return false;
            text = text[1..];
        }
        return false;
    }

    static int HexDigit(byte c) => c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;

    /// <summary>Canonical text: <c>10.0.0.0/8</c>, RFC 5952 for IPv6, no suffix for a single address.</summary>
    public override string ToString()
    {
        var text = AddressText(First);
        return IsSingle ? text : string.Create(CultureInfo.InvariantCulture, $"{text}/{PrefixBits}");
    }

    /// <summary>The texts that an IPv4 address can have in an event.</summary>
    internal string[] SpellingsV4() => [AddressText(First), MappedLower + AddressText(First), MappedUpper + AddressText(First)];

    string AddressText(UInt128 address)
    {
        if (!IsV6)
        {
            var v4 = (uint)address;
            return string.Create(CultureInfo.InvariantCulture, $"{v4 >> 24}.{v4 >> 16 & 255}.{v4 >> 8 & 255}.{v4 & 255}");
        }
        Span<byte> bytes = stackalloc byte[16];
        BinaryPrimitives.WriteUInt128BigEndian(bytes, address);
        var text = new StringBuilder();
        Span<ushort> hextets = stackalloc ushort[8];
        for (var i = 0; i < 8; i++) hextets[i] = BinaryPrimitives.ReadUInt16BigEndian(bytes[(2 * i)..]);
        var (zerosAt, zeros) = LongestZeros(hextets);
        for (var i = 0; i < 8; i++)
        {
            if (i == zerosAt)
            {
                text.Append("::");
                i += zeros - 1;
                continue;
            }
            if (text.Length > 0 && text[^1] != ':') text.Append(':');
            text.Append(CultureInfo.InvariantCulture, $"{hextets[i]:x}");
        }
        return text.ToString();
    }

    static (int At, int Length) LongestZeros(ReadOnlySpan<ushort> hextets)
    {
        var best = (At: -1, Length: 1);
        for (var i = 0; i < 8; i++)
        {
            var length = 0;
            while (i + length < 8 && hextets[i + length] == 0) length++;
            if (length > best.Length) best = (i, length);
            i += length;
        }
        return best;
    }

    static UInt128 HostMask(int prefix, int bits) => prefix == bits ? 0 : UInt128.MaxValue >> 128 - (bits - prefix);
}
