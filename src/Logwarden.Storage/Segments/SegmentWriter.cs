using System.Buffers;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Logwarden.Events;
using Logwarden.Journal;
using Microsoft.Win32.SafeHandles;
using ParquetSharp;
using ParquetSharp.IO;

namespace Logwarden.Segments;

/// <summary>What a segment file is, once written.</summary>
/// <param name="Bytes">Size of the file.</param>
/// <param name="Sha256">SHA-256 of the file.</param>
/// <param name="Rows">Events in it.</param>
/// <param name="FirstLeaf">Leaf index of the first row.</param>
/// <param name="MinTimeMicros">Time of the first row.</param>
/// <param name="MaxTimeMicros">Time of the last row.</param>
public sealed record SegmentFile(long Bytes, ReadOnlyMemory<byte> Sha256, int Rows, long FirstLeaf, long MinTimeMicros, long MaxTimeMicros);

/// <summary>
/// Writes segments. Budget: 8 µs of CPU and no allocation per event (<c>bench/run query</c> tells); besides the events
/// themselves it holds one row group of pointers and ids, 8 MB. One instance writes one segment after the other; not thread-safe.
/// </summary>
/// <param name="compressionLevel">zstd level of the event column, 1 to 22.</param>
public sealed unsafe class SegmentWriter(int compressionLevel = SegmentWriter.DefaultLevel) : IDisposable
{
    /// <summary>See the table of measurements in <c>docs/formats/segment.md</c>.</summary>
    public const int DefaultLevel = 5;

    static readonly Dictionary<string, string> Metadata = new(StringComparer.Ordinal) { [SegmentSchema.VersionKey] = SegmentSchema.Version };

    readonly WriterProperties _properties = SegmentSchema.CreateProperties(compressionLevel);
    readonly RowBatch _rows = new();

