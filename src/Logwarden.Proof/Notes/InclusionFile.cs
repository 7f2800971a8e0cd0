using System.Globalization;
using System.Text;
using Logwarden.Proof.Tree;

namespace Logwarden.Proof.Notes;

/// <summary>
/// A proof that an entry is in a log, to be checked without the log: https://c2sp.org/tlog-proof, file extension <c>.tlog-proof</c>.
/// <code>
/// c2sp.org/tlog-proof@v1
/// extra base64        (this line only when there is extra data)
/// index decimal
/// base64 hash         (one line a hash, from the leaf's sibling upwards)
///
/// signed checkpoint, as it is
/// </code>
/// Whoever checks it computes the leaf hash from the entry that he holds.
/// </summary>
public sealed record InclusionFile
{
    const string Header = "c2sp.org/tlog-proof@v1";
    const string ExtraStart = "extra ", IndexStart = "index ";
    const int HashesMax = 63;
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <summary>Position of the entry in the log, from 0.</summary>
    public required long Index { get; init; }

    /// <summary>The inclusion proof.</summary>
    public required IReadOnlyList<TreeHash> Hashes { get; init; }

    /// <summary>The signed checkpoint, byte for byte.</summary>
    public required ReadOnlyMemory<byte> Checkpoint { get; init; }

    /// <summary>Data that goes with the proof. Nothing vouches for it. Null when there is none.</summary>
    public ReadOnlyMemory<byte>? Extra { get; init; }

    /// <summary>The file's bytes.</summary>
    public byte[] ToBytes()
    {
        var text = new StringBuilder(Header).Append('\n');
        if (Extra is { } extra) text.Append(ExtraStart).Append(Convert.ToBase64String(extra.Span)).Append('\n');
        text.Append(CultureInfo.InvariantCulture, $"{IndexStart}{Index}\n");
        foreach (var hash in Hashes) text.Append(hash).Append('\n');
        return [.. Strict.GetBytes(text.Append('\n').ToString()), .. Checkpoint.Span];
    }

    /// <summary>Takes a file apart; proves nothing yet. Never throws, whatever the bytes.</summary>
    public static bool TryParse(ReadOnlySpan<byte> file, out InclusionFile proof, out string reason)
    {
        proof = null!;
        reason = "no empty line stands before the checkpoint";
        var end = file.IndexOf("\n\n"u8);
        if (end < 0) return false;
        reason = $"the first line is not {Header}";
        // Latin-1 maps each byte to a character: whatever is not ASCII fails below.
        var lines = Encoding.Latin1.GetString(file[..end]).Split('\n');
        if (lines[0] is not Header) return false;
        var at = 1;
        byte[]? extra = null;
        if (lines.Length > at && lines[at].StartsWith(ExtraStart, StringComparison.Ordinal))
        {
            reason = "the extra data is not base64";
            extra = Base64Text.Decode(lines[at].AsSpan(ExtraStart.Length));
            if (extra is null) return false;
            at++;
        }
        reason = "the index line is missing or not one";
        if (lines.Length <= at || !TryIndex(lines[at++], out var index)) return false;
        reason = $"more than {HashesMax} hashes";
        if (lines.Length - at > HashesMax) return false;
        var hashes = new TreeHash[lines.Length - at];
        for (var i = 0; i < hashes.Length; i++)
        {
            reason = $"hash {i + 1} is not one";
            if (!TreeHash.TryParse(lines[at + i], out hashes[i])) return false;
        }
        reason = "";
        proof = new() { Index = index, Hashes = hashes, Checkpoint = file[(end + 2)..].ToArray(), Extra = extra is null ? null : (ReadOnlyMemory<byte>?)extra };
        return true;
    }

    /// <summary>Whether a leaf is in the log, by this proof.</summary>
    /// <param name="leaf">Hash of the entry, computed by the caller.</param>
    /// <param name="known">Keys that the caller trusts to sign this log.</param>
    /// <param name="origin">Log that it must be in; null takes any that the keys sign.</param>
    /// <param name="checkpoint">The checkpoint that it is proved against, when the answer is true.</param>
    /// <param name="reason">Why not, when the answer is false.</param>
    public bool Verify(
        in TreeHash leaf, IReadOnlyList<VerifierKey> known, string? origin, out Checkpoint checkpoint, out string reason)
    {
        if (!Notes.Checkpoint.TryOpen(Checkpoint.Span, known, origin, out checkpoint, out reason)) return false;
        reason = $"index {Index} is outside the tree of {checkpoint.Size} leaves";
        if (Index < 0 || Index >= checkpoint.Size) return false;
        reason = "the hashes do not lead from the entry to the signed root";
        if (!MerkleProof.VerifyInclusion(Index, checkpoint.Size, leaf, Hashes.ToArray(), checkpoint.Root)) return false;
        reason = "";
        return true;
    }

    static bool TryIndex(string line, out long index)
    {
        index = 0;
        if (!line.StartsWith(IndexStart, StringComparison.Ordinal)) return false;
        var digits = line[IndexStart.Length..];
        return long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out index) && (digits.Length == 1 || digits[0] != '0');
    }
}
