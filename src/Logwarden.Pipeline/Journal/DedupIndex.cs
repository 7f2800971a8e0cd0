using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Logwarden.Journal;

/// <summary>
/// Which dedup keys the journal has stored: exact, and bounded in memory. The newest keys are in a table; a full one is frozen, written out
/// in the background as a sorted run, and four runs of a size become one. A table is frozen only at a commit, so that a run never
/// holds the key of an event that was not durable: else a retry of that event would be taken for a duplicate, and lost.
/// </summary>
/// <remarks>
/// One thread, the journal's writer, calls <see cref="TryAdd"/> and <see cref="Committed"/>; a second one writes runs. What the first sees of
/// the second's work is one reference, <see cref="_state"/>.
/// </remarks>
sealed class DedupIndex : IDisposable
{
    const int FanIn = 4;
    const int ChunkKeys = 1 << 16;
    readonly JournalOptions _options;
    readonly Action _persisted;
    readonly ulong _mix;
    readonly ConcurrentQueue<DedupRun> _retired = new();
    volatile State _state;
    DedupTable _table;
    long _tableFrom;
    long _tableBytes;
    Thread? _flusher;
    volatile Exception? _failed;

    DedupIndex(JournalOptions options, Action persisted, DedupRun[] runs, ulong mix)
    {
        (_options, _persisted, _mix) = (options, persisted, mix);
        _state = new(null, runs);
        _table = new(options.DedupKeysInMemory, mix);
        _tableFrom = runs.Length == 0 ? 0 : runs[^1].To;
    }

    /// <summary>Keys of events below this offset are in runs: their journal files may be deleted.</summary>
    public long PersistedEnd => _state.Runs is [.., var last] ? last.To : 0;

    /// <summary>Opens the runs; the keys of journal entries from <see cref="PersistedEnd"/> on must then be replayed.</summary>
    /// <param name="options">Where, and how many keys in memory.</param>
    /// <param name="persisted">Called by the background thread when <see cref="PersistedEnd"/> has grown.</param>
    /// <param name="mix">Random number for the table.</param>
    public static DedupIndex Open(JournalOptions options, Action persisted, ulong mix)
    {
        var runs = new List<DedupRun>();
        foreach (var (path, from, to) in Files(options.DedupDirectory))
        {
            var end = runs.Count == 0 ? 0 : runs[^1].To;
            if (to <= end && runs.Count > 0)
            {
                // It is part of the merged run before it: the crash came between writing that and deleting this.
                File.Delete(path);
                continue;
            }
            if (from != end)
            {
                throw new JournalDamagedException(path, 0,
                    $"the dedup run before it, from offset {end} to {from}, is missing. Restore that file from a copy.");
            }
            runs.Add(DedupRun.Open(path));
        }
        return new(options, persisted, [.. runs], mix);
    }

    /// <summary>Adds a key that is not zero; false when it was there.</summary>
    public bool TryAdd(UInt128 key)
    {
        var state = _state;
        if (state.Frozen is { } frozen && frozen.Contains(key)) return false;
        foreach (var run in state.Runs)
        {
            if (run.Contains(key)) return false;
        }
        return _table.Add(key);
    }

    /// <summary>Whether the key was added.</summary>
    public bool Contains(UInt128 key)
    {
        var state = _state;
        if (_table.Contains(key) || state.Frozen is { } frozen && frozen.Contains(key)) return true;
        foreach (var run in state.Runs)
        {
            if (run.Contains(key)) return true;
        }
        return false;
    }

    /// <summary>Tells that everything added so far is durable in the journal, <paramref name="bytes"/> of it new.</summary>
    /// <exception cref="IOException">An earlier table could not be written out.</exception>
    public void Committed(long durableEnd, long bytes)
    {
        while (_retired.TryDequeue(out var run)) run.Dispose();
        _tableBytes += bytes;
        // Journal files whose keys are not yet in a run can't be deleted: a table may stand for an eighth of the journal, at most a quarter.
        // A table may become twice as large while the one before it is still being written.
        if (_table.Count < _options.DedupKeysInMemory && _tableBytes < _options.BytesMax / 8) return;
        if (_flusher is { IsAlive: true } && _table.Count < 2 * _options.DedupKeysInMemory && _tableBytes < _options.BytesMax / 4) return;
        Freeze(durableEnd);
    }

    /// <summary>Waits for the background thread and closes the runs. Keys in memory are in the journal too.</summary>
    public void Dispose()
    {
        _flusher?.Join();
        foreach (var run in _state.Runs) run.Dispose();
        while (_retired.TryDequeue(out var run)) run.Dispose();
    }

