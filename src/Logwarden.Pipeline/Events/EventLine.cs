using System.Buffers;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Unicode;

namespace Logwarden.Events;

/// <summary>Writes fields of a service's own, which stand behind those of the event.</summary>
/// <param name="json">Takes the fields; it is within the event's object.</param>
/// <param name="e">The event.</param>
/// <param name="hasMessage">Whether the event has a text of its own in <c>message</c>.</param>
public delegate void OwnFields(Utf8JsonWriter json, in StoredEvent e, bool hasMessage);

/// <summary>
/// One event as one line of valid JSON, whatever it holds: its OCSF JSON with the policy's own facts (id, class, LOG-1..4 kinds, missing LOG-5 fields, source, redactions)
/// under <c>unmapped.logwarden</c>, where OCSF has room for them, and a line feed. What a source itself wrote in the place of such a fact is left out: nobody may say what class
/// an event has but us. JSON that no parser takes is shown as a text, in <c>unmapped.damaged</c>. One pass; nothing is allocated per event once the buffers have grown. Not thread-safe.
/// </summary>
/// <param name="reserved">Names of fields, in UTF-8, that are left out of the event's own JSON at the top because <paramref name="own"/> writes them.</param>
/// <param name="own">Writes further fields at the top; null when there are none.</param>
public sealed class EventLine(byte[][] reserved, OwnFields? own) : IDisposable
{
    const int DepthMax = 256;
    const int KeptMax = 1 << 20; // one huge event does not hold its memory for ever

    ArrayBufferWriter<byte> _line = new(4096);
    ArrayBufferWriter<byte> _own = new(512);
    Utf8JsonWriter? _json;

    /// <summary>Appends the event and a line feed. Never throws, whatever the event holds.</summary>
    public void Write(IBufferWriter<byte> output, in StoredEvent e)
    {
        _line.ResetWrittenCount();
        if (!TryWrite(e))
        {
            _line.ResetWrittenCount();
            WriteDamaged(e);
        }
        var line = output.GetSpan(_line.WrittenCount + 1);
        _line.WrittenSpan.CopyTo(line);
        // Outside of texts a line end is only layout; within them it is escaped.
        var text = line[.._line.WrittenCount];
        if (text.ContainsAny((byte)'\n', (byte)'\r'))
        {
            text.Replace((byte)'\n', (byte)' ');
            text.Replace((byte)'\r', (byte)' ');
        }
        line[_line.WrittenCount] = (byte)'\n';
        output.Advance(_line.WrittenCount + 1);
        if (_line.Capacity > KeptMax) _line = new(4096);
        if (_own.Capacity > KeptMax) _own = new(512);
    }

    /// <inheritdoc/>
    public void Dispose() => _json?.Dispose();

    bool TryWrite(in StoredEvent e)
    {
        if (!Utf8.IsValid(e.Json)) return false;
        try
        {
            var reader = new Utf8JsonReader(e.Json, new JsonReaderOptions { MaxDepth = DepthMax });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            _line.Write("{"u8);
            var (isFirst, hasFacts, hasMessage) = (true, false, false);
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                var start = (int)reader.TokenStartIndex;
                var isMessage = reader.ValueTextEquals("message"u8);
                var isUnmapped = reader.ValueTextEquals("unmapped"u8);
                var isReserved = IsReserved(reader);
                reader.Read();
                if (isUnmapped && !hasFacts)
                {
                    Separate(ref isFirst);
                    WriteUnmapped(ref reader, e);
                    hasFacts = true;
                    continue;
                }
                var isText = isMessage && reader.TokenType == JsonTokenType.String && !reader.ValueTextEquals(""u8);
                reader.Skip();
                if (isReserved && !isText || isUnmapped) continue;
                hasMessage |= isText;
                Separate(ref isFirst);
                _line.Write(e.Json[start..(int)reader.BytesConsumed]);
            }
            if (reader.Read()) return false;
            if (!hasFacts)
            {
                Separate(ref isFirst);
                _line.Write("\"unmapped\":{\"logwarden\":"u8);
                WriteFacts(e);
                _line.Write("}"u8);
            }
            WriteOwn(e, hasMessage);
            _line.Write("}"u8);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    bool IsReserved(in Utf8JsonReader name)
    {
        foreach (var one in reserved)
        {
            if (name.ValueTextEquals(one)) return true;
        }
        return false;
    }

    void Separate(ref bool isFirst)
    {
        if (!isFirst) _line.Write(","u8);
        isFirst = false;
    }

    /// <summary>The value of <c>unmapped</c>, with our facts first.</summary>
    void WriteUnmapped(ref Utf8JsonReader reader, in StoredEvent e)
    {
        _line.Write("\"unmapped\":{\"logwarden\":"u8);
        WriteFacts(e);
        var start = (int)reader.TokenStartIndex;
        if (reader.TokenType != JsonTokenType.StartObject)
        {
            reader.Skip();
            _line.Write(",\"value\":"u8);
            _line.Write(e.Json[start..(int)reader.BytesConsumed]);
        }
        else
        {
            while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
            {
                start = (int)reader.TokenStartIndex;
                var isOurs = reader.ValueTextEquals("logwarden"u8);
                reader.Read();
                reader.Skip();
                if (isOurs) continue;
                _line.Write(","u8);
                _line.Write(e.Json[start..(int)reader.BytesConsumed]);
            }
        }
        _line.Write("}"u8);
    }

    void WriteFacts(in StoredEvent e)
    {
        var json = Begin(_line);
        EventJson.WriteFacts(json, e);
        json.Flush();
    }

    void WriteOwn(in StoredEvent e, bool hasMessage)
    {
        if (own is null) return;
        _own.ResetWrittenCount();
        var json = Begin(_own);
        json.WriteStartObject();
        own(json, e, hasMessage);
        json.WriteEndObject();
        json.Flush();
        if (_own.WrittenCount <= 2) return;
        _line.Write(","u8);
        _line.Write(_own.WrittenSpan[1..^1]);
    }

    void WriteDamaged(in StoredEvent e)
    {
        _line.Write("{\"unmapped\":{\"logwarden\":"u8);
        WriteFacts(e);
        _line.Write(",\"damaged\":"u8);
        var json = Begin(_line);
        json.WriteStringValue(Valid(e.Json));
        json.Flush();
        _line.Write("}"u8);
        WriteOwn(e, hasMessage: false);
        _line.Write("}"u8);
    }

    Utf8JsonWriter Begin(IBufferWriter<byte> output)
    {
        if (_json is null) _json = new(output, new JsonWriterOptions { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
        else _json.Reset(output);
        return _json;
    }

    /// <summary>The text itself, or where it is no UTF-8 a copy with U+FFFD for what is none.</summary>
    public static ReadOnlySpan<byte> Valid(ReadOnlySpan<byte> text) =>
        Utf8.IsValid(text) ? text : System.Text.Encoding.UTF8.GetBytes(System.Text.Encoding.UTF8.GetString(text));
}
