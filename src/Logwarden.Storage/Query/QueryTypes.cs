using Logwarden.Events;

namespace Logwarden.Query;

/// <summary>Which events a query is about. All conditions must hold.</summary>
public sealed record EventScope
{
    /// <summary>Filter text (<c>docs/query-language.md</c>); empty for every event.</summary>
    public string Filter { get; init; } = "";

    /// <summary>Earliest event time, included; null for no bound.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Latest event time, not included; null for no bound.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>Policy class; null for all.</summary>
    public string? Class { get; init; }

    /// <summary>Source id; null for all.</summary>
    public string? Source { get; init; }
}

/// <summary>One page of events to find.</summary>
public sealed record SearchRequest
{
    /// <summary>Events on a page at most.</summary>
    public const int LimitMax = 10_000;

    /// <summary>Which events.</summary>
    public EventScope Scope { get; init; } = new();

    /// <summary>Events on the page, 1 to <see cref="LimitMax"/>. Default 100.</summary>
    public int Limit { get; init; } = 100;

    /// <summary><see cref="SearchPage.NextCursor"/> of the page before; null for the first page.</summary>
    public string? Cursor { get; init; }
}

/// <summary>What a query read.</summary>
/// <param name="Segments">Segments that there are.</param>
/// <param name="SegmentsRead">Of them read.</param>
/// <param name="RowGroups">Row groups that there are.</param>
/// <param name="RowGroupsRead">Of them read.</param>
/// <param name="TailRows">Events that were not in a segment yet.</param>
public sealed record ScanStatistics(int Segments, int SegmentsRead, int RowGroups, int RowGroupsRead, long TailRows);

/// <summary>Events, newest first.</summary>
/// <param name="Rows">Events.</param>
/// <param name="NextCursor">Continues behind the last row; null when there are no more events.</param>
/// <param name="Scanned">What was read for it.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record SearchPage(IReadOnlyList<EventRow> Rows, string? NextCursor, ScanStatistics Scanned, TimeSpan Elapsed);

/// <summary>One event of the hot store.</summary>
public sealed record EventRow
{
    /// <summary>Index in its class's Merkle tree; null while it is not sealed.</summary>
    public required long? Leaf { get; init; }

    /// <summary>Journal offset.</summary>
    public required long Offset { get; init; }

    /// <summary>When it happened: unix microseconds.</summary>
    public required long TimeMicros { get; init; }

    /// <summary>When it was accepted: unix microseconds.</summary>
    public required long IngestedMicros { get; init; }

    /// <summary>Id of the event.</summary>
    public required string EventId { get; init; }

    /// <summary>Policy class.</summary>
    public required string Class { get; init; }

    /// <summary>Source id.</summary>
    public required string Source { get; init; }

    /// <summary>Input format.</summary>
    public required string Format { get; init; }

    /// <summary>LOG-1..4 kinds.</summary>
    public required LogKinds Kinds { get; init; }

    /// <summary>LOG-5 fields that it lacks.</summary>
    public required MissingFields Missing { get; init; }

    /// <summary>LOG-5 user id.</summary>
    public required string? User { get; init; }

    /// <summary>LOG-5 IP address.</summary>
    public required string? Ip { get; init; }

    /// <summary>LOG-5 action type.</summary>
    public required string? Action { get; init; }

    /// <summary>LOG-5 action object.</summary>
    public required string? Object { get; init; }

    /// <summary>Redactions made, <c>rule=count,…</c>; empty when none.</summary>
    public required string Redactions { get; init; }

    /// <summary>The OCSF event, JSON.</summary>
    public required string Event { get; init; }

    /// <summary><see cref="TimeMicros"/> as an instant.</summary>
    public DateTimeOffset Time => UnixMicros.ToInstant(TimeMicros);
}

/// <summary>Events per stretch of time.</summary>
/// <param name="Buckets">All buckets in order of time, empty ones too.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record Histogram(IReadOnlyList<HistogramBucket> Buckets, TimeSpan Elapsed);

/// <summary>One bar of a histogram.</summary>
/// <param name="From">Start, included.</param>
/// <param name="To">End, not included.</param>
/// <param name="Count">Events.</param>
public readonly record struct HistogramBucket(DateTimeOffset From, DateTimeOffset To, long Count);

/// <summary>Values of a field, the most frequent first.</summary>
/// <param name="Field">Field.</param>
/// <param name="Values">Values; null stands for events that lack the field.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record TopValues(string Field, IReadOnlyList<TopValue> Values, TimeSpan Elapsed);

/// <summary>A value and how often it is there.</summary>
/// <param name="Value">Value.</param>
/// <param name="Count">Events.</param>
public readonly record struct TopValue(string? Value, long Count);

/// <summary>The answer to SQL, whole.</summary>
/// <param name="Columns">Names of its columns.</param>
/// <param name="Rows">Rows; values are texts, numbers, truth values, instants, lists or null.</param>
/// <param name="Truncated">True when there was more than <see cref="QueryLimits.SqlRowsMax"/> and <see cref="QueryLimits.SqlBytesMax"/> allow.</param>
/// <param name="Elapsed">How long it took.</param>
public sealed record SqlAnswer(IReadOnlyList<string> Columns, IReadOnlyList<object?[]> Rows, bool Truncated, TimeSpan Elapsed);

/// <summary>Bounds of queries.</summary>
public sealed record QueryLimits
{
    /// <summary>Rows that SQL may give. Default 10,000.</summary>
    public int SqlRowsMax { get; init; } = 10_000;

    /// <summary>Bytes of the values that SQL may give, about. Default 64 MiB.</summary>
    public long SqlBytesMax { get; init; } = 64L << 20;

    /// <summary>How long a query may run. Default 30 s.</summary>
    public TimeSpan TimeMax { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Queries that run at the same time; more wait. Default 4.</summary>
    public int ConcurrentMax { get; init; } = 4;
}

/// <summary>A query can't be answered as asked: the message says what is wrong with it, for the one who asked.</summary>
public sealed class QueryRefusedException : Exception
{
    /// <param name="message">What is wrong and what would be right.</param>
    public QueryRefusedException(string message)
        : base(message)
    {
    }

    /// <param name="message">What is wrong and what would be right.</param>
    /// <param name="cause">What the database said.</param>
    public QueryRefusedException(string message, Exception cause)
        : base(message, cause)
    {
    }
}
