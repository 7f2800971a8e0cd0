using Logwarden.Archive;
using Logwarden.Holds;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Holds;

public sealed class HoldTests : IDisposable
{
    // Of the events of ArchiveWorld: every tenth is a day late, so that a seal has two dates of each class.
    static readonly DateTimeOffset FirstOfJuly = new(2026, 7, 1, 0, 0, 0, TimeSpan.Zero);

    readonly HoldWorld _world = new();

    public static TheoryData<string> Scopes => [.. Kinds.Keys];

    static Dictionary<string, (HoldRequest Request, EventTest Test)> Kinds => new(StringComparer.Ordinal)
    {
        ["source"] = (HoldWorld.Request with { Source = "eks" }, (in e) => e.Source.SequenceEqual("eks"u8)),
        ["user"] = (HoldWorld.Request with { User = "GRACE" }, (in e) => e.User.Utf8.SequenceEqual("grace"u8)),
        ["user with wildcards"] = (HoldWorld.Request with { User = "k?n*" }, (in e) => e.User.Utf8.SequenceEqual("ken"u8)),
        ["object"] = (HoldWorld.Request with { Object = "order/91" }, (in e) => e.Object.Utf8.SequenceEqual("order/91"u8)),
        ["class"] = (HoldWorld.Request with { Class = "database" }, (in e) => e.Class.SequenceEqual("database"u8)),
        ["time"] = (HoldWorld.Request with { From = FirstOfJuly.AddDays(-1), To = FirstOfJuly }, (in e) => e.TimeMicros < StoredEvents.Epoch),
        ["filter"] = (HoldWorld.Request with { When = "\"order 1234 updated\"" }, (in e) => e.Json.IndexOf("order 1234 updated"u8) >= 0),
        ["several"] = (
            HoldWorld.Request with { Source = "eks", Class = "security-audit", To = FirstOfJuly, When = "user=grace" },
            (in e) => e.Source.SequenceEqual("eks"u8) && e.Class.SequenceEqual("security-audit"u8) && e.TimeMicros < StoredEvents.Epoch && e.User.Utf8.SequenceEqual("grace"u8)),
    };

    public void Dispose() => _world.Dispose();

    [Theory]
    [MemberData(nameof(Scopes))]
    public async Task A_hold_is_on_exactly_the_segments_with_an_event_of_its_scope_before_and_after_it_came_hot_or_cold(string kind)
    {
        var (request, test) = Kinds[kind];
        await _world.SealTo(null, 40, 1000);
        _world.DeleteHot();
        await _world.SealTo(null, 1300);

        var hold = _world.Add(request);
        await _world.KeepAsync();
        await _world.SealTo(null, 1320, 1900, 1903);

        var expected = await _world.With(test);
        Assert.Equal(expected, await _world.Held(), StringComparer.Ordinal);
        Assert.InRange(expected.Count, 1, (await _world.Segments()).Count - 1);
        Assert.Equal(expected.Order(StringComparer.Ordinal), _world.Custody.Holds.Objects(hold.Id), StringComparer.Ordinal);
        Assert.False(_world.Custody.Holds.HasWork()); // what was sealed after it needs no second look
        Assert.Equal(new(1, expected.Count, 0, 0), _world.Custody.Holds.Summary());
        Assert.Empty((await _world.Archive.Verify()).Findings);
        Assert.Empty(await _world.Keeper().CheckAsync(repair: false, null, HoldWorld.Cancel));
    }

    [Fact]
    public async Task What_is_sealed_under_a_hold_says_so_in_its_record()
    {
        _world.Add("class=database");
        await _world.SealTo(null, 400);

        Assert.All(await _world.Segments(), segment => Assert.Equal(string.Equals(segment.Class, "database", StringComparison.Ordinal), segment.LegalHold));
    }

    [Fact]
    public async Task A_hold_that_came_while_a_seal_was_under_way_gets_onto_it_too()
    {
        await _world.SealTo(null, 400);
        var before = _world.Custody.Holds.Watch(); // what the sealer saw when it began
        _world.Add("user=ada");
        await _world.KeepAsync();
        await _world.SealTo(() => before, 800);
        Assert.True(_world.Custody.Holds.HasWork());
        var missed = (await _world.Segments()).First(segment => string.Equals(segment.Class, "application", StringComparison.Ordinal) && segment.FirstLeaf >= 200);
        Assert.False((await _world.Archive.Store.Head(missed.Path, null, HoldWorld.Cancel))!.LegalHold);
        Assert.True(_world.Custody.Holds.IsHeld(missed.Path)); // nothing is deleted meanwhile

        await _world.KeepAsync();

        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ada"u8)), await _world.Held(), StringComparer.Ordinal);
    }

