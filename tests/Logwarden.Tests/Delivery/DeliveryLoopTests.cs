using System.Globalization;
using CsCheck;
using Logwarden.Delivery;
using Logwarden.Flow;

namespace Logwarden.Tests.Delivery;

public class DeliveryLoopTests
{
    static readonly Answer Accepted = new Answer.Accepted();

    [Fact]
    public async Task Everything_arrives_once_in_order_and_the_cursor_is_behind_it()
    {
        using var world = new DeliveryWorld();
        await world.Append(1_000);
        var far = new FarSide();
        await using (var loop = world.Loop(far)) await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 1_000);
        Assert.Equal(Enumerable.Range(0, 1_000).Select(i => (long)i), far.Got);
        Assert.All(far.Sizes, size => Assert.InRange(size, 1, 100));
        Assert.Equal([new OutcomeCount("shop", Outcome.Delivered, 1_000)], world.Store.Counts(DeliveryWorld.Name));
        Assert.True(far.IsDisposed);
    }

    [Fact]
    public async Task Only_what_the_route_takes_is_sent_and_the_cursor_passes_the_rest()
    {
        using var world = new DeliveryWorld();
        await world.Append(600, offset => (offset % 3 == 0 ? "security-audit" : "application", "shop"));
        var far = new FarSide();
        await using (var loop = world.Loop(far, "class = security-audit")) await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 600);
        Assert.Equal(Enumerable.Range(0, 200).Select(i => i * 3L), far.Got);
    }

    [Fact]
    public async Task What_comes_later_is_sent_when_it_comes()
    {
        using var world = new DeliveryWorld();
        var far = new FarSide();
        await using var loop = world.Loop(far);
        await world.Append(3);
        await world.Until(loop, () => far.Got.Count == 3);
        await world.Append(4);
        await world.Until(() => far.Got.Count == 7);
    }

    [Fact]
    public async Task A_destination_that_is_away_gets_all_when_it_is_back()
    {
        using var world = new DeliveryWorld();
        await world.Append(250);
        var far = new FarSide();
        for (var i = 0; i < 6; i++) far.Then(_ => throw new HttpRequestException("Connection refused"));
        far.Then(_ => new Answer.Later(TimeSpan.FromSeconds(30), "HTTP 503"));
        var started = world.Time.GetUtcNow();
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 250);
        Assert.Equal(Enumerable.Range(0, 250).Select(i => (long)i), far.Got);
        // Six pauses of at least a half of 1, 2, 4 … 32 s, then what it asked for.
        Assert.True(world.Time.GetUtcNow() - started >= TimeSpan.FromSeconds(63 / 2.0 + 30));
        Assert.Equal(7, loop.Progress.View.Failures);
        Assert.Null(loop.Progress.View.FailingSince);
    }

    [Fact]
    public async Task What_is_too_large_is_halved_until_it_fits()
    {
        using var world = new DeliveryWorld();
        await world.Append(100);
        var far = new FarSide { Otherwise = batch => batch.Count > 7 ? new Answer.TooLarge() : Accepted };
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 100);
        Assert.Equal(Enumerable.Range(0, 100).Select(i => (long)i), far.Got);
    }

    [Fact]
    public async Task One_that_is_refused_is_a_dead_letter_and_the_others_arrive()
    {
        using var world = new DeliveryWorld();
        await world.Append(50);
        var far = new FarSide
        {
            Otherwise = batch => Enumerable.Range(0, batch.Count).FirstOrDefault(i => FarSide.Id(batch, i) is "evt-00000017", -1) is var bad and >= 0
                ? new Answer.Refused([new(bad, "no such field")]) : Accepted,
        };
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 50);
        Assert.Equal(Enumerable.Range(0, 50).Where(i => i != 17).Select(i => (long)i), far.Got);
        var letter = Assert.Single(world.Store.DeadLetters(DeliveryWorld.Name, 0, 10, isArrived: false));
        Assert.Equal(("evt-00000017", 17L, "shop", "application", "no such field"), (letter.EventId, letter.Offset, letter.Source, letter.Class, letter.Reason));
        Assert.Equal([new("shop", Outcome.Delivered, 49), new OutcomeCount("shop", Outcome.Refused, 1)], world.Store.Counts(DeliveryWorld.Name));
    }

    [Fact]
    public async Task A_dead_letter_that_is_replayed_arrives_and_is_counted_so()
    {
        using var world = new DeliveryWorld();
        await world.Append(5);
        var isMended = false;
        var far = new FarSide { Otherwise = batch => isMended ? Accepted : Answer.Refused.All(batch, "schema") };
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.DeadCount(DeliveryWorld.Name) == 5);
        Assert.Equal(5, world.Store.Replay(DeliveryWorld.Name, null));
        await world.Until(() => world.Store.ToReplay(DeliveryWorld.Name, 10).Count == 0);
        Assert.Equal(5, world.Store.DeadCount(DeliveryWorld.Name)); // refused again
        isMended = true;
        Assert.Equal(1, world.Store.Replay(DeliveryWorld.Name, world.Store.DeadLetters(null, 0, 10, false)[2].Number));
        Assert.Equal(4, world.Store.Replay(DeliveryWorld.Name, null));
        await world.Until(() => world.Store.DeadCount(DeliveryWorld.Name) == 0);
        Assert.Equal([0L, 1, 2, 3, 4], far.Got.Order());
        Assert.Equal([new("shop", Outcome.Delivered, 5), new OutcomeCount("shop", Outcome.Refused, 0)], world.Store.Counts(DeliveryWorld.Name));
        Assert.All(world.Store.DeadLetters(null, 0, 10, isArrived: true), letter => Assert.NotNull(letter.Arrived));
    }

    [Fact]
    public async Task What_can_never_fit_is_not_sent()
    {
        using var world = new DeliveryWorld();
        await world.Append(3);
        await world.Append(1, jsonBytes: 20_000);
        await world.Append(3);
        var far = new FarSide();
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 7);
        Assert.Equal([0L, 1, 2, 4, 5, 6], far.Got);
        Assert.Contains("larger than 16384 bytes", Assert.Single(world.Store.DeadLetters(null, 0, 9, false)).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_batch_never_exceeds_the_bytes_that_are_allowed()
    {
        using var world = new DeliveryWorld(fileBytesMax: 1 << 20);
        await world.Append(60, jsonBytes: 5_000);
        var far = new FarSide(); // it asserts its limits
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 60);
        Assert.Equal(60, far.Got.Count);
        Assert.All(far.Sizes, size => Assert.InRange(size, 1, 13));
    }

    [Fact]
    public async Task One_that_is_blocked_says_so_at_once_and_goes_on_when_it_is_put_right()
    {
        using var world = new DeliveryWorld();
        await world.Append(10);
        var isRight = false;
        var far = new FarSide { Otherwise = _ => isRight ? Accepted : new Answer.Blocked("the token is refused: make a new one") };
        await using var loop = world.Loop(far);
        await world.Until(loop, () => loop.Progress.View.Blocked is not null);
        Assert.Equal("the token is refused: make a new one", loop.Progress.View.LastError);
        Assert.Empty(far.Got);
        isRight = true;
        await world.Until(() => far.Got.Count == 10);
        Assert.Null(loop.Progress.View.Blocked);
    }

    [Fact]
    public async Task What_was_sent_before_a_crash_and_not_kept_is_sent_again_and_nothing_else()
    {
        using var world = new DeliveryWorld();
        await world.Append(300);
        var got = new List<long>();
        var far = new FarSide { Got = got };
        far.Then(_ => Accepted).Then(batch => new Answer.Later(null, "HTTP 500") { Taken = [0, 1, 2, 5] });
        await using (var loop = world.Loop(far)) await world.Until(loop, () => loop.Progress.View.Failures > 0 && world.Store.Find(DeliveryWorld.Name)!.Position >= 103);
        // The front of what was taken is kept; the one behind a gap is not.
        Assert.True(got.Count >= 104);
        await using (var loop = world.Loop(new FarSide { Got = got })) await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 300);
        Assert.Equal(Enumerable.Range(0, 300).Select(i => (long)i), got.Distinct().Order());
        Assert.Equal(300, world.Store.Counts(DeliveryWorld.Name).Sum(count => count.Count));
    }

    [Fact]
    public async Task When_the_journal_has_let_go_it_goes_on_over_the_sealed_segments_in_the_same_order()
    {
        using var world = new DeliveryWorld(fileBytesMax: 64 << 10);
        string[] classes = ["application", "database", "security-audit"];
        await world.Append(2_000, offset => (classes[offset / 50 % 3], offset % 100 < 50 ? "shop" : "crm"));
        await world.Seal();
        await world.Until(() => world.Oldest > 700);
        await world.Append(100);
        var far = new FarSide();
        await using var loop = world.Loop(far);
        await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position == 2_100);
        Assert.Equal(Enumerable.Range(0, 2_100).Select(i => (long)i), far.Got);
    }

    [Fact]
    public async Task It_goes_from_the_journal_to_segments_and_back_while_it_is_behind()
    {
        using var world = new DeliveryWorld(fileBytesMax: 64 << 10);
        var isOpen = false;
        var far = new FarSide { Otherwise = _ => isOpen ? Accepted : new Answer.Later(TimeSpan.FromSeconds(2), "HTTP 429") };
        await using var loop = world.Loop(far);
        loop.Start();
        for (var round = 0; round < 4; round++)
        {
            await world.Append(700);
            await world.Seal();
        }
        await world.Until(() => world.Oldest > 700);
        isOpen = true;
        await world.Append(10);
        await world.Until(() => far.Got.Count == 2_810);
        Assert.Equal(Enumerable.Range(0, 2_810).Select(i => (long)i), far.Got);
    }

    [Fact]
    public async Task Events_that_are_neither_in_the_journal_nor_hot_are_counted_as_missing()
    {
        using var world = new DeliveryWorld(fileBytesMax: 64 << 10);
        await world.Append(2_000);
        await world.Seal();
        await world.Until(() => world.Oldest > 700);
        var oldest = world.Oldest;
        foreach (var segment in Directory.GetFiles(Path.Combine(world.Data, "hot"), "*.parquet", SearchOption.AllDirectories)) File.Delete(segment);
        using var backlog = new Backlog(world.Journal, world.Data, 0);
        var got = new List<long>();
        while (backlog.TryNext(out var encoded)) got.Add(BitConverter.ToInt64(encoded[1..]));
        Assert.Equal(oldest, backlog.Missing);
        Assert.Equal(oldest, got[0]);
        Assert.Equal(2_000, backlog.Position);
    }

    /// <summary>Whatever the far side answers and wherever the process dies: all arrives or is a dead letter, the books balance, and the order of first arrivals is that of the journal.</summary>
    [Fact]
    public void Nothing_is_lost_whatever_the_far_side_answers() => Gen.Int[0, 1_000_000].Sample(seed => Run(seed).GetAwaiter().GetResult(), iter: 25, threads: 1);

    static async Task Run(int seed)
    {
        using var world = new DeliveryWorld(fileBytesMax: 64 << 10);
        var random = new Random(seed);
        var got = new List<long>();
        var total = 0;
        for (var life = 0; life < 4; life++)
        {
            var isLast = life == 3;
            var far = Faulty(random, got, isLast);
            var count = random.Next(50, 400);
            total += count;
            await world.Append(count, offset => ("application", offset % 3 == 0 ? "shop" : "crm"));
            if (random.Next(2) == 0) await world.Seal();
            await using var loop = world.Loop(far);
            var goal = isLast ? total : random.Next(total);
            var moves = random.Next(40);
            await world.Until(loop, () => world.Store.Find(DeliveryWorld.Name)!.Position >= goal || (!isLast && moves-- < 0));
        }
        var dead = world.Store.DeadLetters(null, 0, int.MaxValue, isArrived: true).Select(letter => letter.Offset).ToHashSet();
        var arrived = got.Distinct().ToList();
        Assert.Equal(Enumerable.Range(0, total).Select(i => (long)i), arrived.Concat(dead).Distinct().Order());
        Assert.Equal(arrived.Order(), arrived);
        Assert.Equal(total, world.Store.Counts(DeliveryWorld.Name).Sum(count => count.Count));
        Assert.Equal(dead.Count, world.Store.Counts(DeliveryWorld.Name).Where(count => count.Outcome == Outcome.Refused).Sum(count => count.Count));
    }

    static FarSide Faulty(Random random, List<long> got, bool isLast)
    {
        FarSide? far = null;
        far = new FarSide
        {
            Got = got,
            Otherwise = batch =>
            {
                // Refusal goes by the event, as with a real far side: one that was taken is never refused later.
                int[] bad = [.. Enumerable.Range(0, batch.Count).Where(i => int.Parse(FarSide.Id(batch, i)[4..], CultureInfo.InvariantCulture) % 61 == 7)];
                switch (random.Next(isLast ? 4 : 9))
                {
                    case 4: return new Answer.Later(TimeSpan.FromSeconds(random.Next(5)), "HTTP 429");
                    case 5: throw new HttpRequestException("Connection refused");
                    case 6 when bad.Length == 0:
                        far!.KeepAndBreak(batch);
                        break;
                    case 7: return new Answer.TooLarge();
                    case 8: return new Answer.Blocked("the token is refused");
                }
                if (bad.Length > 0) return new Answer.Refused([.. bad.Select(i => new RefusedEvent(i, "no"))]);
                return random.Next(5) == 0 ? new Answer.Later(null, "HTTP 500") { Taken = [.. Enumerable.Range(0, random.Next(batch.Count))] } : Accepted;
            },
        };
        return far;
    }
}
