using System.Buffers.Binary;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Proof.Tree;
using NSec.Cryptography;

namespace Logwarden.Proof.Notes;

/// <summary>
/// Public key that signs notes: name, id and Ed25519 key, as in https://c2sp.org/signed-note. Its text form (a vkey) is
/// <c>name+hex id+base64(0x01 ‖ public key)</c>. The id only helps to find the key; trust comes from the key bytes.
/// </summary>
public sealed class VerifierKey : IEquatable<VerifierKey>
{
    internal const byte Ed25519 = 1;
    internal const int KeyBytes = 32, SignatureBytes = 64;

    readonly byte[] _key;
    readonly PublicKey _public;

    internal VerifierKey(string name, PublicKey key)
    {
        Name = name;
        _public = key;
        _key = key.Export(KeyBlobFormat.RawPublicKey);
        Id = IdOf(name, _key);
    }

    /// <summary>Name in signature lines, such as <c>example.com/log42</c>. Not empty, no spaces, no plus sign.</summary>
    public string Name { get; }

    /// <summary>First four bytes of <c>SHA-256(name ‖ 0x0A ‖ 0x01 ‖ public key)</c>, big-endian.</summary>
    public uint Id { get; }

    /// <summary>Reads a vkey.</summary>
    /// <param name="text">Text without surrounding space.</param>
    /// <param name="key">The key.</param>
    /// <param name="reason">What is wrong, when the answer is false.</param>
    public static bool TryParse(string text, out VerifierKey key, out string reason)
    {
        key = null!;
        reason = "";
        // The base64 part may hold plus signs, the name may not.
        var parts = text.Split('+', 3);
        if (parts.Length != 3) return Refuse("a verifier key is name+id+key", out reason);
        if (!IsName(parts[0])) return Refuse("the name of a key is not empty and has no space or plus sign", out reason);
        if (!TryParseId(parts[1], out var id)) return Refuse("the id of a key is 8 hex digits", out reason);
        var bytes = Base64Text.Decode(parts[2]);
        if (bytes is not [Ed25519, ..]) return Refuse("only Ed25519 keys (type 1) are known", out reason);
        if (bytes.Length != 1 + KeyBytes) return Refuse($"an Ed25519 key has {KeyBytes} bytes", out reason);
        if (!PublicKey.TryImport(SignatureAlgorithm.Ed25519, bytes.AsSpan(1), KeyBlobFormat.RawPublicKey, out var known) || known is null)
        {
            return Refuse("it is not an Ed25519 public key", out reason);
        }
        key = new(parts[0], known);
        return key.Id == id || Refuse("the id does not belong to this name and key", out reason);
    }

    /// <summary>Whether this key made the signature over these bytes. Never throws.</summary>
    public bool Verify(ReadOnlySpan<byte> text, ReadOnlySpan<byte> signature) =>
        signature.Length == SignatureBytes && SignatureAlgorithm.Ed25519.Verify(_public, text, signature);

    /// <summary>The vkey.</summary>
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Name}+{Id:x8}+{Convert.ToBase64String([Ed25519, .. _key])}");

    /// <inheritdoc/>
    public bool Equals(VerifierKey? other) =>
        other is not null && string.Equals(Name, other.Name, StringComparison.Ordinal) && _key.AsSpan().SequenceEqual(other._key);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as VerifierKey);

    /// <inheritdoc/>
    public override int GetHashCode() => (int)(Id & int.MaxValue);

    internal static bool IsName(ReadOnlySpan<char> name)
    {
        foreach (var c in name)
        {
            if (c == '+' || char.IsWhiteSpace(c) || char.IsControl(c)) return false;
        }
        return !name.IsEmpty;
    }

    internal static bool TryParseId(string text, out uint id)
    {
        id = 0;
        return text.Length == 8 && uint.TryParse(text, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out id);
    }

    static bool Refuse(string why, out string reason)
    {
        reason = why;
        return false;
    }

    static uint IdOf(string name, ReadOnlySpan<byte> key) =>
        BinaryPrimitives.ReadUInt32BigEndian(SHA256.HashData([.. Encoding.UTF8.GetBytes(name), (byte)'\n', Ed25519, .. key]));
}

/// <summary>
/// Private key that signs notes. Its text form (an skey) is <c>PRIVATE+KEY+name+hex id+base64(0x01 ‖ seed)</c>. Kept by libsodium in
/// memory of its own; dispose it when done.
/// </summary>
public sealed class SigningKey : IDisposable
{
    const string Prefix = "PRIVATE+KEY+";
    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;

