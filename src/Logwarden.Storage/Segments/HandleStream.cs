using Microsoft.Win32.SafeHandles;

namespace Logwarden.Segments;

/// <summary>
/// A stream without a buffer of its own over an open file, so that what is synced is the very handle that was written: an error of
/// an earlier write is reported to the handle that made it.
/// </summary>
sealed class HandleStream(SafeFileHandle file) : Stream
{
    long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => true;

    public override long Length => RandomAccess.GetLength(file);

    public override long Position
    {
        get => _position;
        set => _position = value;
    }

    public override void Flush()
    {
        // Nothing is held back; durability is DurableFile.Sync.
    }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var read = RandomAccess.Read(file, buffer, _position);
        _position += read;
        return read;
    }

    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    public override void Write(ReadOnlySpan<byte> buffer)
    {
        RandomAccess.Write(file, buffer, _position);
        _position += buffer.Length;
    }

    public override long Seek(long offset, SeekOrigin origin) => _position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => Length + offset,
    };

    public override void SetLength(long value) => RandomAccess.SetLength(file, value);
}
