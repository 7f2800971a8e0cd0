using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Cuts an input into records, holding one of them in memory at a time, however long the array or the file is. Whatever is no record
/// comes out as an error with its place, and reading goes on behind it: at the next line, or inside an array at what looks like the
/// next element. No bytes make it throw. Not thread-safe.
/// </summary>
public sealed partial class RecordReader
{
    /// <summary>Bytes that are given of a bad record.</summary>
    public const int ExcerptBytesMax = 16 * 1024;

    const int LevelsMax = 4;

    enum Level : byte
    {
        Array,
        Envelope,
    }

    readonly ByteWindow _window;
    readonly bool _isPostgres;
    readonly NameTable? _envelopes;
    readonly int _bytesMax;
    readonly Stack<Level> _levels = new();
    byte[] _excerpt = [];
    JsonScanner _envelopeRest;
    bool _inEnvelopeRest;
    bool _isResynchronised;
    bool _isFinished;
    long _ordinal;

    /// <summary>Reads a stream to its end. The stream stays the caller's.</summary>
    public RecordReader(Stream input, Framing framing, RecordLimits limits) : this(new ByteWindow(input, live: null), framing, limits)
    {
    }

    /// <summary>Reads a pipe, not packed, that <paramref name="input"/> gives the bytes of. A record that may go on in a further line ends when nothing comes for a second.</summary>
    public RecordReader(Stream input, LivePipeStream? live, Framing framing, RecordLimits limits) : this(new ByteWindow(input, live), framing, limits)
    {
    }

    /// <summary>Reads bytes that are all there.</summary>
    public RecordReader(ReadOnlyMemory<byte> input, Framing framing, RecordLimits limits) : this(new ByteWindow(input), framing, limits)
    {
    }

    RecordReader(ByteWindow window, Framing framing, RecordLimits limits)
    {
        _window = window;
        _isPostgres = framing.Kind == FramingKind.PostgresLog;
        _envelopes = framing.Envelopes.Count == 0 ? null : new NameTable([.. framing.Envelopes]);
        _bytesMax = limits.RecordBytesMax;
    }

    /// <summary>Bytes of the input that were read as records, errors or the blanks between them.</summary>
    public long Offset => _window.Offset;

    /// <summary>Bytes that were looked at, as often as they were: it must grow with the input and no faster.</summary>
    internal long Looked { get; private set; }

    /// <summary>Gets the next record or error.</summary>
    /// <returns>False at the end.</returns>
    /// <exception cref="IOException">The stream could not be read; damaged compression is an error item instead.</exception>
    public bool Read(out FramedRecord record)
    {
        while (true)
        {
            if (_inEnvelopeRest && ReadEnvelopeRest(out record)) return true;
            if (!SkipBlanks()) return Finish(out record);
            var c = _window.Unread[0];
            if (_levels.Count > 0)
            {
                if (c != ']')
                {
                    if (ReadValue(out record)) return true;
                    continue;
                }
                _window.Skip(1);
                if (_levels.Pop() == Level.Envelope) (_envelopeRest, _inEnvelopeRest) = (JsonScanner.BehindValue(), true);
                continue;
            }
            if (c == '{')
            {
                if (ReadValue(out record)) return true;
            }
            else if (_isPostgres)
            {
                ReadText(out record);
                return true;
            }
            else if (c == '[')
            {
                _levels.Push(Level.Array);
                _window.Skip(1);
            }
            else
            {
                Garbage(out record);
                return true;
            }
        }
    }

    /// <summary>Skips what may stand between records.</summary>
    /// <returns>False at the end of the input.</returns>
    bool SkipBlanks()
    {
        if (_window.Offset == 0 && _window.Has(3) && _window.Unread.StartsWith("\uFEFF"u8)) _window.Skip(3);
        while (true)
        {
            var bytes = _window.Unread;
            var at = 0;
            while (at < bytes.Length && IsBlank(bytes[at])) at++;
            _window.Skip(at);
            if (at < bytes.Length) return true;
            if (!_window.More()) return false;
        }
    }

