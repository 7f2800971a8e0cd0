using System.Globalization;
using Microsoft.Extensions.Logging.Abstractions;

namespace Logwarden.Hosting;

/// <summary>When to seal.</summary>
/// <param name="EventsMax">Unsealed events that make it seal.</param>
/// <param name="AgeMax">Longest that a durable event waits for its seal; null is no limit.</param>
sealed record SealOptions(long EventsMax, TimeSpan? AgeMax)
{
    /// <summary>For <c>ingest</c>, which seals the rest itself: by size only.</summary>
    public static SealOptions ForIngest => new(1_000_000, null);

    /// <summary>For <c>serve</c>: 200,000 events or five minutes.</summary>
    public static SealOptions ForServe => new(200_000, TimeSpan.FromMinutes(5));
}

/// <summary>
/// Seals by size or age for as long as it lives, and makes the text index of what it sealed. A failure, whatever it is (archive away, disk full, a defect of ours),
/// is logged and tried again, with growing pauses, and <see cref="Failure"/> tells it for as long as it lasts; an index that could not be made is tried
/// again each minute and keeps no event from being sealed.
/// </summary>
sealed partial class SealLoop : IAsyncDisposable
{
    static readonly TimeSpan LookEvery = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan PauseMax = TimeSpan.FromMinutes(1);

    readonly Installation _installation;
    readonly SealOptions _options;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly Action<string>? _tell;
    readonly Func<CancellationToken, Task<string?>> _index;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    // Of the loop alone.
    long? _since;
    long? _indexAt;
    Task _indexing = Task.CompletedTask;
    TimeSpan _pause = LookEvery;

    /// <summary>Starts it.</summary>
    /// <param name="installation">What to seal.</param>
    /// <param name="options">When to.</param>
    /// <param name="time">Clock.</param>
    /// <param name="log">Log; null is none.</param>
    /// <param name="tell">Is told of each failure, in a sentence for people.</param>
    /// <param name="index">Makes the text indexes, or says why it could not; null is <see cref="Installation.IndexAsync"/>. For tests of what happens when it fails.</param>
    public SealLoop(
        Installation installation, SealOptions options, TimeProvider time, ILogger? log = null, Action<string>? tell = null,
        Func<CancellationToken, Task<string?>>? index = null)
    {
        _installation = installation;
        _options = options;
        _time = time;
        _log = log ?? NullLogger.Instance;
        _tell = tell;
        _index = index ?? installation.IndexAsync;
        _indexAt = time.GetTimestamp(); // what an earlier run left without one
        _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
    }

    /// <summary>Why nothing is sealed at present; null while sealing works.</summary>
    public string? Failure => Volatile.Read(ref _failure) ?? (_running.IsCompleted && !_stop.IsCancellationRequested ? "sealing has ended; start again" : null);

    string? _failure;

    /// <summary>Since when; null while sealing works.</summary>
    public DateTimeOffset? FailingSince => Failure is null || Interlocked.Read(ref _failingSince) is 0 ? null : new(Interlocked.Read(ref _failingSince), TimeSpan.Zero);

    long _failingSince;

    /// <summary>Why the text index of some segment could not be made; null when none is missing.</summary>
    public string? LastIndexError => Volatile.Read(ref _indexError);

    string? _indexError;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        await _indexing;
        _stop.Dispose();
    }

    async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(_pause, _time, cancel);
                await SealDueAsync();
                IndexDue(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
        }
    }

    async Task SealDueAsync()
    {
        try
        {
            var waiting = _installation.Journal.DurableEnd - _installation.SealedTo;
            if (waiting > 0)
            {
                _since ??= _time.GetTimestamp();
                if (waiting < _options.EventsMax && !(_time.GetElapsedTime(_since.Value) >= _options.AgeMax)) return;
                // Not cancelled half way: stopping waits for the seal, so that a stop leaves nothing to recover.
                await _installation.SealAsync(CancellationToken.None);
                LogSealed(_installation.SealedTo, waiting);
                _indexAt = _time.GetTimestamp();
            }
            // Also when another has sealed what failed here: nothing waits, so nothing is wrong any more.
            (_since, _pause) = (null, LookEvery);
            Volatile.Write(ref _failure, null);
            Interlocked.Exchange(ref _failingSince, 0);
        }
        catch (Exception failed) when (failed is not OutOfMemoryException)
        {
            // Also a time-out of the archive's client, which comes as a cancellation that is not ours.
            _pause = TimeSpan.FromTicks(Math.Min(Math.Max(_pause.Ticks, TimeSpan.TicksPerSecond) * 2, PauseMax.Ticks));
            Volatile.Write(ref _failure, failed.Message);
            Interlocked.CompareExchange(ref _failingSince, _time.GetUtcNow().UtcTicks, 0);
            if (failed is IOException) LogFailed(_pause, failed.Message);
            else LogBroken(failed, _pause);
            _tell?.Invoke(string.Create(CultureInfo.InvariantCulture, $"sealing failed, next try in {_pause.TotalSeconds:0} s: {failed.Message}"));
        }
    }

    /// <summary>Makes the text indexes that are missing. Whatever comes of it, sealing goes on: an index only makes queries quicker.</summary>
    void IndexDue(CancellationToken cancel)
    {
        if (!_indexing.IsCompleted) return;
        if (_indexAt is null && LastIndexError is not null) _indexAt = _time.GetTimestamp() + (long)(PauseMax.TotalSeconds * _time.TimestampFrequency);
        if (!(_time.GetTimestamp() >= _indexAt)) return;
        _indexAt = null;
        // On a thread of its own: those of a whole store take an hour to make, and sealing goes on meanwhile.
        _indexing = Task.Run(() => IndexAsync(cancel), CancellationToken.None);
    }

    async Task IndexAsync(CancellationToken cancel)
    {
        string? error;
        try
        {
            error = await _index(cancel);
        }
        catch (Exception failed) when (failed is not OutOfMemoryException)
        {
            error = cancel.IsCancellationRequested ? null : failed.Message;
        }
        Volatile.Write(ref _indexError, error);
        if (error is not null) LogIndexFailed(PauseMax, error);
    }

    [LoggerMessage(1, LogLevel.Information, "Sealed up to offset {Offset}, {Events} events.")]
    partial void LogSealed(long offset, long events);

    [LoggerMessage(2, LogLevel.Error, "Sealing failed, next try in {Pause}: {Reason}")]
    partial void LogFailed(TimeSpan pause, string reason);

    [LoggerMessage(4, LogLevel.Critical, "Sealing failed in a way that is not foreseen, next try in {Pause}. Nothing acknowledged is lost; please report it with this trace.")]
    partial void LogBroken(Exception failed, TimeSpan pause);

    [LoggerMessage(3, LogLevel.Warning, "Queries of text read more until it is there, next try in {Pause}: {Reason}")]
    partial void LogIndexFailed(TimeSpan pause, string reason);
}
