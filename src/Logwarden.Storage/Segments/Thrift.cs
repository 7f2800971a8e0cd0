using System.Buffers;

namespace Logwarden.Segments;

/// <summary>Types of the Thrift compact protocol (https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md).</summary>
enum ThriftType : byte
{
    Stop = 0,
    True = 1,
    False = 2,
    I8 = 3,
    I16 = 4,
    I32 = 5,
    I64 = 6,
    Double = 7,
    Binary = 8,
    List = 9,
    Set = 10,
    Map = 11,
    Struct = 12,
}

/// <summary>Writes structs in the compact protocol.</summary>
sealed class ThriftWriter(IBufferWriter<byte> output)
{
    readonly Stack<short> _outer = new();
    short _last;

    public void Field(short id, ThriftType type)
    {
        var delta = id - _last;
        if (delta is > 0 and <= 15)
        {
            Byte((byte)((delta << 4) | (byte)type));
        }
        else
        {
            Byte((byte)type);
            Integer(id);
        }
        _last = id;
    }

    /// <summary>Begins a struct: as a field's value or an element of a list.</summary>
    public void Begin()
    {
        _outer.Push(_last);
        _last = 0;
    }

    public void End()
    {
        Stop();
        _last = _outer.Pop();
    }

    /// <summary>Ends the outermost struct.</summary>
    public void Stop() => Byte(0);

    public void Integer(long value) => Unsigned(unchecked((ulong)((value << 1) ^ (value >> 63))));

    public void Unsigned(ulong value)
    {
        for (; value >= 0x80; value >>= 7) Byte((byte)((value & 0x7f) | 0x80));
        Byte((byte)value);
    }

    public void Byte(byte value)
    {
        output.GetSpan(1)[0] = value;
        output.Advance(1);
    }

    public void Bytes(ReadOnlySpan<byte> bytes) => output.Write(bytes);
}

/// <summary>Reads the compact protocol. Only for bytes that were just written by our own Parquet writer: others make it throw.</summary>
ref struct ThriftReader(ReadOnlySpan<byte> input)
{
    readonly ReadOnlySpan<byte> _input = input;
    int _at;

    public byte Byte() => _input[_at++];

    public ReadOnlySpan<byte> Bytes(int count)
    {
        var bytes = _input.Slice(_at, count);
        _at += count;
        return bytes;
    }

    public ulong Unsigned()
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = Byte();
            value |= (ulong)(next & 0x7f) << shift;
            if (next < 0x80) return value;
        }
    }

    public long Integer()
    {
        var value = Unsigned();
        return (long)(value >> 1) ^ -(long)(value & 1);
    }

    /// <summary>Header of a field; the id is found from that of the field before.</summary>
    public ThriftType Field(ref short id)
    {
        var header = Byte();
        var type = (ThriftType)(header & 0x0f);
        if (type == ThriftType.Stop) return type;
        id = header >> 4 == 0 ? (short)Integer() : (short)(id + (header >> 4));
        return type;
    }
}
