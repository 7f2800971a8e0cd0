using System.Globalization;
using ParquetSharp;
using ParquetSharp.Schema;

namespace Logwarden.Segments;

/// <summary>
/// The columns of a segment, in file order, and how they are written (<c>docs/formats/segment.md</c>). The names are a contract: Athena, Trino,
/// ClickHouse and DuckDB users write them in their queries. Texts that may be absent are nullable; the empty text is not null. Up to <see cref="Event"/> they
/// are what an event is; the UUIDs behind it are a part of the JSON that is stored apart.
/// </summary>
public static class SegmentSchema
{
    /// <summary>Version of this layout, in the file's key-value metadata under <see cref="VersionKey"/>.</summary>
    public const string Version = "2";

    /// <summary>Key of the version in the file's metadata.</summary>
    public const string VersionKey = "logwarden.segment";

    /// <summary>Rows in a row group, at most. Statistics and bloom filters are per row group: a point query reads this many rows.</summary>
    public const int RowGroupRowsMax = 16_384;

    /// <summary>int64: index of the event's leaf in its class's Merkle tree. Consecutive within a segment.</summary>
    public const int Leaf = 0;

    /// <summary>int64: position in the journal; unique in the installation.</summary>
    public const int Offset = 1;

    /// <summary>timestamp, microseconds, UTC: when it happened. Rows are sorted by it, then by offset.</summary>
    public const int Time = 2;

    /// <summary>timestamp, microseconds, UTC: when it was accepted.</summary>
    public const int Ingested = 3;

    /// <summary>string: id of the event.</summary>
    public const int EventId = 4;

    /// <summary>string: policy class; one value in a segment.</summary>
    public const int Class = 5;

    /// <summary>string: id of the registered source.</summary>
    public const int Source = 6;

    /// <summary>string: input format.</summary>
    public const int Format = 7;

    /// <summary>int32: OCSF class_uid.</summary>
    public const int ClassUid = 8;

    /// <summary>int32: OCSF activity_id.</summary>
    public const int ActivityId = 9;

    /// <summary>int32: OCSF severity_id.</summary>
    public const int SeverityId = 10;

    /// <summary>int32: OCSF status_id.</summary>
    public const int StatusId = 11;

    /// <summary>int32: bits of <see cref="Events.LogKinds"/>.</summary>
    public const int Kinds = 12;

    /// <summary>int32: bits of <see cref="Events.MissingFields"/>.</summary>
    public const int Missing = 13;

    /// <summary>string, nullable: LOG-5 user id.</summary>
    public const int User = 14;

    /// <summary>string, nullable: LOG-5 IP address.</summary>
    public const int Ip = 15;

    /// <summary>string, nullable: LOG-5 action type.</summary>
    public const int Action = 16;

    /// <summary>string, nullable: LOG-5 action object.</summary>
    public const int Object = 17;

    /// <summary>string: redactions made, <c>rule=count,…</c>; empty when none.</summary>
    public const int Redactions = 18;

    /// <summary>string: the OCSF event, JSON, with references (<see cref="EventReferences"/>).</summary>
    public const int Event = 19;

    /// <summary>UUID, nullable: the first of the <see cref="Uuids"/> columns that <see cref="Event"/> refers to.</summary>
    public const int FirstUuid = 20;

    /// <summary>How many UUIDs of an event are stored as such.</summary>
    public const int Uuids = 4;