    [Fact]
    public async Task A_seal_that_the_catalog_missed_is_looked_at()
    {
        _world.Add("user=ada");
        await _world.SealTo(null, 400);
        // By a process that ended between the seal and its note.
        await _world.Archive.SealTo(800);

        await _world.KeepAsync();

        Assert.Equal(1, _world.Custody.Catalog.Newest);
        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ada"u8)), await _world.Held(), StringComparer.Ordinal);
    }

    [Theory]
    [InlineData("rita", "rita", "approver")]
    [InlineData("rita", " RITA ", "approver")]
    [InlineData("rita", "", "approver")]
    [InlineData(" ", "otto", "requester")]
    public async Task Two_people_add_a_hold_and_two_release_it(string requester, string approver, string field)
    {
        await _world.SealTo(null, 100);
        var refused = Assert.Throws<HoldRefusedException>(() => _world.Custody.Holds.Add(HoldWorld.Request with { When = "*", Requester = requester, Approver = approver }, "u", null));
        Assert.Equal(field, refused.Field);
        Assert.Empty(_world.Custody.Holds.All());
        Assert.Empty(_world.Told("hold.add"));

        var hold = _world.Add("*");
        refused = Assert.Throws<HoldRefusedException>(() => _world.Custody.Holds.Release(hold.Id, requester, approver, "done", "u", null));
        Assert.Equal(field, refused.Field);
        Assert.True(_world.Custody.Holds.Find(hold.Id)!.IsActive);
        Assert.Empty(_world.Told("hold.release"));
    }

    [Fact]
    public void A_hold_without_scope_or_with_a_wrong_filter_is_refused()
    {
        Assert.Equal("when", Assert.Throws<HoldRefusedException>(() => _world.Add(HoldWorld.Request)).Field);
        Assert.Equal("when", Assert.Throws<HoldRefusedException>(() => _world.Add("user=")).Field);
        Assert.Equal("to", Assert.Throws<HoldRefusedException>(() => _world.Add(HoldWorld.Request with { From = FirstOfJuly, To = FirstOfJuly })).Field);
        Assert.Equal("matter", Assert.Throws<HoldRefusedException>(() => _world.Add(HoldWorld.Request with { Matter = " ", When = "*" })).Field);
        Assert.Null(_world.Custody.Holds.Watch());
    }

    [Fact]
    public async Task Releasing_one_hold_takes_it_off_only_what_no_other_one_is_on()
    {
        await _world.SealTo(null, 400);
        var databases = _world.Add("class=database");
        var ken = _world.Add("user=ken OR user=ada");
        await _world.KeepAsync();
        await _world.SealTo(null, 800);
        var both = await _world.With((in e) => e.User.Utf8.SequenceEqual("ken"u8) || e.User.Utf8.SequenceEqual("ada"u8));
        Assert.Equal(both, await _world.Held(), StringComparer.Ordinal);

        _world.Release(ken);
        await _world.KeepAsync();
        Assert.Equal(await _world.With((in e) => e.Class.SequenceEqual("database"u8)), await _world.Held(), StringComparer.Ordinal);

        _world.Release(databases);
        await _world.KeepAsync();
        Assert.Empty(await _world.Held());
        await _world.SealTo(null, 900);
        Assert.Empty(await _world.Held());

        Assert.Equal([false, false], _world.Custody.Holds.All().Select(hold => hold.IsActive));
        Assert.Equal([4L, 6L], _world.Custody.Holds.All().Select(hold => hold.ObjectsAtRelease!.Value));
        Assert.Equal(2, _world.Told("hold.release").Count);
        Assert.Equal("id", Assert.Throws<HoldRefusedException>(() => _world.Release(ken)).Field);
        Assert.Null(_world.Custody.Holds.Release(99, "rita", "otto", "x", "u", null));
    }

    [Fact]
    public async Task A_hold_that_came_just_before_the_release_of_another_is_looked_for_first()
    {
        await _world.SealTo(null, 400);
        var first = _world.Add("class=database");
        await _world.KeepAsync();
        _world.Add("user=ken");
        _world.Release(first);
        var off = 0;
        var store = new WatchedStore(_world.Archive.Store, protection => off += protection.LegalHold ? 0 : 1);
        await _world.Keeper(store: store).WorkAsync(null, HoldWorld.Cancel);

        Assert.Equal(0, off); // not for a moment
        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ken"u8)), await _world.Held(), StringComparer.Ordinal);
    }

    public static TheoryData<string, int> Crashes
    {
        get
        {
            var crashes = new TheoryData<string, int>();
            foreach (var step in Enum.GetNames<HoldStep>())
                foreach (var time in (int[])[1, 2, 5]) crashes.Add(step, time);
            return crashes;
        }
    }

