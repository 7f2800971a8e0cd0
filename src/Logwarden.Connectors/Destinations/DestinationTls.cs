using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Logwarden.Destinations;

/// <summary>
/// How a destination proves who it is, and whom it believes: settings <c>ca-file</c>, <c>client-certificate-file</c> and <c>client-key-file</c>. The far side's
/// certificate is always verified, with its name; nothing turns that off. Holds the certificates that it read; owner disposes.
/// </summary>
sealed class DestinationTls : IDisposable
{
    readonly X509Certificate2Collection _trusted = [];
    readonly X509Certificate2Collection _own = [];

    /// <summary>Reads the files that the settings name.</summary>
    /// <exception cref="SettingException">One is missing or is not what it should be.</exception>
    public DestinationTls(DestinationContext context)
    {
        if (context.Optional("ca-file") is { } authorities)
        {
            Read("ca-file", () => _trusted.ImportFromPemFile(authorities));
            if (_trusted.Count == 0) throw new SettingException("ca-file", "holds no certificate in PEM form");
        }
        var (certificate, key) = (context.Optional("client-certificate-file"), context.Optional("client-key-file"));
        if (certificate is null != key is null)
            throw new SettingException(key is null ? "client-key-file" : "client-certificate-file", "is missing: a client certificate needs its key, and the key its certificate");
        if (certificate is null) return;
        Read("client-certificate-file", () =>
        {
            _own.ImportFromPemFile(certificate);
            if (_own.Count > 0) _own[0].Dispose();
            var leaf = X509Certificate2.CreateFromPemFile(certificate, key);
            if (_own.Count > 0) _own[0] = leaf;
            else _own.Add(leaf);
        });
    }

    /// <summary>Settings that this reads, to be listed among a destination's own.</summary>
    public static IReadOnlyList<DestinationSetting> Settings { get; } =
    [
        new("ca-file", "PEM file with the certificate authorities to trust in place of the system's"),
        new("client-certificate-file", "PEM file with our certificate and those between it and its authority, where the far side wants one"),
        new("client-key-file", "PEM file with that certificate's key, not encrypted; its mode must keep others out"),
    ];

    /// <summary>Options of one connection, or of all of a client.</summary>
    /// <param name="host">Name that the far side's certificate must bear; null when the caller's client sets it.</param>
    public SslClientAuthenticationOptions Options(string? host)
    {
        var options = new SslClientAuthenticationOptions
        {
            TargetHost = host,
#pragma warning disable CA5398 // RFC 5425 and 9662 and every policy since say 1.2 at least; what the system allows below that must not be taken.
            EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13,
#pragma warning restore CA5398
        };
        if (_trusted.Count > 0)
        {
            options.CertificateChainPolicy = new X509ChainPolicy { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck };
            options.CertificateChainPolicy.CustomTrustStore.AddRange(_trusted);
        }
        if (_own.Count > 0) options.ClientCertificateContext = SslStreamCertificateContext.Create(_own[0], [.. _own.Skip(1)], offline: true);
        return options;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var certificate in _trusted.Concat(_own)) certificate.Dispose();
    }

    static void Read(string setting, Action read)
    {
        try
        {
            read();
        }
        catch (Exception bad) when (bad is IOException or UnauthorizedAccessException or CryptographicException)
        {
            // Says which setting and no more of the file: a key may stand in it.
            throw new SettingException(setting, $"can't be read as PEM: {(bad is CryptographicException ? "no certificate with its key" : bad.Message)}", bad);
        }
    }
}
