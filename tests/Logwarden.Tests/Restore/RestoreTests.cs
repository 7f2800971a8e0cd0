using Logwarden.Catalog;
using Logwarden.Hot;
using Logwarden.Query;
using Logwarden.Restore;
using Logwarden.Tests.Holds;

namespace Logwarden.Tests.Restore;

public sealed class RestoreTests : IDisposable
{
    static readonly DateTimeOffset First = new(2026, 7, 1, 0, 0, 0, TimeSpan.Zero);

    readonly HoldWorld _world = new();

    public void Dispose() => _world.Dispose();

    string Data => _world.Archive.DataFolder;

    [Fact]
    public async Task What_was_evicted_comes_back_as_it_was_sealed_and_can_be_queried()
    {
        await _world.SealTo(null, 400, 800);
        var hot = Files();
        _world.DeleteHot();
        Assert.Equal(0, await CountAsync());
        var plan = Plan();
        Assert.Equal(hot.Count, plan.Cold.Count);
        Assert.Equal(hot.Values.Sum(bytes => bytes.Length), plan.Bytes);

        var told = 0L;
        var result = await Restore().RunAsync(plan, TimeSpan.FromDays(7), "local:test", null, bytes => told = bytes, HoldWorld.Cancel);

        Assert.Equal((plan.Cold.Count, plan.Bytes, 0L, 0), (result.Segments, result.Bytes, result.Expired, result.Failures.Count));
        Assert.Equal(plan.Bytes, told);
        Assert.Equal(hot, Files());
        Assert.Equal(800, await CountAsync());
        Assert.Empty(Plan().Cold);
        var until = _world.Archive.Time.GetUtcNow().AddDays(7);
        Assert.All(plan.Cold, segment => Assert.Equal(until, _world.Custody.Restores.RestoredUntil(segment.Sealed.Path)));
        var noted = Assert.Single(_world.Custody.Restores.All());
        Assert.Equal((until, plan.Bytes, true), (noted.Until, noted.Bytes, noted.Finished is not null));
        Assert.Single(_world.Told("archive.restore"));
        _world.Archive.Time.Advance(TimeSpan.FromDays(8));
        Assert.All(plan.Cold, segment => Assert.Null(_world.Custody.Restores.RestoredUntil(segment.Sealed.Path)));
    }

    [Fact]
    public async Task Only_what_overlaps_and_is_of_the_class_comes_back()
    {
        await _world.SealTo(null, 400);
        _world.DeleteHot();

        var plan = Restore().Plan(First.AddDays(-1), First, "database");

        Assert.Equal(["segments/class=database/date=2026-06-30/00000000000000000000-20.parquet"], plan.Cold.Select(segment => segment.Sealed.Path), StringComparer.Ordinal);
        Assert.Empty(Restore().Plan(First.AddDays(2), First.AddDays(3), null).Cold);
        await Restore().RunAsync(plan, TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel);
        Assert.Equal(20, await CountAsync());
    }