    [Theory]
    [MemberData(nameof(Crashes))]
    public async Task Whatever_step_it_crashes_behind_the_next_run_goes_on_and_ends_the_same(string step, int time)
    {
        await _world.SealTo(null, 300, 600, 900, 1200, 1500);
        var stays = _world.Add("user=ada");
        await CrashAndGoOnAsync(step, time);
        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ada"u8)), await _world.Held(), StringComparer.Ordinal);
        var goes = _world.Add("class=application OR class=database");
        await CrashAndGoOnAsync(step, time);
        Assert.Equal(await _world.With((in e) => !e.Class.SequenceEqual("security-audit"u8)), await _world.Held(), StringComparer.Ordinal);

        _world.Release(goes);
        await CrashAndGoOnAsync(step, time);

        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ada"u8)), await _world.Held(), StringComparer.Ordinal);
        Assert.Equal(0, _world.Custody.Holds.Find(goes.Id)!.Objects);
        _world.Release(stays);
        await CrashAndGoOnAsync(step, time);
        Assert.Empty(await _world.Held());
        Assert.Equal(2, _world.Told("hold.apply").Count);
    }

    [Fact]
    public async Task A_hold_released_while_its_seal_was_interrupted_does_not_stay_on_it()
    {
        var hold = _world.Add("class=database");
        var crashing = _world.Archive.Options with
        {
            Holds = _world.Custody.Holds.Watch,
            Probe = (step, isDone) =>
            {
                if (step is SealStep.RecordSeal && !isDone) throw new CrashException();
            },
        };
        using (var sealer = await _world.Archive.OpenSealer(crashing))
            await Assert.ThrowsAsync<CrashException>(async () => await sealer.SealEvents(ArchiveWorld.Journal(0), 400, null, HoldWorld.Cancel));
        _world.Release(hold);
        await _world.KeepAsync();
        await _world.SealTo(null, 500); // carries the first one out, which puts what it planned

        await _world.KeepAsync();

        Assert.Contains((await _world.Archive.Records())[0].Segments, segment => segment.LegalHold);
        Assert.Empty(await _world.Held());
    }

    [Fact]
    public async Task What_must_stay_is_told_to_those_who_delete()
    {
        await _world.SealTo(null, 400);
        var segments = await _world.Segments();
        Assert.All(segments, segment => Assert.False(_world.Custody.Holds.IsHeld(segment)));
        Assert.False(_world.Custody.Holds.IsHeld("segments/class=a/date=2026-07-01/00000000000000000000-1.parquet"));

        _world.Add("class=database user=nobody");
        // Before it was looked for, it may be in any of its class.
        Assert.All(segments, segment => Assert.Equal(string.Equals(segment.Class, "database", StringComparison.Ordinal), _world.Custody.Holds.IsHeld(segment)));
        Assert.True(_world.Custody.Holds.IsHeld("segments/class=a/date=2026-07-01/00000000000000000000-1.parquet"));

        _world.Add("class=application");
        await _world.KeepAsync();
        Assert.All(segments, segment => Assert.Equal(string.Equals(segment.Class, "application", StringComparison.Ordinal), _world.Custody.Holds.IsHeld(segment)));
    }

    [Fact]
    public async Task A_hold_taken_off_behind_our_back_is_found_put_on_again_and_told()
    {
        await _world.SealTo(null, 400);
        _world.Add("class=database");
        await _world.KeepAsync();
        var path = (await _world.Held())[0];
        var head = await _world.Archive.Store.Head(path, null, HoldWorld.Cancel);
        await _world.Archive.Store.Protect(path, null, new(head!.Mode!.Value, head.RetainUntil!.Value, legalHold: false), HoldWorld.Cancel);

        var found = Assert.Single(await _world.Keeper().CheckAsync(repair: false, null, HoldWorld.Cancel));
        Assert.Equal(path, found.Path);
        Assert.DoesNotContain(path, await _world.Held());
        Assert.Equal(path, Assert.Single(await _world.Keeper().CheckAsync(repair: true, null, HoldWorld.Cancel)).Path);
        Assert.Contains(path, await _world.Held());
        Assert.Contains("\"severity\":\"error\"", Assert.Single(_world.Told("hold.put-back")), StringComparison.Ordinal);
        Assert.Empty(await _world.Keeper().CheckAsync(repair: true, null, HoldWorld.Cancel));
    }

    [Fact]
    public async Task A_held_object_that_is_gone_is_told_once()
    {
        await _world.SealTo(null, 400);
        _world.Add("class=database");
        await _world.KeepAsync();
        var path = (await _world.Held())[0];
        File.Delete(Path.Combine(_world.Archive.ArchiveFolder, path));

        for (var i = 0; i < 3; i++) Assert.Equal(path, Assert.Single(await _world.Keeper().CheckAsync(repair: true, null, HoldWorld.Cancel)).Path);

        Assert.Single(_world.Told("hold.object-missing"));
        Assert.Equal(1, _world.Custody.Holds.Summary().Missing);
    }

