using System.IO.Compression;
using System.Security.Cryptography;

namespace Logwarden.Formats;

/// <summary>
/// gzip that notices when its data is cut off. The framework's own stream takes the end of its input for the end of the data, wherever it comes. Here
/// one more member is put behind the input, with a text that nobody can guess: only when the data was whole is that text the end of what comes out. Whatever can be unpacked is given
/// before the error. Padding or anything else behind the last member is an error too, after all of the content.
/// </summary>
sealed class WholeGzipStream(Stream packed) : Stream
{
    const int SealBytes = 16;
    const int BufferBytes = 64 * 1024;

    readonly byte[] _seal = RandomNumberGenerator.GetBytes(SealBytes);
    readonly byte[] _buffer = new byte[BufferBytes];
    GZipStream? _unpacked;
    int _start;
    int _end;
    bool _isBroken;

    public override bool CanRead => true;
    public override bool CanSeek => false;
    public override bool CanWrite => false;
    public override long Length => throw new NotSupportedException();
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    public override int Read(Span<byte> buffer)
    {
        _unpacked ??= new(new Sealed(packed, Member(_seal)), CompressionMode.Decompress);
        // The last bytes are kept back: they may be the seal.
        while (!_isBroken && _end - _start <= SealBytes)
        {
            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            var read = Unpack(_buffer.AsSpan(_end));
            _end += read;
            if (read > 0) continue;
            if (_buffer.AsSpan(_start, _end - _start).SequenceEqual(_seal)) return 0;
            _isBroken = true;
        }
        if (_isBroken && _end == _start) throw new InvalidDataException("The gzip data is damaged or cut off, or something else follows it.");
        var count = Math.Min(buffer.Length, _end - _start - (_isBroken ? 0 : SealBytes));
        _buffer.AsSpan(_start, count).CopyTo(buffer);
        _start += count;
        return count;
    }

    int Unpack(Span<byte> buffer)
    {
        try
        {
            return _unpacked!.Read(buffer);
        }
        catch (InvalidDataException)
        {
            // What came before must not be lost with it.
            _isBroken = true;
            return 0;
        }
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    // Its work is of the processor; where the input is waited for, the thread is the caller's own.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));
    public override void Flush() { }
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
    public override void SetLength(long value) => throw new NotSupportedException();
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked?.Dispose();
            packed.Dispose();
        }
        base.Dispose(disposing);
    }

    static byte[] Member(byte[] content)
    {
        using var member = new MemoryStream();
        using (var gzip = new GZipStream(member, CompressionLevel.NoCompression, leaveOpen: true)) gzip.Write(content);
        return member.ToArray();
    }

    /// <summary>A stream with some bytes behind its end.</summary>
    sealed class Sealed(Stream inner, byte[] last) : Stream
    {
        int _at = -1;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            if (_at < 0)
            {
                var read = inner.Read(buffer);
                if (read > 0 || buffer.IsEmpty) return read;
                _at = 0;
            }
            var count = Math.Min(buffer.Length, last.Length - _at);
            last.AsSpan(_at, count).CopyTo(buffer);
            _at += count;
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));
        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
