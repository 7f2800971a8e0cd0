using System.Text;
using System.Text.Unicode;
using Logwarden.Events;

namespace Logwarden.Destinations;

/// <summary>
/// What an event is in OpenTelemetry's terms, the same for protobuf and JSON. Names are those of its semantic conventions where they have one; <c>log.record.uid</c>
/// lets a backend drop a record that came twice. The body is the OCSF event as the text that was stored: as a structured value it would lose the order of its
/// fields and numbers past 64 bits, and most backends would turn it into text again.
/// </summary>
static class OtlpFields
{
    const long NanosPerMicro = 1000;
    const int EventNameBytesMax = 256;

    /// <summary>Number of attributes that an event may have.</summary>
    public const int Count = 13;

    /// <summary>Name of an attribute.</summary>
    public static ReadOnlySpan<byte> Key(int index) => index switch
    {
        0 => "log.record.uid"u8,
        1 => "logwarden.class"u8,
        2 => "logwarden.source"u8,
        3 => "logwarden.format"u8,
        4 => "user.id"u8,
        5 => "client.address"u8,
        6 => "logwarden.action"u8,
        7 => "logwarden.object"u8,
        8 => "logwarden.redactions"u8,
        9 => "logwarden.offset"u8,
        10 => "ocsf.class_uid"u8,
        11 => "ocsf.activity_id"u8,
        _ => "ocsf.status_id"u8,
    };

    /// <summary>Whether an attribute is a number.</summary>
    public static bool IsNumber(int index) => index >= 9;

    /// <summary>Value of an attribute that is a number.</summary>
    public static long Number(in StoredEvent e, int index) => index switch { 9 => e.Offset, 10 => e.ClassUid, 11 => e.ActivityId, _ => e.StatusId };

    /// <summary>Value of an attribute that is text.</summary>
    /// <returns>False when the event has none.</returns>
    public static bool TryText(in StoredEvent e, int index, out ReadOnlySpan<byte> text)
    {
        var value = index switch
        {
            0 => new(e.Id),
            1 => new(e.Class),
            2 => new(e.Source),
            3 => new(e.Format),
            4 => e.User,
            5 => e.Ip,
            6 => e.Action,
            7 => e.Object,
            _ => e.Redactions.IsEmpty ? default : new OptionalText(e.Redactions),
        };
        text = value.Utf8;
        return value.HasValue;
    }

    /// <summary>Unix nanoseconds of a time in microseconds; 0, which means unknown, for what has none: before 1970 and after 2554.</summary>
    public static ulong Nanos(long micros) => micros is >= 0 and <= (long)(ulong.MaxValue / (ulong)NanosPerMicro) ? (ulong)micros * (ulong)NanosPerMicro : 0;

    /// <summary>Name of the kind of event: its action, if there is one of a length that the protocol recommends.</summary>
    public static ReadOnlySpan<byte> EventName(in StoredEvent e) => e.Action.Utf8.Length <= EventNameBytesMax ? e.Action.Utf8 : default;

    /// <summary>The event with every text made valid UTF-8, which receivers demand.</summary>
    public static StoredEvent Valid(in StoredEvent e)
    {
        var valid = e;
        valid.Id = FarText.Valid(e.Id);
        valid.Class = FarText.Valid(e.Class);
        valid.Source = FarText.Valid(e.Source);
        valid.Format = FarText.Valid(e.Format);
        valid.User = Valid(e.User);
        valid.Ip = Valid(e.Ip);
        valid.Action = Valid(e.Action);
        valid.Object = Valid(e.Object);
        valid.Redactions = FarText.Valid(e.Redactions);
        valid.Json = FarText.Valid(e.Json);
        return valid;
    }

    static OptionalText Valid(OptionalText text) => !text.HasValue || Utf8.IsValid(text.Utf8) ? text : new(Encoding.UTF8.GetBytes(Encoding.UTF8.GetString(text.Utf8)));
}