    /// <summary>Writes the events, which must be sorted, as one file and makes it durable. The directory entry is the caller's to sync.</summary>
    /// <param name="path">Must not exist.</param>
    /// <param name="events">At least one.</param>
    /// <param name="firstLeaf">Leaf index of the first.</param>
    /// <exception cref="IOException">The disk refused; the file is to be deleted.</exception>
    public SegmentFile Write(string path, EventBuffer events, long firstLeaf)
    {
        if (events.Count == 0) throw new ArgumentException("A segment has at least one event.", nameof(events));
        using var file = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite);
        WriteParquet(file, events, firstLeaf);
        DurableFile.Sync(file);
        return new(RandomAccess.GetLength(file), Hash(file), events.Count, firstLeaf, events.MinTimeMicros, events.MaxTimeMicros);
    }

    /// <inheritdoc/>
    public void Dispose() => _properties.Dispose();

    void WriteParquet(SafeFileHandle file, EventBuffer events, long firstLeaf)
    {
        using var stream = new HandleStream(file);
        using var node = SegmentSchema.CreateNode();
        var filters = new List<BloomFilter?[]>();
        using (var output = new ManagedOutputStream(stream, leaveOpen: true))
        using (var parquet = new ParquetFileWriter(output, node, _properties, Metadata))
        {
            for (var row = 0; row < events.Count; row += SegmentSchema.RowGroupRowsMax)
            {
                _rows.Fill(events, row, Math.Min(SegmentSchema.RowGroupRowsMax, events.Count - row), firstLeaf + row);
                using var group = parquet.AppendRowGroup();
                _rows.WriteTo(group);
                filters.Add(_rows.Filters());
            }
            parquet.Close();
        }
        ParquetFooter.AddFilters(stream, filters);
    }

    static byte[] Hash(SafeFileHandle file)
    {
        using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[128 * 1024];
        for (long at = 0; ;)
        {
            var read = RandomAccess.Read(file, buffer, at);
            if (read == 0) return sha.GetHashAndReset();
            sha.AppendData(buffer, 0, read);
            at += read;
        }
    }

    /// <summary>Columns of one row group: numbers, and pointers into the events.</summary>
    sealed class RowBatch
    {
        const int EventBatchRows = 512;
        const int EventBatchBytes = 1 << 20;

        readonly long[][] _longs = Arrays<long>(SegmentSchema.IsInt64);
        readonly int[][] _ints = Arrays<int>(column => SegmentSchema.TypeOf(column) == PhysicalType.Int32);
        readonly ByteArray[][] _texts = Arrays<ByteArray>(SegmentSchema.IsText);
        readonly short[][] _present = Arrays<short>(SegmentSchema.IsOptional);
        readonly Guid?[] _uuids = new Guid?[SegmentSchema.RowGroupRowsMax * SegmentSchema.Uuids];
        readonly int[] _values = new int[SegmentSchema.Names.Count];
        readonly ArrayBufferWriter<byte> _json = new(EventBatchBytes);
        readonly ByteArray[] _jsonTexts = new ByteArray[EventBatchRows];
        readonly int[] _jsonEnds = new int[EventBatchRows];
        readonly Guid[] _uuidBytes = new Guid[SegmentSchema.RowGroupRowsMax];
        readonly FixedLenByteArray[] _uuidValues = new FixedLenByteArray[SegmentSchema.RowGroupRowsMax];
        EventBuffer? _events;
        int _first;
        int _count;

        public void Fill(EventBuffer events, int first, int count, long firstLeaf)
        {
            (_events, _first, _count) = (events, first, count);
            Array.Clear(_values);
            for (var row = 0; row < count; row++)
            {
                if (!EventEncoding.TryRead(events[first + row], out var e)) throw new InvalidDataException("The buffer holds what is not an event.");
                _longs[SegmentSchema.Leaf][row] = firstLeaf + row;
                _longs[SegmentSchema.Offset][row] = e.Offset;
                _longs[SegmentSchema.Time][row] = e.TimeMicros;
                _longs[SegmentSchema.Ingested][row] = e.IngestedMicros;
                _ints[SegmentSchema.ClassUid][row] = e.ClassUid;
                _ints[SegmentSchema.ActivityId][row] = e.ActivityId;
                _ints[SegmentSchema.SeverityId][row] = e.SeverityId;
                _ints[SegmentSchema.StatusId][row] = e.StatusId;
                _ints[SegmentSchema.Kinds][row] = (int)e.Kinds;
                _ints[SegmentSchema.Missing][row] = (int)e.Missing;
                Text(SegmentSchema.EventId, e.Id);
                Text(SegmentSchema.Class, e.Class);
                Text(SegmentSchema.Source, e.Source);
                Text(SegmentSchema.Format, e.Format);
                Optional(SegmentSchema.User, row, e.User);
                Optional(SegmentSchema.Ip, row, e.Ip);
                Optional(SegmentSchema.Action, row, e.Action);
                Optional(SegmentSchema.Object, row, e.Object);
                Text(SegmentSchema.Redactions, e.Redactions);
            }
        }

        public void WriteTo(RowGroupWriter group)
        {
            for (var column = 0; column < SegmentSchema.Names.Count; column++)
            {
                using var writer = group.NextColumn();
                switch (writer)
                {
                    case ColumnWriter<long> longs:
                        longs.WriteBatch(_longs[column].AsSpan(0, _count));
                        break;
                    case ColumnWriter<int> ints:
                        ints.WriteBatch(_ints[column].AsSpan(0, _count));
                        break;
                    case ColumnWriter<ByteArray> texts when column == SegmentSchema.Event:
                        WriteEvents(texts);
                        break;
                    case ColumnWriter<FixedLenByteArray> uuids:
                        WriteUuids(uuids, column);
                        break;
                    case ColumnWriter<ByteArray> texts when SegmentSchema.IsOptional(column):
                        texts.WriteBatch(_count, _present[column].AsSpan(0, _count), default, _texts[column].AsSpan(0, _values[column]));
                        break;
                    default:
                        ((ColumnWriter<ByteArray>)writer).WriteBatch(_texts[column].AsSpan(0, _count));
                        break;
                }
            }
        }

        // A part at a time: a row group of large events would be a copy of all of them. Finds the UUIDs, whose columns come behind this one.
        void WriteEvents(ColumnWriter<ByteArray> column)
        {
            for (var row = 0; row < _count;)
            {
                _json.ResetWrittenCount();
                var rows = 0;
                while (row < _count && rows < EventBatchRows && (rows == 0 || _json.WrittenCount < EventBatchBytes))
                {
                    if (!EventEncoding.TryRead(_events![_first + row], out var e)) throw new InvalidDataException("The buffer holds what is not an event.");
                    EventReferences.Write(_json, e, out var uuids);
                    ((ReadOnlySpan<Guid?>)uuids).CopyTo(_uuids.AsSpan(row * SegmentSchema.Uuids));
                    _jsonEnds[rows++] = _json.WrittenCount;
                    row++;
                }
                fixed (byte* start = _json.WrittenSpan)
                {
                    for (var i = 0; i < rows; i++)
                    {
                        var begin = i == 0 ? 0 : _jsonEnds[i - 1];
                        _jsonTexts[i] = new((nint)start + begin, _jsonEnds[i] - begin);
                    }
                    column.WriteBatch(_jsonTexts.AsSpan(0, rows));
                }
            }
        }

        void WriteUuids(ColumnWriter<FixedLenByteArray> writer, int column)
        {
            var values = 0;
            for (var row = 0; row < _count; row++)
            {
                var uuid = _uuids[row * SegmentSchema.Uuids + column - SegmentSchema.FirstUuid];
                _present[column][row] = uuid is null ? (short)0 : (short)1;
                if (uuid is { } present && !present.TryWriteBytes(MemoryMarshal.AsBytes(_uuidBytes.AsSpan(values++, 1)), bigEndian: true, out _))
                    throw new UnreachableException("A UUID has 16 bytes.");
            }
            fixed (Guid* start = _uuidBytes)
            {
                for (var i = 0; i < values; i++) _uuidValues[i] = new((nint)(start + i));
                writer.WriteBatch(_count, _present[column].AsSpan(0, _count), default, _uuidValues.AsSpan(0, values));
            }
        }

        public BloomFilter?[] Filters()
        {
            var filters = new BloomFilter?[SegmentSchema.Names.Count];
            foreach (var column in SegmentSchema.BloomFilters)
            {
                var filter = new BloomFilter(_values[column]);
                foreach (var value in _texts[column].AsSpan(0, _values[column])) filter.Add(Columns.Bytes(value));
                filters[column] = filter;
            }
            return filters;
        }

        void Optional(int column, int row, OptionalText text)
        {
            _present[column][row] = text.HasValue ? (short)1 : (short)0;
            if (text.HasValue) Text(column, text.Utf8);
        }

        // The text lies in native memory (EventBuffer), so its address stays good without pinning.
        void Text(int column, ReadOnlySpan<byte> utf8)
        {
            fixed (byte* start = utf8) _texts[column][_values[column]++] = new((nint)start, utf8.Length);
        }

        static T[][] Arrays<T>(Func<int, bool> wanted) =>
            [.. Enumerable.Range(0, SegmentSchema.Names.Count).Select(column => wanted(column) ? new T[SegmentSchema.RowGroupRowsMax] : [])];
    }
}
