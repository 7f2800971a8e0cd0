using System.Buffers;
using System.Text;
using System.Text.Json;
using Logwarden.Events;
using Microsoft.Data.Sqlite;

namespace Logwarden.Data;

/// <summary>Something that this installation did or found, to be kept in its own log like any other audit event (LOG-3, PRO-1).</summary>
/// <param name="Action">What, as <c>noun.verb</c>, such as <c>destination.disable</c>.</param>
/// <param name="Object">To what, such as the destination's name.</param>
public sealed record OwnEvent(string Action, string Object)
{
    /// <summary>Kind of object. <c>setting</c> makes the event one of LOG-3: what it tells changed how is logged, kept or guarded.</summary>
    public string ObjectType { get; init; } = "setting";

    /// <summary>Who: a person, a token's name, or <c>logwarden</c> itself.</summary>
    public string User { get; init; } = "logwarden";

    /// <summary>From where; null is this machine.</summary>
    public string? Ip { get; init; }

    /// <summary><c>success</c> or <c>failure</c>.</summary>
    public string Status { get; init; } = "success";

    /// <summary>Severity as in <c>app</c> events: <c>info</c>, <c>warning</c>, <c>error</c>, <c>fatal</c>.</summary>
    public string Severity { get; init; } = "info";

    /// <summary>One sentence for people; null when the action says it all.</summary>
    public string? Message { get; init; }

    /// <summary>What else is to be known.</summary>
    public IReadOnlyList<(string Name, string? Value)> Details { get; init; } = [];
}

/// <summary>
/// Own events on their way into the journal. Writing one is durable at once and can be part of the transaction that it tells of; the process that has the
/// journal open takes them over, in order, each once. So a command beside a running server leaves its trace too. Thread-safe.
/// </summary>
public sealed class OwnEvents
{
    /// <summary>Source that they are stored under.</summary>
    public const string Source = "logwarden";

    readonly ControlDatabase _database;
    readonly TimeProvider _time;

    /// <summary>Those of an installation.</summary>
    public OwnEvents(ControlDatabase database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        database.Migrate("own-events", ["CREATE TABLE own_event (number INTEGER PRIMARY KEY AUTOINCREMENT, record BLOB NOT NULL) STRICT"]);
    }

    /// <summary>Keeps one.</summary>
    public void Write(OwnEvent e)
    {
        using var connection = _database.Connect();
        Write(connection, null, e);
    }

    /// <summary>Keeps one as part of a transaction: it is told when and only when the transaction is committed.</summary>
    public void Write(SqliteConnection connection, SqliteTransaction? transaction, OwnEvent e)
    {
        using var command = ControlDatabase.Command(connection, "INSERT INTO own_event (record) VALUES ($record)", ("$record", Encode(e)));
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }

    /// <summary>Those that are not in the journal yet, oldest first: records of format <c>app</c>, each with an id of its own.</summary>
    /// <param name="max">How many at most.</param>
    public IReadOnlyList<(long Number, byte[] Record)> Waiting(int max)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT number, record FROM own_event ORDER BY number LIMIT $max", ("$max", max));
        using var rows = command.ExecuteReader();
        var waiting = new List<(long, byte[])>();
        while (rows.Read()) waiting.Add((rows.GetInt64(0), rows.GetFieldValue<byte[]>(1)));
        return waiting;
    }

    /// <summary>Forgets those up to a number: they are durable in the journal.</summary>
    public void Taken(long upTo)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "DELETE FROM own_event WHERE number <= $number", ("$number", upTo));
        command.ExecuteNonQuery();
    }

    byte[] Encode(OwnEvent e)
    {
        var now = _time.GetUtcNow();
        var output = new ArrayBufferWriter<byte>(512);
        using (var json = new Utf8JsonWriter(output))
        {
            json.WriteStartObject();
            json.WriteString("id", Guid.CreateVersion7(now).ToString());
            json.WriteString("time", EventJson.Micros(UnixMicros.Now(_time)));
            json.WriteString("user", e.User);
            json.WriteString("ip", e.Ip ?? "127.0.0.1");
            json.WriteString("action", e.Action);
            json.WriteString("object", e.Object);
            json.WriteString("object_type", e.ObjectType);
            json.WriteString("status", e.Status);
            json.WriteString("severity", e.Severity);
            if (e.Message is not null) json.WriteString("message", e.Message);
            json.WriteStartObject("details");
            foreach (var (name, value) in e.Details)
            {
                if (value is not null) json.WriteString(name, value);
            }
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return output.WrittenSpan.ToArray();
    }

    /// <summary>The user of this machine who gives a command.</summary>
    public static string LocalUser => "local:" + Environment.UserName;

    /// <summary>A record as text, for messages and tests.</summary>
    public static string Text(byte[] record) => Encoding.UTF8.GetString(record);
}
