using Logwarden.Archive;

namespace Logwarden.Verify;

/// <summary>
/// Verifies an archive from its objects and a public key alone. Nothing that it reads is trusted before it is signed by a given key or
/// named, by hash, in something that is.
/// <para>
/// First the chain of seal records is read, then the archive is listed, then each seal is gone through: every segment is hashed and read, every
/// leaf recomputed, and from them every tile, root and checkpoint; every offset of its journal range must be there once. Seals that
/// are written meanwhile are verified too. A segment that is gone is gone as required only when a deletion record says so and its retention was over. What is wrong is named; it never stops at the first finding, and one cause is as far as possible one finding.
/// </para>
/// <para>Memory: a bit per offset of one seal, the names of segments and seals, one row group and the tiles of one segment.</para>
/// </summary>
public sealed class Verifier
{
    readonly IBlobStore _store;
    readonly VerifyOptions _options;
    readonly DateTimeOffset _now;
    readonly Action<VerifyProgress> _progress;
    readonly VerifyState _state;
    readonly VersionedReader _reader;
    readonly Inventory _inventory = new();
    readonly OffsetLedger _offsets;
    readonly DeletionTrail _deletions;
    readonly TileQueue _tiles;
    readonly SortedDictionary<string, TreeCheck> _trees = new(StringComparer.Ordinal);
    readonly KnownNotes _known;
    readonly SortedSet<long> _signed = [];
    readonly SortedDictionary<long, List<BlobVersion>> _unread = [];
    string? _origin;
    SealRecord? _lastRecord;
    string? _lastHash = "";
    long _next;
    long _sealedTo;

    Verifier(IBlobStore store, VerifyOptions options, TimeProvider time, Action<VerifyProgress> progress)
    {
        (_store, _options, _progress, _now, _origin) = (store, options, progress, time.GetUtcNow(), options.Origin);
        _state = new(options.FindingsMax);
        _reader = new(store, _state);
        _offsets = new(_state);
        _deletions = new(store, _reader, _state, _inventory, options.Keys, _now);
        _tiles = new(options.ConcurrentReads, _now);
        _known = new(options, _state);
    }

    /// <summary>Verifies an archive.</summary>
    /// <param name="store">The archive; only read.</param>
    /// <param name="options">Keys and what is known of it.</param>
    /// <param name="time">Locks that have ended by its time may be gone.</param>
    /// <param name="progress">Called every few thousand events, on the verifying thread.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="BlobStoreException">The store cannot be read at all.</exception>
    public static async ValueTask<VerifyReport> Run(
        IBlobStore store, VerifyOptions options, TimeProvider time, Action<VerifyProgress> progress, CancellationToken cancel) =>
        await new Verifier(store, options, time, progress).Run(cancel);

    async ValueTask<VerifyReport> Run(CancellationToken cancel)
    {
        await NameSealed(cancel);
        await _deletions.Read(cancel);
        await _inventory.List(_store, _reader, cancel);
        await CheckSeals(cancel);
        // Sealed while we were reading: what looked unexpected may be theirs.
        while (await NameSealed(cancel)) await CheckSeals(cancel);
        await CheckLive(cancel);
        if (_signed.Count == 0)
        {
            _state.Add(FindingCode.NothingSealed, ArchiveLayout.Seals, "There is no seal in it that the given key signed: nothing of it could be verified.",
                "Check that this is the place, prefix included, that `serve` and `ingest` archive to. If it is, nothing was sealed yet, or all seals were removed.");
        }
        foreach (var number in _unread.Keys.Where(number => number >= _next)) await ReportInvalid(ArchiveLayout.Seal(number), cancel);
        await _deletions.Read(cancel);
        _deletions.ReportUnknown();
        foreach (var version in _inventory.Unexpected())
        {
            if (version.IsDeleteMarker) continue;
            _state.Add(FindingCode.ObjectUnexpected, version.Key, $"No seal names it; it is of {version.Modified:u} and has {version.Length} bytes.",
                Advice.Resume + " Otherwise somebody put it there.");
        }
        await _tiles.Drain();
        _known.Compare(_lastRecord);
        return new()
        {
            Findings = _state.Findings,
            FindingsTotal = _state.FindingsTotal,
            Origin = _origin,
            Seals = _state.Seals,
            Segments = _state.Segments,
            SegmentsExpired = _state.SegmentsExpired,
            SegmentsUndeleted = _state.SegmentsUndeleted,
            Deletions = _state.Deletions,
            Events = _state.Events,
            Tiles = _state.Tiles,
            Checkpoints = _state.Checkpoints,
            Locks = _state.Locks,
            Bytes = _state.Bytes,
            SealedTo = _lastRecord?.Header.To ?? 0,
            Trees = _lastRecord?.Trees ?? [],
        };
    }

