using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Cuts a PostgreSQL server log in text form. A line that begins with a time and a comma is CSV and goes on while a quote is open; any
/// other line goes on through the lines that begin with a tab, as the server writes them, and while the quote of an AUDIT entry is open.
/// </summary>
static class PostgresFraming
{
    /// <summary>Finds the end of the record at the start of <paramref name="bytes"/>.</summary>
    /// <param name="bytes">Begins at the start of a line.</param>
    /// <param name="isAtEnd">Nothing comes after these bytes.</param>
    /// <param name="length">Length of the record, its line break included.</param>
    /// <param name="error">Set when these bytes are no record.</param>
    /// <returns>False when more bytes are needed to tell.</returns>
    public static bool TryCut(ReadOnlySpan<byte> bytes, bool isAtEnd, out int length, out NormalizeError? error)
    {
        error = null;
        length = 0;
        var line = bytes.IndexOf((byte)'\n');
        if (line < 0 && !isAtEnd) return false;
        line = line < 0 ? bytes.Length : line + 1;
        if (IsCsv(bytes[..line]))
        {
            length = CsvRecord(bytes, out var isComplete);
            if (length > 0 && (isComplete || isAtEnd)) return true;
            if (length == 0 && !isComplete && !isAtEnd) return false;
            if (length == 0)
            {
                // A quote that does not end where CSV says: only this line is bad, the next may be good.
                length = line;
                error = NormalizeError.At("invalid-csv", 0, "a quoted field does not end: expected `\"` before a comma or the end of the line");
                return true;
            }
            return false;
        }
        while (true)
        {
            if (line == bytes.Length) break;
            if (!Continues(bytes[..line], bytes[line..], isAtEnd, out var isKnown))
            {
                if (!isKnown) return false;
                break;
            }
            var next = bytes[line..].IndexOf((byte)'\n');
            if (next < 0 && !isAtEnd) return false;
            line = next < 0 ? bytes.Length : line + next + 1;
        }
        // A continuation may follow in bytes that are not here yet.
        if (line == bytes.Length && !isAtEnd) return false;
        length = line;
        return true;
    }

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

    static bool Continues(ReadOnlySpan<byte> record, ReadOnlySpan<byte> rest, bool isAtEnd, out bool isKnown)
    {
        isKnown = true;
        if (rest[0] == '\t') return true;
        var audit = record.IndexOf("AUDIT: "u8);
        if (audit < 0 || (record[audit..].Count((byte)'"') & 1) == 0) return false;
        var end = rest.IndexOf((byte)'\n');
        isKnown = end >= 0 || isAtEnd;
        return isKnown && rest[0] != '{' && !PostgresLine.TryFindSeverity(end < 0 ? rest : rest[..end], out _, out _, out _);
    }

    /// <summary>Length of the CSV record with its line break; 0 when a quote stays open or is wrong.</summary>
    static int CsvRecord(ReadOnlySpan<byte> bytes, out bool isComplete)
    {
        isComplete = true;
        var at = 0;
        while (at < bytes.Length)
        {
            var stop = bytes[at..].IndexOfAny((byte)'"', (byte)'\n');
            if (stop < 0) break;
            at += stop;
            if (bytes[at] == '\n') return at + 1;
            // An opening quote stands at the start of a field.
            if (at > 0 && bytes[at - 1] != ',') return 0;
            at++;
            while (true)
            {
                stop = at < bytes.Length ? bytes[at..].IndexOf((byte)'"') : -1;
                if (stop < 0 || at + stop + 1 >= bytes.Length)
                {
                    isComplete = false;
                    return stop >= 0 ? at + stop + 1 : 0;
                }
                at += stop + 1;
                if (bytes[at] != '"') break;
                at++;
            }
            if (bytes[at] is not ((byte)',' or (byte)'\n' or (byte)'\r')) return 0;
        }
        isComplete = false;
        return bytes.Length;
    }
}
