using Logwarden.Archive;
using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Holds;
using Logwarden.Proof.Notes;
using Microsoft.Data.Sqlite;

namespace Logwarden.Catalog;

/// <summary>A segment that this installation sealed.</summary>
/// <param name="Sealed">As its seal's record tells.</param>
/// <param name="Seal">Number of the seal.</param>
/// <param name="IsExpired">Whether it was found gone after its retention.</param>
public sealed record CatalogSegment(SealedSegment Sealed, long Seal, bool IsExpired);

/// <summary>
/// All segments that were sealed, hot or not, in the control database. Derived: whoever seals adds each seal, and what is missing is read from the signed records of the
/// archive (<see cref="CatchUpAsync"/>), all of it where the database was lost. Thread-safe; several processes may use it at once.
/// </summary>
public sealed class SegmentCatalog
{
    const string Columns = "path, class, sha256, bytes, rows, first_leaf, min_time, max_time, retain_until, mode, legal_hold, seal, expired";

    readonly ControlDatabase _database;

    /// <summary>The catalog of an installation.</summary>
    public SegmentCatalog(ControlDatabase database)
    {
        _database = database;
        CustodyTables.Migrate(database);
    }

    /// <summary>Number of the newest seal in it; −1 when there is none.</summary>
    public long Newest
    {
        get
        {
            using var connection = _database.Connect();
            return NewestOf(connection, null).Number;
        }
    }

    /// <summary>Adds a seal that was just made.</summary>
    /// <param name="seal">The seal.</param>
    /// <param name="marks">What it found of the legal holds; null when it is not known, and its segments are then looked at.</param>
    /// <returns>False when it does not follow the newest one in the catalog: <see cref="CatchUpAsync"/> adds it.</returns>
    /// <exception cref="IOException">The database failed.</exception>
    public bool Add(Seal seal, SealMarks? marks) => Sqlite.Do(_database, connection =>
    {
        using var transaction = connection.BeginTransaction(deferred: false);
        var newest = NewestOf(connection, transaction);
        var header = seal.Record.Header;
        if (header.Number <= newest.Number)
        {
            // Carried out again after a crash, it has put its holds on again, also those that were released meanwhile.
            if (marks is null) HoldRows.Sealed(connection, transaction, seal.Record, marks);
            transaction.Commit();
            return true;
        }
        if (header.Number != newest.Number + 1 || !string.Equals(header.Previous, newest.Sha256, StringComparison.Ordinal)) return false;
        Insert(connection, transaction, seal, marks);
        transaction.Commit();
        return true;
    });

    /// <summary>Adds the seals that the archive has behind the newest in the catalog.</summary>
    /// <param name="store">The archive.</param>
    /// <param name="keys">Keys that may have signed.</param>
    /// <param name="progress">Told the number of each seal added.</param>
    /// <param name="cancel">Gives up; what was added stays.</param>
    /// <returns>How many were added.</returns>
    /// <exception cref="ArchiveRolledBackException">The archive is not the one that the catalog is of.</exception>
    /// <exception cref="IOException">The archive or the database failed.</exception>
    public async Task<int> CatchUpAsync(IBlobStore store, IReadOnlyList<VerifierKey> keys, Action<long>? progress, CancellationToken cancel)
    {
        var newest = Sqlite.Do(_database, connection => NewestOf(connection, null));
        if (newest.Number >= 0 && await ReadAsync(newest.Number, seal => string.Equals(seal.Sha256, newest.Sha256, StringComparison.Ordinal)) is null)
        {
            throw new ArchiveRolledBackException(
                $"{store.Location}: {ArchiveLayout.Seal(newest.Number)} is not there as this installation sealed it. Check that --archive names its archive, and run `logwarden verify`.");
        }
        var added = 0;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var number = newest.Number + 1;
            var next = await ReadAsync(number, seal => newest.Number < 0 || seal.Record.Header.Continues(newest.Sha256));
            // The oldest seals may have expired and be gone; what is left begins with the oldest there is.
            if (next is null && newest.Number < 0 && await OldestAsync(store, cancel) is { } oldest && oldest != number) next = await ReadAsync(number = oldest, _ => true);
            if (next is null) return added;
            Sqlite.Do(_database, connection =>
            {
                using var transaction = connection.BeginTransaction(deferred: false);
                // Another process may have been quicker.
                if (NewestOf(connection, transaction).Number < number) Insert(connection, transaction, next, marks: null);
                transaction.Commit();
                return true;
            });
            newest = (number, next.Sha256);
            added++;
            progress?.Invoke(number);
        }

