using System.Security.Cryptography;

namespace Logwarden.Journal;

/// <summary>
/// Makes the keys by which a journal knows events that it has stored, with a secret of the installation: a sender, who chooses the ids of its events, cannot make
/// two of them fall together, and nobody can tell from a made-up id what the event said. Immutable and safe for any number of threads.
/// </summary>
public sealed class DedupKeys
{
    const int SecretBytes = 16;

    readonly byte[] _secret;

    DedupKeys(byte[] secret) => _secret = secret;

    /// <summary>With a secret of its own, for what is not stored.</summary>
    public static DedupKeys Passing() => new(RandomNumberGenerator.GetBytes(SecretBytes));

    /// <summary>With a secret of 16 bytes.</summary>
    /// <exception cref="ArgumentException">It has another length.</exception>
    public static DedupKeys Of(ReadOnlySpan<byte> secret) =>
        secret.Length == SecretBytes ? new(secret.ToArray()) : throw new ArgumentException($"The secret has {SecretBytes} bytes.", nameof(secret));

    /// <summary>
    /// SipHash-2-4-128 of <paramref name="source"/> ‖ 0 ‖ <paramref name="id"/>; never zero, for zero means "no key". Only for ids that come again when the event does.
    /// </summary>
    public UInt128 Of(ReadOnlySpan<byte> source, ReadOnlySpan<byte> id)
    {
        var hash = Begin();
        hash.Append(source);
        hash.Append("\0"u8);
        hash.Append(id);
        return hash.FinishNonZero();
    }

    internal SipHash Begin() => new(_secret);

    /// <summary>Reads the secret of a journal; makes it for a new one.</summary>
    /// <exception cref="JournalDamagedException">It is missing though there is a journal, or damaged.</exception>
    internal static DedupKeys Open(JournalOptions options, bool isNew)
    {
        var path = Path.Combine(options.DedupDirectory, "secret");
        if (!File.Exists(path))
        {
            if (!isNew)
            {
                throw new JournalDamagedException(path, 0,
                    "the secret of the dedup keys is missing. Restore the file from a copy. If there is none, move all .keys files away too and write 32 random hexadecimal "
                    + "digits into it: events that were stored before would then be stored again when they are sent again.");
            }
            DurableFile.Replace(path, System.Text.Encoding.ASCII.GetBytes(Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(SecretBytes)) + "\n"));
            if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }
        try
        {
            return Of(Convert.FromHexString(File.ReadAllText(path).Trim()));
        }
        catch (Exception wrong) when (wrong is FormatException or ArgumentException)
        {
            throw new JournalDamagedException(path, 0, $"the secret of the dedup keys is not {SecretBytes * 2} hexadecimal digits. Restore the file from a copy.");
        }
    }
}
