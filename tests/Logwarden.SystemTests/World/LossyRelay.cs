using System.Net;
using System.Net.Sockets;

namespace Logwarden.SystemTests.World;

/// <summary>Passes TCP on to a server, but the first answer to a PUT is not delivered: the connection is cut instead.</summary>
sealed class LossyRelay : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Uri _server;
    readonly Task _running;

    public LossyRelay(Uri server)
    {
        _server = server;
        _listener.Start();
        _running = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

    /// <summary>Answers that were not delivered.</summary>
    public int Lost { get; private set; }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _running;
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        var open = new List<Task>();
        try
        {
            while (true) open.Add(PassAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(open);
        }
    }

    async Task PassAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient();
        try
        {
            await far.ConnectAsync(IPAddress.Loopback, _server.Port, _stop.Token);
            var isPut = false;
            var up = CopyAsync(near.GetStream(), far.GetStream(), bytes =>
            {
                isPut |= bytes.StartsWith("PUT "u8);
                return true;
            });
            var down = CopyAsync(far.GetStream(), near.GetStream(), bytes =>
            {
                // An interim "100 Continue" must come through, or the body never leaves.
                if (!isPut || Lost > 0 || bytes.StartsWith("HTTP/1.1 100"u8)) return true;
                Lost++;
                return false;
            });
            await Task.WhenAny(up, down);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Either side has gone: so do we.
        }
    }

    async Task CopyAsync(NetworkStream from, NetworkStream to, Passes passes)
    {
        var buffer = new byte[64 * 1024];
        while (await from.ReadAsync(buffer, _stop.Token) is var count and > 0 && passes(buffer.AsSpan(0, count)))
        {
            await to.WriteAsync(buffer.AsMemory(0, count), _stop.Token);
        }
    }

    delegate bool Passes(ReadOnlySpan<byte> bytes);
}
