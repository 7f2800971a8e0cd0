using Logwarden.Archive;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>The deletion records of an archive, from a number on, as a chain.</summary>
sealed class DeletionLog
{
    readonly Dictionary<string, (DeletedSegment Segment, long Number)> _deleted = new(StringComparer.Ordinal);
    readonly List<Deletion> _records = [];

    DeletionLog(long first) => Next = first;

    /// <summary>Those that were read, oldest first.</summary>
    public IReadOnlyList<Deletion> Records => _records;

    /// <summary>The newest; null when there is none.</summary>
    public Deletion? Newest => _records.Count > 0 ? _records[^1] : null;

    /// <summary>Number of the next one.</summary>
    public long Next { get; private set; }

    /// <summary>Reads those from a number on.</summary>
    /// <param name="store">The archive.</param>
    /// <param name="keys">Keys that are trusted to sign it.</param>
    /// <param name="first">Number to begin with; one that exists, or 0.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="ArchiveRolledBackException">They are no chain: some are missing, or others than were written.</exception>
    public static async ValueTask<DeletionLog> Read(IBlobStore store, IReadOnlyList<VerifierKey> keys, long first, CancellationToken cancel)
    {
        var log = new DeletionLog(first);
        while (await store.ReadRight(ArchiveLayout.Deletion(log.Next), note => Deletion.TryOpen(note, log.Next, keys, out _), cancel) is { } deletion)
        {
            if (log.Newest is { } before ? !string.Equals(deletion.Record.Header.Previous, before.Sha256, StringComparison.Ordinal) : log.Next == 0 && deletion.Record.Header.Previous.Length > 0)
                throw Broken(store, ArchiveLayout.Deletion(log.Next), "does not continue the one before it");
            log.Add(deletion);
        }
        if (log.Newest is null && first > 0) throw Broken(store, ArchiveLayout.Deletion(first), "is not there as this installation wrote it");
        await foreach (var version in store.List(ArchiveLayout.Deletions, cancel))
        {
            if (version.IsDeleteMarker || ArchiveLayout.DeletionNumber(version.Key) is not { } number || number < log.Next) continue;
            if (await store.ReadSmall(version.Key, version.VersionId, cancel) is { } note && Deletion.TryOpen(note, number, keys, out _) is not null)
                throw Broken(store, ArchiveLayout.Deletion(log.Next), $"is missing or not signed, but {version.Key} is there");
        }
        return log;
    }

    /// <summary>Takes in one that was just written.</summary>
    public void Add(Deletion deletion)
    {
        _records.Add(deletion);
        Next = deletion.Number + 1;
        foreach (var segment in deletion.Record.Segments) _deleted[segment.Path] = (segment, deletion.Number);
    }

    /// <summary>What is told of a segment, and by which record; null when it is in none.</summary>
    public (DeletedSegment Segment, long Number)? Of(string path) => _deleted.TryGetValue(path, out var found) ? found : null;

    static ArchiveRolledBackException Broken(IBlobStore store, string key, string what) =>
        new($"{store.Location}: {key} {what}. Run `logwarden verify`; nothing is deleted until it is clear why.");
}
