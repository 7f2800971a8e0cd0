using System.Text;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Journal;
using Logwarden.Proof.Tree;

namespace Logwarden.Archive;

/// <summary>
/// What one seal put into the archive: text of the signed note <c>seals/NUMBER.note</c>. Each names the hash of the one before and
/// continues its journal range, so that the chain proves that nothing is missing. The text is a line of JSON per item, in the order
/// seal, segments, trees, ledger, sources; the same record always gives the same bytes.
/// </summary>
public sealed record SealRecord
{
    /// <summary>The first line.</summary>
    public required SealHeader Header { get; init; }

    /// <summary>Segments of this seal. Of one class, each begins where the one before it ended.</summary>
    public required IReadOnlyList<SealedSegment> Segments { get; init; }

    /// <summary>All Merkle trees there are after this seal, by class in ordinal order, whether or not it changed them.</summary>
    public required IReadOnlyList<SealedTree> Trees { get; init; }

    /// <summary>Conservation ledger at <see cref="SealHeader.To"/>; null when the journal had gone on before it was read.</summary>
    public SealedLedger? Ledger { get; init; }

    /// <summary>The ledger's sources, by id in ordinal order.</summary>
    public IReadOnlyList<SealedSource> Sources { get; init; } = [];

    /// <summary>The tree of a class; an empty one when there is none yet.</summary>
    public SealedTree Tree(string @class) =>
        Trees.FirstOrDefault(tree => string.Equals(tree.Class, @class, StringComparison.Ordinal))
        ?? new(@class, 0, MerkleTree.Empty.ToString(), DateTime.UnixEpoch, LockMode.Governance);

    /// <summary>The text that is signed.</summary>
    public string ToText()
    {
        var text = new StringBuilder();
        Line(new() { Seal = Header });
        foreach (var segment in Segments) Line(new() { Segment = segment });
        foreach (var tree in Trees) Line(new() { Tree = tree });
        if (Ledger is not null) Line(new() { Ledger = Ledger });
        foreach (var source in Sources) Line(new() { Source = source });
        return text.ToString();

        void Line(SealLine line) => text.Append(JsonSerializer.Serialize(line, SealJson.Default.SealLine)).Append('\n');
    }

    /// <summary>Reads a text. Only the bytes that <see cref="ToText"/> would write are taken.</summary>
    /// <returns>Null when it is no seal record, with the reason.</returns>
    public static SealRecord? TryParse(string text, out string reason)
    {
        var lines = new List<SealLine>();
        reason = "";
        try
        {
            foreach (var line in text.Split('\n', StringSplitOptions.RemoveEmptyEntries))
                lines.Add(JsonSerializer.Deserialize(line, SealJson.Default.SealLine)!);
        }
        catch (JsonException e)
        {
            reason = $"line {lines.Count + 1} cannot be read: {e.Message}";
            return null;
        }
        if (lines is not [{ Seal: { } header }, ..])
        {
            reason = "it does not begin with a seal";
            return null;
        }
        if (header.Version != SealHeader.ThisVersion)
        {
            reason = $"it is of version {header.Version}, which this program does not know";
            return null;
        }
        var record = new SealRecord
        {
            Header = header,
            Segments = [.. lines.Select(line => line.Segment).OfType<SealedSegment>()],
            Trees = [.. lines.Select(line => line.Tree).OfType<SealedTree>()],
            Ledger = lines.Select(line => line.Ledger).OfType<SealedLedger>().FirstOrDefault(),
            Sources = [.. lines.Select(line => line.Source).OfType<SealedSource>()],
        };
        if (string.Equals(record.ToText(), text, StringComparison.Ordinal)) return record;
        reason = "it is not in the form in which seals are written";
        return null;
    }
}