    [Fact]
    public async Task A_cold_segment_that_was_changed_is_held_whole_and_named()
    {
        await _world.SealTo(null, 400);
        _world.DeleteHot();
        var segment = (await _world.Segments()).First(one => string.Equals(one.Class, "security-audit", StringComparison.Ordinal));
        Flip(Path.Combine(_world.Archive.ArchiveFolder, segment.Path));

        _world.Add("user=nobody");
        await _world.KeepAsync();

        Assert.Equal([segment.Path], await _world.Held(), StringComparer.Ordinal);
        Assert.Contains(segment.Path, Assert.Single(_world.Told("hold.object-changed")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_hot_copy_that_was_changed_is_not_believed()
    {
        await _world.SealTo(null, 400);
        foreach (var segment in await _world.Segments())
        {
            // Of the same length, and without the user: the bytes of another class.
            var hot = Path.Combine(_world.Archive.DataFolder, "hot", segment.Path);
            await File.WriteAllBytesAsync(hot, new byte[segment.Bytes], HoldWorld.Cancel);
        }
        _world.Add("user=ken");
        await _world.KeepAsync();

        Assert.Equal(await _world.With((in e) => e.User.Utf8.SequenceEqual("ken"u8)), await _world.Held(), StringComparer.Ordinal);
        Assert.NotEmpty(await _world.Held());
    }

    [Fact]
    public async Task A_hold_outlasts_the_retention()
    {
        await _world.SealTo(null, 400);
        _world.Add("class=database");
        await _world.KeepAsync();
        _world.Archive.Time.Advance(TimeSpan.FromDays(3000));

        foreach (var segment in await _world.Segments())
        {
            var isHeld = string.Equals(segment.Class, "database", StringComparison.Ordinal);
            if (isHeld) await Assert.ThrowsAsync<BlobLockedException>(async () => await _world.Archive.Store.Delete(segment.Path, null, HoldWorld.Cancel));
            else await _world.Archive.Store.Delete(segment.Path, null, HoldWorld.Cancel);
        }
        // What is gone after its retention is no finding of a later hold.
        _world.DeleteHot();
        _world.Add("class=application");
        await _world.KeepAsync();
        Assert.Equal(0, _world.Custody.Holds.Summary().Missing);
        Assert.All(await _world.Segments(), segment => Assert.Equal(!string.Equals(segment.Class, "database", StringComparison.Ordinal) && !string.Equals(segment.Class, "security-audit", StringComparison.Ordinal), _world.Custody.Catalog.Find(segment.Path)!.IsExpired));
    }

    [Fact]
    public async Task One_keeper_works_at_a_time()
    {
        await _world.SealTo(null, 400);
        _world.Add("class=database");
        bool? other = null;
        await _world.Keeper(probe: _ => other ??= _world.Keeper().WorkAsync(null, HoldWorld.Cancel).GetAwaiter().GetResult()).WorkAsync(null, HoldWorld.Cancel);

        Assert.False(other);
        Assert.NotEmpty(await _world.Held());
    }

    async Task CrashAndGoOnAsync(string step, int time)
    {
        var left = time;
        try
        {
            await _world.Keeper(probe: at =>
            {
                if (string.Equals(at.ToString(), step, StringComparison.Ordinal) && --left == 0) throw new CrashException();
            }).WorkAsync(null, HoldWorld.Cancel);
        }
        catch (CrashException)
        {
            // As a kill would: nothing behind it was done.
        }
        await _world.KeepAsync();
    }

    static void Flip(string path)
    {
        var bytes = File.ReadAllBytes(path);
        bytes[bytes.Length / 2] ^= 1;
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        File.WriteAllBytes(path, bytes);
    }

    sealed class CrashException : Exception;

    /// <summary>Tells what is asked of locks.</summary>
    sealed class WatchedStore(IBlobStore store, Action<BlobLock> protects) : IBlobStore
    {
        public string Location => store.Location;

        public ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel) => store.Check(cancel);

        public ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel) => store.Put(key, content, protection, cancel);

        public ValueTask<PutReceipt> PutOver(string key, Stream content, BlobLock protection, CancellationToken cancel) => store.PutOver(key, content, protection, cancel);

        public ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel) => store.Read(key, versionId, destination, cancel);

        public ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel) => store.Head(key, versionId, cancel);

        public ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel)
        {
            protects(protection);
            return store.Protect(key, versionId, protection, cancel);
        }

        public IAsyncEnumerable<BlobVersion> List(string prefix, CancellationToken cancel) => store.List(prefix, cancel);

        public ValueTask Delete(string key, string? versionId, CancellationToken cancel) => store.Delete(key, versionId, cancel);

        public void Dispose()
        {
            // The world owns it.
        }
    }
}
