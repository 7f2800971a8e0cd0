using System.Text.Json;
using Logwarden.Delivery;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Policy;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Delivery;

public class CanariesTests
{
    [Fact]
    public void A_canary_takes_the_way_of_the_events_that_it_stands_for()
    {
        using var world = new DeliveryWorld();
        var canaries = new Canaries(world.Database, world.Time);
        canaries.Observe(Event("infrastructure", "org", """{"class_uid":6003,"cloud":{"account":{"uid":"1"},"provider":"AWS"}}"""));
        canaries.Observe(Event("infrastructure", "org", """{"class_uid":6003,"cloud":{"provider":"Azure"}}""")); // looks alike: not looked into
        canaries.Observe(Event("application", "shop", "{}"));
        Assert.Equal([new("org", "infrastructure", "app", "AWS"), new CanaryShape("shop", "application", "app", "")], canaries.Shapes.OrderBy(shape => shape.Source, StringComparer.Ordinal));

        var batch = canaries.Make(new("org", "infrastructure", "k8s-audit", "AWS"), (_, _) => true, ["archive"]);
        Assert.True(EventEncoding.TryRead(batch.Bytes.WrittenSpan, out var e));
        Assert.False(DeliveryRoute.Of(PolicySnapshot.Default, "better-stack").Takes(e));
        batch = canaries.Make(new("org", "infrastructure", "k8s-audit", "Vultr"), (_, _) => true, ["archive"]);
        Assert.True(EventEncoding.TryRead(batch.Bytes.WrittenSpan, out e));
        Assert.True(DeliveryRoute.Of(PolicySnapshot.Default, "better-stack").Takes(e));
        using var json = JsonDocument.Parse(e.Json.ToArray());
        Assert.Equal("logwarden.canary", json.RootElement.GetProperty("metadata").GetProperty("labels")[0].GetString());
        Assert.True(Canaries.IsCanary(e.Id));
    }

    [Fact]
    public void Shapes_are_known_after_a_restart_and_forgotten_when_nothing_like_them_comes_any_more()
    {
        using var world = new DeliveryWorld();
        new Canaries(world.Database, world.Time).Observe(Event("application", "shop", "{}"));
        Assert.Single(new Canaries(world.Database, world.Time).Shapes);
        world.Time.Advance(TimeSpan.FromDays(31));
        Assert.Empty(new Canaries(world.Database, world.Time).Shapes);
    }

    [Fact]
    public void A_way_is_confirmed_when_its_canary_is_read_back_and_waits_until_then()
    {
        using var world = new DeliveryWorld();
        var canaries = new Canaries(world.Database, world.Time);
        var batch = canaries.Make(new("shop", "application", "app", ""), (name, _) => name is not "cloudwatch", ["better-stack", "cloudwatch", "archive"]);
        Assert.Equal(["archive", "better-stack"], canaries.Paths().Select(path => path.Destination).Order(StringComparer.Ordinal));
        Assert.All(canaries.Paths(), path => Assert.Equal(world.Time.GetUtcNow(), path.WaitingSince));
        Assert.Empty(canaries.Unconfirmed("better-stack", 9));
        var id = Assert.Single(canaries.UnderWay("better-stack")).Id;

        world.Time.Advance(TimeSpan.FromSeconds(3));
        var sent = new EventBatch();
        var far = new FarSide();
        EventEncoding.TryRead(batch.Bytes.WrittenSpan, out var e);
        sent.Add(batch.Bytes.WrittenSpan, e, far);
        canaries.Settled("better-stack", sent, _ => true);
        Assert.Equal(id, Assert.Single(canaries.Unconfirmed("better-stack", 9)).Id);
        Assert.NotNull(canaries.Paths().Single(path => path.Destination is "better-stack").WaitingSince); // taken is not found

        world.Time.Advance(TimeSpan.FromSeconds(4));
        canaries.Confirm("better-stack", [id], isRead: true);
        var way = canaries.Paths().Single(path => path.Destination is "better-stack");
        Assert.Equal(TimeSpan.FromSeconds(7), way.Latency);
        Assert.Null(way.WaitingSince);
        Assert.NotNull(canaries.Paths().Single(path => path.Destination is "archive").WaitingSince);
    }

    [Fact]
    public void Where_nothing_can_be_read_the_acknowledgement_counts()
    {
        using var world = new DeliveryWorld();
        var canaries = new Canaries(world.Database, world.Time);
        canaries.Make(new("shop", "application", "app", ""), (_, _) => true, ["syslog"]);
        var id = canaries.UnderWay("syslog")[0].Id;
        world.Time.Advance(TimeSpan.FromSeconds(2));
        canaries.Arrived("syslog", id);
        world.Time.Advance(TimeSpan.FromSeconds(60));
        canaries.Confirm("syslog", [id], isRead: false);
        Assert.Equal(TimeSpan.FromSeconds(2), Assert.Single(canaries.Paths()).Latency);
    }

    static StoredEvent Event(string @class, string source, string json) =>
        EventEncoding.TryRead(StoredEvents.One(1, @class: @class, source: source, json: json), out var e) ? e : throw new InvalidOperationException();
}
