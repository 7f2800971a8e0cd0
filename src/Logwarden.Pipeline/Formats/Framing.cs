using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>How the bytes of a format are cut into records.</summary>
public enum FramingKind
{
    /// <summary>
    /// JSON objects: one, many behind each other with or without line breaks, or elements of an array; each may span lines.
    /// </summary>
    Json,

    /// <summary>
    /// A PostgreSQL server log: lines with their continuation lines, CSV records whose quoted fields may hold line breaks, or JSON lines.
    /// </summary>
    PostgresLog,
}

/// <summary>How the bytes of a format are cut into records, and what may be wrapped around them.</summary>
/// <param name="Kind">The way of cutting.</param>
/// <param name="Envelopes">
/// Names of array properties that hold the records when they come wrapped, such as <c>Records</c> in <c>{"Records":[…]}</c>. The
/// other properties of the wrapping are dropped.
/// </param>
public sealed record Framing(FramingKind Kind, params IReadOnlyList<string> Envelopes);

/// <summary>What a record may be at most.</summary>
/// <param name="RecordBytesMax">Bytes of one record; larger ones are skipped and reported.</param>
public readonly record struct RecordLimits(int RecordBytesMax)
{
    /// <summary>10 MiB.</summary>
    public static RecordLimits Default => new(10 * 1024 * 1024);
}

/// <summary>Where a record stands in its input.</summary>
/// <param name="Ordinal">How many records and errors came before it.</param>
/// <param name="Line">Line of its first byte, from 1.</param>
/// <param name="Offset">Its first byte in the (decompressed) input, from 0.</param>
public readonly record struct RecordPosition(long Ordinal, long Line, long Offset);

/// <summary>One record, or something that could not be cut out as one. Valid until the next read.</summary>
public readonly ref struct FramedRecord
{
    /// <summary>
    /// The record; for an error the beginning of what is skipped, at most <see cref="RecordReader.ExcerptBytesMax"/> bytes. That is far more than is shown of it: what is
    /// shown must be redacted before it is cut.
    /// </summary>
    public ReadOnlySpan<byte> Bytes { get; init; }

    /// <summary>Whether more of it comes behind <see cref="Bytes"/>.</summary>
    public bool IsCut { get; init; }

    /// <summary>Where it stands.</summary>
    public RecordPosition Position { get; init; }

    /// <summary>Null for a record, else why these bytes are none.</summary>
    public NormalizeError? Error { get; init; }
}
