using System.IO.Compression;
using System.Net.Http.Headers;
using Logwarden.Flow;

namespace Logwarden.Destinations;

/// <summary>How the body of a request is compressed.</summary>
public enum Packing
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>gzip (RFC 1952), the fastest level.</summary>
    Gzip,

    /// <summary>Zstandard (RFC 8878), level 3.</summary>
    Zstd,
}

/// <summary>The body of a request that carries a batch: the wire forms behind each other, compressed. Its buffer is used again for the next batch. Not thread-safe.</summary>
sealed class PackedBatch : IDisposable
{
    const int KeptMax = 4 << 20;

    MemoryStream _body = new();

    /// <summary>Packs a batch. What it returns is valid until the next call.</summary>
    /// <param name="batch">The events.</param>
    /// <param name="before">What stands before the first, such as <c>[</c>.</param>
    /// <param name="between">What stands between two.</param>
    /// <param name="after">What stands behind the last.</param>
    /// <param name="packing">Compression.</param>
    /// <param name="mediaType">What the content is.</param>
    public HttpContent Pack(EventBatch batch, ReadOnlySpan<byte> before, ReadOnlySpan<byte> between, ReadOnlySpan<byte> after, Packing packing, string mediaType)
    {
        if (_body.Capacity > KeptMax)
        {
            _body.Dispose();
            _body = new();
        }
        _body.SetLength(0);
        switch (packing)
        {
            case Packing.Gzip:
                using (var gzip = new GZipStream(_body, CompressionLevel.Fastest, leaveOpen: true)) Write(gzip, batch, before, between, after);
                break;
            case Packing.Zstd:
                using (var zstd = new ZstdSharp.CompressionStream(_body, level: 3, leaveOpen: true)) Write(zstd, batch, before, between, after);
                break;
            default:
                Write(_body, batch, before, between, after);
                break;
        }
        var content = new ReadOnlyMemoryContent(_body.GetBuffer().AsMemory(0, (int)_body.Length));
        content.Headers.ContentType = new MediaTypeHeaderValue(mediaType);
        if (packing != Packing.None) content.Headers.ContentEncoding.Add(packing == Packing.Gzip ? "gzip" : "zstd");
        return content;
    }

    /// <inheritdoc/>
    public void Dispose() => _body.Dispose();

    static void Write(Stream to, EventBatch batch, ReadOnlySpan<byte> before, ReadOnlySpan<byte> between, ReadOnlySpan<byte> after)
    {
        to.Write(before);
        for (var i = 0; i < batch.Count; i++)
        {
            if (i > 0) to.Write(between);
            to.Write(batch.Wire(i).Span);
        }
        to.Write(after);
    }
}
