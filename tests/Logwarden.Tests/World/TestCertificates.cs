using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;

namespace Logwarden.Tests.World;

/// <summary>A certificate authority of its own, and PEM files of what it gives out.</summary>
sealed class TestCertificates : IDisposable
{
    static readonly DateTimeOffset From = new(2020, 1, 1, 0, 0, 0, TimeSpan.Zero);
    static readonly DateTimeOffset To = new(2099, 1, 1, 0, 0, 0, TimeSpan.Zero);

    readonly ScratchFolder _folder = new();
    readonly X509Certificate2 _authority;
    byte _serial;

    public TestCertificates()
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=test authority", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(true, false, 0, true));
        request.CertificateExtensions.Add(new X509KeyUsageExtension(X509KeyUsageFlags.KeyCertSign, true));
        request.CertificateExtensions.Add(new X509SubjectKeyIdentifierExtension(request.PublicKey, false));
        _authority = request.CreateSelfSigned(From, To);
        CaFile = Write("ca.pem", _authority.ExportCertificatePem());
    }

    /// <summary>The authority's certificate.</summary>
    public string CaFile { get; }

    public X509Certificate2 Authority => _authority;

    /// <summary>A certificate for these host names or addresses; none makes one of a client.</summary>
    public (string CertificateFile, string KeyFile) Issue(string name, params string[] hosts)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest($"CN={name}", key, HashAlgorithmName.SHA256);
        request.CertificateExtensions.Add(new X509BasicConstraintsExtension(false, false, 0, true));
        request.CertificateExtensions.Add(new X509EnhancedKeyUsageExtension([new(hosts.Length > 0 ? "1.3.6.1.5.5.7.3.1" : "1.3.6.1.5.5.7.3.2")], false));
        if (hosts.Length > 0)
        {
            var names = new SubjectAlternativeNameBuilder();
            foreach (var host in hosts)
            {
                if (IPAddress.TryParse(host, out var address)) names.AddIpAddress(address);
                else names.AddDnsName(host);
            }
            request.CertificateExtensions.Add(names.Build());
        }
        using var certificate = request.Create(_authority, From, To, [1, ++_serial]);
        return (Write(name + ".pem", certificate.ExportCertificatePem()), Write(name + ".key", key.ExportPkcs8PrivateKeyPem()));
    }

    /// <summary>The same, loaded.</summary>
    public X509Certificate2 IssueLoaded(string name, params string[] hosts)
    {
        var (certificate, key) = Issue(name, hosts);
        return X509Certificate2.CreateFromPemFile(certificate, key);
    }

    public void Dispose()
    {
        _authority.Dispose();
        _folder.Dispose();
    }

    string Write(string name, string pem)
    {
        var path = _folder.File(name);
        File.WriteAllBytes(path, System.Text.Encoding.ASCII.GetBytes(pem));
        return path;
    }
}
