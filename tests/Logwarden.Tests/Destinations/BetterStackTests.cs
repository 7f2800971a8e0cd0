using System.Globalization;
using System.Text;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public class BetterStackTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    static async Task<BetterStackRig> RigAsync() => (BetterStackRig)await BetterStackRig.StartAsync(Cancel);

    [Fact]
    public async Task Events_have_time_message_level_and_id_where_the_service_looks_for_them()
    {
        await using var rig = await RigAsync();
        byte[][] events = [StoredEvents.One(1, json: """{"class_uid":6003,"dt":"yesterday","level":9,"event_id":"forged","message":7}"""), StoredEvents.One(2)];
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(DestinationRig.Batch(rig.Destination, events), Cancel));
        var one = rig.Source.Received[0].Json;
        Assert.Equal("2026-07-01T00:00:00.001000Z", one.GetProperty("dt").GetString());
        Assert.Equal("info", one.GetProperty("level").GetString());
        Assert.Equal("evt-00000001", one.GetProperty("event_id").GetString());
        Assert.Equal("order:update by grace on order/1: success", one.GetProperty("message").GetString());
        Assert.Equal(UnixMicros.ToInstant(StoredEvents.Epoch + 1000), rig.Source.Received[0].Dt);
        Assert.Equal(["class_uid", "unmapped", "dt", "level", "event_id", "message"], one.EnumerateObject().Select(field => field.Name));
        // Its own message is the better one.
        Assert.Equal("order 2 updated", rig.Source.Received[1].Json.GetProperty("message").GetString());
    }

    [Theory]
    [InlineData(0, "info")]
    [InlineData(1, "info")]
    [InlineData(2, "notice")]
    [InlineData(3, "warn")]
    [InlineData(4, "error")]
    [InlineData(5, "critical")]
    [InlineData(6, "fatal")]
    [InlineData(99, "info")]
    public async Task Severity_becomes_a_level(byte severity, string level)
    {
        await using var rig = await RigAsync();
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        rig.Destination.Render(new StoredEvent { SeverityId = severity, Json = "{}"u8 }, output);
        Assert.Contains($"\"level\":\"{level}\"", Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_message_is_short_and_whole_characters_and_a_time_beyond_calendars_gives_way_to_that_of_acceptance()
    {
        await using var rig = await RigAsync();
        var output = new System.Buffers.ArrayBufferWriter<byte>();
        var e = new StoredEvent
        {
            Id = "x"u8,
            TimeMicros = long.MaxValue,
            IngestedMicros = StoredEvents.Epoch,
            Action = new(Encoding.UTF8.GetBytes(new string('ä', 500))),
            User = new("a\xFF"u8),
            StatusId = 2,
            Json = "{}"u8,
        };
        rig.Destination.Render(e, output);
        using var json = System.Text.Json.JsonDocument.Parse(output.WrittenMemory);
        Assert.Equal(new string('ä', 60) + "… by aÿ: failure", json.RootElement.GetProperty("message").GetString());
        Assert.Equal("2026-07-01T00:00:00.000000Z", json.RootElement.GetProperty("dt").GetString());
    }

    [Fact]
    public async Task Rendering_allocates_nothing_once_it_is_warm()
    {
        await using var rig = await RigAsync();
        var encoded = StoredEvents.One(1, json: """{"class_uid":6003,"time":1,"actor":{"user":{"uid":"grace"}},"unmapped":{"a":[1,2,{"b":"c"}]}}""");
        var output = new System.Buffers.ArrayBufferWriter<byte>(1 << 20);
        for (var i = 0; i < 200; i++) Render();
        output.ResetWrittenCount();
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 200; i++) Render();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 200 * 16);

        void Render()
        {
            EventEncoding.TryRead(encoded, out var e);
            rig.Destination.Render(e, output);
        }
    }

    [Fact]
    public async Task Quota_token_and_wrong_answers_block_and_what_passes_is_for_later()
    {
        await using var rig = await RigAsync();
        var batch = rig.Batch(0, 2);
        rig.Far.IsQuotaExceeded = true;
        Assert.Contains("402", Assert.IsType<Answer.Blocked>(await rig.Destination.SendAsync(batch, Cancel)).Reason, StringComparison.Ordinal);
        rig.Far.IsQuotaExceeded = false;
        foreach (var status in (int[])[200, 204, 301, 400, 401, 403, 404, 405, 407])
        {
            rig.Far.Fail(StandInFault.Answer(status));
            Assert.IsType<Answer.Blocked>(await rig.Destination.SendAsync(batch, Cancel));
        }
        foreach (var status in (int[])[408, 425, 429, 500, 502, 503, 504])
        {
            rig.Far.Fail(StandInFault.Answer(status));
            Assert.Null(Assert.IsType<Answer.Later>(await rig.Destination.SendAsync(batch, Cancel)).RetryAfter);
        }
        Assert.Empty(rig.Arrived);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(batch, Cancel));
    }

    [Fact]
    public async Task Retry_After_is_read_in_both_forms()
    {
        await using var rig = await RigAsync();
        async Task<TimeSpan?> AfterAsync(string? header)
        {
            rig.Far.Fail(StandInFault.Answer(429, header));
            return Assert.IsType<Answer.Later>(await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel)).RetryAfter;
        }
        Assert.Equal(TimeSpan.FromSeconds(17), await AfterAsync("17"));
        Assert.Equal(TimeSpan.FromSeconds(90), await AfterAsync(rig.Time.GetUtcNow().AddSeconds(90).ToString("R", CultureInfo.InvariantCulture)));
        Assert.Equal(TimeSpan.Zero, await AfterAsync(rig.Time.GetUtcNow().AddSeconds(-90).ToString("R", CultureInfo.InvariantCulture)));
        Assert.Null(await AfterAsync("soon"));
        Assert.Null(await AfterAsync(null));
    }

    [Fact]
    public async Task The_one_event_that_it_can_not_read_is_found_by_halving()
    {
        await using var rig = await RigAsync();
        rig.Far.Refuses = one => one.GetProperty("event_id").GetString() == StoredEvents.Id(11);
        var batch = rig.Batch(0, 16);
        var refused = new List<int>();
        var work = new Stack<int[]>([[.. Enumerable.Range(0, 16)]]);
        while (work.TryPop(out var indexes))
        {
            var part = new EventBatch();
            part.CopyFrom(batch, indexes);
            switch (await rig.Destination.SendAsync(part, Cancel))
            {
                case Answer.TooLarge:
                    work.Push(indexes[(indexes.Length / 2)..]);
                    work.Push(indexes[..(indexes.Length / 2)]);
                    break;
                case Answer.Refused one:
                    Assert.Contains("406", Assert.Single(one.Events).Reason, StringComparison.Ordinal);
                    refused.Add(indexes[0]);
                    break;
                case Answer.Accepted:
                    break;
                case var other:
                    Assert.Fail(other.ToString());
                    break;
            }
        }
        Assert.Equal([11], refused);
        Assert.Equal(Enumerable.Range(0, 16).Where(i => i != 11).Select(i => StoredEvents.Id(i)), rig.Arrived);
    }

    [Fact]
    public async Task A_connection_that_breaks_leaves_open_whether_it_was_taken()
    {
        await using var rig = await RigAsync();
        rig.Far.Fail(StandInFault.CutBefore, StandInFault.CutAfter);
        await Assert.ThrowsAsync<IOException>(async () => await rig.Destination.SendAsync(rig.Batch(0, 2), Cancel));
        Assert.Empty(rig.Arrived);
        await Assert.ThrowsAsync<IOException>(async () => await rig.Destination.SendAsync(rig.Batch(0, 2), Cancel));
        Assert.Equal(2, rig.Arrived.Count);
        // Nobody can know, so it is sent again, and is there twice.
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(rig.Batch(0, 2), Cancel));
        Assert.Equal(4, rig.Arrived.Count);
    }

    [Fact]
    public async Task An_answer_that_does_not_come_is_waited_for_two_minutes()
    {
        await using var rig = await RigAsync();
        rig.Far.Fail(StandInFault.Slow(TimeSpan.FromMinutes(10)));
        var sending = rig.Destination.SendAsync(rig.Batch(0, 1), Cancel).AsTask();
        while (rig.Far.Requests == 0) await Task.Yield();
        rig.Time.Advance(TimeSpan.FromSeconds(119));
        Assert.False(sending.IsCompleted);
        rig.Time.Advance(TimeSpan.FromSeconds(2));
        Assert.Contains("no answer after 120 s", (await Assert.ThrowsAsync<IOException>(() => sending)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task After_five_failures_in_a_row_it_is_left_alone_for_a_while()
    {
        await using var rig = await RigAsync();
        for (var i = 0; i < 5; i++) rig.Far.Fail(StandInFault.Answer(503));
        for (var i = 0; i < 5; i++) Assert.IsType<Answer.Later>(await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel));
        var open = await Assert.ThrowsAsync<HttpRequestException>(async () => await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel));
        Assert.Contains("not asked", open.Message, StringComparison.Ordinal);
        Assert.Equal(5, rig.Far.Requests);
        rig.Time.Advance(DestinationHttp.BreakDuration + TimeSpan.FromSeconds(1));
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel));
    }

    [Fact]
    public async Task A_new_token_is_taken_at_once_and_one_that_is_gone_blocks()
    {
        using var scratch = new ScratchFolder();
        await using var far = await BetterStackStandIn.StartAsync(TimeProvider.System, Cancel);
        var source = far.AddSource("new-token", "t1_shop");
        var path = scratch.File("token");
        File.WriteAllText(path, "old-token\n", Encoding.UTF8);
        await using var destination = DestinationRig.Make("better-stack", TimeProvider.System, ("endpoint", far.Endpoint.AbsoluteUri), ("token", "file:" + path));
        var batch = DestinationRig.Batch(destination, StoredEvents.One(1));
        Assert.Contains("403", Assert.IsType<Answer.Blocked>(await destination.SendAsync(batch, Cancel)).Reason, StringComparison.Ordinal);
        File.WriteAllText(path, "new-token\n", Encoding.UTF8);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));
        Assert.Single(source.Received);
        File.WriteAllText(path, "two\nlines", Encoding.UTF8);
        var blocked = Assert.IsType<Answer.Blocked>(await destination.SendAsync(batch, Cancel));
        Assert.DoesNotContain("lines\n", blocked.Reason, StringComparison.Ordinal);
        File.Delete(path);
        Assert.Contains(path, Assert.IsType<Answer.Blocked>(await destination.SendAsync(batch, Cancel)).Reason, StringComparison.Ordinal);
        Assert.Null(await destination.FindAsync([], Cancel));
    }

    [Theory]
    [InlineData("endpoint", "http://ingest.example.com")]
    [InlineData("endpoint", "https://user:password@ingest.example.com")]
    [InlineData("token", "the-token-itself")]
    [InlineData("query-user", "reader")]
    [InlineData("query-endpoint", "https://query.example.com")]
    public void Settings_that_would_leak_or_are_half_there_are_refused(string name, string value)
    {
        Environment.SetEnvironmentVariable("LOGWARDEN_TEST_TOKEN", "t");
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["endpoint"] = "https://ingest.example.com", ["token"] = "env:LOGWARDEN_TEST_TOKEN", [name] = value };
        var refused = Assert.Throws<SettingException>(() => DestinationRig.Make("better-stack", TimeProvider.System, [.. settings.Select(pair => (pair.Key, pair.Value))]));
        Assert.DoesNotContain("password@", refused.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("the-token-itself", refused.Message, StringComparison.Ordinal);
    }
}
