using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public sealed class CloudWatchReadBackTests : IAsyncLifetime
{
    static readonly DateTimeOffset Now = CloudWatchWorld.Start;

    CloudWatchWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await CloudWatchWorld.StartAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    public async Task Events_that_are_there_are_found_behind_empty_pages_too(int emptyPages)
    {
        _world.Aws.State.EmptyPages = emptyPages;
        await _world.SendAsync(CloudWatchWorld.Event(0, Now.AddTicks(5)), CloudWatchWorld.Event(1, Now, "security-audit", "iam"), CloudWatchWorld.Event(3, Now));

        var found = await FindAsync(CloudWatchWorld.Sent(0, Now.AddTicks(5)), CloudWatchWorld.Sent(1, Now, "security-audit", "iam"), CloudWatchWorld.Sent(2, Now));

        Assert.Equal([StoredEvents.Id(0), StoredEvents.Id(1)], found!.Order());
        Assert.DoesNotContain(_world.Aws.Calls, call => call.Error is not null);
    }

    [Fact]
    public async Task An_event_of_another_time_stream_or_class_is_not_the_one()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now), CloudWatchWorld.Event(1, Now, source: "billing"));

        Assert.Empty((await FindAsync(CloudWatchWorld.Sent(0, Now.AddSeconds(1)), CloudWatchWorld.Sent(0, Now, source: "billing"), CloudWatchWorld.Sent(0, Now, "security-audit")))!);
    }

    [Fact]
    public async Task An_id_that_is_only_a_part_of_anothers_text_is_not_there()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now, text: StoredEvents.Id(7)));

        Assert.Empty((await FindAsync(CloudWatchWorld.Sent(7, Now)))!);
    }

    [Theory]
    [InlineData("a\"b")]
    [InlineData("zwölf + <3")]
    [InlineData("%{x} && ?y -z")]
    public async Task Ids_that_no_pattern_can_hold_are_found_by_their_time(string id)
    {
        var plain = CloudWatchWorld.Event(0, Now);
        Assert.True(Logwarden.Events.EventEncoding.TryRead(plain, out var e));
        e.Id = System.Text.Encoding.UTF8.GetBytes(id);
        var batch = new EventBatch();
        batch.Add(plain, e, _world.Destination);
        await _world.Destination.SendAsync(batch, CloudWatchWorld.Cancel);

        Assert.Equal([id], (await FindAsync(CloudWatchWorld.Sent(0, Now) with { Id = id }))!);
    }

    [Fact]
    public async Task What_has_expired_or_was_deleted_is_not_there()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now), CloudWatchWorld.Event(1, Now, "security-audit"));
        _world.Aws.State.Delete("/logwarden/security-audit");
        Assert.Equal([StoredEvents.Id(0)], (await FindAsync(CloudWatchWorld.Sent(0, Now), CloudWatchWorld.Sent(1, Now, "security-audit")))!);

        _world.Time.Advance(TimeSpan.FromDays(30) + TimeSpan.FromHours(73));

        Assert.Empty((await FindAsync(CloudWatchWorld.Sent(0, Now)))!);
    }

    [Fact]
    public async Task Without_the_right_to_read_there_is_no_proof_and_it_is_told_once()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        _world.Aws.Denied.Add("FilterLogEvents");

        Assert.Null(await FindAsync(CloudWatchWorld.Sent(0, Now)));
        Assert.Null(await FindAsync(CloudWatchWorld.Sent(0, Now)));

        Assert.Contains("logs:FilterLogEvents", Assert.Single(_world.Told), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(CloudWatchFault.ServiceUnavailable)]
    [InlineData(CloudWatchFault.CutBefore)]
    public async Task A_failure_that_passes_is_no_absence(CloudWatchFault fault)
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        _world.Aws.Fail(fault);

        await Assert.ThrowsAsync<IOException>(() => FindAsync(CloudWatchWorld.Sent(0, Now)));
        Assert.Single((await FindAsync(CloudWatchWorld.Sent(0, Now)))!);
    }

    async Task<IReadOnlySet<string>?> FindAsync(params SentEvent[] wanted) => await _world.Destination.FindAsync(wanted, CloudWatchWorld.Cancel);
}
