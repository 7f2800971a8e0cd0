namespace Logwarden.Watchers;

/// <summary>
/// The upper tail of a distribution over the last eight weeks: the largest 16 values of each week. Of it comes the value that is exceeded at most so many times a quarter. The tail is taken as
/// exponential above one of the largest values, u (the m+1-th): <c>T = u + c·β·ln(r/α)</c>, where β is the mean excess over u of the m larger ones, r = m · 13 / weeks how often u is exceeded in
/// a quarter, α how often T may be, and c makes of β its upper confidence limit (95%, χ² with 2m degrees of freedom). Several m are tried and the least T taken, for values that come in
/// two sizes (nights and weekends) look like a heavy tail when u lies between the sizes. T is never below 1.2 times the largest value seen. 3 KB. Not thread-safe.
/// </summary>
sealed class TailSketch
{
    /// <summary>Weeks that are remembered.</summary>
    public const int Weeks = 8;

    const int PerWeek = 16;
    const int FitMax = 15;

    static readonly (int Count, double Careful)[] Fits = [(3, 3.67), (5, 2.54), (8, 2.01), (12, 1.73), (15, 1.62)];

    readonly float[] _values = new float[Weeks * PerWeek];
    readonly (long From, long To)[] _spans = new (long, long)[Weeks * PerWeek];
    readonly long[] _weeks = new long[Weeks];
    readonly int[] _kept = new int[Weeks];

    /// <summary>Whether it changed since it was last written.</summary>
    public bool IsChanged { get; private set; }

    /// <summary>Adds a value; below zero counts as zero.</summary>
    /// <param name="micros">When.</param>
    /// <param name="value">It.</param>
    /// <param name="from">Where what was measured began, for <see cref="Revalue"/>; it ended at <paramref name="micros"/>.</param>
    public void Add(long micros, double value, long from = 0)
    {
        var week = WatchClock.WeekOf(micros);
        var row = (int)(week % Weeks);
        if (_weeks[row] != week)
        {
            if (_weeks[row] > week) return;
            (_weeks[row], _kept[row]) = (week, 0);
        }
        var values = _values.AsSpan(row * PerWeek, PerWeek);
        var kept = _kept[row];
        var small = (float)Math.Clamp(value, 0, float.MaxValue);
        if (kept == PerWeek && small <= values[PerWeek - 1]) return;
        var at = Math.Min(kept, PerWeek - 1);
        var spans = _spans.AsSpan(row * PerWeek, PerWeek);
        for (; at > 0 && values[at - 1] < small; at--) (values[at], spans[at]) = (values[at - 1], spans[at - 1]);
        (values[at], spans[at]) = (small, (from, micros));
        _kept[row] = Math.Min(kept + 1, PerWeek);
        IsChanged = true;
    }

    /// <summary>Measures what was measured again, with what is known today: a value of weeks ago and one of now can then be compared.</summary>
    public void Revalue(Func<long, long, double> measure)
    {
        for (var row = 0; row < Weeks; row++)
        {
            for (var i = row * PerWeek; i < row * PerWeek + _kept[row]; i++) _values[i] = (float)measure(_spans[i].From, _spans[i].To);
            _values.AsSpan(row * PerWeek, _kept[row]).Sort(_spans.AsSpan(row * PerWeek, _kept[row]), static (one, other) => other.CompareTo(one));
            IsChanged |= _kept[row] > 0;
        }
    }

    /// <summary>The largest value of the last eight weeks; 0 when there is none.</summary>
    public double Max(long micros)
    {
        double max = 0;
        for (var row = 0; row < Weeks; row++)
        {
            if (IsCurrent(row, micros) && _kept[row] > 0) max = Math.Max(max, _values[row * PerWeek]);
        }
        return max;
    }

    /// <summary>In how many of the last eight weeks there were values.</summary>
    public int WeeksSeen(long micros)
    {
        var weeks = 0;
        for (var row = 0; row < Weeks; row++) weeks += IsCurrent(row, micros) && _kept[row] > 0 ? 1 : 0;
        return weeks;
    }

    /// <summary>The value that is exceeded at most <paramref name="perQuarter"/> times a quarter; infinite when there are fewer than four values.</summary>
    /// <param name="micros">Now.</param>
    /// <param name="perQuarter">How often it may be exceeded.</param>
    public double Threshold(long micros, double perQuarter)
    {
        Span<float> top = stackalloc float[Weeks * PerWeek];
        var (count, weeks) = (0, 0);
        for (var row = 0; row < Weeks; row++)
        {
            if (!IsCurrent(row, micros) || _kept[row] == 0) continue;
            _values.AsSpan(row * PerWeek, _kept[row]).CopyTo(top[count..]);
            count += _kept[row];
            weeks++;
        }
        top = top[..count];
        top.Sort(static (one, other) => other.CompareTo(one));
        var least = double.PositiveInfinity;
        double sum = 0;
        for (int i = 0, fit = 0; i < Math.Min(count - 1, FitMax) && fit < Fits.Length; i++)
        {
            sum += top[i];
            if (i + 1 != Fits[fit].Count) continue;
            var (m, careful) = Fits[fit++];
            var over = (double)top[m];
            var often = (double)m * WatchClock.WeeksPerQuarter / weeks;
            least = Math.Min(least, over + careful * (sum / m - over) * Math.Max(0, Math.Log(often / perQuarter)));
        }
        return count == 0 ? double.PositiveInfinity : Math.Max(least, 1.2 * top[0]);
    }

    /// <summary>Writes it.</summary>
    public void Write(BinaryWriter output)
    {
        for (var row = 0; row < Weeks; row++)
        {
            output.Write(_weeks[row]);
            output.Write((byte)_kept[row]);
            for (var i = row * PerWeek; i < row * PerWeek + _kept[row]; i++)
            {
                output.Write(_values[i]);
                output.Write7BitEncodedInt64(_spans[i].To - _spans[i].From);
                output.Write(_spans[i].To);
            }
        }
        IsChanged = false;
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is not that.</exception>
    public void Read(BinaryReader input)
    {
        for (var row = 0; row < Weeks; row++)
        {
            _weeks[row] = input.ReadInt64();
            _kept[row] = input.ReadByte();
            if (_kept[row] > PerWeek) throw new InvalidDataException("too many values");
            for (var i = row * PerWeek; i < row * PerWeek + _kept[row]; i++)
            {
                _values[i] = input.ReadSingle();
                var length = input.Read7BitEncodedInt64();
                var to = input.ReadInt64();
                _spans[i] = (to - length, to);
            }
        }
    }

    bool IsCurrent(int row, long micros) => WatchClock.WeekOf(micros) - _weeks[row] < Weeks;
}
