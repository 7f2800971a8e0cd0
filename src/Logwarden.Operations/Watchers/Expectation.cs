namespace Logwarden.Watchers;

/// <summary>
/// What is usual of a source in each hour of the week, fitted once a day. The usual rate of an hour is the least of it and its two neighbours, for a schedule kept in local time moves by an hour
/// twice a year. The low rate is the least usual rate of that hour of the day over the week, which is what a bank holiday looks like. Immutable.
/// </summary>
sealed class Expectation
{
    // Spans of silence that are scored are never longer: beyond it any source is silent.
    const int HoursMax = 31 * 24;

    readonly double[] _means = new double[WatchClock.HoursPerWeek];
    readonly double[] _usual = new double[WatchClock.HoursPerWeek];
    readonly double[] _low = new double[WatchClock.HoursPerWeek];
    readonly double[] _usualNats = new double[WatchClock.HoursPerWeek];
    readonly double[] _lowNats = new double[WatchClock.HoursPerWeek];
    readonly HolidayCalendar? _holidays;

    /// <summary>Of what was counted.</summary>
    /// <param name="rhythm">Counts.</param>
    /// <param name="holidays">Known holidays; null when nobody has told them: then any day may be one.</param>
    public Expectation(WeeklyRhythm rhythm, HolidayCalendar? holidays)
        : this(holidays)
    {
        Shape = rhythm.Shape;
        rhythm.Means(_means);
        for (var bin = 0; bin < _means.Length; bin++) _means[bin] /= WatchClock.SlotsPerHour;
        Derive();
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public Expectation(BinaryReader input, HolidayCalendar? holidays)
        : this(holidays)
    {
        Shape = input.ReadDouble();
        for (var bin = 0; bin < _means.Length; bin++) _means[bin] = input.ReadDouble();
        Derive();
    }

    Expectation(HolidayCalendar? holidays) => _holidays = holidays;

    /// <summary>Over-dispersion of a slot's count.</summary>
    public double Shape { get; }

    /// <summary>Mean of a slot in that hour of the week, as it was.</summary>
    public double Mean(int hourOfWeek) => _means[hourOfWeek];

    /// <summary>Events of a week that are to be expected even if a day of it is a holiday.</summary>
    public double WeekWithHoliday(long lastHour)
    {
        Span<double> differences = stackalloc double[WatchClock.HoursPerWeek];
        double sum = 0;
        for (var i = 0; i < WatchClock.HoursPerWeek; i++)
        {
            var hour = lastHour - WatchClock.HoursPerWeek + 1 + i;
            var bin = WatchClock.HourOfWeek(hour);
            var usual = IsHoliday(hour) ? _low[bin] : _usual[bin];
            differences[i] = (usual - _low[bin]) * WatchClock.SlotsPerHour;
            sum += usual * WatchClock.SlotsPerHour;
        }
        return _holidays is null ? sum - LargestDay(differences) : sum;
    }

    /// <summary>Events of a slot that are usual, if it is no holiday that is known.</summary>
    public double Usual(long hour) => IsHoliday(hour) ? _low[WatchClock.HourOfWeek(hour)] : _usual[WatchClock.HourOfWeek(hour)];

    /// <summary>Events of a slot that are to be expected at least, holiday or not.</summary>
    public double Low(long hour)
    {
        var bin = WatchClock.HourOfWeek(hour);
        return _holidays is null || IsHoliday(hour) ? _low[bin] : _usual[bin];
    }

    /// <summary>
    /// Nats of a silence: the sum over its slots. Where holidays are not known, the most of any 24 hours of it counts only as much as the least busy day of the week would.
    /// </summary>
    /// <param name="from">Last arrival.</param>
    /// <param name="to">Until when nothing came.</param>
    public double Silence(long from, long to)
    {
        from = Math.Max(from, to - HoursMax * WatchClock.Hour);
        var hour = from / WatchClock.Hour;
        var end = (to + WatchClock.Hour - 1) / WatchClock.Hour;
        if (_holidays is null && end - hour <= 24) return Sum(from, to);
        Span<double> differences = stackalloc double[HoursMax + 1];
        double sum = 0;
        var count = 0;
        for (; hour < end; hour++)
        {
            var slots = (double)(Math.Min(to, (hour + 1) * WatchClock.Hour) - Math.Max(from, hour * WatchClock.Hour)) / WatchClock.Slot;
            var bin = WatchClock.HourOfWeek(hour);
            var nats = IsHoliday(hour) ? _lowNats[bin] : _usualNats[bin];
            sum += slots * nats;
            differences[count++] = slots * (nats - _lowNats[bin]);
        }
        return _holidays is null ? sum - LargestDay(differences[..count]) : sum;
    }

    /// <summary>Writes what it was derived from.</summary>
    public void Write(BinaryWriter output)
    {
        output.Write(Shape);
        foreach (var mean in _means) output.Write(mean);
    }

    void Derive()
    {
        const int Hours = WatchClock.HoursPerWeek;
        for (var bin = 0; bin < Hours; bin++)
        {
            _usual[bin] = Math.Min(_means[bin], Math.Min(_means[(bin + 1) % Hours], _means[(bin + Hours - 1) % Hours]));
        }
        for (var bin = 0; bin < Hours; bin++)
        {
            var low = double.MaxValue;
            for (var day = 0; day < 7; day++) low = Math.Min(low, _usual[(bin + day * 24) % Hours]);
            _low[bin] = low;
            (_usualNats[bin], _lowNats[bin]) = (Surprise.None(_usual[bin], Shape), Surprise.None(low, Shape));
        }
    }

    double Sum(long from, long to)
    {
        double sum = 0;
        for (var at = from; at < to;)
        {
            var hour = at / WatchClock.Hour;
            var next = Math.Min(to, (hour + 1) * WatchClock.Hour);
            sum += (double)(next - at) / WatchClock.Slot * _lowNats[WatchClock.HourOfWeek(hour)];
            at = next;
        }
        return sum;
    }

    static double LargestDay(ReadOnlySpan<double> hours)
    {
        double day = 0, largest = 0;
        for (var i = 0; i < hours.Length; i++)
        {
            day += hours[i];
            if (i >= 24) day -= hours[i - 24];
            largest = Math.Max(largest, day);
        }
        return largest;
    }

    bool IsHoliday(long hour) => _holidays is not null && _holidays.Has(hour);
}

/// <summary>Days on which sources that follow people are as quiet as on the quietest day of the week.</summary>
/// <param name="days">Dates, as people there say them; twelve hours on either side count as well, for they don't live by UTC.</param>
public sealed class HolidayCalendar(IEnumerable<DateOnly> days)
{
    readonly HashSet<int> _days = [.. days.Select(day => day.DayNumber)];

    /// <summary>Microseconds of a time that are holidays: all of each day that it touches.</summary>
    internal long Within(long from, long to)
    {
        long sum = 0;
        for (var day = from / WatchClock.Day; day <= to / WatchClock.Day; day++) sum += _days.Contains((int)(day + EpochHours / 24)) ? WatchClock.Day : 0;
        return sum;
    }

    internal bool Has(long hour)
    {
        var day = (int)((hour + EpochHours) / 24);
        return _days.Contains(day) || _days.Contains((int)((hour + EpochHours + 12) / 24)) || _days.Contains((int)((hour + EpochHours - 12) / 24));
    }

    static readonly long EpochHours = DateOnly.FromDateTime(DateTime.UnixEpoch).DayNumber * 24L;
}
