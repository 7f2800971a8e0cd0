using System.Buffers.Binary;
using System.IO.Hashing;

namespace Logwarden.Journal;

/// <summary>How a journal file ends.</summary>
enum TailState
{
    /// <summary>With a commit.</summary>
    Clean,

    /// <summary>With a group that was being written when the machine or the process died: never acknowledged, may be cut.</summary>
    Torn,

    /// <summary>With damage that acknowledged commits follow: nothing may be cut.</summary>
    Damaged,
}

/// <summary>
/// Recovery as a pure function over the bytes of a file. A group is written only after the one before it was synced, so anything that
/// follows a group proves that it was durable: only the very last group of the newest file can be torn.
/// </summary>
sealed class JournalScan
{
    JournalScan(in JournalHeader header)
    {
        (Header, Totals) = (header, new LedgerTotals());
        Totals.Add(header.Totals);
        (End, LastGroup, NextCommit, NextOffset) = (header.Bytes, header.Bytes, header.FirstCommit, header.First);
    }

    public JournalHeader Header { get; }

    /// <summary>Ledger after the last intact commit.</summary>
    public LedgerTotals Totals { get; }

    /// <summary>Offset after the last committed entry.</summary>
    public long NextOffset { get; private set; }

    /// <summary>Number that the next commit must have.</summary>
    public long NextCommit { get; private set; }

    /// <summary>Byte behind the last intact commit.</summary>
    public long End { get; private set; }

    /// <summary>Where the last intact group begins; equals <see cref="End"/> when there is none.</summary>
    public long LastGroup { get; private set; }

    /// <summary>Intact entries behind <see cref="End"/>.</summary>
    public int Uncommitted { get; private set; }

    /// <summary>Where reading stopped: the first byte that is not part of an intact frame.</summary>
    public long Stopped { get; private set; }

    /// <summary>What <see cref="Read(ReadOnlySpan{byte})"/> found.</summary>
    public TailState Tail { get; private set; }

    /// <summary>Reads a whole file. Never throws, whatever the bytes; null when not even the header is intact.</summary>
    public static JournalScan? Read(ReadOnlySpan<byte> file)
    {
        if (Begin(file) is not { } scan) return null;
        var sound = scan.Advance(file, 0);
        scan.Tail = !sound ? TailState.Damaged : scan.End == file.Length ? TailState.Clean : scan.Judge(file[(int)scan.End..]);
        return scan;
    }

    /// <summary>Reads a whole file of any length, so many bytes at a time; a group must be shorter than that.</summary>
    public static JournalScan? Read(MappedFile file, int bytesMax)
    {
        if (Begin(Part(file, 0, bytesMax)) is not { } scan) return null;
        var isSound = true;
        while (isSound && scan.End < file.Length)
        {
            var before = scan.End;
            isSound = scan.Advance(Part(file, before, bytesMax), before);
            if (scan.End == before) break;
        }
        // One torn group is never longer than a span can be: what is longer is something else, and nothing of it may be cut.
        scan.Tail = !isSound || file.Length - scan.End > bytesMax ? TailState.Damaged
            : scan.End == file.Length ? TailState.Clean
            : scan.Judge(Part(file, scan.End, bytesMax));
        return scan;
    }

    static ReadOnlySpan<byte> Part(MappedFile file, long start, int bytesMax) => file.Slice(start, (int)Math.Min(bytesMax, file.Length - start));

    /// <summary>Reads the header only, for <see cref="Advance"/>.</summary>
    public static JournalScan? Begin(ReadOnlySpan<byte> start) =>
        JournalFormat.TryHeader(start, out var header) ? new JournalScan(header) : null;

    /// <summary>
    /// Goes on from <see cref="End"/> over <paramref name="bytes"/>, which begin at <paramref name="start"/> of the file, as far as intact
    /// groups go.
    /// </summary>
    /// <returns>False when an intact commit contradicts what came before it.</returns>
    public bool Advance(ReadOnlySpan<byte> bytes, long start)
    {
        var at = (int)(End - start);
        var group = at;
        Uncommitted = 0;
        while (JournalFormat.TryFrame(bytes[at..], out var frame, out _))
        {
            if (frame.IsEntry)
            {
                if (frame.Offset != NextOffset + Uncommitted) break;
                Uncommitted++;
                at += frame.Size;
                continue;
            }
            if (frame.Commit.Salt != Header.Salt) break;
            if (!Accept(frame, bytes[group..at])) return false;
            LastGroup = start + group;
            at += frame.Size;
            group = at;
            End = start + at;
            Uncommitted = 0;
        }
        Stopped = start + at;
        return true;
    }

    bool Accept(in JournalFrame frame, ReadOnlySpan<byte> group)
    {
        var commit = frame.Commit;
        if (commit.Number != NextCommit || commit.First != NextOffset || commit.Count != Uncommitted
            || commit.GroupBytes != group.Length || commit.GroupCrc != Crc32.HashToUInt32(group)
            || frame.Deltas is not { } deltas || !deltas.Balances(commit.Count))
        {
            return false;
        }
        Totals.Add(deltas);
        NextOffset += commit.Count;
        NextCommit++;
        return true;
    }

    /// <summary>Whether what follows <see cref="End"/> is one group that was cut short by a crash.</summary>
    /// <param name="rest">The file from <see cref="End"/> on.</param>
    TailState Judge(ReadOnlySpan<byte> rest)
    {
        Span<byte> salt = stackalloc byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(salt, Header.Salt);
        var at = 0;
        while (true)
        {
            var found = rest[at..].IndexOf(salt);
            if (found < 0) return TailState.Torn;
            at += found;
            var frameAt = at - JournalFormat.FrameHeaderBytes;
            at++;
            if (frameAt < 0 || !JournalFormat.TryFrame(rest[frameAt..], out var frame, out _) || frame.IsEntry) continue;
            // Disks may write the pages of one group in any order: its commit can be there while an entry in it is not. Then the commit is
            // the end of the file, for nothing is written behind a group before it is synced.
            var commit = frame.Commit;
            var wasLast = commit.Number == NextCommit && commit.First == NextOffset && frameAt + frame.Size == rest.Length
                && commit.GroupBytes == frameAt;
            if (!wasLast) return TailState.Damaged;
        }
    }
}
