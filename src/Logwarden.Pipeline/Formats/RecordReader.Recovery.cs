using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>How it finds the next good record behind a bad one.</summary>
public sealed partial class RecordReader
{
    // What a torn record was read over is read again. So many bytes in all, and so many times what was read for good; beyond that a record that
    // begins there must end on its line, or lines that each open a bracket would be read to the end from each of them.
    const int AgainBytesFree = 16 * 1024 * 1024;
    const int AgainTimesMax = 16;

    long _again;
    long _seenTo;

    // No line ends between these offsets.
    long _noLineFrom;
    long _noLineTo;

    bool MustEndOnItsLine => _window.Offset < _seenTo && _again > AgainBytesFree + AgainTimesMax * _window.Offset;

    /// <summary>Skips a bad record as far as is needed to find the next good one, and no further.</summary>
    void Recover(RecordPosition position, int fault, NormalizeError error, out FramedRecord record)
    {
        // What shows at the fault that a new record begins there may stand right behind it.
        if (_levels.Count > 0) _window.Has(fault + 3);
        ReadLine(fault);
        var bytes = _window.Unread;
        var line = _levels.Count == 0 ? bytes[..fault].IndexOf((byte)'\n') + 1 : LineOfObject(bytes[..Math.Min(fault + 3, bytes.Length)]);
        Looked += line > 0 ? line : fault;
        var end = line > 0 ? line : EndOfBad(bytes, fault);
        var key = EndOfKey(end, isRecord: false);
        record = Bad(position, error, _window.Unread[..key]); // looking for the key may have moved the bytes
        if (key > end)
        {
            _window.Skip(key);
            _isResynchronised = true;
            return;
        }
        if (line > 0)
        {
            // The record was torn before this line; from here on it may have swallowed good ones.
            GiveBack(line, fault);
            return;
        }
        _window.Skip(fault);
        if (_levels.Count == 0) SkipLine();
        else SkipToElement();
        _isResynchronised = true;
    }

    /// <summary>Skips to a line, and reads again what was looked at behind it.</summary>
    void GiveBack(int line, int looked)
    {
        _again += looked - line;
        _seenTo = Math.Max(_seenTo, _window.Offset + looked);
        _window.Skip(line);
        Forget();
    }

    ReadOnlySpan<byte> ToLineEnd(ReadOnlySpan<byte> bytes, int from)
    {
        var end = bytes[from..].IndexOf((byte)'\n');
        Looked += (end < 0 ? bytes.Length : from + end) - from;
        return end < 0 ? bytes : bytes[..(from + end + 1)];
    }

