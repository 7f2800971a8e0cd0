using System.Buffers;
using System.Buffers.Text;

namespace Logwarden.Events;

/// <summary>
/// Writes compact JSON by hand into a buffer: names are literals that need no escaping, values are copied from the record as they
/// stand. Commas are its business. Every string it writes tells where it stands, for <see cref="NormalizedEvent"/>.
/// One instance is reused for every event. Call <see cref="MoveTo"/> last.
/// </summary>
sealed class JsonOut
{
    static readonly SearchValues<byte> Special = SearchValues.Create([
        .. Enumerable.Range(0, 32).Select(code => (byte)code), (byte)'"', (byte)'\\', 0x7F]);

    byte[] _buffer = new byte[8192];
    int _at;
    bool _comma;

    /// <summary>Begins an object that is the whole text or an element of an array.</summary>
    public void Begin() => Open((byte)'{');

    /// <summary>Begins an object that is the value of a field.</summary>
    public void Begin(ReadOnlySpan<byte> name)
    {
        Name(name);
        _comma = false;
        Open((byte)'{');
    }

    /// <summary>Begins an array that is the value of a field.</summary>
    public void BeginArray(ReadOnlySpan<byte> name)
    {
        Name(name);
        _comma = false;
        Open((byte)'[');
    }

    /// <summary>Ends the innermost object.</summary>
    public void End() => Close((byte)'}');

    /// <summary>Ends the innermost array.</summary>
    public void EndArray() => Close((byte)']');

    /// <summary>A field with a whole number.</summary>
    public void Number(ReadOnlySpan<byte> name, long value)
    {
        Name(name);
        Utf8Formatter.TryFormat(value, Room(20), out var written);
        _at += written;
        _comma = true;
    }

    /// <summary>A field that is true or false.</summary>
    public void Boolean(ReadOnlySpan<byte> name, bool value)
    {
        Name(name);
        Copy(value ? "true"u8 : "false"u8);
        _comma = true;
    }

    /// <summary>A field whose text is already escaped as JSON wants it.</summary>
    public JsonSlice String(ReadOnlySpan<byte> name, ReadOnlySpan<byte> escaped)
    {
        Name(name);
        return Quoted(escaped, default, default);
    }

    /// <summary>The same, unless the text is empty.</summary>
    public JsonSlice Optional(ReadOnlySpan<byte> name, ReadOnlySpan<byte> escaped) =>
        escaped.IsEmpty ? JsonSlice.Absent : String(name, escaped);

    /// <summary>A field whose text is put together from three parts, each already escaped.</summary>
    public JsonSlice Joined(ReadOnlySpan<byte> name, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        Name(name);
        return Quoted(first, second, third);
    }

    /// <summary>An element of an array, already escaped.</summary>
    public JsonSlice Element(ReadOnlySpan<byte> escaped)
    {
        Comma();
        return Quoted(escaped, default, default);
    }

    /// <summary>A field with plain text, which is escaped here.</summary>
    public JsonSlice Plain(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text)
    {
        Name(name);
        Room(1)[0] = (byte)'"';
        _at++;
        var start = _at;
        Escaped(text);
        var length = _at - start;
        Room(1)[0] = (byte)'"';
        _at++;
        _comma = true;
        return new(start, length);
    }

    /// <summary>A field with two plain texts joined by a colon.</summary>
    public JsonSlice PlainJoined(ReadOnlySpan<byte> name, ReadOnlySpan<byte> first, ReadOnlySpan<byte> second)
    {
        var start = Plain(name, first);
        if (second.IsEmpty) return start;
        // Takes back the closing quote.
        _at--;
        Copy(":"u8);
        Escaped(second);
        Copy("\""u8);
        return new(start.Start, _at - 1 - start.Start);
    }

    /// <summary>The same, unless the text is empty.</summary>
    public JsonSlice OptionalPlain(ReadOnlySpan<byte> name, ReadOnlySpan<byte> text) =>
        text.IsEmpty ? JsonSlice.Absent : Plain(name, text);

