namespace Logwarden.Watchers;

/// <summary>
/// How unlikely a low count is, in nats: <c>−ln P</c>. Counts of slots are taken as negative binomial, which is Poisson with over-dispersion: mean λ, shape k, variance λ + λ²/k.
/// For a count at or below the mean, Chernoff's bound says <c>P(X ≤ c) ≤ e^−I</c> with <c>I = c·ln(c/λ) + (c+k)·ln((λ+k)/(c+k))</c>. For c = 0 it is exact:
/// <c>k·ln(1 + λ/k)</c>. Slots add up: n slots of one mean have the mean n·λ and the shape n·k; slots of several means have about the shape k·(Σλ)²/Σλ².
/// </summary>
static class Surprise
{
    /// <summary>Nats of at most <paramref name="count"/> events where <paramref name="mean"/> are usual; 0 when it is no low count.</summary>
    public static double AtMost(double count, double mean, double shape)
    {
        if (count >= mean || mean <= 0) return 0;
        var events = count > 0 ? count * Math.Log(count / mean) : 0;
        return Math.Max(0, events + (count + shape) * Math.Log((mean + shape) / (count + shape)));
    }

    /// <summary>Nats of none at all in a slot.</summary>
    public static double None(double mean, double shape) => mean <= 0 ? 0 : shape * Math.Log(1 + mean / shape);

    /// <summary>Nats that so many looks in a quarter reach at most <paramref name="perQuarter"/> times by chance: <c>looks · e^−T = perQuarter</c> (union bound).</summary>
    public static double Threshold(double looks, double perQuarter) => Math.Log(looks / perQuarter);
}
