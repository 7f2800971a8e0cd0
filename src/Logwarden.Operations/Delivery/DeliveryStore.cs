using System.Globalization;
using Logwarden.Data;
using Microsoft.Data.Sqlite;

namespace Logwarden.Delivery;

/// <summary>What became of events of one source at a destination.</summary>
public enum Outcome
{
    /// <summary>The far side has them.</summary>
    Delivered = 0,

    /// <summary>The far side will never take them: they are dead letters.</summary>
    Refused = 1,

    /// <summary>They outlived their hot time while the destination was away, and their class may be shed.</summary>
    Shed = 2,

    /// <summary>Events of the journal, of any source and perhaps not for this destination, whose segments were gone from the hot store before it could be looked at whether they go there.</summary>
    Missing = 3,
}

/// <summary>How many events of a source had one outcome at a destination.</summary>
public readonly record struct OutcomeCount(string Source, Outcome Outcome, long Count);

/// <summary>An event that a destination will never take, as it is kept.</summary>
/// <param name="Offset">Its journal offset.</param>
/// <param name="EventId">Its id.</param>
/// <param name="Class">Its class.</param>
/// <param name="Source">Its source.</param>
/// <param name="Reason">What the far side said.</param>
/// <param name="Event">The event, encoded; already redacted like everything that is stored.</param>
public sealed record DeadLetter(long Offset, string EventId, string Class, string Source, string Reason, byte[] Event)
{
    /// <summary>Number in the list of all dead letters.</summary>
    public long Number { get; init; }

    /// <summary>Whose it is.</summary>
    public string Destination { get; init; } = "";

    /// <summary>When it was refused.</summary>
    public DateTimeOffset Refused { get; init; }

    /// <summary>When it arrived after all; null as long as it did not.</summary>
    public DateTimeOffset? Arrived { get; init; }

    /// <summary>Whether it waits to be sent again.</summary>
    public bool IsToReplay { get; init; }
}

/// <summary>
/// How far each destination is, what became of everything that it was to get, and its dead letters. The three change in one transaction, so that
/// <c>routed = delivered + refused + shed</c> holds for everything below the cursor after any crash. Thread-safe.
/// </summary>
public sealed class DeliveryStore
{
    readonly ControlDatabase _database;
    readonly TimeProvider _time;

    /// <summary>That of an installation.</summary>
    public DeliveryStore(ControlDatabase database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        database.Migrate("delivery",
        [
            """
            CREATE TABLE delivery_cursor (destination TEXT PRIMARY KEY, since INTEGER NOT NULL, position INTEGER NOT NULL, last_success INTEGER) STRICT;
            CREATE TABLE delivery_count (
                destination TEXT NOT NULL, source TEXT NOT NULL, outcome INTEGER NOT NULL, events INTEGER NOT NULL, PRIMARY KEY (destination, source, outcome)) STRICT;
            CREATE TABLE dead_letter (
                number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, position INTEGER NOT NULL, event_id TEXT NOT NULL, class TEXT NOT NULL, source TEXT NOT NULL,
                reason TEXT NOT NULL, refused INTEGER NOT NULL, event BLOB NOT NULL, replay INTEGER NOT NULL DEFAULT 0, arrived INTEGER, UNIQUE (destination, position)) STRICT;
            CREATE INDEX dead_letter_replay ON dead_letter (destination, replay) WHERE replay = 1;
            """,
            "CREATE TABLE delivery_route (number INTEGER PRIMARY KEY AUTOINCREMENT, destination TEXT NOT NULL, position INTEGER NOT NULL, routes TEXT NOT NULL) STRICT",
        ]);
    }

