using System.Buffers;
using System.Text;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Formats;
using Logwarden.Redaction;

namespace Logwarden.Flow;

/// <summary>
/// Makes the event that stands for a record which could not be taken in: an OCSF base event (class_uid 0) with the reason, the position
/// and a redacted excerpt of the record.
/// </summary>
sealed class QuarantineWriter(Redactor redactor, byte[] source, IFormat format)
{
    const int ScannedBytesMax = 256 * 1024;
    const int ExcerptBytesMax = 1024;

    // So much of the shape tells what kind of thing it was.
    const int ShapeBytesMax = 256;

    // The end of what was cut off may be half a secret, which no rule knows: so much of it is not shown, secrets being shorter.
    const int MarginBytes = 4096;

    static readonly byte[] Class = Encoding.UTF8.GetBytes(EventClasses.Quarantine);
    static readonly SearchValues<byte> NotOfPrefix = SearchValues.Create("{}()'\"\n"u8);
    static readonly SearchValues<byte> Boundaries = SearchValues.Create(" \t\r\n,;"u8);
    static readonly JsonWriterOptions Relaxed = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    readonly byte[] _format = Encoding.UTF8.GetBytes(format.Name);
    readonly ArrayBufferWriter<byte> _json = new(4096);
    readonly ArrayBufferWriter<byte> _redacted = new(4096);
    readonly ArrayBufferWriter<byte> _counts = new(256);
    readonly RedactionScratch _scratch = new();

    /// <summary>Writes the event. What it gives back is valid until the next call.</summary>
    public StoredEvent Write(NormalizeError error, in FramedRecord record, string name, long nowMicros)
    {
        _json.ResetWrittenCount();
        _counts.ResetWrittenCount();
        var excerpt = Excerpt(record);
        using (var json = new Utf8JsonWriter(_json, Relaxed))
        {
            json.WriteStartObject();
            json.WriteNumber("activity_id"u8, 99);
            json.WriteString("activity_name"u8, Class);
            json.WriteNumber("category_uid"u8, 0);
            json.WriteNumber("class_uid"u8, 0);
            json.WriteNumber("type_uid"u8, 99);
            json.WriteNumber("severity_id"u8, 2);
            json.WriteNumber("status_id"u8, 2);
            json.WriteNumber("time"u8, nowMicros / 1000);
            json.WriteString("message"u8, error.Reason);
            json.WriteStartObject("metadata"u8);
            json.WriteString("version"u8, "1.8.0"u8);
            json.WriteStartObject("product"u8);
            json.WriteString("name"u8, "Logwarden"u8);
            json.WriteString("vendor_name"u8, "Logwarden"u8);
            json.WriteEndObject();
            json.WriteEndObject();
            json.WriteStartObject("unmapped"u8);
            json.WriteString("reason"u8, error.Code);
            if (error.Field.Length > 0) json.WriteString("field"u8, error.Field);
            if (name.Length > 0) json.WriteString("file"u8, name);
            json.WriteNumber("record"u8, record.Position.Ordinal);
            json.WriteNumber("line"u8, record.Position.Line);
            json.WriteNumber("byte_offset"u8, record.Position.Offset);
            json.WriteNumber("error_at"u8, error.Position);
            json.WriteString("excerpt"u8, excerpt);
            json.WriteEndObject();
            json.WriteEndObject();
        }
        return new StoredEvent
        {
            TimeMicros = nowMicros,
            IngestedMicros = nowMicros,
            ActivityId = 99,
            SeverityId = 2,
            StatusId = 2,
            Missing = MissingFields.User | MissingFields.Ip | MissingFields.Time | MissingFields.Action | MissingFields.Object,
            Class = Class,
            Source = source,
            Format = _format,
            Redactions = _counts.WrittenSpan,
            Json = _json.WrittenSpan,
        };
    }

    /// <summary>
    /// What may be seen of the record: of JSON what stands before the first payload field, of a line of PostgreSQL what stands before its message. Of the rest, where nothing tells what is
    /// payload, literal or name, the shape is shown (<c>Aaaa 9999</c>). Redacts first and cuts then, so that a cut can't hide a secret from the rules; the cut itself falls on a word
    /// boundary, since half a token may no longer look like one.
    /// </summary>
    string Excerpt(in FramedRecord record)
    {
        var scanned = record.Bytes[..Math.Min(record.Bytes.Length, ScannedBytesMax)];
        var isCut = record.IsCut || scanned.Length < record.Bytes.Length;
        var shown = format.Framing.Kind is FramingKind.PostgresLog ? Prefix(scanned) : Beginning(scanned);
        if (shown < scanned.Length) return Redacted(scanned[..shown], isCut: false) + Shape(scanned[shown..]);
        return Redacted(scanned, isCut);
    }

    // A piece of a document may be a piece of a payload: only a document that is there from its beginning is shown.
    int Beginning(ReadOnlySpan<byte> record)
    {
        var start = record.IndexOfAnyExcept(" \t\r\n\uFEFF"u8);
        if (start < 0 || record[start] is not ((byte)'{' or (byte)'[')) return 0;
        var payload = redactor.PayloadAt(record);
        return payload < 0 ? record.Length : payload;
    }

    // "2026-11-25 01:02:03 UTC [77] LOG:  " and nothing of CSV and JSON, whose fields no longer tell where the statement is.
    static int Prefix(ReadOnlySpan<byte> record)
    {
        return PostgresLine.TryFindSeverity(record, out var severity, out _, out var message) && PostgresLine.HasTime(record[..severity])
            && record[..severity].IndexOfAny(NotOfPrefix) < 0 ? message : 0;
    }

    string Redacted(ReadOnlySpan<byte> record, bool isCut)
    {
        _redacted.ResetWrittenCount();
        var changed = redactor.Text(record, _scratch, _redacted);
        if (changed) _scratch.WriteCounts(_counts);
        var text = changed ? _redacted.WrittenSpan : record;
        if (isCut) text = text[..Math.Max(0, text.Length - MarginBytes)];
        else if (text.Length <= ExcerptBytesMax) return Encoding.UTF8.GetString(text);
        return Encoding.UTF8.GetString(ToBoundary(text[..Math.Min(text.Length, ExcerptBytesMax)]));
    }

    // Letters, digits and everything beyond ASCII as their kind; punctuation stays.
    static string Shape(ReadOnlySpan<byte> text) => string.Create(Math.Min(text.Length, ShapeBytesMax), text[..Math.Min(text.Length, ShapeBytesMax)], static (shape, text) =>
    {
        for (var i = 0; i < shape.Length; i++)
        {
            var c = (char)text[i];
            shape[i] = char.IsAsciiDigit(c) ? '9' : char.IsAsciiLetterUpper(c) ? 'A' : char.IsAsciiLetterLower(c) || c > 126 ? 'a' : c < ' ' ? ' ' : c;
        }
    });

    static ReadOnlySpan<byte> ToBoundary(ReadOnlySpan<byte> cut)
    {
        var at = cut.LastIndexOfAny(Boundaries);
        return at > 0 ? cut[..at] : [];
    }
}
