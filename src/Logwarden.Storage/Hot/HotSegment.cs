using System.Globalization;
using Logwarden.Segments;
using ParquetSharp;

namespace Logwarden.Hot;

/// <summary>A row group of a segment, as its file's footer tells.</summary>
/// <param name="FirstLeaf">Leaf of its first row.</param>
/// <param name="Rows">Rows in it.</param>
/// <param name="MinTimeMicros">Earliest event.</param>
/// <param name="MaxTimeMicros">Latest event.</param>
readonly record struct HotRowGroup(long FirstLeaf, int Rows, long MinTimeMicros, long MaxTimeMicros)
{
    public long LastLeaf => FirstLeaf + Rows - 1;
}

/// <summary>
/// A segment of the hot store: <c>class=…/date=YYYY-MM-DD/FIRSTLEAF-ROWS.parquet</c>, never changed once it has that name.
/// </summary>
sealed class HotSegment
{
    TextIndex? _textIndex;

    public required string Path { get; init; }

    public required string Class { get; init; }

    public required HotRowGroup[] RowGroups { get; init; }

    public required long MinOffset { get; init; }

    public required long MaxOffset { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Its text index; null when there is none (yet).</summary>
    public TextIndex? TextIndex => _textIndex ??= TextIndex.TryOpen(this);

    public long FirstLeaf => RowGroups[0].FirstLeaf;

    public long LastLeaf => RowGroups[^1].LastLeaf;

    public long MinTimeMicros => RowGroups[0].MinTimeMicros;

    public long MaxTimeMicros => RowGroups[^1].MaxTimeMicros;

    public long Rows
    {
        get
        {
            var rows = 0L;
            foreach (var group in RowGroups) rows += group.Rows;
            return rows;
        }
    }

    /// <summary>Reads the footer.</summary>
    /// <returns>Null when the path is not one of a segment.</returns>
    /// <exception cref="IOException">It is not there, or can't be read.</exception>
    /// <exception cref="InvalidDataException">It is not a segment.</exception>
    public static HotSegment? Open(string path)
    {
        if (ClassOf(path) is not { } @class) return null;
        try
        {
            using var file = new ParquetFileReader(path);
            var groups = new HotRowGroup[file.FileMetaData.NumRowGroups];
            var (min, max) = (long.MaxValue, long.MinValue);
            for (var i = 0; i < groups.Length; i++)
            {
                using var group = file.RowGroup(i);
                var leaf = Range(group, SegmentSchema.Leaf, path);
                var time = Range(group, SegmentSchema.Time, path);
                var offset = Range(group, SegmentSchema.Offset, path);
                groups[i] = new(leaf.Min, checked((int)group.MetaData.NumRows), time.Min, time.Max);
                (min, max) = (Math.Min(min, offset.Min), Math.Max(max, offset.Max));
            }
            if (groups.Length == 0) throw new InvalidDataException($"{path}: a segment without rows.");
            return new()
            {
                Path = path,
                Class = @class,
                RowGroups = groups,
                MinOffset = min,
                MaxOffset = max,
                Bytes = new FileInfo(path).Length,
            };
        }
        catch (ParquetException refused)
        {
            if (!File.Exists(path)) throw new FileNotFoundException($"{path} is gone.", path, refused);
            throw new InvalidDataException($"{path} is not a segment: {refused.Message}", refused);
        }
    }

    /// <summary>Index of the row group with a leaf of the segment.</summary>
    public int RowGroupOf(long leaf)
    {
        var group = 0;
        while (RowGroups[group].LastLeaf < leaf) group++;
        return group;
    }

    /// <summary>Reads the event times of a row group.</summary>
    /// <exception cref="FileNotFoundException">The segment was taken away.</exception>
    public long[] ReadTimes(int group) => Reading(file =>
    {
        using var rows = file.RowGroup(group);
        using var column = (ColumnReader<long>)rows.Column(SegmentSchema.Time);
        var times = new long[RowGroups[group].Rows];
        for (var at = 0L; at < times.Length && column.HasNext;)
        {
            _ = column.ReadBatch(times.Length - at, default, default, times.AsSpan((int)at), out var read);
            at += read;
        }
        return times;
    });

    /// <summary>Opens the file for a moment.</summary>
    /// <exception cref="FileNotFoundException">The segment was taken away.</exception>
    /// <exception cref="InvalidDataException">It can't be read.</exception>
    public T Reading<T>(Func<ParquetFileReader, T> read)
    {
        try
        {
            using var file = new ParquetFileReader(Path);
            return read(file);
        }
        catch (ParquetException refused)
        {
            if (!File.Exists(Path)) throw new FileNotFoundException($"{Path} is gone.", Path, refused);
            throw new InvalidDataException($"{Path}: {refused.Message}", refused);
        }
    }

    static string? ClassOf(string path)
    {
        var name = System.IO.Path.GetFileNameWithoutExtension(path.AsSpan());
        var dash = name.IndexOf('-');
        if (dash != 20 || !long.TryParse(name[..dash], NumberStyles.None, CultureInfo.InvariantCulture, out _)
            || !long.TryParse(name[(dash + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out _))
        {
            return null;
        }
        const string Key = "class=";
        var directory = System.IO.Path.GetFileName(System.IO.Path.GetDirectoryName(System.IO.Path.GetDirectoryName(path)));
        return directory is not null && directory.StartsWith(Key, StringComparison.Ordinal) ? directory[Key.Length..] : null;
    }

    static (long Min, long Max) Range(RowGroupReader group, int column, string path)
    {
        using var chunk = group.MetaData.GetColumnChunkMetaData(column);
        using var statistics = chunk.Statistics;
        return statistics is Statistics<long> { HasMinMax: true } range
            ? (range.Min, range.Max)
            : throw new InvalidDataException($"{path}: no statistics of column `{SegmentSchema.Names[column]}`.");
    }
}