    /// <summary>Names of the columns, in file order.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        "leaf", "offset", "time", "ingested", "event_id", "class", "source", "format", "class_uid", "activity_id", "severity_id",
        "status_id", "kinds", "missing", "user", "ip", "action", "object", "redactions", "event", "uuid_1", "uuid_2", "uuid_3", "uuid_4",
    ];

    /// <summary>Columns of the view <c>events</c>: those up to <see cref="Event"/>.</summary>
    public static IEnumerable<int> Viewed => Enumerable.Range(0, FirstUuid);

    /// <summary>Columns with a bloom filter: what people look for by exact value.</summary>
    public static IReadOnlyList<int> BloomFilters { get; } = [EventId, User, Ip, Action, Object];

    /// <summary>
    /// Where a segment lies, below the hot folder and in the archive alike:
    /// <c>segments/class=…/date=YYYY-MM-DD/FIRSTLEAF-ROWS.parquet</c>.
    /// </summary>
    public static string PathOf(string @class, DateOnly date, long firstLeaf, long rows) => string.Create(
        CultureInfo.InvariantCulture, $"segments/class={@class}/date={date:yyyy-MM-dd}/{firstLeaf:D20}-{rows}.parquet");

    internal static bool IsText(int column) => column is >= EventId and <= Format or >= User and <= Event;

    internal static bool IsOptional(int column) => column is >= User and <= Object or >= FirstUuid;

    internal static bool IsUuid(int column) => column >= FirstUuid;

    internal const int UuidBytes = 16;

    internal static bool IsInt64(int column) => column <= Ingested;

    internal static PhysicalType TypeOf(int column) => IsText(column) ? PhysicalType.ByteArray
        : IsUuid(column) ? PhysicalType.FixedLenByteArray : IsInt64(column) ? PhysicalType.Int64 : PhysicalType.Int32;

    internal static GroupNode CreateNode() => new("event", Repetition.Required, [.. Enumerable.Range(0, Names.Count).Select(Column)]);

    /// <summary>
    /// Leaf and offset grow by small steps and times are close: delta encoding makes them almost nothing. Few-valued columns get a
    /// dictionary. Event and event id never repeat; their lengths stand apart from their bytes, which leaves zstd less to step over. The event's pages are large
    /// because zstd finds more repetition in them; no reader that we know of skips pages of a text column, so small ones would gain nothing.
    /// </summary>
    internal static WriterProperties CreateProperties(int compressionLevel)
    {
        using var builder = new WriterPropertiesBuilder();
        builder.Compression(Compression.Zstd).CompressionLevel(3).Version(ParquetVersion.PARQUET_2_6)
            .CreatedBy("logwarden").EnableStatistics().EnablePageChecksum().DataPagesize(8 * 1024 * 1024).WriteBatchSize(512)
            .DictionaryPagesizeLimit(1024 * 1024).MaxRowGroupLength(RowGroupRowsMax).SetMaxStatisticsSize(256)
            .SortingColumns([new WriterProperties.SortingColumn(Time, isDescending: false, nullsFirst: false)]);
        foreach (var column in (int[])[Leaf, Offset, Time, Ingested])
            builder.DisableDictionary(Names[column]).Encoding(Names[column], Encoding.DeltaBinaryPacked);
        foreach (var column in (int[])[EventId, Event]) builder.DisableDictionary(Names[column]).Encoding(Names[column], Encoding.DeltaLengthByteArray);
        builder.DisableStatistics(Names[Event]).CompressionLevel(Names[Event], compressionLevel);
        // Mostly random: what costs least time does no worse.
        builder.CompressionLevel(Names[EventId], 1);
        for (var column = FirstUuid; column < Names.Count; column++) builder.DisableDictionary(Names[column]).DisableStatistics(Names[column]).CompressionLevel(Names[column], 1);
        return builder.Build();
    }

    static PrimitiveNode Column(int column)
    {
        var repetition = IsOptional(column) ? Repetition.Optional : Repetition.Required;
        if (IsText(column))
        {
            using var text = LogicalType.String();
            return new(Names[column], repetition, text, PhysicalType.ByteArray);
        }
        if (IsUuid(column))
        {
            using var uuid = LogicalType.Uuid();
            return new(Names[column], repetition, uuid, PhysicalType.FixedLenByteArray, UuidBytes);
        }
        using var time = LogicalType.Timestamp(isAdjustedToUtc: true, TimeUnit.Micros);
        using var none = LogicalType.None();
        return new(Names[column], repetition, column is Time or Ingested ? time : none, TypeOf(column));
    }
}
