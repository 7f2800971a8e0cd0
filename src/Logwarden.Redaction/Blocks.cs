using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Logwarden.Redaction;

/// <summary>Text in pieces of one vector.</summary>
static class Blocks
{
    /// <summary>Bytes of a piece.</summary>
    public const int Bytes = 32;

    /// <summary>The piece of <paramref name="text"/> that begins at <paramref name="at"/>.</summary>
    /// <param name="text">The text; what follows it comes along when it is readable, zeros otherwise.</param>
    /// <param name="readable">Bytes that may be read from the start of the text on: at least its length.</param>
    /// <param name="at">A place within the text.</param>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vector256<byte> At(ReadOnlySpan<byte> text, int readable, int at) => at + Bytes <= readable
        ? Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(text), (nuint)at)
        : Last(text[at..]);

    static Vector256<byte> Last(ReadOnlySpan<byte> rest)
    {
        Span<byte> padded = stackalloc byte[Bytes];
        padded.Clear();
        rest.CopyTo(padded);
        return Vector256.LoadUnsafe(ref MemoryMarshal.GetReference(padded));
    }
}
