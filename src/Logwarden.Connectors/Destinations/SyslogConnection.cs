using System.Buffers.Binary;
using System.Net;
using System.Net.Security;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Logwarden.Destinations;

/// <summary>
/// One connection to a syslog receiver. Syslog has no acknowledgement, so this takes what TCP knows: <see cref="SendAsync"/> returns when the far kernel has
/// acknowledged every byte and the connection still stands. A read is always under way: a receiver never says anything, so that what it brings is the end of the
/// connection, known before something is written into it.
/// </summary>
sealed class SyslogConnection : IAsyncDisposable
{
    static readonly TimeSpan ConnectTimeout = TimeSpan.FromSeconds(10);
    static readonly TimeSpan SettleMin = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan FarewellMax = TimeSpan.FromSeconds(2);
    static readonly TimeSpan LookEveryMax = TimeSpan.FromMilliseconds(50);

    readonly Socket _socket;
    readonly Stream _stream;
    readonly TimeProvider _time;
    readonly CancellationTokenSource _stop = new();
    readonly Task<End> _end;

    SyslogConnection(Socket socket, Stream stream, TimeProvider time)
    {
        (_socket, _stream, _time) = (socket, stream, time);
        _end = WatchAsync(stream, time, _stop.Token);
    }

    /// <summary>When the far side ended it; null while it stands.</summary>
    public DateTimeOffset? Ended => _end.IsCompletedSuccessfully ? _end.GetAwaiter().GetResult().At : null;

