using Logwarden.Archive;

namespace Logwarden.Tests.Archive;

/// <summary>What every store promises, whatever it is made of. A test class for each store runs it.</summary>
public abstract class BlobStoreContract
{
    /// <summary>The store under test; empty at the start of each test.</summary>
    protected abstract Task<IBlobStore> OpenAsync();

    /// <summary>A lock that is in force and will be for the whole test.</summary>
    protected static BlobLock Lock(LockMode mode = LockMode.Governance, int minutes = 60, bool hold = false) =>
        new(mode, TimeProvider.System.GetUtcNow().AddMinutes(minutes), hold);

    protected static CancellationToken Cancel => TestContext.Current.CancellationToken;

    static readonly byte[] One = "one"u8.ToArray(), Two = "two"u8.ToArray();

    [Fact]
    public async Task What_was_put_is_read_again()
    {
        using var store = await OpenAsync();
        var big = new byte[3_000_000];
        new Random(1).NextBytes(big);
        foreach (var (key, bytes) in new[] { ("a", []), ("b/c=d/e_f-1.parquet", One), ("big", big) })
        {
            var put = await store.PutBytes(key, bytes, Lock(), Cancel);
            Assert.True(put.Stored);
            Assert.Equal(bytes, await store.ReadBytes(key, put.VersionId, Cancel));
            Assert.Equal(bytes, await store.ReadBytes(key, null, Cancel));
            Assert.Equal(bytes.Length, (await store.Head(key, put.VersionId, Cancel))!.Length);
        }
    }

