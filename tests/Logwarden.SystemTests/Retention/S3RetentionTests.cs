using System.Globalization;
using System.Text;
using Amazon.S3.Model;
using Logwarden.Archive;
using Logwarden.Journal;
using Logwarden.Retention;
using Logwarden.SystemTests.World;
using Logwarden.Tests.Retention;
using Logwarden.Tests.World;
using Logwarden.Verify;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.SystemTests.Retention;

/// <summary>
/// 26 months on a real S3 server with Object Lock whose clock goes along: it is the server that refuses what comes early, and that lets go when the time has come.
/// </summary>
public sealed class S3RetentionTests(CephGateway gateway) : IAsyncLifetime
{
    static readonly DateTimeOffset Start = new(2027, 1, 31, 0, 0, 0, TimeSpan.Zero), End = new(2029, 3, 2, 0, 0, 0, TimeSpan.Zero);

    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(Start);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        await CephGateway.StopAsync(_scratch.File("ceph"));
        _scratch.Dispose();
    }

    // On demand: it takes minutes, and a request now and then is refused for its date while the moved clock is read again.
    [Fact(Explicit = true)]
    public async Task The_server_lets_nothing_go_early_and_nothing_stays_late_over_26_months()
    {
        SetClock(Start);
        Directory.CreateDirectory(_scratch.File("ceph"));
        var endpoint = await gateway.StartClockedAsync(_scratch.File("ceph"), _scratch.File("clock"));
        using var store = new S3BlobStore(new() { Bucket = "retention", Endpoint = endpoint, Region = "us-east-1", PathStyle = true, ChecksumsWhenRequired = true }, _time);
        await store.Client.PutBucketAsync(new PutBucketRequest { BucketName = "retention", ObjectLockEnabledForBucket = true }, Cancel);
        using var line = new RetentionTimeline(store, _time, _scratch.File("data"), eventsPerClass: 12)
        {
            HeldAtSeal = (@class, latest) => @class is "security-audit" && latest is { Year: 2027, Month: 3 },
        };
        var (refused, released) = (0, false);
        for (var day = Start; day < End; day = day.AddDays(1))
        {
            var ten = day.AddHours(10);
            if (line.Ends.Contains(ten))
            {
                var due = line.All.Where(one => one.ColdEnds == ten || line.IsHeld(one)).ToList();
                await Go(store, ten.AddMinutes(-10));
                await line.CheckNothingCanBeDeleted(due);
                refused += due.Count;
                await Go(store, ten.AddSeconds(2));
                await line.Run();
                await line.Check();
            }
            if (!released && day >= new DateTimeOffset(2028, 9, 1, 0, 0, 0, TimeSpan.Zero))
            {
                released = true;
                await Go(store, ten.AddMinutes(1));
                await line.Release();
                await line.Run();
                await line.Check();
            }
            if (day.Day == DateTime.DaysInMonth(day.Year, day.Month))
            {
                await Go(store, ten.AddMinutes(5));
                await line.Seal(DateOnly.FromDateTime(day.Date));
                if (day.Month % 4 != 2) continue; // each verification reads everything
                var report = await line.Verify();
                Assert.Empty(report.Findings);
                Assert.Equal(line.All.Count(one => one.ColdEnds <= _time.GetUtcNow() && !line.IsHeld(one)), report.SegmentsExpired);
            }
        }
        Assert.InRange(refused, 60, int.MaxValue);
        Assert.Equal(26 * 5, line.All.Count);
        Assert.InRange(line.Acts.Count(act => act.Kind is RetentionActKind.Expired), 70, line.All.Count);
        await CheckDeletedByHand(line, store);
    }

    async Task CheckDeletedByHand(RetentionTimeline line, S3BlobStore store)
    {
        var next = line.All.Where(one => one.ColdEnds > _time.GetUtcNow()).MinBy(one => one.ColdEnds)!;
        await Go(store, next.ColdEnds.AddSeconds(2));
        await store.Delete(next.Segment.Path, null, Cancel);

        var finding = Assert.Single((await line.Verify()).Findings);
        Assert.Equal((FindingCode.SegmentMissing, next.Segment.Path), (finding.Code, finding.Object));
    }

    /// <summary>Both clocks go on; the client learns of the server's by the first call that is refused for its date. It must be one whose refusal has a body.</summary>
    async Task Go(S3BlobStore store, DateTimeOffset to)
    {
        SetClock(to);
        Assert.Empty(await store.List("nothing", Cancel).ToListAsync(Cancel));
    }

    void SetClock(DateTimeOffset to)
    {
        _time.SetUtcNow(to);
        // Replaced whole: the gateway reads it at any moment.
        DurableFile.Replace(_scratch.File("clock"), Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"+{(long)(to - TimeProvider.System.GetUtcNow()).TotalSeconds}\n")));
    }
}
