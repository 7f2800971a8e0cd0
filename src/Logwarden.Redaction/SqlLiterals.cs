using System.Buffers;

namespace Logwarden.Redaction;

/// <summary>
/// Finds the literals of SQL text, so that the statement can stay without them: <c>INSERT INTO t VALUES ('a', 1)</c> becomes
/// <c>INSERT INTO t VALUES ([REDACTED:sql-literal], [REDACTED:sql-literal])</c>. What a literal is, <see cref="SqlTokens"/> knows; one that is not closed goes to
/// the end of the text. Identifiers, also quoted ones, keywords, operators, parameters ($1) and comments without digits or quotes stay. Running it
/// again changes nothing.
/// </summary>
static class SqlLiterals
{
    static readonly SearchValues<byte> Telling = SearchValues.Create("'0123456789="u8);

    /// <summary>Adds the ranges of the literals of <paramref name="text"/> from <paramref name="from"/> up to <paramref name="to"/> to <paramref name="found"/>.</summary>
    public static void Find(ReadOnlySpan<byte> text, int from, int to, List<Range> found)
    {
        var sql = text[from..to];
        var tokens = new SqlTokens(sql);
        while (tokens.Next())
        {
            switch (tokens.Kind)
            {
                case SqlToken.Literal or SqlToken.Number:
                    found.Add((from + tokens.Start)..(from + tokens.End));
                    break;
                case SqlToken.Comment when tokens.Text.IndexOfAny(Telling) >= 0:
                    // It could hold a value. Of a comment to the end of the line, the dashes stay.
                    found.Add((from + tokens.Start + (sql[tokens.Start] == '-' ? 2 : 0))..(from + tokens.End));
                    break;
                case SqlToken.Name when tokens.End - tokens.Start == 2 && Password(sql, tokens.Start, tokens.End, out var start, out var end):
                    found.Add((from + start)..(from + end));
                    tokens.SkipTo(end);
                    break;
            }
        }
    }

    // The word at p..word is BY after IDENTIFIED, and a password without quotes follows: IDENTIFIED BY tiger.
    static bool Password(ReadOnlySpan<byte> sql, int p, int word, out int start, out int end)
    {
        start = end = word;
        if (!Chars.StartsWithNoCase(sql[p..], "by"u8)) return false;
        var before = sql[..p].TrimEnd((byte)' ');
        if (before.Length < 10 || !Chars.StartsWithNoCase(before[^10..], "identified"u8)) return false;
        while (start < sql.Length && sql[start] <= ' ') start++;
        if (start == word || start >= sql.Length || !Chars.Is(sql[start], Ch.Alnum) || Placeholders.StartsWithMarker(sql[start..])) return false;
        end = start;
        while (end < sql.Length && sql[end] > ' ' && sql[end] is not ((byte)';' or (byte)')' or (byte)',' or (byte)'"' or (byte)'\'')) end++;
        return end > start;
    }
}
