using System.Text;
using System.Text.Json;
using Logwarden.Proof.Notes;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Proof;

public class Ed25519Tests
{
    [Fact]
    public void Every_wycheproof_signature_has_its_verdict()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(
            Directory.GetFiles(Corpora.Folder("crypto-wycheproof"), "ed25519_test.json", SearchOption.AllDirectories)[0]));
        var seen = 0;
        foreach (var group in json.RootElement.GetProperty("testGroups").EnumerateArray())
        {
            var key = Key(group.GetProperty("publicKey").GetProperty("pk").GetString()!);
            Assert.NotNull(key);
            foreach (var test in group.GetProperty("tests").EnumerateArray())
            {
                var ok = key.Verify(Hex(test, "msg"), Hex(test, "sig"));
                var result = test.GetProperty("result").GetString();
                Assert.True(result is "acceptable" || ok == result is "valid", $"case {test.GetProperty("tcId")} gave {ok}");
                seen++;
            }
        }
        Assert.True(seen > 100, $"{seen} cases");
    }

    [Fact]
    public void Edge_cases_of_curve_points_have_one_verdict_each_and_never_crash()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Corpora.PathOf("crypto-cctv-ed25519", "ed25519vectors.json")));
        var (seen, accepted) = (0, 0);
        foreach (var vector in json.RootElement.EnumerateArray())
        {
            var text = Encoding.UTF8.GetBytes(vector.GetProperty("msg").GetString()!);
            var flags = vector.GetProperty("flags") is { ValueKind: JsonValueKind.Array } list
                ? list.EnumerateArray().Select(flag => flag.GetString()!).ToHashSet(StringComparer.Ordinal) : [];
            // Directly and through a key that went through its text form: the two ways in which the product gets keys.
            var key = Key(vector.GetProperty("key").GetString()!);
            var direct = key?.Verify(text, Hex(vector, "sig")) ?? false;
            var again = key is not null && VerifierKey.TryParse(key.ToString(), out var parsed, out _) && parsed.Verify(text, Hex(vector, "sig"));
            Assert.Equal(direct, again);
            // What RFC 8032 says to refuse, and what makes a signature fit any message.
            if (flags.Contains("non_canonical_A") || flags.Contains("low_order_A")) Assert.False(direct, $"case {vector.GetProperty("number")}");
            seen++;
            if (direct) accepted++;
        }
        TestContext.Current.SendDiagnosticMessage($"{seen} vectors, {accepted} accepted");
        Assert.True(seen > 0);
    }

    static byte[] Hex(JsonElement element, string name) => Convert.FromHexString(element.GetProperty(name).GetString()!);

    static VerifierKey? Key(string hex)
    {
        var bytes = Convert.FromHexString(hex);
        var id = System.Security.Cryptography.SHA256.HashData([(byte)'k', (byte)'\n', 1, .. bytes]).AsSpan(0, 4);
        return VerifierKey.TryParse($"k+{Convert.ToHexStringLower(id)}+{Convert.ToBase64String([1, .. bytes])}", out var key, out _) ? key : null;
    }
}
