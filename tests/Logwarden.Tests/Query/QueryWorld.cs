using System.Buffers;
using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Journal;
using Logwarden.Query;
using Logwarden.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Query;

/// <summary>A data directory with hot segments and a journal, written by the real writers.</summary>
sealed class QueryWorld : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly Dictionary<string, long> _leaves = new(StringComparer.Ordinal);
    DiskJournal? _journal;
    QueryEngine? _engine;

    public string Data => _scratch.Root;

    public QueryEngine Engine => _engine ??= NewEngine(new());

    public DiskJournal Journal => _journal ??= DiskJournal.Open(new JournalOptions { Directory = Data }, TimeProvider.System);

    public QueryEngine NewEngine(QueryLimits limits) => new(new HotStoreOptions { DataDirectory = Data }, limits, TimeProvider.System);

    /// <summary>Appends encoded events to the journal; it gives them their offsets.</summary>
    public async Task<long> Append(params byte[][] events)
    {
        var batch = new AppendBatch { Source = "shop" };
        foreach (var e in events)
        {
            batch.Entries.Add(new(batch.Bytes.WrittenCount, e.Length, default, null));
            batch.Bytes.Write(e);
        }
        return (await Journal.AppendAsync(batch, TestContext.Current.CancellationToken)).First;
    }

    /// <summary>Writes events as hot segments, one per class and date, as the sealer does.</summary>
    public List<string> Seal(IEnumerable<byte[]> events)
    {
        var paths = new List<string>();
        foreach (var slice in events.GroupBy(Slice))
        {
            using var memory = new EventMemory();
            using var buffer = new EventBuffer(memory);
            foreach (var e in slice) buffer.Add(e);
            buffer.Sort();
            var first = _leaves.GetValueOrDefault(slice.Key.Class);
            _leaves[slice.Key.Class] = first + buffer.Count;
            var path = Path.Combine(Data, "hot", SegmentSchema.PathOf(slice.Key.Class, slice.Key.Date, first, buffer.Count));
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            using var writer = new SegmentWriter();
            writer.Write(path + ".new", buffer, first);
            new FileInfo(path + ".new").MoveTo(path);
            paths.Add(path);
        }
        return paths;
    }

    /// <summary>Seals what the journal holds from an offset on.</summary>
    public List<byte[]> Journaled(long from)
    {
        using var reader = Journal.OpenReader(from);
        var batch = new JournalBatch();
        var events = new List<byte[]>();
        while (reader.Read(batch) > 0)
            for (var i = 0; i < batch.Count; i++) events.Add(batch[i].ToArray());
        return events;
    }

    public void Dispose()
    {
        _engine?.Dispose();
        _journal?.Dispose();
        _scratch.Dispose();
    }

    static (string Class, DateOnly Date) Slice(byte[] encoded)
    {
        Assert.True(EventEncoding.TryRead(encoded, out var e));
        return (System.Text.Encoding.UTF8.GetString(e.Class), DateOnly.FromDateTime(DateTime.UnixEpoch.AddTicks(e.TimeMicros * 10)));
    }
}
