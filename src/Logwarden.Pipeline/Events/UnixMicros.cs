namespace Logwarden.Events;

/// <summary>Times as events carry them: unix microseconds, UTC.</summary>
public static class UnixMicros
{
    /// <summary>The microseconds of an instant; a fraction of one is cut towards the epoch.</summary>
    public static long Of(DateTimeOffset instant) => (instant - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>The microseconds of this moment.</summary>
    public static long Now(TimeProvider time) => Of(time.GetUtcNow());

    /// <summary>The instant of <paramref name="micros"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">It is before year 1 or after year 9999.</exception>
    public static DateTimeOffset ToInstant(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
