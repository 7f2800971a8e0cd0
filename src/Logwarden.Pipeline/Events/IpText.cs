using System.Buffers;
using System.Net;

namespace Logwarden.Events;

/// <summary>Addresses as text.</summary>
static class IpText
{
    static readonly SearchValues<byte> V6Bytes = SearchValues.Create("0123456789abcdefABCDEF:."u8);

    /// <summary>
    /// An IPv4 address of four decimal numbers or an IPv6 address, and nothing else. Zeros in front of a number are let through:
    /// masked logs have them. Names, ports and the forms in hexadecimal or in one number that socket libraries accept are not addresses.
    /// </summary>
    public static bool IsAddress(ReadOnlySpan<byte> text) => text.Contains((byte)':') ? IsV6(text) : IsV4(text);

    /// <summary>Takes the address out of <c>address</c>, <c>address:port</c>, <c>[address]:port</c> or <c>address(port)</c>.</summary>
    /// <returns>Empty when there is none.</returns>
    public static ReadOnlySpan<byte> Address(ReadOnlySpan<byte> text, out int port)
    {
        port = -1;
        if (text.IsEmpty || IsAddress(text)) return text;
        int end;
        ReadOnlySpan<byte> address, rest;
        if (text[0] == '[')
        {
            end = text.IndexOf((byte)']');
            if (end < 0) return default;
            address = text[1..end];
            rest = text[(end + 1)..];
            if (rest.IsEmpty) return IsAddress(address) ? address : default;
            if (rest[0] != ':') return default;
            rest = rest[1..];
        }
        else
        {
            end = text.IndexOf((byte)'(');
            var inBrackets = end > 0 && text[^1] == ')';
            if (!inBrackets) end = text.LastIndexOf((byte)':');
            if (end <= 0) return default;
            address = text[..end];
            rest = inBrackets ? text[(end + 1)..^1] : text[(end + 1)..];
        }
        if (!IsAddress(address)) return default;
        return System.Buffers.Text.Utf8Parser.TryParse(rest, out port, out var used) && used == rest.Length && port is >= 0 and <= 65535
            ? address
            : default;
    }

    static bool IsV4(ReadOnlySpan<byte> text)
    {
        if (text.Length is < 7 or > 15) return false;
        int parts = 0, digits = 0, value = 0;
        foreach (var c in text)
        {
            if (c == '.')
            {
                if (digits == 0 || ++parts > 3) return false;
                (digits, value) = (0, 0);
                continue;
            }
            if (c is < (byte)'0' or > (byte)'9' || ++digits > 3) return false;
            value = value * 10 + (c - '0');
            if (value > 255) return false;
        }
        return parts == 3 && digits > 0;
    }

    static bool IsV6(ReadOnlySpan<byte> text) =>
        text.Length is >= 2 and <= 45 && text.IndexOfAnyExcept(V6Bytes) < 0 && IPAddress.IsValidUtf8(text);
}
