using System.Runtime.CompilerServices;
using Logwarden.Archive;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>All seals of an archive from a number on, oldest first, each checked against the hash that its successor names. Holds a few at a time.</summary>
sealed class SealWalk(IBlobStore store, IReadOnlyList<VerifierKey> keys)
{
    const int ReadAtOnce = 16;

    /// <summary>The newest that was come to; null before the first.</summary>
    public Seal? Newest { get; private set; }

    /// <summary>Goes through them.</summary>
    /// <exception cref="ArchiveRolledBackException">They are no chain.</exception>
    public async IAsyncEnumerable<Seal> From(long first, [EnumeratorCancellation] CancellationToken cancel)
    {
        for (var next = first; ; next += ReadAtOnce)
        {
            var seals = new Seal?[ReadAtOnce];
            await Parallel.ForAsync(0, ReadAtOnce, new ParallelOptions { MaxDegreeOfParallelism = ReadAtOnce, CancellationToken = cancel }, async (i, _) =>
                seals[i] = await store.ReadRight(ArchiveLayout.Seal(next + i), note => Open(note, next + i), cancel));
            for (var i = 0; i < ReadAtOnce; i++)
            {
                if (seals[i] is not { } seal)
                {
                    if (Array.Exists(seals[i..], later => later is not null)) throw Broken(next + i, "is not there, but later seals are");
                    yield break;
                }
                if (Newest is not null && !seal.Record.Header.Continues(Newest.Sha256)) throw Broken(next + i, "does not continue the seal before it");
                Newest = seal;
                yield return seal;
            }
        }
    }

    Seal? Open(byte[] note, long number) => Seal.TryOpen(note, keys, out _) is { } seal && seal.Record.Header.Number == number ? seal : null;

    ArchiveRolledBackException Broken(long number, string what) =>
        new($"{store.Location}: {ArchiveLayout.Seal(number)} {what}. Run `logwarden verify`; nothing is deleted until it is clear why.");
}
