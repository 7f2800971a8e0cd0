using System.Globalization;
using Logwarden.Archive;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Journal;
using Logwarden.Proof.Notes;

namespace Logwarden.Holds;

/// <summary>How far the keeper is.</summary>
/// <param name="What">What it does.</param>
/// <param name="Done">Seals or objects done.</param>
/// <param name="Total">Of how many; 0 when that is not known.</param>
/// <param name="Fetched">Bytes that were fetched from the archive to look into.</param>
public readonly record struct HoldProgress(string What, long Done, long Total, long Fetched);

/// <summary>Something that is not as a hold wants it.</summary>
/// <param name="Path">Object.</param>
/// <param name="What">What is wrong, and what was done.</param>
public sealed record HoldFinding(string Path, string What);

/// <summary>The steps that a crash can come between.</summary>
enum HoldStep
{
    /// <summary>It is noted that an object is to be held.</summary>
    Planned,

    /// <summary>The store has the hold.</summary>
    PutOn,

    /// <summary>It is noted that the hold is on.</summary>
    Noted,

    /// <summary>It is noted that a seal was looked at.</summary>
    Scanned,

    /// <summary>The store's hold is off.</summary>
    TakenOff,

    /// <summary>It is noted that the object is not held any more.</summary>
    Forgotten,
}

/// <summary>Where the holds are to be kept.</summary>
public sealed record HoldKeeperOptions
{
    /// <summary>The installation's folder.</summary>
    public required string DataFolder { get; init; }

    /// <summary>The archive.</summary>
    public required IBlobStore Store { get; init; }

    /// <summary>Keys that sign its seals.</summary>
    public required IReadOnlyList<VerifierKey> Keys { get; init; }

    /// <summary>Called after each step; tests break the process here.</summary>
    internal Action<HoldStep>? Probe { get; init; }
}

/// <summary>
/// Puts holds on what was sealed before they came into force, takes those that were released off, and sees to it that they stay on. One at a time works on an installation.
/// <para>
/// A hold is in force for what is sealed from the moment on that it stands in the registry; a seal that was under way then does not have it. So each hold knows the newest seal that
/// it was looked for in, and every newer one is looked at, until there is none: whichever way a segment came, it is either sealed under the hold or looked at for it.
/// </para>
/// <para>
/// An object is noted before the hold is put on it, and forgotten after it is taken off: what a crash leaves is done again, and does nothing the second time. A hold is taken off an object
/// only when no other one in force is on it, nor may get onto it and was not looked for in it yet.
/// </para>
/// </summary>
public sealed class HoldKeeper
{
    const int SealsPerNote = 64;

    readonly HoldKeeperOptions _options;
    readonly ControlDatabase _database;
    readonly SegmentCatalog _catalog;
    readonly HoldRegistry _registry;
    readonly OwnEvents _events;
    readonly HoldScan _scan;
    readonly HeldObjects _objects;

    internal HoldKeeper(HoldKeeperOptions options, ControlDatabase database, SegmentCatalog catalog, HoldRegistry registry, OwnEvents events, TimeProvider time)
    {
        (_options, _database, _catalog, _registry, _events) = (options, database, catalog, registry, events);
        _scan = new(Path.Combine(options.DataFolder, "hot"), options.Store);
        _objects = new(options.Store, time);
        _time = time;
    }

    readonly TimeProvider _time;

    /// <summary>Does all that there is to do.</summary>
    /// <returns>False when another process is at it.</returns>
    /// <exception cref="IOException">The archive or the disk failed; the next call goes on where it was.</exception>
    public async Task<bool> WorkAsync(Action<HoldProgress>? progress, CancellationToken cancel)
    {
        using var alone = ProcessLock.TryTake(LockPath);
        if (alone is null) return false;
        await _catalog.CatchUpAsync(_options.Store, _options.Keys, number => progress?.Invoke(new("reading seals", number, 0, 0)), cancel);
        while (_registry.HasWork())
        {
            // Those in force first: what they hold stays when another one is taken off.
            foreach (var hold in _registry.Active()) await PutOnAsync(hold, progress, cancel);
            await TakeOffAsync(progress, cancel);
        }
        return true;
    }

