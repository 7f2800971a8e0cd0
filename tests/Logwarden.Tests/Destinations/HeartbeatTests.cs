using System.Text;
using Logwarden.BetterStack;
using Logwarden.Destinations;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Destinations;

public class HeartbeatTests
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(60);

    readonly FakeTimeProvider _time = new(new DateTimeOffset(2026, 7, 1, 0, 0, 0, TimeSpan.Zero));
    readonly List<string> _missed = [];
    string? _wrong;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    Heartbeat Make(ScratchFolder scratch, string address)
    {
        File.WriteAllText(scratch.File("url"), address + "\n", Encoding.UTF8);
        return new("file:" + scratch.File("url"), Period, () => _wrong, _missed.Add, _time);
    }

    [Fact]
    public async Task It_is_up_as_long_as_pings_come_and_down_once_they_end()
    {
        using var scratch = new ScratchFolder();
        await using var far = await BetterStackStandIn.StartAsync(_time, Cancel);
        var heart = far.AddHeartbeat("heartbeat-token-1", Period, TimeSpan.FromSeconds(30));
        using var heartbeat = Make(scratch, far.HeartbeatAddress("heartbeat-token-1").AbsoluteUri);
        Assert.Equal("pending", heart.State);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var running = heartbeat.RunAsync(stop.Token);
        for (var beat = 1; beat <= 5; beat++)
        {
            while (heart.Pings.Count < beat)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, Cancel);
                if (beat > 1) _time.Advance(TimeSpan.FromSeconds(1));
            }
            Assert.Equal("up", heart.State);
        }
        await stop.CancelAsync();
        await running;
        _time.Advance(TimeSpan.FromSeconds(91));
        Assert.Equal("down", heart.State);
        Assert.Empty(_missed);
    }

    [Fact]
    public async Task What_is_wrong_is_told_as_a_failure_with_a_short_reason()
    {
        using var scratch = new ScratchFolder();
        await using var far = await BetterStackStandIn.StartAsync(_time, Cancel);
        var heart = far.AddHeartbeat("heartbeat-token-1", Period, TimeSpan.Zero);
        using var heartbeat = Make(scratch, far.HeartbeatAddress("heartbeat-token-1").AbsoluteUri);
        _wrong = "the archive can't be written:\n" + new string('x', 5000);
        Assert.True(await heartbeat.PingAsync(Cancel));
        Assert.Equal("down", heart.State);
        var log = Assert.Single(heart.Pings);
        Assert.StartsWith("the archive can't be written: xxx", log, StringComparison.Ordinal);
        Assert.InRange(log.Length, 200, 300);
        _wrong = null;
        Assert.True(await heartbeat.PingAsync(Cancel));
        Assert.Equal("up", heart.State);
    }

    [Fact]
    public async Task A_ping_that_fails_is_told_and_never_thrown_and_its_address_is_not_in_what_is_told()
    {
        using var scratch = new ScratchFolder();
        var far = await BetterStackStandIn.StartAsync(_time, Cancel);
        using var heartbeat = Make(scratch, far.HeartbeatAddress("heartbeat-token-2").AbsoluteUri);
        Assert.False(await heartbeat.PingAsync(Cancel));
        await far.DisposeAsync();
        Assert.False(await heartbeat.PingAsync(Cancel));
        File.Delete(scratch.File("url"));
        Assert.False(await heartbeat.PingAsync(Cancel));
        Assert.Equal(3, _missed.Count);
        Assert.Contains("404", _missed[0], StringComparison.Ordinal);
        Assert.All(_missed, reason => Assert.DoesNotContain("heartbeat-token-2", reason, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("http://uptime.betterstack.com/api/v1/heartbeat/x")]
    [InlineData("https://uptime.example.com")]
    [InlineData("not an address")]
    public void An_address_that_is_none_is_refused_without_repeating_it(string text)
    {
        using var scratch = new ScratchFolder();
        Assert.DoesNotContain(text, Assert.Throws<SettingException>(() => Make(scratch, text)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_period_that_the_service_does_not_know_is_refused() =>
        Assert.Throws<ArgumentOutOfRangeException>(() => new Heartbeat("env:X", TimeSpan.FromSeconds(29), () => null, _ => { }, _time));
}