    bool IsBlank(byte c) => c switch
    {
        (byte)' ' or (byte)'\n' or (byte)'\r' => true,
        (byte)'\t' => !_isPostgres,
        // The record separator of JSON text sequences.
        0x1E => !_isPostgres,
        (byte)',' => _levels.Count > 0 || _isResynchronised,
        // Left over from an array whose middle was bad, which was reported.
        (byte)']' or (byte)'}' => _isResynchronised && _levels.Count == 0,
        _ => false,
    };

    bool Finish(out FramedRecord record)
    {
        var error = _window.Broken;
        if (error is null && _levels.Count > 0)
            error = NormalizeError.At("truncated", 0, "the input ends inside an array of records: expected `]`");
        _levels.Clear();
        if (_isFinished || error is null)
        {
            record = default;
            return false;
        }
        _isFinished = true;
        record = Bad(Here(), error, default);
        return true;
    }

    /// <summary>Reads one JSON value. False when it was only the beginning of an envelope.</summary>
    bool ReadValue(out FramedRecord record)
    {
        var position = Here();
        var scanner = new JsonScanner();
        var envelopes = _levels.Count < LevelsMax ? _envelopes : null;
        var at = 0;
        var isOneLine = MustEndOnItsLine;
        while (true)
        {
            var from = at;
            var bytes = isOneLine ? ToLineEnd(_window.Unread, at) : _window.Unread;
            var scan = scanner.Scan(bytes, ref at, envelopes);
            Looked += at - from;
            if (scan == JsonScan.NeedMore && isOneLine && bytes is [.., (byte)'\n']) scan = JsonScan.Bad;
            if (scan == JsonScan.NeedMore)
            {
                if (at > _bytesMax)
                {
                    TooLarge(position, ref scanner, at, out record);
                    return true;
                }
                if (_window.More()) continue;
                scan = scanner.IsDoneAtEnd ? JsonScan.Done : JsonScan.NeedMore;
            }
            record = default;
            switch (scan)
            {
                case JsonScan.Envelope:
                    _window.Skip(at);
                    _levels.Push(Level.Envelope);
                    return false;
                case JsonScan.Done:
                    record = Cut(position, at, scanner.IsTooDeep);
                    return true;
                case JsonScan.Bad:
                    Recover(position, at, NormalizeError.At("invalid-json", at, "not valid JSON"), out record);
                    return true;
                default:
                    _isFinished = _window.Broken is not null;
                    Recover(position, at, _window.Broken ?? NormalizeError.At("truncated", at, "the input ends inside a record"), out record);
                    return true;
            }
        }
    }

    FramedRecord Cut(RecordPosition position, int length, bool isTooDeep)
    {
        var bytes = _window.Unread[..length];
        NormalizeError? error = null;
        if (isTooDeep) error = NormalizeError.At("too-deep", 0, $"JSON is nested deeper than {Events.JsonIndex.NestingMax} levels");
        else if (length > _bytesMax) error = NormalizeError.At("record-too-large", 0, $"a record may have {_bytesMax} bytes at most");
        else if (bytes[0] != '{') error = NormalizeError.At("not-an-object", 0, "a record must be a JSON object");
        if (error is not null)
        {
            // A stray bracket may have made lines of good records into an array.
            var line = bytes[0] == '[' ? LineOfObject(bytes) : 0;
            Looked += line > 0 ? line : bytes[0] == '[' ? length : 0;
            var bad = Bad(position, error, line > 0 ? bytes[..line] : bytes);
            if (line > 0) GiveBack(line, length);
            else _window.Skip(length);
            return bad;
        }
        _window.Skip(length);
        _ordinal++;
        return new() { Bytes = bytes, Position = position };
    }

    /// <summary>Finds the end of a record that is too large to be held.</summary>
    void TooLarge(RecordPosition position, scoped ref JsonScanner scanner, int at, out FramedRecord record)
    {
        record = Bad(position, NormalizeError.At("record-too-large", 0, $"a record may have {_bytesMax} bytes at most"), _window.Unread);
        while (true)
        {
            _window.Skip(at);
            at = 0;
            var scan = scanner.Scan(_window.Unread, ref at, null);
            Looked += at;
            if (scan == JsonScan.Done)
            {
                _window.Skip(at);
                return;
            }
            if (scan == JsonScan.Bad)
            {
                _window.Skip(at);
                SkipLine();
                Forget();
                return;
            }
            if (!_window.More() && at == _window.Unread.Length)
            {
                _window.Skip(at);
                return;
            }
        }
    }

