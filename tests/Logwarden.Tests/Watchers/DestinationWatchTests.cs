using Logwarden.Data;
using Logwarden.Tests.World;
using Logwarden.Watchers;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Watchers;

/// <summary>As timelines: what is reported when, and which alarms are open then.</summary>
public sealed class DestinationWatchTests : IDisposable
{
    static readonly TimeSpan Patience = TimeSpan.FromMinutes(15);

    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));
    readonly AlarmBook _alarms;
    readonly DestinationWatch _watch;

    public DestinationWatchTests()
    {
        _alarms = new(ControlDatabase.Open(_scratch.Root), _time);
        _watch = new(_alarms);
    }

    public void Dispose()
    {
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _scratch.Dispose();
    }

    [Fact]
    public void Lost_credentials_are_an_alarm_at_once_and_none_when_they_are_put_right()
    {
        var alarm = Assert.Single(Step(new DestinationHealth("better-stack") { Blocked = "the source token is refused" }));
        Assert.Equal(("better-stack", "P1"), (alarm.Subject, alarm.Severity));
        Assert.Contains("the source token is refused", alarm.Text, StringComparison.Ordinal);
        Assert.Contains("logwarden destination set better-stack", alarm.Text, StringComparison.Ordinal);
        Assert.Empty(Step(new DestinationHealth("better-stack")));
        Assert.NotNull(Assert.Single(_alarms.History(DateTimeOffset.UnixEpoch)).Cleared);
    }

    [Fact]
    public void A_destination_that_refuses_is_an_alarm_after_the_policys_time_and_not_before()
    {
        var since = _time.GetUtcNow();
        var failing = new DestinationHealth("siem") { FailingSince = since, LastError = "HTTP 503" };
        Assert.Empty(Step(failing));
        _time.Advance(Patience);
        Assert.Empty(Step(failing));
        _time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("since 2026-07-05T12:00:00.000000Z: HTTP 503", Assert.Single(Step(failing)).Text, StringComparison.Ordinal);
        _time.Advance(TimeSpan.FromHours(5));
        Assert.Single(Step(failing)); // one alarm, however long it lasts
        Assert.Empty(Step(new DestinationHealth("siem") { LastError = "HTTP 503" }));
    }

    [Fact]
    public void One_that_takes_nothing_of_what_waits_or_gives_no_canary_back_is_an_alarm_though_nothing_fails()
    {
        var now = _time.GetUtcNow();
        Assert.Empty(Step(new DestinationHealth("lake") { WaitingSince = now - Patience }));
        Assert.Contains("is behind", Assert.Single(Step(new DestinationHealth("lake") { WaitingSince = now - Patience - TimeSpan.FromSeconds(1) })).Text, StringComparison.Ordinal);
        Assert.Contains("Canaries from crm, shop did not arrive at lake", Assert.Single(Step(new DestinationHealth("lake") { OverdueCanaries = ["crm", "shop"] })).Text, StringComparison.Ordinal);
        Assert.Empty(Step(new DestinationHealth("lake")));
    }

    [Fact]
    public void A_full_journal_and_an_archive_that_fails_have_alarms_of_their_own()
    {
        var open = Step(
            new DestinationHealth("journal") { Blocked = "it is full" },
            new DestinationHealth("archive") { FailingSince = _time.GetUtcNow() - Patience - TimeSpan.FromSeconds(1), LastError = "no route to host" });
        Assert.Equal(["archive", "journal"], open.Select(alarm => alarm.Subject).Order(StringComparer.Ordinal));
        Assert.Empty(Step(new DestinationHealth("journal"), new DestinationHealth("archive")));
    }

    [Fact]
    public void One_that_was_stopped_on_purpose_or_removed_has_none()
    {
        var blocked = new DestinationHealth("siem") { Blocked = "quota" };
        Assert.Single(Step(blocked));
        Assert.Empty(Step(blocked with { IsPaused = true }));
        Assert.Single(Step(blocked));
        Assert.Empty(Step());
    }

    IReadOnlyList<Alarm> Step(params DestinationHealth[] all)
    {
        _watch.Step(all, Patience, "P1", _time.GetUtcNow());
        return _alarms.Open;
    }
}
