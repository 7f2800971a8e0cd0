using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Query;
using Logwarden.Retention;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Retention;

/// <summary>What a run leaves alone and what it does, case by case; and what a verifier says of what others do to deletion records.</summary>
public sealed class RetentionRunTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Fact]
    public async Task What_is_held_stays_until_it_is_released_and_the_rest_goes()
    {
        var segments = await Seal("application", 3);
        var (byName, byStore) = (segments[0], segments[1]);
        await Hold(byStore, isOn: true);
        _world.Time.Advance(TimeSpan.FromDays(200));

        var (report, _) = await _world.Retain(PolicySnapshot.Default, options => options with { HoldsOf = segment => Same(segment, byName) ? ["case 7"] : [] });

        Assert.Equal([segments[2].Path], Of(report, RetentionActKind.Expired));
        Assert.Equal([byName.Path, byStore.Path], Of(report, RetentionActKind.Held).Order(StringComparer.Ordinal));
        Assert.Equal([byName.Path, byStore.Path], Hot());
        await Hold(byStore, isOn: false);
        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Equal([byName.Path, byStore.Path], Of(report, RetentionActKind.Expired).Order(StringComparer.Ordinal));
        Assert.Empty(Hot());
        Assert.Equal((0, 3L), await Verified());
    }

    [Fact]
    public async Task A_hold_that_comes_behind_the_record_keeps_the_segment_and_verification_is_clean()
    {
        var segments = await Seal("application", 1);
        _world.Time.Advance(TimeSpan.FromDays(200));
        using var store = new HoldingStore(_world.OpenStore(), () => Hold(segments[0], isOn: true));

        var (report, _) = await _world.Retain(PolicySnapshot.Default, store: store);

        Assert.Equal([segments[0].Path], Of(report, RetentionActKind.Held));
        Assert.Equal([0L], report.Deletions);
        var verified = await _world.Verify();
        Assert.Equal((0L, 1L, 0L), (verified.FindingsTotal, verified.SegmentsUndeleted, verified.SegmentsExpired));
        await Hold(segments[0], isOn: false);
        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Equal([segments[0].Path], Of(report, RetentionActKind.Expired));
        Assert.Empty(report.Deletions);
        Assert.Equal((0, 1L), await Verified());
    }

    [Fact]
    public async Task What_the_store_refuses_is_told_and_stops_nothing_else()
    {
        var segments = await Seal("application", 3);
        _world.Time.Advance(TimeSpan.FromDays(200));
        using var store = new RefusingStore(_world.OpenStore(), segments[1].Path);

        var (report, told) = await _world.Retain(PolicySnapshot.Default, store: store);

        Assert.False(report.IsDone);
        Assert.Equal([segments[1].Path], Of(report, RetentionActKind.Refused));
        Assert.Equal([segments[0].Path, segments[2].Path], Of(report, RetentionActKind.Expired));
        Assert.Contains(told, notice => notice is { Action: "retention.refused", IsFailure: true });
        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Equal([segments[1].Path], Of(report, RetentionActKind.Expired));
        Assert.Equal((0, 3L), await Verified());
    }

    [Fact]
    public async Task Hot_stays_what_somebody_needs_or_the_archive_does_not_surely_have()
    {
        var segments = await Seal("database", 5);
        _world.Time.Advance(TimeSpan.FromDays(95));
        await _world.Store.Protect(segments[2].Path, null, new(LockMode.Compliance, new DateTimeOffset(segments[2].RetainUntil), legalHold: true), Cancel);
        Rewrite(segments[3].Path, bytes => bytes[bytes.Length / 2] ^= 1);
        File.Delete(Path.Combine(_world.ArchiveFolder, segments[4].Path));
        var restored = _world.Time.GetUtcNow().AddDays(2);

        var (report, told) = await _world.Retain(PolicySnapshot.Default, options => options with
        {
            NeededBy = segment => Same(segment, segments[0]) ? "the destination siem" : null,
            RestoredUntil = segment => Same(segment, segments[1]) ? restored : null,
        });

        Assert.Equal(segments.Select(segment => segment.Path), Of(report, RetentionActKind.EvictionPutOff));
        Assert.Equal(segments.Select(segment => segment.Path), Hot());
        Assert.DoesNotContain(told, notice => notice.Action is "retention.evict");
        _world.Time.Advance(TimeSpan.FromDays(2));
        (report, told) = await _world.Retain(PolicySnapshot.Default, options => options with { RestoredUntil = segment => Same(segment, segments[1]) ? restored : null });
        Assert.Equal([segments[0].Path, segments[1].Path], Of(report, RetentionActKind.Evicted));
        Assert.Contains(told, notice => notice.Action is "retention.evict");
    }

    [Fact]
    public async Task A_query_answers_from_what_is_left_when_a_segment_leaves_beneath_it()
    {
        await Seal("application", 2);
        using var engine = new QueryEngine(new() { DataDirectory = _world.DataFolder }, new QueryLimits(), TimeProvider.System);
        Assert.Equal(2, (await engine.SearchAsync(new SearchRequest { Scope = new EventScope { Filter = "*" }, Limit = 10 }, Cancel)).Rows.Count);
        _world.Time.Advance(TimeSpan.FromDays(40));

        var (report, _) = await _world.Retain(PolicySnapshot.Default);

        Assert.Equal(2, report.Count(RetentionActKind.Evicted));
        Assert.Empty((await engine.SearchAsync(new SearchRequest { Scope = new EventScope { Filter = "*" }, Limit = 10 }, Cancel)).Rows);
    }

    [Fact]
    public async Task A_longer_policy_extends_what_exists_once_and_a_shorter_one_touches_nothing()
    {
        var segments = await Seal("database", 2);
        var longer = RetentionPolicies.Shipped("database: {clause: RET-3, hot: 90d, total: 13mo", "database: {clause: RET-3, hot: 90d, total: 5y");
        var (report, told) = await _world.Retain(longer);
        Assert.Equal(segments.Select(segment => segment.Path), Of(report, RetentionActKind.Extended).Where(path => path.StartsWith(ArchiveLayout.Segments, StringComparison.Ordinal)));
        Assert.Equal(segments.Select((_, seal) => ArchiveLayout.Seal(seal)), told.Where(one => one.Action is "retention.extend" && one.Object.StartsWith(ArchiveLayout.Seals, StringComparison.Ordinal) && one.Object.EndsWith(".note", StringComparison.Ordinal)).Select(one => one.Object));
        // What proves them is locked as long.
        await foreach (var version in _world.Store.List("", Cancel))
        {
            if (version.Key.StartsWith(ArchiveLayout.Live, StringComparison.Ordinal)) continue;
            Assert.True((await _world.Store.Head(version.Key, null, Cancel))!.RetainUntil >= RetentionTimeline.Later(SegmentCutter.TimeOf(segments[0].MaxTime), 60, 0), version.Key);
        }
        (report, told) = await _world.Retain(longer);
        Assert.Empty(report.Acts);
        Assert.Empty(told);

        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Empty(report.Acts);
        _world.Time.Advance(TimeSpan.FromDays(3 * 365));
        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Empty(Of(report, RetentionActKind.Expired));
        foreach (var segment in segments) Assert.NotNull(await _world.Store.Head(segment.Path, null, Cancel));
        _world.Time.Advance(TimeSpan.FromDays(3 * 365));
        (report, _) = await _world.Retain(PolicySnapshot.Default);
        Assert.Equal(2, report.Count(RetentionActKind.Expired));
        Assert.Equal((0, 2L), await Verified());
    }

    [Fact]
    public async Task A_requirement_that_comes_later_extends_the_segments_that_have_such_an_event()
    {
        var segments = await Seal("application", 3, source: offset => offset == 1 ? "acme" : "shop");
        var policy = RetentionPolicies.With("""  - {name: Acme, kind: contract, when: "source = acme", keep: 7y, basis: MSA}""");

        var (report, _) = await _world.Retain(policy);

        Assert.Equal([segments[1].Path], Of(report, RetentionActKind.Extended).Where(path => path.StartsWith(ArchiveLayout.Segments, StringComparison.Ordinal)));
        _world.Time.Advance(TimeSpan.FromDays(200));
        (report, _) = await _world.Retain(policy);
        Assert.Equal([segments[0].Path, segments[2].Path], Of(report, RetentionActKind.Expired));
        var explained = await new RetentionExplainer(new() { DataDirectory = _world.DataFolder, Rules = new(policy) }, _world.Store, [_world.Key.Verifier]).Explain(segments[1].Path, Cancel);
        Assert.Equal((TermKind.Contract, "Acme"), (explained!.Reckoning.Governing.Kind, explained.Reckoning.Governing.Name));
        Assert.Equal(explained.Reckoning.Until, explained.Lock!.RetainUntil);
        explained = await new RetentionExplainer(new() { DataDirectory = _world.DataFolder, Rules = new(policy) }, _world.Store, [_world.Key.Verifier]).Explain(segments[0].Path, Cancel);
        Assert.Equal((0L, 0), (explained!.Deletion!.Value, explained.Versions));
    }

    [Fact]
    public async Task A_report_counts_what_is_hot_cold_held_expired_and_missing()
    {
        var segments = await Seal("application", 4);
        await Hold(segments[0], isOn: true);
        _world.Time.Advance(TimeSpan.FromDays(95));
        await _world.Retain(PolicySnapshot.Default, options => options with { HoldsOf = segment => Same(segment, segments[3]) ? ["x"] : [] });
        await _world.Store.Delete(segments[3].Path, null, Cancel);

        var month = Assert.Single(await new RetentionSummary(new() { DataDirectory = _world.DataFolder, Rules = new(PolicySnapshot.Default) }, _world.Store, [_world.Key.Verifier]).Make(null, Cancel));

        Assert.Equal(("application", "2026-07", 4L, 2L, 1L, 1L, 2L, 1L), (month.Class, month.Month, month.Events, month.Hot, month.Cold, month.Held, month.Expired, month.Missing));
    }

    [Theory]
    [InlineData("gone by hand", FindingCode.SegmentMissing)]
    [InlineData("newest record removed", FindingCode.SegmentMissing)]
    [InlineData("older record removed", FindingCode.DeletionMissing)]
    [InlineData("older record damaged", FindingCode.DeletionInvalid)]
    [InlineData("signed too early", FindingCode.DeletionUnfounded)]
    [InlineData("signed with a wrong reckoning", FindingCode.DeletionUnfounded)]
    [InlineData("signed with another hash", FindingCode.DeletionUnfounded)]
    [InlineData("signed of what never was", FindingCode.DeletionInvalid)]
    [InlineData("not signed", FindingCode.ObjectUnexpected)]
    public async Task A_verifier_names(string what, FindingCode code)
    {
        var segments = await Seal("application", 3);
        _world.Time.Advance(TimeSpan.FromDays(200));
        foreach (var segment in segments.Take(2)) await _world.Retain(PolicySnapshot.Default, options => options with { HoldsOf = one => Same(one, segment) ? [] : ["x"] });
        Assert.Equal((0, 2L), await Verified());
        var newest = Deletion.TryOpen((await _world.Store.ReadBytes(ArchiveLayout.Deletion(1), null, Cancel))!, 1, [_world.Key.Verifier], out _)!;
        var last = newest.Record.Segments[0] with
        {
            Path = segments[2].Path,
            Sha256 = segments[2].Sha256,
            Bytes = segments[2].Bytes,
            FirstLeaf = segments[2].FirstLeaf,
            MinTime = segments[2].MinTime,
            MaxTime = segments[2].MaxTime,
            Seal = 2,
            RetainUntil = segments[2].RetainUntil,
        };
        switch (what)
        {
            case "gone by hand":
                await _world.Store.Delete(last.Path, null, Cancel);
                break;
            case "newest record removed" or "older record removed":
                File.Delete(Path.Combine(_world.ArchiveFolder, ArchiveLayout.Deletion(what is "newest record removed" ? 1 : 0)));
                break;
            case "older record damaged":
                Rewrite(ArchiveLayout.Deletion(0), bytes => bytes[40] ^= 1);
                break;
            default:
                await Forge(newest, what, last);
                break;
        }

        var report = await _world.Verify();

        Assert.Contains(report.Findings, finding => finding.Code == code);
        Assert.DoesNotContain(report.Findings, finding => finding.Code is FindingCode.RootMismatch or FindingCode.LedgerMismatch);
    }

    // By whoever has the key and the right to delete: the record must still be of what was due.
    async Task Forge(Deletion newest, string what, DeletedSegment last)
    {
        var rules = new RetentionRules(PolicySnapshot.Default);
        var terms = rules.Reckon(last.Class, SegmentCutter.TimeOf(last.MaxTime), new DateTimeOffset((await _world.Records())[2].Header.Sealed), default).Terms;
        last = last with { Terms = terms };
        var decided = newest.Record.Header.Decided;
        if (what is "signed too early") decided = last.RetainUntil.AddSeconds(-1);
        if (what is "signed with a wrong reckoning") last = last with { Terms = [terms[0] with { Keep = "1d", Until = terms[0].From.AddDays(1) }, terms[1] with { Until = terms[1].Until.AddDays(-1) }, .. terms.Skip(2)] };
        if (what is "signed with another hash") last = last with { Sha256 = new string('0', 64) };
        if (what is "signed of what never was") last = last with { Path = last.Path.Replace("date=2026", "date=2025", StringComparison.Ordinal) };
        var record = new DeletionRecord { Header = newest.Record.Header with { Number = 2, Previous = newest.Sha256, Decided = decided }, Segments = [last] };
        using var other = SigningKey.Generate(ArchiveWorld.Origin);
        var note = SignedNote.Sign(record.ToText(), what is "not signed" ? other : _world.Key);
        await _world.Store.PutBytes(ArchiveLayout.Deletion(2), note, new(LockMode.Compliance, new DateTimeOffset(newest.Record.Header.RetainUntil), legalHold: false), Cancel);
        if (what is not "signed of what never was") await _world.Store.Delete(last.Path, null, Cancel);
    }

    [Fact]
    public async Task A_class_that_is_gone_whole_and_whose_open_tile_was_lost_is_sealed_on_and_proved()
    {
        await Seal("application", 3);
        _world.Time.Advance(TimeSpan.FromDays(200));
        await _world.Retain(PolicySnapshot.Default);
        File.Delete(Path.Combine(_world.ArchiveFolder, ArchiveLayout.TileOf("application", new(0, 0, 3))));
        Directory.Delete(Path.Combine(_world.DataFolder, "state"), recursive: true);

        using (var sealer = await _world.OpenSealer())
            await sealer.SealEvents([StoredEvents.One(3, UnixMicros.Of(_world.Time.GetUtcNow()))], 4, null, Cancel);

        Assert.Equal((0, 3L), await Verified());
    }

    [Fact]
    public void A_record_is_read_as_it_was_written_and_in_no_other_form()
    {
        var term = RetentionTerm.Of(TermKind.Class, "security-audit (RET-1)", Period.OfMonths(13), new(2027, 1, 31, 15, 0, 0, TimeSpan.Zero));
        var record = new DeletionRecord
        {
            Header = new(1, "o", 7, "ab", new(2028, 3, 2, 0, 0, 0, DateTimeKind.Utc), 9, "cd", "1.0.0", "ef", new(2029, 3, 2, 0, 0, 0, DateTimeKind.Utc), LockMode.Compliance),
            Segments = [new("segments/class=c/date=2027-01-31/0-1.parquet", "c", "00", 10, 1, 3, 4, 5, 6, new(2028, 3, 1, 15, 0, 0, DateTimeKind.Utc), 2, [term], new DateTime(2028, 3, 1, 15, 0, 0, DateTimeKind.Utc))],
            Leaves = [new("c", 0, new byte[TreeHash.Size])],
        };
        const string Text = """
            {"deletion":{"version":1,"origin":"o","number":7,"previous":"ab","decided":"2028-03-02T00:00:00Z","seal":9,"sealSha256":"cd","policyVersion":"1.0.0","policySha256":"ef","retainUntil":"2029-03-02T00:00:00Z","mode":"Compliance"}}
            {"segment":{"path":"segments/class=c/date=2027-01-31/0-1.parquet","class":"c","sha256":"00","bytes":10,"rows":1,"firstLeaf":3,"minTime":4,"maxTime":5,"seal":6,"retainUntil":"2028-03-01T15:00:00Z","versions":2,"terms":[{"kind":"Class","name":"security-audit (RET-1)","keep":"13mo","from":"2027-01-31T15:00:00Z","until":"2028-03-01T15:00:00Z"}],"lockedUntil":"2028-03-01T15:00:00Z"}}
            {"leaves":{"class":"c","firstLeaf":0,"hashes":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="}}

            """;
        Assert.Equal(Text, record.ToText());
        Assert.Equal(Text, DeletionRecord.TryParse(Text, out _)!.ToText());
        for (var at = 0; at < Text.Length; at++)
        {
            // A space in a value makes it another record, anywhere else none.
            var changed = Text[..at] + " " + Text[at..];
            if (DeletionRecord.TryParse(changed, out _) is { } other) Assert.Equal(changed, other.ToText());
        }
        Assert.Null(DeletionRecord.TryParse(Text.Replace("\"version\":1", "\"version\":2", StringComparison.Ordinal), out var reason));
        Assert.Contains("version 2", reason, StringComparison.Ordinal);
    }

    static bool Same(SealedSegment a, SealedSegment b) => string.Equals(a.Path, b.Path, StringComparison.Ordinal);

    static List<string> Of(RetentionReport report, RetentionActKind kind) => [.. report.Acts.Where(act => act.Kind == kind).Select(act => act.Path)];

    // A segment each seal.
    async Task<IReadOnlyList<SealedSegment>> Seal(string @class, int count, Func<int, string>? source = null)
    {
        using (var sealer = await _world.OpenSealer())
        {
            for (var offset = 0; offset < count; offset++) await sealer.SealEvents([StoredEvents.One(offset, @class: @class, source: source?.Invoke(offset) ?? "shop")], offset + 1, null, Cancel);
        }
        return [.. (await _world.Records()).Select(record => Assert.Single(record.Segments))];
    }

    async Task Hold(SealedSegment segment, bool isOn) =>
        await _world.Store.Protect(segment.Path, null, new(segment.Mode, new DateTimeOffset(segment.RetainUntil), isOn), Cancel);

    void Rewrite(string key, Action<byte[]> change)
    {
        var path = Path.Combine(_world.ArchiveFolder, key);
        var bytes = File.ReadAllBytes(path);
        change(bytes);
        File.SetAttributes(path, FileAttributes.Normal);
        File.WriteAllBytes(path, bytes);
    }

    List<string> Hot()
    {
        var hot = Path.Combine(_world.DataFolder, "hot");
        return [.. Directory.EnumerateFiles(hot, "*.parquet", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(hot, file)).Order(StringComparer.Ordinal)];
    }

    async Task<(int Findings, long Expired)> Verified()
    {
        var report = await _world.Verify();
        Assert.Empty(report.Findings);
        return (report.Findings.Count, report.SegmentsExpired);
    }

    /// <summary>Somebody puts a hold on a segment right after its deletion record was put.</summary>
    sealed class HoldingStore(IBlobStore store, Func<Task> hold) : StoreAround(store)
    {
        bool _isHeld;

        protected override async ValueTask<T> Change<T>(Func<ValueTask<T>> change)
        {
            var changed = await change();
            if (!_isHeld) await hold();
            _isHeld = true;
            return changed;
        }
    }

    /// <summary>Deletes all but one.</summary>
    sealed class RefusingStore(IBlobStore store, string path) : StoreAround(store)
    {
        protected override ValueTask<T> Change<T>(Func<ValueTask<T>> change) => change();

        public override ValueTask Delete(string key, string? versionId, CancellationToken cancel) =>
            string.Equals(key, path, StringComparison.Ordinal) ? throw new BlobLockedException("403", null) : base.Delete(key, versionId, cancel);
    }
}
