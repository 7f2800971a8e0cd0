using System.Text.Json;
using Logwarden.Data;
using Logwarden.Events;
using Microsoft.Data.Sqlite;

namespace Logwarden.Watchers;

/// <summary>Gap records in the control database. Thread-safe.</summary>
sealed class GapStore
{
    const string Columns = "number, source, verdict, from_us, to_us, detail, clauses, classes, rules, late, last_late_us";

    readonly ControlDatabase _database;

    public GapStore(ControlDatabase database)
    {
        _database = database;
        database.Migrate("gaps",
        [
            """
            CREATE TABLE source_gap (number INTEGER PRIMARY KEY AUTOINCREMENT, source TEXT NOT NULL, verdict INTEGER NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER, detail TEXT NOT NULL,
                clauses TEXT NOT NULL, classes TEXT NOT NULL, rules TEXT NOT NULL, late INTEGER NOT NULL DEFAULT 0, late_told INTEGER NOT NULL DEFAULT 0, last_late_us INTEGER) STRICT;
            CREATE INDEX source_gap_source ON source_gap (source, number);
            """,
        ]);
    }

    /// <summary>Writes a gap down.</summary>
    /// <returns>Its number.</returns>
    public static long Add(SqliteConnection connection, SqliteTransaction transaction, string source, Verdict verdict, long from, long? to, string detail, BlastRadius radius)
    {
        using var command = ControlDatabase.Command(connection,
            "INSERT INTO source_gap (source, verdict, from_us, to_us, detail, clauses, classes, rules) VALUES ($source, $verdict, $from, $to, $detail, $clauses, $classes, $rules) RETURNING number",
            ("$source", source), ("$verdict", (int)verdict), ("$from", from), ("$to", to), ("$detail", detail), ("$clauses", Text(radius.Clauses)), ("$classes", Text(radius.Classes)),
            ("$rules", Text(radius.Rules)));
        command.Transaction = transaction;
        return (long)command.ExecuteScalar()!;
    }

    /// <summary>The gap of a source that is open has ended.</summary>
    public static void End(SqliteConnection connection, SqliteTransaction transaction, string source, long to)
    {
        using var command = ControlDatabase.Command(connection, "UPDATE source_gap SET to_us = max($to, from_us) WHERE source = $source AND to_us IS NULL", ("$source", source), ("$to", to));
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    /// <summary>Events of a gap have arrived late.</summary>
    public static void Late(SqliteConnection connection, SqliteTransaction transaction, long number, long count, long last)
    {
        using var command = ControlDatabase.Command(
            connection, "UPDATE source_gap SET late = late + $count, last_late_us = $last WHERE number = $number", ("$number", number), ("$count", count), ("$last", last));
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    /// <summary>Whoever has to know of the late events knows.</summary>
    public void LateTold(GapRecord gap)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "UPDATE source_gap SET late_told = $late WHERE number = $number", ("$number", gap.Number), ("$late", gap.Late));
        command.ExecuteNonQuery();
    }

    /// <summary>Gaps that ended after a time or go on, oldest first.</summary>
    public IReadOnlyList<GapRecord> List(long since) => Records("to_us IS NULL OR to_us >= $since ORDER BY number", ("$since", since));

    /// <summary>Gaps with late events that were not told, the last of which arrived before a time.</summary>
    public IReadOnlyList<GapRecord> ToTell(long lastBefore) => Records("late > late_told AND last_late_us <= $last ORDER BY number", ("$last", lastBefore));

    List<GapRecord> Records(string where, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, $"SELECT {Columns} FROM source_gap WHERE {where}", parameters);
        using var rows = command.ExecuteReader();
        var gaps = new List<GapRecord>();
        while (rows.Read())
        {
            gaps.Add(new(rows.GetInt64(0), rows.GetString(1), (Verdict)rows.GetInt32(2), UnixMicros.ToInstant(rows.GetInt64(3)), rows.IsDBNull(4) ? null : UnixMicros.ToInstant(rows.GetInt64(4)))
            {
                Detail = rows.GetString(5),
                Radius = new(Texts(rows.GetString(6)), Texts(rows.GetString(7)), Texts(rows.GetString(8))),
                Late = rows.GetInt64(9),
                LastLate = rows.IsDBNull(10) ? null : UnixMicros.ToInstant(rows.GetInt64(10)),
            });
        }
        return gaps;
    }

    static string Text(IReadOnlyList<string> list) => JsonSerializer.Serialize(list, AlarmJson.Default.IReadOnlyListString);

    static IReadOnlyList<string> Texts(string json) => JsonSerializer.Deserialize(json, AlarmJson.Default.IReadOnlyListString) ?? [];
}
