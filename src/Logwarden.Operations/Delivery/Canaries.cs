using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Journal;
using Microsoft.Data.Sqlite;

namespace Logwarden.Delivery;

/// <summary>What the events of a source look like to routes: a canary of this shape takes the same way.</summary>
/// <param name="Source">Source.</param>
/// <param name="Class">Class.</param>
/// <param name="Format">Input format.</param>
/// <param name="Provider">OCSF <c>cloud.provider</c>; empty when the events have none.</param>
public sealed record CanaryShape(string Source, string Class, string Format, string Provider);

/// <summary>How the canaries of one source fare at one destination.</summary>
/// <param name="Source">Source.</param>
/// <param name="Destination">Destination.</param>
/// <param name="Sent">When the last one was sent.</param>
/// <param name="Confirmed">When the last one that came back came back; null when none did.</param>
/// <param name="Latency">From its sending to its coming back.</param>
/// <param name="WaitingSince">When the oldest that did not come back yet was sent; null when all are back.</param>
public sealed record CanaryPath(string Source, string Destination, DateTimeOffset Sent, DateTimeOffset? Confirmed, TimeSpan? Latency, DateTimeOffset? WaitingSince);

/// <summary>
/// Positive proof that each way from a source to a destination works (PRO-4): events of our own, of the shape of each source's events, that go through the journal like them and
/// are looked for at the other end. What can't be read back is confirmed by the far side's acknowledgement. A canary is told by its id, <c>canary-UUID</c>, and by the label
/// <c>logwarden.canary</c>. Thread-safe.
/// </summary>
public sealed class Canaries
{
    /// <summary>How often a canary of each shape is sent.</summary>
    public static readonly TimeSpan Every = TimeSpan.FromMinutes(5);

    static readonly TimeSpan KeptFor = TimeSpan.FromDays(7);
    static readonly TimeSpan ShapeLives = TimeSpan.FromDays(30);

    readonly ControlDatabase _database;
    readonly TimeProvider _time;
    readonly Lock _gate = new();
    readonly Dictionary<CanaryShape, DateTimeOffset> _shapes = [];
    readonly Dictionary<int, uint> _looked = [];

    /// <summary>Those of an installation.</summary>
    public Canaries(ControlDatabase database, TimeProvider time)
    {
        (_database, _time) = (database, time);
        database.Migrate("canaries",
        [
            """
            CREATE TABLE canary_shape (source TEXT NOT NULL, class TEXT NOT NULL, format TEXT NOT NULL, provider TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY (source, class, format, provider)) STRICT;
            CREATE TABLE canary (
                id TEXT NOT NULL, destination TEXT NOT NULL, source TEXT NOT NULL, class TEXT NOT NULL, sent INTEGER NOT NULL, arrived INTEGER, confirmed INTEGER,
                PRIMARY KEY (id, destination)) STRICT;
            CREATE INDEX canary_open ON canary (destination) WHERE confirmed IS NULL;
            """,
        ]);
        using var connection = database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT source, class, format, provider, seen FROM canary_shape");
        using var rows = command.ExecuteReader();
        while (rows.Read()) _shapes[new(rows.GetString(0), rows.GetString(1), rows.GetString(2), rows.GetString(3))] = Instant(rows.GetInt64(4));
    }

    /// <summary>Whether an id is that of a canary.</summary>
    public static bool IsCanary(ReadOnlySpan<byte> id) => id.StartsWith("canary-"u8);

    /// <summary>Learns the shapes of a source's events. Cheap enough for every event: most are not looked into.</summary>
    public void Observe(in StoredEvent e)
    {
        if (IsCanary(e.Id)) return;
        lock (_gate)
        {
            // One event in a thousand of those that look alike without looking into their JSON, and the first.
            var hash = new HashCode();
            hash.AddBytes(e.Source);
            hash.AddBytes(e.Class);
            hash.AddBytes(e.Format);
            ref var looked = ref CollectionsMarshal.GetValueRefOrAddDefault(_looked, hash.ToHashCode(), out _);
            if (unchecked(looked++) % 1_000 != 0) return;
            var shape = new CanaryShape(Text(e.Source), Text(e.Class), Text(e.Format), Provider(e.Json));
            var now = _time.GetUtcNow();
            if (_shapes.TryGetValue(shape, out var seen) && now - seen < TimeSpan.FromHours(1)) return;
            _shapes[shape] = now;
            using var connection = _database.Connect();
            Run(connection, null, "INSERT INTO canary_shape VALUES ($source, $class, $format, $provider, $now) ON CONFLICT DO UPDATE SET seen = excluded.seen",
                ("$source", shape.Source), ("$class", shape.Class), ("$format", shape.Format), ("$provider", shape.Provider), ("$now", now.ToUnixTimeMilliseconds()));
        }
    }

