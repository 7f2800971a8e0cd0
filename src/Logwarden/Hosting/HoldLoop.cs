using Microsoft.Extensions.Logging.Abstractions;

namespace Logwarden.Hosting;

/// <summary>
/// Keeps legal holds for as long as it lives: looks every two seconds whether one came into force, was released, or is behind the seals, and every hour whether each is still on. A failure
/// is logged and tried again with growing pauses, and <see cref="Failure"/> tells it for as long as it lasts. Sealing does not wait for it, and does not need it: what is sealed has its holds.
/// </summary>
sealed partial class HoldLoop : IAsyncDisposable
{
    static readonly TimeSpan LookEvery = TimeSpan.FromSeconds(2);
    static readonly TimeSpan PauseMax = TimeSpan.FromMinutes(1);
    static readonly TimeSpan ReconcileEvery = TimeSpan.FromHours(1);

    readonly Installation _installation;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;
    TimeSpan _pause = LookEvery;
    long _reconciled;

    /// <summary>Starts it.</summary>
    public HoldLoop(Installation installation, TimeProvider time, ILogger? log = null)
    {
        (_installation, _time, _log) = (installation, time, log ?? NullLogger.Instance);
        _reconciled = time.GetTimestamp() - (long)(ReconcileEvery.TotalSeconds * time.TimestampFrequency); // once at the start
        _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
    }

    /// <summary>Why holds are not kept at present; null while they are.</summary>
    public string? Failure => Volatile.Read(ref _failure);

    string? _failure;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    async Task RunAsync(CancellationToken cancel)
    {
        while (!cancel.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(_pause, _time, cancel);
                await KeepAsync(cancel);
                (_pause, _failure) = (LookEvery, null);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed) when (failed is not OutOfMemoryException)
            {
                _pause = TimeSpan.FromTicks(Math.Min(_pause.Ticks * 2, PauseMax.Ticks));
                Volatile.Write(ref _failure, failed.Message);
                if (failed is IOException) LogFailed(_pause, failed.Message);
                else LogBroken(failed, _pause);
            }
        }
    }

    async Task KeepAsync(CancellationToken cancel)
    {
        if (_installation.HasHoldsToKeep && await _installation.KeepHoldsAsync(progress: null, cancel))
        {
            var holds = _installation.Custody.Holds.Summary();
            if (holds.Active > 0) LogKept(holds.Active, holds.Objects);
        }
        if (_time.GetElapsedTime(_reconciled) < ReconcileEvery) return;
        foreach (var finding in await _installation.ReconcileHoldsAsync(cancel)) LogFound(finding.Path, finding.What);
        _reconciled = _time.GetTimestamp();
    }

    [LoggerMessage(1, LogLevel.Information, "{Holds} legal holds are on {Objects} objects of the archive.")]
    partial void LogKept(long holds, long objects);

    [LoggerMessage(2, LogLevel.Error, "Legal holds are not kept at present, next try in {Pause}: {Reason}")]
    partial void LogFailed(TimeSpan pause, string reason);

    [LoggerMessage(3, LogLevel.Critical, "Keeping legal holds failed in a way that is not foreseen, next try in {Pause}; please report it with this trace.")]
    partial void LogBroken(Exception failed, TimeSpan pause);

    [LoggerMessage(4, LogLevel.Error, "{Object}: {What}")]
    partial void LogFound(string @object, string what);
}
