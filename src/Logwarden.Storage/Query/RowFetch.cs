using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Segments;
using ParquetSharp;

namespace Logwarden.Query;

/// <summary>
/// Takes single rows out of a row group. DuckDB would build every text of the row group for it; here a page is unpacked and the rows before the wanted one are
/// passed over. Budget: 15 ms for a row group of 16,384 events of 1 KB, mostly zstd.
/// </summary>
static class RowFetch
{
    /// <summary>Reads rows.</summary>
    /// <param name="segment">Segment.</param>
    /// <param name="group">Index of the row group.</param>
    /// <param name="leaves">Leaves in it, in order.</param>
    /// <exception cref="FileNotFoundException">The segment was taken away.</exception>
    public static EventRow[] Read(HotSegment segment, int group, IReadOnlyList<long> leaves) => segment.Reading(file =>
    {
        using var rows = file.RowGroup(group);
        var at = new long[leaves.Count];
        for (var i = 0; i < at.Length; i++) at[i] = leaves[i] - segment.RowGroups[group].FirstLeaf;
        return Read(rows, at, leaves);
    });

    static EventRow[] Read(RowGroupReader group, long[] at, IReadOnlyList<long> leaves)
    {
        var (offsets, times) = (Numbers<long>(group, SegmentSchema.Offset, at), Numbers<long>(group, SegmentSchema.Time, at));
        var ingested = Numbers<long>(group, SegmentSchema.Ingested, at);
        var (kinds, missing) = (Numbers<int>(group, SegmentSchema.Kinds, at), Numbers<int>(group, SegmentSchema.Missing, at));
        var texts = new string?[SegmentSchema.Names.Count][];
        for (var column = 0; column < texts.Length; column++)
            if (SegmentSchema.IsText(column)) texts[column] = Texts(group, column, at);
        var rows = new EventRow[at.Length];
        for (var i = 0; i < rows.Length; i++)
        {
            rows[i] = new()
            {
                Leaf = leaves[i],
                Offset = offsets[i],
                TimeMicros = times[i],
                IngestedMicros = ingested[i],
                EventId = texts[SegmentSchema.EventId][i]!,
                Class = texts[SegmentSchema.Class][i]!,
                Source = texts[SegmentSchema.Source][i]!,
                Format = texts[SegmentSchema.Format][i]!,
                Kinds = (LogKinds)kinds[i],
                Missing = (MissingFields)missing[i],
                User = texts[SegmentSchema.User][i],
                Ip = texts[SegmentSchema.Ip][i],
                Action = texts[SegmentSchema.Action][i],
                Object = texts[SegmentSchema.Object][i],
                Redactions = texts[SegmentSchema.Redactions][i]!,
                Event = texts[SegmentSchema.Event][i]!,
            };
        }
        return rows;
    }

    static T[] Numbers<T>(RowGroupReader group, int column, long[] at)
        where T : unmanaged
    {
        using var reader = (ColumnReader<T>)group.Column(column);
        var values = new T[at.Length];
        var next = 0L;
        for (var i = 0; i < at.Length; i++)
        {
            Pass(reader, at[i] - next);
            _ = reader.ReadBatch(1, default, default, values.AsSpan(i, 1), out _);
            next = at[i] + 1;
        }
        return values;
    }

    static unsafe string?[] Texts(RowGroupReader group, int column, long[] at)
    {
        using var reader = (ColumnReader<ByteArray>)group.Column(column);
        var isOptional = SegmentSchema.IsOptional(column);
        var values = new string?[at.Length];
        Span<ByteArray> value = stackalloc ByteArray[1];
        Span<short> level = stackalloc short[1];
        var next = 0L;
        for (var i = 0; i < at.Length; i++)
        {
            Pass(reader, at[i] - next);
            _ = reader.ReadBatch(1, isOptional ? level : default, default, value, out var read);
            if (read == 1) values[i] = System.Text.Encoding.UTF8.GetString((byte*)value[0].Pointer, value[0].Length);
            next = at[i] + 1;
        }
        return values;
    }

    static void Pass<T>(ColumnReader<T> reader, long rows)
        where T : unmanaged
    {
        while (rows > 0)
        {
            // HasNext brings the next page; Skip stays within what is there.
            if (!reader.HasNext) throw new InvalidDataException("A column of the segment ends before its rows do.");
            rows -= reader.Skip(rows);
        }
    }
}