    readonly Key _key;

    SigningKey(string name, Key key)
    {
        _key = key;
        Verifier = new(name, key.PublicKey);
    }

    /// <summary>Its public half.</summary>
    public VerifierKey Verifier { get; }

    /// <summary>Makes a new key from the system's randomness.</summary>
    /// <exception cref="ArgumentException">The name is empty or has a space or a plus sign.</exception>
    public static SigningKey Generate(string name)
    {
        if (!VerifierKey.IsName(name)) throw new ArgumentException("the name of a key is not empty and has no space or plus sign", nameof(name));
        return new(name, Key.Create(SignatureAlgorithm.Ed25519, new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }));
    }

    /// <summary>Reads an skey.</summary>
    /// <param name="text">Text without surrounding space.</param>
    /// <param name="key">The key; the caller disposes it.</param>
    /// <param name="reason">What is wrong, never with any of the text in it, when the answer is false.</param>
    public static bool TryParse(Secret text, out SigningKey key, out string reason)
    {
        key = null!;
        var value = text.Reveal();
        reason = $"a private key is {Prefix}name+id+key";
        if (!value.StartsWith(Prefix, StringComparison.Ordinal)) return false;
        var parts = value[Prefix.Length..].Split('+', 3);
        if (parts.Length != 3 || !VerifierKey.IsName(parts[0]) || !VerifierKey.TryParseId(parts[1], out var id)) return false;
        var bytes = Base64Text.Decode(parts[2]);
        reason = $"only Ed25519 keys (type 1, {VerifierKey.KeyBytes} bytes) are known";
        if (bytes is not [VerifierKey.Ed25519, ..] || bytes.Length != 1 + VerifierKey.KeyBytes) return false;
        try
        {
            key = new(parts[0], Key.Import(SignatureAlgorithm.Ed25519, bytes.AsSpan(1), KeyBlobFormat.RawPrivateKey,
                new() { ExportPolicy = KeyExportPolicies.AllowPlaintextExport }));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
        reason = "the id does not belong to this name and key";
        if (key.Verifier.Id == id) return true;
        key.Dispose();
        return false;
    }

    /// <summary>
    /// Writes the key into a new file that only its owner can read (mode 0600). What is written is on disk on return; syncing the
    /// directory is the caller's.
    /// </summary>
    /// <exception cref="IOException">The file exists: a key is never overwritten, what it signed would become unverifiable.</exception>
    public void Save(string path)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("file modes that protect a key are Unix ones");
        using var file = new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            Options = FileOptions.WriteThrough, // O_SYNC: write errors come back, unlike those of a flush
            UnixCreateMode = OwnerOnly,
            BufferSize = 0,
        });
        file.Write(Encoding.UTF8.GetBytes(ToSecret().Reveal() + "\n"));
    }

    /// <summary>Reads a file that <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">It is no key, or others than its owner can get at it.</exception>
    public static SigningKey Load(string path)
    {
        if (OperatingSystem.IsWindows()) throw new PlatformNotSupportedException("file modes that protect a key are Unix ones");
        if ((File.GetUnixFileMode(path) & ~(OwnerOnly | UnixFileMode.UserExecute)) != UnixFileMode.None)
        {
            throw new InvalidDataException($"{path} can be read by others than its owner: chmod 600 it, and think of who may have read it");
        }
        var text = new Secret(File.ReadAllText(path).TrimEnd('\n'));
        return TryParse(text, out var key, out var reason) ? key : throw new InvalidDataException($"{path}: {reason}");
    }

    /// <summary>The skey.</summary>
    public Secret ToSecret() => new(string.Create(CultureInfo.InvariantCulture,
        $"{Prefix}{Verifier.Name}+{Verifier.Id:x8}+{Convert.ToBase64String([VerifierKey.Ed25519, .. _key.Export(KeyBlobFormat.RawPrivateKey)])}"));

    /// <summary>Ed25519 signature over these bytes (RFC 8032), 64 bytes.</summary>
    public byte[] Sign(ReadOnlySpan<byte> text) => SignatureAlgorithm.Ed25519.Sign(_key, text);

    /// <summary>The public half: the private one is only in <see cref="ToSecret"/>.</summary>
    public override string ToString() => Verifier.ToString();

    /// <inheritdoc/>
    public void Dispose() => _key.Dispose();
}
