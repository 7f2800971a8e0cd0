using System.Security.Cryptography;
using System.Threading.Channels;
using Logwarden.Events;
using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>
/// The journal on a local disk (<c>docs/formats/journal.md</c>). What <see cref="AppendAsync"/> acknowledges is on disk. One thread
/// writes: it takes all waiting batches, drops duplicates, numbers the rest, writes them at once, syncs once, and answers. After a failed
/// write or sync nobody can say what is on disk: the journal then refuses everything until it is opened again.
/// </summary>
public sealed class DiskJournal : IDisposable, IJournalEnd
{
    readonly JournalOptions _options;
    readonly TimeProvider _time;
    readonly DirectoryLock _lock;
    readonly Lock _gate = new();
    readonly JournalGroup _group = new();
    readonly List<WaitingAppend> _taken = [];
    readonly List<AppendReceipt> _receipts = [];
    readonly Channel<WaitingAppend> _waiting;
    readonly Thread _writer;
    readonly List<JournalFile> _files = [];
    readonly JournalCursors _cursors;
    readonly LedgerTotals _totals = new();
    DedupIndex? _keys;
    SafeFileHandle? _file;
    ulong _salt;
    long _fileBytes;
    long _nextCommit;
    long _durableEnd;
    long _bytes;
    bool _wrote;
    volatile bool _closed;
    volatile Exception? _dead;
    TaskCompletionSource<bool>? _moved;

    DiskJournal(JournalOptions options, TimeProvider time)
    {
#pragma warning disable CA2000 // it holds the lock until it is closed
        (_options, _time, _lock) = (options, time, DirectoryLock.Take(options.Directory));
#pragma warning restore CA2000
        _waiting = Channel.CreateBounded<WaitingAppend>(new BoundedChannelOptions(options.WaitingBatchesMax) { SingleReader = true });
        _cursors = new(options);
        _writer = new Thread(Run) { Name = "journal", IsBackground = true };
        Recovery = new("", 0, 0, 0);
    }

    /// <summary>What was found when it was opened.</summary>
    public RecoveryReport Recovery { get; private set; }

    /// <summary>Makes the keys of what is appended to it.</summary>
    public DedupKeys Keys { get; private set; } = null!;

    /// <summary>Offset after the last durable event: what readers see ends here.</summary>
    public long DurableEnd => Volatile.Read(ref _durableEnd);

    /// <summary>Why it takes nothing more; null while it does.</summary>
    public Exception? Failure => _dead;

    /// <summary>Bytes of all journal files kept.</summary>
    public long Bytes => Volatile.Read(ref _bytes);

    /// <summary>Bytes of files beyond which it takes nothing.</summary>
    public long BytesMax => _options.BytesMax;

    /// <summary>Whether it takes nothing until something that it holds is released.</summary>
    public bool IsFull => Bytes > _options.BytesMax;

    /// <summary>The conservation ledger as of the last commit.</summary>
    public LedgerSnapshot Ledger
    {
        get
        {
            lock (_gate) return Snapshot(_durableEnd, _totals, _cursors.Offsets);
        }
    }

    /// <summary>Opens the journal of a data directory for writing, recovers it, and creates it when there is none.</summary>
    /// <exception cref="JournalDamagedException">Acknowledged data is damaged; nothing was changed.</exception>
    /// <exception cref="IOException">The directory is in use by another process, or can't be read or written.</exception>
    /// <exception cref="ArgumentOutOfRangeException">An option is beyond its limit.</exception>
    public static DiskJournal Open(JournalOptions options, TimeProvider time)
    {
        if (options.FileBytesMax > JournalOptions.FileBytesLimit || options.GroupBytesMax > JournalOptions.GroupBytesLimit)
            throw new ArgumentOutOfRangeException(nameof(options), "A file may have 1 GiB at most, a group 64 MiB.");
        foreach (var directory in (ReadOnlySpan<string>)[options.JournalDirectory, options.CursorDirectory, options.DedupDirectory])
        {
            Directory.CreateDirectory(directory);
        }
        var journal = new DiskJournal(options, time);
        try
        {
            foreach (var directory in (ReadOnlySpan<string>)[options.JournalDirectory, options.CursorDirectory, options.DedupDirectory])
            {
                JournalFiles.DeleteUnfinished(directory);
            }
            DurableFile.SyncDirectory(options.Directory);
            journal.Recover();
            journal._writer.Start();
            return journal;
        }
        catch
        {
            journal._file?.Dispose();
            journal._keys?.Dispose();
            journal._lock.Dispose();
            throw;
        }
    }

