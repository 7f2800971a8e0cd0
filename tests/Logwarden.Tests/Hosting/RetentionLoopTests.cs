using Logwarden.Archive;
using Logwarden.Hosting;
using Logwarden.Retention;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

public sealed class RetentionLoopTests
{
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

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

        await Until(() => Runs() >= 3, TimeSpan.FromSeconds(30));

        lock (runs)
        {
            // The clock goes on in steps while the loop comes round.
            Assert.InRange(runs[0], _time.Start.AddMinutes(1), _time.Start.AddMinutes(1).AddHours(1));
            Assert.InRange(runs[1] - runs[0], RetentionLoop.Every, RetentionLoop.Every.Add(TimeSpan.FromHours(1)));
        }
        Assert.Null(loop.Failure);

        int Runs()
        {
            lock (runs) return runs.Count;
        }
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

        await Until(() => Volatile.Read(ref calls) >= 4 && loop.Failure is null, TimeSpan.FromSeconds(30));

        Assert.Collection(told,
            text => Assert.Equal("retention failed, next try in 1 min: the archive is away", text),
            text => Assert.Equal("retention failed, next try in 2 min: a defect", text),
            text => Assert.Contains("segments/x", text, StringComparison.Ordinal));
    }

    // The loop runs on threads of its own: the clock goes on until it has done what is waited for.
    async Task Until(Func<bool> condition, TimeSpan step)
    {
        while (!condition())
        {
            Cancel.ThrowIfCancellationRequested();
            _time.Advance(step);
            await Task.Yield();
        }
    }
}
