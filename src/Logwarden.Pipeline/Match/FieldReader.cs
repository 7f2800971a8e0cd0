namespace Logwarden.Match;

/// <summary>Reads field names: columns by their names, everything else as a dotted path into the JSON.</summary>
static class FieldReader
{
    const int SegmentsMax = 32;

    // OCSF attributes at the top of an event that look like a misspelt column but are none
    static readonly string[] NotMisspelt = ["status", "severity", "src_endpoint", "actor", "observables", "objects", "users", "times", "files", "file", "url", "cis", "app", "ports", "actions", "sources", "hash"];

    /// <summary>Reads a field; null after an error.</summary>
    internal static Field? Read(PredicateScanner scanner, ScannedValue name)
    {
        var segments = new List<string>();
        var (text, at) = (name.Text, 0);
        while (true)
        {
            var start = at;
            if (at < text.Length && text[at] == '"')
            {
                var quoted = new PredicateScanner(text) { Position = at };
                segments.Add(quoted.TakeQuoted().Text);
                at = quoted.Position;
            }
            else
            {
                while (at < text.Length && text[at] != '.' && IsNameCharacter(text[at])) at++;
                segments.Add(text[start..at]);
            }
            if (at < text.Length && text[at] != '.')
            {
                scanner.Fail(name.Position + at, 1, $"'{text[at]}' cannot stand in a field name", "letters, digits, _ - @ $ /, or the name in quotes");
                return null;
            }
            if (start == at)
            {
                scanner.Fail(name.Position + at, 0, "a field name has an empty part", "a name");
                return null;
            }
            if (at == text.Length) break;
            at++;
        }
        if (segments.Count > SegmentsMax)
        {
            scanner.Fail(name.Position, name.Length, "the field path is too long", $"at most {SegmentsMax} parts");
            return null;
        }
        return name.Quoted || segments.Count > 1 ? new Field.Path([.. segments]) : Single(scanner, name, segments[0]);
    }

    static Field? Single(PredicateScanner scanner, ScannedValue name, string word)
    {
        if (EventColumns.TryFind(word, out var column)) return new Field.Column(column);
        if (MisspeltColumn(word) is not { } nearest) return new Field.Path([word]);
        scanner.Fail(name.Position, name.Length, $"there is no field '{word}'", $"a field; for a JSON key of that name write \"{word}\"", nearest);
        return null;
    }

    /// <summary>The column that a one-word name most probably means, when it is not a name of its own.</summary>
    internal static string? MisspeltColumn(string word)
    {
        if (NotMisspelt.Contains(word, StringComparer.Ordinal)) return null;
        var nearest = NearestWord.Find(word, EventColumns.AllNames);
        return nearest is not null && NearestWord.Distance(word, nearest) <= (nearest.Length > 5 ? 2 : 1) ? nearest : null;
    }

    /// <summary>Characters of a name that needs no quotes.</summary>
    internal static bool IsNameCharacter(char c) => char.IsLetterOrDigit(c) || c is '_' or '-' or '@' or '$' or '/' or '#';
}
