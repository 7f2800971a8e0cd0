using CsCheck;
using Logwarden.Watchers;

namespace Logwarden.Tests.Watchers;

public class SurpriseTests
{
    [Fact]
    public void The_nats_never_claim_more_than_the_exact_probability() => Gen.Select(Gen.Double[0.01, 200], Gen.Double[0.05, 500], Gen.Int[0, 150]).Sample((mean, shape, count) =>
    {
        // P(X = i) of the negative binomial by its recurrence.
        var log = -shape * Math.Log(1 + mean / shape);
        var (term, sum) = (Math.Exp(log), 0.0);
        for (var i = 0; i <= count; i++)
        {
            sum += term;
            term *= (i + shape) / (i + 1) * mean / (mean + shape);
        }
        Assert.True(Math.Exp(-Surprise.AtMost(count, mean, shape)) >= sum * (1 - 1e-6) || count >= mean, $"{count} of {mean}, shape {shape}");
    }, iter: 2_000, seed: "0000a7bX4Ew2");

    [Fact]
    public void None_at_all_is_exact_and_adds_up()
    {
        Assert.Equal(Surprise.None(7, 3), Surprise.AtMost(0, 7, 3), 12);
        Assert.Equal(5 * Surprise.None(7, 3), Surprise.AtMost(0, 35, 15), 9);
        Assert.Equal(7, Surprise.None(7, 1e9), 6);
    }

    [Fact]
    public void The_tail_of_what_is_exponential_is_exceeded_as_seldom_as_asked()
    {
        var chance = new Random(1);
        var (exceeded, quarters) = (0, 0);
        for (var trial = 0; trial < 400; trial++)
        {
            var sketch = new TailSketch();
            var start = SimulatedSource.Start;
            for (var at = start; at < start + 4 * WatchClock.Week; at += WatchClock.Hour) sketch.Add(at, -Math.Log(1 - chance.NextDouble()));
            var threshold = sketch.Threshold(start + 4 * WatchClock.Week - 1, 0.1);
            for (var i = 0; i < 13 * WatchClock.HoursPerWeek; i++) exceeded += -Math.Log(1 - chance.NextDouble()) > threshold ? 1 : 0;
            quarters++;
        }
        Assert.InRange(exceeded / (double)quarters, 0, 0.15);
        Assert.InRange(exceeded, 1, int.MaxValue);
    }

    [Fact]
    public void The_tail_forgets_after_eight_weeks_and_can_be_written_and_read()
    {
        var sketch = new TailSketch();
        var start = SimulatedSource.Start;
        sketch.Add(start, 1_000, start - 1_000);
        for (var week = 0; week < 8; week++)
        {
            for (var i = 0; i < 20; i++) sketch.Add(start + week * WatchClock.Week + i * WatchClock.Hour, i, start + week * WatchClock.Week);
        }
        Assert.Equal(1_000, sketch.Max(start + 7 * WatchClock.Week));
        Assert.True(sketch.Threshold(start + 7 * WatchClock.Week, 0.1) >= 1_200);
        using var bytes = new MemoryStream();
        using (var output = new BinaryWriter(bytes, System.Text.Encoding.UTF8, leaveOpen: true)) sketch.Write(output);
        bytes.Position = 0;
        var read = new TailSketch();
        using var input = new BinaryReader(bytes);
        read.Read(input);
        foreach (var at in new[] { start + 7 * WatchClock.Week, start + 8 * WatchClock.Week, start + 20 * WatchClock.Week })
        {
            Assert.Equal(sketch.Threshold(at, 0.1), read.Threshold(at, 0.1));
            Assert.Equal(sketch.Max(at), read.Max(at));
        }
        Assert.Equal(19, sketch.Max(start + 8 * WatchClock.Week));
        Assert.Equal(double.PositiveInfinity, sketch.Threshold(start + 20 * WatchClock.Week, 0.1));
    }
}
