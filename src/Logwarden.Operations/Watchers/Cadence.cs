namespace Logwarden.Watchers;

/// <summary>
/// The learned rhythm of one source, and when a silence or a low count is too unlikely to be chance. Two measures of silence are kept, each against its own past, and the source is silent when either is
/// beyond its threshold:
/// <list type="bullet">
/// <item><b>surprise</b>: the nats of the silence (<see cref="Surprise"/>, <see cref="Expectation"/>), which know the hour of the week. The threshold is the more careful of the model's,
/// <c>ln(26,208 slots a quarter / α)</c>, and of what the silences of the last eight weeks say (<see cref="TailSketch"/>): sources whose slots depend on each other, such as
/// batches, prove the model wrong and get a threshold of their own;</item>
/// <item><b>length</b>: how long it lasts, against the longest gaps between arrivals of eight weeks. It knows sources that follow a timetable, which have no rate to speak of.
/// It adds a day where the source is silent for a day and a half in any week (a holiday that nobody told us of may follow a weekend), and an hour where gaps are longer than six hours (summer time).</item>
/// </list>
/// α is 0.1 a quarter for each of: surprise, length, low count of six hours, low count of a week, lag, parts; together 0.6, below the one a quarter that is stated. Not thread-safe.
/// </summary>
sealed class Cadence(WatchOptions options)
{
    /// <summary>False alarms a quarter that each measure may give.</summary>
    public const double PerQuarter = 0.1;

    /// <summary>No silence is allowed to last longer, whatever was learned.</summary>
    public const long SilenceMax = 31 * WatchClock.Day;

    const int LowHours = 6;
    const int LowWeeksMin = 6;
    const double LowMeanMin = 20;
    const double LowShare = 0.5;
    const double CalmShare = 0.7;
    const int SlotsPerQuarter = WatchClock.WeeksPerQuarter * WatchClock.HoursPerWeek * WatchClock.SlotsPerHour;

    readonly WeeklyRhythm _rhythm = new();
    readonly TailSketch _gaps = new();
    readonly TailSketch _silences = new();
    readonly TailSketch _lows = new();
    readonly TailSketch _weekLows = new();
    Expectation? _usual;
    double _natsMax = double.PositiveInfinity;
    double _gapMax = double.PositiveInfinity;
    double _lowMax = double.PositiveInfinity;
    double _weekLowMax = double.PositiveInfinity;
    double _lowOfDay;
    LowCount? _weekLow;
    long _longest;
    long _longestKept;
    long _fitDay;
    bool _isRhythmChanged;

    /// <summary>Whether enough weeks are known.</summary>
    public bool IsLearned { get; private set; }

    /// <summary>Whether any of what is kept by the hour has changed since it was written.</summary>
    public bool IsChanged => _isRhythmChanged || _gaps.IsChanged || _silences.IsChanged || _lows.IsChanged || _weekLows.IsChanged;

    /// <summary>Usual events an hour at that time; null when it is not learned.</summary>
    public double? UsualPerHour(long micros) => IsLearned ? _usual!.Mean(WatchClock.HourOfWeek(micros / WatchClock.Hour)) * WatchClock.SlotsPerHour : null;

    /// <summary>Events of a slot that are to be expected at least; 0 when nothing is learned.</summary>
    public double Low(long hour) => IsLearned ? _usual!.Low(hour) : 0;

    /// <summary>A silence has ended.</summary>
    /// <param name="from">Last arrival before it.</param>
    /// <param name="to">First arrival after it.</param>
    /// <param name="isUsual">False when it was told as an alarm: an outage is not learned.</param>
    public void Arrived(long from, long to, bool isUsual)
    {
        _longest = Math.Max(_longest, Math.Min(to - from, SilenceMax));
        if (!isUsual) return;
        _gaps.Add(to, Length(from, to));
        if (_usual is not null) _silences.Add(to, _usual.Silence(from, to), from);
    }

    /// <summary>A slot is over.</summary>
    public void Slot(long hour, long count)
    {
        if (_usual is not null) _rhythm.Slot(count, _usual.Mean(WatchClock.HourOfWeek(hour)));
    }

    /// <summary>An hour is over.</summary>
    /// <param name="hour">Hour since the epoch.</param>
    /// <param name="count">Its events; null when it was not watched whole, or was part of an outage.</param>
    public void Hour(long hour, long? count)
    {
        if (count is { } known) _rhythm.Record(hour, known);
        _isRhythmChanged = true;
    }

    /// <summary>Forgets what was counted in the hours of an outage before it was known to be one.</summary>
    public void Disregard(long from, long to) => _rhythm.Disregard(from / WatchClock.Hour + 1, to / WatchClock.Hour);

