using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Logwarden.Events;
using Logwarden.Formats;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Redaction;

namespace Logwarden.Flow;

/// <summary>What one source's records go through: the same for every record of a run.</summary>
/// <param name="Source">Id of the registered source.</param>
/// <param name="Format">Its normaliser.</param>
/// <param name="Fields">Field map of a <c>json</c> source; null for others.</param>
public sealed record IntakeRoute(string Source, IFormat Format, FieldMap? Fields)
{
    /// <summary>Cloud that the source runs in, for formats whose records do not say it: becomes <c>cloud.provider</c>. Letters, digits and spaces; null is none.</summary>
    public string? Cloud { get; init; }
}

/// <summary>
/// The per-record path: normalise → redact → classify → encode into a batch for the journal. Not thread-safe: each thread has its own.
/// A record that can't be read becomes an event of class <c>quarantine</c>; nothing here throws for what a record holds.
/// </summary>
/// <remarks>Budget: 20 µs and no allocation for a CloudTrail record of 1.26 KB; <c>bench/run ingest</c> checks it.</remarks>
public sealed class IntakeWorker
{
    readonly IntakeRoute _route;
    readonly Redactor _redactor;
    readonly PolicyClassifier _classifier;
    readonly TimeProvider _time;
    readonly byte[] _source;
    readonly byte[] _format;
    readonly NormalizedEvent _event = new();
    readonly RedactionScratch _scratch = new();
    readonly ArrayBufferWriter<byte> _redacted = new(8192);
    readonly ArrayBufferWriter<byte> _counts = new(256);
    readonly ArrayBufferWriter<byte> _placed = new(4096);
    readonly byte[] _cloud;
    readonly ColumnText _columns = new();
    readonly QuarantineWriter _quarantine;
    readonly DedupKeys _keys;
    ProtectedSpan[] _actors = new ProtectedSpan[8];

    /// <summary>A worker of one thread for one source.</summary>
    public IntakeWorker(IntakeRoute route, Redactor redactor, PolicyClassifier classifier, DedupKeys keys, TimeProvider time)
    {
        _keys = keys;
        _route = route;
        _redactor = redactor;
        _classifier = classifier;
        _time = time;
        _source = Encoding.UTF8.GetBytes(route.Source);
        _format = Encoding.UTF8.GetBytes(route.Format.Name);
        _cloud = route.Cloud is { } cloud ? Encoding.UTF8.GetBytes(",\"cloud\":{\"provider\":\"" + cloud + "\"}}") : [];
        _quarantine = new(redactor, _source, route.Format);
    }

    /// <summary>Why the last record that went to quarantine could not be taken in; null when none did.</summary>
    public NormalizeError? LastRefusal { get; private set; }

    /// <summary>Takes one record into the batch.</summary>
    /// <param name="record">What <see cref="RecordReader"/> gave: a record, or an error with an excerpt.</param>
    /// <param name="origin">Where it is from: makes the id of an event that has none of its own.</param>
    /// <param name="batch">Where the event goes.</param>
    public void Add(in FramedRecord record, RecordOrigin origin, AppendBatch batch)
    {
        if (record.Error is { } unframed)
        {
            AddRefused(unframed, record, origin, batch);
            return;
        }
        var now = UnixMicros.Now(_time);
        var error = _route.Format.Normalize(record.Bytes, new FormatContext(_route.Source, _route.Fields, now), _event);
        if (error is { } refused)
        {
            AddRefused(refused, record, origin, batch);
            return;
        }

        var json = Redact();
        var stored = new StoredEvent
        {
            TimeMicros = _event.TimeMicros,
            IngestedMicros = now,
            ClassUid = _event.ClassUid,
            ActivityId = _event.ActivityId,
            SeverityId = _event.SeverityId,
            StatusId = _event.StatusId,
            Kinds = _event.Kinds,
            Missing = _event.Missing,
            Source = _source,
            Format = _format,
            User = _columns.User,
            Ip = _columns.Ip,
            Action = _columns.Action,
            Object = _columns.Object,
            Redactions = _counts.WrittenSpan,
            Json = json,
        };
        stored.Class = _classifier.Classify(stored);

        var key = Identify(record, origin);
        stored.Id = _event.Id.WrittenSpan;
        Append(stored, key, null, batch);
    }

