using System.Buffers;

namespace Logwarden.Events;

/// <summary>Where the text of a JSON string value stands in <see cref="NormalizedEvent.Json"/>: the bytes between its quotes.</summary>
/// <param name="Start">First byte after the opening quote.</param>
/// <param name="Length">Bytes up to the closing quote, escapes included.</param>
public readonly record struct JsonSlice(int Start, int Length)
{
    /// <summary>No such value.</summary>
    public static JsonSlice Absent => new(-1, 0);

    /// <summary>False for <see cref="Absent"/>.</summary>
    public bool IsPresent => Start >= 0;
}

/// <summary>
/// What a normaliser makes of one record, before redaction: one line of OCSF JSON and the facts that every later stage needs, so
/// that none of them parses the JSON again. One instance is reused for every record of a batch. Not thread-safe.
/// </summary>
public sealed class NormalizedEvent
{
    /// <summary>The OCSF event, compact JSON, one object, no line break.</summary>
    public ArrayBufferWriter<byte> Json { get; } = new(4096);

    /// <summary>Id in UTF-8; empty when the source has none and the pipeline must give one.</summary>
    public ArrayBufferWriter<byte> Id { get; } = new(64);

    /// <summary>When it happened: unix microseconds, UTC. The pipeline's clock when <see cref="Missing"/> has Time.</summary>
    public long TimeMicros { get; set; }

    /// <summary>OCSF <c>class_uid</c>.</summary>
    public int ClassUid { get; set; }

    /// <summary>OCSF <c>activity_id</c>.</summary>
    public int ActivityId { get; set; }

    /// <summary>OCSF <c>severity_id</c>.</summary>
    public byte SeverityId { get; set; }

    /// <summary>OCSF <c>status_id</c>.</summary>
    public byte StatusId { get; set; }

    /// <summary>LOG-1..4 kinds.</summary>
    public LogKinds Kinds { get; set; }

    /// <summary>LOG-5 fields that the record lacks.</summary>
    public MissingFields Missing { get; set; }

    /// <summary>LOG-5 user id in <see cref="Json"/>.</summary>
    public JsonSlice User { get; set; }

    /// <summary>LOG-5 IP address in <see cref="Json"/>.</summary>
    public JsonSlice Ip { get; set; }

    /// <summary>LOG-5 action type in <see cref="Json"/>.</summary>
    public JsonSlice Action { get; set; }

    /// <summary>LOG-5 action object in <see cref="Json"/>.</summary>
    public JsonSlice Object { get; set; }

    /// <summary>
    /// Values that name who acted (ids, names, addresses of the actor). The policy decides whether an e-mail address or the like
    /// in them is kept, pseudonymised or redacted; secrets in them are always redacted.
    /// </summary>
    public IList<JsonSlice> Actors { get; } = new List<JsonSlice>(8);

    /// <summary>Literals and parameter values that the format itself took out of SQL text; counted like redactions.</summary>
    public int SqlLiteralsRedacted { get; set; }

    /// <summary>Where the values of the record stand; refilled for each record.</summary>
    internal JsonIndex Index { get; } = new();

    /// <summary>Writes <see cref="Json"/>.</summary>
    internal JsonOut Out { get; } = new();

    /// <summary>Room for text that a format builds before it writes it.</summary>
    internal ArrayBufferWriter<byte> Scratch { get; } = new(1024);

    /// <summary>Second such room, for a format that turns the text of the first.</summary>
    internal ArrayBufferWriter<byte> Spare { get; } = new(1024);

    /// <summary>Third such room, for text without its literals.</summary>
    internal ArrayBufferWriter<byte> Redacted { get; } = new(1024);

    /// <summary>Room for the ranges of the literals in such a text.</summary>
    internal List<Range> Found { get; } = [];

    /// <summary>Begins with a record of JSON: makes this ready for it and finds its values.</summary>
    /// <returns>Why it is no record, or null.</returns>
    internal NormalizeError? Read(ReadOnlySpan<byte> record, out JsonView view)
    {
        Clear();
        view = new JsonView(Index, record);
        return Index.Read(record);
    }

    /// <summary>Sets when it happened; when that can't be told, the time of acceptance stands in.</summary>
    internal void SetTime(bool isKnown, long micros, long acceptedMicros)
    {
        TimeMicros = isKnown ? micros : acceptedMicros;
        if (!isKnown) Missing |= MissingFields.Time;
    }

    /// <summary>Makes it ready for the next record.</summary>
    public void Clear()
    {
        Json.ResetWrittenCount();
        Id.ResetWrittenCount();
        Actors.Clear();
        Out.Reset();
        Scratch.ResetWrittenCount();
        Spare.ResetWrittenCount();
        SqlLiteralsRedacted = 0;
        TimeMicros = 0;
        (ClassUid, ActivityId, SeverityId, StatusId) = (0, 0, 0, 0);
        (Kinds, Missing) = (LogKinds.None, MissingFields.None);
        User = Ip = Action = Object = JsonSlice.Absent;
    }
}
