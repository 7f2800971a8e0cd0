using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Journal;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Archive;

/// <summary>
/// Cuts the journal into seals and puts them into the archive. One per installation.
/// <para>
/// A seal takes the events of a journal range [from, to), where from is the to of the seal before. Events are grouped by class and UTC date of
/// event time, sorted by event time, and get the next leaf indexes of their class. What is in memory is bounded: when it grows too
/// large the largest group is cut into a segment, so a class and date may have several in one seal.
/// </para>
/// <para>
/// <b>Invariants.</b> An object below a locked prefix is put once and never differs between two puts. A seal record names only objects that
/// are in the archive when it is. Seal numbers, journal ranges and leaf indexes have no gaps. The live checkpoint is never newer than the newest
/// seal. Local state never claims more than the archive has.
/// </para>
/// <para>
/// <b>The steps</b>, and what a crash after each leaves:
/// </para>
/// <list type="number">
/// <item>Segment files are written and synced in <c>state/sealing/</c>. <i>Crash:</i> nothing was promised; the folder is emptied and the
/// range is sealed anew (perhaps a longer one).</item>
/// <item>The plan (signed seal record and checkpoints) replaces <c>state/seal-plan.json</c>, durably. <i>Crash from here on:</i> the plan is carried
/// out from step 3 by the same code; trees are brought to its state by hashing the rows of its segment files again.</item>
/// <item>Segment files move to <c>hot/segments/…</c>, durably. <i>Crash:</i> those not moved yet are still in <c>state/sealing/</c>.</item>
/// <item>Put, locked: segments, then full tiles, then checkpoints, then the seal record. <i>Crash:</i> a repeated put of the same bytes changes
/// nothing. Until the record is there a verifier sees objects that no seal names, and says so.</item>
/// <item>Put, unlocked: partial tiles, then live checkpoints. <i>Crash:</i> the live checkpoint is one seal behind the newest record; a verifier says so.</item>
/// <item>The seal record replaces <c>state/sealed.note</c>, durably. <i>Crash:</i> recovery sees that the plan is done.</item>
/// <item>The plan is deleted; partial tiles of the size before are deleted (a leftover one harms nobody).</item>
/// </list>
/// <para>If <c>state/</c> is lost, the newest seal in the archive is taken up. If the archive's newest seal is older than or other than
/// <c>state/sealed.note</c>, the sealer refuses to go on: somebody rolled the archive back. What others put under the key of the next seal is left as it is
/// and stops nothing: our seal lies over it. Not thread-safe.</para>
/// </summary>
public sealed partial class Sealer : IDisposable
{
    readonly SealerOptions _options;
    readonly IBlobStore _store;
    readonly SigningKey _key;
    readonly TimeProvider _time;
    readonly EventMemory _memory = new();
    readonly SegmentWriter _writer;
    readonly Dictionary<string, TileWriter> _trees = new(StringComparer.Ordinal);
    Seal? _last;
    SealMarks? _marks;
    bool _isReady;

    Sealer(SealerOptions options, IBlobStore store, SigningKey key, TimeProvider time)
    {
        (_options, _store, _key, _time) = (options, store, key, time);
        _writer = new(options.CompressionLevel);
    }

    /// <summary>Offset behind the last sealed event: where the next seal begins.</summary>
    public long SealedTo => _last?.Record.Header.To ?? 0;

    /// <summary>The last seal; null before the first.</summary>
    public Seal? Last => _last;

    /// <summary>What <see cref="Last"/> found of the legal holds; null when it was not made and finished in one go, so that its segments are to be looked at for it.</summary>
    public SealMarks? LastMarks => _isReady ? _marks : null;

    /// <summary>Opens the sealer of a data directory and carries out what a crash left undone.</summary>
    /// <exception cref="ArchiveRolledBackException">The archive is not the one that was written.</exception>
    /// <exception cref="IOException">The disk or the archive failed; open again later.</exception>
    public static async ValueTask<Sealer> Open(
        SealerOptions options, IBlobStore store, SigningKey key, TimeProvider time, CancellationToken cancel)
    {
        var sealer = new Sealer(options, store, key, time);
        try
        {
            await sealer.Recover(cancel);
            return sealer;
        }
        catch
        {
            sealer.Dispose();
            throw;
        }
    }