    /// <summary>Looks whether each object is held as it is to be.</summary>
    /// <param name="repair">Whether to put a hold on again where somebody took it off, and to tell it in the log.</param>
    /// <param name="progress">Told how far it is.</param>
    /// <param name="cancel">Gives up.</param>
    /// <returns>What is not as it is to be.</returns>
    /// <exception cref="IOException">The archive or the disk failed.</exception>
    public async Task<IReadOnlyList<HoldFinding>> CheckAsync(bool repair, Action<HoldProgress>? progress, CancellationToken cancel)
    {
        using var alone = repair ? ProcessLock.TryTake(LockPath) : null;
        if (repair && alone is null) return [];
        var findings = new List<HoldFinding>();
        var paths = _registry.Paths("SELECT DISTINCT path FROM hold_object JOIN hold ON id = hold WHERE released IS NULL AND state <> 0 ORDER BY path");
        for (var i = 0; i < paths.Count; i++)
        {
            progress?.Invoke(new("checking holds", i, paths.Count, 0));
            var path = paths[i];
            if (_catalog.Find(path) is not { } segment) continue;
            switch (await _objects.IsOnAsync(segment.Sealed, cancel))
            {
                case null:
                    findings.Add(new(path, "It is not in the archive, though a legal hold is on it. Run `logwarden verify`, and restore it from a copy."));
                    if (repair) Miss(path);
                    break;
                case false when repair:
                    await _objects.SetAsync(segment.Sealed, on: true, cancel);
                    SetState(path, HoldState.On);
                    findings.Add(new(path, "Its legal hold had been taken off behind our back; it is on again."));
                    Tell("hold.put-back", path, "A legal hold had been taken off an object of the archive behind Logwarden's back; it is on again.");
                    break;
                case false:
                    findings.Add(new(path, "Its legal hold was taken off behind our back. `logwarden hold apply` puts it on again; find out who did it."));
                    break;
                default:
                    if (repair) Found(path);
                    break;
            }
        }
        return findings;
    }

    string LockPath => Path.Combine(_options.DataFolder, "state", "holds");

    async Task PutOnAsync(Hold hold, Action<HoldProgress>? progress, CancellationToken cancel)
    {
        var newest = _catalog.Newest;
        var (scope, matcher) = _registry.ScopeOf(hold);
        var noted = hold.ScannedTo;
        for (var seal = hold.ScannedTo + 1; seal <= newest; seal++)
        {
            cancel.ThrowIfCancellationRequested();
            progress?.Invoke(new(string.Create(CultureInfo.InvariantCulture, $"hold {hold.Id}"), seal, newest + 1, _scan.Fetched));
            var looked = false;
            foreach (var segment in _catalog.OfSeal(seal))
            {
                if (segment.IsExpired || !SegmentScope.MayMatch(scope, segment.Sealed)) continue;
                looked = true;
                await LookAsync(hold, segment, await _scan.LookAsync(segment.Sealed, matcher, cancel), cancel);
            }
            if (!looked && seal < newest && seal - noted < SealsPerNote) continue;
            noted = seal;
            Write(connection => HoldRows.Scanned(connection, null, hold.Id, seal), HoldStep.Scanned);
        }
        if (hold.Applied is null) _registry.Applied(hold, newest);
    }

