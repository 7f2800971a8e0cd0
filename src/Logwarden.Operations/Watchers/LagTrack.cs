using System.Numerics;

namespace Logwarden.Watchers;

/// <summary>
/// How long after they happened the events of a source arrive. What counts is the least lag of a slot, and the least of the slots of the last fifteen minutes: events of long ago that come in between live ones don't make
/// a source late. A delay of delivery and a clock that was put back look alike but for one thing: a delay grows by at most a second a second, and while it does, less comes or nothing. A lag that grows by more than the
/// silence before it and the two slots in which it was measured is a clock. Not thread-safe.
/// </summary>
sealed class LagTrack(WatchOptions options)
{
    const int Window = 3;
    const int Buckets = 24;

    readonly TailSketch _lags = new();
    readonly Seen[] _recent = new Seen[Window];
    readonly long[] _histogram = new long[Buckets];
    double _lagMax = double.PositiveInfinity;
    double _lagOfHour;
    long _usual = long.MinValue;
    bool _isJump;

    /// <summary>Whether the sketch has changed since it was written.</summary>
    public bool IsChanged => _lags.IsChanged;

    /// <summary>Events arrive late.</summary>
    public bool IsLate { get; private set; }

    /// <summary>Times of events are wrong.</summary>
    public bool IsSkewed { get; private set; }

    /// <summary>Least lag of the last fifteen minutes in which something came, microseconds; negative when event times are ahead.</summary>
    public long Least { get; private set; }

    /// <summary>95% of the events of the last full hour in which something came were there after so long; rounded up to a power of two of seconds. Null before that.</summary>
    public TimeSpan? Ninety5 { get; private set; }

    /// <summary>Lag that is told, microseconds; infinite before it is learned.</summary>
    public double LagMax => _lagMax;

    /// <summary>Counts events. Hot path: no allocation.</summary>
    public void Count(long lag, long count)
    {
        var seconds = lag <= 0 ? 0UL : (ulong)(lag / WatchClock.Second);
        _histogram[Math.Min(Buckets - 1, 64 - BitOperations.LeadingZeroCount(seconds))] += count;
    }

    /// <summary>A slot in which something came is over.</summary>
    /// <param name="slot">Slot since the epoch.</param>
    /// <param name="least">Least lag in it.</param>
    /// <param name="isAhead">Most of its events were ahead of us.</param>
    /// <param name="silence">Silence before its first event.</param>
    public void Slot(long slot, long least, bool isAhead, long silence)
    {
        if (least > _lagMax && _usual != long.MinValue && _usual <= _lagMax) _isJump = least - _usual > silence + 2 * WatchClock.Slot;
        _usual = least;
        _recent.AsSpan(1).CopyTo(_recent);
        _recent[^1] = new(slot, least, isAhead);
        var (all, isAllAhead, isAnyAhead) = (long.MaxValue, true, false);
        foreach (var seen in _recent)
        {
            if (seen.Slot <= slot - Window) continue;
            all = Math.Min(all, seen.Least);
            isAllAhead &= seen.IsAhead;
            isAnyAhead |= seen.IsAhead;
        }
        Least = all;
        var isLong = all > (IsLate || IsSkewed ? _lagMax * 0.7 : _lagMax);
        IsSkewed = (isLong && _isJump) || (IsSkewed && !isLong ? isAnyAhead : isAllAhead);
        IsLate = isLong && !_isJump;
        _lagOfHour = Math.Max(_lagOfHour, all);
    }

    /// <summary>An hour is over.</summary>
    /// <param name="end">Its end.</param>
    /// <param name="isUsual">Whether its lag is to be learned.</param>
    public void Hour(long end, bool isUsual)
    {
        if (Quantile() is { } quantile) Ninety5 = quantile;
        if (isUsual) _lags.Add(end, _lagOfHour);
        _lagOfHour = 0;
        Array.Clear(_histogram);
    }

    /// <summary>Writes what is kept by the hour.</summary>
    public void Write(BinaryWriter output) => _lags.Write(output);

    /// <summary>Reads it.</summary>
    public void Read(BinaryReader input) => _lags.Read(input);

    /// <summary>Writes the rest.</summary>
    public void WriteNow(BinaryWriter output)
    {
        foreach (var seen in _recent)
        {
            output.Write(seen.Slot);
            output.Write(seen.Least);
            output.Write(seen.IsAhead);
        }
        foreach (var count in _histogram) output.Write7BitEncodedInt64(count);
        output.Write(_lagMax);
        output.Write(_lagOfHour);
        output.Write(_usual);
        output.Write(_isJump);
        output.Write(IsLate);
        output.Write(IsSkewed);
        output.Write(Least);
        output.Write(Ninety5?.Ticks ?? -1);
    }

    /// <summary>Reads it.</summary>
    public void ReadNow(BinaryReader input)
    {
        for (var i = 0; i < Window; i++) _recent[i] = new(input.ReadInt64(), input.ReadInt64(), input.ReadBoolean());
        for (var i = 0; i < Buckets; i++) _histogram[i] = input.Read7BitEncodedInt64();
        _lagMax = input.ReadDouble();
        _lagOfHour = input.ReadDouble();
        _usual = input.ReadInt64();
        (_isJump, IsLate, IsSkewed) = (input.ReadBoolean(), input.ReadBoolean(), input.ReadBoolean());
        Least = input.ReadInt64();
        Ninety5 = input.ReadInt64() is var ticks and >= 0 ? TimeSpan.FromTicks(ticks) : null;
    }

    /// <summary>Learns, once a day.</summary>
    public void Fit(long now, bool isLearned)
    {
        var least = (double)(options.LagMin.Ticks / TimeSpan.TicksPerMicrosecond);
        _lagMax = isLearned ? Math.Max(least, Math.Max(1.5 * _lags.Max(now), _lags.Threshold(now, Cadence.PerQuarter))) : double.PositiveInfinity;
    }

    TimeSpan? Quantile()
    {
        long sum = 0, passed = 0;
        foreach (var count in _histogram) sum += count;
        if (sum == 0) return null;
        for (var bucket = 0; bucket < Buckets; bucket++)
        {
            passed += _histogram[bucket];
            if (passed >= sum - sum / 20) return TimeSpan.FromSeconds(1L << bucket);
        }
        return null;
    }

    readonly record struct Seen(long Slot, long Least, bool IsAhead);
}
