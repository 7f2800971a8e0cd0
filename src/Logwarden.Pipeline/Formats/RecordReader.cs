using System.Buffers;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Cuts an input into records, holding one of them in memory at a time, however long the array or the file is. Whatever is no record
/// comes out as an error with its place, and reading goes on behind it: at the next line, or inside an array at what looks like the
/// next element. No bytes make it throw. Not thread-safe.
/// </summary>
public sealed class RecordReader
{
    /// <summary>Bytes that are given of a bad record.</summary>
    public const int ExcerptBytesMax = 16 * 1024;

    const int LevelsMax = 4;

    // A PEM block: an RSA key of 16,384 bits has 13 KB.
    const int KeyBytesMax = 16 * 1024;
    const int KeyLineMax = 80;

    static readonly SearchValues<byte> KeyBytes = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=-:, "u8);

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
    public RecordReader(Stream input, Framing framing, RecordLimits limits) : this(new ByteWindow(input), framing, limits)
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
        while (true)
        {
            var scan = scanner.Scan(_window.Unread, ref at, envelopes);
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
            var bad = Bad(position, error, bytes);
            // A stray bracket may have made lines of good records into an array.
            var line = bytes[0] == '[' ? LineOfObject(bytes) : 0;
            _window.Skip(line > 0 ? line : length);
            if (line > 0) Forget();
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

    /// <summary>Skips a bad record as far as is needed to find the next good one, and no further.</summary>
    void Recover(RecordPosition position, int fault, NormalizeError error, out FramedRecord record)
    {
        // What shows at the fault that a new record begins there may stand right behind it.
        _window.Has(fault + 3);
        ReadLine(fault);
        var bytes = _window.Unread;
        var line = _levels.Count == 0 ? bytes[..fault].IndexOf((byte)'\n') + 1 : LineOfObject(bytes[..Math.Min(fault + 3, bytes.Length)]);
        var end = line > 0 ? line : EndOfBad(bytes, fault);
        if (EndOfKey(end) is var key and > 0)
        {
            record = Bad(position, error, _window.Unread[..key]);
            _window.Skip(key);
            _isResynchronised = true;
            return;
        }
        record = Bad(position, error, _window.Unread[..end]); // looking for the key may have moved the bytes
        if (line > 0)
        {
            // The record was torn before this line; from here on it may have swallowed good ones.
            _window.Skip(line);
            Forget();
            return;
        }
        _window.Skip(fault);
        if (_levels.Count == 0) SkipLine();
        else SkipToElement();
        _isResynchronised = true;
    }

    /// <summary>Where what is bad ends, as far as can be told from here: at the end of the line, or before the next element of an array.</summary>
    int EndOfBad(ReadOnlySpan<byte> bytes, int fault)
    {
        var end = _levels.Count == 0 ? bytes[fault..].IndexOf((byte)'\n') : bytes[fault..].IndexOf("},"u8);
        return end < 0 ? bytes.Length : fault + end + 1;
    }

    /// <summary>The first line after the first that begins with an object: where lines of envelopes go on after a torn one.</summary>
    static int LineOfObject(ReadOnlySpan<byte> bytes)
    {
        var at = bytes.IndexOf("\n{\""u8);
        return at < 0 ? 0 : at + 1;
    }

    /// <summary>Goes to the next object behind <c>},</c>, or to a line that begins with one, or to the end.</summary>
    void SkipToElement()
    {
        while (true)
        {
            var bytes = _window.Unread;
            var stop = bytes.IndexOfAny((byte)'}', (byte)'\n');
            if (stop < 0)
            {
                _window.Skip(bytes.Length);
                if (!_window.More()) return;
                continue;
            }
            var at = stop + 1;
            var hasComma = false;
            while (at < bytes.Length && (bytes[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t' or (byte)','))
                hasComma |= bytes[at++] == ',';
            if (bytes.Length - at < 2 && _window.More()) continue;
            if (bytes[stop] == '}' && hasComma && at < bytes.Length && bytes[at] == '{')
            {
                _window.Skip(at);
                return;
            }
            if (bytes[(stop + 1)..].StartsWith("{\""u8) && bytes[stop] == '\n')
            {
                _window.Skip(stop + 1);
                Forget();
                return;
            }
            _window.Skip(stop + 1);
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
            var scan = _envelopeRest.Scan(_window.Unread, ref at, null);
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
        var key = EndOfKey(line);
        record = Bad(position, error, _window.Unread[..(key > 0 ? key : line)]);
        if (key > 0) _window.Skip(key);
        else SkipLine();
    }

    /// <summary>Reads on to the end of a line, or as far as is shown of it. Not further: behind a pipe that is still written to, good records would wait.</summary>
    void ReadLine(int from)
    {
        while (_window.Unread.Length < ExcerptBytesMax && _window.Unread[Math.Min(from, _window.Unread.Length)..].IndexOf((byte)'\n') < 0 && _window.More())
        {
        }
    }

    /// <summary>
    /// Where a PEM block (RFC 7468) ends that begins in these bytes and goes on behind them. Its lines must stay together: by itself none of them looks like a secret.
    /// </summary>
    /// <returns>0 when there is none; only lines that can be of one are taken, so that it swallows no record.</returns>
    int EndOfKey(int end)
    {
        var begin = _window.Unread[..end].LastIndexOf("-----BEGIN "u8);
        if (begin < 0 || _window.Unread[begin..end].IndexOf("-----END "u8) >= 0) return 0;
        var isLong = _window.Has(begin + KeyBytesMax);
        var bytes = _window.Unread[..Math.Min(_window.Unread.Length, begin + KeyBytesMax)];
        for (var at = end; at < bytes.Length;)
        {
            var length = bytes[at..].IndexOf((byte)'\n') + 1;
            if (length == 0) length = bytes.Length - at;
            var line = bytes.Slice(at, length).Trim(" \t\r\n"u8);
            if (line.StartsWith("-----END "u8)) return at + length;
            if (line.Length > KeyLineMax || line.ContainsAnyExcept(KeyBytes)) return 0;
            at += length;
        }
        // The input ends within the key: what is there of it is as secret.
        return isLong || end == bytes.Length ? 0 : bytes.Length;
    }

    void ReadText(out FramedRecord record)
    {
        var position = Here();
        while (true)
        {
            var bytes = _window.Unread;
            if (PostgresFraming.TryCut(bytes, _window.IsAtEnd, out var length, out var error))
            {
                if (error is null && length > _bytesMax) error = NormalizeError.At("record-too-large", 0, $"a record may have {_bytesMax} bytes at most");
                if (_window.Broken is not null && length == bytes.Length) (error, _isFinished) = (_window.Broken, true);
                length = Math.Max(length, EndOfKey(length));
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
                return;
            }
            _window.More();
        }
    }

    void SkipLine()
    {
        while (true)
        {
            var end = _window.Unread.IndexOf((byte)'\n');
            _window.Skip(end < 0 ? _window.Unread.Length : end + 1);
            if (end >= 0 || !_window.More()) return;
        }
    }

    void Forget()
    {
        _levels.Clear();
        _isResynchronised = true;
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