        async ValueTask<Seal?> ReadAsync(long number, Func<Seal, bool> isRight) => await store.ReadRight(
            ArchiveLayout.Seal(number), note => Seal.TryOpen(note, keys, out _) is { } seal && seal.Record.Header.Number == number && isRight(seal) ? seal : null, cancel);
    }

    /// <summary>The segments of a seal.</summary>
    public IReadOnlyList<CatalogSegment> OfSeal(long number) => Read("WHERE seal = $seal ORDER BY path", ("$seal", number));

    /// <summary>The segment with that path; null when none was sealed.</summary>
    public CatalogSegment? Find(string path) => Read("WHERE path = $path", ("$path", path)) is [var segment, ..] ? segment : null;

    /// <summary>The segments that can have events of a time range and have not expired, oldest first.</summary>
    /// <param name="from">From this time on; null is no bound.</param>
    /// <param name="to">Before this time; null is no bound.</param>
    /// <param name="class">Only of this class; null is all but what was quarantined.</param>
    public IReadOnlyList<CatalogSegment> Overlapping(DateTimeOffset? from, DateTimeOffset? to, string? @class) => Read(
        "WHERE max_time >= $from AND min_time < $to AND expired = 0 AND (class = $class OR ($class IS NULL AND class <> $quarantine)) ORDER BY min_time, path",
        ("$from", from is { } begin ? UnixMicros.Of(begin) : long.MinValue), ("$to", to is { } end ? UnixMicros.Of(end) : long.MaxValue), ("$class", @class), ("$quarantine", EventClasses.Quarantine));

    /// <summary>Notes that a segment is gone from the archive after its retention.</summary>
    public void Expire(string path) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, "UPDATE catalog_segment SET expired = 1 WHERE path = $path", ("$path", path));
        return command.ExecuteNonQuery();
    });

    internal static (long Number, string Sha256) NewestOf(SqliteConnection connection, SqliteTransaction? transaction)
    {
        using var command = ControlDatabase.Command(connection, "SELECT number, sha256 FROM catalog_seal ORDER BY number DESC LIMIT 1");
        command.Transaction = transaction;
        using var rows = command.ExecuteReader();
        return rows.Read() ? (rows.GetInt64(0), rows.GetString(1)) : (-1, "");
    }

    List<CatalogSegment> Read(string where, params (string, object?)[] parameters) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, $"SELECT {Columns} FROM catalog_segment {where}", parameters);
        using var rows = command.ExecuteReader();
        var found = new List<CatalogSegment>();
        while (rows.Read())
        {
            var retained = DateTime.UnixEpoch.AddTicks(rows.GetInt64(8) * TimeSpan.TicksPerMicrosecond);
            found.Add(new(
                new(rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.GetInt64(3), rows.GetInt32(4), rows.GetInt64(5), rows.GetInt64(6), rows.GetInt64(7),
                    retained, (LockMode)rows.GetInt32(9), rows.GetBoolean(10)),
                rows.GetInt64(11), rows.GetBoolean(12)));
        }
        return found;
    });

    static void Insert(SqliteConnection connection, SqliteTransaction transaction, Seal seal, SealMarks? marks)
    {
        var header = seal.Record.Header;
        using var note = ControlDatabase.Command(connection, "INSERT INTO catalog_seal (number, sha256, sealed) VALUES ($number, $sha256, $sealed)",
            ("$number", header.Number), ("$sha256", seal.Sha256), ("$sealed", Micros(header.Sealed)));
        note.Transaction = transaction;
        note.ExecuteNonQuery();
        foreach (var segment in seal.Record.Segments)
        {
            using var insert = ControlDatabase.Command(
                connection,
                $"INSERT INTO catalog_segment ({Columns}) VALUES ($path, $class, $sha256, $bytes, $rows, $leaf, $min, $max, $until, $mode, $hold, $seal, 0)",
                ("$path", segment.Path), ("$class", segment.Class), ("$sha256", segment.Sha256), ("$bytes", segment.Bytes), ("$rows", segment.Rows), ("$leaf", segment.FirstLeaf),
                ("$min", segment.MinTime), ("$max", segment.MaxTime), ("$until", Micros(segment.RetainUntil)), ("$mode", (int)segment.Mode), ("$hold", segment.LegalHold), ("$seal", header.Number));
            insert.Transaction = transaction;
            insert.ExecuteNonQuery();
        }
        HoldRows.Sealed(connection, transaction, seal.Record, marks);
    }

    static long Micros(DateTime utc) => UnixMicros.Of(new(DateTime.SpecifyKind(utc, DateTimeKind.Utc)));

    static async ValueTask<long?> OldestAsync(IBlobStore store, CancellationToken cancel)
    {
        await foreach (var version in store.List(ArchiveLayout.Seals, cancel))
        {
            if (!version.IsDeleteMarker && ArchiveLayout.SealNumber(version.Key) is { } number) return number;
        }
        return null;
    }
}
