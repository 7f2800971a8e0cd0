namespace Logwarden.Flow;

/// <summary>
/// How long to wait before trying again: twice as long after each failure, from one second to five minutes, of which a random half is left out, lest all senders
/// come back at the same moment ("equal jitter"). Not thread-safe.
/// </summary>
public sealed class Backoff(Random random)
{
    /// <summary>The longest wait of our own choosing.</summary>
    public static readonly TimeSpan Max = TimeSpan.FromMinutes(5);

    /// <summary>The longest wait that the far side can ask for.</summary>
    public static readonly TimeSpan AskedMax = TimeSpan.FromHours(1);

    static readonly TimeSpan First = TimeSpan.FromSeconds(1);

    /// <summary>Failures since the last success.</summary>
    public int Failures { get; private set; }

    /// <summary>It worked: the next failure is the first again.</summary>
    public void Reset() => Failures = 0;

    /// <summary>It failed.</summary>
    /// <param name="asked">When the far side wants to be asked again; null leaves it to us.</param>
    /// <returns>How long to wait now.</returns>
    public TimeSpan Next(TimeSpan? asked)
    {
        var whole = Math.Min(First.TotalSeconds * Math.Pow(2, Math.Min(Failures, 30)), Max.TotalSeconds);
        Failures++;
        var ours = TimeSpan.FromSeconds(whole / 2 + whole / 2 * random.NextDouble());
        if (asked is not { } wanted) return ours;
        return wanted <= TimeSpan.Zero ? First / 2 : wanted > AskedMax ? AskedMax : wanted;
    }
}
