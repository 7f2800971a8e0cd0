using System.Globalization;
using CsCheck;
using Logwarden.Aws;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public sealed class CloudWatchPropertyTests
{
    sealed record One(double Hours, string Class, string Source, int Bytes, string Unit);

    static readonly Gen<One> Events = Gen.Select(
        Gen.OneOf(Gen.Double[-1, 1], Gen.Double[-30, 3], Gen.Double[-15 * 24, 4], Gen.OneOf(-24.0, -48.0, -14 * 24.0, 2.0, 0.0), Gen.Double[-24 * 1000, 24 * 100]),
        Gen.OneOf("application", "security-audit", "quarantine", "örtlich"), Gen.OneOf("shop", "billing", "a:b*c", "zürich"),
        Gen.Frequency((4, Gen.Const(0)), (4, Gen.Int[0, 2_000]), (1, Gen.Int[0, 600_000])), Gen.OneOf("x", "ü", "☃", "🎄", "\\n"),
        (hours, @class, source, bytes, unit) => new One(hours, @class, source, bytes, unit));

    static readonly Gen<CloudWatchFault> Faults = Gen.OneOf(CloudWatchFault.InternalFailure, CloudWatchFault.ServiceUnavailable, CloudWatchFault.BadGateway,
        CloudWatchFault.Aborted, CloudWatchFault.CutBefore);

    [Fact]
    public Task Whatever_is_sent_is_stored_once_or_refused_with_a_reason_and_no_call_is_invalid() => Gen.Select(
        Events.Array[1, 40], Faults.Array[0, 6], Gen.Int[-14, 14], Gen.Int[0, 3]).SampleAsync(async (events, faults, zone, deleted) =>
    {
        await using var world = await CloudWatchWorld.StartAsync();
        world.Time.SetLocalTimeZone(TimeZoneInfo.CreateCustomTimeZone("test", TimeSpan.FromHours(zone), "test", "test"));
        foreach (var fault in faults) world.Aws.Fail(fault);
        var encoded = events.Select((e, i) => CloudWatchWorld.Event(i, CloudWatchWorld.Start.AddHours(e.Hours), e.Class, e.Source, Text(e))).ToList();

        var (refused, isDeleted) = (new Dictionary<string, string>(StringComparer.Ordinal), false);
        foreach (var batch in Batches(world, encoded))
        {
            // A stream that goes between two batches takes nothing along that was not there.
            if (deleted == 1 && !isDeleted && world.StoredIds().Count == 0 && world.Aws.State.Groups.Count > 0) world.Aws.State.Delete(world.Aws.State.Groups[0]);
            isDeleted = true;
            await DeliverAsync(world, batch, refused, faults.Length);
        }

        var expected = Enumerable.Range(0, events.Length).Select(i => StoredEvents.Id(i)).ToHashSet(StringComparer.Ordinal);
        var stored = world.StoredIds();
        Assert.Equal(stored.Count, stored.Distinct(StringComparer.Ordinal).Count());
        Assert.Empty(stored.Intersect(refused.Keys, StringComparer.Ordinal));
        Assert.Equal(expected.Order(StringComparer.Ordinal), stored.Concat(refused.Keys).Order(StringComparer.Ordinal));
        Assert.All(refused, pair => Assert.True(events[int.Parse(pair.Key[4..], CultureInfo.InvariantCulture)].Hours is > 1.99 or < -13.9 * 24, pair.Key + " " + pair.Value));
        Assert.DoesNotContain(world.Aws.Calls, call => call.Error is not (null or "ResourceAlreadyExistsException" or "ResourceNotFoundException") && !Enum.TryParse<CloudWatchFault>(call.Error, out _));
    }, iter: 15, threads: 1);

    [Fact]
    public void A_plan_holds_each_event_once_and_breaks_no_rule() => Events.Array[1, 60].Sample(events =>
    {
        var now = CloudWatchWorld.Start;
        var batch = new EventBatch();
        var plain = new Plain();
        for (var i = 0; i < events.Length; i++)
        {
            var encoded = CloudWatchWorld.Event(i, now.AddHours(events[i].Hours), events[i].Class, events[i].Source, Text(events[i]));
            Assert.True(Logwarden.Events.EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, plain);
        }

        var plan = PutPlan.Of(batch, "/logwarden", now);

        Assert.Equal(Enumerable.Range(0, events.Length), plan.Calls.SelectMany(call => call.Events).Concat(plan.Outside).Select(e => e.Index).Order());
        foreach (var call in plan.Calls)
        {
            Assert.InRange(call.Events.Count, 1, 10_000);
            Assert.InRange(call.Events.Sum(e => batch.Wire(e.Index).Length + 26L), 1, Math.Max(1_048_576, batch.Wire(call.Events[0].Index).Length + 26));
            Assert.All(call.Events.Zip(call.Events.Skip(1)), pair => Assert.True(pair.First.Millis <= pair.Second.Millis));
            Assert.True(call.Events[^1].Millis - call.Events[0].Millis < 86_400_000);
            Assert.All(call.Events, e => Assert.Equal((call.Class, call.Stream.Name), (events[e.Index].Class, PutPlan.Stream(events[e.Index].Source))));
            Assert.Matches(@"\A[.\-_/#A-Za-z0-9]{1,512}\z", call.Stream.Group);
            Assert.Matches(@"\A[^:*]{1,512}\z", call.Stream.Name);
        }
    }, iter: 100);

    [Fact]
    public void Different_names_stay_different() => Gen.Select(Gen.String[0, 20], Gen.String[0, 20]).Sample((a, b) =>
    {
        // Lone surrogates can't come from UTF-8.
        var (one, other) = (Round(a), Round(b));
        return one == other || (PutPlan.Stream(one) != PutPlan.Stream(other) && PutPlan.Group("p", one) != PutPlan.Group("p", other));

        static string Round(string text) => System.Text.Encoding.UTF8.GetString(System.Text.Encoding.UTF8.GetBytes(text));
    });

    /// <summary>Batches as the delivery loop makes them: in order, within the limits.</summary>
    static IEnumerable<EventBatch> Batches(CloudWatchWorld world, List<byte[]> events)
    {
        var limits = world.Destination.Limits;
        for (var from = 0; from < events.Count;)
        {
            var to = from + 1;
            while (to < events.Count && world.Batch(events[from..(to + 1)]) is var more && more.WireBytes + more.Count * limits.EventOverhead <= limits.BytesMax) to++;
            yield return world.Batch(events[from..to]);
            from = to;
        }
    }

    /// <summary>What the delivery loop does with answers, without its waiting.</summary>
    static async Task DeliverAsync(CloudWatchWorld world, EventBatch batch, Dictionary<string, string> refused, int faults)
    {
        for (var tries = 0; batch.Count > 0; tries++)
        {
            Assert.True(tries <= faults + 1, "it does not end");
            switch (await world.Destination.SendAsync(batch, CloudWatchWorld.Cancel))
            {
                case Answer.Accepted:
                    return;
                case Answer.Refused answer:
                    Note(answer.Events);
                    return;
                case Answer.Later later:
                    Note(later.Refusals);
                    var settled = later.Taken.Concat(later.Refusals.Select(e => e.Index)).ToList();
                    Assert.Equal(settled.Count, settled.Distinct().Count());
                    batch = CloudWatchWorld.Without(batch, settled);
                    break;
                case var other:
                    Assert.Fail(other.ToString());
                    break;
            }
        }

        void Note(IReadOnlyList<RefusedEvent> events)
        {
            foreach (var (index, reason) in events)
            {
                Assert.NotEmpty(reason);
                refused.Add(System.Text.Encoding.UTF8.GetString(batch.Event(index).Id), reason);
            }
        }
    }

    static string Text(One e) => string.Concat(Enumerable.Repeat(e.Unit, e.Bytes / System.Text.Encoding.UTF8.GetByteCount(e.Unit)));

    /// <summary>Renders the bare event.</summary>
    sealed class Plain : IDestination
    {
        public DestinationLimits Limits => default;

        public void Render(in Logwarden.Events.StoredEvent e, System.Buffers.IBufferWriter<byte> output) => System.Buffers.BuffersExtensions.Write(output, e.Json);

        public ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel) => throw new NotSupportedException();

        public ValueTask DisposeAsync() => ValueTask.CompletedTask;
    }
}
