using Logwarden.Watchers;

namespace Logwarden.Tests.Watchers;

/// <summary>Counts of a slot: how many, when the first and the last arrived, and how long after they happened.</summary>
readonly record struct SlotCount(long Count, long First, long Last, long Lag);

/// <summary>A source as counts per slot: what it sends in normal times is decided by its shape and the seed.</summary>
sealed class SimulatedSource(string name, Func<SimulatedSource, long, SlotCount> shape, int seed)
{
    /// <summary>Monday 2026-02-02.</summary>
    public static readonly long Start = Micros(new(2026, 2, 2));

    static readonly long SummerTime = Micros(new(2026, 3, 29)) + WatchClock.Hour;

    public string Name { get; } = name;

    public Random Random { get; } = new(seed);

    public HashSet<DateOnly> Holidays { get; init; } = [new(2026, 5, 1), new(2026, 5, 25)];

    /// <summary>What some shapes remember: when the next batch is due, whether a burst is on, how the rate wanders.</summary>
    public double Memory { get; set; }

    public double Phase { get; } = new Random(seed * 31 + 7).NextDouble();

    public SlotCount Slot(long start) => shape(this, start);

    public static long Micros(DateOnly day) => day.ToDateTime(default, DateTimeKind.Utc).Ticks / 10 - DateTime.UnixEpoch.Ticks / 10;

    /// <summary>Some twenty kinds of source.</summary>
    public static IReadOnlyDictionary<string, Func<SimulatedSource, long, SlotCount>> Shapes { get; } = new Dictionary<string, Func<SimulatedSource, long, SlotCount>>(StringComparer.Ordinal)
    {
        ["steady-1-per-slot"] = (s, at) => s.Poisson(at, 1),
        ["steady-10-per-slot"] = (s, at) => s.Poisson(at, 10),
        ["steady-200-per-slot"] = (s, at) => s.Poisson(at, 200),
        ["high-rate"] = (s, at) => s.Poisson(at, 300_000 * s.DayNight(at, 0.5, 0.8) * s.Gamma(20)),
        ["web-day-night"] = (s, at) => s.Poisson(at, 50 * s.DayNight(at, 0.15, 0.5)),
        ["web-small"] = (s, at) => s.Poisson(at, 3 * s.DayNight(at, 0.1, 0.4)),
        ["web-wandering"] = (s, at) => s.Poisson(at, 40 * s.DayNight(at, 0.3, 0.6) * s.Wander(0.35)),
        ["web-growing"] = (s, at) => s.Poisson(at, 30 * s.DayNight(at, 0.2, 0.5) * Math.Exp(0.03 * (at - Start) / WatchClock.Week)),
        ["office-only"] = (s, at) => s.Poisson(at, s.Office(at, 0)),
        ["office-busy"] = (s, at) => s.Poisson(at, 40 * s.Office(at, 0)),
        ["office-with-duty"] = (s, at) => s.Poisson(at, 20 * s.Office(at, 0.05)),
        ["office-bursty"] = (s, at) => s.Poisson(at, 10 * s.Office(at, 0) * s.Gamma(0.3)),
        ["batch-hourly"] = (s, at) => s.Timetable(at, WatchClock.Hour, 120 * WatchClock.Second, 1_000),
        ["batch-hourly-sloppy"] = (s, at) => s.Timetable(at, WatchClock.Hour, 1_200 * WatchClock.Second, 300),
        ["batch-daily"] = (s, at) => s.Timetable(at, WatchClock.Day, 900 * WatchClock.Second, 20_000),
        ["batch-weekdays"] = (s, at) => s.IsOff(at) ? default : s.Timetable(at, WatchClock.Day, 900 * WatchClock.Second, 5_000),
        ["cloud-files"] = (s, at) => s.Timetable(at, WatchClock.Slot, 60 * WatchClock.Second, 80) is var file ? file with { Lag = (2 + s.Random.Next(13)) * 60 * WatchClock.Second } : default,
        ["bursty"] = (s, at) => s.Poisson(at, 5 * s.Gamma(0.2)),
        ["on-and-off"] = (s, at) => s.OnOff(at),
        ["sparse-daily"] = (s, at) => s.Poisson(at, 1.0 / 288),
        ["sparse-office"] = (s, at) => s.Poisson(at, 0.05 * s.Office(at, 0)),
        ["heartbeat"] = (s, at) => s.Timetable(at, WatchClock.Slot, WatchClock.Second, 50),
    };

