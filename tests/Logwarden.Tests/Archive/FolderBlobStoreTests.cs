using System.Runtime.Versioning;
using Logwarden.Archive;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Archive;

[UnsupportedOSPlatform("windows")]
public sealed class FolderBlobStoreTests : BlobStoreContract, IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("logwarden-archive-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    protected override Task<IBlobStore> OpenAsync() => Task.FromResult(ArchiveTarget.Open("file:" + Path.Combine(_folder, "deep", "archive"), TimeProvider.System));

    [Fact]
    public async Task A_locked_file_is_read_only_with_its_lock_beside_it()
    {
        using var store = new FolderBlobStore(_folder, TimeProvider.System);
        var until = new DateTimeOffset(2101, 2, 3, 4, 5, 6, 700, TimeSpan.FromHours(2));
        await store.PutBytes("a/b", "x"u8.ToArray(), new(LockMode.Compliance, until, legalHold: false), Cancel);

        Assert.Equal(UnixFileMode.UserRead, File.GetUnixFileMode(Path.Combine(_folder, "a/b")));
        Assert.Equal("""{"mode":"COMPLIANCE","retainUntil":"2101-02-03T02:05:07Z","legalHold":false}""" + "\n",
            await File.ReadAllTextAsync(Path.Combine(_folder, "a/b.lock"), Cancel));
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, ".unfinished")));
    }

    [Fact]
    public async Task A_lock_ends_at_its_time_and_not_before()
    {
        var time = new FakeTimeProvider(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        using var store = new FolderBlobStore(_folder, time);
        await store.PutBytes("a", "x"u8.ToArray(), new(LockMode.Compliance, time.GetUtcNow().AddDays(1), legalHold: false), Cancel);
        time.Advance(TimeSpan.FromDays(1) - TimeSpan.FromTicks(1));
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete("a", null, Cancel));
        time.Advance(TimeSpan.FromTicks(1));
        await store.PutBytes("a", "y"u8.ToArray(), new(LockMode.Compliance, time.GetUtcNow().AddDays(1), legalHold: true), Cancel);
        time.Advance(TimeSpan.FromDays(2));
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete("a", null, Cancel));
        await store.Protect("a", null, new(LockMode.Governance, time.GetUtcNow(), legalHold: false), Cancel);
        await store.Delete("a", null, Cancel);
        Assert.False(File.Exists(Path.Combine(_folder, "a.lock")));
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("""{"mode":"NONE","retainUntil":"2101-02-03T02:05:07Z","legalHold":false}""")]
    public async Task A_lock_file_that_was_spoiled_protects_nothing_and_stops_nothing(string text)
    {
        using var store = new FolderBlobStore(_folder, TimeProvider.System);
        await store.PutBytes("a", "x"u8.ToArray(), Lock(), Cancel);
        await File.WriteAllTextAsync(Path.Combine(_folder, "a.lock"), text, Cancel);
        Assert.Null((await store.Head("a", null, Cancel))!.Mode);
    }

    [Fact]
    public async Task What_a_crash_left_unfinished_is_not_listed_and_not_in_the_way()
    {
        using var store = new FolderBlobStore(_folder, TimeProvider.System);
        Directory.CreateDirectory(Path.Combine(_folder, ".unfinished"));
        await File.WriteAllTextAsync(Path.Combine(_folder, ".unfinished", $"{Environment.ProcessId}-1"), "half", Cancel);
        Assert.Empty(await store.List("", Cancel).ToListAsync(Cancel));
        await store.PutBytes("a", "x"u8.ToArray(), Lock(), Cancel);
        Assert.Equal("x"u8.ToArray(), await store.ReadBytes("a", null, Cancel));
    }

    [Fact]
    public async Task A_folder_says_that_it_is_not_worm()
    {
        using var store = new FolderBlobStore(_folder, TimeProvider.System);
        Assert.Contains("not prevented", Assert.Single(await store.Check(Cancel)).What, StringComparison.Ordinal);
    }
}
