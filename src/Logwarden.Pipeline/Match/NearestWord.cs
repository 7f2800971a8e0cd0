namespace Logwarden.Match;

/// <summary>Finds the valid word that a misspelt one most probably meant.</summary>
public static class NearestWord
{
    /// <summary>
    /// The candidate with the smallest Damerau-Levenshtein distance, case ignored; the first of equals. Null when none is near: a
    /// third of the word's length, at least 1 and at most 4 edits. Then a candidate that the word, of three letters or more, begins.
    /// </summary>
    public static string? Find(string word, IReadOnlyCollection<string> candidates)
    {
        if (word.Length is 0 or > 64) return null;
        var limit = Math.Clamp((word.Length + 2) / 3, 1, 4);
        string? best = null;
        foreach (var candidate in candidates)
        {
            if (Math.Abs(candidate.Length - word.Length) > limit) continue;
            var distance = Distance(word, candidate);
            if (distance > limit || (best is not null && distance == limit)) continue;
            best = candidate;
            limit = distance;
            if (distance == 0) break;
        }
        return best ?? (word.Length < 3 ? null : candidates.FirstOrDefault(candidate => candidate.StartsWith(word, StringComparison.OrdinalIgnoreCase)));
    }

    /// <summary>
    /// Edits (insert, delete, replace, swap of neighbours) that turn one word into the other, ignoring case; each place is edited
    /// at most once (optimal string alignment).
    /// </summary>
    public static int Distance(string a, string b)
    {
        var (before, last, now) = (new int[b.Length + 1], new int[b.Length + 1], new int[b.Length + 1]);
        for (var j = 0; j <= b.Length; j++) last[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            now[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = Same(a[i - 1], b[j - 1]);
                now[j] = Math.Min(Math.Min(now[j - 1], last[j]) + 1, last[j - 1] + (same ? 0 : 1));
                if (i > 1 && j > 1 && Same(a[i - 1], b[j - 2]) && Same(a[i - 2], b[j - 1])) now[j] = Math.Min(now[j], before[j - 2] + 1);
            }
            (before, last, now) = (last, now, before);
        }
        return last[b.Length];
    }

    static bool Same(char a, char b) => char.ToLowerInvariant(a) == char.ToLowerInvariant(b);
}
