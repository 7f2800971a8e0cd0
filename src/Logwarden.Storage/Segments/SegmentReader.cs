using System.Buffers;
using Logwarden.Events;
using ParquetSharp;

namespace Logwarden.Segments;

/// <summary>
/// Reads a segment back, row by row, as the exact bytes of the events that went in. Whatever the file holds it does not throw: what
/// is wrong with it is in <see cref="Error"/>. Memory is bounded by one row group of compressed bytes and a page per column.
/// <code>
/// using var reader = SegmentReader.Open(path);
/// while (reader.Next()) Use(reader.Leaf, reader.Event);
/// if (reader.Error is { } error) …
/// </code>
/// </summary>
public sealed class SegmentReader : IDisposable
{
    readonly Stream? _stream;
    readonly Func<bool> _step;
    readonly ArrayBufferWriter<byte> _event = new(8 * 1024);
    readonly ArrayBufferWriter<byte> _json = new(8 * 1024);
    ParquetFileReader? _file;
    RowGroupReader? _group;
    Columns? _columns;
    int _groups;
    int _nextGroup;
    long _rowsLeft;

    SegmentReader(Stream? stream)
    {
        _stream = stream;
        _step = Step; // once, not for each row
    }

    /// <summary>What is wrong with the file; null as long as nothing is.</summary>
    public string? Error { get; private set; }

    /// <summary>Rows that the file says it has.</summary>
    public long Rows { get; private set; }

    /// <summary>Row that <see cref="Next"/> came to last, from 0; −1 before the first.</summary>
    public long Row { get; private set; } = -1;

    /// <summary>The row's leaf index as the file states it.</summary>
    public long Leaf { get; private set; }

    /// <summary>The row's event in <see cref="EventEncoding"/>; valid until the next call of <see cref="Next"/>.</summary>
    public ReadOnlySpan<byte> Event => LeafInput[1..];

    /// <summary>The row's event behind a zero byte: its leaf hash is the SHA-256 of this (RFC 6962).</summary>
    public ReadOnlySpan<byte> LeafInput => _event.WrittenSpan;

    /// <summary>When set, row groups without any event of these journal offsets (the second is behind the last) are passed over. To be set before <see cref="Next"/>.</summary>
    public (long From, long To)? Offsets { get; set; }

    /// <summary>Opens a file.</summary>
    public static SegmentReader Open(string path)
    {
        var reader = new SegmentReader(stream: null);
        reader.Guarded(() => reader.Start(new ParquetFileReader(path, Properties())));
        return reader;
    }

    /// <summary>Opens a seekable stream, which it owns from now on.</summary>
    public static SegmentReader Open(Stream stream)
    {
        var reader = new SegmentReader(stream);
        reader.Guarded(() => reader.Start(new ParquetFileReader(stream, Properties(), leaveOpen: true)));
        return reader;
    }

    /// <summary>Goes to the next row.</summary>
    /// <returns>False at the end, and when the file is broken: see <see cref="Error"/>.</returns>
    public bool Next() => Error is null && Guarded(_step);

    /// <summary>Goes to the first row with this event id. Only the id column is read up to there. To be called before <see cref="Next"/>.</summary>
    /// <returns>False when there is none, and when the file is broken: see <see cref="Error"/>.</returns>
    public bool Find(ReadOnlySpan<byte> eventId)
    {
        if (Row >= 0) throw new InvalidOperationException("The reader has left the start.");
        var wanted = eventId.ToArray();
        if (Error is not null || !Guarded(() => Seek(wanted))) return false;
        return Next();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _columns?.Dispose();
        _group?.Dispose();
        _file?.Dispose();
        _stream?.Dispose();
    }

    static ReaderProperties Properties()
    {
        var properties = ReaderProperties.GetDefaultReaderProperties();
        properties.EnablePageChecksumVerification();
        return properties;
    }

