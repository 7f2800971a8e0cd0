using Logwarden.Query;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Query;

public sealed class QueryEngineTests : IDisposable
{
    readonly QueryWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task An_empty_directory_has_no_events()
    {
        Assert.Empty((await _world.Engine.SearchAsync(new(), Cancel)).Rows);
        Assert.Equal(0, await _world.Engine.CountAsync(new(), Cancel));
        Assert.Empty((await _world.Engine.HistogramAsync(new(), 10, Cancel)).Buckets);
        Assert.Equal([0L], (await _world.Engine.SqlAsync("SELECT count(*) FROM events", Cancel)).Rows[0]);
    }

    [Fact]
    public async Task A_search_gives_segments_and_tail_newest_first()
    {
        await _world.Append([.. Enumerable.Range(0, 10).Select(i => StoredEvents.One(i))]);
        _world.Seal(_world.Journaled(0).Take(6));
        var page = await _world.Engine.SearchAsync(new() { Limit = 100 }, Cancel);
        Assert.Equal(Enumerable.Range(0, 10).Reverse().Select(i => (long)i), page.Rows.Select(row => row.Offset));
        Assert.Equal(4, page.Scanned.TailRows);
        Assert.Equal([null, null, null, null, 5L, 4, 3, 2, 1, 0], page.Rows.Select(row => row.Leaf));
        Assert.Null(page.NextCursor);
        Assert.Equal(10, await _world.Engine.CountAsync(new(), Cancel));
        var first = page.Rows[^1];
        Assert.Equal((StoredEvents.Id(0), "ada", "192.0.2.7", null, "email=1"), (first.EventId, first.User, first.Ip, first.Object, first.Redactions));
        Assert.Equal(StoredEvents.Epoch, first.TimeMicros);
    }

    [Fact]
    public async Task Filters_times_class_and_source_narrow_a_search()
    {
        _world.Seal(Enumerable.Range(0, 100).Select(i => StoredEvents.One(i, @class: i < 50 ? "application" : "database", source: i % 2 == 0 ? "shop" : "bank")));
        var at = DateTimeOffset.UnixEpoch.AddTicks(StoredEvents.Epoch * 10);
        Assert.Equal(25, await _world.Engine.CountAsync(new() { Filter = "user=grace" }, Cancel));
        Assert.Equal(50, await _world.Engine.CountAsync(new() { Class = "database" }, Cancel));
        Assert.Equal(25, await _world.Engine.CountAsync(new() { Class = "database", Source = "bank" }, Cancel));
        Assert.Equal(10, await _world.Engine.CountAsync(new() { From = at.AddMilliseconds(5), To = at.AddMilliseconds(15) }, Cancel));
        var found = await _world.Engine.SearchAsync(new() { Scope = new() { Filter = "\"order 42 upd\"" } }, Cancel);
        Assert.Equal([42L], found.Rows.Select(row => row.Offset));
    }

