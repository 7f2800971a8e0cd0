using System.Text;
using Logwarden.Destinations;

namespace Logwarden.BetterStack;

/// <summary>
/// A dead man's switch (https://betterstack.com/docs/uptime/cron-and-heartbeat-monitor/): tells Better Stack every period that we are well, or why we are not. When nothing comes for the
/// heartbeat's period and grace, people over there are called; so it needs nothing of ours to work. A new heartbeat says nothing until it was told once: check that it became "up".
/// </summary>
public sealed class Heartbeat : IDisposable
{
    /// <summary>Shortest period that the service knows.</summary>
    public static readonly TimeSpan PeriodMin = TimeSpan.FromSeconds(30);

    readonly string _secret;
    readonly TimeSpan _period;
    readonly Func<string?> _failing;
    readonly Action<string> _missed;
    readonly TimeProvider _time;
    readonly DestinationHttp _http;

    /// <summary>Pings nothing yet.</summary>
    /// <param name="secret">Where the heartbeat's URL is, which is all that it takes to speak for us: <c>file:PATH</c> or <c>env:NAME</c>. Read for each ping.</param>
    /// <param name="period">Time between pings, at least <see cref="PeriodMin"/>; as set there, or less.</param>
    /// <param name="failing">What is wrong with us, or null when we are well. Must be quick. Throwing ends <see cref="RunAsync"/>, and so the pings.</param>
    /// <param name="missed">Is told why a ping did not get there. The URL is not in it.</param>
    /// <param name="time">Clock.</param>
    /// <exception cref="SettingException">There is no such URL in <paramref name="secret"/>.</exception>
    public Heartbeat(string secret, TimeSpan period, Func<string?> failing, Action<string> missed, TimeProvider time)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(period, PeriodMin);
        (_secret, _period, _failing, _missed, _time) = (secret, period, failing, missed, time);
        _http = new(Address(secret), TimeSpan.FromSeconds(15), time);
    }

    /// <summary>Pings at once and then every period, until it is cancelled.</summary>
    public async Task RunAsync(CancellationToken cancel)
    {
        using var timer = new PeriodicTimer(_period, _time);
        try
        {
            do await PingAsync(cancel);
            while (await timer.WaitForNextTickAsync(cancel));
        }
        catch (OperationCanceledException) when (cancel.IsCancellationRequested)
        {
            // That is how it ends.
        }
    }

    /// <summary>Pings once.</summary>
    /// <returns>Whether it got there.</returns>
    public async Task<bool> PingAsync(CancellationToken cancel)
    {
        var wrong = _failing();
        try
        {
            var address = Address(_secret);
            using var request = wrong is null ? new HttpRequestMessage(HttpMethod.Get, address) : new HttpRequestMessage(HttpMethod.Post, address.AbsoluteUri + "/fail");
            if (wrong is not null) request.Content = new StringContent(DestinationHttp.Clean(Encoding.UTF8.GetBytes(wrong), Secrets(address)), Encoding.UTF8, "text/plain");
            var reply = await _http.SendAsync(request, Secrets(address), DestinationHttp.ReasonBytesMax, cancel);
            if (reply.IsSuccess) return true;
            _missed($"The heartbeat was answered with {reply.Reason}. Check that it is there, and that its URL is the one in the setting.");
        }
        catch (Exception failed) when (failed is HttpRequestException or IOException or SettingException)
        {
            _missed($"The heartbeat could not be sent: {failed.Message}");
        }
        return false;
    }

    /// <inheritdoc/>
    public void Dispose() => _http.Dispose();

    static string[] Secrets(Uri address) => [address.AbsoluteUri, address.AbsolutePath, address.Segments[^1]];

    static Uri Address(string secret)
    {
        var text = DestinationContext.ReadSecret("heartbeat", secret).TrimEnd('/');
        return Uri.TryCreate(text, UriKind.Absolute, out var address) && address.UserInfo.Length == 0 && address.Query.Length == 0 && address.Segments.Length > 1
            && (address.Scheme is "https" || (address.Scheme is "http" && address.IsLoopback))
            ? address : throw new SettingException("heartbeat", $"names {secret}, which holds no address of a heartbeat: https://uptime.betterstack.com/api/v1/heartbeat/…");
    }
}
