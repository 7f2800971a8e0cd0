using System.Text;
using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Policy;

/// <summary>Gives each event its class: the first rule that matches. Immutable, thread-safe, allocates nothing per event.</summary>
public sealed class PolicyClassifier
{
    readonly Matcher[] _matchers;
    readonly byte[][] _names;

    /// <summary>Compiles the rules of a policy.</summary>
    public PolicyClassifier(PolicySnapshot policy)
    {
        _matchers = [.. policy.Classify.Select(rule => Matcher.Compile(rule.When))];
        _names = [.. policy.Classify.Select(rule => Encoding.UTF8.GetBytes(rule.Class)), Encoding.UTF8.GetBytes(policy.Otherwise)];
    }

    /// <summary>Name of the event's class, as UTF-8. The event's own <see cref="StoredEvent.Class"/> is not looked at.</summary>
    public ReadOnlySpan<byte> Classify(scoped in StoredEvent e)
    {
        for (var i = 0; i < _matchers.Length; i++)
        {
            if (_matchers[i].Matches(e)) return _names[i];
        }
        return _names[^1];
    }
}
