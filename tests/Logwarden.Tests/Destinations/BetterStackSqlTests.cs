using Logwarden.Flow;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Destinations;

public class BetterStackSqlTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    static async Task<BetterStackRig> SentAsync(int count)
    {
        var rig = (BetterStackRig)await BetterStackRig.StartAsync(Cancel);
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(rig.Batch(0, count), Cancel));
        return rig;
    }

    static SentEvent Sent(long offset) => new(StoredEvents.Id(offset), StoredEvents.Epoch + offset * 1_000, "application", "shop");

    static async Task<IEnumerable<string>> FindAsync(BetterStackRig rig, params SentEvent[] wanted)
    {
        var found = await rig.Destination.FindAsync(wanted, Cancel);
        Assert.NotNull(found);
        return found.Order(StringComparer.Ordinal);
    }

    [Fact]
    public async Task What_was_taken_in_is_found_later_and_also_when_it_has_moved()
    {
        await using var rig = await SentAsync(3);
        Assert.Empty(await FindAsync(rig, Sent(0), Sent(2), Sent(9)));
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([StoredEvents.Id(0), StoredEvents.Id(2)], await FindAsync(rig, Sent(0), Sent(2), Sent(9)));
        rig.Time.Advance(TimeSpan.FromMinutes(20));
        Assert.IsType<Answer.Accepted>(await rig.Destination.SendAsync(rig.Batch(3, 1), Cancel));
        rig.Time.Advance(TimeSpan.FromMinutes(15));
        // Now the first are in one table and the last in the other.
        Assert.Equal([StoredEvents.Id(0), StoredEvents.Id(3)], await FindAsync(rig, Sent(0), Sent(3)));
    }

    [Fact]
    public async Task An_id_is_never_read_as_SQL()
    {
        await using var rig = await SentAsync(1);
        var evil = "x') OR ('1' = '1\\'\n\t" + StoredEvents.Id(0);
        rig.Source.Add([System.Text.Json.JsonSerializer.SerializeToElement(new { event_id = evil, dt = "2026-07-01T00:00:00Z" })], rig.Time.GetUtcNow());
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        Assert.Equal([evil], await FindAsync(rig, new SentEvent(evil, StoredEvents.Epoch, "application", "shop")));
    }

    [Fact]
    public async Task Many_are_asked_for_in_queries_of_a_size_that_the_server_parses_with_pauses_between()
    {
        await using var rig = await SentAsync(4_900);
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        var finding = rig.Destination.FindAsync([.. Enumerable.Range(0, 4_900).Select(offset => Sent(offset)), new SentEvent("far away", long.MaxValue, "application", "shop")], Cancel).AsTask();
        while (!finding.IsCompleted)
        {
            await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
            rig.Time.Advance(TimeSpan.FromMilliseconds(20));
        }
        Assert.Equal(4_900, (await finding)!.Count);
        Assert.Equal(3, rig.Far.Sql.Answered);
    }

    [Theory]
    [InlineData("Code: 241. DB::Exception: Memory limit (total) exceeded. (MEMORY_LIMIT_EXCEEDED) for reader-password")]
    [InlineData("{\"exception\":\"Code: 241. DB::Exception: Memory limit exceeded\"}\n")]
    [InlineData("{\"id\":\"evt-000")]
    public async Task An_answer_that_breaks_off_proves_nothing_although_its_status_is_200(string ending)
    {
        await using var rig = await SentAsync(1);
        rig.Time.Advance(TimeSpan.FromSeconds(5));
        rig.Far.Sql.BreaksOffWith = ending;
        var failed = await Assert.ThrowsAsync<HttpRequestException>(() => FindAsync(rig, Sent(0)));
        Assert.Contains(ending[..8], failed.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("reader-password", failed.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_fifth_query_at_a_time_and_a_wrong_password_are_told()
    {
        await using var rig = await SentAsync(1);
        var held = rig.Far.Sql.Hold();
        using var client = new HttpClient { DefaultRequestHeaders = { Authorization = new("Basic", Convert.ToBase64String("reader:reader-password"u8)) } };
        async Task<int> AskAsync()
        {
            using var query = new StringContent("SELECT");
            using var answer = await client.PostAsync(rig.Far.QueryEndpoint, query, Cancel);
            return (int)answer.StatusCode;
        }
        var running = Enumerable.Range(0, 4).Select(_ => AskAsync()).ToList();
        while (rig.Far.Sql.Running < 4) await Task.Yield();
        Assert.Contains("429", (await Assert.ThrowsAsync<HttpRequestException>(() => FindAsync(rig, Sent(0)))).Message, StringComparison.Ordinal);
        held.Dispose();
        Assert.All(await Task.WhenAll(running), status => Assert.Equal(400, status));
        rig.Far.Sql.Password = "another";
        Assert.Contains("403", (await Assert.ThrowsAsync<HttpRequestException>(() => FindAsync(rig, Sent(0)))).Message, StringComparison.Ordinal);
    }
}
