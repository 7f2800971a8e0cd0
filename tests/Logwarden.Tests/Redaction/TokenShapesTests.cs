using System.Text;
using System.Text.Json;
using Logwarden.Redaction;
using Logwarden.Redaction.Rules;

namespace Logwarden.Tests.Redaction;

/// <summary>A made token of each shape in the tables is found wherever text can stand.</summary>
public class TokenShapesTests
{
    static readonly JsonSerializerOptions Plain = new() { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    [Fact]
    public void A_token_of_every_shape_is_found_in_text_in_documents_and_behind_encodings()
    {
        var random = new Random(20260102);
        List<string> left = [];
        foreach (var rule in RedactionRules.Tokens)
        {
            var token = Make(rule, random);
            var json = JsonSerializer.Serialize(new { note = $"got {token} today" }, Plain);
            foreach (var text in new[]
            {
                $"got {token} today", $"x={token}", $"<v>{token}</v>", json, JsonSerializer.Serialize(new { inner = json }, Plain),
                "https://h.example/p?q=" + Uri.EscapeDataString(token), Convert.ToBase64String(Encoding.UTF8.GetBytes($"got {token} today")),
            })
            {
                var result = text[0] == '{' ? Redacting.Json(text) : Redacting.Text(text);
                if (string.Equals(result, text, StringComparison.Ordinal) || Redacting.Leaks(result, token[rule.Prefix.Length..])) left.Add($"{rule.Id} {rule.Prefix}: {text}");
                var again = text[0] == '{' ? Redacting.Json(result) : Redacting.Text(result);
                if (!string.Equals(again, result, StringComparison.Ordinal)) left.Add($"{rule.Id} twice: {result} -> {again}");
            }
        }
        Assert.True(left.Count == 0, string.Join('\n', left));
    }

    [Fact]
    public void A_prefix_with_nothing_that_could_be_a_token_behind_it_stays()
    {
        // Rules that ask for no variety take a mask as well.
        var greedy = RedactionRules.Tokens.Where(r => r.Distinct == 0).Select(r => r.Id).ToHashSet(StringComparer.Ordinal);
        foreach (var rule in RedactionRules.Tokens.Where(r => r.Distinct > 1 && r.Min >= 16 && !greedy.Contains(r.Id)))
        {
            Assert.Equal($"the {rule.Prefix} prefix", Redacting.Text($"the {rule.Prefix} prefix"));
            // A shorter prefix of another rule reads the rest of this one as part of its token.
            if (RedactionRules.Tokens.Any(r => r.Prefix.Length < rule.Prefix.Length && rule.Prefix.StartsWith(r.Prefix, StringComparison.OrdinalIgnoreCase))) continue;
            var masked = $"like {rule.Prefix}{new string('x', rule.Min)} here";
            Assert.Equal(masked, Redacting.Text(masked));
        }
    }

    [Theory]
    [InlineData("access_token$production$k3v9x2m4q8w7z1tb$0f1e2d3c4b5a69788796a5b4c3d2e1f0")]
    [InlineData("MTIzNDU2Nzg5MDEyOrlQ2x0f9aKp3Wc7vTn5sYe8uJ1d")] // twelve digits, a colon and bytes
    [InlineData("k9Xw2LmQ4sTAAAAAAAAAAvB7nR3pZ8cYd5Hj1Ge6Fq0UiOaSlWkEyMbNtCxVhPzJ")]
    [InlineData("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")]
    public void A_token_without_a_telling_prefix_is_known_by_its_build(string token)
    {
        var result = Redacting.Text($"saw {token} pass");
        Assert.False(Redacting.Leaks(result, token[^24..]), result);
    }

    [Fact]
    public void A_random_value_behind_the_name_of_a_service_goes_however_it_is_written()
    {
        var random = new Random(20260103);
        List<string> left = [];
        // A hash key is the name of a column.
        foreach (var name in VendorNames.All.Where(n => !n.EndsWith("hash", StringComparison.Ordinal)))
        {
            var value = new string(random.GetItems<char>("abcdefghijklmnopqrstuvwxyz0123456789", random.Next(20, 64)));
            if (value.Count(char.IsAsciiDigit) < 3) continue;
            foreach (var text in new[]
            {
                $"{name}_api_token = \"{value}\"", $"{name.ToUpperInvariant()}_KEY={value}", $"{name}Secret: '{value}'", $"{name}_token := `{value}`",
                $"\"{name}.token\" => \"{value}\"", $"<{name}-api-key>{value}</{name}-api-key>", $"System.setProperty(\"{name}_TOKEN\", \"{value}\")", $"{name}: \"{value}\"",
            })
            {
                if (Redacting.Leaks(Redacting.Text(text), value)) left.Add(text);
            }
        }
        Assert.True(left.Count == 0, $"{left.Count}\n" + string.Join('\n', left));
    }

    static string Make(TokenRule rule, Random random)
    {
        var alphabet = Enumerable.Range('0', 'z' - '0' + 1).Where(c => Chars.Is((byte)c, rule.Set & Ch.Alnum)).Select(c => (char)c).ToArray();
        var tail = random.GetItems(alphabet, rule.Min);
        if (rule.Mixed) (tail[0], tail[1]) = ('a', 'B');
        var inside = rule.Inside ?? "";
        inside.CopyTo(tail.AsSpan(tail.Length / 3));
        return rule.Prefix + new string(tail);
    }
}
