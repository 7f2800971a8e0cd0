using Logwarden.Events;
using Logwarden.Flow;
using Microsoft.Extensions.Logging;

namespace Logwarden.Delivery;

/// <summary>What a <see cref="DeliveryLoop"/> works with.</summary>
/// <param name="Name">Name of the destination.</param>
/// <param name="Destination">The destination; the loop disposes of it.</param>
/// <param name="Route">What goes there.</param>
/// <param name="Backlog">What it has yet to get; the loop disposes of it.</param>
/// <param name="Store">Where its cursor and dead letters are.</param>
/// <param name="Time">Clock.</param>
/// <param name="Random">For jitter.</param>
/// <param name="Log">Log.</param>
public sealed record DeliveryParts(
    string Name, IDestination Destination, DeliveryRoute Route, Backlog Backlog, DeliveryStore Store, TimeProvider Time, Random Random, ILogger Log)
{
    /// <summary>Looks at what is about to leave; says why it must not, or null. For secrets that were planted to test redaction.</summary>
    public Func<EventBatch, string?>? Guard { get; init; }

    /// <summary>Is told of each batch that is done with, and which events of it have arrived. Must be quick.</summary>
    public Action<EventBatch, Func<int, bool>>? Settled { get; init; }
}

/// <summary>
/// Takes events to one destination, in order, each at least once. It alone decides what is sent again: a destination that is away is asked again after growing, jittered pauses;
/// a batch that is too large is halved; an event that is refused for good becomes a dead letter. Nothing is passed over otherwise, and nothing waits for another destination.
/// </summary>
public sealed partial class DeliveryLoop : IAsyncDisposable
{
    static readonly TimeSpan ReplayEvery = TimeSpan.FromSeconds(5);
    static readonly TimeSpan PassEvery = TimeSpan.FromSeconds(1);
    static readonly TimeSpan StopWithin = TimeSpan.FromSeconds(10);

    readonly DeliveryParts _parts;
    readonly Backoff _backoff;
    readonly EventBatch _batch = new();
    readonly EventBatch _carry = new();
    readonly EventBatch _part = new();
    readonly Settlement _settlement = new();
    readonly Stack<int[]> _work = new();
    readonly CancellationTokenSource _stop = new();
    readonly CancellationTokenSource _abandon = new();
    readonly DeliveryProgress _progress;
    readonly ILogger _log;
    long _end; // behind what the batch covers, also events that do not go there
    long _kept; // what the store has
    long _missing;
    bool _isSettling;
    long? _replayed;
    long? _passed;
    Task _running = Task.CompletedTask;

    /// <summary>Makes it; <see cref="Start"/> begins.</summary>
    public DeliveryLoop(DeliveryParts parts)
    {
        _parts = parts;
        _log = parts.Log;
        _backoff = new(parts.Random);
        _progress = new(parts.Time, parts.Backlog.Position);
        _end = _kept = parts.Backlog.Position;
    }

    /// <summary>How it goes, at this moment.</summary>
    public DeliveryProgress Progress => _progress;

