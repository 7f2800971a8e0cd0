using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Delivery;

/// <summary>How the delivery to one destination goes. Written by its loop, read by anyone. Thread-safe.</summary>
public sealed class DeliveryProgress
{
    static readonly TimeSpan RateOver = TimeSpan.FromMinutes(1);

    readonly TimeProvider _time;
    readonly Lock _gate = new();
    long _rateSince;
    long _rateCount;
    DeliveryView _view;

    internal DeliveryProgress(TimeProvider time, long position)
    {
        (_time, _rateSince) = (time, time.GetTimestamp());
        _view = new() { Position = position };
    }

    /// <summary>Everything below is done with.</summary>
    public long Position => View.Position;

    /// <summary>All of it at one moment.</summary>
    public DeliveryView View
    {
        get
        {
            lock (_gate)
            {
                Rate();
                return _view;
            }
        }
    }

    internal void Read(EventBatch batch, long end)
    {
        lock (_gate)
        {
            _view = batch.Count == 0
                ? _view with { WaitingSince = null, ReadTo = end }
                : _view with { WaitingSince = UnixMicros.ToInstant(batch.Event(0).IngestedMicros), ReadTo = end };
        }
    }

    internal void Asked(TimeSpan took, int bytes)
    {
        lock (_gate) _view = _view with { LastAnswerTook = took, BytesSent = _view.BytesSent + bytes };
    }

    internal void Succeed()
    {
        lock (_gate) _view = _view with { LastSuccess = _time.GetUtcNow(), Blocked = null, NextTry = null, FailingSince = null };
    }

    internal void Block(string reason)
    {
        lock (_gate) _view = _view with { Blocked = reason };
    }

    internal void Fail(string reason, TimeSpan pause)
    {
        lock (_gate)
        {
            var now = _time.GetUtcNow();
            _view = _view with { LastError = reason, LastErrorAt = now, NextTry = now + pause, FailingSince = _view.FailingSince ?? now, Failures = _view.Failures + 1 };
        }
    }

    internal void Commit(long position, IReadOnlyCollection<OutcomeCount> counts)
    {
        lock (_gate)
        {
            var delivered = counts.Where(count => count.Outcome == Outcome.Delivered).Sum(count => count.Count);
            _rateCount += delivered;
            _view = _view with { Position = position, Delivered = _view.Delivered + delivered, WaitingSince = null };
            Rate();
        }
    }

    void Rate()
    {
        var passed = _time.GetElapsedTime(_rateSince);
        if (passed < RateOver) return;
        _view = _view with { PerSecond = _rateCount / passed.TotalSeconds };
        (_rateSince, _rateCount) = (_time.GetTimestamp(), 0);
    }
}

/// <summary>How the delivery to one destination goes, at one moment.</summary>
public sealed record DeliveryView
{
    /// <summary>Everything below this journal offset is done with.</summary>
    public long Position { get; init; }

    /// <summary>Everything below this journal offset was looked at.</summary>
    public long ReadTo { get; init; }

    /// <summary>Events delivered since the start of the process.</summary>
    public long Delivered { get; init; }

    /// <summary>Bytes sent since the start of the process, before compression.</summary>
    public long BytesSent { get; init; }

    /// <summary>Events a second over the last whole minute.</summary>
    public double PerSecond { get; init; }

    /// <summary>When the oldest event that is being sent was accepted; null when none is.</summary>
    public DateTimeOffset? WaitingSince { get; init; }

    /// <summary>When the far side last took something.</summary>
    public DateTimeOffset? LastSuccess { get; init; }

    /// <summary>How long it took to answer last.</summary>
    public TimeSpan? LastAnswerTook { get; init; }

    /// <summary>What last went wrong; also when it is over.</summary>
    public string? LastError { get; init; }

    /// <summary>When.</summary>
    public DateTimeOffset? LastErrorAt { get; init; }

    /// <summary>Since when nothing was taken; null while all is well.</summary>
    public DateTimeOffset? FailingSince { get; init; }

    /// <summary>Failed attempts since the start of the process.</summary>
    public long Failures { get; init; }

    /// <summary>When it is tried again; null while nothing waits for that.</summary>
    public DateTimeOffset? NextTry { get; init; }

    /// <summary>What somebody has to put right before anything is taken again; null when it is nothing.</summary>
    public string? Blocked { get; init; }
}