/// <summary>First line of a seal record.</summary>
/// <param name="Version">Of the record's form.</param>
/// <param name="Origin">The installation: what its logs' origins begin with.</param>
/// <param name="Number">From 0, without gaps.</param>
/// <param name="Previous">SHA-256 of the note of the seal before, in lower-case hex; empty for the first.</param>
/// <param name="From">First journal offset in it: where the seal before ended.</param>
/// <param name="To">First journal offset behind it.</param>
/// <param name="Sealed">When, by the installation's clock.</param>
/// <param name="RetainUntil">Until when this note is locked.</param>
/// <param name="Mode">How it is locked.</param>
public sealed record SealHeader(
    int Version, string Origin, long Number, string Previous, long From, long To, DateTime Sealed, DateTime RetainUntil, LockMode Mode)
{
    /// <summary>Version that is written.</summary>
    public const int ThisVersion = 1;

    /// <summary>Whether the seal before has this hash.</summary>
    internal bool Continues(string sha256) => string.Equals(Previous, sha256, StringComparison.Ordinal);
}

/// <summary>One segment.</summary>
/// <param name="Path">Its key.</param>
/// <param name="Class">Its class; also in the path.</param>
/// <param name="Sha256">SHA-256 of the file, in lower-case hex.</param>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Rows">Events in it.</param>
/// <param name="FirstLeaf">Leaf index of the first row.</param>
/// <param name="MinTime">Event time of the first row, unix microseconds.</param>
/// <param name="MaxTime">Event time of the last row, unix microseconds.</param>
/// <param name="RetainUntil">Until when it is locked.</param>
/// <param name="Mode">How it is locked.</param>
/// <param name="LegalHold">Whether a hold was on when it was sealed.</param>
public sealed record SealedSegment(
    string Path, string Class, string Sha256, long Bytes, int Rows, long FirstLeaf, long MinTime, long MaxTime,
    DateTime RetainUntil, LockMode Mode, bool LegalHold);

/// <summary>One class's Merkle tree after the seal.</summary>
/// <param name="Class">The class.</param>
/// <param name="Size">Leaves.</param>
/// <param name="Root">Root hash, base64.</param>
/// <param name="RetainUntil">Until when the tiles and the checkpoint that this seal wrote are locked; never earlier than in the seal before.</param>
/// <param name="Mode">How they are locked.</param>
public sealed record SealedTree(string Class, long Size, string Root, DateTime RetainUntil, LockMode Mode);

/// <summary>The installation's ledger at the end of the seal: <c>In = Stored + Duplicates + Quarantined</c>.</summary>
/// <param name="In">Records handed in, ever.</param>
/// <param name="Stored">Of them stored as events.</param>
/// <param name="Duplicates">Of them known already.</param>
/// <param name="Quarantined">Of them stored as records that could not be taken in.</param>
public sealed record SealedLedger(long In, long Stored, long Duplicates, long Quarantined);

/// <summary>The ledger of one source.</summary>
/// <param name="Id">The source.</param>
/// <param name="In">Records handed in, ever.</param>
/// <param name="Stored">Of them stored as events.</param>
/// <param name="Duplicates">Of them known already.</param>
/// <param name="Quarantined">Of them quarantined, by reason.</param>
public sealed record SealedSource(string Id, long In, long Stored, long Duplicates, SortedDictionary<string, long> Quarantined)
{
    /// <summary>The same from the journal's ledger.</summary>
    public static SealedSource From(SourceLedger source) => new(
        source.Source, source.In, source.Stored, source.Duplicates, new(source.QuarantinedByReason.ToDictionary(StringComparer.Ordinal), StringComparer.Ordinal));
}

/// <summary>One line: exactly one of its members is there.</summary>
sealed record SealLine
{
    public SealHeader? Seal { get; init; }

    public SealedSegment? Segment { get; init; }

    public SealedTree? Tree { get; init; }

    public SealedLedger? Ledger { get; init; }

    public SealedSource? Source { get; init; }
}

[JsonSourceGenerationOptions(
    PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow, UseStringEnumConverter = true, RespectNullableAnnotations = true,
    RespectRequiredConstructorParameters = true)]
[JsonSerializable(typeof(SealLine))]
[JsonSerializable(typeof(SealPlan))]
sealed partial class SealJson : JsonSerializerContext;