    /// <summary>
    /// Stores a batch. When it returns, everything in it is durable: stored, quarantined, or known to have been stored before. The batch must
    /// not be touched until then. Any number of callers at once.
    /// </summary>
    /// <param name="batch">What to store.</param>
    /// <param name="cancel">Gives up waiting for a place in the queue; a batch that has its place is not taken back.</param>
    /// <exception cref="JournalFullException">Nothing was taken; try again later.</exception>
    /// <exception cref="IOException">The disk failed: the batch may or may not be stored, and nothing more will be.</exception>
    public async ValueTask<AppendReceipt> AppendAsync(AppendBatch batch, CancellationToken cancel)
    {
        Check(batch);
        var waiting = new WaitingAppend(batch);
        if (!_waiting.Writer.TryWrite(waiting))
        {
            try
            {
                await _waiting.Writer.WriteAsync(waiting, cancel);
            }
            catch (ChannelClosedException)
            {
                throw Dead();
            }
        }
        return await waiting.Receipt.Task;
    }

    /// <summary>
    /// A reader with a durable cursor of this name. A new one begins with the oldest event kept. From then on events are kept
    /// until it has acknowledged them; while no reader has a name, everything is kept.
    /// </summary>
    /// <param name="name">Letters, digits, '-', '_', '.'.</param>
    public JournalReader OpenReader(string name)
    {
        if (!JournalCursors.IsName(name)) throw new ArgumentException($"'{name}' is no name for a reader.", nameof(name));
        lock (_gate)
        {
            if (!_cursors.Offsets.TryGetValue(name, out var offset)) _cursors.Set(name, offset = _files[0].First);
            return new(this, _options.JournalDirectory, name, offset);
        }
    }

    /// <summary>A reader without a cursor that begins at <paramref name="offset"/>.</summary>
    public JournalReader OpenReader(long offset) => new(this, _options.JournalDirectory, "", offset);

    /// <summary>Forgets a cursor: the events that only this reader had yet to do may be deleted.</summary>
    public void RemoveReader(string name)
    {
        lock (_gate) _cursors.Remove(name);
        Release();
    }

    /// <summary>
    /// Deletes the files that every reader has passed and whose dedup keys are in a run. Done by itself whenever a cursor moves.
    /// </summary>
    /// <returns>How many files.</returns>
    public int Release()
    {
        lock (_gate)
        {
            if (_keys is null || _cursors.FurthestBehind() is not { } behind) return 0;
            var end = Math.Min(behind.Offset, _keys.PersistedEnd);
            var deleted = 0;
            while (_files.Count > 1 && _files[1].First <= end)
            {
                var length = new FileInfo(_files[0].Path).Length;
                _options.Step(DiskStep.DeleteFile, done: false);
                File.Delete(_files[0].Path);
                // One by one, so that a power cut can't keep an older file and lose a newer one.
                DurableFile.SyncDirectory(_options.JournalDirectory);
                _options.Step(DiskStep.DeleteFile, done: true);
                _files.RemoveAt(0);
                Interlocked.Add(ref _bytes, -length);
                deleted++;
            }
            return deleted;
        }
    }

