using System.Globalization;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Match;
using Logwarden.Proof.Notes;

namespace Logwarden.Catalog;

/// <summary>What of a question lies in the archive only, so that the answer does not have it.</summary>
/// <param name="Segments">Segments that can have events of it.</param>
/// <param name="Bytes">Their size.</param>
/// <param name="Rows">Events in them, matching or not.</param>
/// <param name="From">Time of the first of them.</param>
/// <param name="To">Time behind the last of them.</param>
/// <param name="Class">Class that was asked for; null is all.</param>
public sealed record ColdRange(long Segments, long Bytes, long Rows, DateTimeOffset From, DateTimeOffset To, string? Class)
{
    /// <summary>The command that brings them back for a time.</summary>
    public string Command => $"logwarden restore --from {Text(From)} --to {Text(To)}{(Class is null ? "" : " --class " + Class)}";

    /// <summary>A time as commands take it.</summary>
    public static string Text(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-ddTHH:mm:ssZ", CultureInfo.InvariantCulture);

    /// <summary>Finds it.</summary>
    /// <param name="catalog">All segments.</param>
    /// <param name="dataFolder">The installation's folder.</param>
    /// <param name="from">Asked from this time on; null is no bound.</param>
    /// <param name="to">Asked before this time; null is no bound.</param>
    /// <param name="class">Asked of this class; null is all but what was quarantined.</param>
    /// <param name="filter">What else was asked; a text that is none is every event.</param>
    /// <returns>Null when all of it is hot.</returns>
    /// <exception cref="IOException">The database or the hot folder can't be read.</exception>
    public static ColdRange? Of(SegmentCatalog catalog, string dataFolder, DateTimeOffset? from, DateTimeOffset? to, string? @class, string filter)
    {
        var predicate = PredicateParser.Parse(filter).Predicate ?? new Predicate.Everything();
        var cold = Cold(catalog, dataFolder, from, to, @class).Where(segment => SegmentScope.MayMatch(predicate, segment.Sealed)).ToList();
        if (cold.Count == 0) return null;
        var (min, max) = (cold.Min(segment => segment.Sealed.MinTime), cold.Max(segment => segment.Sealed.MaxTime));
        var begin = SegmentCutter.TimeOf(from is { } asked ? Math.Max(min, UnixMicros.Of(asked)) : min);
        var end = SegmentCutter.TimeOf(to is { } until ? Math.Min(max + 1, UnixMicros.Of(until)) : max < long.MaxValue ? max + 1 : max);
        return new(cold.Count, cold.Sum(segment => segment.Sealed.Bytes), cold.Sum(segment => (long)segment.Sealed.Rows), Second(begin, TimeSpan.Zero), Second(end, TimeSpan.FromTicks(TimeSpan.TicksPerSecond - 1)), @class);
    }

    /// <summary>Whether the catalog has every seal that the installation knows of. It lags for a moment behind a seal, and where it is new until `serve`, `ingest`, `hold` or `restore` have read the archive's.</summary>
    /// <exception cref="IOException">The database or the installation's files can't be read.</exception>
    public static bool IsKnown(SegmentCatalog catalog, string dataFolder)
    {
        var (note, key) = (Path.Combine(dataFolder, "state", "sealed.note"), Path.Combine(dataFolder, "keys", "log.pub"));
        if (!File.Exists(note)) return true;
        return File.Exists(key) && VerifierKey.TryParse(File.ReadAllText(key).Trim(), out var verifier, out _)
            && Seal.TryOpen(File.ReadAllBytes(note), [verifier], out _) is { } seal && seal.Record.Header.Number <= catalog.Newest;
    }

    /// <summary>The segments of a range that are not in the hot folder.</summary>
    internal static IEnumerable<CatalogSegment> Cold(SegmentCatalog catalog, string dataFolder, DateTimeOffset? from, DateTimeOffset? to, string? @class)
    {
        var (hot, folder) = (Path.Combine(Path.GetFullPath(dataFolder), "hot"), Path.Combine(Path.GetFullPath(dataFolder), "hot", "segments"));
        var asked = catalog.Overlapping(from, to, @class);
        if (asked.Count == 0) return [];
        // One look at the folder: a look for each segment would take longer than the query.
        var there = Directory.Exists(folder) ? Directory.EnumerateFiles(folder, "*.parquet", SearchOption.AllDirectories).ToHashSet(StringComparer.Ordinal) : [];
        return asked.Where(segment => !there.Contains(Path.Combine(hot, segment.Sealed.Path)));
    }

    static DateTimeOffset Second(DateTimeOffset time, TimeSpan up)
    {
        var ticks = time.UtcTicks > DateTimeOffset.MaxValue.UtcTicks - up.Ticks ? time.UtcTicks : time.UtcTicks + up.Ticks;
        return new(ticks - ticks % TimeSpan.TicksPerSecond, TimeSpan.Zero);
    }
}