    /// <summary>Shapes of the last thirty days.</summary>
    public IReadOnlyList<CanaryShape> Shapes
    {
        get
        {
            var now = _time.GetUtcNow();
            lock (_gate) return [.. _shapes.Where(shape => now - shape.Value < ShapeLives).Select(shape => shape.Key)];
        }
    }

    /// <summary>Makes a canary and notes where it is expected. To be appended by the caller; if that fails it is overdue in time, and rightly so.</summary>
    /// <param name="shape">Its shape.</param>
    /// <param name="expected">Tells of a destination whether it gets an event; asked for each of <paramref name="destinations"/>.</param>
    /// <param name="destinations">Names of all destinations.</param>
    public AppendBatch Make(CanaryShape shape, Func<string, ReadOnlyMemory<byte>, bool> expected, IReadOnlyList<string> destinations)
    {
        var now = _time.GetUtcNow();
        var id = "canary-" + Guid.CreateVersion7(now);
        var batch = new AppendBatch { Source = shape.Source };
        Encode(shape, id, now, batch.Bytes);
        batch.Entries.Add(new(0, batch.Bytes.WrittenCount, UInt128.Zero, null));
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        foreach (var destination in destinations)
        {
            if (!expected(destination, batch.Bytes.WrittenMemory)) continue;
            Run(connection, transaction, "INSERT INTO canary (id, destination, source, class, sent) VALUES ($id, $destination, $source, $class, $now)",
                ("$id", id), ("$destination", destination), ("$source", shape.Source), ("$class", shape.Class), ("$now", now.ToUnixTimeMilliseconds()));
        }
        Run(connection, transaction, "DELETE FROM canary WHERE sent < $old", ("$old", (now - KeptFor).ToUnixTimeMilliseconds()));
        transaction.Commit();
        return batch;
    }

    /// <summary>Notes the canaries among events that a destination has acknowledged.</summary>
    public void Settled(string destination, EventBatch batch, Func<int, bool> isDelivered)
    {
        for (var i = 0; i < batch.Count; i++)
        {
            if (IsCanary(batch.Event(i).Id) && isDelivered(i)) Arrived(destination, Text(batch.Event(i).Id));
        }
    }

    /// <summary>The far side has acknowledged a canary.</summary>
    public void Arrived(string destination, string id)
    {
        using var connection = _database.Connect();
        Run(connection, null, "UPDATE canary SET arrived = $now WHERE id = $id AND destination = $destination AND arrived IS NULL", ("$now", Now), ("$id", id), ("$destination", destination));
    }

    /// <summary>A canary was found at the far side, or its acknowledgement is all the proof there is.</summary>
    /// <param name="destination">Destination.</param>
    /// <param name="ids">Which.</param>
    /// <param name="isRead">Whether they were read back; otherwise they count from their acknowledgement.</param>
    public void Confirm(string destination, IEnumerable<string> ids, bool isRead)
    {
        using var connection = _database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        foreach (var id in ids)
        {
            Run(connection, transaction, "UPDATE canary SET confirmed = CASE WHEN $read THEN $now ELSE arrived END WHERE id = $id AND destination = $destination AND confirmed IS NULL",
                ("$read", isRead), ("$now", Now), ("$id", id), ("$destination", destination));
        }
        transaction.Commit();
    }