    /// <summary>
    /// Learns from what was counted: at the first arrival of a day, so that nothing is learned while nothing comes, and what was stated of a silence when it began holds until it ends.
    /// </summary>
    /// <returns>Whether it did.</returns>
    public bool Fit(long now)
    {
        if (now / WatchClock.Day == _fitDay) return false;
        _fitDay = now / WatchClock.Day;
        _isRhythmChanged = true;
        _longestKept = (long)_gaps.Max(now);
        if (_rhythm.First < 0 || now / WatchClock.Hour - _rhythm.First < 2 * WatchClock.HoursPerWeek) return true;
        _usual = new(_rhythm, options.Holidays);
        IsLearned = now / WatchClock.Hour - _rhythm.First >= (long)options.WeeksToLearn * WatchClock.HoursPerWeek;
        _silences.Revalue(_usual.Silence);
        _natsMax = Math.Max(Surprise.Threshold(SlotsPerQuarter, PerQuarter), _silences.Threshold(now, PerQuarter));
        var longest = _longestKept;
        _gapMax = _gaps.Threshold(now, PerQuarter) + (options.Holidays is null && longest > 36 * WatchClock.Hour ? WatchClock.Day : 0) + (longest > 6 * WatchClock.Hour ? WatchClock.Hour : 0);
        // A low count is trusted later than a silence: what is usual must be known before it can be known how far counts fall below it.
        var isLowLearned = IsLearned && _lows.WeeksSeen(now) >= LowWeeksMin;
        (_lowMax, _weekLowMax) = (double.PositiveInfinity, double.PositiveInfinity);
        if (!isLowLearned) return true;
        _lowMax = Math.Max(Surprise.Threshold(SlotsPerQuarter / WatchClock.SlotsPerHour, PerQuarter), _lows.Threshold(now, PerQuarter));
        _weekLowMax = Math.Max(Surprise.Threshold(WatchClock.WeeksPerQuarter * 7, PerQuarter), 2 * _weekLows.Max(now));
        return true;
    }

    /// <summary>Whether nothing has come for too long.</summary>
    /// <param name="from">Last arrival, or when we began to watch again.</param>
    /// <param name="now">Now.</param>
    /// <param name="limit">The source's own limit, in microseconds; null when it has none.</param>
    public bool IsSilent(long from, long now, long? limit)
    {
        var silence = now - from;
        if (silence < Micros(options.SilenceMin)) return false;
        if (silence >= Limit(limit)) return true;
        return IsLearned && (Length(from, now) >= _gapMax || _usual!.Silence(from, now) >= _natsMax);
    }

    /// <summary>How long after its last event it is told that a source has died, if it died at that time. A slot is added, for slots are looked at when they are over.</summary>
    public TimeSpan TimeToDetect(long from, long? limit)
    {
        var (low, high) = (0L, SilenceMax / WatchClock.Slot);
        while (high - low > 1)
        {
            var middle = (low + high) / 2;
            if (IsSilent(from, from + middle * WatchClock.Slot, limit)) high = middle;
            else low = middle;
        }
        return TimeSpan.FromMicroseconds((high + 1) * WatchClock.Slot);
    }

    /// <summary>Looks at the counts of the last six hours and of the last week.</summary>
    /// <param name="hour">Hour that has just ended.</param>
    /// <param name="sinceHour">Hours before are not looked at.</param>
    /// <param name="isLow">What was found an hour ago: it takes more to end a low count than to stay clear of one.</param>
    /// <param name="isUsual">Whether it is to be learned.</param>
    public LowCount? FindLow(long hour, long sinceHour, bool isLow, bool isUsual)
    {
        if (_usual is null) return null;
        var isDayOver = hour % 24 == 23;
        var found = Window(hour, LowHours, sinceHour, out var six) && IsLow(six, isLow ? _lowMax / 2 : _lowMax, isLow ? CalmShare : LowShare) ? six : (LowCount?)null;
        if (hour - WatchClock.HoursPerWeek + 1 < sinceHour) _weekLow = null;
        if (isUsual) _lowOfDay = Math.Max(_lowOfDay, six.Nats);
        if (!isDayOver) return found ?? _weekLow;
        // One value a day: windows that overlap would count one quiet time many times. The week is looked at once a day.
        var isWeekLow = _weekLow is not null;
        var isWeek = Window(hour, WatchClock.HoursPerWeek, sinceHour, out var week);
        _weekLow = isWeek && IsLow(week, isWeekLow ? _weekLowMax / 2 : _weekLowMax, isWeekLow ? CalmShare : LowShare) ? week : null;
        if (isUsual)
        {
            _lows.Add((hour + 1) * WatchClock.Hour, _lowOfDay);
            if (isWeek) _weekLows.Add((hour + 1) * WatchClock.Hour, week.Nats);
        }
        _lowOfDay = 0;
        return found ?? _weekLow;
    }

