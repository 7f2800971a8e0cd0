namespace Logwarden.Redaction;

/// <summary>What one value looks like, gathered in one pass: the base of every "is this a secret?" decision.</summary>
readonly record struct Look(
    int Length, int Lower, int Upper, int Digits, int Dashes, int Dots, int Slashes, int Spaces, int Others, int Distinct, double Entropy)
{
    const int MeasuredMax = 256;

    static readonly double[] Log2 = BuildLog2();

    static double[] BuildLog2()
    {
        var table = new double[MeasuredMax + 1];
        for (var i = 1; i < table.Length; i++) table[i] = i * Math.Log2(i);
        return table;
    }

    /// <summary>Measures the first 256 bytes of <paramref name="value"/>.</summary>
    public static Look At(ReadOnlySpan<byte> value)
    {
        var length = value.Length;
        if (value.Length > MeasuredMax) value = value[..MeasuredMax];
        Span<ushort> counts = stackalloc ushort[256];
        counts.Clear();
        int lower = 0, upper = 0, digits = 0, dashes = 0, dots = 0, slashes = 0, spaces = 0, others = 0, distinct = 0;
        foreach (var c in value)
        {
            if (counts[c]++ == 0) distinct++;
            var kind = Chars.Of(c);
            if ((kind & Ch.Low) != Ch.None) lower++;
            else if ((kind & Ch.Up) != Ch.None) upper++;
            else if ((kind & Ch.Digit) != Ch.None) digits++;
            else if ((kind & (Ch.Dash | Ch.Under)) != Ch.None) dashes++;
            else if ((kind & Ch.Dot) != Ch.None) dots++;
            else if ((kind & Ch.Slash) != Ch.None) slashes++;
            else if ((kind & Ch.Space) != Ch.None) spaces++;
            else others++;
        }
        var sum = 0.0;
        if (distinct > 1)
            foreach (var count in counts) sum += Log2[count];
        var entropy = value.Length == 0 ? 0 : Math.Log2(value.Length) - (sum / value.Length);
        return new Look(length, lower, upper, digits, dashes, dots, slashes, spaces, others, distinct, distinct > 1 ? entropy : 0);
    }

    /// <summary>Letters.</summary>
    public int Letters => Lower + Upper;

    /// <summary>Letters and digits in one run of at least <paramref name="min"/>, without spaces, and not a word or a sentence.</summary>
    public bool Random(int min, double entropy) =>
        Length >= min && Spaces == 0 && Digits > 0 && Letters > 0 && Entropy >= entropy;
}