    /// <summary>Canaries that a destination has acknowledged and that were not found there yet, newest first.</summary>
    public IReadOnlyList<SentEvent> Unconfirmed(string destination, int max)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "SELECT id, sent, class, source FROM canary WHERE destination = $destination AND confirmed IS NULL AND arrived IS NOT NULL ORDER BY sent DESC LIMIT $max",
            ("$destination", destination), ("$max", max));
        return Read(command, rows => new SentEvent(rows.GetString(0), rows.GetInt64(1) * 1000, rows.GetString(2), rows.GetString(3)));
    }

    /// <summary>Canaries on their way to a destination, that it did not acknowledge yet.</summary>
    public IReadOnlyList<SentEvent> UnderWay(string destination)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection, "SELECT id, sent, class, source FROM canary WHERE destination = $destination AND confirmed IS NULL AND arrived IS NULL ORDER BY sent", ("$destination", destination));
        return Read(command, rows => new SentEvent(rows.GetString(0), rows.GetInt64(1) * 1000, rows.GetString(2), rows.GetString(3)));
    }

    /// <summary>How each way from a source to a destination fares.</summary>
    public IReadOnlyList<CanaryPath> Paths()
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(
            connection,
            """
            SELECT source, destination, max(sent), max(confirmed), min(CASE WHEN confirmed IS NULL THEN sent END),
                (SELECT last.confirmed - last.sent FROM canary last WHERE last.source = canary.source AND last.destination = canary.destination AND last.confirmed IS NOT NULL ORDER BY last.sent DESC LIMIT 1)
            FROM canary GROUP BY source, destination ORDER BY source, destination
            """);
        return Read(command, rows => new CanaryPath(
            rows.GetString(0), rows.GetString(1), Instant(rows.GetInt64(2)), rows.IsDBNull(3) ? null : Instant(rows.GetInt64(3)),
            rows.IsDBNull(5) ? null : TimeSpan.FromMilliseconds(rows.GetInt64(5)), rows.IsDBNull(4) ? null : Instant(rows.GetInt64(4))));
    }

    /// <summary>Forgets the canaries to a destination that is no more.</summary>
    public void Forget(string destination)
    {
        using var connection = _database.Connect();
        Run(connection, null, "DELETE FROM canary WHERE destination = $destination", ("$destination", destination));
    }

    /// <summary>A canary: an OCSF base event (class 0) with the source's format, class and cloud.</summary>
    static void Encode(CanaryShape shape, string id, DateTimeOffset now, IBufferWriter<byte> output)
    {
        var json = new ArrayBufferWriter<byte>(512);
        using (var writer = new Utf8JsonWriter(json))
        {
            writer.WriteStartObject();
            writer.WriteNumber("class_uid", 0);
            writer.WriteNumber("category_uid", 0);
            writer.WriteNumber("activity_id", Ocsf.Other);
            writer.WriteString("activity_name", "Canary");
            writer.WriteNumber("type_uid", Ocsf.Other);
            writer.WriteNumber("severity_id", 1);
            writer.WriteNumber("time", now.ToUnixTimeMilliseconds());
            writer.WriteString("message", "Canary of source " + shape.Source + ": it shows that the way from there works.");
            if (shape.Provider.Length > 0)
            {
                writer.WriteStartObject("cloud");
                writer.WriteString("provider", shape.Provider);
                writer.WriteEndObject();
            }
            writer.WriteStartObject("metadata");
            writer.WriteString("version", "1.8.0");
            writer.WriteString("uid", id);
            writer.WriteStartArray("labels");
            writer.WriteStringValue("logwarden.canary");
            writer.WriteEndArray();
            writer.WriteStartObject("product");
            writer.WriteString("name", "Logwarden");
            writer.WriteString("vendor_name", "Logwarden");
            writer.WriteEndObject();
            writer.WriteEndObject();
            writer.WriteEndObject();
        }
        var micros = UnixMicros.Of(now);
        EventEncoding.Write(output, new StoredEvent
        {
            TimeMicros = micros,
            IngestedMicros = micros,
            ActivityId = Ocsf.Other,
            SeverityId = 1,
            Id = Encoding.UTF8.GetBytes(id),
            Class = Encoding.UTF8.GetBytes(shape.Class),
            Source = Encoding.UTF8.GetBytes(shape.Source),
            Format = Encoding.UTF8.GetBytes(shape.Format),
            User = new("logwarden"u8),
            Action = new("canary.send"u8),
            Object = new(Encoding.UTF8.GetBytes(shape.Source)),
            Missing = MissingFields.Ip,
            Redactions = default,
            Json = json.WrittenSpan,
        });
    }

    /// <summary><c>cloud.provider</c> of an event; empty when it has none.</summary>
    static string Provider(ReadOnlySpan<byte> json)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return "";
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isCloud = reader.ValueTextEquals("cloud"u8);
            reader.Read();
            if (!isCloud || reader.TokenType != JsonTokenType.StartObject)
            {
                reader.Skip();
                continue;
            }
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var isProvider = reader.ValueTextEquals("provider"u8);
                reader.Read();
                if (isProvider && reader.TokenType == JsonTokenType.String) return reader.GetString() ?? "";
                reader.Skip();
            }
            return "";
        }
        return "";
    }

    long Now => _time.GetUtcNow().ToUnixTimeMilliseconds();

    static DateTimeOffset Instant(long millis) => DateTimeOffset.FromUnixTimeMilliseconds(millis);

    static string Text(ReadOnlySpan<byte> utf8) => Encoding.UTF8.GetString(utf8);

    static List<T> Read<T>(SqliteCommand command, Func<SqliteDataReader, T> row)
    {
        using var rows = command.ExecuteReader();
        var all = new List<T>();
        while (rows.Read()) all.Add(row(rows));
        return all;
    }

    static void Run(SqliteConnection connection, SqliteTransaction? transaction, string sql, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }
}
