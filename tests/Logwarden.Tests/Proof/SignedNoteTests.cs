using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Proof.Notes;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Proof;

public class SignedNoteTests
{
    static VerifierKey Key(string vkey) => VerifierKey.TryParse(vkey, out var key, out var reason) ? key : throw new InvalidDataException(reason);

    static JsonElement Vectors()
    {
        using var json = JsonDocument.Parse(File.ReadAllBytes(Corpora.PathOf("signed-note", "vectors.json")));
        return json.RootElement.Clone();
    }

    [Fact]
    public void Every_note_of_the_corpus_has_its_verdict()
    {
        foreach (var note in Vectors().GetProperty("notes").EnumerateArray())
        {
            var keys = note.GetProperty("verifier_keys").EnumerateArray().Select(key => Key(key.GetString()!)).ToArray();
            var opened = SignedNote.Open(note.GetProperty("note_b64").GetBytesFromBase64(), keys);
            Assert.Equal(note.GetProperty("valid").GetBoolean(), opened.IsValid);
            if (note.GetProperty("error").GetString() is "malformed note") Assert.Equal(NoteFault.Malformed, opened.Fault);
            if (!opened.IsValid) continue;
            Assert.Equal(Names("verified"), opened.Verified.Select(key => key.Name), StringComparer.Ordinal);
            Assert.Equal(Names("unverified"), opened.Unverified.Select(signature => signature.Name), StringComparer.Ordinal);

            IEnumerable<string> Names(string property) => note.GetProperty(property).EnumerateArray().Select(name => name.GetString()!);
        }
    }

    [Fact]
    public void Every_key_of_the_corpus_has_its_verdict()
    {
        foreach (var item in Vectors().GetProperty("verifier_keys").EnumerateArray())
        {
            var text = item.GetProperty("vkey").GetString()!;
            Assert.Equal(item.GetProperty("valid").GetBoolean(), VerifierKey.TryParse(text, out var key, out var reason));
            if (reason.Length == 0) Assert.Equal(text, key.ToString());
        }
    }

    [Fact]
    public void Signing_gives_the_bytes_of_the_corpus()
    {
        var signer = Vectors().GetProperty("signer");
        Assert.True(SigningKey.TryParse(new(signer.GetProperty("skey").GetString()!), out var key, out _));
        using (key)
        {
            Assert.Equal(signer.GetProperty("skey").GetString(), key.ToSecret().Reveal());
            var note = SignedNote.Sign(signer.GetProperty("text").GetString()!, key);
            Assert.Equal(signer.GetProperty("expected_note").GetString(), Encoding.UTF8.GetString(note));
        }
    }

    [Fact]
    public void A_changed_byte_anywhere_is_refused()
    {
        using var key = SigningKey.Generate("example.com/a");
        var note = SignedNote.Sign("first\n\nsecond é\n", key);
        Assert.Equal("first\n\nsecond é\n", SignedNote.Open(note, [key.Verifier]).Text);
        for (var i = 0; i < note.Length; i++)
        {
            foreach (var bit in (byte[])[1, 2, 0x80])
            {
                note[i] ^= bit;
                Assert.False(SignedNote.Open(note, [key.Verifier]).IsValid, $"byte {i}");
                note[i] ^= bit;
            }
        }
        Assert.True(SignedNote.Open(note, [key.Verifier]).IsValid);
    }

