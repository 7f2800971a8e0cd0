using System.Globalization;
using Logwarden.Proof.Notes;

namespace Logwarden.Verify;

/// <summary>What is wrong with an archive.</summary>
public enum FindingCode
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>A seal record is not there.</summary>
    SealMissing = 1,

    /// <summary>A seal record is not signed by a given key, or cannot be read.</summary>
    SealInvalid = 2,

    /// <summary>A seal record does not continue the one before it: hash, journal range or origin.</summary>
    SealChainBroken = 3,

    /// <summary>There is no seal at all: nothing could be verified.</summary>
    NothingSealed = 4,

    /// <summary>A segment that a seal names is not there.</summary>
    SegmentMissing = 10,

    /// <summary>A segment has other bytes than its seal says.</summary>
    SegmentChanged = 11,

    /// <summary>A segment has the bytes of another segment.</summary>
    SegmentSwapped = 12,

    /// <summary>A row of a segment is not the event that was sealed.</summary>
    RowChanged = 13,

    /// <summary>An event that was sealed is not in its segment.</summary>
    RowMissing = 14,

    /// <summary>A row of a segment is no event that was sealed.</summary>
    RowAdded = 15,

    /// <summary>A row contradicts its segment: leaf index, class, date or order.</summary>
    RowMisplaced = 16,

    /// <summary>Leaf indexes of a class have a gap or overlap between segments.</summary>
    LeafRange = 20,

    /// <summary>A full tile is not there.</summary>
    TileMissing = 21,

    /// <summary>A tile has other bytes than its leaves give, or than the signed root needs.</summary>
    TileChanged = 22,

    /// <summary>The checkpoint of a seal is not there.</summary>
    CheckpointMissing = 23,

    /// <summary>A checkpoint is not signed by a given key, or cannot be read.</summary>
    CheckpointInvalid = 24,

    /// <summary>A checkpoint or seal states another size or root than the leaves give.</summary>
    RootMismatch = 25,

    /// <summary>The live checkpoint is older than the newest seal: an old one was put back, or the last seal was not finished.</summary>
    LiveCheckpointOld = 26,

    /// <summary>The archive is older than a checkpoint that is known to have been signed.</summary>
    RolledBack = 27,

    /// <summary>A journal offset is in no segment.</summary>
    OffsetMissing = 30,

    /// <summary>A journal offset is there twice, or outside its seal's range.</summary>
    OffsetDuplicate = 31,

    /// <summary>The numbers of the ledger do not add up, or are not those of the rows.</summary>
    LedgerMismatch = 32,

    /// <summary>A deletion record is not there.</summary>
    DeletionMissing = 35,

    /// <summary>A deletion record is not signed by a given key, breaks the chain, or names what no seal has.</summary>
    DeletionInvalid = 36,

    /// <summary>A deletion record names a segment of which the retention was not over, or that it does not describe as it was sealed.</summary>
    DeletionUnfounded = 37,

    /// <summary>An object that must be locked is not.</summary>
    LockMissing = 40,

    /// <summary>An object is locked for a shorter time than it was sealed with.</summary>
    LockShortened = 41,

    /// <summary>An object is locked in a weaker mode than it was sealed with.</summary>
    LockWeakened = 42,

    /// <summary>A delete marker hides an object.</summary>
    ObjectDeleted = 43,

    /// <summary>A newer version with other bytes lies over an object.</summary>
    ObjectReplaced = 44,

    /// <summary>An object below a locked prefix that no seal names, or an older version of one that has other bytes.</summary>
    ObjectUnexpected = 45,
}

/// <summary>One thing that is wrong.</summary>
/// <param name="Code">What kind.</param>
/// <param name="Object">Key of the object.</param>
/// <param name="What">What exactly, in a sentence.</param>
/// <param name="Next">What to do about it, in a sentence.</param>
public sealed record Finding(FindingCode Code, string Object, string What, string Next)
{
    /// <summary>Leaf index, where one row or leaf is meant.</summary>
    public long? Leaf { get; init; }

    /// <summary>Journal offset, where one is meant.</summary>
    public long? Offset { get; init; }

    /// <summary>Its code as it is printed, such as <c>segment-missing</c>.</summary>
    public string CodeText { get; } = Kebab(Code.ToString());