    /// <summary>Connects, and waits long enough to hear of a refusal: in TLS 1.3 a receiver looks at our certificate after the handshake is over for us.</summary>
    /// <param name="address">Host and port.</param>
    /// <param name="tls">How to encrypt; null is not at all.</param>
    /// <param name="time">Clock.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="HttpRequestException">It was not reached.</exception>
    /// <exception cref="AuthenticationException">One side does not believe the other's certificate.</exception>
    /// <exception cref="IOException">It ended the connection at once.</exception>
    public static async Task<SyslogConnection> OpenAsync(DnsEndPoint address, SslClientAuthenticationOptions? tls, TimeProvider time, CancellationToken cancel)
    {
        using var late = new CancellationTokenSource(ConnectTimeout, time);
        using var both = CancellationTokenSource.CreateLinkedTokenSource(cancel, late.Token);
        Socket? socket = null;
        Stream? stream = null;
        SyslogConnection? connection = null;
        try
        {
#pragma warning disable CA2000 // What is not handed out is disposed of at the end, on every path.
            socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.KeepAlive, true);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveTime, 60);
            socket.SetSocketOption(SocketOptionLevel.Tcp, SocketOptionName.TcpKeepAliveInterval, 10);
            await socket.ConnectAsync(address, both.Token);
            stream = new NetworkStream(socket, ownsSocket: true);
            if (tls is not null)
            {
                var ssl = new SslStream(stream, leaveInnerStreamOpen: false);
                stream = ssl;
                await ssl.AuthenticateAsClientAsync(tls, both.Token);
            }
            connection = new SyslogConnection(socket, stream, time);
#pragma warning restore CA2000
            await connection.SettleAsync(both.Token);
            return connection;
        }
        catch (SocketException bad)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, $"{address.Host}:{address.Port} was not reached: {bad.Message}", bad);
        }
        catch (OperationCanceledException bad) when (!cancel.IsCancellationRequested)
        {
            throw new HttpRequestException(HttpRequestError.ConnectionError, $"{address.Host}:{address.Port} did not answer within {ConnectTimeout.TotalSeconds} seconds", bad);
        }
        finally
        {
            if (connection is null || connection._end.IsCompleted)
            {
                if (connection is not null) await connection.DisposeAsync();
                if (stream is not null) await stream.DisposeAsync();
                socket?.Dispose();
            }
        }
    }

    /// <summary>Writes, and waits until the far side's TCP has all of it. After any exception the connection must not be used: half a message may be out.</summary>
    /// <exception cref="IOException">It broke; what the far side has is not known.</exception>
    public async Task SendAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancel)
    {
        await _stream.WriteAsync(bytes, cancel);
        await _stream.FlushAsync(cancel);
        for (var wait = TimeSpan.FromMilliseconds(1); ; wait = wait * 2 < LookEveryMax ? wait * 2 : LookEveryMax)
        {
            // Looked at after the acknowledgement: a reset takes the unacknowledged out of the count.
            var isThere = IsAcknowledged();
            if (_end.IsCompleted) await ThrowEndAsync("the receiver ended the connection while it was written to");
            if (isThere) return;
            await Task.Delay(wait, _time, cancel);
        }
    }

    /// <summary>Ends it in order, so that the receiver reads to the end what it has; waits for it a little.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            if (!_end.IsCompleted)
            {
                if (_stream is SslStream ssl) await ssl.ShutdownAsync();
                _socket.Shutdown(SocketShutdown.Send);
                await _end.WaitAsync(FarewellMax, _time);
            }
        }
        catch (Exception bad) when (bad is IOException or SocketException or ObjectDisposedException or TimeoutException or InvalidOperationException)
        {
            // It is gone anyway.
        }
        await _stop.CancelAsync();
        await _stream.DisposeAsync();
        _socket.Dispose();
        await _end;
        _stop.Dispose();
    }

    async Task SettleAsync(CancellationToken cancel)
    {
        var wait = TimeSpan.FromMicroseconds(3.0 * TcpInfo(RoundTripAt));
        try
        {
            await _end.WaitAsync(wait > SettleMin ? wait : SettleMin, _time, cancel);
        }
        catch (TimeoutException)
        {
            return;
        }
        await ThrowEndAsync(_stream is SslStream ? "the receiver ended the connection right after the handshake; if it wants a certificate of us, look at the setting client-certificate-file" : "the receiver ended the connection at once");
    }

    async Task ThrowEndAsync(string what)
    {
        var why = (await _end).Why;
        // What OpenSSL tells of an alert is two exceptions deep.
        if (why is AuthenticationException || why?.InnerException is AuthenticationException || (_stream is SslStream && why?.GetBaseException().Message.Contains("alert", StringComparison.OrdinalIgnoreCase) is true))
            throw new AuthenticationException($"{what}: {why.GetBaseException().Message}", why);
        throw new IOException(what, why);
    }

    static async Task<End> WatchAsync(Stream stream, TimeProvider time, CancellationToken stop)
    {
        // What a receiver may say in spite of the protocol is read and left, so that it can't fill up the way.
        var said = new byte[256];
        try
        {
            while (await stream.ReadAsync(said, stop) > 0)
            {
            }
            return new(time.GetUtcNow(), null);
        }
        catch (Exception bad) when (bad is IOException or SocketException or ObjectDisposedException or OperationCanceledException or AuthenticationException)
        {
            return new(time.GetUtcNow(), bad);
        }
    }

    // struct tcp_info of Linux (linux/tcp.h), whose beginning never changes; the option is read as it stands there.
    const int TcpLevel = 6, TcpInfoOption = 11, TcpInfoBytes = 160;
    const int UnacknowledgedAt = 24, RoundTripAt = 68, UnsentBytesAt = 144;

    bool IsAcknowledged() => TcpInfo(UnacknowledgedAt) == 0 && TcpInfo(UnsentBytesAt) == 0;

    uint TcpInfo(int at)
    {
        Span<byte> info = stackalloc byte[TcpInfoBytes];
        try
        {
            var length = _socket.GetRawSocketOption(TcpLevel, TcpInfoOption, info);
            return length >= at + 4 ? BinaryPrimitives.ReadUInt32LittleEndian(info[at..]) : throw new PlatformNotSupportedException("Linux 4.6 or later is needed");
        }
        catch (Exception bad) when (bad is SocketException or ObjectDisposedException)
        {
            throw new IOException("the connection is gone", bad);
        }
    }

    /// <param name="At">When.</param>
    /// <param name="Why">What it ended by; null is in order.</param>
    sealed record End(DateTimeOffset At, Exception? Why);
}
