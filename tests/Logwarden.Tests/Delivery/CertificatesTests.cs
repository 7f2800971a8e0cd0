using System.Text;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Flow;
using Logwarden.Proof.Notes;

namespace Logwarden.Tests.Delivery;

public class CertificatesTests
{
    [Fact]
    public async Task Everything_that_was_to_go_there_is_accounted_for_by_source()
    {
        using var world = new DeliveryWorld();
        await world.Append(90, offset => (offset % 3 == 0 ? "security-audit" : "application", offset < 60 ? "shop" : "crm"));
        await Deliver(world, 90, new FarSide { Otherwise = batch => FarSide.Id(batch, 0) is "evt-00000060" ? new Answer.Refused([new(0, "schema")]) : new Answer.Accepted() }, "class = security-audit");

        var text = Issue(world, out var certificate);

        Assert.True(certificate.IsComplete);
        Assert.Contains("\nsource crm routed=10 delivered=", text, StringComparison.Ordinal);
        Assert.Contains("\nsource shop routed=20 delivered=20 refused=0 shed=0 unaccounted=0 first=0 last=57 from=2026-07-01T00:00:00.000000Z", text, StringComparison.Ordinal);
        Assert.Contains("\noffsets 0 90\n", text, StringComparison.Ordinal);
        Assert.EndsWith("\nprevious none\nresult complete\n", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_event_that_was_routed_and_never_booked_is_found()
    {
        using var world = new DeliveryWorld();
        await world.Append(20);
        await Deliver(world, 20, new FarSide(), null);
        // A delivery with a defect: it passes an event and books nothing.
        await world.Append(1);
        world.Store.Commit(DeliveryWorld.Name, 21, [], []);

        var text = Issue(world, out var certificate);

        Assert.False(certificate.IsComplete);
        Assert.Contains("routed=21 delivered=20 refused=0 shed=0 unaccounted=1 ", text, StringComparison.Ordinal);
        Assert.Contains("\"unaccounted\":\"1\"", OwnEvents.Text(world.Events.Waiting(10)[^1].Record), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Each_follows_the_one_before_and_covers_what_came_since()
    {
        using var world = new DeliveryWorld();
        await world.Append(10);
        await Deliver(world, 10, new FarSide(), null);
        Issue(world, out var first);
        await world.Append(5);
        var text = Issue(world, out var second);
        Assert.Equal((10, 10), (second.From, second.To));
        Assert.Contains("\nin-flight 5 of offsets 10 15\n", text, StringComparison.Ordinal);
        await Deliver(world, 15, new FarSide(), null);
        text = Issue(world, out var third);
        Assert.Equal((10, 15), (third.From, third.To));
        Assert.True(third.IsComplete);
        Assert.Contains("previous " + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(second.Note)), text, StringComparison.Ordinal);
        Assert.Equal([2L, 1, 0], world.Certificates.List(DeliveryWorld.Name, 9).Select(one => one.Number).OrderDescending());
    }

    [Fact]
    public async Task A_route_counts_from_the_offset_that_it_was_taken_into_use_at()
    {
        using var world = new DeliveryWorld();
        string[] classes = ["application", "database"];
        await world.Append(40, offset => (classes[offset % 2], "shop"));
        await Deliver(world, 40, new FarSide(), "class = database");
        await world.Append(40, offset => (classes[offset % 2], "shop"));
        await Deliver(world, 80, new FarSide(), null);
        var text = Issue(world, out var certificate);
        Assert.True(certificate.IsComplete, text);
        Assert.Contains("routed=60 delivered=60", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_dead_letter_that_arrives_later_changes_nothing_of_what_is_accounted_for()
    {
        using var world = new DeliveryWorld();
        await world.Append(4);
        await Deliver(world, 4, new FarSide { Otherwise = batch => Answer.Refused.All(batch, "no") }, null);
        Issue(world, out _);
        world.Store.Replayed(world.Store.DeadLetters(null, 0, 1, false)[0], null);
        Assert.Contains("source shop routed=0 delivered=1 refused=-1 shed=0 unaccounted=0", Issue(world, out var certificate), StringComparison.Ordinal);
        Assert.True(certificate.IsComplete);
    }

    [Fact]
    public async Task What_can_no_longer_be_counted_is_a_gap()
    {
        using var world = new DeliveryWorld();
        await world.Append(2_000);
        await Deliver(world, 2_000, new FarSide(), null);
        await world.Seal();
        await world.Until(() => world.Oldest > 700);
        foreach (var segment in Directory.GetFiles(Path.Combine(world.Data, "hot"), "*.parquet", SearchOption.AllDirectories)) File.Delete(segment);
        var text = Issue(world, out var certificate);
        Assert.False(certificate.IsComplete);
        Assert.Contains($"\ngaps {world.Oldest} offsets of the stretch are not in the hot store any more\n", text, StringComparison.Ordinal);
    }

    static string Issue(DeliveryWorld world, out Certificate certificate)
    {
        world.Time.Advance(TimeSpan.FromHours(1));
        certificate = world.Certificates.Issue(DeliveryWorld.Name, world.Journal, world.Data, world.Key)!;
        var opened = SignedNote.Open(certificate.Note, [world.Key.Verifier]);
        Assert.True(opened.IsValid, opened.Reason);
        Assert.StartsWith("logwarden completeness certificate v1\n", opened.Text, StringComparison.Ordinal);
        Assert.True(Encoding.UTF8.GetString(certificate.Note).Length > opened.Text.Length);
        return opened.Text;
    }

    static async Task Deliver(DeliveryWorld world, long to, FarSide far, string? filter)
    {
        await using var loop = world.Loop(far, filter);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == to);
    }
}
