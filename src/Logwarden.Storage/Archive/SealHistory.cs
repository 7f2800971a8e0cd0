using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;
using Logwarden.Retention;

namespace Logwarden.Archive;

/// <summary>A seal's note, opened.</summary>
/// <param name="Record">What it says.</param>
/// <param name="Note">Its bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, in lower-case hex.</param>
public sealed record Seal(SealRecord Record, ReadOnlyMemory<byte> Note, string Sha256)
{
    /// <summary>Opens a note.</summary>
    /// <returns>Null when it is not signed by one of the keys or says nothing intelligible, with the reason.</returns>
    public static Seal? TryOpen(ReadOnlyMemory<byte> note, IReadOnlyList<VerifierKey> keys, out string reason)
    {
        var opened = SignedNote.Open(note.Span, keys);
        reason = opened.Reason;
        if (!opened.IsValid) return null;
        return SealRecord.TryParse(opened.Text, out reason) is { } record
            ? new(record, note, Convert.ToHexStringLower(SHA256.HashData(note.Span))) : null;
    }
}

/// <summary>The seals of an archive, newest first, each checked against the hash that its successor names.</summary>
sealed class SealHistory(IBlobStore store, IReadOnlyList<VerifierKey> keys, Seal? newest)
{
    public Seal? Newest => newest;

    /// <summary>All segments, newest first.</summary>
    public async IAsyncEnumerable<SealedSegment> Segments([EnumeratorCancellation] CancellationToken cancel)
    {
        for (var seal = newest; seal is not null; seal = await Before(seal, cancel))
        {
            foreach (var segment in seal.Record.Segments.Reverse()) yield return segment;
        }
    }

    /// <summary>
    /// Leaf hashes of a tile of level 0 that is not full, as deletion records keep them of events that were deleted; empty when none does.
    /// </summary>
    /// <param name="class">Class of the tree.</param>
    /// <param name="first">First leaf of the tile.</param>
    /// <param name="count">How many are wanted.</param>
    /// <param name="cancel">Gives up.</param>
    public async ValueTask<ReadOnlyMemory<byte>> KeptLeaves(string @class, long first, int count, CancellationToken cancel)
    {
        var numbers = new SortedSet<long>();
        await foreach (var version in store.List(ArchiveLayout.Deletions, cancel))
            if (ArchiveLayout.DeletionNumber(version.Key) is { } number) numbers.Add(number);
        ReadOnlyMemory<byte> longest = default;
        foreach (var number in numbers.Reverse())
        {
            if (longest.Length >= count * TreeHash.Size) break;
            var deletion = await store.ReadRight(ArchiveLayout.Deletion(number), note => Deletion.TryOpen(note, number, keys, out _), cancel);
            foreach (var leaves in deletion?.Record.Leaves ?? [])
                if (leaves.FirstLeaf == first && string.Equals(leaves.Class, @class, StringComparison.Ordinal) && leaves.Hashes.Length > longest.Length) longest = leaves.Hashes;
        }
        return longest;
    }

    async ValueTask<Seal?> Before(Seal seal, CancellationToken cancel)
    {
        var number = seal.Record.Header.Number;
        if (number == 0) return null;
        var key = ArchiveLayout.Seal(number - 1);
        return await store.ReadRight(key, note => Seal.TryOpen(note, keys, out _) is { } before && seal.Record.Header.Continues(before.Sha256) ? before : null, cancel)
            ?? throw new ArchiveRolledBackException($"{store.Location}: {key} is not there as {ArchiveLayout.Seal(number)} continues it");
    }
}
