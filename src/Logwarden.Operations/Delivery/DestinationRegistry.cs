using System.Text.Json;
using Logwarden.Data;
using Logwarden.Match;
using Microsoft.Data.Sqlite;

namespace Logwarden.Delivery;

/// <summary>A destination as it is configured.</summary>
/// <param name="Name">Name that routes of the policy use: 1 to 64 of lower-case letters, digits and dashes.</param>
/// <param name="Type">Kind of destination.</param>
/// <param name="Settings">Its settings; secrets are named, not held.</param>
public sealed record DestinationEntry(string Name, string Type, IReadOnlyDictionary<string, string> Settings)
{
    /// <summary>What it gets besides what the policy routes to it; null is nothing.</summary>
    public string? When { get; init; }

    /// <summary>Whether somebody stopped it for the time being.</summary>
    public bool IsPaused { get; init; }

    /// <summary>Journal offset that it begins with.</summary>
    public long From { get; init; }

    /// <summary>Grows with each change.</summary>
    public long Version { get; init; }
}

/// <summary>
/// The destinations of an installation, in its control database. A server takes changes within a second, without a restart; every change is an audit event of its own (LOG-3).
/// Thread-safe.
/// </summary>
public sealed class DestinationRegistry
{
    /// <summary>The name that stands for the archive, which is always there.</summary>
    public const string Archive = "archive";

    readonly ControlDatabase _database;
    readonly OwnEvents _events;

    /// <summary>That of an installation.</summary>
    public DestinationRegistry(ControlDatabase database, OwnEvents events)
    {
        (_database, _events) = (database, events);
        database.Migrate("destinations",
        [
            """
            CREATE TABLE destination (
                name TEXT PRIMARY KEY, type TEXT NOT NULL, settings TEXT NOT NULL, filter TEXT, paused INTEGER NOT NULL DEFAULT 0, start INTEGER NOT NULL, version INTEGER NOT NULL) STRICT;
            CREATE TABLE destination_version (version INTEGER NOT NULL) STRICT;
            INSERT INTO destination_version VALUES (0);
            """,
        ]);
    }

    /// <summary>Grows with each change of any destination.</summary>
    public long Version
    {
        get
        {
            using var connection = _database.Connect();
            using var command = ControlDatabase.Command(connection, "SELECT version FROM destination_version");
            return (long)command.ExecuteScalar()!;
        }
    }

    /// <summary>All, by name.</summary>
    public IReadOnlyList<DestinationEntry> All
    {
        get
        {
            using var connection = _database.Connect();
            using var command = ControlDatabase.Command(connection, "SELECT name, type, settings, filter, paused, start, version FROM destination ORDER BY name");
            using var rows = command.ExecuteReader();
            var entries = new List<DestinationEntry>();
            while (rows.Read())
            {
                entries.Add(new(rows.GetString(0), rows.GetString(1), JsonSerializer.Deserialize<Dictionary<string, string>>(rows.GetString(2))!)
                {
                    When = rows.IsDBNull(3) ? null : rows.GetString(3),
                    IsPaused = rows.GetInt64(4) == 1,
                    From = rows.GetInt64(5),
                    Version = rows.GetInt64(6),
                });
            }
            return entries;
        }
    }

    /// <summary>The one of that name; null when there is none.</summary>
    public DestinationEntry? Find(string name) => All.FirstOrDefault(entry => string.Equals(entry.Name, name, StringComparison.Ordinal));

    /// <summary>Adds a destination.</summary>
    /// <param name="entry">What it is; its settings were checked.</param>
    /// <param name="by">Who does it.</param>
    /// <exception cref="ArgumentException">There is one of that name, or it can't be a name; the message is for people.</exception>
    public void Add(DestinationEntry entry, string by)
    {
        if (Refusal(entry.Name) is { } wrong) throw new ArgumentException(wrong, nameof(entry));
        if (entry.When is { } filter && PredicateParser.Parse(filter).Error is { } error) throw new ArgumentException($"the filter can't be read: {error.Reason}", nameof(entry));
        Change(by, "destination.create", entry.Name, Details(entry), (connection, transaction, version) =>
        {
            var known = Run(connection, transaction, "INSERT INTO destination VALUES ($name, $type, $settings, $filter, 0, $start, $version) ON CONFLICT DO NOTHING",
                ("$name", entry.Name), ("$type", entry.Type), ("$settings", JsonSerializer.Serialize(entry.Settings)), ("$filter", entry.When), ("$start", entry.From), ("$version", version));
            if (known == 0) throw new ArgumentException($"there is a destination '{entry.Name}' already; change it with `logwarden destination set {entry.Name} …`", nameof(entry));
        });
    }

    /// <summary>Gives a destination other settings.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public void Set(string name, IReadOnlyDictionary<string, string> settings, string by) => Change(by, "destination.update", name,
        [.. settings.Select(setting => (setting.Key, (string?)setting.Value))],
        (connection, transaction, version) => Known(name, Run(connection, transaction, "UPDATE destination SET settings = $settings, version = $version WHERE name = $name",
            ("$name", name), ("$settings", JsonSerializer.Serialize(settings)), ("$version", version))));

    /// <summary>Stops a destination for the time being, or lets it go on. What it misses meanwhile it gets later.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public void Pause(string name, bool isPaused, string? reason, string by) => Change(by, isPaused ? "destination.disable" : "destination.enable", name, [("reason", reason)],
        (connection, transaction, version) => Known(name, Run(connection, transaction, "UPDATE destination SET paused = $paused, version = $version WHERE name = $name",
            ("$name", name), ("$paused", isPaused), ("$version", version))));

    /// <summary>Removes a destination. Its cursor and dead letters are forgotten by <see cref="DeliveryStore.Forget"/>.</summary>
    /// <exception cref="ArgumentException">There is none of that name.</exception>
    public void Remove(string name, string by) => Change(by, "destination.delete", name, [],
        (connection, transaction, _) => Known(name, Run(connection, transaction, "DELETE FROM destination WHERE name = $name", ("$name", name))));

    /// <summary>What is wrong with a name; null when nothing is.</summary>
    public static string? Refusal(string name) =>
        string.Equals(name, Archive, StringComparison.Ordinal) ? "'archive' is the archive of this installation, which is always there; it is configured with --archive"
        : name.Length is 0 or > 64 || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            ? $"'{name}' is no name for a destination: 1 to 64 of lower-case letters, digits and dashes" : null;

    void Change(string by, string action, string name, IReadOnlyList<(string, string?)> details, Action<SqliteConnection, SqliteTransaction, long> change)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        Run(connection, transaction, "UPDATE destination_version SET version = version + 1");
        using var command = ControlDatabase.Command(connection, "SELECT version FROM destination_version");
        command.Transaction = transaction;
        change(connection, transaction, (long)command.ExecuteScalar()!);
        _events.Write(connection, transaction, new(action, name) { ObjectType = "setting", User = by, Details = details });
        transaction.Commit();
    }

    static void Known(string name, int changed)
    {
        if (changed == 0) throw new ArgumentException($"there is no destination '{name}'; `logwarden destination list` shows those there are", nameof(name));
    }

    static (string, string?)[] Details(DestinationEntry entry) => [("type", entry.Type), ("filter", entry.When), .. entry.Settings.Select(setting => (setting.Key, (string?)setting.Value))];

    static int Run(SqliteConnection connection, SqliteTransaction transaction, string sql, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        command.Transaction = transaction;
        return command.ExecuteNonQuery();
    }
}
