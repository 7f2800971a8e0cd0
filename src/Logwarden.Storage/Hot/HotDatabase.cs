using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using DuckDB.NET.Data;

namespace Logwarden.Hot;

/// <summary>Bounds of the database behind queries.</summary>
public sealed record HotDatabaseOptions
{
    /// <summary>Bytes that all queries and the tail may use together. Default 1 GiB.</summary>
    public long MemoryBytesMax { get; init; } = 1L << 30;

    /// <summary>Threads that queries may use. Default: one per processor.</summary>
    public int Threads { get; init; } = Environment.ProcessorCount;
}

/// <summary>
/// One DuckDB instance in memory, closed to everything but the segments: no other file, no network, no extension, no change of a setting,
/// no spilling to disk. What SQL may say on top of that is checked by <see cref="Query.SqlSandbox"/>. Thread-safe.
/// </summary>
sealed class HotDatabase : IDisposable
{
    readonly Lock _gate = new();
    readonly DuckDBConnection _root;

    public HotDatabase(string segmentsDirectory, HotDatabaseOptions options)
    {
        _root = new DuckDBConnection("DataSource=:memory:");
        _root.Open();
        EventFunction.Register(_root);
        using var command = Command(_root, string.Create(CultureInfo.InvariantCulture, $"""
            SET memory_limit = '{options.MemoryBytesMax}B';
            SET threads = {options.Threads};
            SET temp_directory = '';
            SET autoinstall_known_extensions = false;
            SET autoload_known_extensions = false;
            SET allow_community_extensions = false;
            SET GLOBAL TimeZone = 'UTC';
            SET parquet_metadata_cache = true;
            SET preserve_insertion_order = false;
            SET allowed_directories = [{Literal(segmentsDirectory + Path.DirectorySeparatorChar)}];
            SET enable_external_access = false;
            SET lock_configuration = true;
            """));
        command.ExecuteNonQuery();
    }

    /// <summary>A further connection to the same instance.</summary>
    public DuckDBConnection Connect()
    {
        lock (_gate)
        {
            var connection = _root.Duplicate();
            connection.Open();
            return connection;
        }
    }

    /// <summary>A statement. All SQL that is run comes through here: our own, with texts of users as parameters or literals, and theirs once the sandbox let it through.</summary>
    [SuppressMessage("Security", "CA2100", Justification = "What users write is checked by SqlSandbox; the rest is ours.")]
    public static DuckDBCommand Command(DuckDBConnection connection, string sql)
    {
        var command = connection.CreateCommand();
        command.CommandText = sql;
        return command;
    }

    /// <summary>A text as a literal of SQL.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    public void Dispose() => _root.Dispose();
}
