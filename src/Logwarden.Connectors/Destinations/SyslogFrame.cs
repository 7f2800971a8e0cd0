using System.Buffers;
using System.Buffers.Text;
using System.Text;
using System.Text.Unicode;
using Logwarden.Events;

namespace Logwarden.Destinations;

/// <summary>What is the same in every message of a destination.</summary>
/// <param name="Facility">0 to 23.</param>
/// <param name="Host">HOSTNAME, 1 to 255 printable ASCII characters.</param>
/// <param name="App">APP-NAME, up to 48.</param>
/// <param name="Process">PROCID, up to 128.</param>
/// <param name="DataId">SD-ID of the event's structured data, up to 32.</param>
/// <param name="HasBom">Whether a message that is not ASCII begins with a byte order mark.</param>
sealed record SyslogHeader(int Facility, string Host, string App, string Process, string DataId, bool HasBom);

/// <summary>
/// Syslog messages of RFC 5424, each in the frame of RFC 5425 and 6587: <c>LENGTH SP MESSAGE</c>.
/// <code>
/// &lt;109&gt;1 2026-07-01T00:00:00.000000Z HOST logwarden 4711 order:update [logwarden@32473 id="…" class="…" …] {"class_uid":6003,…}
/// </code>
/// The message is the OCSF event. RFC 5424 wants a byte order mark before UTF-8; ASCII goes without, being text of any kind that it allows. Control characters
/// are allowed by the RFC and not kept: a receiver that writes lines would let an attacker's user name begin a new one. In the structured data U+FFFD
/// stands for each (the exact text is in the event); in the event, where JSON has them only between its tokens, a blank. Not thread-safe.
/// </summary>
sealed class SyslogFrame(SyslogHeader header)
{
    const int MessageIdMax = 32;
    const byte Delete = 0x7F;

    static readonly SearchValues<byte> Special = SearchValues.Create([.. Enumerable.Range(0, 32).Select(code => (byte)code), Delete, (byte)'"', (byte)'\\', (byte)']']);

    readonly ArrayBufferWriter<byte> _message = new(4096);
    readonly byte[] _names = Encoding.ASCII.GetBytes($" {header.Host} {header.App} {header.Process} ");
    readonly byte[] _data = Encoding.ASCII.GetBytes($" [{header.DataId}");

    static ReadOnlySpan<byte> Bom => [0xEF, 0xBB, 0xBF];

    static ReadOnlySpan<byte> Replacement => [0xEF, 0xBF, 0xBD];

    /// <summary>Most bytes of the frame of a message of that many.</summary>
    public static int BytesOf(int message) => message + 1 + message.ToString(System.Globalization.CultureInfo.InvariantCulture).Length;

    /// <summary>Appends the frame of an event.</summary>
    public void Write(in StoredEvent e, IBufferWriter<byte> output)
    {
        _message.ResetWrittenCount();
        _message.Write("<"u8);
        Number(header.Facility * 8 + Severities.Syslog(e.SeverityId));
        _message.Write(">1 "u8);
        Time(e.TimeMicros);
        _message.Write(_names);
        MessageId(e.Action.Utf8);
        _message.Write(_data);
        Data(e);
        _message.Write("] "u8);
        Event(FarText.Valid(e.Json));
        Span<byte> length = stackalloc byte[11];
        Utf8Formatter.TryFormat(_message.WrittenCount, length, out var digits);
        length[digits] = (byte)' ';
        output.Write(length[..(digits + 1)]);
        output.Write(_message.WrittenSpan);
    }

    void Data(in StoredEvent e)
    {
        Parameter(" id=\""u8, e.Id);
        Parameter(" class=\""u8, e.Class);
        Parameter(" source=\""u8, e.Source);
        Parameter(" format=\""u8, e.Format);
        Optional(" user=\""u8, e.User);
        Optional(" ip=\""u8, e.Ip);
        Optional(" action=\""u8, e.Action);
        Optional(" object=\""u8, e.Object);
        if (!e.Redactions.IsEmpty) Parameter(" redactions=\""u8, e.Redactions);
        _message.Write(" offset=\""u8);
        Number(e.Offset);
        _message.Write("\" ingested=\""u8);
        Time(e.IngestedMicros);
        _message.Write("\""u8);
    }

    void Optional(ReadOnlySpan<byte> name, OptionalText text)
    {
        if (text.HasValue) Parameter(name, text.Utf8);
    }

    void Parameter(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        _message.Write(name);
        var text = FarText.Valid(value);
        while (text.IndexOfAny(Special) is var next && next >= 0)
        {
            _message.Write(text[..next]);
            if (text[next] is < 32 or Delete)
            {
                _message.Write(Replacement);
            }
            else
            {
                _message.Write("\\"u8);
                _message.Write(text.Slice(next, 1));
            }
            text = text[(next + 1)..];
        }
        _message.Write(text);
        _message.Write("\""u8);
    }

    void Event(ReadOnlySpan<byte> json)
    {
        if (header.HasBom && !Ascii.IsValid(json)) _message.Write(Bom);
        var to = _message.GetSpan(json.Length + 1)[..json.Length];
        json.CopyTo(to);
        if (to.ContainsAnyInRange((byte)0, (byte)31))
        {
            foreach (ref var c in to)
            {
                if (c < 32) c = (byte)' ';
            }
        }
        _message.Advance(json.Length);
    }

    /// <summary>The action, cut; what is not printable ASCII becomes <c>_</c>. It is whole in the structured data.</summary>
    void MessageId(ReadOnlySpan<byte> action)
    {
        if (action.IsEmpty)
        {
            _message.Write("-"u8);
            return;
        }
        var id = action[..Math.Min(action.Length, MessageIdMax)];
        var to = _message.GetSpan(MessageIdMax);
        for (var i = 0; i < id.Length; i++) to[i] = id[i] is > 32 and < 127 ? id[i] : (byte)'_';
        _message.Advance(id.Length);
    }

    /// <summary>A time with six digits of a second, which is as many as the RFC allows; <c>-</c> when its year has not four.</summary>
    void Time(long micros)
    {
        if (micros < MicrosMin || micros > MicrosMax)
        {
            _message.Write("-"u8);
            return;
        }
        var to = _message.GetSpan(TimeBytes);
        Utf8.TryWrite(to, System.Globalization.CultureInfo.InvariantCulture, $"{UnixMicros.ToInstant(micros).UtcDateTime:yyyy-MM-ddTHH:mm:ss.ffffff}Z", out var written);
        _message.Advance(written);
    }

    void Number(long number)
    {
        Utf8Formatter.TryFormat(number, _message.GetSpan(20), out var written);
        _message.Advance(written);
    }

    const int TimeBytes = 27;

    static readonly long MicrosMin = UnixMicros.Of(DateTimeOffset.MinValue);
    static readonly long MicrosMax = UnixMicros.Of(DateTimeOffset.MaxValue);
}
