using Logwarden.Bench;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests.Delivery;

/// <summary>One of three destinations is away for a day: nobody else notices, the disk holds what it would hold anyway, and it gets everything when it is back.</summary>
public sealed class OutageTests
{
    static readonly OutageOptions Options = new(TimeSpan.FromHours(24), Rate: 2.5, DrainRate: 10);

    [Fact]
    public async Task A_destination_that_is_away_for_a_day_costs_the_others_nothing_and_gets_everything_once_in_order()
    {
        var control = await RunAsync(isAway: false);
        var outage = await RunAsync(isAway: true);

        Assert.Equal((null, null), (control.Wrong, outage.Wrong));
        Assert.Equal(0, control.Backlog);
        Assert.True(outage.Backlog == 216_000, $"{outage.Backlog} events were held up");
        // The others: the same number of requests for the same number of events, each within the minute in which it came.
        Assert.Equal((control.Sends * outage.Events / control.Events, TimeSpan.Zero), (outage.Sends, outage.LatencyMax));
        Assert.Equal(TimeSpan.Zero, control.LatencyMax);
        // The disk: a journal within its bounds that lets go of what is sealed, and segments that are there anyway.
        Assert.InRange(outage.JournalBytesMost, 1, Options.JournalBytesMax);
        Assert.True(outage.JournalBytesMost * 20 < outage.RawBytes);
        Assert.Equal(control.HotBytes / 1e6, outage.HotBytes / 1e6, tolerance: control.HotBytes / 1e6 / 100);
        Assert.True(outage.HotBytes * 3 < outage.RawBytes, $"segments have {outage.HotBytes} bytes of {outage.RawBytes}");
        // The way back: at the pace that the far side allows, and not much slower.
        var least = outage.Backlog / Options.DrainRate;
        Assert.InRange(outage.Drained.TotalSeconds, least, 2 * least);
        Assert.True(outage.Throttled > 10);
    }

    static async Task<OutageResult> RunAsync(bool isAway)
    {
        using var scratch = new ScratchFolder();
        await using var outage = new Outage(Options, scratch.Root);
        return await outage.RunAsync(isAway, TestContext.Current.CancellationToken);
    }
}
