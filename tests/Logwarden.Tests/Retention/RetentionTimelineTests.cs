using Logwarden.Archive;
using Logwarden.Proof.Tree;
using Logwarden.Retention;
using Logwarden.Tests.World;
using Logwarden.Verify;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Retention;

/// <summary>26 months of all classes, over month ends and a leap day, to the second.</summary>
public sealed class RetentionTimelineTests : IDisposable
{
    static readonly DateTimeOffset Start = new(2027, 1, 1, 0, 0, 0, TimeSpan.Zero), End = new(2029, 3, 2, 12, 0, 0, TimeSpan.Zero);

    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(Start);

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task Everything_goes_when_it_must_and_not_a_second_earlier()
    {
        using var store = new FolderBlobStore(_scratch.File("archive"), _time);
        using var line = new RetentionTimeline(store, _time, _scratch.File("data"), eventsPerClass: 10)
        {
            HeldAtSeal = (@class, latest) => @class is "security-audit" && latest is { Year: 2027, Month: 3 },
        };
        var release = new DateTimeOffset(2028, 9, 1, 9, 0, 0, TimeSpan.Zero);
        for (var day = Start; day < End; day = day.AddDays(1))
        {
            if (day.Date == release.Date)
            {
                _time.SetUtcNow(release);
                Assert.Equal(2, line.All.Count(line.IsHeld));
                await line.Release();
                await line.Run();
                await line.Check();
            }
            var ten = day.AddHours(10);
            if (line.Ends.Contains(ten))
            {
                _time.SetUtcNow(ten.AddSeconds(-1));
                await line.Run();
                await line.Check();
                await line.CheckNothingCanBeDeleted(line.All.Where(one => one.ColdEnds == ten || line.IsHeld(one)));
                _time.SetUtcNow(ten);
                await line.Run();
                await line.Check();
            }
            if (IsEventful(day)) await line.Seal(DateOnly.FromDateTime(day.Date));
            if (day.Day != 1) continue;
            var report = await line.Verify();
            Assert.Empty(report.Findings);
            Assert.Equal(line.All.Count(one => one.ColdEnds <= _time.GetUtcNow() && !line.IsHeld(one)), report.SegmentsExpired);
        }
        Assert.Contains(line.All, one => one.Segment.Path.Contains("class=database/date=2027-01-30", StringComparison.Ordinal) && one.ColdEnds == new DateTimeOffset(2028, 3, 1, 10, 0, 0, TimeSpan.Zero));
        Assert.Contains(line.All, one => one.Segment.Path.Contains("class=database/date=2027-01-29", StringComparison.Ordinal) && one.ColdEnds == new DateTimeOffset(2028, 2, 29, 10, 0, 0, TimeSpan.Zero));
        Assert.Contains(line.All, one => one.Segment.Path.Contains("class=security-audit/date=2028-02-29", StringComparison.Ordinal) && one.ColdEnds > End);
        Assert.Contains(line.All, one => one.Segment.Class is "infrastructure" && one.ColdEnds <= End);
        Assert.True(line.All.Where(one => one.Segment.Class is "database").Sum(one => one.Segment.Rows) > Tile.FullWidth);
        await CheckTold(line, store);
        await CheckDeletedByHand(line, store);
    }

    // What has gone is told once, and each deletion record is among what was told.
    static async Task CheckTold(RetentionTimeline line, FolderBlobStore store)
    {
        var gone = line.Acts.Where(act => act.Kind is RetentionActKind.Expired).Select(act => act.Path).ToList();
        Assert.Equal(gone.Count, gone.Distinct(StringComparer.Ordinal).Count());
        var records = await store.List(ArchiveLayout.Deletions, TestContext.Current.CancellationToken).Select(version => version.Key).ToListAsync(TestContext.Current.CancellationToken);
        Assert.Equal(records, line.Told.Where(one => one.Action is "retention.expire").Select(one => one.Object));
        Assert.InRange(records.Count, 50, gone.Count);
    }

    async Task CheckDeletedByHand(RetentionTimeline line, FolderBlobStore store)
    {
        // One whose retention is over by a second, before the run that would have deleted it.
        var next = line.All.Where(one => one.ColdEnds > _time.GetUtcNow()).MinBy(one => one.ColdEnds)!;
        _time.SetUtcNow(next.ColdEnds.AddSeconds(1));
        await store.Delete(next.Segment.Path, null, TestContext.Current.CancellationToken);

        var finding = Assert.Single((await line.Verify()).Findings);
        Assert.Equal((FindingCode.SegmentMissing, next.Segment.Path), (finding.Code, finding.Object));
    }

    static bool IsEventful(DateTimeOffset day) =>
        day.Day == 1 || day.Day == DateTime.DaysInMonth(day.Year, day.Month) || day is { Month: 1, Day: > 28 };
}
