using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// The part of an input that is in memory: unread bytes in one buffer that grows as far as one record needs, with the line and offset
/// of the first of them.
/// </summary>
sealed class ByteWindow
{
    const int FirstSize = 256 * 1024;
    readonly Stream? _input;
    readonly LivePipeStream? _live;
    byte[] _buffer;
    int _start;
    int _end;

    /// <param name="input">Read from where it stands.</param>
    /// <param name="live">The same, when it is a pipe that may pause.</param>
    public ByteWindow(Stream input, LivePipeStream? live)
    {
        (_input, _live) = (input, live);
        _buffer = new byte[FirstSize];
    }

    public ByteWindow(ReadOnlyMemory<byte> input)
    {
        // Read only: a window without a stream never writes to its buffer.
        if (System.Runtime.InteropServices.MemoryMarshal.TryGetArray(input, out var array))
            (_buffer, _start, _end) = (array.Array!, array.Offset, array.Offset + array.Count);
        else
            (_buffer, _end) = (input.ToArray(), input.Length);
        IsAtEnd = true;
    }

    /// <summary>The unread bytes.</summary>
    public ReadOnlySpan<byte> Unread => _buffer.AsSpan(_start, _end - _start);

    /// <summary>Nothing comes after the unread bytes.</summary>
    public bool IsAtEnd { get; private set; }

    /// <summary>Line of the first unread byte, from 1.</summary>
    public long Line { get; private set; } = 1;

    /// <summary>Offset of the first unread byte in the input.</summary>
    public long Offset { get; private set; }

    /// <summary>What broke the input off, to be reported once at its end; null when it ended by itself.</summary>
    public NormalizeError? Broken { get; private set; }

    /// <summary>Takes bytes away from the front. They stay where they are until the next <see cref="More"/>.</summary>
    public void Skip(int bytes)
    {
        Line += _buffer.AsSpan(_start, bytes).Count((byte)'\n');
        Offset += bytes;
        _start += bytes;
    }

    /// <summary>Reads on.</summary>
    /// <returns>False at the end of the input; <see cref="IsAtEnd"/> is then true.</returns>
    public bool More()
    {
        if (IsAtEnd) return false;
        if (_start > 0 && (_start == _end || _start >= _buffer.Length / 2))
        {
            Unread.CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
        }
        if (_end == _buffer.Length) Array.Resize(ref _buffer, _buffer.Length * 2);
        var read = Read();
        IsAtEnd = read == 0 && _live is not { IsPaused: true };
        _end += read;
        return read > 0;
    }

    /// <summary>Reads on, but waits no longer than a second for a pipe.</summary>
    /// <returns>False at the end of the input, or when nothing came: <see cref="IsAtEnd"/> tells.</returns>
    public bool MoreOrPause()
    {
        if (_live is null) return More();
        _live.EndsAtPause = true;
        var more = More();
        _live.EndsAtPause = false;
        return more;
    }

    /// <summary>Reads on until so many bytes are unread or the input ends.</summary>
    public bool Has(int bytes)
    {
        while (_end - _start < bytes)
        {
            if (!More()) return false;
        }
        return true;
    }

    int Read()
    {
        try
        {
            return _input!.Read(_buffer, _end, _buffer.Length - _end);
        }
        catch (Exception e) when (e is DecompressionLimitException || Decompression.IsDamage(e))
        {
            Broken = e is DecompressionLimitException
                ? NormalizeError.At("decompression-limit", 0, e.Message)
                : NormalizeError.At("corrupt-compression", 0, "the compressed data is damaged or cut off");
            return 0;
        }
    }
}
