namespace Logwarden.Formats;

/// <summary>What compressed input may grow to.</summary>
/// <param name="BytesMax">Decompressed bytes in all.</param>
/// <param name="RatioMax">Decompressed bytes per compressed byte, once more than <paramref name="RatioFrom"/> came out.</param>
/// <param name="RatioFrom">Bytes from which the ratio counts.</param>
public readonly record struct DecompressionLimits(long BytesMax, int RatioMax, long RatioFrom)
{
    /// <summary>16 GiB in all, and 200 to 1 from 32 MiB on: logs shrink 10 to 60 times, bombs 1,000 and more.</summary>
    public static DecompressionLimits Default => new(16L << 30, 200, 32L << 20);
}

/// <summary>Compressed input grew past its limits: a decompression bomb, or a limit that is too small.</summary>
public sealed class DecompressionLimitException(string message) : IOException(message);

/// <summary>Opens input that may be compressed.</summary>
public static class Decompression
{
    /// <summary>
    /// Looks at the first bytes and gives a stream of the content: gzip and zstd are unpacked, anything else passes. The name of a
    /// file says nothing here: archives are full of wrong ones.
    /// </summary>
    /// <param name="input">Read from where it stands; disposed of with the result.</param>
    /// <param name="limits">Past these, reading throws <see cref="DecompressionLimitException"/>.</param>
    /// <exception cref="IOException">The input can't be read.</exception>
    public static Stream Open(Stream input, DecompressionLimits limits)
    {
        var head = new byte[4];
        var had = input.ReadAtLeast(head, head.Length, throwOnEndOfStream: false);
#pragma warning disable CA2000 // The stream that is returned owns it.
        var source = new CountedStream(input, head.AsMemory(0, had), limits: null, compressed: null);
        var isGzip = had >= 2 && head[0] == 0x1F && head[1] == 0x8B;
        // A skippable frame (0x184D2A5?) may come first in zstd.
        var isZstd = had == 4 && head[3] is 0xFD or 0x18
            && (head.AsSpan().SequenceEqual(new byte[] { 0x28, 0xB5, 0x2F, 0xFD }) || ((head[0] & 0xF0) == 0x50 && head[1] == 0x2A && head[2] == 0x4D));
        if (!isGzip && !isZstd) return source;
        var unpacked = isGzip ? Gzip(source) : Zstd(source);
#pragma warning restore CA2000
        return new CountedStream(unpacked, default, limits, source);
    }

    /// <summary>Whether what <see cref="Open"/> gave is unpacked.</summary>
    public static bool IsUnpacked(Stream opened) => opened is CountedStream { IsUnpacked: true };

    /// <summary>Unpacks gzip (RFC 1952), one member or several behind each other.</summary>
    /// <param name="packed">Disposed of with the result.</param>
    /// <returns>A stream that throws <see cref="InvalidDataException"/> where the data is damaged or ends before its end.</returns>
    public static Stream Gzip(Stream packed) => new WholeGzipStream(packed);

    /// <summary>Unpacks zstd (RFC 8878), one frame or several behind each other.</summary>
    /// <param name="packed">Disposed of with the result.</param>
    /// <returns>A stream that throws <see cref="ZstdSharp.ZstdException"/> or <see cref="EndOfStreamException"/> where the data is damaged or ends before its end.</returns>
    public static Stream Zstd(Stream packed) => new ZstdSharp.DecompressionStream(packed, leaveOpen: false);

    /// <summary>Whether a stream of these failed for what it was given.</summary>
    public static bool IsDamage(Exception e) => e is InvalidDataException or ZstdSharp.ZstdException or EndOfStreamException;
}

/// <summary>Counts what is read, gives back bytes that were looked at first, and holds to limits.</summary>
sealed class CountedStream(Stream inner, ReadOnlyMemory<byte> first, DecompressionLimits? limits, CountedStream? compressed) : ReadingStream
{
    ReadOnlyMemory<byte> _first = first;

    public long Count { get; private set; }
    public bool IsUnpacked => compressed is not null;
    public override long Position { get => Count; set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        int read;
        if (_first.IsEmpty)
        {
            read = inner.Read(buffer);
        }
        else
        {
            read = Math.Min(buffer.Length, _first.Length);
            _first.Span[..read].CopyTo(buffer);
            _first = _first[read..];
        }
        Count += read;
        if (limits is { } max && compressed is not null) Check(max, compressed.Count);
        return read;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing) inner.Dispose();
        base.Dispose(disposing);
    }

    void Check(in DecompressionLimits max, long packed)
    {
        if (Count > max.BytesMax) throw new DecompressionLimitException($"compressed input unpacks to more than {max.BytesMax} bytes");
        if (Count > max.RatioFrom && Count / max.RatioMax > packed)
            throw new DecompressionLimitException($"compressed input unpacks to more than {max.RatioMax} times its size");
    }
}
