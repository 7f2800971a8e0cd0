namespace Logwarden.Formats;

/// <summary>The parts of a PostgreSQL log line in text form.</summary>
static class PostgresText
{
    const int PrefixBytesMax = 1024;
    static readonly NameTable Severities = new(
        "DEBUG", "DEBUG1", "DEBUG2", "DEBUG3", "DEBUG4", "DEBUG5", "INFO", "NOTICE", "WARNING", "ERROR", "LOG", "FATAL", "PANIC",
        "STATEMENT", "DETAIL", "HINT", "CONTEXT", "QUERY", "LOCATION", "BACKTRACE");

    /// <summary>Finds the severity that ends the prefix of a line: a word such as <c>LOG</c> before a colon and two blanks.</summary>
    /// <param name="line">One line.</param>
    /// <param name="start">Where the word begins.</param>
    /// <param name="length">Its length.</param>
    /// <param name="message">Where the message begins.</param>
    public static bool TryFindSeverity(ReadOnlySpan<byte> line, out int start, out int length, out int message)
    {
        (start, length, message) = (0, 0, 0);
        var window = line[..Math.Min(line.Length, PrefixBytesMax)];
        var from = 0;
        while (window[from..].IndexOf(":  "u8) is var colon && colon >= 0)
        {
            colon += from;
            var word = colon;
            while (word > 0 && char.IsAsciiLetterOrDigit((char)window[word - 1])) word--;
            if (word < colon && char.IsAsciiLetterUpper((char)window[word]) && Severities.Has(window[word..colon]))
            {
                (start, length, message) = (word, colon - word, colon + 3);
                return true;
            }
            from = colon + 1;
        }
        return false;
    }
}
