using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Proof.Notes;
using Logwarden.Retention;
using Logwarden.Tests.Segments;
using Logwarden.Verify;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Retention;

/// <summary>What was sealed, and when it must go, reckoned here by other means than the product does.</summary>
sealed record Expected(SealedSegment Segment, DateTimeOffset HotEnds, DateTimeOffset ColdEnds, bool IsHeld);

/// <summary>
/// An installation that seals events of all classes on chosen days, and is run through months with retention on. The shipped policy is in force: 90 days and 13 months, 30 and 90 days, 90 days and
/// two years.
/// </summary>
sealed class RetentionTimeline(IBlobStore store, FakeTimeProvider time, string data, int eventsPerClass) : IDisposable
{
    public const string Origin = "test.example/logwarden";

    static readonly (string Class, int HotDays, int Months, int Days)[] Classes =
    [
        ("application", 30, 0, 90), ("database", 90, 13, 0), ("infrastructure", 90, 24, 0), ("quarantine", 30, 0, 90), ("security-audit", 90, 13, 0),
    ];

    readonly List<Expected> _expected = [];
    readonly HashSet<string> _released = new(StringComparer.Ordinal);
    long _offset;

    public SigningKey Key { get; } = SigningKey.Generate(Origin);

    public List<RetentionAct> Acts { get; } = [];

    public List<RetentionNotice> Told { get; } = [];

    public IReadOnlyList<Expected> All => _expected;

    /// <summary>What is held from its seal on: the security log of a month.</summary>
    public Func<string, DateTimeOffset, bool> HeldAtSeal { get; set; } = (_, _) => false;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The date a number of calendar months and days later; where the month lacks the day, the first of the next.</summary>
    public static DateTimeOffset Later(DateTimeOffset from, int months, int days)
    {
        var (year, month) = (from.Year + (from.Month - 1 + months) / 12, (from.Month - 1 + months) % 12 + 1);
        var isShort = from.Day > DateTime.DaysInMonth(year, month);
        if (isShort) (year, month) = month == 12 ? (year + 1, 1) : (year, month + 1);
        return new DateTimeOffset(year, month, isShort ? 1 : from.Day, 0, 0, 0, TimeSpan.Zero) + from.TimeOfDay + TimeSpan.FromDays(days);
    }

    /// <summary>Seals events of that day, the last of each class at ten o'clock; the clock is at five past ten then.</summary>
    public async Task Seal(DateOnly day)
    {
        var ten = new DateTimeOffset(day, new(10, 0), TimeSpan.Zero);
        time.SetUtcNow(ten.AddMinutes(5));
        var from = _offset;
        var events = new List<ReadOnlyMemory<byte>>();
        foreach (var (name, _, _, _) in Classes)
            for (var i = eventsPerClass - 1; i >= 0; i--) events.Add(StoredEvents.One(_offset++, UnixMicros.Of(ten.AddMinutes(-i)), name, json: name is "quarantine" ? """{"unmapped":{"reason":"no-json"}}""" : null));
        var rules = new RetentionRules(PolicySnapshot.Default);
        using var sealer = await Sealer.Open(new()
        {
            DataDirectory = data,
            Origin = Origin,
            CompressionLevel = 1,
            Retention = (name, latest) => new(
                rules.Policy.Class(name).Lock is ClassLock.Governance ? LockMode.Governance : LockMode.Compliance, rules.Reckon(name, latest, time.GetUtcNow(), default).Until, HeldAtSeal(name, latest)),
        }, store, Key, time, Cancel);
        Assert.Equal(from, sealer.SealedTo);
        var seal = await sealer.SealEvents(events, _offset, null, Cancel);
        foreach (var (name, hotDays, months, days) in Classes)
        {
            var segment = Assert.Single(seal!.Record.Segments, one => string.Equals(one.Class, name, StringComparison.Ordinal));
            var expected = new Expected(segment, Later(ten, 0, hotDays), Later(ten, months, days), segment.LegalHold);
            Assert.Equal(expected.ColdEnds.UtcDateTime, segment.RetainUntil);
            _expected.Add(expected);
        }
    }

    public async Task<RetentionReport> Run()
    {
        var newest = Logwarden.Archive.Seal.TryOpen(await File.ReadAllBytesAsync(Path.Combine(data, "state", "sealed.note"), Cancel), [Key.Verifier], out _);
        var report = await RetentionRun.Run(new() { DataDirectory = data, Rules = new(PolicySnapshot.Default), Tell = Told.Add }, store, Key, newest, time, Cancel);
        Acts.AddRange(report.Acts);
        Assert.True(report.IsDone, string.Join('\n', report.Acts.Where(act => act.Kind is RetentionActKind.Refused or RetentionActKind.Missing)));
        return report;
    }

    /// <summary>Hot and archive have exactly what they must at this moment.</summary>
    public async Task Check()
    {
        var now = time.GetUtcNow();
        var hot = Path.Combine(data, "hot");
        Assert.Equal(
            Paths(one => one.HotEnds > now || IsHeld(one)),
            Directory.EnumerateFiles(Path.Combine(hot, "segments"), "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(hot, file)).Order(StringComparer.Ordinal));
        var there = new List<string>();
        await foreach (var version in store.List(ArchiveLayout.Segments, Cancel)) there.Add(version.Key);
        Assert.Equal(Paths(one => one.ColdEnds > now || IsHeld(one)), there.Order(StringComparer.Ordinal));
    }

    /// <summary>Nothing that is to be kept can be deleted, whoever asks for it.</summary>
    public async Task CheckNothingCanBeDeleted(IEnumerable<Expected> which)
    {
        foreach (var one in which)
        {
            await foreach (var version in store.List(one.Segment.Path, Cancel))
                await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete(version.Key, version.VersionId, Cancel));
        }
    }

    public async Task<VerifyReport> Verify() => await Verifier.Run(store, new() { Keys = [Key.Verifier], Origin = Origin }, time, _ => { }, Cancel);

    /// <summary>Takes the holds off again.</summary>
    public async Task Release()
    {
        foreach (var one in _expected.Where(IsHeld))
        {
            var head = await store.Head(one.Segment.Path, null, Cancel);
            await store.Protect(one.Segment.Path, head!.VersionId, new(head.Mode!.Value, head.RetainUntil!.Value, legalHold: false), Cancel);
            _released.Add(one.Segment.Path);
        }
    }

    public bool IsHeld(Expected one) => one.IsHeld && !_released.Contains(one.Segment.Path);

    /// <summary>The moments of a day at which something ends.</summary>
    public IEnumerable<DateTimeOffset> Ends => _expected.SelectMany(one => new[] { one.HotEnds, one.ColdEnds });

    public void Dispose() => Key.Dispose();

    IEnumerable<string> Paths(Func<Expected, bool> where) => _expected.Where(where).Select(one => one.Segment.Path).Order(StringComparer.Ordinal);
}
