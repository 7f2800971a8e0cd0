using Logwarden.Data;
using Microsoft.Data.Sqlite;

namespace Logwarden.Watchers;

/// <summary>What the watch knows, in the control database: one row a source, what changes every five minutes apart from what changes every hour. Thread-safe.</summary>
sealed class WatchStore
{
    const byte Version = 1;

    readonly ControlDatabase _database;

    public WatchStore(ControlDatabase database)
    {
        _database = database;
        database.Migrate("source-watch",
        [
            """
            CREATE TABLE source_watch (source TEXT PRIMARY KEY, now BLOB NOT NULL, rhythm BLOB NOT NULL) STRICT;
            CREATE TABLE source_watch_state (only INTEGER PRIMARY KEY CHECK (only = 1), began INTEGER NOT NULL, position INTEGER NOT NULL, stepped INTEGER NOT NULL) STRICT;
            """,
        ]);
    }

    /// <summary>When the watch began, the offset behind the last event seen, when it was last saved; made when there is none.</summary>
    public (long Began, long Position, long Stepped) State(long now, long position)
    {
        using var connection = _database.Connect();
        using var insert = ControlDatabase.Command(
            connection, "INSERT INTO source_watch_state VALUES (1, $now, $position, $now) ON CONFLICT DO NOTHING", ("$now", now), ("$position", position));
        insert.ExecuteNonQuery();
        using var command = ControlDatabase.Command(connection, "SELECT began, position, stepped FROM source_watch_state");
        using var rows = command.ExecuteReader();
        rows.Read();
        return (rows.GetInt64(0), rows.GetInt64(1), rows.GetInt64(2));
    }

    /// <summary>All sources.</summary>
    /// <param name="make">Makes a source that knows nothing.</param>
    /// <param name="unreadable">Those whose rows can't be read; they begin anew.</param>
    public IReadOnlyList<SourceEntry> Load(Func<string, SourceEntry> make, ICollection<string> unreadable)
    {
        using var connection = _database.Connect();
        using var command = ControlDatabase.Command(connection, "SELECT source, now, rhythm FROM source_watch");
        using var rows = command.ExecuteReader();
        var entries = new List<SourceEntry>();
        while (rows.Read())
        {
            var entry = make(rows.GetString(0));
            try
            {
                using var now = new BinaryReader(new MemoryStream(rows.GetFieldValue<byte[]>(1)));
                using var rhythm = new BinaryReader(new MemoryStream(rows.GetFieldValue<byte[]>(2)));
                if (now.ReadByte() != Version || rhythm.ReadByte() != Version) throw new InvalidDataException("another version");
                entry.Track.Read(rhythm, now);
                entry.IsSaved = true;
            }
            catch (Exception bad) when (bad is InvalidDataException or EndOfStreamException or FormatException or OverflowException)
            {
                unreadable.Add(entry.Name);
                entry = make(entry.Name);
            }
            entries.Add(entry);
        }
        return entries;
    }

    public static void Save(SqliteConnection connection, SqliteTransaction transaction, SourceEntry entry)
    {
        using var now = new MemoryStream();
        using var output = new BinaryWriter(now);
        output.Write(Version);
        entry.Track.WriteNow(output);
        if (entry.IsSaved && !entry.Track.IsRhythmChanged)
        {
            Run(connection, transaction, "UPDATE source_watch SET now = $now WHERE source = $source", ("$source", entry.Name), ("$now", now.ToArray()));
            return;
        }
        using var whole = new MemoryStream();
        using var rhythm = new BinaryWriter(whole);
        rhythm.Write(Version);
        entry.Track.WriteRhythm(rhythm);
        Run(connection, transaction, "INSERT INTO source_watch VALUES ($source, $now, $rhythm) ON CONFLICT DO UPDATE SET now = excluded.now, rhythm = excluded.rhythm",
            ("$source", entry.Name), ("$now", now.ToArray()), ("$rhythm", whole.ToArray()));
        entry.IsSaved = true;
    }

    public static void Save(SqliteConnection connection, SqliteTransaction transaction, long position, long stepped) => Run(connection, transaction,
        "UPDATE source_watch_state SET position = $position, stepped = $stepped", ("$position", position), ("$stepped", stepped));

    public static void Forget(SqliteConnection connection, SqliteTransaction transaction, string source) =>
        Run(connection, transaction, "DELETE FROM source_watch WHERE source = $source", ("$source", source));

    static void Run(SqliteConnection connection, SqliteTransaction transaction, string sql, params ReadOnlySpan<(string, object?)> parameters)
    {
        using var command = ControlDatabase.Command(connection, sql, parameters);
        command.Transaction = transaction;
        command.ExecuteNonQuery();
    }
}
