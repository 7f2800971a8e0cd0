using System.Buffers;

namespace Logwarden.Formats;

/// <summary>
/// Recognises a private key as text (RFC 7468, RFC 1421, RFC 4880). Its lines must stay together: by itself none of them looks like a secret. It must not be taken for what it is not:
/// what stays together with it is not seen as a record of its own.
/// </summary>
static class KeyBlock
{
    /// <summary>Bytes of a key: one of RSA with 16,384 bits has 13 KB.</summary>
    public const int BytesMax = 16 * 1024;

    /// <summary>Bytes of one of its lines, with what may stand around it.</summary>
    public const int LineBytesMax = 96;

    const int LabelBytesMax = 40;

    static readonly SearchValues<byte> LabelBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 "u8);
    static readonly SearchValues<byte> BodyBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/="u8);

    /// <summary>Where a key begins that goes on behind <paramref name="text"/>; -1 when none does.</summary>
    public static int FindOpen(ReadOnlySpan<byte> text)
    {
        var begin = text.LastIndexOf("-----BEGIN "u8);
        if (begin < 0) return -1;
        var rest = text[(begin + "-----BEGIN ".Length)..];
        var label = rest.IndexOfAnyExcept(LabelBytes);
        if (label is < 0 or > LabelBytesMax || !rest[label..].StartsWith("-----"u8)) return -1;
        if (!rest[..label].EndsWith("PRIVATE KEY"u8) && !rest[..label].EndsWith("PRIVATE KEY BLOCK"u8)) return -1;
        rest = rest[(label + "-----".Length)..];
        while (true)
        {
            var end = rest.IndexOf((byte)'\n');
            if (!IsBody(end < 0 ? rest : rest[..end])) return -1;
            if (end < 0) return begin;
            rest = rest[(end + 1)..];
        }
    }

    /// <summary>Whether a line can stand within a key: base64, one of its headers, or nothing.</summary>
    public static bool IsBody(ReadOnlySpan<byte> line)
    {
        line = line.Trim(" \t\r\n"u8);
        if (line.Length > LineBytesMax) return false;
        return !line.ContainsAnyExcept(BodyBytes) || line.StartsWith("Proc-Type: "u8) || line.StartsWith("DEK-Info: "u8) || line.StartsWith("Version: "u8)
            || line.StartsWith("Comment: "u8) || line.StartsWith("Hash: "u8) || line.StartsWith("MessageID: "u8) || line.StartsWith("Charset: "u8);
    }

    /// <summary>Whether a line ends a key.</summary>
    public static bool IsEnd(ReadOnlySpan<byte> line) => line.TrimStart(" \t"u8).StartsWith("-----END "u8);
}
