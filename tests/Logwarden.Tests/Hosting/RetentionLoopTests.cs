using Logwarden.Archive;
using Logwarden.Hosting;
using Logwarden.Retention;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Hosting;

public sealed class RetentionLoopTests
{
    readonly TimerClock _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task It_runs_a_minute_after_the_start_and_then_each_day()
    {
        var runs = new List<DateTimeOffset>();
        await using var loop = new RetentionLoop(_ =>
        {
            lock (runs) runs.Add(_time.GetUtcNow());
            return Task.FromResult(new RetentionReport([], []));
        }, _time);

        for (var run = 0; run < 3; run++) _time.Advance(await _time.NextTimerAsync(Cancel));
        await _time.NextTimerAsync(Cancel); // it waits again: the third run is done

        lock (runs) Assert.Equal([_time.Start.AddMinutes(1), _time.Start.AddMinutes(1).AddDays(1), _time.Start.AddMinutes(1).AddDays(2)], runs);
        Assert.Null(loop.Failure);
    }

    [Fact]
    public async Task A_failure_is_told_and_tried_again_and_so_is_what_was_not_done()
    {
        var (told, calls) = (new List<string>(), 0);
        await using var loop = new RetentionLoop(_ => Interlocked.Increment(ref calls) switch
        {
            1 => throw new BlobStoreException("the archive is away", null),
            2 => throw new InvalidOperationException("a defect"),
            3 => Task.FromResult(new RetentionReport([new(RetentionActKind.Refused, "segments/x", 1, 1, "It is locked.")], [])),
            _ => Task.FromResult(new RetentionReport([], [])),
        }, _time, tell: text =>
        {
            lock (told) told.Add(text);
        });

        var waits = new List<TimeSpan>();
        for (var run = 0; run < 4; run++)
        {
            waits.Add(await _time.NextTimerAsync(Cancel));
            if (run > 0) Assert.NotNull(loop.Failure);
            _time.Advance(waits[^1]);
        }
        await _time.NextTimerAsync(Cancel);

        Assert.Equal([TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(1), TimeSpan.FromMinutes(2), RetentionLoop.Every], waits);
        Assert.Null(loop.Failure);
        Assert.Collection(told,
            text => Assert.Equal("retention failed, next try in 1 min: the archive is away", text),
            text => Assert.Equal("retention failed, next try in 2 min: a defect", text),
            text => Assert.Contains("segments/x", text, StringComparison.Ordinal));
    }
}
