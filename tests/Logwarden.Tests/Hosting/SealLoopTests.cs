using Logwarden.Archive;
using Logwarden.Hosting;
using Logwarden.Journal;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

public sealed class SealLoopTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<string> Failures => ["archive away", "no right", "damaged", "time-out", "rolled back", "a defect"];

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Whatever_fails_is_told_and_tried_again_until_it_works(string what)
    {
        var store = new BreakableStore(new FolderBlobStore(_scratch.File("archive"), TimeProvider.System));
        var options = new InstallationOptions { Data = _scratch.File("data"), OpenStore = () => store };
        await using var installation = await Installation.OpenAsync(options, TimeProvider.System, Cancel);
        var told = new List<string>();
        await using var loop = new SealLoop(installation, new SealOptions(1, null), _time, tell: text =>
        {
            lock (told) told.Add(text);
        });
        store.Failure = () => Failure(what);
        await Append(installation, 0);

        await Until(() => Told() >= 3);

        Assert.Contains(Failure(what).Message, loop.Failure, StringComparison.Ordinal);
        Assert.All(told, text => Assert.StartsWith("sealing failed, next try in ", text, StringComparison.Ordinal));
        Assert.Equal(0, installation.SealedTo);

        store.Failure = null;
        await Until(() => installation.SealedTo == 1);
        await Until(() => loop.Failure is null);
        await Append(installation, 1);
        await Until(() => installation.SealedTo == 2);

        int Told()
        {
            lock (told) return told.Count;
        }
    }

    [Fact]
    public async Task What_another_has_sealed_is_no_failure_any_more()
    {
        var store = new BreakableStore(new FolderBlobStore(_scratch.File("archive"), TimeProvider.System)) { Failure = () => Failure("archive away") };
        var options = new InstallationOptions { Data = _scratch.File("data"), OpenStore = () => store };
        await using var installation = await Installation.OpenAsync(options, TimeProvider.System, Cancel);
        await Append(installation, 0);
        await using var loop = new SealLoop(installation, new SealOptions(1, null), _time);
        await Until(() => loop.Failure is not null);

        store.Failure = null;
        await installation.SealAsync(Cancel);

        await Until(() => loop.Failure is null);
        Assert.Equal(1, installation.SealedTo);
    }

    public static TheoryData<string> IndexFailures => ["damaged", "time-out", "a defect"];

    [Theory]
    [MemberData(nameof(IndexFailures))]
    public async Task A_text_index_that_cannot_be_made_keeps_nothing_from_being_sealed(string what)
    {
        var options = new InstallationOptions { Data = _scratch.File("data") };
        await using var installation = await Installation.OpenAsync(options, TimeProvider.System, Cancel);
        var tries = 0;
        var fails = true;
        await using var loop = new SealLoop(installation, new SealOptions(1, null), _time, index: _ =>
        {
            Interlocked.Increment(ref tries);
            return Volatile.Read(ref fails) ? throw Failure(what) : Task.FromResult<string?>(null);
        });
        for (var offset = 0; offset < 3; offset++)
        {
            await Append(installation, offset);
            await Until(() => installation.SealedTo == offset + 1);
        }
        await Until(() => loop.LastIndexError is not null);

        Assert.Null(loop.Failure);
        Assert.Equal(Failure(what).Message, loop.LastIndexError);

        var before = Volatile.Read(ref tries);
        Volatile.Write(ref fails, false);
        await Until(() => loop.LastIndexError is null);
        Assert.True(Volatile.Read(ref tries) > before);
    }

    [Fact]
    public async Task Sealing_does_not_wait_for_the_index()
    {
        await using var installation = await Installation.OpenAsync(new() { Data = _scratch.File("data") }, TimeProvider.System, Cancel);
        var begun = new TaskCompletionSource();
        await using var loop = new SealLoop(installation, new SealOptions(1, null), _time, index: async cancel =>
        {
            begun.TrySetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, cancel);
            return null;
        });
        await Until(() => begun.Task.IsCompleted);
        for (var offset = 0; offset < 3; offset++)
        {
            await Append(installation, offset);
            await Until(() => installation.SealedTo == offset + 1);
        }
        Assert.Null(loop.LastIndexError);
    }

    [Fact]
    public async Task Where_old_tiles_can_not_be_deleted_they_stay_and_sealing_goes_on()
    {
        var store = new UndeletingStore(new FolderBlobStore(_scratch.File("archive"), TimeProvider.System)) { IsForbidden = true };
        await using var installation = await Installation.OpenAsync(new() { Data = _scratch.File("data"), OpenStore = () => store }, TimeProvider.System, Cancel);
        for (var offset = 0; offset < 3; offset++)
        {
            await Append(installation, offset);
            await installation.SealAsync(Cancel);
            Assert.Equal(offset + 1, installation.SealedTo);
        }
        Assert.Equal(2, store.Refused);
    }

    [Fact]
    public async Task A_seal_that_is_done_but_for_what_it_clears_away_counts()
    {
        var store = new UndeletingStore(new FolderBlobStore(_scratch.File("archive"), TimeProvider.System));
        var options = new InstallationOptions { Data = _scratch.File("data"), OpenStore = () => store };
        await using var installation = await Installation.OpenAsync(options, TimeProvider.System, Cancel);
        await Append(installation, 0);
        await installation.SealAsync(Cancel);
        await Append(installation, 1);

        await Assert.ThrowsAsync<BlobStoreException>(() => installation.SealAsync(Cancel));
        Assert.Equal(1, store.Refused);
        await installation.SealAsync(Cancel);

        Assert.Equal(2, installation.SealedTo);
    }

    static Exception Failure(string what) => what switch
    {
        "archive away" => new BlobStoreException("the archive is away", null),
        "no right" => new UnauthorizedAccessException("access is denied"),
        "damaged" => new InvalidDataException("the answer is no answer"),
        "time-out" => new TaskCanceledException("the request was canceled due to the configured timeout"),
        "rolled back" => new ArchiveRolledBackException("somebody rolled it back"),
        _ => new InvalidOperationException("a defect"),
    };

    // The loop runs on threads of its own: the clock goes on until it has done what is waited for.
    async Task Until(Func<bool> condition)
    {
        while (!condition())
        {
            Cancel.ThrowIfCancellationRequested();
            _time.Advance(TimeSpan.FromMilliseconds(500));
            await Task.Yield();
        }
    }

    static async Task Append(Installation installation, long offset)
    {
        var batch = new AppendBatch { Source = "shop" };
        var e = StoredEvents.One(offset);
        batch.Entries.Add(new(0, e.Length, default, null));
        System.Buffers.BuffersExtensions.Write(batch.Bytes, e);
        await installation.Journal.AppendAsync(batch, Cancel);
    }

    /// <summary>A store that fails at each change while it is told to.</summary>
    sealed class BreakableStore(IBlobStore store) : StoreAround(store)
    {
        public Func<Exception>? Failure { get; set; }

        protected override ValueTask<T> Change<T>(Func<ValueTask<T>> change) => Failure is { } fail ? throw fail() : change();
    }

    /// <summary>A store that deletes nothing.</summary>
    sealed class UndeletingStore(IBlobStore store) : StoreAround(store)
    {
        public bool IsForbidden { get; init; }

        public int Refused { get; private set; }

        protected override ValueTask<T> Change<T>(Func<ValueTask<T>> change) => change();

        public override ValueTask Delete(string key, string? versionId, CancellationToken cancel)
        {
            Refused++;
            throw IsForbidden ? new BlobLockedException("403", null) : new BlobStoreException("the archive is away", null);
        }
    }
}
