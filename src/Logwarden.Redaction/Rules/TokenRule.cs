namespace Logwarden.Redaction.Rules;

/// <summary>
/// A secret that gives itself away by how it starts: a literal, then at least <paramref name="Min"/> characters of an
/// alphabet. Such a token is found wherever a word starts, whatever stands around it.
/// </summary>
/// <param name="Id">Rule id; several tokens may share one.</param>
/// <param name="Prefix">The literal; at least three bytes.</param>
/// <param name="Set">Alphabet of what follows.</param>
/// <param name="Min">Fewest characters after the literal.</param>
/// <param name="Max">Most characters after the literal; 0 = no limit.</param>
/// <param name="Fold">The case of the literal's letters does not matter.</param>
/// <param name="Mixed">There are upper and lower case letters among them.</param>
/// <param name="Distinct">Fewest different characters after the literal: a row of x is a placeholder, unless 0 is asked for.</param>
/// <param name="Inside">A signature that stands somewhere among them.</param>
sealed record TokenRule(string Id, string Prefix, Ch Set, int Min, int Max = 0, bool Fold = false, int Distinct = 4, bool Mixed = false, string? Inside = null)
{
    readonly byte[] _inside = System.Text.Encoding.ASCII.GetBytes(Inside ?? "");

    /// <summary>Length of the token that starts <paramref name="text"/>, 0 when it is not one.</summary>
    public int Match(ReadOnlySpan<byte> text)
    {
        if (Max != 0 && text.Length > Prefix.Length + Max) text = text[..(Prefix.Length + Max + 1)];
        var end = Chars.RunEnd(text, Prefix.Length, Set);
        var count = end - Prefix.Length;
        if (count < Min || (Max != 0 && count > Max)) return 0;
        var tail = text[Prefix.Length..end];
        if (Mixed && (tail.IndexOfAnyInRange((byte)'A', (byte)'Z') < 0 || tail.IndexOfAnyInRange((byte)'a', (byte)'z') < 0)) return 0;
        if (_inside.Length > 0 && tail.IndexOf(_inside) < 0) return 0;
        if (Distinct == 0) return end;
        return Placeholders.IsMask(tail) || !HasDistinct(tail, Distinct) ? 0 : end;
    }

    static bool HasDistinct(ReadOnlySpan<byte> tail, int wanted)
    {
        ulong low = 0, high = 0;
        foreach (var c in tail)
        {
            if (c < 64) low |= 1UL << c;
            else high |= 1UL << (c & 63);
            if (System.Numerics.BitOperations.PopCount(low) + System.Numerics.BitOperations.PopCount(high) >= wanted) return true;
        }
        return wanted <= 0;
    }
}
