using System.Text;
using Logwarden.Events;
using Logwarden.Journal;

namespace Logwarden.Tests.Journal;

/// <summary>A data directory of its own for one test, and batches of real encoded events.</summary>
sealed class JournalWorld : IDisposable
{
    /// <summary>The same in every run, so that keys are.</summary>
    public static DedupKeys Keys { get; } = DedupKeys.Of("0123456789abcdef"u8);

    static int _count;
    int _n;

    public JournalWorld()
    {
        // In memory where there is such a file system: what the disk forgets is simulated, not waited for.
        var parent = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string path;
        do path = Path.Combine(parent, $"logwarden-journal-{Environment.ProcessId}-{Interlocked.Increment(ref _count)}-{_n++}");
        while (Directory.Exists(path));
        Directory.CreateDirectory(path);
        Options = new() { Directory = path };
    }

    public JournalOptions Options { get; init; }

    public string NewestFile => JournalFiles.List(Options.JournalDirectory)[^1].Path;

    public DiskJournal Open(JournalOptions? options = null) => DiskJournal.Open(options ?? Options, TimeProvider.System);

    /// <summary>One event for each id; an id that is empty has no dedup key.</summary>
    public static AppendBatch Batch(string source, params IEnumerable<string> ids)
    {
        var batch = new AppendBatch { Source = source };
        foreach (var id in ids) Add(batch, id, 40, quarantine: null);
        return batch;
    }

    public static void Add(AppendBatch batch, string id, int jsonBytes, string? quarantine)
    {
        var start = batch.Bytes.WrittenCount;
        var source = Encoding.UTF8.GetBytes(batch.Source);
        var key = Encoding.UTF8.GetBytes(id);
        EventEncoding.Write(batch.Bytes, new StoredEvent
        {
            TimeMicros = 1_700_000_000_000_000,
            IngestedMicros = 1_700_000_000_500_000,
            ClassUid = 3005,
            ActivityId = 1,
            Id = key,
            Class = "application"u8,
            Source = source,
            Format = "app"u8,
            Json = Encoding.UTF8.GetBytes("{\"a\":\"" + new string('x', Math.Max(0, jsonBytes - 8)) + "\"}"),
        });
        batch.Entries.Add(new(start, batch.Bytes.WrittenCount - start,
            id.Length == 0 ? UInt128.Zero : Keys.Of(source, key), quarantine));
    }

    /// <summary>The ids of all events from the oldest kept on.</summary>
    public static List<string> Ids(DiskJournal journal, string directory)
    {
        using var reader = journal.OpenReader(JournalFiles.Oldest(Path.Combine(directory, "journal")));
        return Ids(reader);
    }

    public static List<string> Ids(JournalReader reader)
    {
        var ids = new List<string>();
        var batch = new JournalBatch(64 << 10);
        while (reader.Read(batch) > 0)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                Assert.True(EventEncoding.TryRead(batch[i], out var e));
                Assert.Equal(batch.First + i, e.Offset);
                ids.Add(Encoding.UTF8.GetString(e.Id));
            }
        }
        return ids;
    }

    public List<string> Ids(DiskJournal journal) => Ids(journal, Options.Directory);

    /// <summary>What must hold of a journal at every moment.</summary>
    public static void AssertBalanced(LedgerSnapshot ledger)
    {
        foreach (var source in (List<SourceLedger>)[.. ledger.Sources, ledger.Total])
        {
            Assert.Equal(source.In, source.Stored + source.Duplicates + source.Quarantined);
            Assert.Equal(source.Quarantined, source.QuarantinedByReason.Values.Sum());
        }
        Assert.Equal(ledger.DurableEnd, ledger.Total.Stored + ledger.Total.Quarantined);
        foreach (var reader in ledger.Readers) Assert.Equal(ledger.DurableEnd, reader.Cursor + reader.InFlight);
    }

    public void Dispose() => Directory.Delete(Options.Directory, recursive: true);
}
