using System.Buffers;

namespace Logwarden.Destinations;

/// <summary>
/// What was sent lately: the receiver's kernel has acknowledged it, its process may not have read it, and if the connection ends then it is gone. A receiver that
/// works reads within <see cref="TimeMax"/>; what lies unread is no more than its kernel buffers, which <see cref="BytesMax"/> is more than by default.
/// </summary>
sealed class SyslogUnread
{
    /// <summary>After this time it counts as read.</summary>
    public static readonly TimeSpan TimeMax = TimeSpan.FromSeconds(30);

    /// <summary>Most bytes that are kept; the last batch is kept whatever its size. Linux buffers up to 6 MiB for a connection unless told otherwise.</summary>
    public const int BytesMax = 8 << 20;

    readonly Queue<(DateTimeOffset At, byte[] Rented, int Length)> _batches = new();
    long _bytes;

    /// <summary>Number of batches.</summary>
    public int Count => _batches.Count;

    /// <summary>Keeps a copy of what was sent at a time, and lets go of what is too old or too much.</summary>
    public void Add(ReadOnlySpan<byte> sent, DateTimeOffset now)
    {
        var copy = ArrayPool<byte>.Shared.Rent(sent.Length);
        sent.CopyTo(copy);
        _batches.Enqueue((now, copy, sent.Length));
        _bytes += sent.Length;
        Forget(now);
        while (_bytes > BytesMax && _batches.Count > 1) Drop();
    }

    /// <summary>Lets go of what had time enough to be read before then.</summary>
    public void Forget(DateTimeOffset now)
    {
        while (_batches.TryPeek(out var first) && now - first.At > TimeMax) Drop();
    }

    /// <summary>Sends all of it on a new connection, where it may lie unread again.</summary>
    /// <exception cref="IOException">That broke too; nothing is forgotten.</exception>
    public async Task SendAgainAsync(SyslogConnection connection, TimeProvider time, CancellationToken cancel)
    {
        for (var i = _batches.Count; i > 0; i--)
        {
            var (_, bytes, length) = _batches.Peek();
            await connection.SendAsync(bytes.AsMemory(0, length), cancel);
            _batches.Enqueue((time.GetUtcNow(), bytes, length));
            _batches.Dequeue();
        }
    }

    void Drop()
    {
        var (_, rented, length) = _batches.Dequeue();
        _bytes -= length;
        ArrayPool<byte>.Shared.Return(rented);
    }
}
