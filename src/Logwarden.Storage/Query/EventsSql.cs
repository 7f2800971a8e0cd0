using System.Globalization;
using System.Text;
using Logwarden.Hot;
using Logwarden.Segments;

namespace Logwarden.Query;

/// <summary>Rows of a segment to be read: all, or runs of row groups.</summary>
/// <param name="Segment">Segment.</param>
/// <param name="Leaves">First and last leaf of each run; empty for the whole file.</param>
readonly record struct SegmentSlice(HotSegment Segment, IReadOnlyList<(long First, long Last)> Leaves);

/// <summary>Writes the rows to be searched as SQL: the columns of the view <c>events</c>, from segments and from the tail.</summary>
static class EventsSql
{
    /// <summary>A query that gives the events of these segments and of the tail.</summary>
    /// <param name="segments">Parts of segments.</param>
    /// <param name="tail">Table of the tail; null leaves it out.</param>
    /// <param name="quarantined">Whether the tail's records that could not be taken in are among them; segments are of one class, so their choice is the caller's.</param>
    public static string Rows(IReadOnlyList<SegmentSlice> segments, string? tail, bool quarantined)
    {
        var sql = new StringBuilder();
        var whole = segments.Where(slice => slice.Leaves.Count == 0).Select(slice => HotDatabase.Literal(slice.Segment.Path)).ToList();
        if (whole.Count > 0) Part(sql, $"read_parquet([{string.Join(", ", whole)}], hive_partitioning = false)", isTail: false);
        foreach (var (segment, leaves) in segments)
        {
            foreach (var (first, last) in leaves)
            {
                Part(sql, $"read_parquet({HotDatabase.Literal(segment.Path)}, hive_partitioning = false)", isTail: false);
                sql.Append(CultureInfo.InvariantCulture, $" WHERE leaf BETWEEN {first} AND {last}");
            }
        }
        if (tail is not null) Part(sql, tail, isTail: true);
        if (tail is not null && !quarantined) sql.Append(" WHERE \"class\" <> 'quarantine'");
        if (sql.Length == 0) return Nothing();
        return sql.ToString();
    }

    static void Part(StringBuilder sql, string from, bool isTail)
    {
        sql.Append(sql.Length == 0 ? "SELECT " : " UNION ALL SELECT ");
        for (var column = 0; column < SegmentSchema.Names.Count; column++)
        {
            if (column > 0) sql.Append(", ");
            var name = $"\"{SegmentSchema.Names[column]}\"";
            if (isTail && column == SegmentSchema.Leaf) sql.Append("NULL::BIGINT AS ");
            else if (isTail && column is SegmentSchema.Time or SegmentSchema.Ingested) sql.Append(CultureInfo.InvariantCulture, $"make_timestamptz({name}) AS ");
            sql.Append(name);
        }
        sql.Append(" FROM ").Append(from);
    }

    static string Nothing() => "SELECT " + string.Join(", ", Enumerable.Range(0, SegmentSchema.Names.Count)
        .Select(column => $"NULL::{Type(column)} AS \"{SegmentSchema.Names[column]}\"")) + " WHERE false";

    static string Type(int column) => column is SegmentSchema.Time or SegmentSchema.Ingested ? "TIMESTAMPTZ"
        : SegmentSchema.IsText(column) ? "VARCHAR" : SegmentSchema.IsInt64(column) ? "BIGINT" : "INTEGER";
}
