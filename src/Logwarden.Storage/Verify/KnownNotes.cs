using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.Proof.Tree;

namespace Logwarden.Verify;

/// <summary>
/// What is known to have been signed, from somewhere else than the archive: an archive proves by itself what it holds, but not that nothing was cut off at its end.
/// </summary>
sealed class KnownNotes
{
    static readonly IReadOnlyDictionary<long, TreeHash> None = new Dictionary<long, TreeHash>();

    readonly VerifyState _state;
    readonly Dictionary<string, Dictionary<long, TreeHash>> _checkpoints = new(StringComparer.Ordinal);
    readonly List<(string Name, Seal Seal)> _seals = [];
    readonly Dictionary<long, string> _found = [];

    public KnownNotes(VerifyOptions options, VerifyState state)
    {
        _state = state;
        foreach (var known in options.Known)
        {
            if (Checkpoint.TryOpen(known.Note.Span, options.Keys, origin: null, out var checkpoint, out var reason))
            {
                if (!_checkpoints.TryGetValue(checkpoint.Origin, out var sizes)) _checkpoints[checkpoint.Origin] = sizes = [];
                sizes[checkpoint.Size] = checkpoint.Root;
            }
            else if (Seal.TryOpen(known.Note, options.Keys, out _) is { } seal)
            {
                _seals.Add((known.Name, seal));
            }
            else
            {
                state.Add(FindingCode.CheckpointInvalid, known.Name, $"It is no checkpoint and no seal that the given key signed: {reason}.", "Give one that this archive's key signed.");
            }
        }
    }

    /// <summary>Known roots of a log, by size.</summary>
    public IReadOnlyDictionary<long, TreeHash> RootsOf(string origin) => _checkpoints.GetValueOrDefault(origin) ?? None;

    /// <summary>Takes in what the archive has under the number of a seal.</summary>
    public void Saw(Seal seal)
    {
        var number = seal.Record.Header.Number;
        if (_seals.Exists(known => known.Seal.Record.Header.Number == number)) _found[number] = seal.Sha256;
    }

    /// <summary>Compares with the newest seal: the archive must have at least what is known.</summary>
    public void Compare(SealRecord? newest)
    {
        foreach (var (name, seal) in _seals) Compare(name, seal, newest);
        foreach (var (origin, sizes) in _checkpoints)
        {
            var tree = newest?.Trees.FirstOrDefault(tree => string.Equals(ArchiveLayout.Origin(newest.Header.Origin, tree.Class), origin, StringComparison.Ordinal));
            foreach (var known in sizes.Keys)
            {
                if (known <= (tree?.Size ?? 0)) continue;
                _state.Add(FindingCode.RolledBack, ArchiveLayout.Log + (tree?.Class ?? ""),
                    $"You know a checkpoint of {origin} of size {known}; the newest seal has {tree?.Size ?? 0} leaves of it.", "Newer seals were removed. " + Advice.Investigate);
            }
        }
    }

    void Compare(string name, Seal known, SealRecord? newest)
    {
        var header = known.Record.Header;
        var key = ArchiveLayout.Seal(header.Number);
        if (_found.TryGetValue(header.Number, out var sha256))
        {
            if (!string.Equals(sha256, known.Sha256, StringComparison.Ordinal))
                _state.Add(FindingCode.SealChainBroken, key, $"It is signed, but is not the seal of this number that is known from {name}.", "The archive was rewritten. " + Advice.Investigate);
        }
        else if (newest is null || newest.Header.Number < header.Number)
        {
            var has = newest is null ? "the archive has no seal" : $"the newest seal of the archive is {newest.Header.Number}, up to {newest.Header.To}";
            _state.Add(FindingCode.RolledBack, key, $"That it was sealed, up to journal offset {header.To}, is known from {name}; {has}.",
                "Newer seals were removed, or this is another place, or a copy that was made earlier. " + Advice.Investigate);
        }
    }
}
