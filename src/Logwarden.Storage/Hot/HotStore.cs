using System.Collections.Immutable;
using DuckDB.NET.Data;
using Logwarden.Journal;

namespace Logwarden.Hot;

/// <summary>Where the hot store is, and its bounds.</summary>
public sealed record HotStoreOptions
{
    /// <summary>The installation's data directory; segments lie in <c>hot/segments</c> in it.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>Journal cursor of who makes segments: everything below it is in segments. Default <c>sealer</c>.</summary>
    public string SealerCursor { get; init; } = "sealer";

    /// <summary>Bounds of the database.</summary>
    public HotDatabaseOptions Database { get; init; } = new();

    internal string SegmentsDirectory => Path.Combine(Path.GetFullPath(DataDirectory), "hot", "segments");
}

/// <summary>
/// Everything that can be queried: the segments of the hot folder, and the tail of the journal that is not sealed yet. An event is in one of
/// the two, never in both and never in none (see <see cref="Open"/>). Works beside the process that writes both. Thread-safe.
/// </summary>
sealed class HotStore : IDisposable
{
    const int Attempts = 5;
    readonly Lock _gate = new();
    readonly HotDatabase _database;
    readonly HotCatalog _catalog;
    readonly TailTable _tail;
    readonly Stack<DuckDBConnection> _idle = new();
    bool _disposed;

    public HotStore(HotStoreOptions options, TimeProvider time)
    {
        _database = new(options.SegmentsDirectory, options.Database);
        _catalog = new(options.SegmentsDirectory);
        _tail = new(_database, options, time);
    }

    /// <summary>
    /// What there is now. The order makes it whole: first the segments are listed, then the journal is read. What is sealed between the two is
    /// still in the journal, or the journal says that it was released, and both are read again. What is in a listed segment leaves
    /// the tail by its offset, so no agreement with the sealer is needed but that a segment appears whole.
    /// </summary>
    /// <exception cref="IOException">The folder or the journal can't be read.</exception>
    public HotSnapshot Open()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            for (var attempt = 1; ; attempt++)
            {
                _tail.Leave(_catalog.Refresh());
                try
                {
                    _tail.Load(_catalog.Segments);
                    break;
                }
                catch (JournalReleasedException) when (attempt < Attempts)
                {
                    _tail.Restart();
                }
            }
            var connection = _idle.Count > 0 ? _idle.Pop() : _database.Connect();
            return new(this, connection, _catalog.Segments, _tail.Name, _tail.Rows);
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            if (_disposed) return;
            _disposed = true;
            while (_idle.TryPop(out var connection)) connection.Dispose();
            _tail.Dispose();
            _database.Dispose();
        }
    }

    internal void Return(DuckDBConnection connection)
    {
        lock (_gate)
        {
            if (_disposed) connection.Dispose();
            else _idle.Push(connection);
        }
    }
}

/// <summary>The hot store at one moment, for one query at a time. Disposing gives the connection back.</summary>
sealed class HotSnapshot : IDisposable
{
    readonly HotStore _store;
    readonly DuckDBTransaction _transaction;

    internal HotSnapshot(HotStore store, DuckDBConnection connection, ImmutableArray<HotSegment> segments, string tail, long tailRows)
    {
        (_store, Connection, Segments, Tail, TailRows) = (store, connection, segments, tail, tailRows);
        _transaction = connection.BeginTransaction();
        // The transaction sees what is there at its first look, so it looks now.
        using var look = HotDatabase.Command(connection, $"SELECT count(*) FROM {tail}");
        look.ExecuteScalar();
    }

    public DuckDBConnection Connection { get; }

    public ImmutableArray<HotSegment> Segments { get; }

    /// <summary>Name of the table with the tail.</summary>
    public string Tail { get; }

    public long TailRows { get; }

    public void Dispose()
    {
        _transaction.Dispose();
        _store.Return(Connection);
    }
}
