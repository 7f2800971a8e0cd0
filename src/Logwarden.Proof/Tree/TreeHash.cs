using System.Buffers.Text;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.InteropServices;

namespace Logwarden.Proof.Tree;

/// <summary>A SHA-256 hash in a Merkle tree: of a leaf, of an inner node or of the whole tree. A value of 32 bytes, never on the heap.</summary>
[StructLayout(LayoutKind.Sequential)]
public readonly struct TreeHash : IEquatable<TreeHash>
{
    /// <summary>Length in bytes.</summary>
    public const int Size = 32;

    readonly ulong _a, _b, _c, _d;

    /// <summary>Takes 32 bytes.</summary>
    /// <exception cref="ArgumentException">It is not 32 bytes long.</exception>
    public TreeHash(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length != Size) throw new ArgumentException($"a tree hash has {Size} bytes, not {bytes.Length}", nameof(bytes));
        this = MemoryMarshal.Read<TreeHash>(bytes);
    }

    /// <summary>The 32 bytes, without a copy.</summary>
    [UnscopedRef]
    public ReadOnlySpan<byte> Bytes => MemoryMarshal.AsBytes(new ReadOnlySpan<TreeHash>(in this));

    /// <summary>The 32 bytes for a hash function to write into; only for the maker of the value.</summary>
    internal static Span<byte> Writable(ref TreeHash hash) => MemoryMarshal.AsBytes(new Span<TreeHash>(ref hash));

    /// <summary>Reads the standard base64 form. Only the canonical form is taken, so that a hash has one text.</summary>
    public static bool TryParse(ReadOnlySpan<char> base64, out TreeHash hash)
    {
        hash = default;
        Span<byte> bytes = stackalloc byte[Size];
        if (!Base64Text.TryDecode(base64, bytes, out var written) || written != Size) return false;
        hash = new(bytes);
        return true;
    }

    /// <inheritdoc/>
    public bool Equals(TreeHash other) => _a == other._a && _b == other._b && _c == other._c && _d == other._d;

    /// <inheritdoc/>
    public override bool Equals(object? obj) => obj is TreeHash other && Equals(other);

    /// <inheritdoc/>
    public override int GetHashCode() => _a.GetHashCode();

    /// <summary>Standard base64, 44 characters.</summary>
    public override string ToString() => Convert.ToBase64String(Bytes);

    /// <summary>Same 32 bytes.</summary>
    public static bool operator ==(TreeHash left, TreeHash right) => left.Equals(right);

    /// <summary>Different bytes.</summary>
    public static bool operator !=(TreeHash left, TreeHash right) => !left.Equals(right);
}

/// <summary>
/// Base64 as C2SP wants it: standard alphabet, padded, no white space, and canonical (the unused bits are zero). The framework's
/// decoders skip white space, which would give one signature many texts.
/// </summary>
static class Base64Text
{
    public static bool TryDecode(ReadOnlySpan<char> text, Span<byte> to, out int written)
    {
        written = 0;
        if (text.Length % 4 != 0 || text.IndexOfAny(" \t\r\n") >= 0) return false;
        if (!Convert.TryFromBase64Chars(text, to, out written)) return false;
        // Only the last four characters can hold unused bits.
        if (written == 0) return text.IsEmpty;
        var tail = written % 3 == 0 ? 3 : written % 3;
        Span<char> again = stackalloc char[4];
        return Convert.TryToBase64Chars(to.Slice(written - tail, tail), again, out var chars)
            && chars == 4 && again.SequenceEqual(text[^4..]);
    }

    public static byte[]? Decode(ReadOnlySpan<char> text)
    {
        var bytes = new byte[Base64.GetMaxDecodedFromUtf8Length(text.Length)];
        return TryDecode(text, bytes, out var written) ? bytes[..written] : null;
    }
}