    /// <summary>Begins.</summary>
    public void Start() => _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);

    /// <summary>Stops. The far side has ten seconds to answer what it was sent; what was not confirmed then is sent again the next time.</summary>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        using (new Timer(_ => _abandon.Cancel(), null, StopWithin, Timeout.InfiniteTimeSpan)) await _running;
        _stop.Dispose();
        _abandon.Dispose();
        _parts.Backlog.Dispose();
        await _parts.Destination.DisposeAsync();
    }

    /// <summary>Runs until it is stopped. Whatever goes wrong is told and tried again.</summary>
    async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await StepAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed) when (failed is not OutOfMemoryException)
            {
                // The journal, a segment or our own disk: not the far side, whose failures are answers.
                var pause = _backoff.Next(null);
                _progress.Fail(failed.Message, pause);
                LogBroken(failed, _parts.Name);
                await Task.Delay(pause, _parts.Time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    /// <summary>Sends what there is, or waits until there is something.</summary>
    internal async Task StepAsync(CancellationToken cancel)
    {
        if (!_isSettling)
        {
            if (_batch.Count == 0) Fill();
            if (_batch.Count > 0) await GatherAsync(cancel);
        }
        if (_batch.Count > 0) await SettleAsync(cancel);
        else Pass();
        await ReplayAsync(cancel);
        if (_batch.Count == 0 && _carry.Count == 0) await WaitAsync(ReplayEvery, cancel);
    }

    /// <summary>Keeps that events which do not go there were passed, now and then: they need not be looked at again after a start.</summary>
    void Pass()
    {
        if (_end == _kept || (_passed is { } at && _parts.Time.GetElapsedTime(at) < PassEvery)) return;
        _passed = _parts.Time.GetTimestamp();
        var missing = Missing();
        _parts.Store.Commit(_parts.Name, _end, missing, []);
        Kept(_end, missing);
    }

    /// <summary>Waits for more, no longer than an event may wait for others.</summary>
    async Task GatherAsync(CancellationToken cancel)
    {
        var since = _parts.Time.GetTimestamp();
        var max = _parts.Destination.Limits.AgeMax;
        while (!IsFull() && _parts.Time.GetElapsedTime(since) is var waited && waited < max)
        {
            if (!await WaitAsync(max - waited, cancel)) return;
            Fill();
        }
    }

    /// <returns>Whether there is something new.</returns>
    async Task<bool> WaitAsync(TimeSpan max, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(max, _parts.Time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        try
        {
            if (await _parts.Backlog.WaitAsync(either.Token)) return true;
            // The journal is closed: nothing comes any more.
            await Task.Delay(Timeout.InfiniteTimeSpan, _parts.Time, either.Token);
            return false;
        }
        catch (OperationCanceledException) when (late.IsCancellationRequested && !cancel.IsCancellationRequested)
        {
            return false;
        }
    }

    bool IsFull()
    {
        var limits = _parts.Destination.Limits;
        return _carry.Count > 0 || _batch.Count >= limits.EventsMax || _batch.WireBytes + (long)_batch.Count * limits.EventOverhead >= limits.BytesMax;
    }

    /// <summary>Takes events into the batch until it is full or there are none.</summary>
    void Fill()
    {
        if (_carry.Count > 0)
        {
            _batch.CopyFrom(_carry, [0]);
            _carry.Clear();
            _end = Offset(_batch, 0) + 1;
        }
        var limits = _parts.Destination.Limits;
        while (!IsFull() && _parts.Backlog.TryNext(out var encoded))
        {
            if (!EventEncoding.TryRead(encoded, out var e)) throw new InvalidDataException($"The event before offset {_parts.Backlog.Position} can't be read.");
            if (_parts.Route.Takes(e))
            {
                _batch.Add(encoded, e, _parts.Destination);
                if (_batch.Count > 1 && _batch.WireBytes + (long)_batch.Count * limits.EventOverhead > limits.BytesMax)
                {
                    _carry.CopyFrom(_batch, [_batch.Count - 1]);
                    _batch.RemoveLast();
                    return; // the batch ends before it
                }
            }
            _end = e.Offset + 1;
        }
        _progress.Read(_batch, _end);
    }

    /// <summary>Sends the batch, in parts where it must be, until the fate of each event is known and kept. Goes on where it was after a failure of ours.</summary>
    async Task SettleAsync(CancellationToken cancel)
    {
        if (!_isSettling)
        {
            _settlement.Begin(_batch);
            RefuseOversized();
            _isSettling = true;
        }
        _work.Clear();
        _work.Push(_settlement.Open());
        while (_work.TryPop(out var indexes))
        {
            if (indexes.Length == 0) continue;
            if (!cancel.IsCancellationRequested && await SendAsync(indexes, cancel)) continue;
            KeepFront();
            cancel.ThrowIfCancellationRequested();
        }
        Keep(_end, _batch.Count);
        _parts.Settled?.Invoke(_batch, _settlement.IsDelivered);
        _batch.Clear();
        _isSettling = false;
    }

    void RefuseOversized()
    {
        var max = _parts.Destination.Limits.EventBytesMax;
        for (var i = 0; i < _batch.Count; i++)
        {
            if (_batch.Wire(i).Length > max) _settlement.Refuse(i, string.Create(System.Globalization.CultureInfo.InvariantCulture, $"larger than {max} bytes, the most that it takes"));
        }
    }

    /// <returns>False when it was stopped.</returns>
    async Task<bool> SendAsync(int[] indexes, CancellationToken cancel)
    {
        var sending = _batch;
        if (indexes.Length < _batch.Count)
        {
            _part.CopyFrom(_batch, indexes);
            sending = _part;
        }
        switch (await AskAsync(sending))
        {
            case Answer.Accepted:
                Took(indexes, []);
                return true;
            case Answer.Refused refused:
                foreach (var (index, reason) in refused.Events) _settlement.Refuse(indexes[index], reason);
                Took(indexes, []);
                return true;
            case Answer.TooLarge when indexes.Length == 1:
                _settlement.Refuse(indexes[0], "larger than it takes, even alone");
                Took([], []);
                return true;
            case Answer.TooLarge:
                _work.Push(indexes[(indexes.Length / 2)..]);
                _work.Push(indexes[..(indexes.Length / 2)]);
                return true;
            case Answer.Later later:
                foreach (var (index, reason) in later.Refusals) _settlement.Refuse(indexes[index], reason);
                Took([.. later.Taken.Select(index => indexes[index])], later.Taken);
                _work.Push([.. indexes.Where(index => _settlement.IsOpen(index))]);
                return await PauseAsync(later.RetryAfter, later.Reason, cancel);
            case Answer.Blocked blocked:
                _work.Push(indexes);
                _progress.Block(blocked.Reason);
                return await PauseAsync(null, blocked.Reason, cancel);
            default:
                throw new System.Diagnostics.UnreachableException();
        }
    }

    void Took(int[] indexes, IReadOnlyList<int> ofLater)
    {
        foreach (var index in indexes) _settlement.Deliver(index);
        if (ofLater.Count > 0 || indexes.Length == 0) return;
        _backoff.Reset();
        _progress.Succeed();
    }

    /// <summary>What the far side answered; not to be reached is an answer too.</summary>
    async Task<Answer> AskAsync(EventBatch sending)
    {
        if (_parts.Guard?.Invoke(sending) is { } secret) return new Answer.Blocked(secret);
        var started = _parts.Time.GetTimestamp();
        try
        {
            var answer = await _parts.Destination.SendAsync(sending, _abandon.Token);
            _progress.Asked(_parts.Time.GetElapsedTime(started), sending.WireBytes);
            return answer;
        }
        catch (Exception failed) when (failed is HttpRequestException or IOException or TimeoutException or OperationCanceledException && !_abandon.IsCancellationRequested)
        {
            return new Answer.Later(null, failed is OperationCanceledException or TimeoutException ? "no answer in time" : failed.Message);
        }
        catch (Exception unforeseen) when (unforeseen is not (OperationCanceledException or OutOfMemoryException))
        {
            LogBroken(unforeseen, _parts.Name);
            return new Answer.Later(null, unforeseen.Message);
        }
    }

    /// <summary>Keeps what is settled at the batch's front, and waits.</summary>
    /// <returns>False when it was stopped.</returns>
    async Task<bool> PauseAsync(TimeSpan? asked, string reason, CancellationToken cancel)
    {
        var pause = _backoff.Next(asked);
        _progress.Fail(reason, pause);
        LogLater(_parts.Name, pause, reason);
        KeepFront();
        await Task.Delay(pause, _parts.Time, cancel).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return !cancel.IsCancellationRequested;
    }

    void KeepFront()
    {
        var front = _settlement.Front;
        if (front > _settlement.Kept) Keep(front == _batch.Count ? _end : Offset(_batch, front - 1) + 1, front);
    }

    /// <summary>Keeps the fate of the first events of the batch.</summary>
    void Keep(long position, int count)
    {
        var (settled, dead) = _settlement.UpTo(_batch, count);
        // What was passed over lies somewhere before the end of the batch.
        var counts = position == _end ? [.. settled, .. Missing()] : settled;
        _parts.Store.Commit(_parts.Name, position, counts, dead);
        _settlement.Kept = count;
        Kept(position, counts);
        foreach (var letter in dead) LogDead(_parts.Name, letter.EventId, letter.Reason);
    }

    /// <summary>What was gone before it could be looked at, and is not kept yet.</summary>
    OutcomeCount[] Missing() => _parts.Backlog.Missing is var missing && missing > _missing ? [new("", Outcome.Missing, missing - _missing)] : [];

    void Kept(long position, IReadOnlyCollection<OutcomeCount> counts)
    {
        _kept = position;
        _progress.Commit(position, counts);
        foreach (var count in counts)
        {
            if (count.Outcome != Outcome.Missing) continue;
            _missing += count.Count;
            LogMissing(_parts.Name, count.Count, position);
        }
    }

    /// <summary>Sends dead letters again that somebody asked for, one by one. Between batches: those are done first.</summary>
    async Task ReplayAsync(CancellationToken cancel)
    {
        if (_replayed is { } at && _parts.Time.GetElapsedTime(at) < ReplayEvery) return;
        _replayed = _parts.Time.GetTimestamp();
        foreach (var letter in _parts.Store.ToReplay(_parts.Name, max: 100))
        {
            cancel.ThrowIfCancellationRequested();
            _part.Clear();
            if (!EventEncoding.TryRead(letter.Event, out var e)) continue;
            _part.Add(letter.Event, e, _parts.Destination);
            switch (await AskAsync(_part))
            {
                case Answer.Accepted:
                    _parts.Store.Replayed(letter, null);
                    break;
                case Answer.Refused refused:
                    _parts.Store.Replayed(letter, refused.Events.Count > 0 ? refused.Events[0].Reason : "refused");
                    break;
                case Answer.TooLarge:
                    _parts.Store.Replayed(letter, "larger than it takes, even alone");
                    break;
                default:
                    return; // it waits with the others
            }
        }
    }

    static long Offset(EventBatch batch, int index) => System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(batch.Encoded(index).Span[EventEncoding.OffsetPosition..]);

    [LoggerMessage(1, LogLevel.Warning, "Destination {Name}, next try in {Pause}: {Reason}")]
    partial void LogLater(string name, TimeSpan pause, string reason);

    [LoggerMessage(2, LogLevel.Error, "Destination {Name} will never take event {Id}: {Reason} It is kept: `logwarden deadletter list`.")]
    partial void LogDead(string name, string id, string reason);

    [LoggerMessage(4, LogLevel.Critical, "Destination {Name} did not get those of {Count} events before offset {Offset} that go there: their segments are gone from the hot store. The archive has them; `logwarden restore` brings them back.")]
    partial void LogMissing(string name, long count, long offset);

    [LoggerMessage(3, LogLevel.Critical, "Destination {Name} failed in a way that is not foreseen; it is tried again, and nothing is lost. Please report it with this trace.")]
    partial void LogBroken(Exception failed, string name);
}
