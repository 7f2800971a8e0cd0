using Logwarden.Archive;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Archive;

/// <summary>
/// Every change of a seal, local or in the archive, × {failed, failed but persisted, process died}; then recovery by the normal path and full
/// verification: no event twice, none missing, the archive clean.
/// </summary>
public sealed class SealerFailureTests
{
    // Two classes by turns, 252 leaves each; what comes then makes a tile full in both.
    const long Before = 504, After = 520;

    public static TheoryData<string> Failures => ["failed", "failed but persisted", "process died"];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Whatever_breaks_the_archive_comes_out_whole(string failure)
    {
        var step = 0;
        while (await Break(step, failure)) step++;
        Assert.InRange(step, 20, 40);
    }

    /// <returns>Whether there was a change with this number to break.</returns>
    static async Task<bool> Break(int step, string failure)
    {
        using var world = new ArchiveWorld();
        using (var sealer = await world.OpenSealer()) await Seal(sealer, Before);
        var fault = new Fault(step, afterwards: failure is not "failed");
        using var faulty = new FaultyStore(world.OpenStore(), fault);
        var options = world.Options with { Probe = (_, done) => fault.Pass(done), ConcurrentPuts = 1 };
        var broken = await world.OpenSealer(options, faulty);
        try
        {
            await Seal(broken, After);
        }
        catch (InjectedException)
        {
            if (failure is "process died")
            {
                broken.Dispose();
                broken = await world.OpenSealer(options, faulty);
            }
            await Seal(broken, After);
        }
        Assert.Equal(After, broken.SealedTo);
        broken.Dispose();

        var report = await world.Verify();
        Assert.Empty(report.Findings);
        Assert.Equal((2L, After), (report.Seals, report.Events));
        AssertHotIsSealed(world, await world.Records());
        return fault.WasHit;
    }

    static async Task Seal(Sealer sealer, long to) => await sealer.SealEvents(Journal(sealer.SealedTo), to, null, Cancel);

    static IEnumerable<ReadOnlyMemory<byte>> Journal(long from)
    {
        for (var offset = from; ; offset++) yield return StoredEvents.One(offset, @class: offset % 2 == 0 ? "application" : "database");
    }

    // The hot folder has each sealed segment and nothing else, and nothing is left in staging.
    static void AssertHotIsSealed(ArchiveWorld world, IReadOnlyList<SealRecord> records)
    {
        var hot = Path.Combine(world.DataFolder, "hot");
        Assert.Equal(
            records.SelectMany(record => record.Segments).Select(segment => segment.Path).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(hot, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(hot, file)).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(world.DataFolder, "state", "sealing")));
        Assert.False(File.Exists(Path.Combine(world.DataFolder, "state", "seal-plan.json")));
    }

    sealed class InjectedException() : IOException("injected");

    /// <summary>Breaks the change with one number, once: before it is made, or afterwards.</summary>
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
