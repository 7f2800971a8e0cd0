using System.Globalization;
using Logwarden.Retention;
using Microsoft.Extensions.Logging.Abstractions;

namespace Logwarden.Hosting;

/// <summary>
/// Makes a run of retention each day for as long as it lives, the first a minute after the start. A failure, whatever it is, is logged and tried again, with growing pauses, and
/// <see cref="Failure"/> tells it for as long as it lasts. What the store refused or does not have is a failure too, though a run goes on behind it: it is told each day.
/// </summary>
sealed partial class RetentionLoop : IAsyncDisposable
{
    /// <summary>Between two runs.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromDays(1);

    static readonly TimeSpan FirstAfter = TimeSpan.FromMinutes(1);
    static readonly TimeSpan PauseMax = TimeSpan.FromHours(1);

    readonly Func<CancellationToken, Task<RetentionReport>> _run;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly Action<string>? _tell;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    // Of the loop alone.
    TimeSpan _wait = FirstAfter;
    TimeSpan _pause = TimeSpan.Zero;

    /// <summary>Starts it.</summary>
    /// <param name="run">Makes a run.</param>
    /// <param name="time">Clock.</param>
    /// <param name="log">Log; null is none.</param>
    /// <param name="tell">Is told of each failure, in a sentence for people.</param>
    public RetentionLoop(Func<CancellationToken, Task<RetentionReport>> run, TimeProvider time, ILogger? log = null, Action<string>? tell = null)
    {
        (_run, _time, _log, _tell) = (run, time, log ?? NullLogger.Instance, tell);
        _running = Task.Run(() => RunAsync(_stop.Token), CancellationToken.None);
    }

    /// <summary>Why retention is not done as required at present; null while it is.</summary>
    public string? Failure => Volatile.Read(ref _failure) ?? (_running.IsCompleted && !_stop.IsCancellationRequested ? "retention has ended; start again" : null);

    string? _failure;

    /// <summary>What the last run that came to its end did; null before the first.</summary>
    public RetentionReport? Last => Volatile.Read(ref _last);

    RetentionReport? _last;

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
                await Task.Delay(_wait, _time, cancel);
                await RunOnceAsync(cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested)
            {
                return;
            }
        }
    }

    async Task RunOnceAsync(CancellationToken cancel)
    {
        try
        {
            // Broken off at any point, it is finished by the next run.
            var report = await _run(cancel);
            (_wait, _pause) = (Every, TimeSpan.Zero);
            LogRun(report.Count(RetentionActKind.Evicted), report.Count(RetentionActKind.Expired), report.Count(RetentionActKind.Extended), report.Count(RetentionActKind.Held));
            Volatile.Write(ref _last, report);
            Volatile.Write(ref _failure, report.IsDone ? null : Why(report));
            if (report.IsDone) return;
            LogUndone(Why(report));
            _tell?.Invoke("retention: " + Why(report));
        }
        catch (Exception failed) when (failed is not OutOfMemoryException && !(failed is OperationCanceledException && cancel.IsCancellationRequested))
        {
            _pause = TimeSpan.FromTicks(Math.Min(Math.Max(_pause.Ticks, TimeSpan.TicksPerMinute / 2) * 2, PauseMax.Ticks));
            _wait = _pause;
            Volatile.Write(ref _failure, failed.Message);
            if (failed is IOException) LogFailed(_pause, failed.Message);
            else LogBroken(failed, _pause);
            _tell?.Invoke(string.Create(CultureInfo.InvariantCulture, $"retention failed, next try in {_pause.TotalMinutes:0} min: {failed.Message}"));
        }
    }

    static string Why(RetentionReport report)
    {
        var first = report.Acts.First(act => act.Kind is RetentionActKind.Refused or RetentionActKind.Missing);
        return string.Create(CultureInfo.InvariantCulture,
            $"{report.Count(RetentionActKind.Refused)} objects were refused and {report.Count(RetentionActKind.Missing)} are missing, the first of them {first.Path}: {first.What}");
    }

    [LoggerMessage(1, LogLevel.Information, "Retention: {Evicted} segments left the hot folder, {Expired} were deleted from the archive, {Extended} locks were made longer, {Held} are held.")]
    partial void LogRun(int evicted, int expired, int extended, int held);

    [LoggerMessage(2, LogLevel.Error, "Retention failed, next try in {Pause}: {Reason}")]
    partial void LogFailed(TimeSpan pause, string reason);

    [LoggerMessage(3, LogLevel.Error, "Retention is not done as required: {Reason}")]
    partial void LogUndone(string reason);

    [LoggerMessage(4, LogLevel.Critical, "Retention failed in a way that is not foreseen, next try in {Pause}. Nothing is deleted without its record; please report it with this trace.")]
    partial void LogBroken(Exception failed, TimeSpan pause);
}
