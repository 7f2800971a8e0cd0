using System.Buffers;
using System.Buffers.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>
/// OTLP in JSON: proto3's mapping, in which 64-bit numbers are strings and enums are numbers. (Ids of traces and spans would be hex; logs of security have
/// none.) The wire form of an event is one element of <c>logRecords</c>. Not thread-safe.
/// </summary>
sealed class OtlpJson : IDisposable
{
    static readonly JsonWriterOptions Options = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, SkipValidation = true };

    readonly byte[] _prefix;
    readonly ArrayBufferWriter<byte> _nowhere = new(1);
    readonly Utf8JsonWriter _json;

    /// <param name="resource">Attributes of the resource.</param>
    /// <param name="version">Version of the scope, which is this program.</param>
    public OtlpJson(IReadOnlyDictionary<string, string> resource, string version)
    {
        _json = new Utf8JsonWriter(_nowhere, Options);
        var prefix = new ArrayBufferWriter<byte>();
        _json.Reset(prefix);
        _json.WriteStartObject();
        _json.WriteStartArray("resourceLogs"u8);
        _json.WriteStartObject();
        _json.WriteStartObject("resource"u8);
        _json.WriteStartArray("attributes"u8);
        foreach (var (key, value) in resource)
        {
            _json.WriteStartObject();
            _json.WriteString("key"u8, key);
            _json.WriteStartObject("value"u8);
            _json.WriteString("stringValue"u8, value);
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _json.WriteEndObject();
        _json.WriteStartArray("scopeLogs"u8);
        _json.WriteStartObject();
        _json.WriteStartObject("scope"u8);
        _json.WriteString("name"u8, "logwarden"u8);
        _json.WriteString("version"u8, version);
        _json.WriteEndObject();
        _json.WriteStartArray("logRecords"u8);
        _json.Flush();
        _prefix = prefix.WrittenSpan.ToArray();
        _json.Reset(_nowhere);
    }

    static ReadOnlySpan<byte> Suffix => "]}]}]}"u8;

    /// <summary>Bytes that a request has besides its events' wire forms and the commas between them.</summary>
    public int EnvelopeBytes => _prefix.Length + Suffix.Length;

    /// <summary>Appends one element of <c>logRecords</c>.</summary>
    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        var valid = OtlpFields.Valid(e);
        _json.Reset(output);
        _json.WriteStartObject();
        Wide("timeUnixNano"u8, OtlpFields.Nanos(valid.TimeMicros));
        Wide("observedTimeUnixNano"u8, OtlpFields.Nanos(valid.IngestedMicros));
        _json.WriteNumber("severityNumber"u8, Severities.Otel(valid.SeverityId));
        _json.WriteString("severityText"u8, Severities.Text(valid.SeverityId));
        if (OtlpFields.EventName(valid) is { IsEmpty: false } name) _json.WriteString("eventName"u8, name);
        _json.WriteStartArray("attributes"u8);
        for (var i = 0; i < OtlpFields.Count; i++)
        {
            if (OtlpFields.IsNumber(i))
            {
                Begin(i);
                Wide("intValue"u8, OtlpFields.Number(valid, i));
            }
            else if (OtlpFields.TryText(valid, i, out var text))
            {
                Begin(i);
                _json.WriteString("stringValue"u8, text);
            }
            else
            {
                continue;
            }
            _json.WriteEndObject();
            _json.WriteEndObject();
        }
        _json.WriteEndArray();
        _json.WriteStartObject("body"u8);
        _json.WriteString("stringValue"u8, valid.Json);
        _json.WriteEndObject();
        _json.WriteEndObject();
        _json.Flush();
        _json.Reset(_nowhere);
    }

    /// <summary>Appends an <c>ExportLogsServiceRequest</c> of a batch.</summary>
    public void Assemble(EventBatch batch, IBufferWriter<byte> output)
    {
        output.Write(_prefix);
        for (var i = 0; i < batch.Count; i++)
        {
            if (i > 0) output.Write(","u8);
            output.Write(batch.Wire(i).Span);
        }
        output.Write(Suffix);
    }

    /// <inheritdoc/>
    public void Dispose() => _json.Dispose();

    void Begin(int attribute)
    {
        _json.WriteStartObject();
        _json.WriteString("key"u8, OtlpFields.Key(attribute));
        _json.WriteStartObject("value"u8);
    }

    void Wide(ReadOnlySpan<byte> name, ulong value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out var written);
        _json.WriteString(name, digits[..written]);
    }

    void Wide(ReadOnlySpan<byte> name, long value)
    {
        Span<byte> digits = stackalloc byte[20];
        Utf8Formatter.TryFormat(value, digits, out var written);
        _json.WriteString(name, digits[..written]);
    }
}