    /// <summary>Where what is bad ends, as far as can be told from here: at the end of the line, or before the next element of an array, but no further than is shown of it.</summary>
    int EndOfBad(ReadOnlySpan<byte> bytes, int fault)
    {
        if (_levels.Count == 0)
        {
            var end = bytes[fault..].IndexOf((byte)'\n');
            end = end < 0 ? bytes.Length : fault + end + 1;
            Looked += end - fault;
            return end;
        }
        var shown = bytes[..Math.Min(bytes.Length, Math.Max(fault, ExcerptBytesMax + 1))];
        var at = fault;
        while (shown[at..].IndexOfAny((byte)'}', (byte)'\n') is var stop and >= 0)
        {
            at += stop + 1;
            var blanks = shown[at..].IndexOfAnyExcept(" \n\r\t"u8);
            var isEnd = shown[at - 1] == '}' ? blanks >= 0 && shown[at + blanks] == ',' : shown[at..].StartsWith("{\""u8);
            Looked += stop + 1 + (shown[at - 1] == '}' ? Math.Max(0, blanks) : 0);
            if (isEnd) return at;
        }
        return shown.Length;
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
            var isBehindObject = stop >= 0 && bytes[stop] == '}';
            Looked += stop < 0 ? bytes.Length : stop + 1;
            _window.Skip(stop < 0 ? bytes.Length : stop + 1);
            if (stop < 0)
            {
                if (!_window.More()) return;
                continue;
            }
            var isLineStart = !isBehindObject;
            var hasComma = SkipBetween(ref isLineStart);
            if (!_window.Has(1)) return;
            if (isBehindObject && hasComma && _window.Unread[0] == '{') return;
            if (!isLineStart || _window.Unread[0] != '{' || !_window.Has(2) || _window.Unread[1] != '"') continue;
            Forget();
            return;
        }
    }

    /// <summary>Skips the blanks and commas between elements.</summary>
    /// <param name="isLineStart">Whether the last byte skipped was the end of a line; as it was when none is skipped.</param>
    /// <returns>Whether a comma was among them.</returns>
    bool SkipBetween(scoped ref bool isLineStart)
    {
        var hasComma = false;
        while (true)
        {
            var bytes = _window.Unread;
            var at = 0;
            while (at < bytes.Length && (bytes[at] is (byte)' ' or (byte)'\n' or (byte)'\r' or (byte)'\t' or (byte)','))
                hasComma |= bytes[at++] == ',';
            if (at > 0) isLineStart = bytes[at - 1] == '\n';
            Looked += at;
            _window.Skip(at);
            if (at < bytes.Length || !_window.More()) return hasComma;
        }
    }

    /// <summary>Reads on to the end of a line, or as far as is shown of it. Not further: behind a pipe that is still written to, good records would wait.</summary>
    void ReadLine(int from)
    {
        var first = _window.Offset + from;
        if (first < _noLineFrom || first > _noLineTo) (_noLineFrom, _noLineTo) = (first, first);
        while (_window.Unread.Length < ExcerptBytesMax)
        {
            from = (int)(_noLineTo - _window.Offset);
            var rest = _window.Unread[Math.Min(from, _window.Unread.Length)..];
            var end = rest.IndexOf((byte)'\n');
            Looked += end < 0 ? rest.Length : end;
            if (end >= 0) return;
            _noLineTo = Math.Max(_noLineTo, _window.Offset + _window.Unread.Length);
            if (!_window.More()) return;
        }
    }

    /// <summary>
    /// Where a private key ends that begins in these bytes and goes on behind them. It takes only lines that can be of a key, and none that begins a record: else whoever can
    /// write one line could hide the lines behind it.
    /// </summary>
    /// <param name="end">Where the bytes end.</param>
    /// <param name="isRecord">Whether they are a record of a server log, in which a key stands at the start of a line or of the message.</param>
    /// <returns><paramref name="end"/> when there is none.</returns>
    int EndOfKey(int end, bool isRecord)
    {
        var record = _window.Unread[..end];
        Looked += end;
        var begin = KeyBlock.FindOpen(record);
        if (begin < 0 || (isRecord && !MayHoldKey(record, begin))) return end;
        var at = end;
        while (at - begin < KeyBlock.BytesMax)
        {
            var length = LineLength(at, KeyBlock.LineBytesMax + 1);
            var line = _window.Unread.Slice(at, length);
            if (length == 0 || (length > KeyBlock.LineBytesMax && line[^1] != '\n')) break;
            if (_isPostgres ? PostgresFraming.IsStart(line) : line[0] is (byte)'{' or (byte)'[') break;
            if (KeyBlock.IsEnd(line)) return at + LineLength(at, ExcerptBytesMax);
            if (!KeyBlock.IsBody(line)) break;
            at += length;
        }
        return at;
    }

    static bool MayHoldKey(ReadOnlySpan<byte> record, int begin)
    {
        if (PostgresFraming.IsCsv(record)) return false;
        var line = record[..begin].LastIndexOf((byte)'\n') + 1;
        if (record[line..begin].Trim(" \t"u8).IsEmpty) return true;
        return !PostgresLine.TryFindSeverity(record[line..], out _, out _, out var message) || line + message == begin;
    }

    /// <summary>Length of the line at <paramref name="at"/> with its end; of one that is longer so many bytes. Reads on as far as that needs.</summary>
    int LineLength(int at, int bytesMax)
    {
        var seen = at;
        while (true)
        {
            var bytes = _window.Unread[..Math.Min(_window.Unread.Length, at + bytesMax)];
            var end = bytes[seen..].IndexOf((byte)'\n');
            Looked += (end < 0 ? bytes.Length : seen + end) - seen;
            if (end >= 0) return seen + end + 1 - at;
            seen = bytes.Length;
            if (seen == at + bytesMax || !_window.More()) return seen - at;
        }
    }

    void SkipLine()
    {
        while (true)
        {
            var end = _window.Unread.IndexOf((byte)'\n');
            Looked += end < 0 ? _window.Unread.Length : end + 1;
            _window.Skip(end < 0 ? _window.Unread.Length : end + 1);
            if (end >= 0 || !_window.More()) return;
        }
    }

    void Forget()
    {
        _levels.Clear();
        _isResynchronised = true;
    }
}
