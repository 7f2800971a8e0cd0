using System.Text;
using Logwarden.Events;
using Logwarden.Match;
using Logwarden.Policy;

namespace Logwarden.Watchers;

/// <summary>What depends on a source, and is blind or incomplete while it is silent.</summary>
/// <param name="Clauses">Clauses of the policy: LOG-1..4 that its events are instances of, DST of the routes that take them, RET of their classes. In the policy's order.</param>
/// <param name="Classes">Policy classes of its events.</param>
/// <param name="Rules">Detection rules and assets that need it.</param>
public sealed record BlastRadius(IReadOnlyList<string> Clauses, IReadOnlyList<string> Classes, IReadOnlyList<string> Rules)
{
    /// <summary>Nothing does.</summary>
    public static BlastRadius Nothing { get; } = new([], [], []);

    /// <summary>Of what the source usually sends.</summary>
    /// <param name="parts">What it sends.</param>
    /// <param name="policy">Policy in force.</param>
    /// <param name="rules">Rules and assets that need the source.</param>
    /// <remarks>Routes are asked with class, format and kinds alone: one that asks for more does so in vain.</remarks>
    public static BlastRadius Of(IReadOnlyList<SourcePart> parts, PolicySnapshot policy, IReadOnlyList<string> rules)
    {
        var clauses = new HashSet<string>(StringComparer.Ordinal);
        var classes = parts.Select(part => part.Class).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToArray();
        var routes = policy.Routes.Select(route => (route.Clause, Matcher: Matcher.Compile(route.When))).ToArray();
        foreach (var part in parts)
        {
            for (var i = 0; i < EventJson.KindNames.Count; i++)
            {
                if (((int)part.Kinds & (1 << i)) != 0) clauses.Add(EventJson.KindNames[i]);
            }
            if (policy.Classes.FirstOrDefault(one => string.Equals(one.Name, part.Class, StringComparison.Ordinal)) is { } known) clauses.Add(known.Clause);
            var sample = new StoredEvent { Class = Encoding.UTF8.GetBytes(part.Class), Format = Encoding.UTF8.GetBytes(part.Format), Kinds = part.Kinds, Json = "{}"u8 };
            foreach (var (clause, matcher) in routes)
            {
                if (matcher.Matches(sample)) clauses.Add(clause);
            }
        }
        return new([.. policy.Clauses.Select(clause => clause.Id).Where(clauses.Contains)], classes, rules);
    }
}