    bool Start(ParquetFileReader file)
    {
        _file = file;
        using var metadata = file.FileMetaData;
        Rows = metadata.NumRows;
        _groups = metadata.NumRowGroups;
        if (!metadata.KeyValueMetadata.TryGetValue(SegmentSchema.VersionKey, out var version) || !string.Equals(version, SegmentSchema.Version, StringComparison.Ordinal))
            return Fail($"not a segment of version {SegmentSchema.Version}");
        var schema = metadata.Schema;
        if (schema.NumColumns != SegmentSchema.Names.Count) return Fail($"{schema.NumColumns} columns instead of {SegmentSchema.Names.Count}");
        for (var column = 0; column < schema.NumColumns; column++)
        {
            var found = schema.Column(column);
            var levels = SegmentSchema.IsOptional(column) ? 1 : 0;
            if (!string.Equals(found.Name, SegmentSchema.Names[column], StringComparison.Ordinal) || found.PhysicalType != SegmentSchema.TypeOf(column)
                || (SegmentSchema.IsUuid(column) && found.TypeLength != SegmentSchema.UuidBytes) || found.MaxDefinitionLevel != levels || found.MaxRepetitionLevel != 0)
            {
                return Fail($"column {column} is not `{SegmentSchema.Names[column]}` as a segment has it");
            }
        }
        return true;
    }

    // Leaves the cursors of the row group before the row that is wanted.
    bool Seek(byte[] eventId)
    {
        for (var group = 0; group < _groups; group++)
        {
            using var reader = _file!.RowGroup(group);
            using var ids = new Cursor<ByteArray>(reader, SegmentSchema.EventId);
            for (var row = 0L; ids.Next(); row++)
            {
                if (!Columns.Bytes(ids.Value).SequenceEqual(eventId)) continue;
                _nextGroup = group;
                while (row-- > 0)
                    if (!Step()) return false;
                return true;
            }
            Row += reader.MetaData.NumRows;
        }
        return false;
    }

    bool Step()
    {
        while (_rowsLeft == 0)
        {
            _columns?.Dispose();
            _group?.Dispose();
            (_columns, _group) = (null, null);
            if (_nextGroup == _groups)
            {
                if (Row + 1 != Rows) Fail($"{Row + 1} rows where the file says {Rows}");
                return false;
            }
            _group = _file!.RowGroup(_nextGroup++);
            _rowsLeft = _group.MetaData.NumRows;
            if (_rowsLeft < 0) return Fail($"row group {_nextGroup - 1} says it has {_rowsLeft} rows");
            if (IsOutside(_group))
            {
                Row += _rowsLeft;
                _rowsLeft = 0;
                continue;
            }
            _columns = new(_group, _json);
        }
        if (_columns!.TryTake(out var leaf, out var e) is { } wrong) return Fail($"row {Row + 1}: {wrong}");
        Leaf = leaf;
        _event.ResetWrittenCount();
        _event.GetSpan(1)[0] = 0;
        _event.Advance(1);
        EventEncoding.Write(_event, e);
        Row++;
        _rowsLeft--;
        return true;
    }

    bool IsOutside(RowGroupReader group)
    {
        if (Offsets is not { } wanted) return false;
        using var column = group.MetaData.GetColumnChunkMetaData(SegmentSchema.Offset);
        using var statistics = column.Statistics;
        return statistics is Statistics<long> { HasMinMax: true } range && (range.Max < wanted.From || range.Min >= wanted.To);
    }

    bool Fail(string what)
    {
        Error = what;
        return false;
    }

    // ParquetSharp turns every native error into one of these; anything else is our bug and goes up.
    bool Guarded(Func<bool> step)
    {
        try
        {
            return step();
        }
        catch (Exception e) when (e is ParquetException or IOException or OverflowException or ArgumentException or FormatException or NotSupportedException)
        {
            return Fail(e.Message.ReplaceLineEndings(" "));
        }
    }
}
