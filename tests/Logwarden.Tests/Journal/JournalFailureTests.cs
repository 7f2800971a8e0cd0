using Logwarden.Journal;
using static Logwarden.Tests.Journal.JournalWorld;

namespace Logwarden.Tests.Journal;

/// <summary>Each step that changes the disk × {failed, failed but is on disk, the process died}, then the normal way back up.</summary>
public class JournalFailureTests
{
    const int Batches = 40;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public static TheoryData<int, bool, bool> Matrix()
    {
        var matrix = new TheoryData<int, bool, bool>();
        foreach (var step in Enum.GetValues<DiskStep>())
        {
            foreach (var persisted in (bool[])[false, true])
            {
                foreach (var died in (bool[])[false, true]) matrix.Add((int)step, persisted, died);
            }
        }
        return matrix;
    }

    [Theory]
    [MemberData(nameof(Matrix))]
    public async Task Nothing_acknowledged_is_lost_or_doubled(int step, bool persisted, bool died)
    {
        for (var occurrence = 0; occurrence < 12; occurrence += occurrence < 2 ? 1 : 4) await Break((DiskStep)step, persisted, died, occurrence);
    }

    static async Task Break(DiskStep step, bool persisted, bool died, int occurrence)
    {
        using var world = new JournalWorld();
        var calm = world.Options with { FileBytesMax = 4096, BytesMax = 1 << 20, DedupKeysInMemory = 16 };
        var acknowledged = new List<string>();
        List<string>? surviving = null;
        using var copy = new JournalWorld();
        var seen = 0;
        var broken = calm with
        {
            Probe = (now, done) =>
            {
                if (now != step || done != persisted || Interlocked.Increment(ref seen) != occurrence + 1) return;
                if (!died) throw new IOException("No space left on device");
                lock (acknowledged) surviving = [.. acknowledged];
                Copy(world.Options.Directory, copy.Options.Directory);
            },
        };
        await Work(broken, acknowledged);
        if (seen <= occurrence) return;

        var (where, must) = died ? (copy, surviving!) : (world, acknowledged);
        using var again = where.Open(calm with { Directory = where.Options.Directory });
        AssertBalanced(again.Ledger);
        // Files that the reader had passed are gone, their events are not: sent again they are known.
        Assert.Equal(must.Count, (await again.AppendAsync(Batch("a", must), Cancel)).Duplicates);
        await again.AppendAsync(Batch("a", Enumerable.Range(0, Batches).SelectMany(Ids)), Cancel);
        AssertBalanced(again.Ledger);
        Assert.Equal(3 * Batches, again.Ledger.Total.Stored);
        var ids = where.Ids(again);
        Assert.Equal(ids.Count, ids.Distinct(StringComparer.Ordinal).Count());
    }