    [Fact]
    public async Task A_broken_filter_or_field_is_refused_with_its_reason()
    {
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.CountAsync(new() { Filter = "user=(" }, Cancel));
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.TopAsync(new(), "user = 1) OR (", 3, Cancel));
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.SearchAsync(new() { Limit = 0 }, Cancel));
    }

    [Fact]
    public async Task Pages_give_each_event_once_also_while_events_come_in()
    {
        // Many with the same time, so that pages end between them.
        await _world.Append([.. Enumerable.Range(0, 300).Select(i => StoredEvents.One(i, StoredEvents.Epoch + i / 50))]);
        _world.Seal(_world.Journaled(0).Take(200));
        var seen = new List<long>();
        string? cursor = null;
        var next = 300;
        do
        {
            var page = await _world.Engine.SearchAsync(new() { Limit = 17, Cursor = cursor }, Cancel);
            seen.AddRange(page.Rows.Select(row => row.Offset));
            cursor = page.NextCursor;
            await _world.Append(StoredEvents.One(next, StoredEvents.Epoch + next));
            next++;
            if (next == 305) _world.Seal(_world.Journaled(200));
        }
        while (cursor is not null);
        Assert.Equal(Enumerable.Range(0, 300).Reverse().Select(i => (long)i), seen);
    }

    [Fact]
    public async Task A_cursor_that_was_changed_or_is_of_another_query_is_refused()
    {
        _world.Seal(Enumerable.Range(0, 10).Select(i => StoredEvents.One(i)));
        var cursor = (await _world.Engine.SearchAsync(new() { Limit = 3 }, Cancel)).NextCursor!;
        var changed = Enumerable.Range(0, cursor.Length).Select(i => cursor[..i] + (cursor[i] == 'A' ? 'B' : 'A') + cursor[(i + 1)..]);
        foreach (var text in changed.Append("").Append("x").Append("💥").Append(cursor + cursor))
        {
            var refused = await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.SearchAsync(new() { Limit = 3, Cursor = text }, Cancel));
            Assert.Contains("cursor", refused.Message, StringComparison.Ordinal);
        }
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.SearchAsync(new() { Cursor = cursor, Scope = new() { Filter = "x" } }, Cancel));
    }

    [Fact]
    public async Task Every_event_is_seen_once_at_each_step_of_sealing()
    {
        var total = 0L;
        for (var round = 0; round < 4; round++)
        {
            await _world.Append([.. Enumerable.Range((int)total, 50).Select(i => StoredEvents.One(i, @class: i % 3 == 0 ? "application" : "database"))]);
            var sealedFrom = total;
            total += 50;
            Assert.Equal(total, await _world.Engine.CountAsync(new(), Cancel));
            foreach (var slice in _world.Journaled(sealedFrom).GroupBy(e => e.Length))
            {
                _world.Seal(slice);
                Assert.Equal(total, await _world.Engine.CountAsync(new(), Cancel));
                var rows = await _world.Engine.SqlAsync("SELECT count(*), count(DISTINCT \"offset\") FROM events", Cancel);
                Assert.Equal([total, total], rows.Rows[0]);
            }
            using var late = _world.NewEngine(new());
            Assert.Equal(total, await late.CountAsync(new(), Cancel));
        }
    }

    [Fact]
    public async Task Histogram_and_top_values_add_up()
    {
        await _world.Append([.. Enumerable.Range(0, 1000).Select(i => StoredEvents.One(i))]);
        _world.Seal(_world.Journaled(0).Take(700));
        var bars = await _world.Engine.HistogramAsync(new(), 7, Cancel);
        Assert.Equal(7, bars.Buckets.Count);
        Assert.Equal(1000, bars.Buckets.Sum(bar => bar.Count));
        Assert.All(bars.Buckets, bar => Assert.InRange(bar.Count, 142, 144));
        var users = await _world.Engine.TopAsync(new() { Filter = "NOT user=ken" }, "user", 10, Cancel);
        Assert.Equal([("ada", 250), ("grace", 250), ("linus", 250)], users.Values.Select(value => (value.Value, (int)value.Count)));
        var objects = await _world.Engine.TopAsync(new(), "object", 1, Cancel);
        Assert.Equal((null, 334L), (objects.Values[0].Value, objects.Values[0].Count));
        var ids = await _world.Engine.TopAsync(new(), "metadata.uid", 1, Cancel);
        Assert.Equal(StoredEvents.Id(0), ids.Values[0].Value);
    }

    [Fact]
    public async Task Times_far_off_break_nothing()
    {
        _world.Seal([StoredEvents.One(0), StoredEvents.One(1, -100_000_000_000_000), StoredEvents.One(2, 253_402_300_799_999_999)]);
        Assert.Equal([2L, 0, 1], (await _world.Engine.SearchAsync(new(), Cancel)).Rows.Select(row => row.Offset));
        var bars = await _world.Engine.HistogramAsync(new(), 10, Cancel);
        Assert.Equal((10, 2L), (bars.Buckets.Count, bars.Buckets.Sum(bar => bar.Count)));
        bars = await _world.Engine.HistogramAsync(new() { From = DateTimeOffset.MinValue, To = DateTimeOffset.MaxValue }, 3, Cancel);
        Assert.Equal(2, bars.Buckets.Sum(bar => bar.Count));
    }

    [Fact]
    public async Task A_segment_that_is_taken_away_takes_its_events_with_it()
    {
        var paths = _world.Seal(Enumerable.Range(0, 10).Select(i => StoredEvents.One(i)));
        _world.Seal(Enumerable.Range(10, 5).Select(i => StoredEvents.One(i)));
        Assert.Equal(15, await _world.Engine.CountAsync(new(), Cancel));
        File.Delete(paths[0]);
        Assert.Equal(5, await _world.Engine.CountAsync(new(), Cancel));
    }

    [Fact]
    public async Task A_query_can_be_cancelled_and_has_a_time_limit()
    {
        const string Endless = "SELECT count(*) FROM range(1000000) a, range(1000000) b, range(1000) c WHERE (a.range * b.range + c.range) % 7 = 3";
        using var engine = _world.NewEngine(new() { TimeMax = TimeSpan.FromMilliseconds(200) });
        var late = await Assert.ThrowsAsync<QueryRefusedException>(() => engine.SqlAsync(Endless, Cancel));
        Assert.Contains("took longer", late.Message, StringComparison.Ordinal);
        using var soon = new CancellationTokenSource(TimeSpan.FromMilliseconds(100));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => _world.Engine.SqlAsync(Endless, soon.Token));
        Assert.Equal(0, await _world.Engine.CountAsync(new(), Cancel)); // the one that may take its time
    }

    [Fact]
    public async Task SQL_rows_are_bounded()
    {
        using var engine = _world.NewEngine(new() { SqlRowsMax = 10 });
        var answer = await engine.SqlAsync("SELECT range AS n FROM range(1000)", Cancel);
        Assert.Equal((10, true), (answer.Rows.Count, answer.Truncated));
        Assert.Equal(["n"], answer.Columns);
        Assert.False((await engine.SqlAsync("SELECT range FROM range(10)", Cancel)).Truncated);
    }
}
