using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Archive;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>
/// What left the archive after its retention, and why: text of the signed note <c>deletions/NUMBER.note</c>, which is there before anything that it names is deleted, and
/// stays. Each names the hash of the one before. The text is a line of JSON per item, in the order deletion, segments, leaves; the same record always gives the same bytes.
/// </summary>
public sealed record DeletionRecord
{
    /// <summary>The first line.</summary>
    public required DeletionHeader Header { get; init; }

    /// <summary>What is deleted.</summary>
    public required IReadOnlyList<DeletedSegment> Segments { get; init; }

    /// <summary>Leaf hashes of what is deleted that no full tile has yet: the partial tile is not locked, and they could not be computed again.</summary>
    public IReadOnlyList<KeptLeaves> Leaves { get; init; } = [];

    /// <summary>The text that is signed.</summary>
    public string ToText()
    {
        var text = new StringBuilder();
        Line(new() { Deletion = Header });
        foreach (var segment in Segments) Line(new() { Segment = segment });
        foreach (var leaves in Leaves) Line(new() { Leaves = leaves });
        return text.ToString();

        void Line(DeletionLine line) => text.Append(JsonSerializer.Serialize(line, DeletionJson.Default.DeletionLine)).Append('\n');
    }

    /// <summary>Reads a text. Only the bytes that <see cref="ToText"/> would write are taken.</summary>
    /// <returns>Null when it is no deletion record, with the reason.</returns>
    public static DeletionRecord? TryParse(string text, out string reason)
    {
        var lines = new List<DeletionLine>();
        reason = "";
        try
        {
            foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                lines.Add(JsonSerializer.Deserialize(line, DeletionJson.Default.DeletionLine)!);
        }
        catch (JsonException e)
        {
            reason = $"line {lines.Count + 1} cannot be read: {e.Message}";
            return null;
        }
        if (lines is not [{ Deletion: { } header }, ..])
        {
            reason = "it does not begin with a deletion";
            return null;
        }
        if (header.Version != DeletionHeader.ThisVersion)
        {
            reason = $"it is of version {header.Version}, which this program does not know";
            return null;
        }
        var record = new DeletionRecord
        {
            Header = header,
            Segments = [.. lines.Select(line => line.Segment).OfType<DeletedSegment>()],
            Leaves = [.. lines.Select(line => line.Leaves).OfType<KeptLeaves>()],
        };
        if (string.Equals(record.ToText(), text, StringComparison.Ordinal)) return record;
        reason = "it is not in the form in which deletions are written";
        return null;
    }
}

/// <summary>First line of a deletion record.</summary>
/// <param name="Version">Of the record's form.</param>
/// <param name="Origin">The installation.</param>
/// <param name="Number">From 0, without gaps.</param>
/// <param name="Previous">SHA-256 of the note of the deletion before, in lower-case hex; empty for the first.</param>
/// <param name="Decided">When, by the installation's clock.</param>
/// <param name="Seal">Number of the newest seal at that time.</param>
/// <param name="SealSha256">SHA-256 of its note.</param>
/// <param name="PolicyVersion">Version of the policy by which it was decided.</param>
/// <param name="PolicySha256">SHA-256 of that policy's file.</param>
/// <param name="RetainUntil">Until when this note is locked.</param>
/// <param name="Mode">How it is locked.</param>
public sealed record DeletionHeader(
    int Version, string Origin, long Number, string Previous, DateTime Decided, long Seal, string SealSha256, string PolicyVersion, string PolicySha256,
    DateTime RetainUntil, LockMode Mode)
{
    /// <summary>Version that is written.</summary>
    public const int ThisVersion = 1;
}

/// <summary>One segment that is deleted.</summary>
/// <param name="Path">Its key.</param>
/// <param name="Class">Its class.</param>
/// <param name="Sha256">SHA-256 of the file, as it was sealed and as it was read before it was deleted.</param>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Rows">Events in it.</param>
/// <param name="FirstLeaf">Leaf index of its first row.</param>
/// <param name="MinTime">Event time of its first row, unix microseconds.</param>
/// <param name="MaxTime">Event time of its last row, unix microseconds.</param>
/// <param name="Seal">Number of the seal that put it into the archive.</param>
/// <param name="RetainUntil">Until when it was sealed with a lock.</param>
/// <param name="Versions">Versions that the store had of it, delete markers too.</param>
/// <param name="Terms">The whole reckoning: every reason to keep it, all of them over.</param>
/// <param name="LockedUntil">The longest lock of its versions as the store told it before they were deleted; null when it told none.</param>
public sealed record DeletedSegment(
    string Path, string Class, string Sha256, long Bytes, int Rows, long FirstLeaf, long MinTime, long MaxTime, long Seal, DateTime RetainUntil,
    int Versions, IReadOnlyList<RetentionTerm> Terms, DateTime? LockedUntil = null)
{
    /// <summary>Whether it is the segment that a seal names.</summary>
    public bool Is(SealedSegment segment, long seal) =>
        Seal == seal && string.Equals(Path, segment.Path, StringComparison.Ordinal) && string.Equals(Class, segment.Class, StringComparison.Ordinal)
        && string.Equals(Sha256, segment.Sha256, StringComparison.Ordinal) && Bytes == segment.Bytes && Rows == segment.Rows && FirstLeaf == segment.FirstLeaf
        && MinTime == segment.MinTime && MaxTime == segment.MaxTime && RetainUntil == segment.RetainUntil;
}

/// <summary>Leaf hashes from the first of a tile of level 0 on.</summary>
/// <param name="Class">Class of the tree.</param>
/// <param name="FirstLeaf">Leaf index of the first hash: a multiple of 256.</param>
/// <param name="Hashes">The hashes, 32 bytes each, base64; fewer than 256.</param>
public sealed record KeptLeaves(string Class, long FirstLeaf, byte[] Hashes);

/// <summary>A deletion record's note, opened.</summary>
/// <param name="Record">What it says.</param>
/// <param name="Note">Its bytes.</param>
/// <param name="Sha256">SHA-256 of its bytes, in lower-case hex.</param>
public sealed record Deletion(DeletionRecord Record, ReadOnlyMemory<byte> Note, string Sha256)
{
    /// <summary>Its number.</summary>
    public long Number => Record.Header.Number;

    /// <summary>Opens a note.</summary>
    /// <param name="note">Its bytes.</param>
    /// <param name="number">Number that it lies under.</param>
    /// <param name="keys">Keys that are trusted to sign it.</param>
    /// <param name="reason">Why the answer is null.</param>
    public static Deletion? TryOpen(ReadOnlyMemory<byte> note, long number, IReadOnlyList<VerifierKey> keys, out string reason)
    {
        var opened = SignedNote.Open(note.Span, keys);
        reason = opened.Reason;
        if (!opened.IsValid || DeletionRecord.TryParse(opened.Text, out reason) is not { } record) return null;
        if (record.Header.Number == number) return new(record, note, Convert.ToHexStringLower(SHA256.HashData(note.Span)));
        reason = $"it is that of number {record.Header.Number}";
        return null;
    }
}

/// <summary>One line: exactly one of its members is there.</summary>
sealed record DeletionLine
{
    public DeletionHeader? Deletion { get; init; }

    public DeletedSegment? Segment { get; init; }

    public KeptLeaves? Leaves { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, UseStringEnumConverter = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(DeletionLine))]
[JsonSerializable(typeof(RetentionState))]
sealed partial class DeletionJson : JsonSerializerContext;
