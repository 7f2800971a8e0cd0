using System.Globalization;
using System.Text;
using Logwarden.Proof.Tree;

namespace Logwarden.Proof.Notes;

/// <summary>
/// What a log says of its tree at one size (https://c2sp.org/tlog-checkpoint): text of a signed note with the lines origin, size, root
/// and any extension lines.
/// </summary>
public sealed record Checkpoint
{
    /// <summary>Identity of the log, such as <c>example.com/log/security-audit</c>. One non-empty line.</summary>
    public required string Origin { get; init; }

    /// <summary>Number of leaves.</summary>
    public required long Size { get; init; }

    /// <summary>Root hash at that size.</summary>
    public required TreeHash Root { get; init; }

    /// <summary>Further non-empty lines, signed with the rest.</summary>
    public IReadOnlyList<string> Extensions { get; init; } = [];

    /// <summary>The text that is signed.</summary>
    /// <exception cref="InvalidOperationException">A line is empty or has a line break, or the size is negative.</exception>
    public string ToText()
    {
        if (Size < 0) throw new InvalidOperationException("the size of a tree is not negative");
        var text = new StringBuilder();
        foreach (var line in (IEnumerable<string>)[Origin, Size.ToString(CultureInfo.InvariantCulture), Root.ToString(), .. Extensions])
        {
            if (line.Length == 0 || line.Contains('\n', StringComparison.Ordinal))
            {
                throw new InvalidOperationException("a line of a checkpoint is not empty and has no line break");
            }
            text.Append(line).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>The signed note.</summary>
    public byte[] Sign(params ReadOnlySpan<SigningKey> keys) => SignedNote.Sign(ToText(), keys);

    /// <summary>Reads the text of a note.</summary>
    public static bool TryParse(string text, out Checkpoint checkpoint)
    {
        checkpoint = null!;
        var lines = text.Split('\n');
        if (lines.Length < 4 || lines[^1].Length != 0) return false;
        if (lines.AsSpan(0, lines.Length - 1).Contains("")) return false;
        if (!long.TryParse(lines[1], NumberStyles.None, CultureInfo.InvariantCulture, out var size)) return false;
        if (lines[1][0] == '0' && lines[1].Length > 1) return false;
        if (!TreeHash.TryParse(lines[2], out var root)) return false;
        checkpoint = new() { Origin = lines[0], Size = size, Root = root, Extensions = lines[3..^1] };
        return true;
    }

    /// <summary>Opens a signed checkpoint. Never throws, whatever the bytes.</summary>
    /// <param name="note">The whole note.</param>
    /// <param name="known">Keys that the caller trusts to sign this log.</param>
    /// <param name="origin">Log that it must be of: a key may sign several. Null takes any.</param>
    /// <param name="checkpoint">The checkpoint, when the answer is true.</param>
    /// <param name="reason">Why not, when the answer is false.</param>
    public static bool TryOpen(
        ReadOnlySpan<byte> note, IReadOnlyList<VerifierKey> known, string? origin, out Checkpoint checkpoint, out string reason)
    {
        checkpoint = null!;
        var opened = SignedNote.Open(note, known);
        reason = opened.Reason;
        if (!opened.IsValid) return false;
        reason = "its text is not a checkpoint";
        if (!TryParse(opened.Text, out checkpoint)) return false;
        reason = $"it is of the log {checkpoint.Origin}";
        return origin is null || string.Equals(checkpoint.Origin, origin, StringComparison.Ordinal);
    }

    /// <inheritdoc/>
    public bool Equals(Checkpoint? other) => other is not null && string.Equals(Origin, other.Origin, StringComparison.Ordinal) && Size == other.Size && Root == other.Root
        && Extensions.SequenceEqual(other.Extensions, StringComparer.Ordinal);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Origin, Size, Root);
}