    [Fact]
    public void Malformed_notes_are_named_so()
    {
        using var key = SigningKey.Generate("a");
        var good = Encoding.UTF8.GetString(SignedNote.Sign("text\n", key));
        var line = good[(good.IndexOf('—', StringComparison.Ordinal))..];
        string[] bad =
        [
            "", "\n", "\n\n", "text\n", "text\n\n", good[..^1], good.Replace('—', '-'), good + "\n", good + line[2..],
            good.Replace("— a", "—  a", StringComparison.Ordinal), good.Replace("— a", "— a+", StringComparison.Ordinal),
            good.Replace("— a ", "— a", StringComparison.Ordinal), good.Replace("— a ", "— a\u00a0b ", StringComparison.Ordinal),
            good.Replace("\n", "\r\n", StringComparison.Ordinal), good.Replace("text", "te\txt", StringComparison.Ordinal),
            good.Replace("=\n", " =\n", StringComparison.Ordinal), "text\n\n— a AAAAAA==\n", "text\n\n— a \n", "text\n\n—  AAAAAAA=\n",
            "text\n\n" + string.Concat(Enumerable.Repeat(line, SignedNote.SignaturesMax + 1)),
        ];
        foreach (var text in bad) Assert.Equal(NoteFault.Malformed, SignedNote.Open(Encoding.UTF8.GetBytes(text), [key.Verifier]).Fault);
        Assert.True(SignedNote.Open(Encoding.UTF8.GetBytes("text\n\n" + string.Concat(Enumerable.Repeat(line, SignedNote.SignaturesMax))), [key.Verifier]).IsValid);
    }

    [Fact]
    public void Several_signers_are_told_apart()
    {
        using var a = SigningKey.Generate("a");
        using var b = SigningKey.Generate("b");
        using var otherA = SigningKey.Generate("a");
        var note = SignedNote.Sign("text\n", a, b, otherA);

        var opened = SignedNote.Open(note, [b.Verifier]);
        Assert.Equal([b.Verifier], opened.Verified);
        Assert.Equal([new("a", a.Verifier.Id), new("a", otherA.Verifier.Id)], opened.Unverified);

        Assert.Equal([a.Verifier, b.Verifier, otherA.Verifier], SignedNote.Open(note, [otherA.Verifier, b.Verifier, a.Verifier]).Verified);
        Assert.Equal(NoteFault.Unverified, SignedNote.Open(note, []).Fault);
        Assert.Equal(NoteFault.AmbiguousKey, SignedNote.Open(note, [a.Verifier, a.Verifier]).Fault);
    }

    [Fact]
    public void One_wrong_signature_of_a_known_key_spoils_the_note()
    {
        using var a = SigningKey.Generate("a");
        using var b = SigningKey.Generate("b");
        var one = Encoding.UTF8.GetString(SignedNote.Sign("one\n", a));
        var two = Encoding.UTF8.GetString(SignedNote.Sign("two\n", b));
        var mixed = Encoding.UTF8.GetBytes(one + two[(two.IndexOf('—', StringComparison.Ordinal))..]);

        Assert.Equal(NoteFault.InvalidSignature, SignedNote.Open(mixed, [a.Verifier, b.Verifier]).Fault);
        Assert.True(SignedNote.Open(mixed, [a.Verifier]).IsValid);
    }

    [Fact]
    public void Noise_never_throws()
    {
        using var key = SigningKey.Generate("a");
        var good = SignedNote.Sign("text\n", key);
        Gen.Select(Gen.Byte.Array[0, 20], Gen.Int[0, good.Length]).Sample((noise, at) =>
        {
            byte[] note = [.. good.AsSpan(0, at), .. noise, .. good.AsSpan(at)];
            var opened = SignedNote.Open(note, [key.Verifier]);
            Assert.True(!opened.IsValid || opened.Text is "text\n");
            Assert.False(VerifierKey.TryParse(Encoding.Latin1.GetString(note), out _, out _));
        }, iter: 2000);
    }

    [Fact]
    public void Text_that_no_note_can_have_is_not_signed()
    {
        using var key = SigningKey.Generate("a");
        foreach (var text in (string[])["", "no newline", "tab\t\n"]) Assert.Throws<ArgumentException>(() => SignedNote.Sign(text, key));
        Assert.Throws<ArgumentException>(() => SignedNote.Sign("text\n"));
        foreach (var name in (string[])["", "a b", "a+b", "a\u2003b"]) Assert.Throws<ArgumentException>(() => SigningKey.Generate(name));
    }
}
