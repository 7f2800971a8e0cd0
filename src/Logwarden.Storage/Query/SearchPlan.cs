using System.Globalization;
using System.Text;
using Logwarden.Hot;
using Logwarden.Match;

namespace Logwarden.Query;

/// <summary>A scope made ready: its condition as SQL, and the parts of segments that can have matches.</summary>
sealed class SearchPlan
{
    SearchPlan(string condition, IReadOnlyList<object> parameters, List<Candidate> candidates)
    {
        (Condition, Parameters, Candidates) = (condition, parameters, candidates);
        SegmentsRead = candidates.Select(candidate => candidate.Segment).Distinct().Count();
    }

    /// <summary>True when only times and the class decide, which row groups tell of all their rows at once.</summary>
    public bool IsByTimeOnly { get; private init; }

    /// <summary>Earliest time included, in unix microseconds.</summary>
    public long MinMicros { get; private init; }

    /// <summary>Latest time, not included.</summary>
    public long EndMicros { get; private init; }

    /// <summary>Condition on the rows of <see cref="EventsSql.Rows"/>.</summary>
    public string Condition { get; }

    /// <summary>Values of its question marks.</summary>
    public IReadOnlyList<object> Parameters { get; }

    /// <summary>Row groups that can have matches.</summary>
    public IReadOnlyList<Candidate> Candidates { get; }

    /// <summary>Segments that they are in.</summary>
    public int SegmentsRead { get; }

    /// <summary>A row group to be read.</summary>
    /// <param name="Segment">Its segment.</param>
    /// <param name="Index">Its index in it.</param>
    public readonly record struct Candidate(HotSegment Segment, int Index)
    {
        public HotRowGroup Group => Segment.RowGroups[Index];
    }

    /// <summary>Class of what could not be taken in: only who asks for it by name is shown it.</summary>
    const string Quarantine = "quarantine";

    /// <summary>Whether a segment holds what could not be taken in.</summary>
    public static bool IsQuarantine(HotSegment segment) => string.Equals(segment.Class, Quarantine, StringComparison.Ordinal);

    /// <summary>Plans a scope.</summary>
    /// <exception cref="QueryRefusedException">The filter has an error.</exception>
    public static SearchPlan Of(EventScope scope, HotSnapshot snapshot)
    {
        var parsed = PredicateParser.Parse(scope.Filter);
        if (parsed.Error is { } error) throw new QueryRefusedException(error.ToString());
        var sql = new StringBuilder();
        var (min, max) = (Micros(scope.From, long.MinValue), Micros(scope.To, long.MaxValue));
        if (scope.From is not null) sql.Append(CultureInfo.InvariantCulture, $"time >= make_timestamptz({min}::BIGINT) AND ");
        if (scope.To is not null) sql.Append(CultureInfo.InvariantCulture, $"time < make_timestamptz({max}::BIGINT) AND ");
        var parameters = new List<object>();
        if (scope.Class is not null) Equal("class", scope.Class);
        else sql.Append("\"class\" <> 'quarantine' AND ");
        if (scope.Source is not null) Equal("source", scope.Source);
        var (condition, values) = SqlWriter.Write(parsed.Predicate!);
        sql.Append('(').Append(condition).Append(')');
        parameters.AddRange(values);
        return new(sql.ToString(), parameters, Possible(snapshot, scope, parsed.Predicate!, min, max))
        {
            IsByTimeOnly = parsed.Predicate is Predicate.Everything && scope.Source is null,
            MinMicros = min,
            EndMicros = max,
        };

        void Equal(string column, string value)
        {
            sql.Append(CultureInfo.InvariantCulture, $"\"{column}\" = ? AND ");
            parameters.Add(value);
        }
    }

    /// <summary>Row groups put together to slices: a segment of which all row groups are taken is read whole.</summary>
    public static List<SegmentSlice> Slices(IEnumerable<Candidate> candidates)
    {
        var slices = new List<SegmentSlice>();
        foreach (var segment in candidates.GroupBy(candidate => candidate.Segment))
        {
            var indexes = segment.Select(candidate => candidate.Index).Order().ToArray();
            var runs = new List<(long, long)>();
            for (var i = 0; indexes.Length < segment.Key.RowGroups.Length && i < indexes.Length;)
            {
                var first = i++;
                while (i < indexes.Length && indexes[i] == indexes[i - 1] + 1) i++;
                runs.Add((segment.Key.RowGroups[indexes[first]].FirstLeaf, segment.Key.RowGroups[indexes[i - 1]].LastLeaf));
            }
            slices.Add(new(segment.Key, runs));
        }
        return slices;
    }

    internal static long Micros(DateTimeOffset? time, long otherwise) =>
        time is { } instant ? (instant.UtcTicks - DateTimeOffset.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond : otherwise;

    static List<Candidate> Possible(HotSnapshot snapshot, EventScope scope, Predicate predicate, long min, long max)
    {
        var candidates = new List<Candidate>();
        foreach (var segment in snapshot.Segments)
        {
            if (scope.Class is null ? IsQuarantine(segment) : !string.Equals(scope.Class, segment.Class, StringComparison.Ordinal)) continue;
            if (segment.MaxTimeMicros < min || segment.MinTimeMicros >= max) continue;
            var matching = TextPruning.Candidates(predicate, segment);
            for (var i = 0; i < segment.RowGroups.Length; i++)
            {
                if (matching is not null && !matching[i]) continue;
                if (segment.RowGroups[i].MaxTimeMicros >= min && segment.RowGroups[i].MinTimeMicros < max) candidates.Add(new(segment, i));
            }
        }
        return candidates;
    }
}
