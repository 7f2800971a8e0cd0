using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Events;
using Microsoft.Data.Sqlite;

namespace Logwarden.Holds;

/// <summary>How far a hold on one object is.</summary>
enum HoldState
{
    /// <summary>It is to be put on, and may be on already.</summary>
    Planned = 0,

    /// <summary>It is on.</summary>
    On = 1,

    /// <summary>The object is not in the archive, though it must be.</summary>
    Missing = 2,

    /// <summary>It is on an object that is not as it was sealed: whether it has a matching event can't be told any more.</summary>
    Changed = 3,
}

/// <summary>Rows of <c>hold_object</c>.</summary>
static class HoldRows
{
    /// <summary>Notes what a new seal means for the holds, as part of the transaction that adds it to the catalog.</summary>
    public static void Sealed(SqliteConnection connection, SqliteTransaction transaction, SealRecord record, SealMarks? marks)
    {
        foreach (var (id, scope, scannedTo, released) in Holds(connection, transaction))
        {
            if (marks is not null)
            {
                if (!marks.Looked.Contains(id)) continue;
                foreach (var (path, holds) in marks.Held)
                    if (holds.Contains(id)) Put(connection, transaction, id, path, HoldState.On);
                if (released is null && scannedTo == record.Header.Number - 1) Scanned(connection, transaction, id, record.Header.Number);
            }
            else if (released >= UnixMicros.Of(new(DateTime.SpecifyKind(record.Header.Sealed, DateTimeKind.Utc))))
            {
                // It was in force when the seal was made, and is not any more: its events were not told to us, so each segment under hold that can be its is looked after.
                var predicate = HoldScope.Read(scope);
                foreach (var segment in record.Segments)
                    if (segment.LegalHold && SegmentScope.MayMatch(predicate, segment)) Put(connection, transaction, id, segment.Path, HoldState.Planned);
            }
        }
    }

    /// <summary>Notes the state of an object; one that is there already gets it.</summary>
    public static void Put(SqliteConnection connection, SqliteTransaction? transaction, long hold, string path, HoldState state)
    {
        using var command = ControlDatabase.Command(
            connection, "INSERT INTO hold_object (hold, path, state) VALUES ($hold, $path, $state) ON CONFLICT (hold, path) DO UPDATE SET state = excluded.state",
            ("$hold", hold), ("$path", path), ("$state", (int)state));
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    /// <summary>Notes that all segments up to a seal were looked at.</summary>
    public static void Scanned(SqliteConnection connection, SqliteTransaction? transaction, long hold, long seal)
    {
        using var command = ControlDatabase.Command(connection, "UPDATE hold SET scanned_to = $seal WHERE id = $id AND scanned_to < $seal", ("$id", hold), ("$seal", seal));
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    static List<(long Id, string Scope, long ScannedTo, long? Released)> Holds(SqliteConnection connection, SqliteTransaction transaction)
    {
        using var command = ControlDatabase.Command(connection, "SELECT id, scope, scanned_to, released FROM hold ORDER BY id");
        command.Transaction = transaction;
        using var rows = command.ExecuteReader();
        var holds = new List<(long, string, long, long?)>();
        while (rows.Read()) holds.Add((rows.GetInt64(0), rows.GetString(1), rows.GetInt64(2), rows.IsDBNull(3) ? null : rows.GetInt64(3)));
        return holds;
    }
}
