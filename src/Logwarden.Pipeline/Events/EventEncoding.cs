using System.Buffers;
using System.Buffers.Binary;

namespace Logwarden.Events;

/// <summary>
/// One stored event, as views into the bytes that hold it. All text is UTF-8. A field that is absent by nature is
/// <c>default</c> with its <c>Has…</c> flag false: absent and empty are told apart.
/// </summary>
public ref struct StoredEvent
{
    /// <summary>Position in the journal; unique in the installation, without gaps, from 0.</summary>
    public long Offset { get; set; }

    /// <summary>When it happened: unix microseconds, UTC.</summary>
    public long TimeMicros { get; set; }

    /// <summary>When we accepted it: unix microseconds, UTC.</summary>
    public long IngestedMicros { get; set; }

    /// <summary>OCSF <c>class_uid</c>.</summary>
    public int ClassUid { get; set; }

    /// <summary>OCSF <c>activity_id</c>; <c>type_uid</c> is <c>class_uid * 100 + activity_id</c>.</summary>
    public int ActivityId { get; set; }

    /// <summary>OCSF <c>severity_id</c>, 0 to 99.</summary>
    public byte SeverityId { get; set; }

    /// <summary>OCSF <c>status_id</c>, 0 to 99.</summary>
    public byte StatusId { get; set; }

    /// <summary>LOG-1..4 kinds.</summary>
    public LogKinds Kinds { get; set; }

    /// <summary>LOG-5 fields that it lacks.</summary>
    public MissingFields Missing { get; set; }

    /// <summary>Id of the event: the source's own where it has one.</summary>
    public ReadOnlySpan<byte> Id { get; set; }

    /// <summary>Policy class, such as <c>security-audit</c>.</summary>
    public ReadOnlySpan<byte> Class { get; set; }

    /// <summary>Id of the registered source.</summary>
    public ReadOnlySpan<byte> Source { get; set; }

    /// <summary>Input format, such as <c>cloudtrail</c>.</summary>
    public ReadOnlySpan<byte> Format { get; set; }

    /// <summary>LOG-5 user id.</summary>
    public OptionalText User { get; set; }

    /// <summary>LOG-5 IP address, as text.</summary>
    public OptionalText Ip { get; set; }

    /// <summary>LOG-5 action type, such as <c>s3:GetObject</c>.</summary>
    public OptionalText Action { get; set; }

    /// <summary>LOG-5 action object.</summary>
    public OptionalText Object { get; set; }

    /// <summary>Redactions made: <c>rule=count</c>, sorted by rule, joined by commas. Empty when nothing was redacted.</summary>
    public ReadOnlySpan<byte> Redactions { get; set; }

    /// <summary>The OCSF event, one line of JSON, already redacted.</summary>
    public ReadOnlySpan<byte> Json { get; set; }
}

/// <summary>Text that may be absent.</summary>
public readonly ref struct OptionalText(ReadOnlySpan<byte> utf8)
{
    /// <summary>The text; empty when absent.</summary>
    public ReadOnlySpan<byte> Utf8 { get; } = utf8;

    /// <summary>False when there is no such text at all.</summary>
    public bool HasValue { get; } = true;
}

/// <summary>
/// The canonical encoding of an event, version 1: payload of a journal entry and content of a Merkle leaf alike
/// (<c>docs/formats/event.md</c>). It does not depend on Parquet or on any library.
/// <code>
/// u8 version = 1
/// i64 offset ‖ i64 time_us ‖ i64 ingested_us ‖ i32 class_uid ‖ i32 activity_id
/// u8 severity_id ‖ u8 status_id ‖ u8 kinds ‖ u8 missing
/// id ‖ class ‖ source ‖ format ‖ user ‖ ip ‖ action ‖ object ‖ redactions ‖ json
/// </code>
/// Integers are little-endian; each text is <c>i32 length ‖ UTF-8</c>, length −1 when absent.
/// </summary>
public static class EventEncoding
{
    /// <summary>First byte of this version.</summary>
    public const byte Version = 1;

    /// <summary>Where the journal writes the offset, which is known only when the event is appended.</summary>
    public const int OffsetPosition = 1;

    const int FixedBytes = 1 + 3 * 8 + 2 * 4 + 4;
    const int Texts = 10;

