using Logwarden.Archive;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Flow;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Policy;
using Logwarden.Proof.Notes;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Delivery;

/// <summary>A journal, its sealer and a control database in a scratch folder, with a clock that only moves when it is told to.</summary>
sealed class DeliveryWorld : IDisposable
{
    public const string Name = "siem";

    readonly ScratchFolder _scratch = new();
    readonly SigningKey _key = SigningKey.Generate("test.example/delivery");
    readonly FolderBlobStore _archive;
    long _next;
    DeliveryProgress? _progress;

    public DeliveryWorld(long fileBytesMax = 64 << 10)
    {
        Options = new() { Directory = _scratch.File("data"), FileBytesMax = fileBytesMax, BytesMax = 2 << 20 };
        Directory.CreateDirectory(Options.Directory);
        _archive = new(_scratch.File("archive"), Time);
        Journal = DiskJournal.Open(Options, Time);
        Database = ControlDatabase.Open(Data);
        Store = new(Database, Time);
        Events = new(Database, Time);
        Certificates = new(Database, Store, Events, Time);
    }

    public FakeTimeProvider Time { get; } = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    public JournalOptions Options { get; }

    public string Data => Options.Directory;

    public DiskJournal Journal { get; }

    public ControlDatabase Database { get; }

    public DeliveryStore Store { get; }

    public OwnEvents Events { get; }

    public Certificates Certificates { get; }

    public SigningKey Key => _key;

    public static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public long Count => _next;

    public async Task Append(int count, Func<long, (string Class, string Source)>? of = null, int jsonBytes = 0)
    {
        for (var left = count; left > 0;)
        {
            var (@class, source) = of?.Invoke(_next) ?? ("application", "shop");
            var batch = new AppendBatch { Source = source };
            for (; left > 0 && (of?.Invoke(_next) ?? (@class, source)) == (@class, source) && batch.Entries.Count < 100; left--, _next++)
            {
                var json = jsonBytes == 0 ? null : $$"""{"message":"{{new string('x', jsonBytes)}}"}""";
                var bytes = StoredEvents.One(_next, @class: @class, source: source, json: json);
                bytes.CopyTo(batch.Bytes.GetSpan(bytes.Length));
                batch.Entries.Add(new(batch.Bytes.WrittenCount, bytes.Length, UInt128.Zero, null));
                batch.Bytes.Advance(bytes.Length);
            }
            await Journal.AppendAsync(batch, Cancel);
        }
    }

    /// <summary>Seals everything and lets the journal go of it.</summary>
    public async Task Seal()
    {
        using var sealer = await Sealer.Open(
            new() { DataDirectory = Data, Origin = "test.example/delivery", Retention = (_, latest) => new(LockMode.Governance, latest.AddDays(90), false), CompressionLevel = 1 },
            _archive, _key, Time, Cancel);
        using var reader = Journal.OpenReader("sealer");
        var batch = new JournalBatch();
        while (sealer.SealedTo < Journal.DurableEnd) await sealer.SealEvents(Events(reader, batch, sealer.SealedTo, Journal.DurableEnd), Journal.DurableEnd, Journal.Ledger, Cancel);
        reader.Acknowledge(sealer.SealedTo);

        static IEnumerable<ReadOnlyMemory<byte>> Events(JournalReader reader, JournalBatch batch, long from, long to)
        {
            reader.Seek(from);
            while (reader.Position < to && reader.Read(batch) > 0)
            {
                for (var i = 0; i < batch.Count && batch.First + i < to; i++) yield return batch.Memory(i);
            }
        }
    }

    public DeliveryLoop Loop(IDestination destination, string? filter = null, Action<EventBatch, Func<int, bool>>? settled = null)
    {
        var own = filter is null ? new Predicate.Everything() : PredicateParser.Parse(filter).Value!;
        var at = Store.Begin(Name, 0).Position;
        var route = DeliveryRoute.Of(PolicySnapshot.Default, Name, own);
        Store.Route(Name, at, route.Text);
        var loop = new DeliveryLoop(new(Name, destination, route, new Backlog(Journal, Data, at), Store, Time, new Random(7), NullLogger.Instance) { Settled = settled });
        _progress = loop.Progress;
        return loop;
    }

    /// <summary>Runs the loop and moves the clock until this holds.</summary>
    public async Task Until(DeliveryLoop loop, Func<bool> holds)
    {
        loop.Start();
        await Until(holds);
    }

    /// <summary>Moves the clock, a second at a time, until this holds.</summary>
    public async Task Until(Func<bool> holds)
    {
        // Threads of the journal and the pool need real time between two moves of the clock; the limit only ends a test that hangs.
        using var hangs = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        while (!holds())
        {
            Assert.False(hangs.IsCancellationRequested, $"it never came to be: {_progress?.View}");
            Time.Advance(TimeSpan.FromMilliseconds(250));
            await Task.Yield();
            Thread.Yield();
        }
    }

    /// <summary>Oldest offset that the journal still has.</summary>
    public long Oldest => Directory.GetFiles(Path.Combine(Data, "journal"), "*.log")
        .Select(file => long.Parse(Path.GetFileNameWithoutExtension(file), System.Globalization.CultureInfo.InvariantCulture)).Min();

    public void Dispose()
    {
        Journal.Dispose();
        _archive.Dispose();
        _key.Dispose();
        Microsoft.Data.Sqlite.SqliteConnection.ClearAllPools();
        _scratch.Dispose();
    }
}
