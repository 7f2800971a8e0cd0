using Logwarden.Segments;
using ParquetSharp;

namespace Logwarden.Tests.Segments;

/// <summary>A segment of one row that the product would not write: its texts are what somebody chose.</summary>
static class CraftedSegment
{
    /// <summary>Writes it.</summary>
    /// <param name="path">Where to.</param>
    /// <param name="text">Text of the column <c>event</c>.</param>
    /// <param name="large">The column <c>object</c>.</param>
    public static unsafe void Write(string path, byte[] text, byte[] large)
    {
        using var properties = SegmentSchema.CreateProperties(1);
        using var node = SegmentSchema.CreateNode();
        using var file = new ParquetFileWriter(path, node, properties, new Dictionary<string, string>(StringComparer.Ordinal) { [SegmentSchema.VersionKey] = SegmentSchema.Version });
        using var group = file.AppendRowGroup();
        fixed (byte* texts = text, larges = large)
        {
            for (var column = 0; column < SegmentSchema.Names.Count; column++)
            {
                var value = column == SegmentSchema.Event ? new ByteArray((nint)texts, text.Length) : column == SegmentSchema.Object ? new((nint)larges, large.Length) : default;
                using var writer = group.NextColumn();
                switch (writer)
                {
                    case ColumnWriter<long> longs:
                        longs.WriteBatch([0L]);
                        break;
                    case ColumnWriter<int> ints:
                        ints.WriteBatch([0]);
                        break;
                    case ColumnWriter<FixedLenByteArray> uuids:
                        uuids.WriteBatch(1, [(short)0], default, []);
                        break;
                    case ColumnWriter<ByteArray> optional when SegmentSchema.IsOptional(column):
                        optional.WriteBatch(1, [(short)1], default, [value]);
                        break;
                    default:
                        ((ColumnWriter<ByteArray>)writer).WriteBatch([value]);
                        break;
                }
            }
        }
        file.Close();
    }
}
