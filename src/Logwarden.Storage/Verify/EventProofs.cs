using System.Text;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>A proof that an event is in the archive.</summary>
/// <param name="File">The tlog-proof; its extra data is the event in <see cref="EventEncoding"/>, so that the file can be checked by itself.</param>
/// <param name="Class">Class of the event.</param>
/// <param name="Segment">Segment that holds it.</param>
/// <param name="Checkpoint">Checkpoint that it is proved against.</param>
public sealed record EventProof(InclusionFile File, string Class, string Segment, Checkpoint Checkpoint);

/// <summary>What a proof file proves.</summary>
/// <param name="IsValid">Whether the event in it is in the log of its class.</param>
/// <param name="Reason">Why not.</param>
/// <param name="Event">The event in <see cref="EventEncoding"/>; means nothing when the proof is not valid.</param>
/// <param name="Index">Its leaf index.</param>
/// <param name="Checkpoint">Checkpoint that it is proved against; null when the proof is not valid.</param>
public sealed record ProofVerdict(bool IsValid, string Reason, ReadOnlyMemory<byte> Event, long Index, Checkpoint? Checkpoint);

/// <summary>Makes proofs for single events from an archive, and checks them without one.</summary>
/// <param name="store">The archive; only read.</param>
/// <param name="keys">Keys that are trusted to sign it.</param>
/// <param name="hotDirectory">Where the same segments may lie on local disk; null when nowhere.</param>
/// <param name="known">A seal that the archive must have: without it, that an event is not there says nothing. Null when none is known.</param>
public sealed class EventProofs(IBlobStore store, IReadOnlyList<VerifierKey> keys, string? hotDirectory, KnownNote? known = null)
{
    /// <summary>Makes the proof for the newest event that has this id.</summary>
    /// <returns>Null when no sealed event has it.</returns>
    /// <exception cref="ArchiveRolledBackException">The seals are not a chain: verify the archive.</exception>
    /// <exception cref="TileException">Tiles are missing or wrong: verify the archive.</exception>
    public async ValueTask<EventProof?> Build(string eventId, CancellationToken cancel)
    {
        var (newest, unread) = await Newest(cancel);
        var history = new SealHistory(store, keys, newest);
        var id = Encoding.UTF8.GetBytes(eventId);
        await foreach (var segment in history.Segments(cancel))
        {
            if (await Find(segment, id, cancel) is { } found) return await Prove(found.Event, found.Leaf, segment, history, cancel);
        }
        // What a seal holds that cannot be read is not known; to say that the event is in none would be a guess.
        return unread is null ? null : throw new ArchiveRolledBackException($"{store.Location}: {unread} is not there with a signature of the given key");
    }

    /// <summary>Checks a proof file. Never throws, whatever the bytes.</summary>
    /// <param name="file">The file's bytes.</param>
    /// <param name="keys">Keys that are trusted to sign the log.</param>
    public static ProofVerdict Check(ReadOnlySpan<byte> file, IReadOnlyList<VerifierKey> keys)
    {
        if (!InclusionFile.TryParse(file, out var proof, out var reason)) return new(false, reason, default, 0, null);
        if (proof.Extra is not { } encoded) return new(false, "the event is not in the file", default, proof.Index, null);
        if (!EventEncoding.TryRead(encoded.Span, out var e)) return new(false, "what is in the file is no event", default, proof.Index, null);
        if (!proof.Verify(MerkleTree.Leaf(encoded.Span), keys, origin: null, out var checkpoint, out reason)) return new(false, reason, encoded, proof.Index, null);
        var @class = Encoding.UTF8.GetString(e.Class);
        return checkpoint.Origin.EndsWith("/" + @class, StringComparison.Ordinal)
            ? new(true, "", encoded, proof.Index, checkpoint)
            : new(false, $"the event is of class {@class}, the log is {checkpoint.Origin}", encoded, proof.Index, null);
    }

    async ValueTask<EventProof> Prove(byte[] encoded, long leaf, SealedSegment segment, SealHistory history, CancellationToken cancel)
    {
        var newest = history.Newest!.Record;
        var key = ArchiveLayout.Checkpoint(segment.Class, newest.Tree(segment.Class).Size);
        var sealedRoot = newest.Tree(segment.Class).Root;
        var origin = ArchiveLayout.Origin(newest.Header.Origin, segment.Class);
        Tuple<Checkpoint, byte[]>? Right(byte[] note) =>
            Checkpoint.TryOpen(note, keys, origin, out var opened, out _) && string.Equals(opened.Root.ToString(), sealedRoot, StringComparison.Ordinal) ? new(opened, note) : null;

        var (checkpoint, note) = await store.ReadRight(key, Right, cancel)
            ?? throw new ArchiveRolledBackException($"{store.Location}: {key} is not there as {ArchiveLayout.Seal(newest.Header.Number)} says");
        var (tiles, nowhere) = (new ArchiveTiles(store, segment.Class), new Dictionary<string, string>(StringComparer.Ordinal));
        IReadOnlyList<TreeHash> hashes;
        try
        {
            hashes = await Hashes(tiles.Source(history, nowhere));
        }
        catch (TileException)
        {
            // What is not locked may be anybody's.
            hashes = await Hashes(tiles.LockedSource(history, nowhere));
        }
        return new(new() { Index = leaf, Hashes = hashes, Checkpoint = note, Extra = encoded }, segment.Class, segment.Path, checkpoint);

        async ValueTask<IReadOnlyList<TreeHash>> Hashes(TileSource source)
        {
            var found = await new TileTree(checkpoint.Size, source).InclusionProof(leaf, cancel);
            return MerkleProof.VerifyInclusion(leaf, checkpoint.Size, MerkleTree.Leaf(encoded), found, checkpoint.Root) ? found
                : throw new TileException($"The tiles of {segment.Class} do not lead from leaf {leaf} to the signed root.");
        }
    }

    async ValueTask<(byte[] Event, long Leaf)?> Find(SealedSegment segment, byte[] id, CancellationToken cancel)
    {
        var local = hotDirectory is null ? null : Path.Combine(hotDirectory, segment.Path);
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        if (local is not null && File.Exists(local)) files[segment.Path] = local;
        using var reader = await SegmentFiles.Open(store, segment, files, cancel);
        return reader is not null && reader.Find(id) ? (reader.Event.ToArray(), reader.Leaf) : null;
    }

    /// <summary>The newest seal, and the key above it of what could be one but is not signed by the given keys: somebody put it there, or it was damaged.</summary>
    async ValueTask<(Seal? Newest, string? Unread)> Newest(CancellationToken cancel)
    {
        var numbers = new SortedSet<long>();
        await foreach (var version in store.List(ArchiveLayout.Seals, cancel))
            if (ArchiveLayout.SealNumber(version.Key) is { } number) numbers.Add(number);
        string? unread = null;
        foreach (var number in numbers.Reverse())
        {
            var key = ArchiveLayout.Seal(number);
            var newest = await store.ReadRight(key, note => Seal.TryOpen(note, keys, out _) is { } seal && seal.Record.Header.Number == number ? seal : null, cancel);
            if (newest is not null) return (newest, unread ?? Missing(newest));
            unread = key;
        }
        return (null, unread ?? Missing(null));

        string? Missing(Seal? newest) => known is not null && Seal.TryOpen(known.Note, keys, out _) is { } seal
            && seal.Record.Header.Number > (newest?.Record.Header.Number ?? -1) ? ArchiveLayout.Seal(seal.Record.Header.Number) : null;
    }
}
