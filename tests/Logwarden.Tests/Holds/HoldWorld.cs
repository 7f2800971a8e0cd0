using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Holds;
using Logwarden.Segments;
using Logwarden.Tests.Archive;

namespace Logwarden.Tests.Holds;

/// <summary>An installation whose sealer looks for the holds of its registry, and whose catalog has its seals, as the program puts them together.</summary>
sealed class HoldWorld : IDisposable
{
    public HoldWorld() => Custody = Open();

    public ArchiveWorld Archive { get; } = new();

    public Custody Custody { get; }

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    /// <summary>The same installation, as another process sees it.</summary>
    public Custody Open() => Custody.Open(Archive.DataFolder, Archive.Time);

    public HoldKeeper Keeper(Action<HoldStep>? probe = null, IBlobStore? store = null) =>
        Custody.Keeper(new() { DataFolder = Archive.DataFolder, Store = store ?? Archive.Store, Keys = [Archive.Key.Verifier], Probe = probe });

    public async Task KeepAsync() => Assert.True(await Keeper().WorkAsync(null, Cancel));

    /// <summary>Seals up to each of the offsets.</summary>
    /// <param name="holds">The holds that the sealer sees; null is those of the registry.</param>
    /// <param name="ends">Offsets.</param>
    public async Task SealTo(Func<HoldWatch?>? holds, params long[] ends)
    {
        using var sealer = await Archive.OpenSealer(Archive.Options with { Holds = holds ?? Custody.Holds.Watch });
        if (sealer.Last is { } recovered) Custody.Catalog.Add(recovered, sealer.LastMarks);
        foreach (var end in ends)
        {
            await sealer.SealEvents(ArchiveWorld.Journal(sealer.SealedTo), end, ArchiveWorld.Ledger(end), Cancel);
            Custody.Catalog.Add(sealer.Last!, sealer.LastMarks);
            Archive.Time.Advance(TimeSpan.FromMinutes(5));
        }
    }

    public Hold Add(HoldRequest request) => Custody.Holds.Add(request with { Requester = "rita", Approver = "otto" }, "local:test", null);

    public Hold Add(string when) => Add(Request with { When = when });

    public static HoldRequest Request => new() { Matter = "case 7", Requester = "rita", Approver = "otto" };

    public void Release(Hold hold) => Assert.NotNull(Custody.Holds.Release(hold.Id, "rita", "otto", "settled", "local:test", null));

    /// <summary>Paths of the segments whose object in the archive is under hold.</summary>
    public async Task<List<string>> Held()
    {
        var held = new List<string>();
        foreach (var segment in await Segments())
            if ((await Archive.Store.Head(segment.Path, null, Cancel))!.LegalHold) held.Add(segment.Path);
        return held;
    }

    /// <summary>Paths of the segments with an event that passes a test of ours, which knows nothing of predicates.</summary>
    public async Task<List<string>> With(EventTest test)
    {
        var with = new List<string>();
        foreach (var segment in await Segments())
        {
            using var stream = new MemoryStream((await Archive.Store.ReadBytes(segment.Path, null, Cancel))!);
            using var reader = SegmentReader.Open(stream);
            while (reader.Next())
            {
                Assert.True(EventEncoding.TryRead(reader.Event, out var e));
                if (!test(e)) continue;
                with.Add(segment.Path);
                break;
            }
        }
        return with;
    }

    public async Task<List<SealedSegment>> Segments() => [.. (await Archive.Records()).SelectMany(record => record.Segments)];

    public void DeleteHot() => Directory.Delete(Path.Combine(Archive.DataFolder, "hot", "segments"), recursive: true);

    /// <summary>What the installation tells of itself.</summary>
    public List<string> Told(string action) =>
        [.. Custody.Events.Waiting(10_000).Select(e => Data.OwnEvents.Text(e.Record)).Where(text => text.Contains($"\"action\":\"{action}\"", StringComparison.Ordinal))];

    public void Dispose() => Archive.Dispose();
}

delegate bool EventTest(in StoredEvent e);
