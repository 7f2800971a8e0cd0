using System.Collections.Concurrent;
using System.Globalization;
using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Match;
using Microsoft.Data.Sqlite;

namespace Logwarden.Holds;

/// <summary>A legal hold: events that are kept whatever their retention says, until it is released (RET-6). It is never deleted.</summary>
public sealed record Hold
{
    /// <summary>Its number, from 1.</summary>
    public required long Id { get; init; }

    /// <summary>The matter.</summary>
    public required string Matter { get; init; }

    /// <summary>Which events: a predicate as text.</summary>
    public required string Scope { get; init; }

    /// <summary>Who asked for it.</summary>
    public required string Requester { get; init; }

    /// <summary>Who approved it.</summary>
    public required string Approver { get; init; }

    /// <summary>When it came into force.</summary>
    public required DateTimeOffset Created { get; init; }

    /// <summary>Number of the seal up to which all segments were looked at; −1 before the first.</summary>
    public required long ScannedTo { get; init; }

    /// <summary>When it was on all segments that there were; null while it is not yet.</summary>
    public DateTimeOffset? Applied { get; init; }

    /// <summary>Objects of the archive that it holds now.</summary>
    public required long Objects { get; init; }

    /// <summary>Objects that it should hold and that the archive does not have.</summary>
    public required long Missing { get; init; }

    /// <summary>When it was released; null while it is in force.</summary>
    public DateTimeOffset? Released { get; init; }

    /// <summary>Who asked for the release.</summary>
    public string? ReleaseRequester { get; init; }

    /// <summary>Who approved the release.</summary>
    public string? ReleaseApprover { get; init; }

    /// <summary>Why it was released.</summary>
    public string? ReleaseReason { get; init; }

    /// <summary>Objects that it held when it was released.</summary>
    public long? ObjectsAtRelease { get; init; }

    /// <summary>Whether it is in force.</summary>
    public bool IsActive => Released is null;
}

/// <summary>The holds in a line, for the status.</summary>
/// <param name="Active">Holds in force.</param>
/// <param name="Objects">Objects of the archive that at least one of them holds.</param>
/// <param name="Missing">Objects that should be held and are not there.</param>
/// <param name="Pending">Holds that are not on all existing segments yet, or not off all yet.</param>
public sealed record HoldSummary(long Active, long Objects, long Missing, long Pending);

/// <summary>
/// The legal holds of an installation, in its control database. A hold is in force for what is sealed from the moment on that it is added; <see cref="HoldKeeper"/> puts it on what
/// was sealed before. Every change is an event of the log itself, in the same transaction. Thread-safe; several processes may use it at once.
/// </summary>
public sealed class HoldRegistry
{
    const string Select = """
        SELECT id, matter, scope, requester, approver, created, scanned_to, released, release_requester, release_approver, release_reason, objects_released, applied,
            (SELECT count(*) FROM hold_object WHERE hold = id AND state IN (1, 3)), (SELECT count(*) FROM hold_object WHERE hold = id AND state = 2) FROM hold
        """;

    readonly ControlDatabase _database;
    readonly OwnEvents _events;
    readonly TimeProvider _time;
    readonly ConcurrentDictionary<long, (Predicate Scope, Matcher Matcher)> _scopes = new();

    /// <summary>Those of an installation.</summary>
    public HoldRegistry(ControlDatabase database, OwnEvents events, TimeProvider time)
    {
        (_database, _events, _time) = (database, events, time);
        CustodyTables.Migrate(database);
    }