    async ValueTask LookAsync(Hold hold, CatalogSegment segment, Look look, CancellationToken cancel)
    {
        var path = segment.Sealed.Path;
        if (look is Look.None) return;
        if (look is Look.Gone && segment.Sealed.RetainUntil <= _time.GetUtcNow().UtcDateTime)
        {
            _catalog.Expire(path);
            return;
        }
        Write(connection => HoldRows.Put(connection, null, hold.Id, path, HoldState.Planned), HoldStep.Planned);
        var isThere = look is not Look.Gone && await _objects.SetAsync(segment.Sealed, on: true, cancel);
        Step(HoldStep.PutOn);
        var state = !isThere ? HoldState.Missing : look is Look.Changed ? HoldState.Changed : HoldState.On;
        Write(connection => HoldRows.Put(connection, null, hold.Id, path, state), HoldStep.Noted);
        if (state is HoldState.Missing) Tell("hold.object-missing", path, "An object that a legal hold is to be put on is not in the archive, though its retention has not ended.");
        if (state is HoldState.Changed) Tell("hold.object-changed", path, "An object of the archive is not as it was sealed: whether it has events under legal hold can't be told, and it is held whole.");
    }

    async Task TakeOffAsync(Action<HoldProgress>? progress, CancellationToken cancel)
    {
        var paths = _registry.Paths("SELECT DISTINCT path FROM hold_object JOIN hold ON id = hold WHERE released IS NOT NULL ORDER BY path");
        var off = 0;
        for (var i = 0; i < paths.Count; i++)
        {
            cancel.ThrowIfCancellationRequested();
            progress?.Invoke(new("releasing", i, paths.Count, 0));
            var (path, segment) = (paths[i], _catalog.Find(paths[i]));
            var isOthers = _registry.Paths("SELECT path FROM hold_object JOIN hold ON id = hold WHERE path = $path AND released IS NULL LIMIT 1", ("$path", path)).Count > 0;
            // One that came meanwhile is looked for first.
            if (!isOthers && segment is not null && _registry.IsHeld(path)) continue;
            if (!isOthers && segment is not null && await _objects.SetAsync(segment.Sealed, on: false, cancel)) off++;
            Step(HoldStep.TakenOff);
            Write(connection =>
            {
                using var command = ControlDatabase.Command(connection, "DELETE FROM hold_object WHERE path = $path AND hold IN (SELECT id FROM hold WHERE released IS NOT NULL)", ("$path", path));
                command.ExecuteNonQuery();
            }, HoldStep.Forgotten);
        }
        if (paths.Count > 0) _events.Write(new("hold.lift", "legal-hold") { Severity = "warning", Message = $"What was released is off {Number(off)} objects of the archive; other holds are on {Number(paths.Count - off)} of those that it was on." });
    }

    void Miss(string path)
    {
        if (_registry.Paths("SELECT path FROM hold_object JOIN hold ON id = hold WHERE path = $path AND released IS NULL AND state <> 2 LIMIT 1", ("$path", path)).Count == 0) return;
        SetState(path, HoldState.Missing);
        Tell("hold.object-missing", path, "An object under legal hold is not in the archive any more.");
    }

    // It was missing, and was put back under its hold.
    void Found(string path)
    {
        if (_registry.Paths("SELECT path FROM hold_object JOIN hold ON id = hold WHERE path = $path AND released IS NULL AND state = 2 LIMIT 1", ("$path", path)).Count > 0) SetState(path, HoldState.On);
    }

    void SetState(string path, HoldState state) => Sqlite.Do(_database, connection =>
    {
        using var command = ControlDatabase.Command(
            connection, "UPDATE hold_object SET state = $state WHERE path = $path AND hold IN (SELECT id FROM hold WHERE released IS NULL)", ("$path", path), ("$state", (int)state));
        return command.ExecuteNonQuery();
    });

    void Tell(string action, string path, string what) => _events.Write(new(action, path) { Status = "failure", Severity = "error", Message = what });

    void Write(Action<Microsoft.Data.Sqlite.SqliteConnection> write, HoldStep step)
    {
        Sqlite.Do(_database, connection =>
        {
            write(connection);
            return true;
        });
        Step(step);
    }

    void Step(HoldStep step) => _options.Probe?.Invoke(step);

    static string Number(long number) => number.ToString(CultureInfo.InvariantCulture);
}
