using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>
/// Verifies an archive from its objects and a public key alone. Nothing that it reads is trusted before it is signed by a given key or
/// named, by hash, in something that is.
/// <para>
/// First the chain of seal records is read, then the archive is listed, then each seal is gone through: every segment is hashed and read, every
/// leaf recomputed, and from them every tile, root and checkpoint; every offset of its journal range must be there once. Seals that
/// are written meanwhile are verified too. What is wrong is named; it never stops at the first finding, and one cause is as far as possible one finding.
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
    readonly TileQueue _tiles;
    readonly SortedDictionary<string, TreeCheck> _trees = new(StringComparer.Ordinal);
    readonly Dictionary<string, Dictionary<long, TreeHash>> _known = new(StringComparer.Ordinal);
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
        _tiles = new(options.ConcurrentReads, _now);
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
        await _inventory.List(_store, _reader, cancel);
        await CheckSeals(cancel);
        // Sealed while we were reading: what looked unexpected may be theirs.
        while (await NameSealed(cancel)) await CheckSeals(cancel);
        foreach (var version in _inventory.Unexpected())
        {
            if (version.IsDeleteMarker) continue;
            _state.Add(FindingCode.ObjectUnexpected, version.Key, $"No seal names it; it is of {version.Modified:u} and has {version.Length} bytes.",
                Advice.Resume + " Otherwise somebody put it there.");
        }
        if (_lastRecord is not null) await CheckLive(_lastRecord, cancel);
        await _tiles.Drain();
        CheckKnown();
        return new()
        {
            Findings = _state.Findings,
            FindingsTotal = _state.FindingsTotal,
            Origin = _origin,
            Seals = _state.Seals,
            Segments = _state.Segments,
            SegmentsExpired = _state.SegmentsExpired,
            Events = _state.Events,
            Tiles = _state.Tiles,
            Checkpoints = _state.Checkpoints,
            Locks = _state.Locks,
            Bytes = _state.Bytes,
            SealedTo = _lastRecord?.Header.To ?? 0,
            Trees = _lastRecord?.Trees ?? [],
        };
    }

    readonly SortedSet<long> _numbers = [];

    /// <summary>Reads the records of seals that were not known yet.</summary>
    /// <returns>Whether there were any.</returns>
    async ValueTask<bool> NameSealed(CancellationToken cancel)
    {
        var fresh = new SortedDictionary<long, List<BlobVersion>>();
        await foreach (var version in _store.List(ArchiveLayout.Seals, cancel))
        {
            if (ArchiveLayout.SealNumber(version.Key) is not { } number || _numbers.Contains(number)) continue;
            if (!fresh.TryGetValue(number, out var versions)) fresh.Add(number, versions = []);
            versions.Add(version);
        }
        foreach (var (number, versions) in fresh)
        {
            _numbers.Add(number);
            // What was laid over a seal must not hide it: everything else is judged by it.
            _reader.Note(ArchiveLayout.Seal(number), versions);
            if (await Open(number, cancel) is not { } seal) continue;
            _inventory.Name(ArchiveLayout.Seal(number), seal.Seal.Record);
            _sealedTo = Math.Max(_sealedTo, seal.Seal.Record.Header.To);
        }
        return fresh.Count > 0;
    }

    async ValueTask CheckSeals(CancellationToken cancel)
    {
        foreach (var number in _numbers.GetViewBetween(_next, long.MaxValue).ToArray())
        {
            for (; _next < number; _next++) Missing(_next);
            await CheckSeal(number, cancel);
            _next = number + 1;
        }
    }

    void Missing(long number)
    {
        _state.Add(FindingCode.SealMissing, ArchiveLayout.Seal(number), "It is not there, but later seals are.", Advice.Restore);
        _offsets.Gap();
        _lastHash = null;
    }

    async ValueTask CheckSeal(long number, CancellationToken cancel)
    {
        var key = ArchiveLayout.Seal(number);
        if (await Open(number, cancel) is not { } opened)
        {
            await ReportInvalid(key, cancel);
            _offsets.Gap();
            _lastHash = null;
            return;
        }
        var record = opened.Seal.Record;
        _state.Seals++;
        CheckChain(key, number, record);
        await _reader.CheckLock(key, opened.Right, record.Header.Mode, record.Header.RetainUntil, _now, cancel);
        _offsets.Begin(record.Header, key);
        var segments = new SegmentCheck(
            _reader, _state, _inventory.PathOfHash, _offsets, _now, what => _progress(new(_state.Events, _sealedTo, what)));
        foreach (var segment in record.Segments)
        {
            var tree = record.Tree(segment.Class);
            await segments.Check(segment, TreeOf(segment.Class), tree.Size, cancel);
            await TreeOf(segment.Class).CompareFull(tree, cancel);
        }
        foreach (var tree in record.Trees)
        {
            await TreeOf(tree.Class).FillTo(tree.Size, tree.Size, cancel);
            await TreeOf(tree.Class).CompareFull(tree, cancel);
            var isNew = (_lastRecord?.Tree(tree.Class).Size ?? 0) != tree.Size;
            await TreeOf(tree.Class).CompareSeal(key, record.Header.Origin, tree, _options.Keys, _now, isNew, cancel);
        }
        _offsets.End(record);
        (_lastRecord, _lastHash) = (record, opened.Seal.Sha256);
    }

    void CheckChain(string key, long number, SealRecord record)
    {
        var header = record.Header;
        _origin ??= header.Origin;
        if (header.Number != number) Broken($"It says that it is number {header.Number}.");
        if (!string.Equals(header.Origin, _origin, StringComparison.Ordinal)) Broken($"It is of the installation {header.Origin}, not {_origin}.");
        if (_lastHash is not null && !string.Equals(header.Previous, _lastHash, StringComparison.Ordinal)) Broken("It does not name the hash of the seal before it.");
        if (_lastHash is not null && header.From != (_lastRecord?.Header.To ?? 0))
            Broken($"It begins with journal offset {header.From}; the seal before it ended at {_lastRecord?.Header.To ?? 0}.");
        if (header.To - header.From != record.Segments.Sum(segment => (long)segment.Rows))
            Broken($"It is of {header.To - header.From} journal offsets, but its segments have {record.Segments.Sum(segment => (long)segment.Rows)} rows.");

        void Broken(string what) => _state.Add(FindingCode.SealChainBroken, key, what, Advice.Investigate);
    }

    async ValueTask<(Seal Seal, IReadOnlyList<string?> Right)?> Open(long number, CancellationToken cancel)
    {
        bool IsRight(byte[] bytes) => Seal.TryOpen(bytes, _options.Keys, out _) is { } seal && seal.Record.Header.Number == number;

        if (await _reader.FetchBytes(ArchiveLayout.Seal(number), IsRight, cancel) is not { } found) return null;
        return Seal.TryOpen(found.Bytes, _options.Keys, out _) is { } seal ? (seal, found.Right) : null;
    }

    async ValueTask ReportInvalid(string key, CancellationToken cancel)
    {
        if (await _reader.FetchBytes(key, _ => true, cancel) is { } found)
        {
            Seal.TryOpen(found.Bytes, _options.Keys, out var reason);
            _state.Add(FindingCode.SealInvalid, key, $"It is not a seal signed by the given key: {reason}.", Advice.Restore);
        }
        else
        {
            _state.Add(FindingCode.SealMissing, key, "It is not there.", Advice.Restore);
        }
    }

    async ValueTask CheckLive(SealRecord newest, CancellationToken cancel)
    {
        foreach (var tree in newest.Trees)
        {
            await TreeOf(tree.Class).CompareLive(newest.Header.Origin, tree, _options.Keys, _now, cancel);
            await TreeOf(tree.Class).ComparePartial(cancel);
        }
    }

    TreeCheck TreeOf(string @class)
    {
        if (_trees.TryGetValue(@class, out var tree)) return tree;
        if (_known.Count == 0) LoadKnown();
        var known = _origin is not null && _known.TryGetValue(ArchiveLayout.Origin(_origin, @class), out var found) ? found : [];
        return _trees[@class] = new(@class, _store, _reader, _state, _tiles, known);
    }

    void LoadKnown()
    {
        foreach (var note in _options.Known)
        {
            if (!Checkpoint.TryOpen(note.Span, _options.Keys, origin: null, out var checkpoint, out var reason))
            {
                _state.Add(FindingCode.CheckpointInvalid, "known checkpoint", $"The checkpoint that you gave is not signed by the given key: {reason}.",
                    "Give one that this archive's key signed.");
                continue;
            }
            if (!_known.TryGetValue(checkpoint.Origin, out var sizes)) _known[checkpoint.Origin] = sizes = [];
            sizes[checkpoint.Size] = checkpoint.Root;
        }
    }

    void CheckKnown()
    {
        if (_known.Count == 0) LoadKnown();
        foreach (var (origin, sizes) in _known)
        {
            var @class = _origin is not null && origin.StartsWith(_origin + "/", StringComparison.Ordinal) ? origin[(_origin.Length + 1)..] : "";
            var size = _trees.GetValueOrDefault(@class)?.Size ?? 0;
            foreach (var known in sizes.Keys)
            {
                if (known > size)
                {
                    _state.Add(FindingCode.RolledBack, $"{ArchiveLayout.Log}{@class}",
                        $"You know a checkpoint of {origin} of size {known}; the archive has {size} leaves.", "Newer seals were removed. " + Advice.Investigate);
                }
            }
        }
    }
}
