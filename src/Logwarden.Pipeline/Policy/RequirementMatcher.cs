using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Policy;

/// <summary>Some of a policy's requirements, by their place in it.</summary>
/// <param name="Bits">Bit n is the requirement with index n.</param>
public readonly record struct RequirementSet(ulong Bits)
{
    /// <summary>None of them.</summary>
    public bool IsEmpty => Bits == 0;

    /// <summary>Whether the one with this index is in it.</summary>
    public bool Has(int index) => (Bits >> index & 1) != 0;

    /// <summary>Those of both.</summary>
    public RequirementSet With(RequirementSet other) => new(Bits | other.Bits);

    /// <summary>Those that the other does not have.</summary>
    public RequirementSet Without(RequirementSet other) => new(Bits & ~other.Bits);
}

/// <summary>
/// Tells which requirements of a policy (RET-6) apply to events. Compiled once, immutable, thread-safe; allocates nothing per event, and costs nothing where no
/// requirement has a predicate.
/// </summary>
public sealed class RequirementMatcher
{
    /// <summary>Most requirements that a policy may have.</summary>
    public const int RequirementsMax = 64;

    readonly ValueList<RetentionRequirement> _requirements;
    readonly Matcher?[] _matchers;

    /// <summary>Compiles the requirements of a policy.</summary>
    public RequirementMatcher(PolicySnapshot policy)
    {
        _requirements = policy.Requirements;
        _matchers = [.. _requirements.Select(one => one.When is null ? null : Matcher.Compile(one.When))];
    }

    /// <summary>Those that apply to every event of a class.</summary>
    public RequirementSet Always(string @class) => Where(@class, hasPredicate: false);

    /// <summary>Those that apply to some events of a class: whoever has the events must ask <see cref="Match"/>.</summary>
    public RequirementSet Sometimes(string @class) => Where(@class, hasPredicate: true);

    /// <summary>Which of these an event matches.</summary>
    /// <param name="e">Event.</param>
    /// <param name="among">Of those that <see cref="Sometimes"/> gave; the others are not looked at.</param>
    public RequirementSet Match(in StoredEvent e, RequirementSet among)
    {
        var matched = 0UL;
        for (var bits = among.Bits; bits != 0; bits &= bits - 1)
        {
            var index = System.Numerics.BitOperations.TrailingZeroCount(bits);
            if (_matchers[index]!.Matches(e)) matched |= 1UL << index;
        }
        return new(matched);
    }

    RequirementSet Where(string @class, bool hasPredicate)
    {
        var bits = 0UL;
        for (var i = 0; i < _matchers.Length; i++)
        {
            var one = _requirements[i];
            if ((one.When is not null) == hasPredicate && (one.Class is null || string.Equals(one.Class, @class, StringComparison.Ordinal))) bits |= 1UL << i;
        }
        return new(bits);
    }
}
