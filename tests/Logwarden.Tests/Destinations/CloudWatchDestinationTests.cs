using System.Buffers;
using Logwarden.Aws;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public sealed class CloudWatchDestinationTests : IAsyncLifetime
{
    static readonly DateTimeOffset Now = CloudWatchWorld.Start;

    CloudWatchWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await CloudWatchWorld.StartAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Fact]
    public async Task Each_class_has_a_group_that_keeps_its_hot_time_and_each_source_a_stream()
    {
        var answer = await _world.SendAsync(
            CloudWatchWorld.Event(0, Now, source: "shop"),
            CloudWatchWorld.Event(1, Now, "security-audit", "iam"),
            CloudWatchWorld.Event(2, Now, source: "billing"),
            CloudWatchWorld.Event(3, Now, "quarantine", "shop"));

        Assert.IsType<Answer.Accepted>(answer);
        Assert.Equal(["/logwarden/application", "/logwarden/quarantine", "/logwarden/security-audit"], _world.Aws.State.Groups);
        Assert.Equal(["billing", "shop"], _world.Aws.State.Streams("/logwarden/application"));
        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Equal(120, _world.Aws.State.Retention("/logwarden/security-audit"));
        Assert.Equal(120, _world.Aws.State.Retention("/logwarden/quarantine"));
        Assert.Empty(_world.Told);
    }

    [Fact]
    public async Task The_message_is_the_events_json_line_with_its_time_in_milliseconds()
    {
        var at = Now.AddTicks(12_345_678);
        await _world.SendAsync(CloudWatchWorld.Event(7, at, text: "zwölf ☃ 🎄 \\u0000"));

        var stored = Assert.Single(_world.Aws.State.Events("/logwarden/application", "shop"));
        Assert.Equal(at.ToUnixTimeMilliseconds(), stored.Millis);
        Assert.StartsWith("""{"message":"zwölf ☃ 🎄 \u0000","unmapped":{"logwarden":{"event_id":"evt-00000007",""", stored.Message, StringComparison.Ordinal);
        Assert.EndsWith("}", stored.Message, StringComparison.Ordinal);
        Assert.DoesNotContain('\n', stored.Message);
    }

    [Fact]
    public async Task Groups_and_streams_that_are_there_already_are_taken_as_they_are()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        await _world.RestartAsync(new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = 30 });

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(1, Now)));

        Assert.Equal(2, _world.StoredIds().Count);
        Assert.Equal(1, _world.Count("CreateLogGroup"));
        Assert.Equal(1, _world.Count("PutRetentionPolicy"));
        Assert.Empty(_world.Told);
    }

    [Fact]
    public async Task A_batch_in_any_order_over_two_weeks_is_sent_in_order_in_calls_of_less_than_a_day()
    {
        var events = Enumerable.Range(0, 60).Select(i => CloudWatchWorld.Event(i, Now.AddHours(-(i * 37 % 60) * 5)));

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(events));

        Assert.Equal(Enumerable.Range(0, 60).Select(i => StoredEvents.Id(i)), _world.StoredIds());
        Assert.Equal(12, _world.Count("PutLogEvents"));
        Assert.DoesNotContain(_world.Aws.Calls, call => call.Error is not null);
    }

    [Fact]
    public async Task Events_of_one_millisecond_stay_in_the_journals_order()
    {
        await _world.SendAsync(CloudWatchWorld.Event(1, Now.AddTicks(900)), CloudWatchWorld.Event(2, Now.AddTicks(100)), CloudWatchWorld.Event(3, Now.AddTicks(500)));

        Assert.Equal(["evt-00000001", "evt-00000002", "evt-00000003"],
            _world.Aws.State.Events("/logwarden/application", "shop").Select(e => CloudWatchWorld.Id(e.Message)));
    }

    [Theory]
    [InlineData("x")]
    [InlineData("ü")]
    [InlineData("\\\"")]
    public async Task A_batch_as_large_as_the_limits_allow_is_one_call(string unit)
    {
        var limits = _world.Destination.Limits;
        var half = limits.BytesMax / 2 - limits.EventOverhead;
        var batch = _world.Batch(_world.Sized(0, Now, half, unit), _world.Sized(1, Now, half, unit));
        Assert.Equal(limits.BytesMax, batch.WireBytes + 2 * limits.EventOverhead);

        Assert.IsType<Answer.Accepted>(await _world.Destination.SendAsync(batch, CloudWatchWorld.Cancel));
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(_world.Sized(2, Now, limits.EventBytesMax, unit)));

        Assert.Equal([2, 1], _world.Aws.Calls.Where(call => call.Operation == "PutLogEvents").Select(call => call.Events));
    }

    [Fact]
    public async Task As_many_events_as_the_limits_allow_are_one_call()
    {
        var events = Enumerable.Range(0, _world.Destination.Limits.EventsMax).Select(i => StoredEvents.One(i, UnixMicros.Of(Now) - i, json: "{}"));
        var batch = new EventBatch();
        foreach (var encoded in events)
        {
            Assert.True(EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, new Tiny(_world.Destination));
        }

        Assert.IsType<Answer.Accepted>(await _world.Destination.SendAsync(batch, CloudWatchWorld.Cancel));

        Assert.Equal(10_000, Assert.Single(_world.Aws.Calls, call => call.Operation == "PutLogEvents").Events);
    }

    [Fact]
    public void What_is_no_utf8_is_sent_as_a_text_within_JSON_that_is()
    {
        var encoded = StoredEvents.One(1, json: "{\"message\":\"a?b\"}");
        encoded.AsSpan().Replace((byte)'?', (byte)0xC3);

        var wire = _world.Batch(encoded).Wire(0);

        Assert.True(System.Text.Unicode.Utf8.IsValid(wire.Span));
        using var json = System.Text.Json.JsonDocument.Parse(wire);
        Assert.Contains("a\uFFFDb", json.RootElement.GetProperty("unmapped").GetProperty("damaged").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(-14 * 24 - 0.1, "14 days old")]
    [InlineData(2.1, "2 hours ahead")]
    [InlineData(-14 * 24 * 30, "14 days old")]
    [InlineData(24 * 300, "2 hours ahead")]
    public async Task Events_that_CloudWatch_drops_are_refused_with_the_reason_and_the_others_are_in(double hours, string reason)
    {
        var answer = await _world.SendAsync(CloudWatchWorld.Event(0, Now.AddHours(-1)), CloudWatchWorld.Event(1, Now.AddHours(hours)), CloudWatchWorld.Event(2, Now));

        var refused = Assert.Single(Assert.IsType<Answer.Refused>(answer).Events);
        Assert.Equal(1, refused.Index);
        Assert.Contains(reason, refused.Reason, StringComparison.Ordinal);
        Assert.Contains("in the archive", refused.Reason, StringComparison.Ordinal);
        Assert.Equal(["evt-00000000", "evt-00000002"], _world.StoredIds());
        Assert.DoesNotContain(_world.Aws.Calls, call => call.Error is not null);
    }

    [Fact]
    public async Task Events_older_than_the_group_keeps_them_are_refused()
    {
        await _world.RestartAsync(new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = 4 });

        var answer = await _world.SendAsync(Enumerable.Range(0, 8).Select(i => CloudWatchWorld.Event(i, Now.AddDays(-i))));

        Assert.Equal(5, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Equal([6, 7], Assert.IsType<Answer.Refused>(answer).Events.Select(e => e.Index));
        Assert.All(((Answer.Refused)answer).Events, e => Assert.Contains("its log group keeps", e.Reason, StringComparison.Ordinal));
        Assert.Equal(6, _world.StoredIds().Count);
    }

    [Fact]
    public async Task All_kinds_of_dropped_events_of_one_call_are_told_apart()
    {
        _world.Aws.State.Create("/logwarden/application");
        await _world.RestartAsync(new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = 1 });

        var answer = await _world.SendAsync(new[] { -24.5, -23.5, 0, 1.9, 2.1, -14 * 24 - 0.1 }.Select((hours, i) => CloudWatchWorld.Event(i, Now.AddHours(hours))));

        Assert.Equal([0, 4, 5], Assert.IsType<Answer.Refused>(answer).Events.Select(e => e.Index));
        Assert.Contains("its log group keeps", ((Answer.Refused)answer).Events[0].Reason, StringComparison.Ordinal);
        Assert.Contains("ahead", ((Answer.Refused)answer).Events[1].Reason, StringComparison.Ordinal);
        Assert.Contains("14 days", ((Answer.Refused)answer).Events[2].Reason, StringComparison.Ordinal);
        Assert.Equal(3, _world.StoredIds().Count);
    }

    [Fact]
    public async Task A_backfill_of_years_takes_one_look_at_the_clock_and_no_call_for_each_day()
    {
        var answer = await _world.SendAsync(Enumerable.Range(0, 500).Select(i => CloudWatchWorld.Event(i, Now.AddDays(-20 - i))));

        Assert.Equal(500, Assert.IsType<Answer.Refused>(answer).Events.Count);
        Assert.Equal("DescribeLogGroups", Assert.Single(_world.Aws.Calls).Operation);
    }

    [Fact]
    public async Task A_wrong_clock_of_ours_refuses_no_event()
    {
        _world.Aws.ClockAhead = TimeSpan.FromDays(30);

        var answer = await _world.SendAsync(CloudWatchWorld.Event(0, Now.AddDays(30)));

        Assert.Contains("clock of this machine", Assert.IsType<Answer.Blocked>(answer).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Times_before_1970_and_beyond_all_calendars_are_refused()
    {
        var answer = await _world.SendAsync(StoredEvents.One(0, -1), StoredEvents.One(1, long.MinValue), StoredEvents.One(2, long.MaxValue), CloudWatchWorld.Event(3, Now));

        Assert.Equal([0, 1, 2], Assert.IsType<Answer.Refused>(answer).Events.Select(e => e.Index));
        Assert.Equal(["evt-00000003"], _world.StoredIds());
    }

    [Fact]
    public async Task Retention_that_somebody_changes_is_put_right_within_a_day_and_told()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        _world.Aws.State.Retain("/logwarden/application", 1);
        await _world.SendAsync(CloudWatchWorld.Event(1, Now));
        Assert.Equal(1, _world.Aws.State.Retention("/logwarden/application"));

        _world.Time.Advance(TimeSpan.FromDays(1));
        await _world.SendAsync(CloudWatchWorld.Event(2, Now.AddDays(1)));

        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Contains("/logwarden/application kept its events 1 days instead of 30 days; that is put right", Assert.Single(_world.Told), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1, 1)]
    [InlineData(4, 5)]
    [InlineData(90, 90)]
    [InlineData(396, 400)]
    [InlineData(730, 731)]
    [InlineData(3653, 3653)]
    [InlineData(3654, null)]
    public async Task Retention_is_the_next_number_of_days_that_CloudWatch_knows(int hot, int? expected)
    {
        _world.Aws.State.Create("/logwarden/application");
        _world.Aws.State.Retain("/logwarden/application", 30);
        await _world.RestartAsync(new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = hot });

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));

        Assert.Equal(expected, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Contains("kept its events 30 days instead of", Assert.Single(_world.Told), StringComparison.Ordinal);
    }

    [Fact]
    public async Task The_right_group_is_found_among_pages_of_others_that_begin_like_it()
    {
        _world.Aws.State.GroupsPerPage = 2;
        foreach (var name in (string[])["/logwarden/application-1", "/logwarden/application-2", "/logwarden/application", "/logwarden/application/3"]) _world.Aws.State.Create(name);
        foreach (var name in (string[])["/logwarden/application-1", "/logwarden/application-2", "/logwarden/application/3"]) _world.Aws.State.Retain(name, 1);

        await _world.SendAsync(CloudWatchWorld.Event(0, Now));

        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Equal(1, _world.Aws.State.Retention("/logwarden/application-1"));
    }

    [Fact]
    public async Task Without_the_right_to_look_at_retention_events_are_delivered_and_it_is_told()
    {
        _world.Aws.Denied.Add("DescribeLogGroups");

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(1, Now)));

        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Contains("logs:DescribeLogGroups", Assert.Single(_world.Told), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_group_that_somebody_deletes_is_made_again_with_its_retention_and_told()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        _world.Aws.State.Delete("/logwarden/application");

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(1, Now), CloudWatchWorld.Event(2, Now.AddDays(-3))));

        Assert.Equal(["evt-00000001", "evt-00000002"], _world.StoredIds());
        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
        Assert.Contains("was deleted by somebody", Assert.Single(_world.Told), StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_fails_in_one_of_several_calls_leaves_the_others_in_and_the_rest_is_sent_alone()
    {
        await _world.SendAsync(CloudWatchWorld.Event(100, Now, source: "a"), CloudWatchWorld.Event(101, Now, source: "b"));
        var events = new[] { CloudWatchWorld.Event(0, Now, source: "a"), CloudWatchWorld.Event(1, Now.AddDays(-15), source: "a"), CloudWatchWorld.Event(2, Now, source: "b") };
        _world.Aws.Fail(CloudWatchFault.ServiceUnavailable, "PutLogEvents");
        var batch = _world.Batch(events);

        var later = Assert.IsType<Answer.Later>(await _world.Destination.SendAsync(batch, CloudWatchWorld.Cancel));

        var settled = later.Taken.Concat(later.Refusals.Select(e => e.Index));
        Assert.DoesNotContain(1, later.Taken);
        var next = await _world.Destination.SendAsync(CloudWatchWorld.Without(batch, settled), CloudWatchWorld.Cancel);
        Assert.True(next is Answer.Accepted || next is Answer.Refused { Events.Count: 1 });
        Assert.Equal(["evt-00000000", "evt-00000002", "evt-00000100", "evt-00000101"], _world.StoredIds());
    }

    [Fact]
    public void Refused_events_are_told_beside_those_to_try_again()
    {
        var outcome = new PutOutcome();
        outcome.Took(new(new("/logwarden/application", "shop"), "application", [new(0, 0), new(1, 1)]), (1, 0, 2));
        outcome.Failed(new Answer.TooLarge());
        outcome.Failed(new Answer.Later(TimeSpan.FromSeconds(3), "busy"));
        outcome.Failed(new Answer.TooLarge());

        var later = Assert.IsType<Answer.Later>(outcome.ToAnswer());

        Assert.Equal((TimeSpan.FromSeconds(3), "busy"), (later.RetryAfter, later.Reason));
        Assert.Equal([1], later.Taken);
        Assert.Equal(0, Assert.Single(later.Refusals).Index);
    }

    [Fact]
    public async Task A_region_with_a_lower_limit_has_the_batch_halved()
    {
        _world.Aws.State.EventBytesMax = 262_144;

        Assert.IsType<Answer.TooLarge>(await _world.SendAsync(CloudWatchWorld.Event(0, Now), _world.Sized(1, Now, 262_144)));
    }

    /// <summary>Renders next to nothing, so that the number of events is what limits.</summary>
    sealed class Tiny(IDestination inner) : IDestination
    {
        public DestinationLimits Limits => inner.Limits;

        public void Render(in StoredEvent e, IBufferWriter<byte> output) => output.Write("x"u8);

        public ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel) => inner.SendAsync(batch, cancel);

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
