using System.Globalization;
using Logwarden.Journal;
using Microsoft.Data.Sqlite;

namespace Logwarden.Data;

/// <summary>
/// What an installation knows besides its logs, in <c>DATA/state/control.db</c> (SQLite): where destinations are, dead letters, alarms, holds. A commit is on disk
/// when it returns (write-ahead log, full synchronisation). Several processes may use it at once: the command line beside a server. Thread-safe.
/// </summary>
public sealed class ControlDatabase
{
    readonly string _connection;

    ControlDatabase(string path)
    {
        Path = path;
        _connection = new SqliteConnectionStringBuilder { DataSource = path, Mode = SqliteOpenMode.ReadWriteCreate, Pooling = true, DefaultTimeout = 30 }.ToString();
    }

    /// <summary>Its file.</summary>
    public string Path { get; }

    /// <summary>Opens the database of a data folder, and makes it when there is none.</summary>
    /// <exception cref="IOException">It can't be opened, or is none; the message says what to do.</exception>
    public static ControlDatabase Open(string dataFolder)
    {
        var path = System.IO.Path.Combine(dataFolder, "state", "control.db");
        DurableFile.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        var database = new ControlDatabase(path);
        try
        {
            using var connection = database.Connect();
            Execute(connection, "PRAGMA journal_mode = WAL");
            Execute(connection, "CREATE TABLE IF NOT EXISTS migration (part TEXT NOT NULL, step INTEGER NOT NULL, PRIMARY KEY (part, step)) STRICT");
        }
        catch (SqliteException bad)
        {
            throw new IOException($"{path}: {bad.Message} Put back a copy of it, or move it away: destinations then begin anew with the oldest events kept.", bad);
        }
        return database;
    }

    /// <summary>A connection, to be disposed; opening one costs microseconds.</summary>
    public SqliteConnection Connect()
    {
        var connection = new SqliteConnection(_connection);
        connection.Open();
        Execute(connection, "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 30000");
        return connection;
    }

    /// <summary>Brings the tables of one part of the program to their newest form.</summary>
    /// <param name="part">Name of the part.</param>
    /// <param name="steps">SQL of each step since the first version; a step never changes once it has shipped.</param>
    public void Migrate(string part, IReadOnlyList<string> steps)
    {
        using var connection = Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        for (var step = 0; step < steps.Count; step++)
        {
            using var known = Command(connection, "SELECT count(*) FROM migration WHERE part = $part AND step = $step", ("$part", part), ("$step", step));
            if (Convert.ToInt64(known.ExecuteScalar(), CultureInfo.InvariantCulture) != 0) continue;
            Execute(connection, steps[step]);
            using var note = Command(connection, "INSERT INTO migration (part, step) VALUES ($part, $step)", ("$part", part), ("$step", step));
            note.ExecuteNonQuery();
        }
        transaction.Commit();
    }

    /// <summary>A command with its parameters; null is SQL's null.</summary>
    public static SqliteCommand Command(SqliteConnection connection, string sql, params ReadOnlySpan<(string Name, object? Value)> parameters)
    {
        var command = connection.CreateCommand();
#pragma warning disable CA2100 // the SQL is ours; values are parameters
        command.CommandText = sql;
#pragma warning restore CA2100
        foreach (var (name, value) in parameters) command.Parameters.AddWithValue(name, value ?? DBNull.Value);
        return command;
    }

    static void Execute(SqliteConnection connection, string sql)
    {
        using var command = Command(connection, sql);
        command.ExecuteNonQuery();
    }
}