    /// <summary>Reads what follows the records in their envelope. False when it is as it should be.</summary>
    bool ReadEnvelopeRest(out FramedRecord record)
    {
        var position = Here();
        var at = 0;
        record = default;
        _inEnvelopeRest = false;
        while (true)
        {
            var from = at;
            var scan = _envelopeRest.Scan(_window.Unread, ref at, null);
            Looked += at - from;
            if (scan == JsonScan.Done)
            {
                _window.Skip(at);
                return false;
            }
            if (scan == JsonScan.NeedMore && at <= _bytesMax && _window.More()) continue;
            var error = scan == JsonScan.Bad || !_window.IsAtEnd
                ? NormalizeError.At("invalid-json", at, "what follows the records in their envelope is not valid JSON")
                : _window.Broken ?? NormalizeError.At("truncated", at, "the input ends inside an envelope: expected `}`");
            _isFinished = _window.Broken is not null;
            Recover(position, at, error, out record);
            return true;
        }
    }

    void Garbage(out FramedRecord record)
    {
        var position = Here();
        var error = NormalizeError.At("not-json", 0, "expected a JSON object");
        ReadLine(0);
        var line = _window.Unread.IndexOf((byte)'\n');
        if (line < 0) line = _window.Unread.Length;
        Looked += line;
        var key = EndOfKey(line, isRecord: false);
        record = Bad(position, error, _window.Unread[..key]);
        if (key > line) _window.Skip(key);
        else SkipLine();
    }

    void ReadText(out FramedRecord record)
    {
        var position = Here();
        var framing = new PostgresFraming();
        var isPaused = false;
        while (true)
        {
            var bytes = _window.Unread;
            var before = framing.Looked;
            var isCut = framing.TryCut(bytes, _window.IsAtEnd || isPaused, out var length, out var error);
            Looked += framing.Looked - before;
            if (isCut)
            {
                if (error is null && length > _bytesMax) error = NormalizeError.At("record-too-large", 0, $"a record may have {_bytesMax} bytes at most");
                if (_window.Broken is not null && length == bytes.Length) (error, _isFinished) = (_window.Broken, true);
                length = EndOfKey(length, isRecord: error is null);
                bytes = _window.Unread;
                if (error is not null)
                {
                    record = Bad(position, error, bytes[..length]);
                }
                else
                {
                    record = new() { Bytes = bytes[..length].TrimEnd("\r\n"u8), Position = position };
                    _ordinal++;
                }
                _window.Skip(length);
                return;
            }
            if (bytes.Length > _bytesMax + 4)
            {
                record = Bad(position, NormalizeError.At("record-too-large", 0, $"a record may have {_bytesMax} bytes at most"), bytes);
                SkipLine();
                // What goes on would be looked at to its end again from each of its lines.
                while (_window.Has(1) && _window.Unread[0] == '\t') SkipLine();
                return;
            }
            isPaused = framing.MayBeWhole(bytes) && !_window.MoreOrPause() && !_window.IsAtEnd;
            if (!isPaused && _window.Unread.Length == bytes.Length) _window.More();
        }
    }

    RecordPosition Here() => new(_ordinal, _window.Line, _window.Offset);

    FramedRecord Bad(RecordPosition position, NormalizeError error, ReadOnlySpan<byte> bytes)
    {
        _ordinal++;
        var length = Math.Min(bytes.Length, ExcerptBytesMax);
        if (_excerpt.Length < length) _excerpt = new byte[Math.Max(1024, length)];
        bytes[..length].CopyTo(_excerpt);
        return new() { Bytes = _excerpt.AsSpan(0, length), IsCut = length < bytes.Length, Position = position, Error = error };
    }
}
