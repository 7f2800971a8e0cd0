using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Logwarden.SystemTests.World;

/// <summary>What becomes of an HTTP request that goes through a <see cref="FaultyRelay"/>.</summary>
enum Fate
{
    /// <summary>It and its answer are passed on.</summary>
    Pass,

    /// <summary>The server does it and answers; the answer is not delivered.</summary>
    NoAnswer,

    /// <summary>All of it is passed on, and the client is cut off at once, while the server is still at it.</summary>
    Leave,

    /// <summary>The server gets a part of its body, then the connection is gone.</summary>
    CutShort,
}

/// <summary>Passes HTTP requests on to a server, one a connection, and does to each what it is told.</summary>
sealed class FaultyRelay : IAsyncDisposable
{
    readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    readonly CancellationTokenSource _stop = new();
    readonly Uri _server;
    readonly Func<string, Fate> _next;
    readonly Task _running;

    /// <param name="server">The server.</param>
    /// <param name="next">Asked for each request, in order, when it has been read; is given its first line.</param>
    public FaultyRelay(Uri server, Func<string, Fate> next)
    {
        (_server, _next) = (server, next);
        _listener.Start();
        _running = AcceptAsync();
    }

    /// <summary>Where it listens.</summary>
    public Uri Address => new($"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}");

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
            while (true) open.Add(HandleAsync(await _listener.AcceptTcpClientAsync(_stop.Token)));
        }
        catch (OperationCanceledException)
        {
            await Task.WhenAll(open);
        }
    }

    async Task HandleAsync(TcpClient client)
    {
        using var near = client;
        using var far = new TcpClient();
        try
        {
            var (head, body) = await ReadAsync(near.GetStream());
            var fate = _next(Encoding.ASCII.GetString(head.AsSpan(0, head.AsSpan().IndexOf((byte)'\r'))));
            await far.ConnectAsync(IPAddress.Loopback, _server.Port, _stop.Token);
            var stream = far.GetStream();
            await stream.WriteAsync(head, _stop.Token);
            await stream.WriteAsync(fate == Fate.CutShort ? body.AsMemory(0, body.Length / 2) : body, _stop.Token);
            if (fate is Fate.Leave or Fate.CutShort) Cut(near);
            if (fate == Fate.CutShort)
            {
                Cut(far);
                return;
            }
            using var answer = new MemoryStream();
            await stream.CopyToAsync(answer, _stop.Token);
            if (fate == Fate.Pass) await near.GetStream().WriteAsync(answer.ToArray(), _stop.Token);
            if (fate == Fate.NoAnswer) Cut(near);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // Either side has gone: so do we.
        }
    }

    /// <summary>Head, with the wish to close behind the answer, and body of a request.</summary>
    async Task<(byte[] Head, byte[] Body)> ReadAsync(NetworkStream stream)
    {
        var read = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int end;
        while ((end = read.GetBuffer().AsSpan(0, (int)read.Length).IndexOf("\r\n\r\n"u8)) < 0) await MoreAsync();
        var head = Encoding.ASCII.GetString(read.GetBuffer(), 0, end);
        var length = head.Split("\r\n").Select(line => line.Split(": ")).FirstOrDefault(pair => string.Equals(pair[0], "Content-Length", StringComparison.OrdinalIgnoreCase)) is { } found
            ? int.Parse(found[1], System.Globalization.CultureInfo.InvariantCulture) : 0;
        while (read.Length < end + 4 + length) await MoreAsync();
        return (Encoding.ASCII.GetBytes(head + "\r\nConnection: close\r\n\r\n"), read.ToArray()[(end + 4)..]);

        async Task MoreAsync()
        {
            var count = await stream.ReadAsync(buffer, _stop.Token);
            if (count == 0) throw new IOException("the client went away");
            read.Write(buffer, 0, count);
        }
    }

    static void Cut(TcpClient client)
    {
        client.LingerState = new LingerOption(enable: true, seconds: 0);
        client.Close();
    }
}
