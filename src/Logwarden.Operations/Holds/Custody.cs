using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Proof.Notes;
using Logwarden.Restore;

namespace Logwarden.Holds;

/// <summary>What an installation knows of its sealed segments: which there are, which are held, which were restored. Start reading here.</summary>
public sealed class Custody
{
    readonly string _dataFolder;
    readonly TimeProvider _time;

    /// <summary>That of a data folder.</summary>
    public Custody(string dataFolder, ControlDatabase database, OwnEvents events, TimeProvider time)
    {
        (_dataFolder, _time, Database, Events) = (dataFolder, time, database, events);
        Catalog = new(database);
        Holds = new(database, events, time);
        Restores = new(database, events, time);
    }

    /// <summary>Opens the database of a data folder too.</summary>
    /// <exception cref="IOException">It can't be opened.</exception>
    public static Custody Open(string dataFolder, TimeProvider time)
    {
        var database = ControlDatabase.Open(dataFolder);
        return new(dataFolder, database, new(database, time), time);
    }

    /// <summary>The database.</summary>
    public ControlDatabase Database { get; }

    /// <summary>Events of the installation itself.</summary>
    public OwnEvents Events { get; }

    /// <summary>All sealed segments.</summary>
    public SegmentCatalog Catalog { get; }

    /// <summary>The legal holds.</summary>
    public HoldRegistry Holds { get; }

    /// <summary>What was brought back from the archive.</summary>
    public RestoreRegistry Restores { get; }

    /// <summary>Who puts the holds on and takes them off.</summary>
    public HoldKeeper Keeper(IBlobStore store, IReadOnlyList<VerifierKey> keys) => Keeper(new() { DataFolder = _dataFolder, Store = store, Keys = keys });

    /// <summary>As the other.</summary>
    public HoldKeeper Keeper(HoldKeeperOptions options) => new(options, Database, Catalog, Holds, Events, _time);

    /// <summary>Who brings segments back.</summary>
    public SegmentRestore Restore(IBlobStore store) => new(_dataFolder, store, Catalog, Restores, _time);
}
