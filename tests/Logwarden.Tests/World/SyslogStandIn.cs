using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;
using System.Threading.Channels;

namespace Logwarden.Tests.World;

/// <summary>
/// A receiver of syslog over TLS (RFC 5425) or plain TCP, octet-counted. Takes only well-formed frames with messages of RFC 5424; anything else is kept as a failure
/// and ends the connection. How each connection behaves can be said before it comes.
/// </summary>
sealed class SyslogStandIn : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Channel<SyslogMessage> _messages = Channel.CreateUnbounded<SyslogMessage>();
    readonly List<Task> _connections = [];
    readonly X509Certificate2? _certificate;
    readonly X509Certificate2? _clientAuthority;
    readonly SslProtocols _protocols;
    readonly Task _accepting;
    TcpClient? _current;

    public SyslogStandIn(X509Certificate2? certificate = null, X509Certificate2? clientAuthority = null, SslProtocols protocols = SslProtocols.None, int? receiveBufferBytes = null)
    {
        (_certificate, _clientAuthority, _protocols) = (certificate, clientAuthority, protocols);
        if (receiveBufferBytes is { } bytes) _listener.Server.ReceiveBufferSize = bytes;
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>What the next connections do, in this order; then they read all.</summary>
    public Queue<SyslogBehaviour> Behaviours { get; } = new();

    /// <summary>Connections so far whose handshake was done.</summary>
    public int Connections;

    /// <summary>What was malformed, if anything was.</summary>
    public string? Malformed { get; private set; }

    /// <summary>Waits for so many messages more.</summary>
    public async Task<List<SyslogMessage>> ReceiveAsync(int count)
    {
        var all = new List<SyslogMessage>();
        while (all.Count < count) all.Add(await _messages.Reader.ReadAsync(TestContext.Current.CancellationToken));
        return all;
    }

    /// <summary>Messages that are there already besides.</summary>
    public int Unread => _messages.Reader.Count;

    /// <summary>Closes the connection in order, as a receiver does that stops.</summary>
    public void CloseCurrent() => _current!.Client.Shutdown(SocketShutdown.Send);

    /// <summary>Resets the connection.</summary>
    public void ResetCurrent()
    {
        _current!.Client.LingerState = new(true, 0);
        _current.Close();
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _accepting;
        _listener.Dispose();
        await Task.WhenAll(_connections);
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stop.Token);
                _current = client;
                _connections.Add(ServeAsync(client, Behaviours.TryDequeue(out var behaviour) ? behaviour : SyslogBehaviour.Reads));
            }
        }
        catch (Exception ended) when (ended is OperationCanceledException or SocketException or ObjectDisposedException)
        {
        }
    }

    async Task ServeAsync(TcpClient client, SyslogBehaviour behaviour)
    {
        using var _ = client;
        try
        {
            if (behaviour == SyslogBehaviour.EndsAtOnce) return;
            await using var stream = await OpenAsync(client);
            Interlocked.Increment(ref Connections);
            if (behaviour == SyslogBehaviour.NeverReads) await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, _stop.Token);
            await ReadAsync(stream, behaviour == SyslogBehaviour.ResetsInTheFirstMessage ? client : null);
        }
        catch (FormatException bad)
        {
            Malformed = bad.Message;
        }
        catch (Exception ended) when (ended is IOException or SocketException or ObjectDisposedException or OperationCanceledException or AuthenticationException or InvalidOperationException)
        {
        }
    }

    async Task<Stream> OpenAsync(TcpClient client)
    {
        if (_certificate is null) return client.GetStream();
        var tls = new SslStream(client.GetStream());
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions
            {
                ServerCertificate = _certificate,
                EnabledSslProtocols = _protocols,
                ClientCertificateRequired = _clientAuthority is not null,
                RemoteCertificateValidationCallback = (_, certificate, _, _) => _clientAuthority is null || IsKnown(certificate),
            },
            _stop.Token);
        return tls;
    }

    bool IsKnown(X509Certificate? certificate)
    {
        if (certificate is null) return false;
        using var chain = new X509Chain { ChainPolicy = { TrustMode = X509ChainTrustMode.CustomRootTrust, RevocationMode = X509RevocationMode.NoCheck } };
        chain.ChainPolicy.CustomTrustStore.Add(_clientAuthority!);
        return chain.Build((X509Certificate2)certificate);
    }

    async Task ReadAsync(Stream stream, TcpClient? toReset)
    {
        var one = new byte[1];
        while (true)
        {
            // MSG-LEN = NONZERO-DIGIT *DIGIT, then SP.
            var length = 0;
            for (var digits = 0; ; digits++)
            {
                if (await stream.ReadAsync(one, _stop.Token) == 0) return;
                if (one[0] == ' ' && digits > 0) break;
                if (one[0] is < (byte)'0' or > (byte)'9' || (digits == 0 && one[0] == '0') || digits > 8) throw new FormatException($"byte {one[0]} in MSG-LEN");
                length = length * 10 + one[0] - '0';
            }
            if (toReset is not null)
            {
                toReset.Client.LingerState = new(true, 0);
                toReset.Close();
                return;
            }
            var message = new byte[length];
            await stream.ReadExactlyAsync(message, _stop.Token);
            await _messages.Writer.WriteAsync(SyslogMessage.Parse(message), _stop.Token);
        }
    }
}

/// <summary>What a connection of <see cref="SyslogStandIn"/> does.</summary>
enum SyslogBehaviour
{
    Reads,
    EndsAtOnce,
    NeverReads,
    ResetsInTheFirstMessage,
}
