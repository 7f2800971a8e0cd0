using Logwarden.BetterStack;

namespace Logwarden.Hosting;

/// <summary>
/// Tells a heartbeat outside each minute that this installation is well, or what is not: alarms that are open, and a journal or an archive that fails. When the process dies, nothing is
/// told, and people are called by somebody else than us.
/// </summary>
sealed partial class HeartbeatLoop : IAsyncDisposable
{
    static readonly TimeSpan Every = TimeSpan.FromMinutes(1);

    readonly Heartbeat _heartbeat;
    readonly ILogger _log;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    /// <summary>Starts it.</summary>
    /// <exception cref="Destinations.SettingException">There is no URL where it was said to be.</exception>
    public HeartbeatLoop(string secret, Func<StatusReport> report, TimeProvider time, ILogger log)
    {
        _log = log;
        _heartbeat = new(secret, Every, () => Wrong(report), LogMissed, time);
        _running = Task.Run(() => _heartbeat.RunAsync(_stop.Token));
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _heartbeat.Dispose();
        _stop.Dispose();
    }

    static string? Wrong(Func<StatusReport> report)
    {
        try
        {
            var now = report();
            if (now.Alarms.Count > 0) return string.Join('\n', now.Alarms.Select(alarm => $"{alarm.Severity} {alarm.Text}"));
            return now.State is "failing" ? "The journal, the archive or a destination fails: see `logwarden status`." : null;
        }
        catch (Exception failed) when (failed is IOException or Microsoft.Data.Sqlite.SqliteException)
        {
            return $"The state of this installation can't be told: {failed.Message}";
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "The heartbeat could not be told that all is well: {Reason}")]
    partial void LogMissed(string reason);
}