    /// <summary>Appends, acknowledges, and goes on as far as the disk lets it.</summary>
    static async Task Work(JournalOptions options, List<string> acknowledged)
    {
        try
        {
            using var journal = DiskJournal.Open(options, TimeProvider.System);
            using var reader = journal.OpenReader("sealer");
            for (var i = 0; i < Batches; i++)
            {
                await journal.AppendAsync(Batch("a", Ids(i)), Cancel);
                lock (acknowledged) acknowledged.AddRange(Ids(i));
                if (i % 5 == 4) reader.Acknowledge(journal.DurableEnd - 7);
            }
        }
        catch (IOException e)
        {
            Assert.Contains("No space left", e.ToString(), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task After_a_failed_sync_nothing_is_acknowledged_any_more_and_readers_see_nothing_new()
    {
        using var world = new JournalWorld();
        var fail = false;
        using var journal = world.Open(world.Options with
        {
            Probe = (step, done) =>
            {
                if (fail && step == DiskStep.SyncGroup && !done) throw new IOException("Input/output error");
            },
        });
        await journal.AppendAsync(Batch("a", "1"), Cancel);
        fail = true;
        var failed = await Assert.ThrowsAsync<IOException>(async () => await journal.AppendAsync(Batch("a", "2"), Cancel));
        fail = false;

        Assert.Contains("Input/output error", failed.Message, StringComparison.Ordinal);
        await Assert.ThrowsAsync<IOException>(async () => await journal.AppendAsync(Batch("a", "3"), Cancel));
        Assert.Equal(1, journal.DurableEnd);
        Assert.Equal(["1"], world.Ids(journal));
        AssertBalanced(journal.Ledger);
    }

    [Fact]
    public async Task A_torn_tail_is_cut_and_reported()
    {
        using var world = new JournalWorld();
        using (var journal = world.Open()) await journal.AppendAsync(Batch("a", "1", "2"), Cancel);
        var whole = await File.ReadAllBytesAsync(world.NewestFile, Cancel);
        using (var file = File.OpenHandle(world.NewestFile, access: FileAccess.Write))
        {
            var entry = new byte[1000];
            var size = JournalFormat.WriteEntry(entry, Batch("a", "3").Bytes.WrittenSpan, 3, 0, 2);
            RandomAccess.Write(file, entry.AsSpan(0, size + 20), whole.Length);
            using var again = world.Open();

            Assert.Equal(new(world.NewestFile, size + 20, 1, 2), again.Recovery);
            Assert.Equal(["1", "2"], world.Ids(again));
        }
        Assert.Equal(whole, await File.ReadAllBytesAsync(world.NewestFile, Cancel));
    }

    [Fact]
    public async Task Damage_before_the_tail_is_refused_and_nothing_is_changed()
    {
        using var world = new JournalWorld();
        using (var journal = world.Open())
        {
            for (var i = 0; i < 3; i++) await journal.AppendAsync(Batch("a", $"{i}"), Cancel);
        }
        var bytes = await File.ReadAllBytesAsync(world.NewestFile, Cancel);
        bytes[200] ^= 1;
        await File.WriteAllBytesAsync(world.NewestFile, bytes, Cancel);

        var refused = Assert.Throws<JournalDamagedException>(() => world.Open());

        Assert.Contains("nothing was cut", refused.Message, StringComparison.Ordinal);
        Assert.Equal(world.NewestFile, refused.File);
        Assert.Equal(bytes, await File.ReadAllBytesAsync(world.NewestFile, Cancel));
    }

    [Fact]
    public async Task Events_that_a_reader_has_done_and_the_journal_lacks_are_refused()
    {
        using var world = new JournalWorld();
        long two;
        using (var journal = world.Open())
        {
            using var reader = journal.OpenReader("sealer");
            await journal.AppendAsync(Batch("a", "1"), Cancel);
            two = new FileInfo(world.NewestFile).Length;
            await journal.AppendAsync(Batch("a", "2"), Cancel);
            reader.Acknowledge(2);
        }
        using (var file = File.OpenHandle(world.NewestFile, access: FileAccess.Write)) RandomAccess.SetLength(file, two);

        Assert.Contains("sealer", Assert.Throws<JournalDamagedException>(() => world.Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_reader_names_the_file_and_the_place_of_damage()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();
        await journal.AppendAsync(Batch("a", "1", "2"), Cancel);
        var bytes = await File.ReadAllBytesAsync(world.NewestFile, Cancel);
        bytes[150] ^= 1;
        using (var file = File.OpenHandle(world.NewestFile, access: FileAccess.Write, share: FileShare.ReadWrite))
        {
            RandomAccess.Write(file, bytes, 0);
        }

        Assert.Equal(world.NewestFile, Assert.Throws<JournalDamagedException>(() => world.Ids(journal)).File);
    }

    static string[] Ids(int batch) => [$"{batch}", $"{batch}x", $"{batch}y"];

    static void Copy(string from, string to)
    {
        foreach (var path in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var target = Path.Combine(to, Path.GetRelativePath(from, path));
            Directory.CreateDirectory(Path.GetDirectoryName(target)!);
            // What has no name yet is locked by who writes it, and is deleted at the next start anyway.
            if (!path.EndsWith("/lock", StringComparison.Ordinal) && !path.EndsWith(".new", StringComparison.Ordinal)) Replicate(path, target);
        }
    }

    /// <summary>Other threads go on writing and deleting meanwhile, as they would in the moment of a death.</summary>
    static void Replicate(string path, string target)
    {
        try
        {
            using var source = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var copy = File.Create(target);
            source.CopyTo(copy);
        }
        catch (FileNotFoundException)
        {
            return;
        }
    }
}