    /// <summary>Seals the events from <see cref="SealedTo"/> on.</summary>
    /// <param name="events">Encoded events from offset <see cref="SealedTo"/> on, in order; read up to <paramref name="to"/> at most.</param>
    /// <param name="to">Offset behind the last one.</param>
    /// <param name="ledger">Ledger of the journal; goes into the seal when it is of exactly this offset.</param>
    /// <param name="cancel">Gives up; what was begun is finished by the next call.</param>
    /// <returns>The seal, which may end before <paramref name="to"/>; null when there was nothing to seal.</returns>
    /// <exception cref="IOException">The disk or the archive failed. Calling again first finishes what was begun.</exception>
    public async ValueTask<Seal?> SealEvents(IEnumerable<ReadOnlyMemory<byte>> events, long to, LedgerSnapshot? ledger, CancellationToken cancel)
    {
        if (!_isReady)
        {
            // The events belong behind what the interrupted seal took, which may have been finished only now.
            var before = SealedTo;
            await Recover(cancel);
            if (SealedTo != before) return _last;
        }
        ArgumentOutOfRangeException.ThrowIfLessThan(to, SealedTo);
        if (to == SealedTo) return null;
        _isReady = false;
        var plan = Stage(events, to, ledger, cancel);
        var seal = await CarryOut(plan, cancel);
        _isReady = true;
        return seal;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _writer.Dispose();
        _memory.Dispose();
    }

    async ValueTask Recover(CancellationToken cancel)
    {
        (_isReady, _marks) = (false, null);
        Directory.CreateDirectory(_options.StagingDirectory);
        Directory.CreateDirectory(_options.HotDirectory);
        var plan = File.Exists(_options.PlanPath) ? SealPlan.Parse(await File.ReadAllBytesAsync(_options.PlanPath, cancel)) : null;
        var planned = plan is null ? null : Seal.TryOpen(Encoding.UTF8.GetBytes(plan.Note), [_key.Verifier], out _)
            ?? throw new InvalidDataException($"{_options.PlanPath} is not a plan that this installation signed.");
        _last = await Newest(planned?.Record.Header, cancel);
        await LoadTrees(cancel);
        if (planned is not null && planned.Record.Header.Number == SealNumber)
        {
            await Replay(planned.Record, cancel);
            await CarryOut(plan!, cancel);
        }
        else
        {
            if (planned is not null) _options.Step(SealStep.DeletePlan, () => Delete(_options.PlanPath));
            await RefreshLive(cancel);
        }
        foreach (var file in Directory.GetFiles(_options.StagingDirectory)) File.Delete(file);
        _isReady = true;
    }

    long SealNumber => NumberBehind(_last);

    // The newest finished seal, by the local state and by the archive. Only the archive may be ahead, and only where it continues what we
    // know. A planned seal may be in the archive already; it is finished only when the local state says so.
    async ValueTask<Seal?> Newest(SealHeader? planned, CancellationToken cancel)
    {
        var local = await ReadLocal(cancel);
        var newest = local;
        while (NumberBehind(newest) != planned?.Number)
        {
            var (number, before) = (NumberBehind(newest), newest?.Sha256 ?? "");
            var next = await _store.ReadRight(ArchiveLayout.Seal(number), note => Ours(note, number) is { } ours && ours.Record.Header.Continues(before) ? ours : null, cancel);
            if (next is null)
            {
                await CheckEnd(newest, isLocal: newest is not null && ReferenceEquals(newest, local), cancel);
                break;
            }
            newest = next;
        }
        if (planned is not null && (planned.Number > NumberBehind(newest) || (planned.Number == NumberBehind(newest) && !planned.Continues(newest?.Sha256 ?? ""))))
            throw new ArchiveRolledBackException($"{_store.Location}: the seal that {_options.PlanPath} continues is not there. Run `logwarden verify`; seal nothing until it is clear why.");
        return newest;
    }

    async ValueTask<Seal?> ReadLocal(CancellationToken cancel)
    {
        if (!File.Exists(_options.SealedPath)) return null;
        var note = await File.ReadAllBytesAsync(_options.SealedPath, cancel);
        var seal = Seal.TryOpen(note, [_key.Verifier], out var reason) ?? throw new InvalidDataException($"{_options.SealedPath}: {reason}");
        var key = ArchiveLayout.Seal(seal.Record.Header.Number);
        if (await _store.ReadRight(key, theirs => theirs.AsSpan().SequenceEqual(note) ? theirs : null, cancel) is not null) return seal;
        throw new ArchiveRolledBackException(
            $"{_store.Location}: {key} is not there as this installation wrote it. Run `logwarden verify`; seal nothing until it is clear why.");
    }

