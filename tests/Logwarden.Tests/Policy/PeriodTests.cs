using CsCheck;
using Logwarden.Policy;

namespace Logwarden.Tests.Policy;

public class PeriodTests
{
    static readonly Gen<Period> Periods = Gen.Select(Gen.Int[0, 60], Gen.Int[0, 800], Period.Of);
    static readonly Gen<DateTimeOffset> Times = Gen.Select(Gen.Int[0, 150_000], Gen.Long[0, TimeSpan.TicksPerDay - 1], (day, ticks) =>
        new DateTimeOffset(1990, 1, 1, 0, 0, 0, TimeSpan.Zero).AddDays(day).AddTicks(ticks));

    [Fact]
    public void Printed_periods_read_back() => Periods.Sample(period => Period.TryParse(period.ToString(), out var read) && read == period);

    [Fact]
    public void A_period_is_never_shorter_than_asked_and_at_most_a_day_longer() => Gen.Select(Periods, Times).Sample((period, start) =>
    {
        var plain = start.AddMonths(period.Months).AddDays(period.Days);
        var end = period.AddTo(start);
        var moved = start.AddMonths(period.Months).Day != start.Day;
        Assert.Equal(moved ? plain.AddDays(1) : plain, end);
        Assert.Equal(start.TimeOfDay, end.TimeOfDay);
    }, iter: 10_000);

    [Fact]
    public void Shortest_and_longest_bound_every_start() => Gen.Select(Periods, Times).Sample((period, start) =>
        Assert.InRange((period.AddTo(start) - start).TotalDays, period.DaysMin, period.DaysMax), iter: 20);

    [Fact]
    public void Later_events_never_expire_earlier() => Gen.Select(Periods, Times, Times).Sample((period, a, b) =>
        a <= b ? period.AddTo(a) <= period.AddTo(b.AddDays(1)) : period.AddTo(b) <= period.AddTo(a.AddDays(1)), iter: 20_000);

    [Fact]
    public void Never_shorter_holds_on_every_day() => Gen.Select(Periods, Periods, Times).Sample((a, b, start) =>
    {
        if (a.IsNeverShorterThan(b)) Assert.True(a.AddTo(start) >= b.AddTo(start));
        Assert.True(a.IsNeverShorterThan(a));
        if (a.DaysMin >= b.DaysMax) Assert.True(a.IsNeverShorterThan(b));
    }, iter: 30);

    [Theory]
    [InlineData("90d", "90d")]
    [InlineData("13mo", "13mo")]
    [InlineData("24mo", "2y")]
    [InlineData("2w", "14d")]
    [InlineData("1y6mo", "18mo")]
    [InlineData("P13M", "13mo")]
    [InlineData("P1Y2M3D", "14mo3d")]
    public void Reads(string text, string canonical)
    {
        Assert.True(Period.TryParse(text, out var period));
        Assert.Equal(canonical, period.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("P")]
    [InlineData("13m")]
    [InlineData("90")]
    [InlineData("d90")]
    [InlineData("90 d")]
    [InlineData("-1d")]
    [InlineData("1mo1y")]
    [InlineData("1d1d")]
    [InlineData("101y")]
    [InlineData("PT1H")]
    [InlineData("9999999d")]
    public void Refuses(string text) => Assert.False(Period.TryParse(text, out _));

    [Theory]
    [InlineData("2026-01-31T10:00:00Z", "1mo", "2026-03-01T10:00:00Z")]
    [InlineData("2024-02-29T00:00:00Z", "1y", "2025-03-01T00:00:00Z")]
    [InlineData("2024-02-29T00:00:00Z", "4y", "2028-02-29T00:00:00Z")]
    [InlineData("2026-08-15T00:00:00+02:00", "13mo", "2027-09-14T22:00:00Z")]
    [InlineData("2026-11-30T23:59:59Z", "90d", "2027-02-28T23:59:59Z")]
    [InlineData("2025-12-31T00:00:00Z", "2mo", "2026-03-01T00:00:00Z")]
    public void Adds(string start, string text, string end)
    {
        Assert.True(Period.TryParse(text, out var period));
        var culture = System.Globalization.CultureInfo.InvariantCulture;
        Assert.Equal(DateTimeOffset.Parse(end, culture), period.AddTo(DateTimeOffset.Parse(start, culture)));
    }

    [Theory]
    [InlineData("13mo", "393d", true)]
    [InlineData("13mo", "394d", false)]
    [InlineData("397d", "13mo", true)]
    [InlineData("396d", "13mo", false)]
    [InlineData("30d", "1mo", false)]
    [InlineData("1mo", "30d", false)]
    [InlineData("2y", "13mo", true)]
    [InlineData("730d", "2y", false)]
    [InlineData("731d", "2y", true)]
    public void Compares_by_the_worst_day(string a, string b, bool expected)
    {
        Assert.True(Period.TryParse(a, out var first));
        Assert.True(Period.TryParse(b, out var second));
        Assert.Equal(expected, first.IsNeverShorterThan(second));
    }
}
