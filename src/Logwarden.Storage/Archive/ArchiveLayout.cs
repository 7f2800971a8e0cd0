using System.Globalization;
using Logwarden.Proof.Tree;

namespace Logwarden.Archive;

/// <summary>
/// Names of the objects of an archive (<c>docs/formats/archive.md</c>). Everything below <c>segments/</c>, <c>log/</c>, <c>seals/</c> and <c>deletions/</c> is
/// written once and locked; everything below <c>live/</c> can be replaced, and made again from what is locked.
/// </summary>
public static class ArchiveLayout
{
    /// <summary>Parquet segments.</summary>
    public const string Segments = "segments/";

    /// <summary>Full tiles and the checkpoints of seals, by class.</summary>
    public const string Log = "log/";

    /// <summary>Seal records.</summary>
    public const string Seals = "seals/";

    /// <summary>Deletion records: what left the archive after its retention.</summary>
    public const string Deletions = "deletions/";

    /// <summary>Partial tiles and newest checkpoints, by class.</summary>
    public const string Live = "live/";

    const string NoteSuffix = ".note";
    const int Digits = 20;

    /// <summary><c>seals/NUMBER.note</c>.</summary>
    public static string Seal(long number) => string.Create(CultureInfo.InvariantCulture, $"{Seals}{number:D20}{NoteSuffix}");

    /// <summary>What the keys of a thousand seals begin with: those whose number is this one but for the last three digits.</summary>
    internal static string ThousandSeals(long number) => Seal(number)[..^(NoteSuffix.Length + 3)];

    /// <summary><c>deletions/NUMBER.note</c>.</summary>
    public static string Deletion(long number) => string.Create(CultureInfo.InvariantCulture, $"{Deletions}{number:D20}{NoteSuffix}");

    /// <summary><c>log/CLASS/checkpoint/SIZE</c>.</summary>
    public static string Checkpoint(string @class, long size) => string.Create(CultureInfo.InvariantCulture, $"{Log}{@class}/checkpoint/{size:D20}");

    /// <summary><c>log/CLASS/tile/…</c> of a full tile, <c>live/CLASS/tile/…</c> of a partial one.</summary>
    public static string TileOf(string @class, TileId tile) => $"{(tile.IsFull ? Log : Live)}{@class}/{tile.Path}";

    /// <summary><c>live/CLASS/checkpoint</c>.</summary>
    public static string LiveCheckpoint(string @class) => $"{Live}{@class}/checkpoint";

    /// <summary>Number of a seal from its key; null when it is no seal's key.</summary>
    public static long? SealNumber(string key) => NoteNumber(key, Seals);

    /// <summary>Number of a deletion record from its key; null when it is no such key.</summary>
    public static long? DeletionNumber(string key) => NoteNumber(key, Deletions);

    /// <summary>Identity of one class's Merkle log: first line of its checkpoints.</summary>
    public static string Origin(string origin, string @class) => $"{origin}/{@class}";

    static long? NoteNumber(string key, string prefix) =>
        key.Length > prefix.Length + NoteSuffix.Length && key.StartsWith(prefix, StringComparison.Ordinal) && key.EndsWith(NoteSuffix, StringComparison.Ordinal)
        && Number(key.AsSpan()[prefix.Length..^NoteSuffix.Length]) is { } number ? number : null;

    static long? Number(ReadOnlySpan<char> digits) =>
        digits.Length == Digits && long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