    /// <summary>Reads the records of seals that were not known yet.</summary>
    /// <returns>Whether there were any.</returns>
    async ValueTask<bool> NameSealed(CancellationToken cancel)
    {
        var fresh = new SortedDictionary<long, List<BlobVersion>>();
        await foreach (var version in _store.List(ArchiveLayout.Seals, cancel))
        {
            if (ArchiveLayout.SealNumber(version.Key) is not { } number || _signed.Contains(number)) continue;
            if (!fresh.TryGetValue(number, out var versions)) fresh.Add(number, versions = []);
            versions.Add(version);
        }
        var before = _signed.Count;
        foreach (var (number, versions) in fresh)
        {
            // What was no seal can be one now: the sealer lays its own over what somebody put there.
            if (_unread.TryGetValue(number, out var known) && known.SequenceEqual(versions)) continue;
            // What was laid over a seal must not hide it: everything else is judged by it.
            _reader.Note(ArchiveLayout.Seal(number), versions);
            if (await Open(number, cancel) is not { } opened)
            {
                _unread[number] = versions;
                continue;
            }
            _unread.Remove(number);
            _signed.Add(number);
            _known.Saw(opened.Seal);
            _inventory.Name(ArchiveLayout.Seal(number), opened.Seal.Record);
            _sealedTo = Math.Max(_sealedTo, opened.Seal.Record.Header.To);
        }
        return _signed.Count > before;
    }

    /// <summary>
    /// Goes on to the newest seal. How far they reach is taken from those that are signed: an object with any number in its name is quickly put there.
    /// </summary>
    async ValueTask CheckSeals(CancellationToken cancel)
    {
        foreach (var number in _signed.Where(number => number >= _next).ToArray())
        {
            foreach (var unread in _unread.Keys.Where(unread => unread >= _next && unread < number).ToArray())
            {
                Missing(_next, unread - 1);
                await ReportInvalid(ArchiveLayout.Seal(unread), cancel);
                Gap();
                _next = unread + 1;
            }
            Missing(_next, number - 1);
            await CheckSeal(number, cancel);
            _next = number + 1;
        }
    }

    void Missing(long from, long to)
    {
        if (from > to) return;
        _state.Add(FindingCode.SealMissing, ArchiveLayout.Seal(from), from == to ? "It is not there, but later seals are." : $"Seals {from} to {to} are not there, but later ones are.", Advice.Restore);
        Gap();
    }

    void Gap()
    {
        _offsets.Gap();
        _lastHash = null;
    }

    async ValueTask CheckSeal(long number, CancellationToken cancel)
    {
        var key = ArchiveLayout.Seal(number);
        if (await Open(number, cancel) is not { } opened)
        {
            await ReportInvalid(key, cancel);
            Gap();
            return;
        }
        var record = opened.Seal.Record;
        _state.Seals++;
        if (opened.Right.Count == 0) _state.Add(FindingCode.SealInvalid, key, Notes.Added, Advice.Restore);
        CheckChain(key, record);
        await _reader.CheckLock(key, opened.Right, record.Header.Mode, record.Header.RetainUntil, _now, cancel);
        _offsets.Begin(record.Header, key);
        var segments = new SegmentCheck(
            _reader, _state, _inventory.PathOfHash, _offsets, _deletions, record.Header, _now, what => _progress(new(_state.Events, _sealedTo, what)));
        foreach (var segment in record.Segments)
        {
            await segments.Check(segment, TreeOf(segment.Class), cancel);
            await TreeOf(segment.Class).CompareFull(record.Tree(segment.Class), cancel);
        }
        foreach (var tree in record.Trees)
        {
            await TreeOf(tree.Class).FillTo(tree.Size, cancel);
            await TreeOf(tree.Class).CompareFull(tree, cancel);
            var isNew = (_lastRecord?.Tree(tree.Class).Size ?? 0) != tree.Size;
            await TreeOf(tree.Class).CompareSeal(key, record.Header.Origin, tree, _options.Keys, _now, isNew, cancel);
        }
        _offsets.End(record);
        (_lastRecord, _lastHash) = (record, opened.Seal.Sha256);
    }

