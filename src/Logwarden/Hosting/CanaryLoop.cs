using Logwarden.Delivery;
using Logwarden.Flow;
using Logwarden.Match;

namespace Logwarden.Hosting;

/// <summary>
/// Sends the canaries and looks for them: at destinations that can be read, and in the archive, where one of each class is read back from the sealed object itself. What goes wrong
/// here is no verdict on a destination; a canary that is not found in time is.
/// </summary>
sealed partial class CanaryLoop : IAsyncDisposable
{
    static readonly TimeSpan Look = TimeSpan.FromSeconds(10);
    const int FindMax = 20;

    readonly Installation _installation;
    readonly Deliveries _deliveries;
    readonly Canaries _canaries;
    readonly TimeProvider _time;
    readonly ILogger _log;
    readonly TimeSpan _every;
    readonly CancellationTokenSource _stop = new();
    readonly Dictionary<string, long> _offsets = new(StringComparer.Ordinal);
    readonly Task _running;
    DateTimeOffset _next;

    /// <summary>Starts it.</summary>
    public CanaryLoop(Installation installation, Deliveries deliveries, TimeSpan every, TimeProvider time, ILogger log)
    {
        (_installation, _deliveries, _canaries, _every, _time, _log) = (installation, deliveries, installation.Control.Canaries, every, time, log);
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
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                if (_time.GetUtcNow() >= _next)
                {
                    _next = _time.GetUtcNow() + _every;
                    await SendAsync();
                }
                await FindAsync();
                await FindInArchiveAsync();
            }
            catch (OperationCanceledException) when (_stop.IsCancellationRequested)
            {
                return;
            }
            catch (Exception failed) when (failed is not OutOfMemoryException)
            {
                LogFailed(failed.Message);
            }
            await Task.Delay(Look < _every ? Look : _every, _time, _stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One canary of each shape, to each destination that gets such events, and to the archive, which gets all.</summary>
    async Task SendAsync()
    {
        var policy = _installation.Policy.Policy;
        var routes = _installation.Control.Destinations.All.Where(entry => !entry.IsPaused).ToDictionary(
            entry => entry.Name, entry => DeliveryRoute.Of(policy, entry.Name, entry.When is null ? null : PredicateParser.Parse(entry.When).Value), StringComparer.Ordinal);
        string[] names = [.. routes.Keys, DestinationRegistry.Archive];
        foreach (var shape in _canaries.Shapes)
        {
            var batch = _canaries.Make(shape, (name, encoded) => !routes.TryGetValue(name, out var route) || Takes(route, encoded.Span), names);
            var receipt = await _installation.Journal.AppendAsync(batch, _stop.Token);
            if (Events.EventEncoding.TryRead(batch.Bytes.WrittenSpan, out var e)) _offsets[System.Text.Encoding.UTF8.GetString(e.Id)] = receipt.First;
        }
    }

    static bool Takes(DeliveryRoute route, ReadOnlySpan<byte> encoded) => Events.EventEncoding.TryRead(encoded, out var e) && route.Takes(e);

    async Task FindAsync()
    {
        foreach (var entry in _installation.Control.Destinations.All)
        {
            if (_deliveries.Find(entry.Name) is not { } destination) continue;
            var wanted = _canaries.Unconfirmed(entry.Name, FindMax);
            if (wanted.Count == 0) continue;
            try
            {
                var found = await destination.FindAsync(wanted, _stop.Token);
                _canaries.Confirm(entry.Name, found ?? wanted.Select(canary => canary.Id), isRead: found is not null);
            }
            catch (Exception failed) when (failed is HttpRequestException or IOException or TimeoutException or InvalidDataException or OperationCanceledException && !_stop.IsCancellationRequested)
            {
                LogNotRead(entry.Name, failed.Message);
            }
        }
    }

    async Task FindInArchiveAsync()
    {
        var sealedTo = _installation.SealedTo;
        // Their offsets are not known after a restart: what was sent before is sealed when anything later is.
        SentEvent[] waiting = [.. _canaries.UnderWay(DestinationRegistry.Archive).Where(canary => _offsets.GetValueOrDefault(canary.Id, 0) < sealedTo)];
        foreach (var canary in waiting.GroupBy(canary => canary.Class, StringComparer.Ordinal).Select(ofClass => ofClass.Last()))
        {
            if (!await _installation.IsInArchiveAsync(canary.Id, _stop.Token)) continue;
            // Those of the same class that are older were sealed with it or before.
            foreach (var one in waiting.Where(one => string.Equals(one.Class, canary.Class, StringComparison.Ordinal)))
            {
                _canaries.Arrived(DestinationRegistry.Archive, one.Id);
                _canaries.Confirm(DestinationRegistry.Archive, [one.Id], isRead: true);
                _offsets.Remove(one.Id);
            }
        }
    }

    [LoggerMessage(1, LogLevel.Warning, "Canaries could not be sent or looked for: {Reason}")]
    partial void LogFailed(string reason);

    [LoggerMessage(2, LogLevel.Warning, "Destination {Name} could not be read to look for canaries: {Reason}")]
    partial void LogNotRead(string name, string reason);
}
