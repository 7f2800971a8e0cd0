using System.Buffers;
using System.Buffers.Binary;
using Google.Protobuf;
using Logwarden.Events;
using Logwarden.Flow;
using OpenTelemetry.Proto.Common.V1;
using OpenTelemetry.Proto.Logs.V1;
using OpenTelemetry.Proto.Resource.V1;

namespace Logwarden.Destinations;

/// <summary>
/// OTLP in protobuf. The wire form of an event is one element of <c>ScopeLogs.log_records</c> with its tag, so that a request is three short prefixes and
/// the events one after the other. Written by hand: the generated types would copy each text into a string and back.
/// </summary>
sealed class OtlpProtobuf
{
    /// <summary>Most bytes of a request besides its events' wire forms and <see cref="_resource"/>, <see cref="_scope"/>: three tags and lengths.</summary>
    const int PrefixBytesMax = 3 * 6;

    readonly byte[] _resource;
    readonly byte[] _scope;

    /// <param name="resource">Attributes of the resource.</param>
    /// <param name="version">Version of the scope, which is this program.</param>
    public OtlpProtobuf(IReadOnlyDictionary<string, string> resource, string version)
    {
        var described = new Resource();
        foreach (var (key, value) in resource) described.Attributes.Add(new KeyValue { Key = key, Value = new AnyValue { StringValue = value } });
        _resource = new ResourceLogs { Resource = described }.ToByteArray();
        _scope = new ScopeLogs { Scope = new InstrumentationScope { Name = "logwarden", Version = version } }.ToByteArray();
    }

    /// <summary>Most bytes that a request has besides its events' wire forms.</summary>
    public int EnvelopeBytes => PrefixBytesMax + _resource.Length + _scope.Length;

    /// <summary>Appends one element of <c>log_records</c>.</summary>
    public static void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        var valid = OtlpFields.Valid(e);
        var size = Record(default, valid);
        var tag = new Out(output.GetSpan(1 + Out.Varint((ulong)size) + size));
        tag.Length(2, size);
        output.Advance(tag.At);
        output.Advance(Record(output.GetSpan(size), valid));
    }

    /// <summary>Appends an <c>ExportLogsServiceRequest</c> of a batch.</summary>
    public void Assemble(EventBatch batch, IBufferWriter<byte> output)
    {
        var scopeLogs = _scope.Length + batch.WireBytes;
        var resourceLogs = _resource.Length + 1 + Out.Varint((ulong)scopeLogs) + scopeLogs;
        var prefix = new Out(output.GetSpan(EnvelopeBytes));
        prefix.Length(1, resourceLogs);
        prefix.Raw(_resource);
        prefix.Length(2, scopeLogs);
        prefix.Raw(_scope);
        output.Advance(prefix.At);
        for (var i = 0; i < batch.Count; i++) output.Write(batch.Wire(i).Span);
    }

    // Field numbers are those of logs.proto and common.proto.
    static int Record(Span<byte> room, in StoredEvent e)
    {
        var to = new Out(room);
        to.Fixed64(1, OtlpFields.Nanos(e.TimeMicros));
        to.Number(2, Severities.Otel(e.SeverityId));
        to.Text(3, Severities.Text(e.SeverityId));
        to.Length(5, Out.Field(e.Json.Length));
        to.Text(1, e.Json);
        for (var i = 0; i < OtlpFields.Count; i++)
        {
            var key = OtlpFields.Key(i);
            if (OtlpFields.IsNumber(i))
            {
                var number = OtlpFields.Number(e, i);
                var value = 1 + Out.Varint(unchecked((ulong)number));
                to.Length(6, Out.Field(key.Length) + Out.Field(value));
                to.Text(1, key);
                to.Length(2, value);
                to.Number(3, number);
            }
            else if (OtlpFields.TryText(e, i, out var text))
            {
                to.Length(6, Out.Field(key.Length) + Out.Field(Out.Field(text.Length)));
                to.Text(1, key);
                to.Length(2, Out.Field(text.Length));
                to.Text(1, text);
            }
        }
        to.Fixed64(11, OtlpFields.Nanos(e.IngestedMicros));
        if (OtlpFields.EventName(e) is { IsEmpty: false } name) to.Text(12, name);
        return to.At;
    }

    /// <summary>Protobuf's wire form; without room it only counts. Field numbers up to 15: a tag is one byte.</summary>
    ref struct Out(Span<byte> to)
    {
        const int Fixed = 1, Delimited = 2;
        readonly Span<byte> _to = to;
        readonly bool _isCounting = to.IsEmpty;

        public int At { get; private set; }

        public static int Varint(ulong value)
        {
            var bytes = 1;
            for (; value > 0x7F; value >>= 7) bytes++;
            return bytes;
        }

        /// <summary>Bytes of a field of that many bytes, with its tag and length.</summary>
        public static int Field(int length) => 1 + Varint((ulong)length) + length;

        public void Fixed64(int field, ulong value)
        {
            if (!_isCounting)
            {
                _to[At] = (byte)(field << 3 | Fixed);
                BinaryPrimitives.WriteUInt64LittleEndian(_to[(At + 1)..], value);
            }
            At += 9;
        }

        public void Number(int field, long value) => Tagged(field << 3, unchecked((ulong)value));

        public void Length(int field, int length) => Tagged(field << 3 | Delimited, (ulong)length);

        public void Text(int field, scoped ReadOnlySpan<byte> text)
        {
            Length(field, text.Length);
            Raw(text);
        }

        public void Raw(scoped ReadOnlySpan<byte> bytes)
        {
            if (!_isCounting) bytes.CopyTo(_to[At..]);
            At += bytes.Length;
        }

        void Tagged(int tag, ulong value)
        {
            if (_isCounting)
            {
                At += 1 + Varint(value);
                return;
            }
            _to[At++] = (byte)tag;
            for (; value > 0x7F; value >>= 7) _to[At++] = (byte)(value & 0x7F | 0x80);
            _to[At++] = (byte)value;
        }
    }
}