    /// <summary>One line. Names of objects are anybody's: what would end the line or move the cursor is escaped.</summary>
    public override string ToString() =>
        Printable($"{CodeText}: {Object}{(Leaf is { } leaf ? $" leaf {leaf}" : "")}{(Offset is { } offset ? $" offset {offset}" : "")}: {What} {Next}");

    static string Printable(string text) => text.Any(IsUnprintable)
        ? string.Concat(text.Select(c => IsUnprintable(c) ? string.Create(CultureInfo.InvariantCulture, $"\\u{(int)c:x4}") : c.ToString())) : text;

    static bool IsUnprintable(char c) => char.GetUnicodeCategory(c)
        is UnicodeCategory.Control or UnicodeCategory.Format or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator;

    static string Kebab(string name) =>
        string.Concat(name.Select((c, i) => char.IsUpper(c) ? (i == 0 ? "" : "-") + char.ToLowerInvariant(c) : c.ToString()));
}

/// <summary>What to verify with.</summary>
public sealed record VerifyOptions
{
    /// <summary>Keys that are trusted to sign this archive, and no others.</summary>
    public required IReadOnlyList<VerifierKey> Keys { get; init; }

    /// <summary>Identity that the archive must have; null takes what the first seal says.</summary>
    public string? Origin { get; init; }

    /// <summary>Checkpoints and seals seen earlier: the archive must hold at least what they say.</summary>
    public IReadOnlyList<KnownNote> Known { get; init; } = [];

    /// <summary>Findings that are kept; more are only counted. Default 10,000.</summary>
    public int FindingsMax { get; init; } = 10_000;

    /// <summary>Tiles read at the same time. Default 16.</summary>
    public int ConcurrentReads { get; init; } = 16;
}

/// <summary>A checkpoint or a seal that was kept somewhere else than in the archive.</summary>
/// <param name="Name">Where it was, for messages.</param>
/// <param name="Note">The signed note.</param>
public sealed record KnownNote(string Name, ReadOnlyMemory<byte> Note);

/// <summary>How far a verification is.</summary>
/// <param name="Events">Events verified.</param>
/// <param name="EventsTotal">Events in the seals known so far.</param>
/// <param name="Object">What is being read.</param>
public readonly record struct VerifyProgress(long Events, long EventsTotal, string Object);

/// <summary>What a verification found and what it looked at.</summary>
public sealed record VerifyReport
{
    /// <summary>Everything that is wrong, in the order found, duplicates removed.</summary>
    public required IReadOnlyList<Finding> Findings { get; init; }

    /// <summary>All findings, those beyond <see cref="VerifyOptions.FindingsMax"/> too.</summary>
    public required long FindingsTotal { get; init; }

    /// <summary>Identity of the archive; null when it has no valid seal.</summary>
    public string? Origin { get; init; }

    /// <summary>Valid seals.</summary>
    public long Seals { get; init; }

    /// <summary>Segments read.</summary>
    public long Segments { get; init; }

    /// <summary>Segments that are gone as required: their retention was over, and a deletion record says so.</summary>
    public long SegmentsExpired { get; init; }

    /// <summary>Segments that a deletion record names rightly and that are there all the same: a hold is on them, or the deletion is not finished.</summary>
    public long SegmentsUndeleted { get; init; }

    /// <summary>Deletion records that are signed.</summary>
    public long Deletions { get; init; }

    /// <summary>Events of which the leaf was recomputed.</summary>
    public long Events { get; init; }

    /// <summary>Tiles compared.</summary>
    public long Tiles { get; init; }

    /// <summary>Checkpoints of which signature and root were checked.</summary>
    public long Checkpoints { get; init; }

    /// <summary>Objects of which the lock was checked.</summary>
    public long Locks { get; init; }

    /// <summary>Bytes of segments read.</summary>
    public long Bytes { get; init; }

    /// <summary>Journal offset behind the last sealed event.</summary>
    public long SealedTo { get; init; }

    /// <summary>Size and root of each class's tree at the newest seal.</summary>
    public IReadOnlyList<Archive.SealedTree> Trees { get; init; } = [];

    /// <summary>Whether all holds.</summary>
    public bool IsClean => FindingsTotal == 0;
}
