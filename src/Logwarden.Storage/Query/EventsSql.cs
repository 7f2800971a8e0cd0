using System.Globalization;
using System.Text;
using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Segments;

namespace Logwarden.Query;

/// <summary>Rows of a segment to be read: all, or some.</summary>
/// <param name="Segment">Segment.</param>
/// <param name="Leaves">First and last leaf of each run of rows; empty for the whole file.</param>
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
        var whole = segments.Where(slice => slice.Leaves.Count == 0).ToList();
        if (whole.Count > 0) Part(sql, Files(whole), isTail: false);
        // Leaves are unique in a class, so one scan takes single rows of several segments of it.
        foreach (var @class in segments.Where(slice => slice.Leaves.Count > 0).GroupBy(slice => slice.Segment.Class, StringComparer.Ordinal))
        {
            var runs = @class.SelectMany(slice => slice.Leaves.Select(run => (slice, run))).ToList();
            var (ranges, single) = (runs.Where(part => part.run.First < part.run.Last).ToList(), runs.Where(part => part.run.First == part.run.Last).ToList());
            // DuckDB leaves row groups out by one range, not by several joined with OR.
            foreach (var (slice, run) in ranges)
            {
                Part(sql, Files([slice]), isTail: false);
                sql.Append(CultureInfo.InvariantCulture, $" WHERE leaf BETWEEN {run.First} AND {run.Last}");
            }
            if (single.Count == 0) continue;
            Part(sql, Files(single.Select(part => part.slice)), isTail: false);
            sql.Append(" WHERE leaf IN (").AppendJoin(", ", single.Select(part => part.run.First.ToString(CultureInfo.InvariantCulture))).Append(')');
        }
        if (tail is not null) Part(sql, tail, isTail: true);
        if (tail is not null && !quarantined) sql.Append(" WHERE \"class\" <> '" + EventClasses.Quarantine + "'");
        if (sql.Length == 0) return Nothing();
        return sql.ToString();
    }

    /// <summary>The view <c>events</c>: what is in a scope, whose filter is not looked at.</summary>
    public static string View(HotSnapshot snapshot, EventScope scope)
    {
        var slices = SearchPlan.Segments(snapshot, scope).Select(segment => new SegmentSlice(segment, [])).ToList();
        var conditions = new List<string>();
        if (scope.Class is not null) conditions.Add("\"class\" = " + HotDatabase.Literal(scope.Class));
        if (scope.Source is not null) conditions.Add("source = " + HotDatabase.Literal(scope.Source));
        conditions.AddRange(SearchPlan.TimeConditions(scope));
        var rows = Rows(slices, snapshot.Tail, quarantined: SearchPlan.IsQuarantine(scope.Class));
        return conditions.Count == 0 ? rows : $"SELECT * FROM ({rows}) WHERE {string.Join(" AND ", conditions)}";
    }

    static string Files(IEnumerable<SegmentSlice> slices) =>
        $"read_parquet([{string.Join(", ", slices.Select(slice => HotDatabase.Literal(slice.Segment.Path)).Distinct(StringComparer.Ordinal))}], hive_partitioning = false)";

    static void Part(StringBuilder sql, string from, bool isTail)
    {
        sql.Append(sql.Length == 0 ? "SELECT " : " UNION ALL SELECT ");
        foreach (var column in SegmentSchema.Viewed)
        {
            if (column > 0) sql.Append(", ");
            var name = $"\"{SegmentSchema.Names[column]}\"";
            if (isTail && column == SegmentSchema.Leaf) sql.Append("NULL::BIGINT AS ");
            else if (isTail && column is SegmentSchema.Time or SegmentSchema.Ingested) sql.Append(CultureInfo.InvariantCulture, $"make_timestamptz({name}) AS ");
            else if (!isTail && column == SegmentSchema.Event) sql.Append(EventFunction.Sql).Append(" AS ");
            sql.Append(name);
        }
        sql.Append(" FROM ").Append(from);
    }

    static string Nothing() => "SELECT " + string.Join(", ", SegmentSchema.Viewed
        .Select(column => $"NULL::{Type(column)} AS \"{SegmentSchema.Names[column]}\"")) + " WHERE false";

    static string Type(int column) => column is SegmentSchema.Time or SegmentSchema.Ingested ? "TIMESTAMPTZ"
        : SegmentSchema.IsText(column) ? "VARCHAR" : SegmentSchema.IsInt64(column) ? "BIGINT" : "INTEGER";
}
