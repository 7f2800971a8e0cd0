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
    /// <summary>Appends the event and a line feed.</summary>
    public static void Write(IBufferWriter<byte> output, in StoredEvent e)
    {
        var at = Place(e.Json, out var isFirst, out var hasUnmapped);
        output.Write(e.Json[..at]);
        if (!hasUnmapped) output.Write(isFirst ? "\"unmapped\":{"u8 : ",\"unmapped\":{"u8);
        output.Write("\"logwarden\":"u8);
        Facts(output, e);
        if (!hasUnmapped) output.Write("}"u8);
        else if (!isFirst) output.Write(","u8);
        output.Write(e.Json[at..]);
        output.Write("\n"u8);
    }

    /// <summary>Where the facts go: behind the brace of a top-level <c>unmapped</c>, or before the last brace.</summary>
    static int Place(ReadOnlySpan<byte> json, out bool isFirst, out bool hasUnmapped)
    {
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 256 });
        reader.Read();
        isFirst = true;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var isUnmapped = reader.ValueTextEquals("unmapped"u8);
            reader.Read();
            if (isUnmapped && reader.TokenType == JsonTokenType.StartObject)
            {
                var at = checked((int)reader.TokenStartIndex) + 1;
                reader.Read();
                isFirst = reader.TokenType == JsonTokenType.EndObject;
                hasUnmapped = true;
                return at;
            }
            isFirst = false;
            reader.Skip();
        }
        hasUnmapped = false;
        return json.LastIndexOf((byte)'}');
    }

    static void Facts(IBufferWriter<byte> output, in StoredEvent e)
    {
        using var json = new Utf8JsonWriter(output);
        json.WriteStartObject();
        json.WriteString("event_id"u8, e.Id);
        json.WriteString("class"u8, e.Class);
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
        Columns(json, e);
        json.WriteString("source"u8, e.Source);
        json.WriteString("format"u8, e.Format);
        json.WriteNumber("offset"u8, e.Offset);
        json.WriteString("ingested"u8, Micros(e.IngestedMicros));
        json.WriteStartObject("redactions"u8);
        Redactions(json, e.Redactions);
        json.WriteEndObject();
        json.WriteEndObject();
    }

    static void Columns(Utf8JsonWriter json, in StoredEvent e)
    {
        json.WriteString("time"u8, Micros(e.TimeMicros));
        if (e.User.HasValue) json.WriteString("user"u8, e.User.Utf8);
        if (e.Ip.HasValue) json.WriteString("ip"u8, e.Ip.Utf8);
        if (e.Action.HasValue) json.WriteString("action"u8, e.Action.Utf8);
        if (e.Object.HasValue) json.WriteString("object"u8, e.Object.Utf8);
    }

    static void Redactions(Utf8JsonWriter json, ReadOnlySpan<byte> counts)
    {
        while (!counts.IsEmpty)
        {
            var end = counts.IndexOf((byte)',');
            var item = end < 0 ? counts : counts[..end];
            counts = end < 0 ? [] : counts[(end + 1)..];
            var equals = item.IndexOf((byte)'=');
            if (equals > 0 && Utf8Parser.TryParse(item[(equals + 1)..], out long count, out _)) json.WriteNumber(Encoding.UTF8.GetString(item[..equals]), count);
        }
    }

    /// <summary>Unix microseconds as RFC 3339, UTC; times outside of what a calendar holds as the plain number.</summary>
    public static string Micros(long micros)
    {
        const long Max = 253_402_300_799_999_999;
        const long Min = -62_135_596_800_000_000;
        if (micros is < Min or > Max) return micros.ToString(CultureInfo.InvariantCulture);
        return UnixMicros.ToInstant(micros).ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", CultureInfo.InvariantCulture);
    }

    /// <summary>Clause ids of the bits of <see cref="LogKinds"/>, in order of bit.</summary>
    public static IReadOnlyList<string> KindNames { get; } = ["LOG-1", "LOG-2", "LOG-3", "LOG-4"];

    /// <summary>Names of the bits of <see cref="MissingFields"/>, in order of bit.</summary>
    public static IReadOnlyList<string> MissingNames { get; } = ["user", "ip", "time", "action", "object"];
}
