using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Cuts one record off a PostgreSQL server log in text form. A line that begins with a time and a comma is CSV and goes on while a quote is open; any
/// other line goes on through the lines that begin with a tab, as the server writes them, and while the quote of an AUDIT entry is open. It remembers what it has
/// looked at: with each call it goes on where it had to stop.
/// </summary>
struct PostgresFraming
{
    enum Kind : byte
    {
        Unknown,
        Text,
        Csv,
    }

    Kind _kind;

    // CSV: how far it was looked at. Text: the end of the lines that are the record's.
    int _at;

    // Text: how far the end of the next line was looked for.
    int _seen;
    int _firstLine;
    bool _isQuoted;
    bool _isAudit;

    /// <summary>Bytes that were looked at, those that were looked at twice counted twice.</summary>
    public long Looked { get; private set; }

    /// <summary>Finds the end of the record at the start of <paramref name="bytes"/>.</summary>
    /// <param name="bytes">Begins at the start of a line, the same in all calls.</param>
    /// <param name="isAtEnd">Nothing comes after these bytes.</param>
    /// <param name="length">Length of the record, its line break included.</param>
    /// <param name="error">Set when these bytes are no record.</param>
    /// <returns>False when more bytes are needed to tell.</returns>
    public bool TryCut(ReadOnlySpan<byte> bytes, bool isAtEnd, out int length, out NormalizeError? error)
    {
        error = null;
        length = 0;
        if (_kind == Kind.Unknown)
        {
            if (!TryLine(bytes, isAtEnd, out _firstLine)) return false;
            _kind = IsCsv(bytes[.._firstLine]) ? Kind.Csv : Kind.Text;
            if (_kind == Kind.Text) Take(bytes[.._firstLine]);
        }
        return _kind == Kind.Csv ? TryCutCsv(bytes, isAtEnd, out length, out error) : TryCutText(bytes, isAtEnd, out length);
    }

    /// <summary>Whether these bytes, of which it could not tell, are a record if nothing follows.</summary>
    public readonly bool MayBeWhole(ReadOnlySpan<byte> bytes) => _kind == Kind.Text && _at == bytes.Length && !_isQuoted;

    /// <summary>Whether a line begins a record: no record goes on over such a line unless a quote of CSV is open.</summary>
    public static bool IsStart(ReadOnlySpan<byte> line) => line is [(byte)'{', ..] || IsCsv(line) || PostgresLine.TryFindSeverity(line, out _, out _, out _);

    /// <summary>A line of csvlog begins with a time, maybe a zone, and a comma.</summary>
    public static bool IsCsv(ReadOnlySpan<byte> line)
    {
        if (!TimeText.TryRead(line, out _, out var at)) return false;
        if (at < line.Length && line[at] == ' ')
        {
            at++;
            while (at < line.Length && char.IsAsciiLetterOrDigit((char)line[at])) at++;
        }
        return at < line.Length && line[at] == ',';
    }

    bool TryCutText(ReadOnlySpan<byte> bytes, bool isAtEnd, out int length)
    {
        length = 0;
        while (_at < bytes.Length)
        {
            var first = bytes[_at];
            if (first != '\t' && (!_isQuoted || first == '{')) break;
            if (!TryLine(bytes, isAtEnd, out var end)) return false;
            if (first != '\t' && PostgresLine.TryFindSeverity(bytes[_at..end], out _, out _, out _)) break;
            Take(bytes[_at..end]);
        }
        // A continuation may follow in bytes that are not here yet.
        if (_at == bytes.Length && !isAtEnd) return false;
        length = _at;
        return true;
    }

    /// <summary>Finds where the line that begins at <see cref="_at"/> ends.</summary>
    bool TryLine(ReadOnlySpan<byte> bytes, bool isAtEnd, out int end)
    {
        _seen = Math.Max(_seen, _at);
        var found = bytes[_seen..].IndexOf((byte)'\n');
        end = found < 0 ? bytes.Length : _seen + found + 1;
        Looked += end - _seen;
        _seen = end;
        return found >= 0 || isAtEnd;
    }

    /// <summary>Takes a line into the record: the quotes behind <c>AUDIT:</c> tell whether it goes on.</summary>
    void Take(ReadOnlySpan<byte> line)
    {
        _at += line.Length;
        Looked += line.Length;
        if (!_isAudit)
        {
            var audit = line.IndexOf("AUDIT: "u8);
            if (audit < 0) return;
            _isAudit = true;
            line = line[audit..];
        }
        _isQuoted ^= (line.Count((byte)'"') & 1) == 1;
    }

    bool TryCutCsv(ReadOnlySpan<byte> bytes, bool isAtEnd, out int length, out NormalizeError? error)
    {
        error = null;
        length = 0;
        while (true)
        {
            var from = _at;
            var stop = _isQuoted ? bytes[from..].IndexOf((byte)'"') : bytes[from..].IndexOfAny((byte)'"', (byte)'\n');
            _at = stop < 0 ? bytes.Length : from + stop;
            Looked += _at - from;
            if (stop < 0)
            {
                if (!isAtEnd) return false;
                if (_isQuoted) return Bad(out length, out error);
                length = bytes.Length;
                return true;
            }
            if (!_isQuoted)
            {
                if (bytes[_at] == '\n')
                {
                    length = _at + 1;
                    return true;
                }
                // An opening quote stands at the start of a field.
                if (_at > 0 && bytes[_at - 1] != ',') return Bad(out length, out error);
                _at++;
                _isQuoted = true;
                continue;
            }
            if (_at + 1 == bytes.Length)
            {
                length = bytes.Length;
                return isAtEnd;
            }
            _at++;
            if (bytes[_at] == '"')
            {
                _at++;
                continue;
            }
            if (bytes[_at] is not ((byte)',' or (byte)'\n' or (byte)'\r')) return Bad(out length, out error);
            _isQuoted = false;
        }
    }

    /// <summary>A quote that does not end where CSV says: only the first line is bad, the next may be good.</summary>
    readonly bool Bad(out int length, out NormalizeError? error)
    {
        length = _firstLine;
        error = NormalizeError.At("invalid-csv", 0, "a quoted field does not end: expected `\"` before a comma or the end of the line");
        return true;
    }
}