    [Fact]
    public async Task What_is_not_there_is_told_apart()
    {
        using var store = await OpenAsync();
        Assert.Null(await store.ReadBytes("nothing", null, Cancel));
        Assert.Null(await store.Head("nothing", null, Cancel));
        await store.Delete("nothing", null, Cancel);
        Assert.Empty(await store.List("", Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_lock_is_what_was_asked_for()
    {
        using var store = await OpenAsync();
        foreach (var mode in (LockMode[])[LockMode.Governance, LockMode.Compliance])
        {
            foreach (var hold in (bool[])[false, true])
            {
                // Compliance cannot be undone: it ends by itself soon.
                var wanted = mode == LockMode.Compliance
                    ? new BlobLock(mode, TimeProvider.System.GetUtcNow().AddSeconds(20), hold)
                    : Lock(mode, hold: hold);
                var key = $"{mode}-{hold}";
                var put = await store.PutBytes(key, One, wanted, Cancel);
                var head = await store.Head(key, put.VersionId, Cancel);
                Assert.Equal((wanted.Mode, wanted.RetainUntil, wanted.LegalHold), (head!.Mode, head.RetainUntil, head.LegalHold));
                Assert.True(head.Covers(wanted));
                Assert.True(head.IsLockedAt(TimeProvider.System.GetUtcNow()));
            }
        }
        Assert.Null((await store.Head((await PutUnlocked(store)).Key, null, Cancel))!.Mode);
    }

    static async Task<(string Key, string? Version)> PutUnlocked(IBlobStore store) =>
        ("plain", (await store.PutBytes("plain", One, null, Cancel)).VersionId);

    [Fact]
    public async Task A_repeated_put_is_harmless()
    {
        using var store = await OpenAsync();
        var wanted = Lock();
        var first = await store.PutBytes("a", One, wanted, Cancel);
        var again = await store.PutBytes("a", One, wanted, Cancel);
        Assert.Equal(new(first.VersionId, Stored: false), again);
        Assert.Single(await store.List("", Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_repeated_put_with_a_longer_lock_lengthens_it()
    {
        using var store = await OpenAsync();
        await store.PutBytes("a", One, null, Cancel);
        await store.PutBytes("a", One, Lock(minutes: 10), Cancel);
        var longer = Lock(minutes: 20, hold: true);
        var put = await store.PutBytes("a", One, longer, Cancel);
        Assert.False(put.Stored);
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.Covers(longer));
        Assert.Single(await store.List("", Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_repeated_put_takes_no_hold_off_and_shortens_nothing()
    {
        using var store = await OpenAsync();
        var held = Lock(minutes: 10);
        var put = await store.PutBytes("a", One, held, Cancel);
        await store.Protect("a", put.VersionId, new(held.Mode, held.RetainUntil, legalHold: true), Cancel);

        await store.PutBytes("a", One, Lock(minutes: 20), Cancel);

        var head = await store.Head("a", put.VersionId, Cancel);
        Assert.True(head!.LegalHold);
        Assert.True(head.RetainUntil > held.RetainUntil);
    }

    [Fact]
    public async Task Other_bytes_under_a_locked_key_are_refused()
    {
        using var store = await OpenAsync();
        var put = await store.PutBytes("a", One, Lock(), Cancel);
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.PutBytes("a", Two, Lock(), Cancel));
        Assert.Equal(One, await store.ReadBytes("a", put.VersionId, Cancel));
        Assert.Single(await store.List("", Cancel).ToListAsync(Cancel));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task What_is_put_over_other_bytes_is_read_and_they_are_still_there(bool isLocked)
    {
        using var store = await OpenAsync();
        await store.PutBytes("a", One, isLocked ? Lock() : null, Cancel);
        var wanted = Lock(minutes: 20);
        var put = await Over();
        var again = await Over();

        Assert.Equal((put.VersionId, true, false), (again.VersionId, put.Stored, again.Stored));
        Assert.Equal(Two, await store.ReadBytes("a", null, Cancel));
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.Covers(wanted));
        var all = await store.List("a", Cancel).ToListAsync(Cancel);
        Assert.Equal(2, all.Count);
        var other = all.Single(blob => !(blob is { Key: "a" } && string.Equals(blob.VersionId, put.VersionId, StringComparison.Ordinal)));
        Assert.Equal(One, await store.ReadBytes(other.Key, other.VersionId, Cancel));
        Assert.Equal(isLocked, (await store.Head(other.Key, other.VersionId, Cancel))!.Mode is not null);

        async Task<PutReceipt> Over()
        {
            using var content = new MemoryStream(Two);
            return await store.PutOver("a", content, wanted, Cancel);
        }
    }

    [Fact]
    public async Task A_locked_blob_cannot_be_deleted()
    {
        using var store = await OpenAsync();
        var retained = await store.PutBytes("retained", One, Lock(), Cancel);
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete("retained", retained.VersionId, Cancel));
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete("retained", null, Cancel));
        Assert.Equal(One, await store.ReadBytes("retained", null, Cancel));
    }

    [Fact]
    public async Task A_lock_can_be_lengthened_but_not_shortened()
    {
        using var store = await OpenAsync();
        var put = await store.PutBytes("a", One, Lock(minutes: 30), Cancel);
        var longer = Lock(minutes: 60);
        await store.Protect("a", put.VersionId, longer, Cancel);
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.Covers(longer));
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Protect("a", put.VersionId, Lock(minutes: 5), Cancel));
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.Covers(longer));
    }

    [Fact]
    public async Task A_hold_goes_on_and_off()
    {
        using var store = await OpenAsync();
        var wanted = Lock(minutes: 30);
        var put = await store.PutBytes("a", One, wanted, Cancel);
        await store.Protect("a", put.VersionId, new(wanted.Mode, wanted.RetainUntil, legalHold: true), Cancel);
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.LegalHold);
        await store.Protect("a", put.VersionId, wanted, Cancel);
        Assert.False((await store.Head("a", put.VersionId, Cancel))!.LegalHold);
    }

    [Fact]
    public async Task An_unlocked_blob_is_replaced_and_leaves_nothing_behind()
    {
        using var store = await OpenAsync();
        await store.PutBytes("live/checkpoint", One, null, Cancel);
        var put = await store.PutBytes("live/checkpoint", Two, null, Cancel);
        Assert.Equal(Two, await store.ReadBytes("live/checkpoint", null, Cancel));
        Assert.Equal(put.VersionId, Assert.Single(await store.List("live/", Cancel).ToListAsync(Cancel)).VersionId);
        await store.Delete("live/checkpoint", null, Cancel);
        Assert.Null(await store.Head("live/checkpoint", null, Cancel));
        Assert.Empty(await store.List("", Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_list_has_every_key_below_its_prefix_in_order()
    {
        using var store = await OpenAsync();
        foreach (var key in (string[])["b/2", "a/1", "b/1", "c", "b/1-x", "bb"]) await store.PutBytes(key, One, null, Cancel);
        Assert.Equal(["b/1", "b/1-x", "b/2"], (await store.List("b/", Cancel).ToListAsync(Cancel)).Select(blob => blob.Key), StringComparer.Ordinal);
        Assert.Equal(["b/1", "b/1-x", "b/2", "bb"], (await store.List("b", Cancel).ToListAsync(Cancel)).Select(blob => blob.Key), StringComparer.Ordinal);
        Assert.Equal(["b/1", "b/1-x"], (await store.List("b/1", Cancel).ToListAsync(Cancel)).Select(blob => blob.Key), StringComparer.Ordinal);
        Assert.Empty(await store.List("no/such/folder/x", Cancel).ToListAsync(Cancel));
        var all = await store.List("", Cancel).ToListAsync(Cancel);
        Assert.Equal(["a/1", "b/1", "b/1-x", "b/2", "bb", "c"], all.Select(blob => blob.Key), StringComparer.Ordinal);
        Assert.All(all, blob => Assert.True(blob is { IsLatest: true, IsDeleteMarker: false, Length: 3 }));
        Assert.True((TimeProvider.System.GetUtcNow() - all[0].Modified).Duration() < TimeSpan.FromMinutes(5));
    }

    [Theory]
    [InlineData("")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a//b")]
    [InlineData("../a")]
    [InlineData("a/./b")]
    [InlineData("a b")]
    [InlineData("é")]
    public async Task A_key_that_is_no_safe_path_is_refused(string key)
    {
        using var store = await OpenAsync();
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.PutBytes(key, One, null, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await store.ReadBytes(key, null, Cancel));
    }
}
