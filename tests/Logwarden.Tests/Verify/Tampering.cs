using System.Text;
using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Segments;
using Logwarden.Verify;

namespace Logwarden.Tests.Verify;

/// <summary>What somebody can do to an archive who has its storage's rights, but not the signing key.</summary>
abstract class Intruder(IBlobStore store)
{
    public IBlobStore Store { get; } = store;

    /// <summary>What a reader of the key gets from now on.</summary>
    public abstract Task Overwrite(string key, byte[] bytes);

    /// <summary>A reader of the key gets nothing from now on.</summary>
    public abstract Task Remove(string key);

    /// <summary>What protects the key from now on; null is nothing.</summary>
    public abstract Task Relock(string key, BlobLock? protection);

    public async Task<byte[]> Read(string key) => await Store.ReadBytes(key, null, TestContext.Current.CancellationToken) ?? throw new InvalidOperationException(key);
}

/// <summary>Edits the files of a folder archive.</summary>
sealed class FolderIntruder(IBlobStore store, string folder) : Intruder(store)
{
    public override Task Overwrite(string key, byte[] bytes)
    {
        var path = Path.Combine(folder, key);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        if (File.Exists(path)) File.SetAttributes(path, FileAttributes.Normal);
        return File.WriteAllBytesAsync(path, bytes, TestContext.Current.CancellationToken);
    }

    public override Task Remove(string key)
    {
        File.Delete(Path.Combine(folder, key));
        File.Delete(Path.Combine(folder, key + ".lock"));
        return Task.CompletedTask;
    }

    public override async Task Relock(string key, BlobLock? protection)
    {
        File.Delete(Path.Combine(folder, key + ".lock"));
        if (protection is not null) await Store.Protect(key, null, protection, TestContext.Current.CancellationToken);
    }
}

/// <summary>
/// Ten ways to tamper with an archive that has at least two seals of the class <c>application</c> with a full tile, and the findings by which each must be named.
/// </summary>
static class Tampering
{
    public const string Class = "application";

    public static readonly string[] Kinds =
    [
        "flip a byte", "drop a segment", "drop a row and rewrite", "swap two segments", "rewrite the checkpoint with another key", "truncate a tile",
        "add a forged segment", "shorten retention", "remove a lock", "replay an old checkpoint",
    ];

    /// <summary>Tampers in one way.</summary>
    /// <returns>The findings that verification must come to, as code and object.</returns>
    public static async Task<(FindingCode Code, string Key)[]> Do(string kind, Intruder intruder, IReadOnlyList<SealRecord> seals, string scratch)
    {
        var segments = seals.SelectMany(seal => seal.Segments).Where(segment => segment.Class is Class).ToArray();
        var (first, last) = (segments[0], segments[^1]);
        var tile = ArchiveLayout.TileOf(Class, new(0, 0, 256));
        switch (kind)
        {
            case "flip a byte":
                var flipped = await intruder.Read(first.Path);
                flipped[flipped.Length / 2] ^= 1;
                await intruder.Overwrite(first.Path, flipped);
                return [(FindingCode.SegmentChanged, first.Path)];
            case "drop a segment":
                await intruder.Remove(first.Path);
                return [(FindingCode.SegmentMissing, first.Path)];
            case "drop a row and rewrite":
                await intruder.Overwrite(first.Path, Rewritten(await intruder.Read(first.Path), scratch, without: 17, first.FirstLeaf));
                return [(FindingCode.SegmentChanged, first.Path), (FindingCode.RowMissing, first.Path)];
            case "swap two segments":
                var (a, b) = (await intruder.Read(first.Path), await intruder.Read(last.Path));
                await intruder.Overwrite(first.Path, b);
                await intruder.Overwrite(last.Path, a);
                return [(FindingCode.SegmentSwapped, first.Path), (FindingCode.SegmentSwapped, last.Path)];
            case "rewrite the checkpoint with another key":
                var checkpoint = ArchiveLayout.Checkpoint(Class, seals[^1].Tree(Class).Size);
                await intruder.Overwrite(checkpoint, Resigned(await intruder.Read(checkpoint)));
                return [(FindingCode.CheckpointInvalid, checkpoint)];
            case "truncate a tile":
                await intruder.Overwrite(tile, (await intruder.Read(tile))[..4000]);
                return [(FindingCode.TileChanged, tile)];
            case "add a forged segment":
                var forged = SegmentSchema.PathOf(Class, new(2026, 7, 1), seals[^1].Tree(Class).Size, 3);
                await intruder.Overwrite(forged, await intruder.Read(first.Path));
                return [(FindingCode.ObjectUnexpected, forged)];
            case "shorten retention":
                await intruder.Relock(first.Path, new(first.Mode, new DateTimeOffset(first.RetainUntil).AddDays(-30), legalHold: false));
                return [(FindingCode.LockShortened, first.Path)];
            case "remove a lock":
                await intruder.Relock(first.Path, null);
                return [(FindingCode.LockMissing, first.Path)];
            case "replay an old checkpoint":
                var old = await intruder.Read(ArchiveLayout.Checkpoint(Class, seals[^2].Tree(Class).Size));
                await intruder.Overwrite(ArchiveLayout.LiveCheckpoint(Class), old);
                return [(FindingCode.LiveCheckpointOld, ArchiveLayout.LiveCheckpoint(Class))];
            default:
                throw new ArgumentException(kind, nameof(kind));
        }
    }

    static byte[] Resigned(byte[] note)
    {
        var text = Encoding.UTF8.GetString(note);
        var name = text[(text.IndexOf('\u2014', StringComparison.Ordinal) + 2)..];
        using var other = SigningKey.Generate(name[..name.IndexOf(' ', StringComparison.Ordinal)]);
        return SignedNote.Sign(text[..(text.IndexOf("\n\n", StringComparison.Ordinal) + 1)], other);
    }

    static byte[] Rewritten(byte[] segment, string scratch, int without, long firstLeaf)
    {
        using var memory = new EventMemory();
        using var events = new EventBuffer(memory);
        using (var reader = SegmentReader.Open(new MemoryStream(segment)))
        {
            while (reader.Next())
                if (reader.Row != without) events.Add(reader.Event);
        }
        events.Sort();
        var path = Path.Combine(scratch, "rewritten.parquet");
        using var writer = new SegmentWriter();
        writer.Write(path, events, firstLeaf);
        return File.ReadAllBytes(path);
    }
}
