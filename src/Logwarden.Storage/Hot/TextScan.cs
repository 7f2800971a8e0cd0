using System.Text;
using Logwarden.Match;
using Logwarden.Segments;
using ParquetSharp;

namespace Logwarden.Hot;

/// <summary>
/// Looks for texts in the JSON of a row group, before anything of it is parsed: unpacks the one column and searches its bytes where they lie. Budget: 1 µs
/// per event of 1 KB, a fifth of what <c>contains(lower(event), …)</c> takes in SQL.
/// </summary>
static class TextScan
{
    const int BatchRows = 256;

    static ReadOnlySpan<byte> UnicodeEscape => "\\u"u8;

    /// <summary>Leaves of the events whose JSON has all the texts in it, or can have them behind escapes; in order.</summary>
    /// <param name="segment">Segment.</param>
    /// <param name="group">Index of the row group.</param>
    /// <param name="literals">Lower case UTF-8, of characters that JSON writes as they are or as <c>\u</c> escapes.</param>
    /// <exception cref="FileNotFoundException">The segment was taken away.</exception>
    public static List<long> Leaves(HotSegment segment, int group, IReadOnlyList<byte[]> literals) => segment.Reading(file =>
    {
        using var rows = file.RowGroup(group);
        return Leaves(rows, segment.RowGroups[group].FirstLeaf, literals);
    });

    static unsafe List<long> Leaves(RowGroupReader group, long leaf, IReadOnlyList<byte[]> literals)
    {
        using var column = (ColumnReader<ByteArray>)group.Column(SegmentSchema.Event);
        var values = new ByteArray[BatchRows];
        var lower = new byte[16 * 1024];
        var found = new List<long>();
        while (column.HasNext)
        {
            _ = column.ReadBatch(BatchRows, default, default, values, out var count);
            for (var i = 0; i < count; i++, leaf++)
            {
                var json = new ReadOnlySpan<byte>((void*)values[i].Pointer, values[i].Length);
                if (lower.Length < json.Length) lower = new byte[json.Length * 2];
                if (MayHave(json, lower, literals)) found.Add(leaf);
            }
        }
        return found;
    }

    static bool MayHave(ReadOnlySpan<byte> json, byte[] lower, IReadOnlyList<byte[]> literals)
    {
        var isAscii = Ascii.ToLower(json, lower, out var size) == System.Buffers.OperationStatus.Done;
        foreach (var literal in literals)
        {
            var has = isAscii ? lower.AsSpan(0, size).IndexOf(literal) >= 0 : TextFold.Contains(json, literal);
            if (!has) return json.IndexOf(UnicodeEscape) >= 0;
        }
        return true;
    }
}
