using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>What a reader asks of the journal, be it open in this process or written by another one.</summary>
interface IJournalEnd
{
    /// <summary>Offset after the last event that may be read.</summary>
    long DurableEnd { get; }

    /// <summary>Waits until there is an event at <paramref name="offset"/>; false when there never will be.</summary>
    ValueTask<bool> WaitAsync(long offset, CancellationToken cancel);

    /// <summary>Keeps the reader's cursor.</summary>
    void MoveCursor(string name, long offset);
}

/// <summary>
/// Reads events in order of their offsets. One with a name has a durable cursor: what lies behind it is kept until the cursor has
/// passed. Only durable events are seen. Not thread-safe; any number of readers may be open.
/// </summary>
public sealed class JournalReader : IDisposable
{
    readonly IJournalEnd _journal;
    readonly string _directory;
    SafeFileHandle? _file;
    string _path = "";
    long _at;
    long _next;

    internal JournalReader(IJournalEnd journal, string directory, string name, long position)
    {
        (_journal, _directory, Name) = (journal, directory, name);
        (Position, Cursor) = (position, position);
    }

    /// <summary>Name of the cursor; empty for a reader that has none.</summary>
    public string Name { get; }

    /// <summary>Offset of the next event that <see cref="Read"/> gives.</summary>
    public long Position { get; private set; }

    /// <summary>Everything below this offset is done with, also after a crash.</summary>
    public long Cursor { get; private set; }

    /// <summary>Goes to another offset.</summary>
    public void Seek(long offset)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(offset);
        if (offset == Position) return;
        Close();
        Position = offset;
    }

    /// <summary>Waits until <see cref="Read"/> would give something.</summary>
    /// <returns>False when the journal was closed.</returns>
    public ValueTask<bool> WaitAsync(CancellationToken cancel) => _journal.WaitAsync(Position, cancel);

    /// <summary>Replaces the content of <paramref name="batch"/> by the events that follow, as many as fit.</summary>
    /// <returns>How many; 0 when there are none yet.</returns>
    /// <exception cref="JournalDamagedException">A checksum does not fit.</exception>
    /// <exception cref="JournalReleasedException">The events at <see cref="Position"/> are gone.</exception>
    public int Read(JournalBatch batch)
    {
        batch.Begin(Position);
        var end = _journal.DurableEnd;
        while (batch.Count == 0 && Position < end)
        {
            if (_file is null) Open();
            var got = RandomAccess.Read(_file!, batch.Space, _at);
            var used = Take(batch, batch.Space[..got], end, out var wanted);
            if (used == 0) Stuck(batch, got, wanted);
            _at += used;
        }
        return batch.Count;
    }

    /// <summary>Makes it durable that everything below <paramref name="offset"/> is done with, and releases files that nobody needs.</summary>
    /// <exception cref="InvalidOperationException">The reader has no name, or it would go back.</exception>
    public void Acknowledge(long offset)
    {
        if (Name.Length == 0) throw new InvalidOperationException("A reader without a name has no cursor.");
        if (offset < Cursor || offset > _journal.DurableEnd)
        {
            throw new InvalidOperationException($"Cursor {Name} cannot go from {Cursor} to {offset}.");
        }
        if (offset == Cursor) return;
        _journal.MoveCursor(Name, offset);
        Cursor = offset;
    }

    /// <summary>Closes the file; the cursor stays.</summary>
    public void Dispose() => Close();

    void Close()
    {
        _file?.Dispose();
        _file = null;
    }

    void Open()
    {
        // A file can be released between listing and opening; the next listing then says so.
        while (true)
        {
            if (JournalFiles.Holding(_directory, Position) is not { } file)
            {
                throw new JournalReleasedException(Position, JournalFiles.Oldest(_directory));
            }
            _path = file.Path;
            try
            {
                _file = File.OpenHandle(_path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            }
            catch (FileNotFoundException)
            {
                continue;
            }
            Span<byte> start = stackalloc byte[16];
            RandomAccess.Read(_file, start, 0);
            _at = JournalFormat.HeaderBytes(start);
            _next = file.First;
            if (_at < 0) throw new JournalDamagedException(_path, 0, "this is not a journal file of a version that we read.");
            return;
        }
    }

    /// <summary>Takes the events from <see cref="Position"/> to <paramref name="end"/> that are whole in <paramref name="bytes"/>.</summary>
    int Take(JournalBatch batch, ReadOnlySpan<byte> bytes, long end, out long wanted)
    {
        var at = 0;
        wanted = 0;
        while (_next < end)
        {
            if (!JournalFormat.TryFrame(bytes[at..], out var frame, out wanted))
            {
                if (wanted != 0 && wanted <= bytes.Length - at) Damaged(at, "the checksum does not fit.");
                break;
            }
            if (frame.IsEntry)
            {
                if (frame.Offset != _next) Damaged(at, $"holds offset {frame.Offset} in place of {_next}.");
                if (_next++ == Position)
                {
                    batch.Add(at + JournalFormat.EntryOverhead, frame.Size - JournalFormat.EntryOverhead, frame.Flags);
                    Position++;
                }
            }
            at += frame.Size;
        }
        return at;
    }

    /// <summary>No whole frame where there must be one: it is larger than the buffer, or it stands in the next file.</summary>
    void Stuck(JournalBatch batch, int got, long wanted)
    {
        if (got == batch.Space.Length && wanted > got && _at + wanted <= RandomAccess.GetLength(_file!))
        {
            batch.Grow(wanted);
            return;
        }
        // It may have been released while it was open, and the one behind it too: the next look finds that out.
        if (got == 0 && (File.Exists(Path.Combine(_directory, JournalFormat.FileName(_next))) || !File.Exists(_path)))
        {
            Close();
            if (_next == Position) return;
        }
        Damaged(0, $"the file ends before offset {Position}.");
    }

    void Damaged(int at, string what) => throw new JournalDamagedException(_path, _at + at, what);
}
