using Logwarden.Events;

namespace Logwarden.Match;

/// <summary>
/// Does this event match? The one syntax tree behind query filters, classification, routes and every later rule; its text form
/// is described in <c>docs/query-language.md</c>. Trees are values: equal when they say the same in the same order.
/// </summary>
public abstract record Predicate
{
    Predicate()
    {
    }

    /// <summary>All of <paramref name="parts"/>; a single part is itself, none is everything, nested lists are flattened.</summary>
    public static Predicate All(params ReadOnlySpan<Predicate> parts)
    {
        var flat = new List<Predicate>(parts.Length);
        foreach (var part in parts)
        {
            if (part is AllOf inner) flat.AddRange(inner.Parts);
            else flat.Add(part);
        }
        return flat.Count switch { 0 => new Everything(), 1 => flat[0], _ => new AllOf([.. flat]) };
    }

    /// <summary>At least one of <paramref name="parts"/>; a single part is itself, nested lists are flattened.</summary>
    /// <exception cref="ArgumentException">There are no parts.</exception>
    public static Predicate Any(params ReadOnlySpan<Predicate> parts)
    {
        if (parts.IsEmpty) throw new ArgumentException("A choice needs at least one part.", nameof(parts));
        var flat = new List<Predicate>(parts.Length);
        foreach (var part in parts)
        {
            if (part is AnyOf inner) flat.AddRange(inner.Parts);
            else flat.Add(part);
        }
        return flat.Count == 1 ? flat[0] : new AnyOf([.. flat]);
    }

    /// <summary>The canonical text, which parses to an equal tree.</summary>
    public sealed override string ToString() => PredicatePrinter.Print(this);

    /// <summary><c>*</c>: every event.</summary>
    public sealed record Everything : Predicate;

    /// <summary><c>a b</c>: all parts hold. At least two, none of them an <see cref="AllOf"/>.</summary>
    /// <param name="Parts">Parts in the order written.</param>
    public sealed record AllOf(ValueList<Predicate> Parts) : Predicate;

    /// <summary><c>a OR b</c>: one part holds. At least two, none of them an <see cref="AnyOf"/>.</summary>
    /// <param name="Parts">Parts in the order written.</param>
    public sealed record AnyOf(ValueList<Predicate> Parts) : Predicate;

    /// <summary><c>NOT a</c>: true whenever <paramref name="Part"/> is not, also for events that lack its fields.</summary>
    /// <param name="Part">What must not hold.</param>
    public sealed record Negation(Predicate Part) : Predicate;

    /// <summary><c>exists(field)</c>: the field has a value that is neither null nor an empty text.</summary>
    /// <param name="Field">Field.</param>
    public sealed record Has(Field Field) : Predicate;

    /// <summary><c>field = value</c>, <c>field in (…)</c> and the like: some value of the field passes one of the tests.</summary>
    /// <param name="Field">Field.</param>
    /// <param name="Tests">At least one.</param>
    public sealed record FieldTest(Field Field, ValueList<ValueTest> Tests) : Predicate;

    /// <summary><c>kind in (LOG-1, LOG-3)</c>: the event is of one of these kinds. None stands for events of no kind.</summary>
    /// <param name="Kinds">Kinds; <see cref="LogKinds.None"/> means "of no kind".</param>
    public sealed record KindTest(LogKinds Kinds) : Predicate;

    /// <summary><c>missing in (ip, user)</c>: one of these LOG-5 fields is missing. None stands for complete events.</summary>
    /// <param name="Fields">Fields; <see cref="MissingFields.None"/> means "nothing is missing".</param>
    public sealed record MissingTest(MissingFields Fields) : Predicate;

    /// <summary>A word or phrase: some text value of the JSON, at any depth, contains it. Case does not matter.</summary>
    /// <param name="Pattern">What to find. Not empty.</param>
    public sealed record FreeText(TextPattern Pattern) : Predicate;
}

/// <summary>One test on one value of a field.</summary>
public abstract record ValueTest
{
    ValueTest()
    {
    }

    /// <summary>
    /// <c>= text</c>: the same text but for case; a JSON number when <paramref name="Text"/> is the same number; a JSON boolean
    /// when it is <c>true</c> or <c>false</c>.
    /// </summary>
    /// <param name="Text">Text.</param>
    public sealed record EqualTo(string Text) : ValueTest;

    /// <summary><c>== text</c>: the same text, byte for byte.</summary>
    /// <param name="Text">Text.</param>
    public sealed record Exactly(string Text) : ValueTest;

    /// <summary><c>= a*</c>: a text that fits the pattern as a whole; case does not matter.</summary>
    /// <param name="Pattern">Pattern with at least one wildcard.</param>
    public sealed record Fits(TextPattern Pattern) : ValueTest;

    /// <summary><c>in 10.0.0.0/8</c>: a text that is an IP address in the network.</summary>
    /// <param name="Network">Network; a single address is a network of one.</param>
    public sealed record InNetwork(IpNetwork Network) : ValueTest;

    /// <summary>Whole numbers of a column, both bounds included. Times are unix microseconds.</summary>
    /// <param name="Min">Lowest; null is no bound.</param>
    /// <param name="Max">Highest; null is no bound.</param>
    public sealed record WholeRange(long? Min, long? Max) : ValueTest;

    /// <summary>JSON numbers, compared as IEEE doubles.</summary>
    /// <param name="Min">Lower bound; null is no bound.</param>
    /// <param name="MinIncluded">Whether the lower bound itself passes.</param>
    /// <param name="Max">Upper bound; null is no bound.</param>
    /// <param name="MaxIncluded">Whether the upper bound itself passes.</param>
    public sealed record RealRange(double? Min, bool MinIncluded, double? Max, bool MaxIncluded) : ValueTest;
}