    /// <summary>Where a destination is; null when it has not begun.</summary>
    public DeliveryCursor? Find(string destination)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT since, position, last_success FROM delivery_cursor WHERE destination = $name", ("$name", destination));
        using var row = command.ExecuteReader();
        return row.Read() ? new(row.GetInt64(0), row.GetInt64(1), row.IsDBNull(2) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2))) : null;
    }

    /// <summary>Where a destination is and what became of everything below, read at one moment; null when it has not begun.</summary>
    public (DeliveryCursor Cursor, IReadOnlyList<OutcomeCount> Counts)? Snapshot(string destination)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: true);
        using var command = ControlDatabase.Command(connection, "SELECT since, position, last_success FROM delivery_cursor WHERE destination = $name", ("$name", destination));
        command.Transaction = transaction;
        DeliveryCursor cursor;
        using (var row = command.ExecuteReader())
        {
            if (!row.Read()) return null;
            cursor = new(row.GetInt64(0), row.GetInt64(1), row.IsDBNull(2) ? null : DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(2)));
        }
        return (cursor, Counts(connection, transaction, destination));
    }

    /// <summary>The routes by which a destination got what it got, each from an offset on, the oldest first.</summary>
    public IReadOnlyList<(long From, string Routes)> Routes(string destination)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT position, routes FROM delivery_route WHERE destination = $name ORDER BY number", ("$name", destination));
        using var rows = command.ExecuteReader();
        var routes = new List<(long, string)>();
        while (rows.Read()) routes.Add((rows.GetInt64(0), rows.GetString(1)));
        return routes;
    }

    /// <summary>From this offset on it gets events by these routes; nothing happens when it does already.</summary>
    public void Route(string destination, long position, string routes)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        Run(connection, transaction,
            """
            INSERT INTO delivery_route (destination, position, routes) SELECT $name, $position, $routes
            WHERE $routes IS NOT (SELECT routes FROM delivery_route WHERE destination = $name ORDER BY number DESC LIMIT 1)
            """,
            ("$name", destination), ("$position", position), ("$routes", routes));
        transaction.Commit();
    }

    /// <summary>Begins a destination at an offset; nothing happens when it has begun.</summary>
    public DeliveryCursor Begin(string destination, long position)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "INSERT INTO delivery_cursor (destination, since, position) VALUES ($name, $position, $position) ON CONFLICT DO NOTHING", ("$name", destination), ("$position", position));
        command.ExecuteNonQuery();
        return Find(destination)!;
    }

    /// <summary>Goes back to an offset: the journal was lost and begins again before where the destination was.</summary>
    public void Rewind(string destination, long position)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "UPDATE delivery_cursor SET position = $position WHERE destination = $name AND position > $position", ("$name", destination), ("$position", position));
        command.ExecuteNonQuery();
    }

    /// <summary>Forgets where a destination is, its counts and its dead letters.</summary>
    public void Forget(string destination)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        foreach (var table in (string[])["delivery_cursor", "delivery_count", "dead_letter", "delivery_route"])
            Run(connection, transaction, $"DELETE FROM {table} WHERE destination = $name", ("$name", destination));
        transaction.Commit();
    }

    /// <summary>Everything below <paramref name="position"/> is done with, in this way. All or nothing.</summary>
    /// <exception cref="IOException">It could not be made durable; the events will be sent again.</exception>
    public void Commit(string destination, long position, IReadOnlyCollection<OutcomeCount> counts, IReadOnlyCollection<DeadLetter> dead)
    {
        try
        {
            using var connection = _database.Connect();
            using var transaction = connection.BeginTransaction(deferred: false);
            var now = _time.GetUtcNow().ToUnixTimeMilliseconds();
            Run(connection, transaction,
                "UPDATE delivery_cursor SET position = $position, last_success = CASE WHEN $success THEN $now ELSE last_success END WHERE destination = $name AND position <= $position",
                ("$position", position), ("$success", counts.Any(count => count.Outcome == Outcome.Delivered)), ("$now", now), ("$name", destination));
            foreach (var (source, outcome, count) in counts) Count(connection, transaction, destination, source, outcome, count);
            foreach (var letter in dead)
            {
                Run(connection, transaction,
                    """
                    INSERT INTO dead_letter (destination, position, event_id, class, source, reason, refused, event) VALUES ($name, $position, $id, $class, $source, $reason, $now, $event)
                    ON CONFLICT (destination, position) DO NOTHING
                    """,
                    ("$name", destination), ("$position", letter.Offset), ("$id", letter.EventId), ("$class", letter.Class), ("$source", letter.Source),
                    ("$reason", letter.Reason), ("$now", now), ("$event", letter.Event));
            }
            transaction.Commit();
        }
        catch (SqliteException failed)
        {
            throw new IOException($"{_database.Path}: {failed.Message}", failed);
        }
    }

    /// <summary>What became of everything that a destination was to get, by source.</summary>
    public IReadOnlyList<OutcomeCount> Counts(string destination)
    {
        using var connection = _database.Connect();
        return Counts(connection, null, destination);
    }

    /// <summary>Dead letters, oldest first.</summary>
    /// <param name="destination">Of one destination; null is of all.</param>
    /// <param name="after">Behind this number.</param>
    /// <param name="max">How many at most.</param>
    /// <param name="isArrived">Also those that arrived after all.</param>
    public IReadOnlyList<DeadLetter> DeadLetters(string? destination, long after, int max, bool isArrived) => Letters(
        "number > $after AND ($name IS NULL OR destination = $name) AND ($arrived OR arrived IS NULL) ORDER BY number LIMIT $max",
        ("$after", after), ("$name", destination), ("$arrived", isArrived), ("$max", max));

    /// <summary>One dead letter; null when there is none of that number.</summary>
    public DeadLetter? DeadLetter(long number) => Letters("number = $number", ("$number", number)).SingleOrDefault();

    /// <summary>Dead letters that wait to be sent again, in order of their offsets.</summary>
    public IReadOnlyList<DeadLetter> ToReplay(string destination, int max) =>
        Letters("destination = $name AND replay = 1 AND arrived IS NULL ORDER BY position LIMIT $max", ("$name", destination), ("$max", max));

    /// <summary>How many dead letters of a destination did not arrive.</summary>
    public long DeadCount(string destination)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT count(*) FROM dead_letter WHERE destination = $name AND arrived IS NULL", ("$name", destination));
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture);
    }

    /// <summary>Has dead letters sent again.</summary>
    /// <param name="destination">Of which destination.</param>
    /// <param name="number">Which one; null is all that did not arrive.</param>
    /// <returns>How many.</returns>
    public int Replay(string destination, long? number)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "UPDATE dead_letter SET replay = 1 WHERE destination = $name AND arrived IS NULL AND replay = 0 AND ($number IS NULL OR number = $number)", ("$name", destination), ("$number", number));
        return command.ExecuteNonQuery();
    }

    /// <summary>A dead letter was sent again: it arrived, or was refused once more.</summary>
    /// <param name="letter">Which.</param>
    /// <param name="refusal">Why not; null when it arrived.</param>
    public void Replayed(DeadLetter letter, string? refusal)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        if (refusal is not null)
        {
            Run(connection, transaction, "UPDATE dead_letter SET replay = 0, reason = $reason WHERE number = $number", ("$number", letter.Number), ("$reason", refusal));
        }
        else if (Run(connection, transaction, "UPDATE dead_letter SET replay = 0, arrived = $now WHERE number = $number AND arrived IS NULL",
            ("$number", letter.Number), ("$now", _time.GetUtcNow().ToUnixTimeMilliseconds())) == 1)
        {
            Count(connection, transaction, letter.Destination, letter.Source, Outcome.Refused, -1);
            Count(connection, transaction, letter.Destination, letter.Source, Outcome.Delivered, 1);
        }
        transaction.Commit();
    }

    static List<OutcomeCount> Counts(SqliteConnection connection, SqliteTransaction? transaction, string destination)
    {
        using var command = ControlDatabase.Command(connection, "SELECT source, outcome, events FROM delivery_count WHERE destination = $name ORDER BY source, outcome", ("$name", destination));
        command.Transaction = transaction;
        using var rows = command.ExecuteReader();
        var counts = new List<OutcomeCount>();
        while (rows.Read()) counts.Add(new(rows.GetString(0), (Outcome)rows.GetInt32(1), rows.GetInt64(2)));
        return counts;
    }

    List<DeadLetter> Letters(string where, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "SELECT number, destination, position, event_id, class, source, reason, refused, event, replay, arrived FROM dead_letter WHERE " + where, parameters);
        using var rows = command.ExecuteReader();
        var letters = new List<DeadLetter>();
        while (rows.Read())
        {
            letters.Add(new(rows.GetInt64(2), rows.GetString(3), rows.GetString(4), rows.GetString(5), rows.GetString(6), rows.GetFieldValue<byte[]>(8))
            {
                Number = rows.GetInt64(0),
                Destination = rows.GetString(1),
                Refused = DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(7)),
                IsToReplay = rows.GetInt64(9) == 1,
                Arrived = rows.IsDBNull(10) ? null : DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(10)),
            });
        }
        return letters;
    }

    static void Count(SqliteConnection connection, SqliteTransaction transaction, string destination, string source, Outcome outcome, long count) => Run(connection, transaction,
        "INSERT INTO delivery_count VALUES ($name, $source, $outcome, $count) ON CONFLICT DO UPDATE SET events = events + excluded.events",
        ("$name", destination), ("$source", source), ("$outcome", (int)outcome), ("$count", count));

    static int Run(SqliteConnection connection, SqliteTransaction transaction, string sql, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        command.Transaction = transaction;
        return command.ExecuteNonQuery();
    }
}

/// <summary>Where a destination is.</summary>
/// <param name="Since">Journal offset that it began with.</param>
/// <param name="Position">Everything below is done with.</param>
/// <param name="LastSuccess">When the far side last took something; null when it never did.</param>
public sealed record DeliveryCursor(long Since, long Position, DateTimeOffset? LastSuccess);