    void AddRefused(NormalizeError error, in FramedRecord record, RecordOrigin origin, AppendBatch batch)
    {
        LastRefusal = error;
        _event.Id.ResetWrittenCount();
        var key = Make(record, origin);
        var stored = _quarantine.Write(error, record, origin.Name, UnixMicros.Now(_time));
        stored.Id = _event.Id.WrittenSpan;
        Append(stored, key, error.Code, batch);
    }

    static void Append(in StoredEvent stored, UInt128 key, string? quarantine, AppendBatch batch)
    {
        var start = batch.Bytes.WrittenCount;
        EventEncoding.Write(batch.Bytes, stored);
        batch.Entries.Add(new(start, batch.Bytes.WrittenCount - start, key, quarantine));
    }

    /// <summary>The source's own id; else one from the position in a file, so that reading the file again makes the same; else a UUIDv7.</summary>
    UInt128 Identify(in FramedRecord record, RecordOrigin origin) =>
        _event.Id.WrittenCount > 0 ? _keys.Of(_source, _event.Id.WrittenSpan) : Make(record, origin);

    UInt128 Make(in FramedRecord record, RecordOrigin origin)
    {
        var made = _event.Id.GetSpan(EventId.TextBytes)[..EventId.TextBytes];
        var isPlaced = origin.Identity != UInt128.Zero;
        if (isPlaced) EventId.OfPosition(_keys, _source, origin, record.Position.Ordinal, record.Bytes, made);
        else EventId.New(_time.GetUtcNow(), made);
        _event.Id.Advance(EventId.TextBytes);
        return isPlaced ? _keys.Of(_source, made) : UInt128.Zero;
    }

    ReadOnlySpan<byte> Redact()
    {
        var json = Placed(_event.Json.WrittenSpan);
        var actors = _event.Actors;
        if (_actors.Length < actors.Count) _actors = new ProtectedSpan[actors.Count * 2];
        for (var i = 0; i < actors.Count; i++) _actors[i] = new(actors[i].Start, actors[i].Length);
        // A format names them as it finds them; redaction meets them in the order of the document.
        _actors.AsSpan(0, actors.Count).Sort(static (a, b) => a.Start.CompareTo(b.Start));

        _redacted.ResetWrittenCount();
        _counts.ResetWrittenCount();
        if (!_redactor.Json(json, _actors.AsSpan(0, actors.Count), _scratch, _redacted))
        {
            WriteCounts(isChanged: false);
            _columns.Take(json, _event);
            return json;
        }
        WriteCounts(isChanged: true);
        _columns.TakeChanged(json, _redacted.WrittenSpan, _event);
        return _redacted.WrittenSpan;
    }

    /// <summary>The event with its source's cloud as the last of its fields, so that everything before stands where the format put it.</summary>
    ReadOnlySpan<byte> Placed(ReadOnlySpan<byte> json)
    {
        if (_cloud.Length == 0) return json;
        _placed.ResetWrittenCount();
        _placed.Write(json[..^1]);
        _placed.Write(_cloud);
        return _placed.WrittenSpan;
    }

    /// <summary>Counts per rule, in order of rule: what the format took out of SQL text comes last, as <c>sql-statement</c>.</summary>
    void WriteCounts(bool isChanged)
    {
        if (isChanged) _scratch.WriteCounts(_counts);
        if (_event.SqlLiteralsRedacted == 0) return;
        if (_counts.WrittenCount > 0) _counts.Write(","u8);
        _counts.Write("sql-statement="u8);
        var to = _counts.GetSpan(11);
        Utf8Formatter.TryFormat(_event.SqlLiteralsRedacted, to, out var written);
        _counts.Advance(written);
    }
}
