using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Archive;

/// <summary>
/// The legal holds that a seal's events are looked at with, while they are cut into segments: a segment with an event of one of them is put under legal hold. An event costs
/// nothing when there is no hold, and nothing more for a hold that its segment is under already.
/// </summary>
/// <param name="holds">Id and scope of each.</param>
public sealed class HoldWatch(IReadOnlyList<(long Id, Matcher Scope)> holds)
{
    /// <summary>Ids of the holds.</summary>
    public IReadOnlyList<long> Ids { get; } = [.. holds.Select(hold => hold.Id)];

    /// <summary>What holds a segment that has no event yet: none.</summary>
    internal Group Begin() => new(holds);

    /// <summary>The holds that one segment to be is under.</summary>
    internal sealed class Group(IReadOnlyList<(long Id, Matcher Scope)> holds)
    {
        readonly bool[] _isHeld = new bool[holds.Count];
        int _left = holds.Count;

        /// <summary>Looks at an event of the segment.</summary>
        public void Take(in StoredEvent e)
        {
            if (_left == 0) return;
            for (var i = 0; i < _isHeld.Length; i++)
            {
                if (_isHeld[i] || !holds[i].Scope.Matches(e)) continue;
                _isHeld[i] = true;
                _left--;
            }
        }

        /// <summary>Ids of the holds that an event of it matched.</summary>
        public IReadOnlyList<long> Ids => [.. holds.Where((_, i) => _isHeld[i]).Select(hold => hold.Id)];
    }
}

/// <summary>What a seal found of the holds that it looked for.</summary>
/// <param name="Looked">Ids of the holds that all its events were looked at with.</param>
/// <param name="Held">Ids of the holds by the path of the segment that they hold.</param>
public sealed record SealMarks(IReadOnlyList<long> Looked, IReadOnlyDictionary<string, IReadOnlyList<long>> Held)
{
    /// <summary>Of a seal without holds.</summary>
    public static SealMarks None { get; } = new([], new Dictionary<string, IReadOnlyList<long>>(StringComparer.Ordinal));
}
