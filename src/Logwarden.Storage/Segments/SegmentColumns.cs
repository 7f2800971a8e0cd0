using System.Buffers;
using System.Runtime.CompilerServices;
using Logwarden.Events;
using ParquetSharp;

namespace Logwarden.Segments;

/// <summary>Cursors over the columns of one row group, moved together.</summary>
sealed class Columns : IDisposable
{
    readonly Cursor<long>[] _longs;
    readonly Cursor<int>[] _ints;
    readonly Cursor<ByteArray>[] _texts;
    readonly Cursor<FixedLenByteArray>[] _uuids;
    readonly ArrayBufferWriter<byte> _json;

    /// <param name="group">Row group.</param>
    /// <param name="json">Memory for the JSON of the row.</param>
    public Columns(RowGroupReader group, ArrayBufferWriter<byte> json)
    {
        _json = json;
        _longs = Open<long>(group, SegmentSchema.Leaf, SegmentSchema.Ingested);
        _ints = Open<int>(group, SegmentSchema.ClassUid, SegmentSchema.Missing);
        _texts =
        [
            .. Open<ByteArray>(group, SegmentSchema.EventId, SegmentSchema.Format),
            .. Open<ByteArray>(group, SegmentSchema.User, SegmentSchema.Event),
        ];
        _uuids = Open<FixedLenByteArray>(group, SegmentSchema.FirstUuid, SegmentSchema.FirstUuid + SegmentSchema.Uuids - 1);
    }

    /// <summary>Takes one row. Its texts are views into the columns' pages, good until the next call.</summary>
    /// <returns>Null, or what is wrong.</returns>
    public string? TryTake(out long leaf, out StoredEvent e)
    {
        e = default;
        leaf = 0;
        if ((Next(_longs) ?? Next(_ints) ?? Next(_texts) ?? Next(_uuids)) is { } end) return end;
        leaf = _longs[0].Value;
        e.Offset = _longs[1].Value;
        e.TimeMicros = _longs[2].Value;
        e.IngestedMicros = _longs[3].Value;
        e.ClassUid = _ints[0].Value;
        e.ActivityId = _ints[1].Value;
        for (var i = 2; i < _ints.Length; i++)
            if ((uint)_ints[i].Value > byte.MaxValue) return $"`{SegmentSchema.Names[SegmentSchema.ClassUid + i]}` is {_ints[i].Value}";
        e.SeverityId = (byte)_ints[2].Value;
        e.StatusId = (byte)_ints[3].Value;
        e.Kinds = (LogKinds)_ints[4].Value;
        e.Missing = (MissingFields)_ints[5].Value;
        e.Id = Text(0).Utf8;
        e.Class = Text(1).Utf8;
        e.Source = Text(2).Utf8;
        e.Format = Text(3).Utf8;
        e.User = Text(4);
        e.Ip = Text(5);
        e.Action = Text(6);
        e.Object = Text(7);
        e.Redactions = Text(8).Utf8;
        var uuids = default(EventUuids);
        for (var i = 0; i < _uuids.Length; i++)
            if (_uuids[i].IsPresent) uuids[i] = Uuid(_uuids[i].Value);
        _json.ResetWrittenCount();
        if (EventReferences.Read(_json, Text(9).Utf8, e, uuids) is { } wrong) return wrong;
        e.Json = _json.WrittenSpan;
        return null;
    }

    public void Dispose()
    {
        foreach (var cursor in _longs) cursor.Dispose();
        foreach (var cursor in _ints) cursor.Dispose();
        foreach (var cursor in _texts) cursor.Dispose();
        foreach (var cursor in _uuids) cursor.Dispose();
    }

    public static unsafe ReadOnlySpan<byte> Bytes(ByteArray value) => new((void*)value.Pointer, value.Length);

    public static unsafe Guid Uuid(FixedLenByteArray value) => new(new ReadOnlySpan<byte>((void*)value.Pointer, SegmentSchema.UuidBytes), bigEndian: true);

    OptionalText Text(int index)
    {
        var cursor = _texts[index];
        return cursor.IsPresent ? new(Bytes(cursor.Value)) : default;
    }

    static string? Next<T>(Cursor<T>[] cursors)
        where T : unmanaged
    {
        foreach (var cursor in cursors)
            if (!cursor.Next()) return cursor.Wrong;
        return null;
    }

    static Cursor<T>[] Open<T>(RowGroupReader group, int first, int last)
        where T : unmanaged
    {
        var cursors = new Cursor<T>[last - first + 1];
        for (var column = first; column <= last; column++) cursors[column - first] = new(group, column);
        return cursors;
    }
}

/// <summary>
/// One column of one row group, value by value. Arrow hands out values up to the end of a page, and texts stay where they are until the
/// next batch is read, so no value is copied.
/// </summary>
sealed class Cursor<T>(RowGroupReader group, int column) : IDisposable
    where T : unmanaged
{
    const int BatchRows = 1024;

    readonly ColumnReader<T> _reader = (ColumnReader<T>)group.Column(column);
    readonly bool _optional = SegmentSchema.IsOptional(column);
    readonly T[] _values = new T[BatchRows];
    readonly short[] _levels = new short[BatchRows];
    long _rows;
    long _row = -1;
    long _count;
    long _value = -1;

    public T Value => _values[_value];

    public bool IsPresent { get; private set; }

    public string Wrong => $"`{SegmentSchema.Names[column]}` ends before it";

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public bool Next()
    {
        if (++_row >= _rows && !Fill()) return false;
        IsPresent = !_optional || _levels[_row] == 1;
        if (IsPresent) _value++;
        return _value < _count || !IsPresent;
    }

    public void Dispose() => _reader.Dispose();

    bool Fill()
    {
        (_row, _value) = (0, -1);
        do
        {
            if (!_reader.HasNext) return false;
            _rows = _reader.ReadBatch(BatchRows, _optional ? _levels : default, default, _values, out _count);
            if (!_optional) _rows = _count;
        }
        while (_rows == 0);
        return true;
    }
}
