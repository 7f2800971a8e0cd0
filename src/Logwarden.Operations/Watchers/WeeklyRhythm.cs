namespace Logwarden.Watchers;

/// <summary>
/// How many events came in each hour of the last eight weeks. The usual count of an hour of the week is the mean of its weeks without the highest and the lowest, so that neither an attack nor
/// an outage becomes usual. Of the counts by slot comes the over-dispersion. 5.4 KB. Not thread-safe.
/// </summary>
sealed class WeeklyRhythm
{
    const int Unknown = -1;
    const int Hours = TailSketch.Weeks * WatchClock.HoursPerWeek;

    // A burst weighs on the over-dispersion as if it were so many times the usual: one flood must not blind us for weeks.
    const double BurstMax = 32;

    // The dispersion forgets with a time constant of four weeks.
    const double Forget = 1 - 1.0 / (4 * WatchClock.HoursPerWeek * WatchClock.SlotsPerHour);

    readonly int[] _counts = new int[Hours];
    double _squares;
    double _excess;

    /// <summary>Nothing is known.</summary>
    public WeeklyRhythm() => Array.Fill(_counts, Unknown);

    /// <summary>Hour since the epoch that was recorded last; −1 before the first.</summary>
    public long Last { get; private set; } = -1;

    /// <summary>First hour since the epoch that was recorded.</summary>
    public long First { get; private set; } = -1;

    /// <summary>Shape k of the slots' counts: small is bursty, large is Poisson.</summary>
    public double Shape => _squares <= 0 ? 1 : Math.Clamp(_squares / Math.Max(_excess, _squares / 1_000), 0.02, 1_000);

    /// <summary>Events of an hour; −1 when it is unknown.</summary>
    public int Count(long hour) => hour > Last || hour <= Last - Hours || hour < First ? Unknown : _counts[hour % Hours];

    /// <summary>Records a whole hour; those since the last one were not watched.</summary>
    public void Record(long hour, long count)
    {
        if (First < 0) First = hour;
        if (Last >= 0 && hour <= Last) return;
        for (var missed = Math.Max(Last + 1, hour - Hours + 1); Last >= 0 && missed < hour; missed++) _counts[missed % Hours] = Unknown;
        _counts[hour % Hours] = (int)Math.Min(count, int.MaxValue);
        Last = hour;
    }

    /// <summary>Forgets hours: what was in them is not usual.</summary>
    public void Disregard(long from, long to)
    {
        for (var hour = Math.Max(from, Math.Max(First, Last - Hours + 1)); hour <= Math.Min(to, Last); hour++) _counts[hour % Hours] = Unknown;
    }

    /// <summary>A slot's count beside its usual mean, for the over-dispersion.</summary>
    public void Slot(long count, double mean)
    {
        if (mean <= 0) return;
        var off = Math.Min(count, BurstMax * mean + BurstMax) - mean;
        _squares = _squares * Forget + mean * mean;
        _excess = _excess * Forget + off * off - mean;
    }

    /// <summary>Usual events by hour of the week.</summary>
    /// <param name="means">168 of them; an hour that is known from less than two weeks has none.</param>
    public void Means(Span<double> means)
    {
        for (var bin = 0; bin < WatchClock.HoursPerWeek; bin++) means[bin] = Mean(bin);
    }

    /// <summary>Writes it.</summary>
    public void Write(BinaryWriter output)
    {
        output.Write(First);
        output.Write(Last);
        foreach (var count in _counts) output.Write7BitEncodedInt64(count + 1L);
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public void Read(BinaryReader input)
    {
        (First, Last) = (input.ReadInt64(), input.ReadInt64());
        for (var i = 0; i < Hours; i++) _counts[i] = (int)(input.Read7BitEncodedInt64() - 1);
    }

    /// <summary>Writes what changes with every slot.</summary>
    public void WriteNow(BinaryWriter output)
    {
        output.Write(_squares);
        output.Write(_excess);
    }

    /// <summary>Reads it.</summary>
    public void ReadNow(BinaryReader input) => (_squares, _excess) = (input.ReadDouble(), input.ReadDouble());

    double Mean(int bin)
    {
        if (Last < 0) return 0;
        var (weeks, sum, low, high) = (0, 0L, int.MaxValue, 0);
        var back = (WatchClock.HourOfWeek(Last) - bin + WatchClock.HoursPerWeek) % WatchClock.HoursPerWeek;
        for (var hour = Last - back; hour > Last - Hours; hour -= WatchClock.HoursPerWeek)
        {
            var count = Count(hour);
            if (count == Unknown) continue;
            weeks++;
            sum += count;
            (low, high) = (Math.Min(low, count), Math.Max(high, count));
        }
        if (weeks < 2) return 0;
        return weeks == 2 ? low : (sum - low - high) / (double)(weeks - 2);
    }
}
