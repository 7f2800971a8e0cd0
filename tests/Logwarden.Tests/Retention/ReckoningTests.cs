using CsCheck;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Retention;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Retention;

/// <summary>The longest of all reasons governs (RET-6, RET-7), to the second, whatever the day.</summary>
public sealed class ReckoningTests
{
    const string Requirements = """
          - {name: short, kind: contract, class: database, keep: 10d, basis: a}
          - {name: law, kind: regulation, class: application, keep: 1y, basis: b}
          - {name: customer, kind: contract, when: "source = acme", keep: 7y, basis: c}
        """;

    static readonly RetentionRules Shipped = new(PolicySnapshot.Default), Longer = new(RetentionPolicies.With(Requirements));

    static readonly Gen<DateTimeOffset> Times = Gen.Select(Gen.Int[0, 40_000], Gen.Int[0, 86_399], (day, second) => new DateTimeOffset(1995, 1, 1, 0, 0, 0, TimeSpan.Zero).AddDays(day).AddSeconds(second));

    static readonly Gen<string> Classes = Gen.Int[0, 4].Select(index => PolicySnapshot.ClassNames[index]);

    [Theory]
    [InlineData("2027-01-29T15:00:00Z", "2028-02-29T15:00:00Z")]
    [InlineData("2027-01-30T15:00:00Z", "2028-03-01T15:00:00Z")]
    [InlineData("2027-01-31T15:00:00Z", "2028-03-01T15:00:00Z")]
    [InlineData("2028-01-31T00:00:00Z", "2029-03-01T00:00:00Z")]
    [InlineData("2028-01-28T23:59:59Z", "2029-02-28T23:59:59Z")]
    [InlineData("2028-02-29T12:00:00Z", "2029-03-29T12:00:00Z")]
    [InlineData("2027-08-31T12:00:00Z", "2028-10-01T12:00:00Z")]
    public void Thirteen_months_end_on_the_same_day_or_where_there_is_none_on_the_first_of_the_next_month(string from, string until)
    {
        var latest = DateTimeOffset.Parse(from, System.Globalization.CultureInfo.InvariantCulture);
        Assert.Equal(DateTimeOffset.Parse(until, System.Globalization.CultureInfo.InvariantCulture), Shipped.Reckon("security-audit", latest, latest.AddMinutes(5), default).Until);
    }

    [Fact]
    public void It_is_the_longest_of_what_applies() => Gen.Select(Classes, Times, Gen.Int[0, 3_000], Gen.Bool).Sample((@class, latest, lateHours, isAcme) =>
    {
        var sealedAt = latest.AddHours(lateHours);
        var reckoned = Longer.Reckon(@class, latest, sealedAt, new(isAcme ? 4UL : 0));
        var (months, days, hot) = @class switch { "application" or "quarantine" => (0, 90, 30), "infrastructure" => (24, 0, 90), _ => (13, 0, 90) };
        var ends = new List<DateTimeOffset> { RetentionTimeline.Later(latest, months, days), RetentionTimeline.Later(sealedAt, 0, hot) };
        if (@class is "application") ends.Add(RetentionTimeline.Later(latest, 12, 0));
        if (isAcme) ends.Add(RetentionTimeline.Later(latest, 84, 0));
        Assert.Equal(ends.Max(), reckoned.Until);
        Assert.Equal(reckoned.Terms.Max(term => term.Until), reckoned.Governing.Until);
    }, iter: 20_000);

    [Fact]
    public void Nothing_that_is_asked_for_makes_it_shorter_and_no_sender_moves_it_beyond_a_day() => Gen.Select(Classes, Times, Times, Gen.ULong[0, 7]).Sample((@class, latest, sealedAt, bits) =>
    {
        var plain = Shipped.Reckon(@class, latest, sealedAt, default);
        var more = Longer.Reckon(@class, latest, sealedAt, new(bits & 4));
        Assert.True(more.Until >= plain.Until);
        Assert.True(plain.Until >= RetentionTimeline.Later(sealedAt, 0, @class is "application" or "quarantine" ? 30 : 90));
        Assert.True(plain.Until <= RetentionTimeline.Later(sealedAt.AddDays(1), 24, 0));
        Assert.All(more.Terms, term => Assert.True(more.Until.UtcDateTime >= term.Until));
    }, iter: 20_000);

    /// <summary>Through the sealer: each object's lock is that of its latest event, and of the longest requirement that one of its events has, however the sealer cuts.</summary>
    [Fact]
    public async Task What_is_sealed_is_locked_as_reckoned() => await Gen.Select(Gen.Int[1, 60], Gen.Int[0, 1_000_000], Gen.Bool).SampleAsync(async (count, seed, isTight) =>
    {
        using var world = new ArchiveWorld();
        var random = new Random(seed);
        var events = new List<(byte[] Bytes, string Class, DateTimeOffset Time, bool IsAcme)>();
        for (var i = 0; i < count; i++)
        {
            var at = world.Time.GetUtcNow().AddSeconds(-random.Next(0, 300_000));
            var (@class, isAcme) = (PolicySnapshot.ClassNames[random.Next(4)], random.Next(12) == 0);
            events.Add((StoredEvents.One(i, UnixMicros.Of(at), @class, isAcme ? "acme" : "shop", isTight ? $$"""{"m":"{{new string('x', 40_000)}}"}""" : null), @class, at, isAcme));
        }
        var options = world.Options with
        {
            MemoryBytesMax = 1 << 20,
            Retention = (@class, latest) => new(LockMode.Compliance, Longer.Reckon(@class, latest, world.Time.GetUtcNow(), default).Until, legalHold: false),
            Requirements = new(Longer.Matcher, (matched, latest) => Longer.Until(matched, latest, world.Time.GetUtcNow())),
        };
        using var sealer = await world.OpenSealer(options);
        var seal = (await sealer.SealEvents(events.Select(e => (ReadOnlyMemory<byte>)e.Bytes), count, null, TestContext.Current.CancellationToken))!;
        foreach (var segment in seal.Record.Segments)
        {
            using var reader = Logwarden.Segments.SegmentReader.Open(Path.Combine(world.DataFolder, "hot", segment.Path));
            var inside = new List<(byte[] Bytes, string Class, DateTimeOffset Time, bool IsAcme)>();
            while (reader.Next()) inside.Add(events[(int)System.Buffers.Binary.BinaryPrimitives.ReadInt64LittleEndian(reader.Event[EventEncoding.OffsetPosition..])]);
            var expected = inside.Max(e => Ends(e.Class, e.Time));
            if (inside.Exists(e => e.IsAcme)) expected = RetentionTimeline.Later(inside.Max(e => e.Time), 84, 0);
            Assert.Equal(new BlobLock(LockMode.Governance, expected, legalHold: false).RetainUntil.UtcDateTime, segment.RetainUntil);
            Assert.All(inside, e => Assert.True(segment.RetainUntil >= Ends(e.Class, e.Time).UtcDateTime));
        }
        Assert.Equal(count, seal.Record.Segments.Sum(segment => segment.Rows));
    }, iter: 25, threads: 1);

    static DateTimeOffset Ends(string @class, DateTimeOffset time) => @class switch
    {
        "application" => RetentionTimeline.Later(time, 12, 0),
        "infrastructure" => RetentionTimeline.Later(time, 24, 0),
        _ => RetentionTimeline.Later(time, 13, 0),
    };
}
