using System.Globalization;
using System.Text;

namespace Logwarden.Policy;

/// <summary>
/// A calendar period such as 90 days, 13 months or 2 years, counted in UTC. Months come first, then days. A month that lacks the
/// day ends on the first of the next (31 January + 1 month = 1 March, 29 February + 1 year = 1 March), so that nothing is ever
/// kept shorter than asked.
/// </summary>
public readonly record struct Period
{
    /// <summary>Longest period: 100 years, in days or in months.</summary>
    public const int YearsMax = 100;

    Period(int months, int days) => (Months, Days) = (months, days);

    /// <summary>Calendar months; a year is twelve.</summary>
    public int Months { get; }

    /// <summary>Days of 24 hours, after the months.</summary>
    public int Days { get; }

    /// <summary>A number of days.</summary>
    public static Period OfDays(int days) => Of(0, days);

    /// <summary>A number of calendar months.</summary>
    public static Period OfMonths(int months) => Of(months, 0);

    /// <summary>Months, then days.</summary>
    /// <exception cref="ArgumentOutOfRangeException">Negative, or longer than <see cref="YearsMax"/>.</exception>
    public static Period Of(int months, int days)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(months);
        ArgumentOutOfRangeException.ThrowIfNegative(days);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(months, YearsMax * 12);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(days, YearsMax * 366);
        return new(months, days);
    }

    /// <summary>
    /// Reads <c>90d</c>, <c>2w</c>, <c>13mo</c>, <c>2y</c>, sums of them from large to small (<c>1y6mo</c>), or ISO 8601 <c>P1Y6M</c>
    /// without time.
    /// </summary>
    public static bool TryParse(string text, out Period period)
    {
        period = default;
        var iso = text.StartsWith('P');
        string[] units = iso ? ["Y", "M", "W", "D"] : ["y", "mo", "w", "d"];
        var (at, unit, months, days) = (iso ? 1 : 0, 0, 0L, 0L);
        if (at == text.Length) return false;
        while (at < text.Length)
        {
            var start = at;
            while (at < text.Length && char.IsAsciiDigit(text[at])) at++;
            if (at == start || at - start > 6) return false;
            var number = long.Parse(text.AsSpan(start, at - start), NumberStyles.None, CultureInfo.InvariantCulture);
            while (unit < 4 && string.CompareOrdinal(text, at, units[unit], 0, units[unit].Length) != 0) unit++;
            if (unit == 4) return false;
            at += units[unit].Length;
            if (unit < 2) months += number * (unit == 0 ? 12 : 1);
            else days += number * (unit == 2 ? 7 : 1);
            unit++;
        }
        if (months > YearsMax * 12 || days > YearsMax * 366) return false;
        period = new((int)months, (int)days);
        return true;
    }

    /// <summary>The same wall time in UTC after this period.</summary>
    public DateTimeOffset AddTo(DateTimeOffset start)
    {
        var utc = start.ToUniversalTime();
        var day = AddTo(DateOnly.FromDateTime(utc.DateTime));
        return new(day.ToDateTime(TimeOnly.MinValue) + utc.TimeOfDay, TimeSpan.Zero);
    }

    /// <summary>The day after this period.</summary>
    public DateOnly AddTo(DateOnly start)
    {
        var clamped = start.AddMonths(Months);
        return clamped.AddDays(Days + (clamped.Day < start.Day ? 1 : 0));
    }

    /// <summary>
    /// True when this period, begun on any day of the calendar, ends no earlier than <paramref name="other"/>: exact over the 400
    /// years after which the calendar repeats. Two periods may both be false of each other (30 days and 1 month).
    /// </summary>
    public bool IsNeverShorterThan(Period other)
    {
        if (Months >= other.Months && Days >= other.Days) return true;
        if (Months <= other.Months && Days <= other.Days) return false;
        if (Months * 28 + Days >= other.Months * 31 + other.Days + 1) return true;
        if (Months * 31 + Days + 1 < other.Months * 28 + other.Days) return false;
        var first = new DateOnly(2000, 1, 1);
        for (var day = 0; day < 146_097; day++)
        {
            var start = first.AddDays(day);
            if (AddTo(start) < other.AddTo(start)) return false;
        }
        return true;
    }

    /// <summary>Shortest number of days that it can take.</summary>
    public int DaysMin => Extreme(Math.Min, int.MaxValue);

    /// <summary>Longest number of days that it can take.</summary>
    public int DaysMax => Extreme(Math.Max, 0);

    int Extreme(Func<int, int, int> choose, int seed)
    {
        if (Months == 0) return Days;
        var first = new DateOnly(2000, 1, 1);
        for (var day = 0; day < 146_097; day++)
        {
            var start = first.AddDays(day);
            seed = choose(seed, AddTo(start).DayNumber - start.DayNumber);
        }
        return seed;
    }

    /// <summary>Canonical text: <c>90d</c>, <c>13mo</c>, <c>2y</c>, <c>18mo3d</c>.</summary>
    public override string ToString()
    {
        var text = new StringBuilder();
        if (Months > 0) text.Append(CultureInfo.InvariantCulture, $"{(Months % 12 == 0 ? Months / 12 : Months)}{(Months % 12 == 0 ? "y" : "mo")}");
        if (Days > 0 || Months == 0) text.Append(CultureInfo.InvariantCulture, $"{Days}d");
        return text.ToString();
    }
}