    /// <summary>Appends one event.</summary>
    public static void Write(IBufferWriter<byte> output, in StoredEvent e)
    {
        var size = FixedBytes + Texts * 4 + e.Id.Length + e.Class.Length + e.Source.Length + e.Format.Length + e.User.Utf8.Length
            + e.Ip.Utf8.Length + e.Action.Utf8.Length + e.Object.Utf8.Length + e.Redactions.Length + e.Json.Length;
        var to = output.GetSpan(size);
        to[0] = Version;
        BinaryPrimitives.WriteInt64LittleEndian(to[1..], e.Offset);
        BinaryPrimitives.WriteInt64LittleEndian(to[9..], e.TimeMicros);
        BinaryPrimitives.WriteInt64LittleEndian(to[17..], e.IngestedMicros);
        BinaryPrimitives.WriteInt32LittleEndian(to[25..], e.ClassUid);
        BinaryPrimitives.WriteInt32LittleEndian(to[29..], e.ActivityId);
        to[33] = e.SeverityId;
        to[34] = e.StatusId;
        to[35] = (byte)e.Kinds;
        to[36] = (byte)e.Missing;
        var rest = to[FixedBytes..];
        Text(ref rest, e.Id);
        Text(ref rest, e.Class);
        Text(ref rest, e.Source);
        Text(ref rest, e.Format);
        Text(ref rest, e.User);
        Text(ref rest, e.Ip);
        Text(ref rest, e.Action);
        Text(ref rest, e.Object);
        Text(ref rest, e.Redactions);
        Text(ref rest, e.Json);
        output.Advance(size);
    }

    /// <summary>Writes the offset into an event that is already encoded.</summary>
    public static void SetOffset(Span<byte> encoded, long offset) =>
        BinaryPrimitives.WriteInt64LittleEndian(encoded[OffsetPosition..], offset);

    /// <summary>Reads one event that fills <paramref name="input"/>. Never throws, whatever the bytes.</summary>
    /// <returns>False when the bytes are not exactly one event of version 1.</returns>
    public static bool TryRead(ReadOnlySpan<byte> input, out StoredEvent e)
    {
        e = default;
        if (input.Length < FixedBytes || input[0] != Version) return false;
        e.Offset = BinaryPrimitives.ReadInt64LittleEndian(input[1..]);
        e.TimeMicros = BinaryPrimitives.ReadInt64LittleEndian(input[9..]);
        e.IngestedMicros = BinaryPrimitives.ReadInt64LittleEndian(input[17..]);
        e.ClassUid = BinaryPrimitives.ReadInt32LittleEndian(input[25..]);
        e.ActivityId = BinaryPrimitives.ReadInt32LittleEndian(input[29..]);
        e.SeverityId = input[33];
        e.StatusId = input[34];
        e.Kinds = (LogKinds)input[35];
        e.Missing = (MissingFields)input[36];
        var at = FixedBytes;
        if (!Text(input, ref at, out var id) || !Text(input, ref at, out var @class) || !Text(input, ref at, out var source)
            || !Text(input, ref at, out var format) || !Text(input, ref at, out var user) || !Text(input, ref at, out var ip)
            || !Text(input, ref at, out var action) || !Text(input, ref at, out var @object)
            || !Text(input, ref at, out var redactions) || !Text(input, ref at, out var json) || at != input.Length)
        {
            return false;
        }
        if (!(id.HasValue && @class.HasValue && source.HasValue && format.HasValue && redactions.HasValue && json.HasValue)) return false;
        e.Id = id.Utf8;
        e.Class = @class.Utf8;
        e.Source = source.Utf8;
        e.Format = format.Utf8;
        e.User = user;
        e.Ip = ip;
        e.Action = action;
        e.Object = @object;
        e.Redactions = redactions.Utf8;
        e.Json = json.Utf8;
        return true;
    }

    static void Text(ref Span<byte> to, ReadOnlySpan<byte> utf8)
    {
        BinaryPrimitives.WriteInt32LittleEndian(to, utf8.Length);
        utf8.CopyTo(to[4..]);
        to = to[(4 + utf8.Length)..];
    }

    static void Text(ref Span<byte> to, OptionalText text)
    {
        if (text.HasValue)
        {
            Text(ref to, text.Utf8);
            return;
        }
        BinaryPrimitives.WriteInt32LittleEndian(to, -1);
        to = to[4..];
    }

    static bool Text(ReadOnlySpan<byte> input, scoped ref int at, out OptionalText text)
    {
        text = default;
        if (input.Length - at < 4) return false;
        var length = BinaryPrimitives.ReadInt32LittleEndian(input[at..]);
        at += 4;
        if (length == -1) return true;
        if (length < 0 || length > input.Length - at) return false;
        text = new(input.Slice(at, length));
        at += length;
        return true;
    }
}
