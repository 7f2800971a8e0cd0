using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Data;
using Microsoft.Data.Sqlite;

namespace Logwarden.Watchers;

/// <summary>An alarm: something is wrong with something, until it is not.</summary>
/// <param name="Kind">What is watched, such as <c>ingestion</c> or <c>destination</c>.</param>
/// <param name="Subject">Of what, such as the name of the source.</param>
public sealed record Alarm(string Kind, string Subject)
{
    /// <summary>Number in the list of all alarms.</summary>
    public long Number { get; init; }

    /// <summary>P0 to P3.</summary>
    public required string Severity { get; init; }

    /// <summary>What is wrong and what to do next, for people.</summary>
    public required string Text { get; init; }

    /// <summary>What was seen.</summary>
    public IReadOnlyList<AlarmFact> Evidence { get; init; } = [];

    /// <summary>When it was opened.</summary>
    public DateTimeOffset Opened { get; init; }

    /// <summary>When anything of it last changed.</summary>
    public DateTimeOffset Updated { get; init; }

    /// <summary>When it was over; null while it is open.</summary>
    public DateTimeOffset? Cleared { get; init; }
}

/// <summary>One thing that was seen.</summary>
/// <param name="Name">What.</param>
/// <param name="Value">Its value.</param>
public sealed record AlarmFact(string Name, string Value);

/// <summary>What happened to an alarm.</summary>
public enum AlarmChange
{
    /// <summary>It is new.</summary>
    Opened,

    /// <summary>Its severity or its text is another.</summary>
    Updated,

    /// <summary>It is over.</summary>
    Cleared,
}

/// <summary>Tells that an alarm has changed, as part of the transaction that changes it: what it writes there is kept when and only when the change is.</summary>
/// <param name="change">What happened.</param>
/// <param name="alarm">The alarm as it is now.</param>
/// <param name="connection">Connection.</param>
/// <param name="transaction">Transaction.</param>
public delegate void AlarmTold(AlarmChange change, Alarm alarm, SqliteConnection connection, SqliteTransaction transaction);

/// <summary>
/// All alarms of an installation, open and past. There is at most one open alarm of a kind and subject; raising it again changes it, and what is the same as before changes nothing and tells
/// nobody: callers may raise and clear as often as they look. Kept in the control database. Thread-safe, also between processes.
/// </summary>
[SuppressMessage("Design", "CA1030", Justification = "Alarms are raised; these are no .NET events.")]
public sealed class AlarmBook
{
    const string Columns = "number, kind, subject, severity, text, evidence, opened, updated, cleared";

    readonly ControlDatabase _database;
    readonly TimeProvider _time;

    /// <summary>That of an installation.</summary>
    public AlarmBook(ControlDatabase database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        database.Migrate("alarms",
        [
            """
            CREATE TABLE alarm (number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, subject TEXT NOT NULL, severity TEXT NOT NULL, text TEXT NOT NULL, evidence TEXT NOT NULL,
                opened INTEGER NOT NULL, updated INTEGER NOT NULL, cleared INTEGER) STRICT;
            CREATE UNIQUE INDEX alarm_open ON alarm (kind, subject) WHERE cleared IS NULL;
            CREATE INDEX alarm_updated ON alarm (updated);
            """,
        ]);
    }

    /// <summary>Is told each opening, change and end. It must not use the book.</summary>
    public AlarmTold? Told { get; init; }

    /// <summary>Open alarms, the most urgent first, then the oldest.</summary>
    public IReadOnlyList<Alarm> Open => List("cleared IS NULL ORDER BY severity, number");

    /// <summary>Alarms that were open at that time or since, oldest first.</summary>
    public IReadOnlyList<Alarm> History(DateTimeOffset since) =>
        List("cleared IS NULL OR cleared >= $since ORDER BY number", ("$since", since.ToUnixTimeMilliseconds()));

