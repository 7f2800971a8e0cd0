using System.Globalization;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Events;

namespace Logwarden.Restore;

/// <summary>What was asked to be brought back from the archive.</summary>
/// <param name="Id">Number, from 1.</param>
/// <param name="From">Events from this time on.</param>
/// <param name="To">Events before this time.</param>
/// <param name="Class">Only of this class; null is all but what was quarantined.</param>
/// <param name="RequestedBy">Who asked.</param>
/// <param name="Created">When.</param>
/// <param name="Until">Until when it stays.</param>
/// <param name="Segments">Segments of the range, those that were hot already too.</param>
/// <param name="Bytes">Bytes that were to be fetched.</param>
/// <param name="Finished">When all was there; null when it was interrupted or something could not be fetched.</param>
public sealed record Restored(
    long Id, DateTimeOffset From, DateTimeOffset To, string? Class, string RequestedBy, DateTimeOffset Created, DateTimeOffset Until, long Segments, long Bytes, DateTimeOffset? Finished);

/// <summary>Until when restored segments stay hot, in the control database. Thread-safe; several processes may use it at once.</summary>
public sealed class RestoreRegistry
{
    readonly ControlDatabase _database;
    readonly OwnEvents _events;
    readonly TimeProvider _time;

    /// <summary>That of an installation.</summary>
    public RestoreRegistry(ControlDatabase database, OwnEvents events, TimeProvider time)
    {
        (_database, _events, _time) = (database, events, time);
        CustodyTables.Migrate(database);
    }

    /// <summary>Until when a segment is to stay hot; null when it was not restored, or its time is over.</summary>
    /// <param name="path">Path of the segment in the archive: <c>segments/class=…</c>.</param>
    /// <exception cref="IOException">It can't be told: keep it.</exception>
    public DateTimeOffset? RestoredUntil(string path) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, "SELECT until FROM restored_segment WHERE path = $path AND until > $now", ("$path", path), ("$now", UnixMicros.Now(_time)));
        return command.ExecuteScalar() is long until ? UnixMicros.ToInstant(until) : (DateTimeOffset?)null;
    });

    /// <summary>All that was asked, the newest first.</summary>
    public IReadOnlyList<Restored> All() => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, "SELECT id, from_time, to_time, class, requested_by, created, until, segments, bytes, finished FROM restore ORDER BY id DESC");
        using var rows = command.ExecuteReader();
        var found = new List<Restored>();
        while (rows.Read())
        {
            found.Add(new(
                rows.GetInt64(0), UnixMicros.ToInstant(rows.GetInt64(1)), UnixMicros.ToInstant(rows.GetInt64(2)), rows.IsDBNull(3) ? null : rows.GetString(3), rows.GetString(4),
                UnixMicros.ToInstant(rows.GetInt64(5)), UnixMicros.ToInstant(rows.GetInt64(6)), rows.GetInt64(7), rows.GetInt64(8), rows.IsDBNull(9) ? null : UnixMicros.ToInstant(rows.GetInt64(9))));
        }
        return found;
    });

    /// <summary>Notes that the segments of a plan are to stay until a time. To be called before they are fetched, lest they are taken away again at once.</summary>
    internal long Begin(RestorePlan plan, DateTimeOffset until, string user, string? ip) => Sqlite.Do(_database, connection =>
    {
        using var transaction = connection.BeginTransaction(deferred: false);
        using var insert = ControlDatabase.Command(
            connection,
            "INSERT INTO restore (from_time, to_time, class, requested_by, created, until, segments, bytes) VALUES ($from, $to, $class, $user, $created, $until, $segments, $bytes) RETURNING id",
            ("$from", UnixMicros.Of(plan.From)), ("$to", UnixMicros.Of(plan.To)), ("$class", plan.Class), ("$user", user), ("$created", UnixMicros.Now(_time)), ("$until", UnixMicros.Of(until)),
            ("$segments", plan.Cold.Count + plan.Hot.Count), ("$bytes", plan.Bytes));
        insert.Transaction = transaction;
        var id = Convert.ToInt64(insert.ExecuteScalar(), CultureInfo.InvariantCulture);
        foreach (var segment in plan.Cold.Concat(plan.Hot))
        {
            using var stay = ControlDatabase.Command(
                connection, "INSERT INTO restored_segment (path, until) VALUES ($path, $until) ON CONFLICT (path) DO UPDATE SET until = max(until, excluded.until)",
                ("$path", segment.Sealed.Path), ("$until", UnixMicros.Of(until)));
            stay.Transaction = transaction;
            stay.ExecuteNonQuery();
        }
        _events.Write(connection, transaction, new("archive.restore", $"{ColdRange.Text(plan.From)}/{ColdRange.Text(plan.To)}")
        {
            ObjectType = "archive",
            User = user,
            Ip = ip,
            Message = $"Events of {plan.Class ?? "all classes"} from {ColdRange.Text(plan.From)} to {ColdRange.Text(plan.To)} are brought back from the archive until {ColdRange.Text(until)}.",
            Details = [("class", plan.Class), ("until", ColdRange.Text(until)), ("segments", plan.Cold.Count.ToString(CultureInfo.InvariantCulture)), ("bytes", plan.Bytes.ToString(CultureInfo.InvariantCulture))],
        });
        transaction.Commit();
        return id;
    });

    /// <summary>Notes that all of it is there.</summary>
    internal void Finish(long id) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, "UPDATE restore SET finished = $now WHERE id = $id", ("$id", id), ("$now", UnixMicros.Now(_time)));
        return command.ExecuteNonQuery();
    });
}