    /// <summary>A field whose value is copied as it stands, without blanks between its tokens when it has some.</summary>
    public void Raw(ReadOnlySpan<byte> name, ReadOnlySpan<byte> json, bool hasBlanks)
    {
        Name(name);
        if (hasBlanks) Compact(json);
        else Copy(json);
        _comma = true;
    }

    /// <summary>Hands everything written to <paramref name="output"/> and begins anew.</summary>
    public void MoveTo(ArrayBufferWriter<byte> output)
    {
        output.Write(_buffer.AsSpan(0, _at));
        Reset();
    }

    /// <summary>Begins anew.</summary>
    public void Reset() => (_at, _comma) = (0, false);

    JsonSlice Quoted(ReadOnlySpan<byte> first, ReadOnlySpan<byte> second, ReadOnlySpan<byte> third)
    {
        var length = first.Length + second.Length + third.Length;
        var to = Room(length + 2);
        to[0] = (byte)'"';
        first.CopyTo(to[1..]);
        second.CopyTo(to[(1 + first.Length)..]);
        third.CopyTo(to[(1 + first.Length + second.Length)..]);
        to[length + 1] = (byte)'"';
        var slice = new JsonSlice(_at + 1, length);
        _at += length + 2;
        _comma = true;
        return slice;
    }

    void Escaped(ReadOnlySpan<byte> text)
    {
        while (text.IndexOfAny(Special) is var next && next >= 0)
        {
            Copy(text[..next]);
            Escape(text[next]);
            text = text[(next + 1)..];
        }
        Copy(text);
    }

    void Name(ReadOnlySpan<byte> name)
    {
        var to = Room(name.Length + 4);
        var at = 0;
        if (_comma) to[at++] = (byte)',';
        to[at++] = (byte)'"';
        name.CopyTo(to[at..]);
        at += name.Length;
        to[at++] = (byte)'"';
        to[at++] = (byte)':';
        _at += at;
    }

    void Comma()
    {
        if (!_comma) return;
        Room(1)[0] = (byte)',';
        _at++;
    }

    void Open(byte bracket)
    {
        Comma();
        Room(1)[0] = bracket;
        _at++;
        _comma = false;
    }

    void Close(byte bracket)
    {
        Room(1)[0] = bracket;
        _at++;
        _comma = true;
    }

    void Compact(ReadOnlySpan<byte> json)
    {
        var to = Room(json.Length);
        int written = 0, at = 0;
        while (at < json.Length)
        {
            var c = json[at];
            if (c == '"')
            {
                var end = at + 1;
                while (json[end] != '"') end += json[end] == '\\' ? 2 : 1;
                json[at..(end + 1)].CopyTo(to[written..]);
                written += end + 1 - at;
                at = end + 1;
                continue;
            }
            if (c is not ((byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t')) to[written++] = c;
            at++;
        }
        _at += written;
    }

    void Escape(byte c)
    {
        var to = Room(6);
        var letter = c switch
        {
            (byte)'"' => (byte)'"',
            (byte)'\\' => (byte)'\\',
            (byte)'\n' => (byte)'n',
            (byte)'\r' => (byte)'r',
            (byte)'\t' => (byte)'t',
            _ => (byte)0,
        };
        to[0] = (byte)'\\';
        to[1] = letter;
        _at += 2;
        if (letter != 0) return;
        to[1] = (byte)'u';
        to[2] = to[3] = (byte)'0';
        to[4] = "0123456789abcdef"u8[c >> 4];
        to[5] = "0123456789abcdef"u8[c & 15];
        _at += 4;
    }

    void Copy(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Room(bytes.Length));
        _at += bytes.Length;
    }

    Span<byte> Room(int bytes)
    {
        if (_buffer.Length - _at < bytes) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, _at + bytes));
        return _buffer.AsSpan(_at);
    }
}
