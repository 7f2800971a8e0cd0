using System.Buffers.Binary;
using System.Text;
using Logwarden.Proof.Tree;

namespace Logwarden.Proof.Notes;

/// <summary>Why a note was refused.</summary>
public enum NoteFault
{
    /// <summary>It was not refused.</summary>
    None = 0,

    /// <summary>The bytes are not a signed note.</summary>
    Malformed = 1,

    /// <summary>A known key's signature is wrong: the text or the signature was changed.</summary>
    InvalidSignature = 2,

    /// <summary>No signature of a known key.</summary>
    Unverified = 3,

    /// <summary>The caller knows two keys with this name and id.</summary>
    AmbiguousKey = 4,
}

/// <summary>One signature line.</summary>
/// <param name="Name">Name of the key.</param>
/// <param name="KeyId">Id of the key.</param>
public readonly record struct NoteSignature(string Name, uint KeyId);

/// <summary>
/// A note: text with the signatures of one or more keys (https://c2sp.org/signed-note). Text ends in a newline; behind it stand an
/// empty line and the signature lines <c>— name base64(key id ‖ signature)</c>.
/// </summary>
public sealed class SignedNote
{
    /// <summary>Signatures that a note may have. More is refused: checking them is work that anyone could send us.</summary>
    public const int SignaturesMax = 100;

    const int BytesMax = 1_000_000;
    const string LineStart = "\u2014 ";
    static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    SignedNote()
    {
    }

    /// <summary>Text with its final newline. Means nothing unless <see cref="Fault"/> is None.</summary>
    public string Text { get; private init; } = "";

    /// <summary>None when at least one known key signed it and no known key's signature is wrong.</summary>
    public NoteFault Fault { get; private init; }

    /// <summary>A sentence on <see cref="Fault"/>.</summary>
    public string Reason { get; private init; } = "";

    /// <summary>Known keys that signed it, each once.</summary>
    public IReadOnlyList<VerifierKey> Verified { get; private init; } = [];

    /// <summary>Signatures of unknown keys. Not checked, not to be relied on.</summary>
    public IReadOnlyList<NoteSignature> Unverified { get; private init; } = [];

    /// <summary>Whether the text may be used.</summary>
    public bool IsValid => Fault == NoteFault.None;

    /// <summary>Takes a note apart and checks its signatures. Never throws, whatever the bytes.</summary>
    /// <param name="note">The whole note.</param>
    /// <param name="known">Keys that the caller trusts.</param>
    public static SignedNote Open(ReadOnlySpan<byte> note, IReadOnlyList<VerifierKey> known)
    {
        if (TrySplit(note, out var text, out var lines) is { } malformed) return Refused(NoteFault.Malformed, malformed);
        var signed = note[..Strict.GetByteCount(text)];
        var verified = new List<VerifierKey>();
        var unverified = new List<NoteSignature>();
        foreach (var (name, signature) in lines)
        {
            var id = BinaryPrimitives.ReadUInt32BigEndian(signature);
            var key = Find(known, name, id, out var ambiguous);
            if (ambiguous) return Refused(NoteFault.AmbiguousKey, $"two keys called {name} with the id {id:x8} are known");
            if (key is null)
            {
                unverified.Add(new(name, id));
            }
            else if (!verified.Contains(key))
            {
                if (!key.Verify(signed, signature.AsSpan(4)))
                {
                    return Refused(NoteFault.InvalidSignature, $"the signature of {name} does not belong to this text");
                }
                verified.Add(key);
            }
        }
        if (verified.Count == 0) return Refused(NoteFault.Unverified, "no trusted key signed it", unverified);
        return new() { Text = text, Verified = verified, Unverified = unverified };
    }

    /// <summary>Signs a text with each of the keys.</summary>
    /// <exception cref="ArgumentException">The text is not one of a note: see <see cref="SignedNote"/>; or there is no key.</exception>
    public static byte[] Sign(string text, params ReadOnlySpan<SigningKey> keys)
    {
        if (keys.IsEmpty) throw new ArgumentException("a note has at least one signature", nameof(keys));
        if (!text.EndsWith('\n')) throw new ArgumentException("the text of a note ends in a newline", nameof(text));
        if (HasControl(text)) throw new ArgumentException("a note has no control characters but newlines", nameof(text));
        var bytes = Strict.GetBytes(text);
        var note = new StringBuilder(text).Append('\n');
        Span<byte> line = stackalloc byte[4 + VerifierKey.SignatureBytes];
        foreach (var key in keys)
        {
            BinaryPrimitives.WriteUInt32BigEndian(line, key.Verifier.Id);
            key.Sign(bytes).CopyTo(line[4..]);
            note.Append(LineStart).Append(key.Verifier.Name).Append(' ').Append(Convert.ToBase64String(line)).Append('\n');
        }
        return Strict.GetBytes(note.ToString());
    }

    // Answers null when it went well, else what is wrong.
    static string? TrySplit(ReadOnlySpan<byte> note, out string text, out List<(string Name, byte[] Signature)> lines)
    {
        text = "";
        lines = [];
        if (note.Length > BytesMax) return $"it is longer than {BytesMax} bytes";
        string all;
        try
        {
            all = Strict.GetString(note);
        }
        catch (DecoderFallbackException)
        {
            return "it is not UTF-8";
        }
        if (HasControl(all)) return "it has a control character";
        var split = all.LastIndexOf("\n\n", StringComparison.Ordinal);
        if (split < 0) return "no empty line stands between text and signatures";
        text = all[..(split + 1)];
        var signatures = all.AsSpan(split + 2);
        if (signatures.IsEmpty || signatures[^1] != '\n') return "it does not end in a signature line";
        foreach (var range in signatures[..^1].Split('\n'))
        {
            if (lines.Count == SignaturesMax) return $"it has more than {SignaturesMax} signatures";
            if (!TryLine(signatures[range], out var line)) return $"signature line {lines.Count + 1} is not one";
            lines.Add(line);
        }
        return null;
    }

    static bool TryLine(ReadOnlySpan<char> line, out (string Name, byte[] Signature) parsed)
    {
        parsed = default;
        if (!line.StartsWith(LineStart, StringComparison.Ordinal)) return false;
        line = line[LineStart.Length..];
        var space = line.IndexOf(' ');
        if (space < 0 || !VerifierKey.IsName(line[..space])) return false;
        // Four bytes of key id and at least one of signature.
        if (Base64Text.Decode(line[(space + 1)..]) is not { Length: > 4 } signature) return false;
        parsed = (line[..space].ToString(), signature);
        return true;
    }

    static VerifierKey? Find(IReadOnlyList<VerifierKey> known, string name, uint id, out bool ambiguous)
    {
        VerifierKey? found = null;
        ambiguous = false;
        foreach (var key in known)
        {
            if (key.Id != id || !string.Equals(key.Name, name, StringComparison.Ordinal)) continue;
            ambiguous |= found is not null;
            found = key;
        }
        return found;
    }

    static bool HasControl(ReadOnlySpan<char> text)
    {
        foreach (var c in text)
        {
            if (c < ' ' && c != '\n') return true;
        }
        return false;
    }

    static SignedNote Refused(NoteFault fault, string reason, List<NoteSignature>? unverified = null) =>
        new() { Fault = fault, Reason = reason, Unverified = unverified ?? [] };
}
