using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Logwarden.Proof.Notes;

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

    async ValueTask<Seal?> Before(Seal seal, CancellationToken cancel)
    {
        var number = seal.Record.Header.Number;
        if (number == 0) return null;
        var key = ArchiveLayout.Seal(number - 1);
        return await store.ReadRight(key, note => Seal.TryOpen(note, keys, out _) is { } before && seal.Record.Header.Continues(before.Sha256) ? before : null, cancel)
            ?? throw new ArchiveRolledBackException($"{store.Location}: {key} is not there as {ArchiveLayout.Seal(number)} continues it");
    }
}
