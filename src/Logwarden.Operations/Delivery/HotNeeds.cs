using Logwarden.Archive;
using Logwarden.Hot;
using Logwarden.Policy;

namespace Logwarden.Delivery;

/// <summary>
/// Which hot segments a destination still has to read: one that is so far behind that the journal has let go gets its events from there. A class that may be shed
/// does not wait for it (<see cref="PolicyClass.MayShed"/>). As things stood when it was made.
/// </summary>
public sealed class HotNeeds
{
    readonly PolicySnapshot _policy;
    readonly string _hotDirectory;
    readonly List<(string Name, long Position)> _behind = [];

    /// <summary>Looks how far each destination is.</summary>
    public HotNeeds(DestinationRegistry destinations, DeliveryStore deliveries, PolicySnapshot policy, string dataFolder)
    {
        (_policy, _hotDirectory) = (policy, Path.Combine(dataFolder, "hot"));
        foreach (var entry in destinations.All) _behind.Add((entry.Name, deliveries.Find(entry.Name)?.Position ?? entry.From));
        _behind.Sort(static (a, b) => a.Position.CompareTo(b.Position));
    }

    /// <summary>The destination that is farthest behind of those that need a segment; null when none does.</summary>
    public string? Of(SealedSegment segment)
    {
        if (_behind.Count == 0 || _policy.Class(segment.Class).MayShed) return null;
        try
        {
            var last = HotSegment.Open(Path.Combine(_hotDirectory, segment.Path))?.MaxOffset ?? long.MinValue;
            return last >= _behind[0].Position ? $"the destination {_behind[0].Name}" : null;
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
