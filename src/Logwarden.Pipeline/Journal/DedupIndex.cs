using System.Collections.Concurrent;
using System.Globalization;
using System.Runtime.InteropServices;
using Logwarden.Events;

namespace Logwarden.Journal;

/// <summary>
/// Which dedup keys the journal has stored within <see cref="JournalOptions.DedupWindow"/>: exact, and bounded in memory and on disk. The newest keys are in a table; a full one is
/// frozen, written out in the background as a sorted run, and four runs of a size become one, as do all runs of an eighth of the window once it is over. Runs whose newest key is
/// older than the window are deleted, oldest first. A table is frozen only at a commit, so that a run never
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
    const int PeriodsInWindow = 8;
    readonly JournalOptions _options;
    readonly Action _persisted;
    readonly ulong _mix;
    readonly TimeProvider _time;
    readonly long _floor;
    readonly ConcurrentQueue<DedupRun> _retired = new();
    volatile State _state;
    DedupTable _table;
    long _tableFrom;
    long _tableBytes;
    Thread? _flusher;
    volatile Exception? _failed;

    DedupIndex(JournalOptions options, Action persisted, long floor, DedupRun[] runs, ulong mix, TimeProvider time)
    {
        (_options, _persisted, _floor, _mix, _time) = (options, persisted, floor, mix, time);
        _state = new(null, runs);
        _table = new(options.DedupKeysInMemory, mix);
        _tableFrom = PersistedEnd;
    }

    /// <summary>Keys of events below this offset are in runs: their journal files may be deleted.</summary>
    public long PersistedEnd => _state.Runs is [.., var last] ? last.To : _floor;

    /// <summary>Opens the runs; the keys of journal entries from <see cref="PersistedEnd"/> on must then be replayed.</summary>
    /// <param name="options">Where, and how many keys in memory.</param>
    /// <param name="persisted">Called by the background thread when <see cref="PersistedEnd"/> has grown.</param>
    /// <param name="mix">Random number for the table.</param>
    /// <param name="time">By which keys grow old.</param>
    public static DedupIndex Open(JournalOptions options, Action persisted, ulong mix, TimeProvider time)
    {
        var floor = DedupFloor.Read(options);
        var runs = new List<DedupRun>();
        foreach (var (path, from, to) in Files(options.DedupDirectory))
        {
            var end = runs.Count == 0 ? floor : runs[^1].To;
            if (to <= end)
            {
                // It is part of the merged run before it, or too old: the crash came before it was deleted.
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
        var index = new DedupIndex(options, persisted, floor, [.. runs], mix, time);
        index.Expire(UnixMicros.Now(time));
        return index;
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
        var now = UnixMicros.Now(_time);
        _flusher = new Thread(() => Flush(frozen, from, durableEnd, now)) { IsBackground = true, Name = "dedup" };
        _flusher.Start();
    }

    void Flush(DedupTable frozen, long from, long to, long now)
    {
        try
        {
            if (_state.Runs is [.., var last] && Period(last.NewestMicros) != Period(now) && Together(_state.Runs, int.MaxValue) is > 1 and var all) Merge(all);
#pragma warning disable CA2000 // the index owns its runs
            Publish(0, DedupRun.Write(_options, from, to, now, frozen.Count, [frozen.Sorted()]), null);
#pragma warning restore CA2000
            while (Mergeable(_state.Runs) is > 0 and var count) Merge(count);
            Expire(now);
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
        var count = Together(runs, Size(runs[^1]));
        return count >= FanIn ? count : 0;
    }

    /// <summary>How many of the newest runs are of one period and no larger than a size class, and not too large together.</summary>
    int Together(DedupRun[] runs, int sizeMax)
    {
        var (count, keys) = (0, 0L);
        while (count < runs.Length && runs[^(count + 1)] is var run && Size(run) <= sizeMax && Period(run.NewestMicros) == Period(runs[^1].NewestMicros))
        {
            keys += run.Count;
            if (keys > _options.DedupKeysInRun) break;
            count++;
        }
        return count;
    }

    long WindowMicros => (long)_options.DedupWindow.TotalMicroseconds;

    long Period(long micros) => micros / Math.Max(1, WindowMicros / PeriodsInWindow);

    /// <summary>Forgets the oldest runs when all of their keys are older than the window. The newest run stays: it tells where the index ends.</summary>
    void Expire(long now)
    {
        var runs = _state.Runs;
        var old = 0;
        while (old < runs.Length - 1 && runs[old].NewestMicros < now - WindowMicros) old++;
        if (old == 0) return;
        DedupFloor.Replace(_options, runs[old].From);
        _state = new(_state.Frozen, runs[old..]);
        Delete(runs[..old]);
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
        foreach (var run in old) keys = checked(keys + run.Count);
#pragma warning disable CA2000 // the index owns its runs
        Publish(count, DedupRun.Write(_options, old[0].From, old[^1].To, old.Max(run => run.NewestMicros), keys, Merged(old)), _state.Frozen);
#pragma warning restore CA2000
        Delete(old);
    }

    void Delete(DedupRun[] old)
    {
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
