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
    readonly DuckDBConnection _root;

    public HotDatabase(string segmentsDirectory, HotDatabaseOptions options)
    {
        _root = new DuckDBConnection("DataSource=:memory:");
        _root.Open();
        using var command = _root.CreateCommand();
        command.CommandText = string.Create(CultureInfo.InvariantCulture, $"""
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
            """);
        command.ExecuteNonQuery();
    }

    /// <summary>A further connection to the same instance.</summary>
    public DuckDBConnection Connect()
    {
        lock (_root)
        {
            var connection = _root.Duplicate();
            connection.Open();
            return connection;
        }
    }

    /// <summary>A text as a literal of SQL.</summary>
    public static string Literal(string text) => $"'{text.Replace("'", "''", StringComparison.Ordinal)}'";

    public void Dispose() => _root.Dispose();
}