    /// <summary>Brings a hold into force, for what is sealed from now on.</summary>
    /// <param name="request">What to hold.</param>
    /// <param name="user">Who gave the command.</param>
    /// <param name="ip">From where; null is this machine.</param>
    /// <exception cref="HoldRefusedException">A field is wrong.</exception>
    /// <exception cref="IOException">The database failed.</exception>
    public Hold Add(HoldRequest request, string user, string? ip)
    {
        var (requester, approver) = HoldScope.Two(request.Requester, request.Approver);
        var (matter, scope) = (HoldScope.Text("matter", request.Matter), HoldScope.Of(request).ToString());
        var id = Sqlite.Do(_database, connection =>
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            using var insert = ControlDatabase.Command(
                connection,
                "INSERT INTO hold (matter, scope, requester, approver, created) VALUES ($matter, $scope, $requester, $approver, $created) RETURNING id",
                ("$matter", matter), ("$scope", scope), ("$requester", requester), ("$approver", approver), ("$created", UnixMicros.Now(_time)));
            insert.Transaction = transaction;
            var added = Convert.ToInt64(insert.ExecuteScalar(), CultureInfo.InvariantCulture);
            _events.Write(connection, transaction, new("hold.add", NameOf(added))
            {
                User = user,
                Ip = ip,
                Message = $"Legal hold for {matter}, asked for by {requester}, approved by {approver}.",
                Details = [("matter", matter), ("scope", scope), ("requester", requester), ("approver", approver)],
            });
            transaction.Commit();
            return added;
        });
        return Find(id)!;
    }

    /// <summary>Ends a hold. <see cref="HoldKeeper"/> then takes it off what no other one holds.</summary>
    /// <returns>The hold; null when there is none with that number.</returns>
    /// <exception cref="HoldRefusedException">A field is wrong, or it was released before.</exception>
    /// <exception cref="IOException">The database failed.</exception>
    public Hold? Release(long id, string requester, string approver, string reason, string user, string? ip)
    {
        var (asked, approved) = HoldScope.Two(requester, approver);
        var why = HoldScope.Text("reason", reason);
        if (Find(id) is not { } hold) return null;
        var isDone = Sqlite.Do(_database, connection =>
        {
            using var transaction = connection.BeginTransaction(deferred: false);
            using var update = ControlDatabase.Command(
                connection,
                """
                UPDATE hold SET released = $released, release_requester = $requester, release_approver = $approver, release_reason = $reason,
                    objects_released = (SELECT count(*) FROM hold_object WHERE hold = id AND state IN (1, 3)) WHERE id = $id AND released IS NULL
                """,
                ("$id", id), ("$released", UnixMicros.Now(_time)), ("$requester", asked), ("$approver", approved), ("$reason", why));
            update.Transaction = transaction;
            if (update.ExecuteNonQuery() == 0) return false;
            _events.Write(connection, transaction, new("hold.release", NameOf(id))
            {
                User = user,
                Ip = ip,
                Severity = "warning",
                Message = $"Legal hold for {hold.Matter} released, asked for by {asked}, approved by {approved}: {why}",
                Details = [("matter", hold.Matter), ("scope", hold.Scope), ("requester", asked), ("approver", approved), ("reason", why)],
            });
            transaction.Commit();
            return true;
        });
        return isDone ? Find(id) : throw new HoldRefusedException("id", $"hold {id.ToString(CultureInfo.InvariantCulture)} was released before");
    }

    /// <summary>All holds, those that were released too, by number.</summary>
    public IReadOnlyList<Hold> All() => Read(Select + " ORDER BY id");

    /// <summary>The hold with that number; null when there is none.</summary>
    public Hold? Find(long id) => Read(Select + " WHERE id = $id", ("$id", id)) is [var hold, ..] ? hold : null;

    /// <summary>Those in force, by number.</summary>
    internal IReadOnlyList<Hold> Active() => Read(Select + " WHERE released IS NULL ORDER BY id");

    /// <summary>Paths of the objects that a hold holds.</summary>
    public IReadOnlyList<string> Objects(long id) => Paths("SELECT path FROM hold_object WHERE hold = $id AND state IN (1, 3) ORDER BY path", ("$id", id));

    /// <summary>The holds in force, for who seals (<see cref="SealerOptions.Holds"/>); null when there is none.</summary>
    /// <exception cref="IOException">They can't be read: nothing must be sealed without them.</exception>
    public HoldWatch? Watch()
    {
        var active = Sqlite.Do(_database, connection =>
        {
            using var command = ControlDatabase.Command(connection, "SELECT id, scope FROM hold WHERE released IS NULL ORDER BY id");
            using var rows = command.ExecuteReader();
            var found = new List<(long Id, Matcher Scope)>();
            while (rows.Read()) found.Add((rows.GetInt64(0), ScopeOf(rows.GetInt64(0), rows.GetString(1)).Matcher));
            return found;
        });
        return active.Count == 0 ? null : new(active);
    }

    /// <summary>Whether there is something for <see cref="HoldKeeper"/> to do. Costs microseconds.</summary>
    public bool HasWork() => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(
            connection,
            """
            SELECT EXISTS (SELECT 1 FROM hold WHERE released IS NULL AND (applied IS NULL OR scanned_to < (SELECT coalesce(max(number), -1) FROM catalog_seal)))
                OR EXISTS (SELECT 1 FROM hold_object JOIN hold ON id = hold WHERE released IS NOT NULL)
            """);
        return Convert.ToInt64(command.ExecuteScalar(), CultureInfo.InvariantCulture) != 0;
    });

    /// <summary>
    /// Whether a segment must stay, hot copy and all, whatever its retention: a hold is on it, or one that is in force may get onto it and has not been looked for in it yet.
    /// </summary>
    /// <param name="path">Path of the segment in the archive: <c>segments/class=…</c>.</param>
    /// <exception cref="IOException">It can't be told: keep it.</exception>
    public bool IsHeld(string path) => On(path).Count > 0;

    /// <summary>The holds for which a segment must stay, by number and matter: as <see cref="IsHeld(string)"/> tells whether there is one.</summary>
    /// <exception cref="IOException">It can't be told: keep it.</exception>
    public IReadOnlyList<string> On(string path)
    {
        var active = Active();
        if (active.Count == 0) return [];
        var on = Paths("SELECT DISTINCT CAST(hold AS TEXT) FROM hold_object JOIN hold ON id = hold WHERE path = $path AND released IS NULL", ("$path", path)).ToHashSet(StringComparer.Ordinal);
        var segment = new SegmentCatalog(_database).Find(path);
        return
        [
            .. active.Where(hold => on.Contains(hold.Id.ToString(CultureInfo.InvariantCulture)) || segment is null
                || (hold.ScannedTo < segment.Seal && SegmentScope.MayMatch(ScopeOf(hold).Scope, segment.Sealed))).Select(hold => string.Create(CultureInfo.InvariantCulture, $"{hold.Id} ({hold.Matter})")),
        ];
    }

    /// <summary>As the other, of a segment of a seal.</summary>
    public bool IsHeld(SealedSegment segment) => IsHeld(segment.Path);

    /// <summary>The holds in a line.</summary>
    public HoldSummary Summary() => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(
            connection,
            """
            SELECT (SELECT count(*) FROM hold WHERE released IS NULL),
                (SELECT count(DISTINCT path) FROM hold_object JOIN hold ON id = hold WHERE released IS NULL AND state IN (1, 3)),
                (SELECT count(DISTINCT path) FROM hold_object JOIN hold ON id = hold WHERE released IS NULL AND state = 2),
                (SELECT count(*) FROM hold WHERE (released IS NULL AND (applied IS NULL OR scanned_to < (SELECT coalesce(max(number), -1) FROM catalog_seal)))
                    OR (released IS NOT NULL AND EXISTS (SELECT 1 FROM hold_object WHERE hold = id)))
            """);
        using var rows = command.ExecuteReader();
        rows.Read();
        return new HoldSummary(rows.GetInt64(0), rows.GetInt64(1), rows.GetInt64(2), rows.GetInt64(3));
    });

    /// <summary>Notes that a hold is on all segments that there are, the first time that it is.</summary>
    internal void Applied(Hold hold, long seal) => Sqlite.Do(_database, connection =>
    {
        using var transaction = connection.BeginTransaction(deferred: false);
        using var update = ControlDatabase.Command(connection, "UPDATE hold SET applied = $now WHERE id = $id AND applied IS NULL", ("$id", hold.Id), ("$now", UnixMicros.Now(_time)));
        update.Transaction = transaction;
        if (update.ExecuteNonQuery() == 0) return false;
        using var count = ControlDatabase.Command(connection, "SELECT count(*) FROM hold_object WHERE hold = $id AND state IN (1, 3)", ("$id", hold.Id));
        count.Transaction = transaction;
        var objects = Convert.ToString(count.ExecuteScalar(), CultureInfo.InvariantCulture);
        _events.Write(connection, transaction, new("hold.apply", NameOf(hold.Id))
        {
            Message = $"Legal hold for {hold.Matter} is on all {objects} objects of the archive that have events of it.",
            Details = [("objects", objects), ("seal", seal.ToString(CultureInfo.InvariantCulture))],
        });
        transaction.Commit();
        return true;
    });

    /// <summary>Name of a hold in events.</summary>
    internal static string NameOf(long id) => string.Create(CultureInfo.InvariantCulture, $"legal-hold/{id}");

    internal (Predicate Scope, Matcher Matcher) ScopeOf(Hold hold) => ScopeOf(hold.Id, hold.Scope);

    internal IReadOnlyList<string> Paths(string sql, params (string, object?)[] parameters) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        using var rows = command.ExecuteReader();
        var paths = new List<string>();
        while (rows.Read()) paths.Add(rows.GetString(0));
        return paths;
    });

    // A scope never changes.
    (Predicate Scope, Matcher Matcher) ScopeOf(long id, string text) => _scopes.GetOrAdd(id, static (_, text) =>
    {
        var predicate = HoldScope.Read(text);
        return (predicate, Matcher.Compile(predicate));
    }, text);

    List<Hold> Read(string sql, params (string, object?)[] parameters) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        using var rows = command.ExecuteReader();
        var holds = new List<Hold>();
        while (rows.Read())
        {
            holds.Add(new()
            {
                Id = rows.GetInt64(0),
                Matter = rows.GetString(1),
                Scope = rows.GetString(2),
                Requester = rows.GetString(3),
                Approver = rows.GetString(4),
                Created = UnixMicros.ToInstant(rows.GetInt64(5)),
                ScannedTo = rows.GetInt64(6),
                Released = rows.IsDBNull(7) ? null : UnixMicros.ToInstant(rows.GetInt64(7)),
                ReleaseRequester = Text(rows, 8),
                ReleaseApprover = Text(rows, 9),
                ReleaseReason = Text(rows, 10),
                ObjectsAtRelease = rows.IsDBNull(11) ? null : rows.GetInt64(11),
                Applied = rows.IsDBNull(12) ? null : UnixMicros.ToInstant(rows.GetInt64(12)),
                Objects = rows.GetInt64(13),
                Missing = rows.GetInt64(14),
            });
        }
        return holds;
    });

    static string? Text(SqliteDataReader rows, int column) => rows.IsDBNull(column) ? null : rows.GetString(column);
}
