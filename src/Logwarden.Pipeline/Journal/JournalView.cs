using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>
/// The journal of a data directory, for reading only, also while another process writes it. It takes no lock and changes nothing. It sees a
/// group as soon as its commit is whole; that may be a moment before the writer has synced and acknowledged it. Thread-safe.
/// </summary>
public sealed class JournalView : IDisposable, IJournalEnd
{
    static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(100);
    readonly JournalOptions _options;
    readonly TimeProvider _time;
    readonly Lock _gate = new();
    byte[] _buffer = new byte[1 << 20];
    JournalScan _scan = null!;
    SafeFileHandle? _file;
    string _path = "";

    JournalView(JournalOptions options, TimeProvider time) => (_options, _time) = (options, time);

    /// <summary>Offset after the last committed event, looked up now.</summary>
    public long DurableEnd
    {
        get
        {
            lock (_gate) return Refresh();
        }
    }

    /// <summary>Oldest offset kept.</summary>
    public long Oldest => JournalFiles.Oldest(_options.JournalDirectory);

    /// <summary>The conservation ledger, looked up now.</summary>
    public LedgerSnapshot Ledger
    {
        get
        {
            // Cursors first: they only grow, and never beyond what is committed.
            var cursors = JournalCursors.ReadAll(_options.CursorDirectory);
            lock (_gate) return DiskJournal.Snapshot(Refresh(), _scan.Totals, cursors);
        }
    }

    /// <summary>Opens it; null when the directory has no journal.</summary>
    /// <exception cref="JournalDamagedException">The newest file can't be read.</exception>
    public static JournalView? Open(JournalOptions options, TimeProvider time)
    {
        var view = new JournalView(options, time);
        return view.OpenNewest() ? view : null;
    }

    /// <summary>A reader without a cursor that begins at <paramref name="offset"/>.</summary>
    public JournalReader OpenReader(long offset) => new(this, _options.JournalDirectory, "", offset);

    /// <summary>Waits until there is an event at <paramref name="offset"/>, looking ten times a second.</summary>
    public async ValueTask<bool> WaitAsync(long offset, CancellationToken cancel)
    {
        while (DurableEnd <= offset) await Task.Delay(LookAgain, _time, cancel);
        return true;
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _file?.Dispose();

    void IJournalEnd.MoveCursor(string name, long offset) =>
        throw new InvalidOperationException("A journal that is open for reading only has no cursors.");

    bool OpenNewest()
    {
        // The newest file can be released between listing and opening only when a newer one has come: look again.
        while (JournalFiles.List(_options.JournalDirectory) is [.., var newest])
        {
            if (Open(newest.Path)) return true;
        }
        return false;
    }

    bool Open(string path)
    {
        var previous = _file;
        try
        {
            _file = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        }
        catch (FileNotFoundException)
        {
            return false;
        }
        previous?.Dispose();
        RandomAccess.Read(_file, _buffer.AsSpan(0, 16), 0);
        var size = JournalFormat.HeaderBytes(_buffer);
        if (size > _buffer.Length && size <= RandomAccess.GetLength(_file)) _buffer = new byte[size];
        var got = RandomAccess.Read(_file, _buffer, 0);
        if (JournalScan.Begin(_buffer.AsSpan(0, got)) is not { } scan)
        {
            _file.Dispose();
            throw new JournalDamagedException(path, 0, "the header is damaged or of a version that we don't know.");
        }
        (_path, _scan) = (path, scan);
        return true;
    }

    long Refresh()
    {
        while (true)
        {
            var left = RandomAccess.GetLength(_file!) - _scan.End;
            var before = _scan.End;
            if (left > 0)
            {
                var got = RandomAccess.Read(_file!, _buffer, before);
                if (!_scan.Advance(_buffer.AsSpan(0, got), before))
                {
                    throw new JournalDamagedException(_path, _scan.End, "an intact commit contradicts what stands before it.");
                }
                if (_scan.End > before) continue;
                if (left > _buffer.Length)
                {
                    _buffer = new byte[Math.Min(2L * _buffer.Length, left)];
                    continue;
                }
            }
            if (_scan.NextOffset == _scan.Header.First) return _scan.NextOffset;
            if (!Open(Path.Combine(_options.JournalDirectory, JournalFormat.FileName(_scan.NextOffset)))) return _scan.NextOffset;
        }
    }
}
