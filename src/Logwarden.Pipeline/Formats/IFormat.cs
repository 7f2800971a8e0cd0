using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// A format of input: how its bytes are cut into records, and how a record becomes an OCSF event. To add one, copy a file of this
/// folder, add a line to <see cref="FormatCatalog"/>, and put samples into <c>samples/logs/</c>. Implementations hold no state and are
/// used from many threads at once; whatever they need to remember for a record is in the <see cref="NormalizedEvent"/>.
/// </summary>
public interface IFormat
{
    /// <summary>Name in commands and configuration: small letters, digits, hyphens.</summary>
    string Name { get; }

    /// <summary>What it reads, in one sentence.</summary>
    string Summary { get; }

    /// <summary>How its input is cut into records.</summary>
    Framing Framing { get; }

    /// <summary>Turns one record into an event. Never throws, whatever the bytes.</summary>
    /// <param name="record">One record, as <see cref="RecordReader"/> cuts it.</param>
    /// <param name="context">What is known beside the record.</param>
    /// <param name="output">Cleared and filled. What it holds after a refusal means nothing.</param>
    /// <returns>Null, or why the record is refused.</returns>
    NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output);
}

/// <summary>What a format is told beside the record.</summary>
/// <param name="Source">Id of the registered source.</param>
/// <param name="Fields">Field map of the source, used by <c>json</c>; null when it has none.</param>
/// <param name="AcceptedMicros">When we accepted the record: unix microseconds. Stands in for a missing time.</param>
public readonly record struct FormatContext(string Source, FieldMap? Fields, long AcceptedMicros);
