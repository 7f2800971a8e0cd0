using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>What the disk has of a journal when it is opened.</summary>
/// <param name="File">The newest file, open for writing, its torn tail cut.</param>
/// <param name="Scan">What is in it.</param>
/// <param name="Report">What to tell people.</param>
sealed record JournalRecovery(SafeFileHandle File, JournalScan Scan, RecoveryReport Report)
{
    /// <summary>Opens the newest file and cuts what was never acknowledged; null when there is no file at all.</summary>
    /// <exception cref="JournalDamagedException">Acknowledged data is damaged or missing; nothing was changed.</exception>
    public static JournalRecovery? Run(JournalOptions options, List<JournalFile> files, IReadOnlyDictionary<string, long> cursors)
    {
        if (files.Count == 0)
        {
            Require(options, cursors, 0, options.JournalDirectory);
            return null;
        }
        var newest = files[^1];
        using var map = new MappedFile(newest.Path);
        var scan = JournalScan.Read(map, int.MaxValue);
        if (scan is null || scan.Header.First != newest.First)
        {
            throw new JournalDamagedException(newest.Path, 0,
                "the header is damaged or of a version that we don't know. Restore the file from a copy. If there is none, move it away: "
                + $"all events from offset {newest.First} on are then lost.");
        }
        if (scan.Tail == TailState.Damaged)
        {
            throw new JournalDamagedException(newest.Path, scan.Stopped,
                "damaged, and acknowledged events follow, so that this is no torn tail and nothing was cut. Restore the file from a copy. If "
                + $"there is none, move the file away and truncate a copy of it to {scan.End} bytes: all events from offset {scan.NextOffset} on are "
                + "then lost.");
        }
        Require(options, cursors, scan.NextOffset, newest.Path);
        return Settle(newest.Path, map, scan);
    }

    /// <summary>A reader acknowledges only durable events: a cursor behind the end means that events are lost.</summary>
    static void Require(JournalOptions options, IReadOnlyDictionary<string, long> cursors, long end, string path)
    {
        foreach (var (name, cursor) in cursors)
        {
            if (cursor <= end) continue;
            throw new JournalDamagedException(path, 0,
                $"the journal ends at offset {end}, but reader {name} has already done everything below {cursor}: acknowledged events are missing. "
                + $"Restore {options.Directory} from a copy. If there is none, move journal/, cursors/ and the .keys files and floor of dedup/ away and start with --continue-after-loss.");
        }
    }

    /// <summary>
    /// Makes what was read durable. The last group may be in the page cache only: its sync may have failed, after which Linux holds pages for
    /// clean that never reached the disk. So it is written again, the same bytes to the same place.
    /// </summary>
    static JournalRecovery Settle(string path, MappedFile map, JournalScan scan)
    {
#pragma warning disable CA2000 // the journal goes on with it
        var file = System.IO.File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite | FileShare.Delete);
#pragma warning restore CA2000
        try
        {
            var group = map.Slice(scan.LastGroup, (int)(scan.End - scan.LastGroup)).ToArray();
            if (RandomAccess.GetLength(file) != scan.End) RandomAccess.SetLength(file, scan.End);
            RandomAccess.Write(file, group, scan.LastGroup);
            DurableFile.Sync(file);
            return new(file, scan, new(path, map.Length - scan.End, scan.Uncommitted, scan.NextOffset));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }
}