    /// <summary>
    /// Behind the newest seal there must be none of ours: one put in its place would contradict it. What else lies there is somebody's junk, which stops
    /// nothing, unless it could be a seal of ours after all: damaged where there is one version only, or signed with a key that was lost.
    /// </summary>
    async ValueTask CheckEnd(Seal? newest, bool isLocal, CancellationToken cancel)
    {
        var next = NumberBehind(newest);
        await foreach (var version in SealsFrom(next, cancel))
        {
            if (version.IsDeleteMarker || ArchiveLayout.SealNumber(version.Key) is not { } number || number < next) continue;
            if (await _store.ReadSmall(version.Key, version.VersionId, cancel) is { } note && Ours(note, number) is not null)
            {
                throw new ArchiveRolledBackException(
                    $"{_store.Location}: {version.Key} is of this installation, but does not continue {(newest is null ? "anything" : ArchiveLayout.Seal(next - 1))}. Run `logwarden verify`; seal nothing until it is clear why.");
            }
            if (newest is null)
                throw new ArchiveRolledBackException($"{_store.Location}: {version.Key} is not signed by this installation: it is the archive of another one, or the key in keys/log.key is not that of this one");
            if (number == next && version.VersionId is null && !isLocal)
                throw new ArchiveRolledBackException($"{_store.Location}: {version.Key} is no seal that can be read, and state/sealed.note does not tell whether it was one. Restore it from a copy, or move it away if it never was.");
        }
    }

    // As far as lists by prefix reach with a call or two: at least a thousand numbers.
    async IAsyncEnumerable<BlobVersion> SealsFrom(long number, [EnumeratorCancellation] CancellationToken cancel)
    {
        foreach (var prefix in (string[])[ArchiveLayout.ThousandSeals(number), ArchiveLayout.ThousandSeals(number + 1000)])
        {
            await foreach (var version in _store.List(prefix, cancel)) yield return version;
        }
    }

    /// <summary>A note that this installation signed as the seal of this number; null for any other, such as an older seal that somebody copied there.</summary>
    Seal? Ours(byte[] note, long number) => Seal.TryOpen(note, [_key.Verifier], out _) is { } seal && seal.Record.Header.Number == number ? seal : null;

    static long NumberBehind(Seal? seal) => seal is null ? 0 : seal.Record.Header.Number + 1;

    async ValueTask LoadTrees(CancellationToken cancel)
    {
        _trees.Clear();
        if (_last is null) return;
        var history = new SealHistory(_store, [_key.Verifier], _last);
        foreach (var tree in _last.Record.Trees)
        {
            var (tiles, nowhere) = (new ArchiveTiles(_store, tree.Class), new Dictionary<string, string>(StringComparer.Ordinal));
            try
            {
                _trees[tree.Class] = await TileWriter.Resume(tree.Size, RootOf(tree), tiles.Source(history, nowhere), cancel);
            }
            catch (TileException)
            {
                // What is not locked may be anybody's.
                _trees[tree.Class] = await TileWriter.Resume(tree.Size, RootOf(tree), tiles.LockedSource(history, nowhere), cancel);
            }
        }
    }

    // Brings the trees from the last seal to the planned one, from the planned segment files.
    async ValueTask Replay(SealRecord planned, CancellationToken cancel)
    {
        foreach (var segment in planned.Segments)
        {
            cancel.ThrowIfCancellationRequested();
            var path = File.Exists(Staged(segment)) ? Staged(segment) : Hot(segment);
            await using (var file = File.OpenRead(path))
            {
                var hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(file, cancel));
                if (!string.Equals(hash, segment.Sha256, StringComparison.Ordinal)) throw new InvalidDataException($"{path} is not the file that was planned.");
            }
            using var reader = SegmentReader.Open(path);
            var tree = TreeOf(segment.Class);
            while (reader.Next()) tree.Append(MerkleTree.Leaf(reader.Event));
            if (reader.Error is { } error) throw new InvalidDataException($"{path}: {error}");
        }
        foreach (var tree in planned.Trees)
        {
            if (TreeOf(tree.Class).Size != tree.Size || TreeOf(tree.Class).Root() != RootOf(tree))
                throw new InvalidDataException($"The planned segments of {tree.Class} do not give the planned tree.");
        }
    }

    TileWriter TreeOf(string @class)
    {
        if (!_trees.TryGetValue(@class, out var tree)) _trees[@class] = tree = new();
        return tree;
    }

    string Staged(SealedSegment segment) => Path.Combine(_options.StagingDirectory, segment.Path.Replace('/', '+'));

    string Hot(SealedSegment segment) => Path.Combine(_options.HotDirectory, segment.Path);

    static TreeHash RootOf(SealedTree tree) =>
        TreeHash.TryParse(tree.Root, out var root) ? root : throw new InvalidDataException($"`{tree.Root}` is no root.");

    static void Delete(string path)
    {
        File.Delete(path);
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
    }
}
