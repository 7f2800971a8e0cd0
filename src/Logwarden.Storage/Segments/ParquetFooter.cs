using System.Buffers;
using System.Buffers.Binary;

namespace Logwarden.Segments;

/// <summary>
/// Adds what the Parquet library cannot write: Bloom filters. They go between the last row group's pages and the footer, and the footer is
/// written again with their positions in it (fields 14 and 15 of each ColumnMetaData); everything else of it is copied as it is.
/// </summary>
static class ParquetFooter
{
    const int TailBytes = 8; // i32 length of the footer, "PAR1"
    const short RowGroups = 4, ColumnChunks = 1, MetaData = 3, BloomOffset = 14, BloomLength = 15;

    /// <summary>Adds filters to a complete file.</summary>
    /// <param name="file">Readable, writable, seekable.</param>
    /// <param name="filters">For each row group, the filter of each column; null where a column has none.</param>
    public static void AddFilters(Stream file, IReadOnlyList<BloomFilter?[]> filters)
    {
        Span<byte> tail = stackalloc byte[TailBytes];
        file.Position = file.Length - TailBytes;
        file.ReadExactly(tail);
        var footer = new byte[BinaryPrimitives.ReadInt32LittleEndian(tail)];
        var start = file.Length - TailBytes - footer.Length;
        file.Position = start;
        file.ReadExactly(footer);

        var output = new ArrayBufferWriter<byte>(64 * 1024);
        var places = new (long Offset, int Length)?[filters.Count][];
        for (var group = 0; group < filters.Count; group++)
        {
            places[group] = new (long, int)?[filters[group].Length];
            for (var column = 0; column < filters[group].Length; column++)
            {
                if (filters[group][column] is not { } filter) continue;
                var at = output.WrittenCount;
                filter.WriteTo(output);
                places[group][column] = (start + at, output.WrittenCount - at);
            }
        }
        var footerAt = output.WrittenCount;
        var reader = new ThriftReader(footer);
        new Copy(new(output), places).Root(ref reader);
        BinaryPrimitives.WriteInt32LittleEndian(tail, output.WrittenCount - footerAt);
        output.Write(tail);
        file.Position = start;
        file.Write(output.WrittenSpan);
    }

    /// <summary>Copies a FileMetaData field by field and adds two fields to the ColumnMetaData that it passes.</summary>
    sealed class Copy(ThriftWriter writer, (long Offset, int Length)?[][] places)
    {
        int _group = -1;
        int _column = -1;

        // FileMetaData → its row groups → their column chunks → their metadata; on all other ways a struct is only copied.
        enum Place
        {
            Elsewhere,
            File,
            RowGroup,
            ColumnChunk,
            ColumnMetaData,
        }

        public void Root(ref ThriftReader reader)
        {
            Fields(ref reader, Place.File);
            writer.Stop();
        }

        void Fields(ref ThriftReader reader, Place place)
        {
            short id = 0;
            var added = place != Place.ColumnMetaData || places[_group][_column] is null;
            while (reader.Field(ref id) is var type && type != ThriftType.Stop)
            {
                if (!added && id > BloomLength) added = Add();
                writer.Field(id, type);
                Value(ref reader, type, Inner(place, id));
            }
            if (!added) Add();
        }

        static Place Inner(Place place, short id) => (place, id) switch
        {
            (Place.File, RowGroups) => Place.RowGroup,
            (Place.RowGroup, ColumnChunks) => Place.ColumnChunk,
            (Place.ColumnChunk, MetaData) => Place.ColumnMetaData,
            _ => Place.Elsewhere,
        };

        bool Add()
        {
            var (offset, length) = places[_group][_column]!.Value;
            writer.Field(BloomOffset, ThriftType.I64);
            writer.Integer(offset);
            writer.Field(BloomLength, ThriftType.I32);
            writer.Integer(length);
            return true;
        }

        void Value(ref ThriftReader reader, ThriftType type, Place place)
        {
            switch (type)
            {
                case ThriftType.True or ThriftType.False:
                    break;
                case ThriftType.I8:
                    writer.Byte(reader.Byte());
                    break;
                case ThriftType.I16 or ThriftType.I32 or ThriftType.I64:
                    writer.Unsigned(reader.Unsigned());
                    break;
                case ThriftType.Double:
                    writer.Bytes(reader.Bytes(8));
                    break;
                case ThriftType.Binary:
                    var length = reader.Unsigned();
                    writer.Unsigned(length);
                    writer.Bytes(reader.Bytes((int)length));
                    break;
                case ThriftType.List or ThriftType.Set:
                    Elements(ref reader, place);
                    break;
                case ThriftType.Struct:
                    writer.Begin();
                    Fields(ref reader, place);
                    writer.End();
                    break;
                default:
                    throw new InvalidDataException($"A Parquet footer has no field of type {type}.");
            }
        }

        void Elements(ref ThriftReader reader, Place place)
        {
            var header = reader.Byte();
            writer.Byte(header);
            var count = (ulong)(header >> 4);
            if (count == 15) writer.Unsigned(count = reader.Unsigned());
            var type = (ThriftType)(header & 0x0f);
            if (place == Place.RowGroup) _group = -1;
            if (place == Place.ColumnChunk) _column = -1;
            for (var i = 0UL; i < count; i++)
            {
                if (place == Place.RowGroup) _group++;
                if (place == Place.ColumnChunk) _column++;
                // Booleans take a byte in a list and none as a field.
                if (type is ThriftType.True or ThriftType.False) writer.Byte(reader.Byte());
                else Value(ref reader, type, place);
            }
        }
    }
}