    void Freeze(long durableEnd)
    {
        _flusher?.Join();
        if (_failed is { } failed) throw new IOException("The dedup index could not be written.", failed);
        if (durableEnd == _tableFrom) return;
        var (frozen, from) = (_table, _tableFrom);
        _state = new(frozen, _state.Runs);
        (_table, _tableFrom, _tableBytes) = (new(_options.DedupKeysInMemory, _mix), durableEnd, 0);
        _flusher = new Thread(() => Flush(frozen, from, durableEnd)) { IsBackground = true, Name = "dedup" };
        _flusher.Start();
    }

    void Flush(DedupTable frozen, long from, long to)
    {
        try
        {
#pragma warning disable CA2000 // the index owns its runs
            Publish(0, DedupRun.Write(_options, from, to, frozen.Count, [frozen.Sorted()]), null);
#pragma warning restore CA2000
            while (Mergeable(_state.Runs) is > 0 and var count) Merge(count);
            _persisted();
        }
#pragma warning disable CA1031 // the thread's edge: the journal's writer throws it on
        catch (Exception e)
#pragma warning restore CA1031
        {
            _failed = e;
        }
    }

    /// <summary>How many of the newest runs should become one: those no larger than the last one's size class, when they are four.</summary>
    int Mergeable(DedupRun[] runs)
    {
        if (runs.Length < FanIn) return 0;
        var size = Size(runs[^1]);
        var count = 0;
        while (count < runs.Length && Size(runs[^(count + 1)]) <= size) count++;
        return count >= FanIn ? count : 0;
    }

    int Size(DedupRun run)
    {
        var size = 0;
        for (var keys = (long)run.Count; keys > _options.DedupKeysInMemory; keys /= FanIn) size++;
        return size;
    }

    void Merge(int count)
    {
        var runs = _state.Runs;
        var old = runs[^count..];
        var keys = 0;
        foreach (var run in old) keys += run.Count;
#pragma warning disable CA2000 // the index owns its runs
        Publish(count, DedupRun.Write(_options, old[0].From, old[^1].To, keys, Merged(old)), _state.Frozen);
#pragma warning restore CA2000
        _options.Step(DiskStep.DeleteRun, done: false);
        foreach (var run in old)
        {
            File.Delete(run.Path);
            // The writer may be looking a key up in it just now: it unmaps it itself.
            _retired.Enqueue(run);
        }
        _options.Step(DiskStep.DeleteRun, done: true);
    }

    /// <summary>Puts a run in the place of the newest <paramref name="replaced"/> ones.</summary>
    void Publish(int replaced, DedupRun run, DedupTable? frozen) => _state = new(frozen, [.. _state.Runs[..^replaced], run]);

    /// <summary>The keys of all runs in ascending order, in pieces; each key is in one run only.</summary>
    static IEnumerable<UInt128[]> Merged(DedupRun[] runs)
    {
        var at = new int[runs.Length];
        while (true)
        {
            var chunk = MergeChunk(runs, at);
            if (chunk.Length == 0) yield break;
            yield return chunk;
        }
    }

    static UInt128[] MergeChunk(DedupRun[] runs, int[] at)
    {
        var left = 0L;
        var heads = new List<(UInt128 Key, int Run)>(runs.Length);
        for (var i = 0; i < runs.Length; i++)
        {
            left += runs[i].Count - at[i];
            if (at[i] < runs[i].Count) heads.Add((runs[i].Keys(at[i], 1)[0], i));
        }
        var chunk = new UInt128[Math.Min(ChunkKeys, left)];
        for (var filled = 0; filled < chunk.Length; filled++)
        {
            var open = CollectionsMarshal.AsSpan(heads);
            var least = 0;
            for (var i = 1; i < open.Length; i++)
            {
                if (open[i].Key < open[least].Key) least = i;
            }
            chunk[filled] = open[least].Key;
            var run = open[least].Run;
            if (++at[run] < runs[run].Count) open[least].Key = runs[run].Keys(at[run], 1)[0];
            else heads.RemoveAt(least);
        }
        return chunk;
    }

    /// <summary>Run files by where they begin, a longer one before those that it took in.</summary>
    static List<(string Path, long From, long To)> Files(string directory)
    {
        var files = new List<(string Path, long From, long To)>();
        foreach (var path in Directory.GetFiles(directory, "*.keys"))
        {
            var name = Path.GetFileNameWithoutExtension(path);
            if (name.Length == 41 && long.TryParse(name.AsSpan(0, 20), NumberStyles.None, CultureInfo.InvariantCulture, out var from)
                && long.TryParse(name.AsSpan(21), NumberStyles.None, CultureInfo.InvariantCulture, out var to))
            {
                files.Add((path, from, to));
            }
        }
        files.Sort((a, b) => a.From != b.From ? a.From.CompareTo(b.From) : b.To.CompareTo(a.To));
        return files;
    }

    sealed record State(DedupTable? Frozen, DedupRun[] Runs);
}