    /// <summary>Opens an alarm, or changes the one that is open.</summary>
    /// <param name="kind">What is watched.</param>
    /// <param name="subject">Of what.</param>
    /// <param name="severity">P0 to P3.</param>
    /// <param name="text">What is wrong and what to do next. A text that differs is told, so numbers that change all the time belong into the evidence.</param>
    /// <param name="evidence">What was seen. Evidence that differs is kept, but not told.</param>
    public void Raise(string kind, string subject, string severity, string text, IReadOnlyList<AlarmFact> evidence)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        Raise(connection, transaction, kind, subject, severity, text, evidence);
        transaction.Commit();
    }

    /// <summary>Ends an alarm; nothing when none is open.</summary>
    /// <returns>Whether one was.</returns>
    public bool Clear(string kind, string subject)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        var wasOpen = Clear(connection, transaction, kind, subject);
        transaction.Commit();
        return wasOpen;
    }

    /// <summary>Like the other, as part of a transaction.</summary>
    public void Raise(SqliteConnection connection, SqliteTransaction transaction, string kind, string subject, string severity, string text, IReadOnlyList<AlarmFact> evidence)
    {
        var now = _time.GetUtcNow();
        var known = Find(connection, transaction, kind, subject);
        if (known is null)
        {
            var alarm = new Alarm(kind, subject) { Severity = severity, Text = text, Evidence = evidence, Opened = now, Updated = now };
            using var insert = Command(connection, transaction,
                "INSERT INTO alarm (kind, subject, severity, text, evidence, opened, updated) VALUES ($kind, $subject, $severity, $text, $evidence, $now, $now) RETURNING number", alarm);
            var number = (long)insert.ExecuteScalar()!;
            Told?.Invoke(AlarmChange.Opened, alarm with { Number = number }, connection, transaction);
            return;
        }
        var isTold = !string.Equals(known.Severity, severity, StringComparison.Ordinal) || !string.Equals(known.Text, text, StringComparison.Ordinal);
        if (!isTold && known.Evidence.SequenceEqual(evidence)) return;
        var changed = known with { Severity = severity, Text = text, Evidence = evidence, Updated = now };
        using var update = Command(connection, transaction,
            "UPDATE alarm SET severity = $severity, text = $text, evidence = $evidence, updated = $now WHERE kind = $kind AND subject = $subject AND cleared IS NULL", changed);
        update.ExecuteNonQuery();
        if (isTold) Told?.Invoke(AlarmChange.Updated, changed, connection, transaction);
    }

    /// <summary>Like the other, as part of a transaction.</summary>
    public bool Clear(SqliteConnection connection, SqliteTransaction transaction, string kind, string subject)
    {
        if (Find(connection, transaction, kind, subject) is not { } known) return false;
        var now = _time.GetUtcNow();
        var cleared = known with { Updated = now, Cleared = now };
        using var update = Command(connection, transaction, "UPDATE alarm SET updated = $now, cleared = $now WHERE kind = $kind AND subject = $subject AND cleared IS NULL", cleared);
        update.ExecuteNonQuery();
        Told?.Invoke(AlarmChange.Cleared, cleared, connection, transaction);
        return true;
    }

    static Alarm? Find(SqliteConnection connection, SqliteTransaction transaction, string kind, string subject)
    {
        using var command = ControlDatabase.Command(connection, $"SELECT {Columns} FROM alarm WHERE kind = $kind AND subject = $subject AND cleared IS NULL", ("$kind", kind), ("$subject", subject));
        command.Transaction = transaction;
        using var rows = command.ExecuteReader();
        return rows.Read() ? Row(rows) : null;
    }

    List<Alarm> List(string where, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, $"SELECT {Columns} FROM alarm WHERE {where}", parameters);
        using var rows = command.ExecuteReader();
        var alarms = new List<Alarm>();
        while (rows.Read()) alarms.Add(Row(rows));
        return alarms;
    }

    static SqliteCommand Command(SqliteConnection connection, SqliteTransaction transaction, string sql, Alarm alarm)
    {
        var command = ControlDatabase.Command(connection, sql, ("$kind", alarm.Kind), ("$subject", alarm.Subject), ("$severity", alarm.Severity), ("$text", alarm.Text),
            ("$evidence", JsonSerializer.Serialize(alarm.Evidence, AlarmJson.Default.IReadOnlyListAlarmFact)), ("$now", alarm.Updated.ToUnixTimeMilliseconds()));
        command.Transaction = transaction;
        return command;
    }

    static Alarm Row(SqliteDataReader rows) => new(rows.GetString(1), rows.GetString(2))
    {
        Number = rows.GetInt64(0),
        Severity = rows.GetString(3),
        Text = rows.GetString(4),
        Evidence = JsonSerializer.Deserialize(rows.GetString(5), AlarmJson.Default.IReadOnlyListAlarmFact) ?? [],
        Opened = DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(6)),
        Updated = DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(7)),
        Cleared = rows.IsDBNull(8) ? null : DateTimeOffset.FromUnixTimeMilliseconds(rows.GetInt64(8)),
    };
}

[JsonSerializable(typeof(IReadOnlyList<AlarmFact>))]
[JsonSerializable(typeof(IReadOnlyList<string>))]
[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower)]
sealed partial class AlarmJson : JsonSerializerContext;
