using System.Collections.Immutable;

namespace Logwarden.Hot;

/// <summary>The segments that lie in the hot folder now. Footers are read once. Not thread-safe.</summary>
sealed class HotCatalog(string segmentsDirectory)
{
    readonly Dictionary<string, HotSegment> _known = new(StringComparer.Ordinal);

    /// <summary>What <see cref="Refresh"/> found, in no particular order.</summary>
    public ImmutableArray<HotSegment> Segments { get; private set; } = [];

    /// <summary>Looks again.</summary>
    /// <returns>Segments that were not there before.</returns>
    /// <exception cref="InvalidDataException">A file with a segment's name is none.</exception>
    public List<HotSegment> Refresh()
    {
        var fresh = new List<HotSegment>();
        if (!Directory.Exists(segmentsDirectory)) return fresh;
        var seen = new HashSet<string>(StringComparer.Ordinal);
        foreach (var path in Directory.EnumerateFiles(segmentsDirectory, "*.parquet", SearchOption.AllDirectories))
        {
            if (_known.ContainsKey(path))
            {
                seen.Add(path);
            }
            else if (TryOpen(path) is { } segment)
            {
                seen.Add(path);
                _known.Add(path, segment);
                fresh.Add(segment);
            }
        }
        if (fresh.Count == 0 && seen.Count == _known.Count) return fresh;
        foreach (var path in _known.Keys.ToArray())
            if (!seen.Contains(path)) _known.Remove(path);
        Segments = [.. _known.Values];
        return fresh;
    }

    // A file can be evicted between listing and opening.
    static HotSegment? TryOpen(string path)
    {
        try
        {
            return HotSegment.Open(path);
        }
        catch (FileNotFoundException)
        {
            return null;
        }
    }
}
