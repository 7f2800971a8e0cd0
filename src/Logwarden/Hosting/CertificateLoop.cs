namespace Logwarden.Hosting;

/// <summary>Makes a completeness certificate of each destination every hour, on the hour. One that can't be made is told and made the next time, over the longer stretch.</summary>
sealed partial class CertificateLoop : IAsyncDisposable
{
    static readonly TimeSpan Every = TimeSpan.FromHours(1);

    readonly Installation _installation;
    readonly string _data;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly CancellationTokenSource _stop = new();
    readonly Task _running;

    /// <summary>Starts it.</summary>
    public CertificateLoop(Installation installation, string data, TimeProvider time, ILogger log)
    {
        (_installation, _data, _time, _log) = (installation, data, time, log);
        _running = Task.Run(RunAsync);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _running;
        _stop.Dispose();
    }

    async Task RunAsync()
    {
        while (true)
        {
            var now = _time.GetUtcNow();
            await Task.Delay(new DateTimeOffset(now.Ticks - now.Ticks % Every.Ticks, TimeSpan.Zero) + Every - now, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (_stop.IsCancellationRequested) return;
            foreach (var entry in _installation.Control.Destinations.All)
            {
                try
                {
                    if (_installation.Certify(entry.Name, _data) is { IsComplete: false } certificate) LogIncomplete(entry.Name, certificate.From, certificate.To);
                }
                catch (Exception failed) when (failed is IOException or InvalidDataException or Microsoft.Data.Sqlite.SqliteException)
                {
                    LogFailed(entry.Name, failed.Message);
                }
                if (_stop.IsCancellationRequested) return;
            }
        }
    }

    [LoggerMessage(1, LogLevel.Critical, "Not everything that was to go to {Name} from offset {From} to {To} is accounted for: `logwarden certificate show {Name}`.")]
    partial void LogIncomplete(string name, long from, long to);

    [LoggerMessage(2, LogLevel.Error, "No certificate could be made of {Name}; the next one covers the longer stretch: {Reason}")]
    partial void LogFailed(string name, string reason);
}
