using Logwarden.Archive;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Proof.Notes;
using Logwarden.Retention;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Logwarden.Verify;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Archive;

/// <summary>One installation in a scratch folder, with an archive beside it and events of three classes over several days.</summary>
sealed class ArchiveWorld : IDisposable
{
    public const string Origin = "test.example/logwarden";

    static readonly string[] Classes = ["application", "security-audit", "application", "database"];
    readonly ScratchFolder _scratch = new();

    public ArchiveWorld()
    {
        Key = SigningKey.Generate(Origin);
        Store = OpenStore();
    }

    public FakeTimeProvider Time { get; } = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    public SigningKey Key { get; }

    public IBlobStore Store { get; }

    public string ArchiveFolder => _scratch.File("archive");

    public string DataFolder => _scratch.File("data");

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public SealerOptions Options => new()
    {
        DataDirectory = DataFolder,
        Origin = Origin,
        Retention = (@class, latest) => new(LockMode.Compliance, latest.AddDays(string.Equals(@class, "security-audit", StringComparison.Ordinal) ? 395 : 90), legalHold: false),
        CompressionLevel = 1,
    };

    public FolderBlobStore OpenStore() => new(ArchiveFolder, Time);

    public ValueTask<Sealer> OpenSealer(SealerOptions? options = null, IBlobStore? store = null) =>
        Sealer.Open(options ?? Options, store ?? Store, Key, Time, Cancel);

    /// <summary>The journal from an offset on: classes by turns, every tenth event a day late.</summary>
    public static IEnumerable<ReadOnlyMemory<byte>> Journal(long from)
    {
        for (var offset = from; ; offset++) yield return Event(offset);
    }

    public static byte[] Event(long offset)
    {
        var late = offset % 10 == 3 ? 86_400_000_000 : 0;
        return StoredEvents.One(
            offset, StoredEvents.Epoch + 43_200_000_000 + offset * 1_000_000 - late, Classes[offset % Classes.Length],
            source: offset % 7 == 0 ? "eks" : "shop");
    }

    /// <summary>The ledger that a journal with these events has: every fifth was a duplicate too.</summary>
    public static LedgerSnapshot Ledger(long to)
    {
        var eks = (to + 6) / 7;
        SourceLedger[] sources = [Source("eks", eks), Source("shop", to - eks)];
        var total = new SourceLedger("", sources.Sum(s => s.In), to, sources.Sum(s => s.Duplicates), 0, new Dictionary<string, long>(StringComparer.Ordinal));
        return new(to, total, sources, []);

        static SourceLedger Source(string id, long stored) =>
            new(id, stored + stored / 5, stored, stored / 5, 0, new Dictionary<string, long>(StringComparer.Ordinal));
    }

    /// <summary>Seals up to each of the offsets.</summary>
    public async Task SealTo(params long[] ends)
    {
        using var sealer = await OpenSealer();
        foreach (var end in ends)
        {
            await sealer.SealEvents(Journal(sealer.SealedTo), end, Ledger(end), Cancel);
            Time.Advance(TimeSpan.FromMinutes(5));
        }
    }

    /// <summary>A run of retention by a policy, and what it told.</summary>
    public async Task<(RetentionReport Report, IReadOnlyList<RetentionNotice> Told)> Retain(PolicySnapshot policy, Func<RetentionOptions, RetentionOptions>? change = null, IBlobStore? store = null)
    {
        var told = new List<RetentionNotice>();
        var options = new RetentionOptions { DataDirectory = DataFolder, Rules = new(policy), Tell = told.Add };
        var newest = Seal.TryOpen(await File.ReadAllBytesAsync(Path.Combine(DataFolder, "state", "sealed.note"), Cancel), [Key.Verifier], out _);
        return (await RetentionRun.Run(change?.Invoke(options) ?? options, store ?? Store, Key, newest, Time, Cancel), told);
    }

    /// <summary>Deletes the oldest segments as retention does, when they are due.</summary>
    public async Task Expire(int seals)
    {
        var expired = (await Records()).Take(seals).SelectMany(seal => seal.Segments).Select(segment => segment.Path).ToHashSet(StringComparer.Ordinal);
        var (report, _) = await Retain(PolicySnapshot.Default, options => options with { HoldsOf = segment => expired.Contains(segment.Path) ? [] : ["of a test"] });
        Assert.Equal(expired.Order(StringComparer.Ordinal), report.Acts.Where(act => act.Kind is RetentionActKind.Expired).Select(act => act.Path).Order(StringComparer.Ordinal));
    }

    /// <summary>The records of all seals.</summary>
    public async Task<IReadOnlyList<SealRecord>> Records()
    {
        var records = new List<SealRecord>();
        while (await Store.ReadBytes(ArchiveLayout.Seal(records.Count), null, Cancel) is { } note)
            records.Add(Seal.TryOpen(note, [Key.Verifier], out _)!.Record);
        return records;
    }

    public async Task<VerifyReport> Verify(IBlobStore? store = null) =>
        await Verifier.Run(store ?? Store, new() { Keys = [Key.Verifier] }, Time, _ => { }, Cancel);

    public void Dispose()
    {
        Store.Dispose();
        Key.Dispose();
        _scratch.Dispose();
    }
}
