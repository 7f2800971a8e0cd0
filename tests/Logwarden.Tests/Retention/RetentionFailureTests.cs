using Logwarden.Archive;
using Logwarden.Policy;
using Logwarden.Retention;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Retention;

/// <summary>
/// Every change of a run, local or in the archive, × {failed, failed but persisted}; then the next run, which knows only what is on disk and in the archive: what a process that died there would
/// leave. What comes out is what an undisturbed run gives, and verification never has a finding.
/// </summary>
public sealed class RetentionFailureTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    static PolicySnapshot Longer => RetentionPolicies.Shipped("database: {clause: RET-3, hot: 90d, total: 13mo", "database: {clause: RET-3, hot: 90d, total: 3y");

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Whatever_breaks_the_next_run_finishes_it(bool isPersisted)
    {
        var step = 0;
        while (await Break(step, isPersisted)) step++;
        // Two segments deleted, one extended with what proves it, four evicted, with what is told and written of it.
        Assert.InRange(step, 25, 80);
    }

    /// <returns>Whether there was a change with this number to break.</returns>
    static async Task<bool> Break(int step, bool isPersisted)
    {
        using var world = new ArchiveWorld();
        await Seal(world, 300, 302);
        world.Time.Advance(TimeSpan.FromDays(100));
        var fault = new Fault(step, isPersisted);
        var told = new List<RetentionNotice>();
        RetentionOptions Change(RetentionOptions options) => options with { Probe = (_, done) => fault.Pass(done), Tell = told.Add };
        using (var faulty = new FaultyStore(world.OpenStore(), fault))
        {
            try
            {
                await world.Retain(Longer, Change, faulty);
            }
            catch (InjectedException)
            {
                // A verifier that comes at this moment finds nothing wrong.
                Assert.Empty((await world.Verify()).Findings);
            }
        }
        // Only what is on disk and in the archive is left of the run that broke.
        await world.Retain(Longer, options => options with { Tell = told.Add });

        var records = await world.Records();
        var segments = records.SelectMany(record => record.Segments).ToList();
        var left = await world.Store.List(ArchiveLayout.Segments, Cancel).Select(version => version.Key).ToListAsync(Cancel);
        Assert.Equal(segments.Where(segment => segment.Class is "database").Select(segment => segment.Path).Order(StringComparer.Ordinal), left);
        Assert.Equal([ArchiveLayout.Deletion(0)], await world.Store.List(ArchiveLayout.Deletions, Cancel).Select(version => version.Key).ToListAsync(Cancel));
        foreach (var path in left) Assert.True((await world.Store.Head(path, null, Cancel))!.RetainUntil > world.Time.GetUtcNow().AddYears(2));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(world.DataFolder, "hot"), "*.parquet", SearchOption.AllDirectories));
        foreach (var action in (string[])["retention.expire", "retention.extend", "retention.evict"]) Assert.Contains(told, notice => string.Equals(notice.Action, action, StringComparison.Ordinal));
        var report = await world.Verify();
        Assert.Empty(report.Findings);
        Assert.Equal((2L, 1L), (report.SegmentsExpired, report.Deletions));
        return fault.WasHit;
    }

    static async Task Seal(ArchiveWorld world, params long[] ends)
    {
        using var sealer = await world.OpenSealer();
        foreach (var end in ends)
            await sealer.SealEvents(Enumerable.Range((int)sealer.SealedTo, (int)(end - sealer.SealedTo)).Select(offset => (ReadOnlyMemory<byte>)StoredEvents.One(offset, @class: offset % 2 == 0 ? "application" : "database")), end, null, Cancel);
    }

    sealed class InjectedException() : IOException("injected");

    sealed class Fault(int step, bool afterwards)
    {
        int _next;

        public bool WasHit { get; private set; }

        public void Pass(bool done)
        {
            if (WasHit || done != afterwards || _next++ != step) return;
            WasHit = true;
            throw new InjectedException();
        }
    }

    sealed class FaultyStore(IBlobStore store, Fault fault) : StoreAround(store)
    {
        protected override async ValueTask<T> Change<T>(Func<ValueTask<T>> change)
        {
            fault.Pass(done: false);
            var changed = await change();
            fault.Pass(done: true);
            return changed;
        }
    }
}

/// <summary>The shipped policy with a line changed.</summary>
static class RetentionPolicies
{
    public static PolicySnapshot Shipped(string before, string after)
    {
        Assert.Contains(before, ShippedPolicy.Text, StringComparison.Ordinal);
        var read = PolicyReader.Read(ShippedPolicy.Text.Replace(before, after, StringComparison.Ordinal), null);
        Assert.Empty(read.Errors);
        return read.Policy!;
    }

    /// <summary>With a requirement.</summary>
    public static PolicySnapshot With(string requirements) => Shipped("\nroutes:\n", $"\nrequirements:\n{requirements}\nroutes:\n");
}
