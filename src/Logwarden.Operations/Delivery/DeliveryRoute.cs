using Logwarden.Events;
using Logwarden.Match;
using Logwarden.Policy;

namespace Logwarden.Delivery;

/// <summary>Which events a destination gets: those of every route of the policy that names it, and of its own filter. Immutable and thread-safe.</summary>
public sealed class DeliveryRoute
{
    readonly Matcher[] _matchers;

    DeliveryRoute(IReadOnlyList<Predicate> predicates)
    {
        _matchers = [.. predicates.Select(Matcher.Compile)];
        Text = string.Join('\n', predicates.Select(predicate => predicate.ToString()));
    }

    /// <summary>The routes as text, a line each; <see cref="Parse"/> reads it.</summary>
    public string Text { get; }

    /// <summary>Whether nothing goes there at all.</summary>
    public bool IsEmpty => _matchers.Length == 0;

    /// <summary>Reads the policy.</summary>
    /// <param name="policy">Policy in force.</param>
    /// <param name="destination">Name of the destination.</param>
    /// <param name="own">What it gets besides; null is nothing.</param>
    public static DeliveryRoute Of(PolicySnapshot policy, string destination, Predicate? own = null)
    {
        var routes = policy.Routes.Where(route => route.To.Contains(destination, StringComparer.Ordinal)).Select(route => route.When);
        return new([.. routes.Concat(own is null ? [] : [own])]);
    }

    /// <summary>Reads <see cref="Text"/>.</summary>
    /// <exception cref="InvalidDataException">It is not one.</exception>
    public static DeliveryRoute Parse(string text) => new([.. text.Split('\n', StringSplitOptions.RemoveEmptyEntries)
        .Select(line => PredicateParser.Parse(line) is { Error: null, Value: { } predicate } ? predicate : throw new InvalidDataException($"`{line}` is no predicate."))]);

    /// <summary>Whether the destination gets it.</summary>
    public bool Takes(in StoredEvent e)
    {
        foreach (var matcher in _matchers)
        {
            if (matcher.Matches(e)) return true;
        }
        return false;
    }
}
