using System.Buffers;
using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Logwarden.Events;

/// <summary>
/// An event as it is shown to people and other programs: its OCSF JSON with the policy's own facts (id, class, LOG-1..4 kinds, missing
/// LOG-5 fields, source, redactions) under <c>unmapped.logwarden</c>, where OCSF has room for them. One line.
/// </summary>
public static class EventJson
{
    [ThreadStatic]
    static EventLine? _lines;

    /// <summary>Appends the event and a line feed. Never throws, whatever the event holds.</summary>
    public static void Write(IBufferWriter<byte> output, in StoredEvent e) => (_lines ??= new([], null)).Write(output, e);

    /// <summary>Writes the policy's own facts of an event as an object.</summary>
    internal static void WriteFacts(Utf8JsonWriter json, in StoredEvent e)
    {
        Span<byte> micros = stackalloc byte[MicrosMax];
        json.WriteStartObject();
        json.WriteString("event_id"u8, EventLine.Valid(e.Id));
        json.WriteString("class"u8, EventLine.Valid(e.Class));
        json.WriteStartArray("kinds"u8);
        for (var i = 0; i < 4; i++)
        {
            if (((int)e.Kinds & (1 << i)) != 0) json.WriteStringValue(KindNames[i]);
        }
        json.WriteEndArray();
        json.WriteStartArray("missing"u8);
        for (var i = 0; i < 5; i++)
        {
            if (((int)e.Missing & (1 << i)) != 0) json.WriteStringValue(MissingNames[i]);
        }
        json.WriteEndArray();
        json.WriteString("time"u8, micros[..Micros(e.TimeMicros, micros)]);
        Optional(json, "user"u8, e.User);
        Optional(json, "ip"u8, e.Ip);
        Optional(json, "action"u8, e.Action);
        Optional(json, "object"u8, e.Object);
        json.WriteString("source"u8, EventLine.Valid(e.Source));
        json.WriteString("format"u8, EventLine.Valid(e.Format));
        json.WriteNumber("offset"u8, e.Offset);
        json.WriteString("ingested"u8, micros[..Micros(e.IngestedMicros, micros)]);
        json.WriteStartObject("redactions"u8);
        Redactions(json, e.Redactions);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void Optional(Utf8JsonWriter json, ReadOnlySpan<byte> name, OptionalText text)
    {
        if (text.HasValue) json.WriteString(name, EventLine.Valid(text.Utf8));
    }

    static void Redactions(Utf8JsonWriter json, ReadOnlySpan<byte> counts)
    {
        while (!counts.IsEmpty)
        {
            var end = counts.IndexOf((byte)',');
            var item = end < 0 ? counts : counts[..end];
            counts = end < 0 ? [] : counts[(end + 1)..];
            var equals = item.IndexOf((byte)'=');
            if (equals > 0 && Utf8Parser.TryParse(item[(equals + 1)..], out long count, out _)) json.WriteNumber(EventLine.Valid(item[..equals]), count);
        }
    }

    /// <summary>Unix microseconds as RFC 3339, UTC; times outside of what a calendar holds as the plain number.</summary>
    public static string Micros(long micros)
    {
        Span<byte> text = stackalloc byte[MicrosMax];
        return Encoding.ASCII.GetString(text[..Micros(micros, text)]);
    }

    /// <summary>The same, into a buffer of at least <see cref="MicrosMax"/> bytes.</summary>
    /// <returns>Bytes written.</returns>
    public static int Micros(long micros, Span<byte> text)
    {
        if (!IsInCalendar(micros))
        {
            micros.TryFormat(text, out var written, provider: CultureInfo.InvariantCulture);
            return written;
        }
        // By hand, because each event has several: a custom format costs five times as much.
        var instant = UnixMicros.ToInstant(micros).DateTime;
        var (year, month, day) = DateOnly.FromDateTime(instant);
        "0000-00-00T00:00:00.000000Z"u8.CopyTo(text);
        Digits(text[..4], year);
        Digits(text[5..7], month);
        Digits(text[8..10], day);
        var rest = instant.TimeOfDay.Ticks / TimeSpan.TicksPerMicrosecond;
        Digits(text[20..26], (int)(rest % 1_000_000));
        var seconds = (int)(rest / 1_000_000);
        Digits(text[11..13], seconds / 3600);
        Digits(text[14..16], seconds / 60 % 60);
        Digits(text[17..19], seconds % 60);
        return 27;
    }

    static void Digits(Span<byte> to, int number)
    {
        for (var i = to.Length - 1; i >= 0; i--, number /= 10) to[i] = (byte)('0' + number % 10);
    }

    /// <summary>Whether a time is in the years 1 to 9999.</summary>
    public static bool IsInCalendar(long micros) => micros is >= -62_135_596_800_000_000 and <= 253_402_300_799_999_999;

    /// <summary>Most bytes of a time as text.</summary>
    public const int MicrosMax = 32;

    /// <summary>Clause ids of the bits of <see cref="LogKinds"/>, in order of bit.</summary>
    public static IReadOnlyList<string> KindNames { get; } = ["LOG-1", "LOG-2", "LOG-3", "LOG-4"];

    /// <summary>Names of the bits of <see cref="MissingFields"/>, in order of bit.</summary>
    public static IReadOnlyList<string> MissingNames { get; } = ["user", "ip", "time", "action", "object"];
}
