using System.Threading.Channels;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.World;

/// <summary>A clock that tells of each timer that is set, so that a test of a loop on another thread moves it only when the loop waits: nothing depends on how fast that thread is.</summary>
sealed class TimerClock(DateTimeOffset start) : FakeTimeProvider(start)
{
    readonly Channel<TimeSpan> _set = Channel.CreateUnbounded<TimeSpan>();

    /// <summary>Waits for the next timer, and gives how long it is.</summary>
    public ValueTask<TimeSpan> NextTimerAsync(CancellationToken cancel) => _set.Reader.ReadAsync(cancel);

    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
    {
        var timer = base.CreateTimer(callback, state, dueTime, period);
        _set.Writer.TryWrite(dueTime);
        return timer;
    }
}