    /// <summary>Writes all of it.</summary>
    public void Write(BinaryWriter output)
    {
        output.Write(_lowOfDay);
        output.Write(_fitDay);
        output.Write(_longestKept);
        LowCount.Write(output, _weekLow);
        _rhythm.Write(output);
        foreach (var sketch in Sketches) sketch.Write(output);
        output.Write(_usual is not null);
        _usual?.Write(output);
        output.Write(IsLearned);
        output.Write(_natsMax);
        output.Write(_gapMax);
        output.Write(_lowMax);
        output.Write(_weekLowMax);
        _isRhythmChanged = false;
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public void Read(BinaryReader input)
    {
        _lowOfDay = input.ReadDouble();
        (_fitDay, _longestKept, _weekLow) = (input.ReadInt64(), input.ReadInt64(), LowCount.Read(input));
        _rhythm.Read(input);
        foreach (var sketch in Sketches) sketch.Read(input);
        _usual = input.ReadBoolean() ? new(input, options.Holidays) : null;
        IsLearned = input.ReadBoolean();
        (_natsMax, _gapMax, _lowMax, _weekLowMax) = (input.ReadDouble(), input.ReadDouble(), input.ReadDouble(), input.ReadDouble());
    }

    /// <summary>Writes what changes with every slot.</summary>
    public void WriteNow(BinaryWriter output)
    {
        output.Write(_longest);
        _rhythm.WriteNow(output);
    }

    /// <summary>Reads it.</summary>
    public void ReadNow(BinaryReader input)
    {
        _longest = input.ReadInt64();
        _rhythm.ReadNow(input);
    }

    /// <summary>The limit that holds whatever was learned.</summary>
    long Limit(long? own)
    {
        if (own is { } set) return set;
        var longest = IsLearned ? _longestKept : _longest;
        return Math.Clamp(2 * longest, Micros(options.SilenceMaxUnlearned), SilenceMax);
    }

    /// <summary>Length of a silence without the holidays that are known.</summary>
    long Length(long from, long to) => options.Holidays is { } holidays ? Math.Max(0, to - from - holidays.Within(from, to)) : to - from;

    bool Window(long hour, int hours, long sinceHour, out LowCount low)
    {
        low = default;
        if (hour - hours + 1 < sinceHour) return false;
        long sum = 0;
        double mean = 0, squares = 0;
        var isWeek = hours == WatchClock.HoursPerWeek;
        for (var at = hour - hours + 1; at <= hour; at++)
        {
            var count = _rhythm.Count(at);
            if (count < 0) return false;
            var rate = isWeek ? _usual!.Usual(at) : _usual!.Low(at);
            sum += count;
            mean += rate;
            squares += rate * rate;
        }
        if (mean <= 0) return false;
        // Only slots in which something is usual scatter: the shape of the sum is k · (Σλ)² / Σλ².
        var shape = _usual!.Shape * WatchClock.SlotsPerHour * mean * mean / squares;
        mean = isWeek ? _usual.WeekWithHoliday(hour) : mean * WatchClock.SlotsPerHour;
        low = new(sum, mean, hours, Surprise.AtMost(sum, mean, shape));
        return mean >= LowMeanMin;
    }

    static bool IsLow(LowCount low, double natsMax, double share) => low.Nats >= natsMax && low.Count <= share * low.Usual;

    static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;

    ReadOnlySpan<TailSketch> Sketches => new[] { _gaps, _silences, _lows, _weekLows };
}

/// <summary>A count that is lower than usual.</summary>
/// <param name="Count">Events.</param>
/// <param name="Usual">At least so many were to be expected.</param>
/// <param name="Hours">In so many hours.</param>
/// <param name="Nats">How unlikely that is.</param>
readonly record struct LowCount(long Count, double Usual, int Hours, double Nats)
{
    public static void Write(BinaryWriter output, LowCount? low)
    {
        output.Write(low is not null);
        if (low is not { } known) return;
        output.Write(known.Count);
        output.Write(known.Usual);
        output.Write(known.Hours);
        output.Write(known.Nats);
    }

    public static LowCount? Read(BinaryReader input) => input.ReadBoolean() ? new(input.ReadInt64(), input.ReadDouble(), input.ReadInt32(), input.ReadDouble()) : null;
}
