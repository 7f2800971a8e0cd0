using System.Buffers;
using System.Text;
using System.Text.Json;
using Logwarden.Redaction;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Redaction;

/// <summary>Rates over labelled files, sentences and database logs; those over labelled cases and ordinary logs are in <see cref="ScoreTests"/>.</summary>
public class CorporaTests(ITestOutputHelper output)
{
    [Theory]
    [InlineData("output.json", 0.05)]
    [InlineData("no_ml.json", 0.08)] // with PASSWORD EXPIRE, "kty" and host names, which hold no secret
    public void Secrets_in_files_are_gone(string findings, double leaksMax)
    {
        int values = 0, leaks = 0;
        using var document = JsonDocument.Parse(File.ReadAllBytes(Corpora.PathOf("secrets-credsweeper", findings)));
        foreach (var place in document.RootElement.EnumerateArray().SelectMany(f => f.GetProperty("line_data_list").EnumerateArray()))
        {
            var file = Path.Combine(Corpora.Folder("secrets-credsweeper"), "samples", Path.GetFileName(place.GetProperty("path").GetString()!));
            if (!File.Exists(file)) continue;
            values++;
            var bytes = File.ReadAllBytes(file);
            _ = Redacting.Text(bytes, out var scratch);
            if (Redacting.Leaks(Line(bytes, scratch, place.GetProperty("line_num").GetInt32()), place.GetProperty("value").GetString()!)) { leaks++; if (Environment.GetEnvironmentVariable("DUMP") is { } d) File.AppendAllText(d, "CRED " + findings + " " + Path.GetFileName(file) + " value=" + place.GetProperty("value").GetString() + " line=" + place.GetProperty("line").GetString() + "\n"); }
        }
        output.WriteLine($"{findings}: {values} values, {leaks} leaks");
        Assert.True(values > 200);
        Assert.True(leaks <= values * leaksMax, $"{leaks} of {values}");
    }

    // One line of a file with zeros where something was redacted, so that line numbers stay as they were.
    static string Line(byte[] bytes, RedactionScratch scratch, int number)
    {
        var start = 0;
        for (var i = 1; i < number; i++) start = Array.IndexOf(bytes, (byte)'\n', start) + 1;
        var end = Array.IndexOf(bytes, (byte)'\n', start) is >= 0 and var at ? at : bytes.Length;
        var line = bytes[start..end];
        foreach (var hit in scratch.Findings)
            for (var i = Math.Max(hit.Start, start); i < Math.Min(hit.Start + hit.Length, end); i++) line[i - start] = 0;
        return Encoding.UTF8.GetString(line);
    }

    [Fact]
    public void Pattern_types_of_personal_data_are_found_in_sentences()
    {
        Dictionary<string, string> types = new(StringComparer.Ordinal) { ["CREDIT_CARD"] = "payment-card", ["EMAIL_ADDRESS"] = "email", ["IBAN_CODE"] = "iban", ["US_SSN"] = "us-ssn", ["PHONE_NUMBER"] = "phone" };
        int wanted = 0, found = 0, hits = 0, right = 0;
        foreach (var file in new[] { "synth_dataset_v2.json", "generated_large.json" })
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(Corpora.PathOf("pii-presidio-research", file)));
            foreach (var entry in document.RootElement.EnumerateArray())
            {
                var text = entry.GetProperty("full_text").GetString()!;
                var bytes = Encoding.UTF8.GetBytes(text);
                _ = Redacting.Text(bytes, out var scratch);
                var ranges = scratch.Findings.ToArray().Select(f => (From: Encoding.UTF8.GetCharCount(bytes, 0, f.Start), To: Encoding.UTF8.GetCharCount(bytes, 0, f.Start + f.Length), Id: f.RuleId)).ToArray();
                var spans = entry.GetProperty("spans").EnumerateArray().Where(s => types.ContainsKey(s.GetProperty("entity_type").GetString()!))
                    .Select(s => (From: s.GetProperty("start_position").GetInt32(), To: s.GetProperty("end_position").GetInt32())).ToArray();
                wanted += spans.Length;
                found += spans.Count(s => ranges.Any(r => r.From <= s.From && r.To >= s.To));
                var typed = ranges.Where(r => types.ContainsValue(r.Id)).ToArray();
                hits += typed.Length;
                right += typed.Count(r => spans.Any(s => s.From < r.To && r.From < s.To));
            }
        }
        output.WriteLine($"recall {found}/{wanted}, precision {right}/{hits}");
        Assert.True(found >= wanted * 0.95, $"recall {found}/{wanted}");
        Assert.True(right >= hits * 0.90, $"precision {right}/{hits}");
    }

    [Theory]
    [InlineData(PostgresStatements.Removed)]
    [InlineData(PostgresStatements.WithoutLiterals)]
    public void No_byte_of_a_secret_in_a_postgres_line_survives(PostgresStatements statements)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(Corpora.PathOf("postgres-pganalyze", "analyze_cases.json")));
        List<string> leaks = [], changed = [];
        var lines = 0;
        List<Range> found = [];
        foreach (var (line, expected) in document.RootElement.EnumerateArray().SelectMany(c => c.GetProperty("lines_in").EnumerateArray().Zip(c.GetProperty("expected").EnumerateArray())))
        {
            lines++;
            var content = Encoding.UTF8.GetBytes(line.GetProperty("Content").GetString()!);
            found.Clear();
            if (line.TryGetProperty("LogLevel", out var level) && level.ValueEquals("STATEMENT")) PostgresText.FindInStatement(content, statements, found);
            else PostgresText.Find(content, statements, found);
            var gone = new bool[content.Length];
            foreach (var range in found) Array.Fill(gone, true, range.Start.Value, range.End.Value - range.Start.Value);
            var secret = new bool[content.Length];
            var kept = new bool[content.Length];
            if (expected.TryGetProperty("SecretMarkers", out var markers) && markers.ValueKind == JsonValueKind.Array)
            {
                foreach (var marker in markers.EnumerateArray())
                {
                    var start = marker.TryGetProperty("ByteStart", out var given) ? given.GetInt32() : 0;
                    var end = Math.Min(content.Length, marker.GetProperty("ByteEnd").GetInt32());
                    // Where statements stay, their words are no secret; the values in them are tested as SQL literals.
                    var shape = statements == PostgresStatements.WithoutLiterals && markers.EnumerateArray().Any(m => m.GetProperty("Kind").ValueEquals("StatementTextLogSecret") && m.GetProperty("ByteEnd").GetInt32() == marker.GetProperty("ByteEnd").GetInt32());
                    Array.Fill(shape ? kept : secret, true, start, end - start);
                }
            }
            var text = line.GetProperty("Content").GetString()!;
            if (Enumerable.Range(0, content.Length).Any(i => secret[i] && !gone[i] && content[i] > ' ')) leaks.Add(text);
            if (Enumerable.Range(0, content.Length).Any(i => gone[i] && !secret[i] && !kept[i])) changed.Add(text);
        }
        output.WriteLine($"{lines} lines, {leaks.Count} with leaks, {changed.Count} changed outside their secrets");
        foreach (var one in changed) output.WriteLine(one[..Math.Min(100, one.Length)].ReplaceLineEndings(" "));
        Assert.True(lines > 100);
        Assert.Empty(leaks);
        Assert.True(changed.Count <= lines * 0.01, $"{changed.Count} of {lines} changed");
    }
}