    /// <summary>Waits until there is a durable event at <paramref name="offset"/>.</summary>
    /// <returns>False when the journal was closed.</returns>
    public async ValueTask<bool> WaitAsync(long offset, CancellationToken cancel)
    {
        while (true)
        {
            Task<bool> moved;
            lock (_gate)
            {
                if (_durableEnd > offset) return true;
                if (_closed) return false;
                _moved ??= new(TaskCreationOptions.RunContinuationsAsynchronously);
                moved = _moved.Task;
            }
            await moved.WaitAsync(cancel);
        }
    }

    /// <summary>Takes nothing more, writes what waits, marks the end and closes.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            if (_closed) return;
            _closed = true;
        }
        _waiting.Writer.TryComplete();
        _writer.Join();
        _keys?.Dispose();
        _file?.Dispose();
        _lock.Dispose();
        Moved();
    }

    void IJournalEnd.MoveCursor(string name, long offset)
    {
        lock (_gate) _cursors.Set(name, offset);
        Release();
    }

    internal static LedgerSnapshot Snapshot(long durableEnd, LedgerTotals totals, IReadOnlyDictionary<string, long> cursors)
    {
        var sources = totals.Snapshot(out var total);
        var readers = new List<ReaderLedger>(cursors.Count);
        foreach (var (name, cursor) in cursors) readers.Add(new(name, cursor, durableEnd - cursor));
        return new(durableEnd, total, sources, readers);
    }

    void Check(AppendBatch batch)
    {
        WaitingAppend.Validate(batch);
        if (_dead is not null || _closed) throw Dead();
        if (!IsFull) return;
        var bytes = Bytes;
        lock (_gate)
        {
            var behind = _cursors.FurthestBehind() is { } reader ? $"reader {reader.Name} at offset {reader.Offset}" : "no reader is registered";
            throw new JournalFullException(bytes, _options.BytesMax, _options.RetryAfter, behind);
        }
    }

    IOException Dead() => _dead is { } why
        ? new($"The journal stopped after an error of the disk: {why.Message.TrimEnd('.')}. What was acknowledged is safe; put the disk right and start again.", why)
        : new("The journal is closed.");

    void Recover()
    {
        _cursors.Load();
        _files.AddRange(JournalFiles.List(_options.JournalDirectory));
        Keys = DedupKeys.Open(_options, isNew: _files.Count == 0);
        var recovery = JournalRecovery.Run(_options, _files, _cursors.Offsets);
        if (recovery is null)
        {
            Create(0);
        }
        else
        {
            (_file, _fileBytes, _salt) = (recovery.File, recovery.Scan.End, recovery.Scan.Header.Salt);
            (_durableEnd, _nextCommit) = (recovery.Scan.NextOffset, recovery.Scan.NextCommit);
            _totals.Add(recovery.Scan.Totals);
            foreach (var file in _files) _bytes += new FileInfo(file.Path).Length;
        }
        Recovery = recovery?.Report ?? new(_files[0].Path, 0, 0, 0);
        _keys = DedupIndex.Open(_options, () => Release(), RandomNumber(), _time);
        if (_keys.PersistedEnd > _durableEnd || _keys.PersistedEnd < _files[0].First)
        {
            throw new JournalDamagedException(_options.DedupDirectory, 0,
                $"the dedup runs end at offset {_keys.PersistedEnd}, the journal holds {_files[0].First} to {_durableEnd}: files are missing. "
                + $"Restore them from a copy. If there is none, move the .keys files away and write {_files[0].First} into {DedupFloor.PathOf(_options)}: "
                + "events before it would then be stored again when they are sent again.");
        }
        Replay(_keys);
        Release();
    }

    void Replay(DedupIndex keys)
    {
        using var reader = OpenReader(keys.PersistedEnd);
        var batch = new JournalBatch();
        while (reader.Read(batch) > 0)
        {
            var bytes = 0L;
            for (var i = 0; i < batch.Count; i++)
            {
                bytes += batch[i].Length;
                if (batch.Key(i) != UInt128.Zero) keys.TryAdd(batch.Key(i));
            }
            keys.Committed(batch.End, bytes);
        }
    }

    void Run()
    {
        try
        {
            while (Next())
            {
                Commit();
                for (var i = 0; i < _taken.Count; i++) _taken[i].Receipt.SetResult(_receipts[i]);
                _taken.Clear();
                Moved();
            }
            if (_wrote) Commit(); // what follows the last group proves at the next start that it was durable
        }
#pragma warning disable CA1031 // the loop's edge: whatever it was, nothing more may be acknowledged
        catch (Exception e)
#pragma warning restore CA1031
        {
            Die(e);
        }
    }

    /// <summary>Fills the group with what waits; blocks until something does; false at the end.</summary>
    bool Next()
    {
        _group.Begin(_durableEnd);
        _receipts.Clear();
        var queue = _waiting.Reader;
        WaitingAppend? waiting;
        while (!queue.TryRead(out waiting))
        {
            if (!queue.WaitToReadAsync().AsTask().GetAwaiter().GetResult()) return false;
        }
        do
        {
            _taken.Add(waiting);
            _receipts.Add(_group.Add(waiting.Batch, _keys!));
        }
        while (_group.Length < _options.GroupBytesMax && queue.TryRead(out waiting));
        return true;
    }

    void Commit()
    {
        // A file is named by its first offset, so that one without entries can't be followed by another.
        if (_fileBytes >= Math.Min(_options.FileBytesMax, _options.BytesMax / 8) && _files[^1].First < _durableEnd) Create(_durableEnd);
        var bytes = _group.Close(_salt, _nextCommit, UnixMicros.Now(_time));
        _options.Step(DiskStep.WriteGroup, done: false);
        RandomAccess.Write(_file!, bytes, _fileBytes);
        _options.Step(DiskStep.WriteGroup, done: true);
        _options.Step(DiskStep.SyncGroup, done: false);
        DurableFile.Sync(_file!);
        _options.Step(DiskStep.SyncGroup, done: true);
        _fileBytes += bytes.Length;
        _nextCommit++;
        _wrote = true;
        lock (_gate)
        {
            _totals.Add(_group.Deltas);
            Volatile.Write(ref _durableEnd, _durableEnd + _group.Count);
            if (!_totals.Balances(_durableEnd)) throw new System.Diagnostics.UnreachableException("The ledger does not add up.");
        }
        Interlocked.Add(ref _bytes, bytes.Length);
        _keys!.Committed(_durableEnd, bytes.Length);
    }

    void Create(long first)
    {
        var path = Path.Combine(Path.GetFullPath(_options.JournalDirectory), JournalFormat.FileName(first));
        var salt = RandomNumber();
        var header = JournalFormat.Header(new(first, _nextCommit, salt, UnixMicros.Now(_time), _totals, 0));
        _options.Step(DiskStep.CreateFile, done: false);
        var previous = _file;
        _file = DurableFile.CreateNew(path, header);
        previous?.Dispose();
        (_salt, _fileBytes) = (salt, header.Length);
        _options.Step(DiskStep.CreateFile, done: true);
        lock (_gate) _files.Add(new(path, first));
        Interlocked.Add(ref _bytes, header.Length);
    }

    void Die(Exception why)
    {
        _dead = why;
        _waiting.Writer.TryComplete();
        while (_waiting.Reader.TryRead(out var waiting)) _taken.Add(waiting);
        foreach (var waiting in _taken) waiting.Receipt.TrySetException(Dead());
        _taken.Clear();
    }

    void Moved()
    {
        TaskCompletionSource<bool>? moved;
        lock (_gate) (moved, _moved) = (_moved, null);
        moved?.TrySetResult(true);
    }

    static ulong RandomNumber()
    {
        Span<byte> bytes = stackalloc byte[8];
        RandomNumberGenerator.Fill(bytes);
        return BitConverter.ToUInt64(bytes);
    }
}
