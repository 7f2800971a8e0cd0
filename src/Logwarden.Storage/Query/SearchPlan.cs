using System.Globalization;
using System.Text;
using Logwarden.Events;
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

    /// <summary>Whether the condition looks into the JSON, which costs a hundred times what a column costs.</summary>
    public bool ReadsJson { get; private init; }

    /// <summary>Earliest time included, in unix microseconds.</summary>
    public long MinMicros { get; private init; }

    /// <summary>Latest time, not included.</summary>
    public long EndMicros { get; private init; }

    /// <summary>Texts that the JSON of every match has in it, or has behind escapes; lower case. Empty when there is none that helps.</summary>
    public IReadOnlyList<byte[]> Texts { get; private init; } = [];

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

    /// <summary>Whether a class is that of what could not be taken in.</summary>
    public static bool IsQuarantine(string? @class) => string.Equals(@class, EventClasses.Quarantine, StringComparison.Ordinal);

    /// <summary>Plans a scope.</summary>
    /// <exception cref="QueryRefusedException">The filter has an error.</exception>
    public static SearchPlan Of(EventScope scope, HotSnapshot snapshot)
    {
        var parsed = PredicateParser.Parse(scope.Filter);
        if (parsed.Error is { } error) throw new QueryRefusedException(error.ToString());
        var sql = new StringBuilder();
        foreach (var bound in TimeConditions(scope)) sql.Append(bound).Append(" AND ");
        var parameters = new List<object>();
        if (scope.Class is not null) Equal("class", scope.Class);
        else sql.Append("\"class\" <> '" + EventClasses.Quarantine + "' AND ");
        if (scope.Source is not null) Equal("source", scope.Source);
        var (condition, values) = SqlWriter.Write(parsed.Predicate!);
        sql.Append('(').Append(condition).Append(')');
        parameters.AddRange(values);
        var (min, end) = Bounds(scope);
        return new(sql.ToString(), parameters, Possible(snapshot, scope, parsed.Predicate!))
        {
            IsByTimeOnly = parsed.Predicate is Predicate.Everything && scope.Source is null,
            ReadsJson = UsesJson(parsed.Predicate!),
            Texts = TextsOf(parsed.Predicate!),
            MinMicros = min,
            EndMicros = end,
        };

        void Equal(string column, string value)
        {
            sql.Append(CultureInfo.InvariantCulture, $"\"{column}\" = ? AND ");
            parameters.Add(value);
        }
    }

    /// <summary>
    /// Row groups put together to slices: a segment of which all row groups are taken is read whole. When the JSON is not looked at, every segment is: a scan of its
    /// small columns costs less than the planning of parts, and what is in the other row groups does not match.
    /// </summary>
    public List<SegmentSlice> Slices(IEnumerable<Candidate> candidates)
    {
        var slices = new List<SegmentSlice>();
        if (!ReadsJson) return [.. candidates.Select(candidate => candidate.Segment).Distinct().Select(segment => new SegmentSlice(segment, []))];
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

    /// <summary>Earliest time of a scope, and the time behind its latest, in unix microseconds.</summary>
    public static (long Min, long End) Bounds(EventScope scope)
    {
        return (Micros(scope.From, long.MinValue), Micros(scope.To, long.MaxValue));

        static long Micros(DateTimeOffset? time, long otherwise) => time is { } instant ? UnixMicros.Of(instant) : otherwise;
    }

    /// <summary>The same as conditions on rows; none where the scope has no bound.</summary>
    public static IEnumerable<string> TimeConditions(EventScope scope)
    {
        var (min, end) = Bounds(scope);
        if (scope.From is not null) yield return string.Create(CultureInfo.InvariantCulture, $"time >= make_timestamptz({min}::BIGINT)");
        if (scope.To is not null) yield return string.Create(CultureInfo.InvariantCulture, $"time < make_timestamptz({end}::BIGINT)");
    }

    /// <summary>Segments that can have events of a scope, by class and time. What could not be taken in is only in a scope that names its class.</summary>
    public static IEnumerable<HotSegment> Segments(HotSnapshot snapshot, EventScope scope)
    {
        var (min, end) = Bounds(scope);
        return snapshot.Segments.Where(segment =>
            (scope.Class is null ? !IsQuarantine(segment.Class) : string.Equals(scope.Class, segment.Class, StringComparison.Ordinal))
            && segment.MaxTimeMicros >= min && segment.MinTimeMicros < end);
    }

    static bool UsesJson(Predicate predicate) => predicate switch
    {
        Predicate.AllOf all => all.Parts.Any(UsesJson),
        Predicate.AnyOf any => any.Parts.Any(UsesJson),
        Predicate.Negation not => UsesJson(not.Part),
        Predicate.FreeText or Predicate.FieldTest { Field: Field.Path } or Predicate.Has { Field: Field.Path } => true,
        _ => false,
    };

    static List<byte[]> TextsOf(Predicate predicate)
    {
        var parts = predicate is Predicate.AllOf all ? [.. all.Parts] : (IReadOnlyList<Predicate>)[predicate];
        return [.. parts.OfType<Predicate.FreeText>().Select(text => JsonScan.LongestPlainRun(text.Pattern)).Where(text => text.Length > 0).Select(Encoding.UTF8.GetBytes)];
    }

    static List<Candidate> Possible(HotSnapshot snapshot, EventScope scope, Predicate predicate)
    {
        var candidates = new List<Candidate>();
        var (min, end) = Bounds(scope);
        foreach (var segment in Segments(snapshot, scope))
        {
            var matching = TextPruning.Candidates(predicate, segment);
            for (var i = 0; i < segment.RowGroups.Length; i++)
            {
                if (matching is not null && !matching[i]) continue;
                if (segment.RowGroups[i].MaxTimeMicros >= min && segment.RowGroups[i].MinTimeMicros < end) candidates.Add(new(segment, i));
            }
        }
        return candidates;
    }
}
