using Logwarden.Archive;
using Logwarden.Match;

namespace Logwarden.Catalog;

/// <summary>Which sealed segments can have a match of a predicate, by what their seal's record tells: class and times. Leaves out only what can't match.</summary>
public static class SegmentScope
{
    /// <summary>False when no event of the segment can match.</summary>
    public static bool MayMatch(Predicate predicate, SealedSegment segment) => predicate switch
    {
        Predicate.AllOf all => all.Parts.All(part => MayMatch(part, segment)),
        Predicate.AnyOf any => any.Parts.Any(part => MayMatch(part, segment)),
        Predicate.FieldTest { Field: Field.Column { Name: EventColumn.Class } } test => test.Tests.Any(one => MayBe(one, segment.Class)),
        Predicate.FieldTest { Field: Field.Column { Name: EventColumn.Time } } test => test.Tests.Any(one => MayBe(one, segment.MinTime, segment.MaxTime)),
        _ => true,
    };

    static bool MayBe(ValueTest test, string @class) => test switch
    {
        ValueTest.EqualTo equal => string.Equals(equal.Text, @class, StringComparison.OrdinalIgnoreCase),
        ValueTest.Exactly exactly => string.Equals(exactly.Text, @class, StringComparison.Ordinal),
        _ => true,
    };

    static bool MayBe(ValueTest test, long min, long max) => test is not ValueTest.WholeRange range || !(range.Min > max || range.Max < min);
}
