using Logwarden.Archive;

namespace Logwarden.Tests.Archive;

/// <summary>
/// Every change of a seal, local or in the archive, × {failed, failed but persisted, process died}; then recovery by the normal path and full
/// verification: no event twice, none missing, the archive clean.
/// </summary>
public sealed class SealerFailureTests : IDisposable
{
    readonly ArchiveWorld _world = new();

    public static TheoryData<string> Failures => ["failed", "failed but persisted", "process died"];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _world.Dispose();

    [Theory]
    [MemberData(nameof(Failures))]
    public async Task Whatever_breaks_the_archive_comes_out_whole(string failure)
    {
        await _world.SealTo(600);
        var broken = 0;
        for (var step = 0; ; step++)
        {
            var fault = new Fault(step, afterwards: failure != "failed");
            using var faulty = new FaultyStore(_world.OpenStore(), fault);
            var options = _world.Options with { Probe = (_, done) => fault.Pass(done), ConcurrentPuts = 1 };
            var sealer = await _world.OpenSealer(options, faulty);
            var (from, to) = (sealer.SealedTo, sealer.SealedTo + 300);
            try
            {
                await sealer.SealEvents(ArchiveWorld.Journal(from), to, ArchiveWorld.Ledger(to), Cancel);
            }
            catch (InjectedException)
            {
                broken++;
                if (failure == "process died")
                {
                    sealer.Dispose();
                    sealer = await _world.OpenSealer(options, faulty);
                }
                if (sealer.SealedTo < to) await sealer.SealEvents(ArchiveWorld.Journal(sealer.SealedTo), to, ArchiveWorld.Ledger(to), Cancel);
            }
            Assert.Equal(to, sealer.SealedTo);
            sealer.Dispose();

            var report = await _world.Verify();
            Assert.Empty(report.Findings);
            Assert.Equal(to, report.Events);
            AssertHotIsSealed(await _world.Records());
            if (!fault.WasHit) break;
        }
        Assert.InRange(broken, 20, 60);
    }

    // The hot folder has each sealed segment and nothing else, and nothing is left in staging.
    void AssertHotIsSealed(IReadOnlyList<SealRecord> records)
    {
        var hot = Path.Combine(_world.DataFolder, "hot");
        Assert.Equal(
            records.SelectMany(record => record.Segments).Select(segment => segment.Path).Order(StringComparer.Ordinal),
            Directory.EnumerateFiles(hot, "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(hot, file)).Order(StringComparer.Ordinal));
        Assert.Empty(Directory.EnumerateFiles(Path.Combine(_world.DataFolder, "state", "sealing")));
        Assert.False(File.Exists(Path.Combine(_world.DataFolder, "state", "seal-plan.json")));
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

    sealed class FaultyStore(IBlobStore store, Fault fault) : IBlobStore
    {
        public string Location => store.Location;

        public ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel) => store.Check(cancel);

        public async ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel)
        {
            fault.Pass(done: false);
            var receipt = await store.Put(key, content, protection, cancel);
            fault.Pass(done: true);
            return receipt;
        }

        public ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel) => store.Read(key, versionId, destination, cancel);

        public ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel) => store.Head(key, versionId, cancel);

        public ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel) => store.Protect(key, versionId, protection, cancel);

        public IAsyncEnumerable<BlobVersion> List(string prefix, CancellationToken cancel) => store.List(prefix, cancel);

        public async ValueTask Delete(string key, string? versionId, CancellationToken cancel)
        {
            fault.Pass(done: false);
            await store.Delete(key, versionId, cancel);
            fault.Pass(done: true);
        }

        public void Dispose() => store.Dispose();
    }
}