    void CheckChain(string key, SealRecord record)
    {
        var header = record.Header;
        _origin ??= header.Origin;
        if (!string.Equals(header.Origin, _origin, StringComparison.Ordinal)) Broken($"It is of the installation {header.Origin}, not {_origin}.");
        if (_lastHash is not null && !string.Equals(header.Previous, _lastHash, StringComparison.Ordinal)) Broken("It does not name the hash of the seal before it.");
        if (_lastHash is not null && header.From != (_lastRecord?.Header.To ?? 0))
            Broken($"It begins with journal offset {header.From}; the seal before it ended at {_lastRecord?.Header.To ?? 0}.");
        if (header.To - header.From != record.Segments.Sum(segment => (long)segment.Rows))
            Broken($"It is of {header.To - header.From} journal offsets, but its segments have {record.Segments.Sum(segment => (long)segment.Rows)} rows.");
        foreach (var tree in _lastRecord?.Trees ?? [])
            if (record.Tree(tree.Class).Size is var size && size < tree.Size) Broken($"It says that {tree.Class} has {size} leaves; the seal before it had {tree.Size}.");
        foreach (var segment in record.Segments)
        {
            if (record.Tree(segment.Class).Size < segment.FirstLeaf + segment.Rows)
                Broken($"It says that {segment.Class} has {record.Tree(segment.Class).Size} leaves, but {segment.Path} goes to {segment.FirstLeaf + segment.Rows}.");
        }

        void Broken(string what) => _state.Add(FindingCode.SealChainBroken, key, what, Advice.Investigate);
    }

    /// <summary>A seal, and the versions that hold exactly its bytes; none, when signatures were added to all of them.</summary>
    async ValueTask<(Seal Seal, IReadOnlyList<string?> Right)?> Open(long number, CancellationToken cancel)
    {
        byte[]? first = null;
        // Two notes that are both signed and both of this number cannot both be the seal.
        bool IsRight(byte[] bytes) => Notes.HasOneSignature(bytes) && OpenAs(bytes, number, out _) is not null && (first ??= bytes).AsSpan().SequenceEqual(bytes);

        if (await _reader.FetchBytes(ArchiveLayout.Seal(number), IsRight, cancel) is not { } found) return null;
        return OpenAs(found.Bytes, number, out _) is { } seal ? (seal, found.Right) : null;
    }

    // A copy of another seal is signed too, and is no seal where it lies.
    Seal? OpenAs(byte[] note, long number, out string reason)
    {
        var seal = Seal.TryOpen(note, _options.Keys, out reason);
        if (seal is null || seal.Record.Header.Number == number) return seal;
        reason = $"it is that of number {seal.Record.Header.Number}";
        return null;
    }

    async ValueTask ReportInvalid(string key, CancellationToken cancel)
    {
        if (await _reader.FetchBytes(key, _ => true, cancel) is { } found)
        {
            OpenAs(found.Bytes, ArchiveLayout.SealNumber(key) ?? -1, out var reason);
            _state.Add(FindingCode.SealInvalid, key, $"It is not a seal signed by the given key: {reason}.", Advice.Restore);
        }
        else
        {
            _state.Add(FindingCode.SealMissing, key, "It is not there.", Advice.Restore);
        }
    }

    /// <summary>What is not locked, which each new seal replaces: if one came between, it is looked at again.</summary>
    async ValueTask CheckLive(CancellationToken cancel)
    {
        while (true)
        {
            var found = new VerifyState(_options.FindingsMax);
            foreach (var tree in _lastRecord?.Trees ?? [])
            {
                await TreeOf(tree.Class).CompareLive(_lastRecord!.Header.Origin, tree, _options.Keys, found, cancel);
                await TreeOf(tree.Class).ComparePartial(found, cancel);
            }
            if (found.FindingsTotal == 0 || !await NameSealed(cancel))
            {
                _state.Take(found);
                return;
            }
            await CheckSeals(cancel);
        }
    }

    TreeCheck TreeOf(string @class)
    {
        if (_trees.TryGetValue(@class, out var tree)) return tree;
        return _trees[@class] = new(
            @class, _store, _reader, _state, _tiles, _known.RootsOf(ArchiveLayout.Origin(_origin ?? "", @class)), () => _inventory.SizeOf(@class),
            leaf => _deletions.Leaf(@class, leaf));
    }
}