    /// <summary>Local time, where an office stands.</summary>
    static long Local(long at) => at + (at < SummerTime ? 1 : 2) * WatchClock.Hour;

    bool IsOff(long at)
    {
        var day = DateTime.UnixEpoch.AddTicks(Local(at) * 10);
        return day.DayOfWeek is DayOfWeek.Saturday or DayOfWeek.Sunday || Holidays.Contains(DateOnly.FromDateTime(day));
    }

    double Office(long at, double off)
    {
        var hour = Local(at) / (double)WatchClock.Hour % 24;
        if (IsOff(at) || hour is < 8 or >= 18) return off;
        return hour is < 9 or >= 17 ? 0.4 : 1;
    }

    double DayNight(long at, double night, double dayOff)
    {
        var hour = Local(at) / (double)WatchClock.Hour % 24;
        return (night + (1 - night) * (1 - Math.Cos((hour - 3) / 24 * 2 * Math.PI)) / 2) * (IsOff(at) ? dayOff : 1);
    }

    double Wander(double deviation)
    {
        Memory = 0.98 * Memory + Math.Sqrt(1 - 0.98 * 0.98) * deviation * Normal();
        return Math.Exp(Memory);
    }

    SlotCount Timetable(long at, long every, long jitter, int count)
    {
        if (Memory == 0) Memory = at / every * every + Phase * Math.Max(1, every - jitter) + Random.NextDouble() * jitter;
        if (Memory >= at + WatchClock.Slot) return default;
        var due = Math.Max(at, (long)Memory);
        var slot = new SlotCount(Math.Max(1, (long)(count * (0.7 + 0.6 * Random.NextDouble()))), due, due, 2 * WatchClock.Second);
        var table = due / every * every;
        Memory = table + every + Phase * Math.Max(1, every - jitter) + Random.NextDouble() * jitter;
        return slot;
    }

    SlotCount OnOff(long at)
    {
        // Bursts of ten minutes on average, pauses whose logarithm is normal: a median of half an hour and now and then half a day.
        if (Memory <= at)
        {
            if (Memory >= 0 && Random.NextDouble() < 0.5) return Poisson(at, 30);
            Memory = at + 1_800 * WatchClock.Second * Math.Exp(Normal());
        }
        return default;
    }

    SlotCount Poisson(long at, double mean)
    {
        var count = Count(mean);
        if (count == 0) return default;
        // About the least and the greatest of so many uniform moments.
        var (first, last) = (-Math.Log(1 - Random.NextDouble()) / (count + 1), -Math.Log(1 - Random.NextDouble()) / (count + 1));
        var begin = at + (long)(Math.Min(first, 1) * (WatchClock.Slot - 1));
        return new(count, begin, count == 1 ? begin : Math.Max(begin, at + (long)((1 - Math.Min(last, 1)) * (WatchClock.Slot - 1))), (1 + Random.Next(5)) * WatchClock.Second);
    }

    long Count(double mean)
    {
        if (mean <= 0) return 0;
        if (mean > 30) return Math.Max(0, (long)Math.Round(mean + Math.Sqrt(mean) * Normal()));
        var (limit, product, count) = (Math.Exp(-mean), Random.NextDouble(), 0L);
        for (; product > limit; count++) product *= Random.NextDouble();
        return count;
    }

    /// <summary>Gamma with mean 1 (Marsaglia and Tsang).</summary>
    double Gamma(double shape)
    {
        if (shape < 1) return Gamma(shape + 1) * (shape + 1) / shape * Math.Pow(Random.NextDouble(), 1 / shape);
        var d = shape - 1.0 / 3;
        while (true)
        {
            var x = Normal();
            var v = Math.Pow(1 + x / Math.Sqrt(9 * d), 3);
            if (v > 0 && Math.Log(Random.NextDouble()) < x * x / 2 + d - d * v + d * Math.Log(v)) return d * v / shape;
        }
    }

    double Normal() => Math.Sqrt(-2 * Math.Log(1 - Random.NextDouble())) * Math.Cos(2 * Math.PI * Random.NextDouble());
}
