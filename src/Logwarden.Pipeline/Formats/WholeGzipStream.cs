using System.IO.Compression;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;

namespace Logwarden.Formats;

/// <summary>
/// gzip that notices when its data is cut off. The framework's own stream takes the end of its input for the end of the data, wherever it comes. Here
/// one more member is put behind the input, with a text that nobody can guess: only when the data was whole is that text the end of what comes out. Whatever can be unpacked is given
/// before the error. Padding or anything else behind the last member is an error too, after all of the content.
/// </summary>
sealed class WholeGzipStream(Stream packed) : ReadingStream
{
    const int SealBytes = 16;

    // Small: when data is damaged the framework gives nothing of what it had unpacked in the same call.
    const int StepBytes = 1024;

    readonly byte[] _seal = RandomNumberGenerator.GetBytes(SealBytes);
    Sealed? _sealed;
    GZipStream? _unpacked;
    ExceptionDispatchInfo? _failure;
    bool _isEnded;

    /// <summary>Fills the buffer as far as can be done without waiting for more input: whoever looks at all that it has after each call would look often otherwise.</summary>
    public override int Read(Span<byte> buffer)
    {
        _failure?.Throw();
        var filled = 0;
        try
        {
            while (!_isEnded && filled < buffer.Length)
            {
                var step = buffer[filled..Math.Min(buffer.Length, filled + StepBytes)];
                var read = Step(step);
                filled += read;
                if (read < step.Length) break;
            }
        }
        catch (Exception failure) when (failure is not OutOfMemoryException)
        {
            _failure = ExceptionDispatchInfo.Capture(failure);
            // What was unpacked before is good: it is given first.
            if (filled == 0) throw;
        }
        return filled;
    }

    // Its work is of the processor; where the input is waited for, the thread is the caller's own.
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(Read(buffer.Span));

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _unpacked?.Dispose();
            packed.Dispose();
        }
        base.Dispose(disposing);
    }

    int Step(Span<byte> buffer)
    {
        _sealed ??= new(packed, Member(_seal));
        _unpacked ??= new(_sealed, CompressionMode.Decompress);
        var read = _unpacked.Read(buffer);
        // The framework asks for more input only when it has given all that the input before could give: what comes from then on is the seal, or what the seal
        // looks like when it is taken for the middle of the data. It was never in the input.
        if (!_sealed.HasBegun && read > 0) return read;
        Span<byte> last = stackalloc byte[StepBytes + SealBytes];
        buffer[..read].CopyTo(last);
        while (read is > 0 and <= SealBytes && _unpacked.Read(last[read..]) is > 0 and var more) read += more;
        if (!last[..read].SequenceEqual(_seal)) throw new InvalidDataException("The gzip data is damaged or cut off, or something else follows it.");
        _isEnded = true;
        return 0;
    }

    static byte[] Member(byte[] content)
    {
        using var member = new MemoryStream();
        using (var gzip = new GZipStream(member, CompressionLevel.NoCompression, leaveOpen: true)) gzip.Write(content);
        return member.ToArray();
    }

    /// <summary>A stream with some bytes behind its end.</summary>
    sealed class Sealed(Stream inner, byte[] last) : ReadingStream
    {
        int _at = -1;

        /// <summary>Whether the input was over and some of what follows it was given.</summary>
        public bool HasBegun => _at >= 0;

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
    }
}