    [Fact]
    public async Task A_flipped_byte_in_the_archive_is_refused_and_named_and_the_rest_comes_back()
    {
        await _world.SealTo(null, 400);
        var hot = Files();
        _world.DeleteHot();
        var bad = (await _world.Segments())[1].Path;
        var file = Path.Combine(_world.Archive.ArchiveFolder, bad);
        var bytes = await File.ReadAllBytesAsync(file, HoldWorld.Cancel);
        bytes[bytes.Length / 3] ^= 4;
        File.SetUnixFileMode(file, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        await File.WriteAllBytesAsync(file, bytes, HoldWorld.Cancel);

        var result = await Restore().RunAsync(Plan(), TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel);

        Assert.Equal(bad, Assert.Single(result.Failures).Path);
        Assert.Equal(hot.Where(pair => !pair.Key.EndsWith(bad, StringComparison.Ordinal)), Files());
        Assert.Null(Assert.Single(_world.Custody.Restores.All()).Finished);
    }

    [Fact]
    public async Task What_is_missing_is_named_and_what_has_expired_is_not_asked_for_again()
    {
        await _world.SealTo(null, 400);
        _world.DeleteHot();
        var gone = (await _world.Segments())[0].Path;
        File.Delete(Path.Combine(_world.Archive.ArchiveFolder, gone));
        var result = await Restore().RunAsync(Plan(), TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel);
        Assert.Equal(gone, Assert.Single(result.Failures).Path);

        _world.Archive.Time.Advance(TimeSpan.FromDays(3000));
        result = await Restore().RunAsync(Plan(), TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel);
        Assert.Equal((1L, 0), (result.Expired, result.Failures.Count));
        Assert.Empty(Plan().Cold);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(3)]
    public async Task One_that_was_interrupted_goes_on_with_the_rest(int at)
    {
        await _world.SealTo(null, 400);
        var hot = Files();
        _world.DeleteHot();
        var whole = Plan();
        var left = at;
        await Assert.ThrowsAsync<InvalidOperationException>(() => Restore(probe: _ =>
        {
            if (--left == 0) throw new InvalidOperationException("killed");
        }).RunAsync(whole, TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel));
        Assert.Equal(at - 1, Files().Count);
        Assert.All(whole.Cold, segment => Assert.NotNull(_world.Custody.Restores.RestoredUntil(segment.Sealed.Path)));

        var result = await Restore().RunAsync(Plan(), TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel);

        Assert.Equal(whole.Cold.Count - at + 1, result.Segments);
        Assert.Equal(hot, Files());
        Assert.Empty(Directory.GetFiles(Path.Combine(Data, "hot", "restoring")));
        Assert.Equal([true, false], _world.Custody.Restores.All().Select(one => one.Finished is not null));
    }

    [Fact]
    public async Task It_is_refused_where_there_is_no_room_and_nothing_is_begun()
    {
        await _world.SealTo(null, 400);
        _world.DeleteHot();

        var refused = await Assert.ThrowsAsync<RestoreRefusedException>(() => Restore(free: 1 << 20).RunAsync(Plan(), TimeSpan.FromDays(1), "u", null, null, HoldWorld.Cancel));

        Assert.Contains("1 MiB free", refused.Message, StringComparison.Ordinal);
        Assert.Empty(_world.Custody.Restores.All());
        Assert.Empty(Files());
    }

    [Fact]
    public async Task An_answer_can_tell_what_it_lacks()
    {
        await _world.SealTo(null, 400);
        Assert.Null(Cold(null, null, null, ""));
        Directory.Delete(Path.Combine(Data, "hot", "segments", "class=database"), recursive: true);

        var cold = Cold(null, null, null, "")!;
        Assert.Equal((2, 100, First.AddHours(-12).AddSeconds(3)), (cold.Segments, cold.Rows, cold.From));
        Assert.Equal("logwarden restore --from 2026-06-30T12:00:03Z --to 2026-07-01T12:06:40Z", cold.Command);
        Assert.Equal(1, Cold(null, First, null, "")!.Segments);
        Assert.EndsWith("--class database", Cold(First, null, "database", "user=ken")!.Command, StringComparison.Ordinal);
        Assert.Null(Cold(null, null, "application", ""));
        Assert.Null(Cold(null, null, null, "class=security-audit"));
        Assert.Null(Cold(First.AddDays(1), null, null, ""));
        Assert.Null(Cold(null, null, null, "time >= 2026-07-02"));
    }

    ColdRange? Cold(DateTimeOffset? from, DateTimeOffset? to, string? @class, string filter) => ColdRange.Of(_world.Custody.Catalog, Data, from, to, @class, filter);

    RestorePlan Plan() => Restore().Plan(First.AddDays(-10), First.AddDays(10), null);

    SegmentRestore Restore(Action<string>? probe = null, long? free = null) => new(Data, _world.Archive.Store, _world.Custody.Catalog, _world.Custody.Restores, _world.Archive.Time)
    {
        Probe = probe,
        FreeBytes = () => free ?? long.MaxValue,
    };

    async Task<long> CountAsync()
    {
        using var engine = new QueryEngine(new HotStoreOptions { DataDirectory = Data }, new QueryLimits(), TimeProvider.System);
        return await engine.CountAsync(new EventScope(), HoldWorld.Cancel);
    }

    SortedDictionary<string, byte[]> Files()
    {
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        var folder = Path.Combine(Data, "hot", "segments");
        if (!Directory.Exists(folder)) return files;
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories)) files.Add(file, File.ReadAllBytes(file));
        return files;
    }
}
