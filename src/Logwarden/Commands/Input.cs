using Logwarden.Formats;

namespace Logwarden.Commands;

/// <summary>Opens what a person names as input.</summary>
static class Input
{
    /// <summary>Ends the wait for standard input, which nothing may ever come through.</summary>
    public static CancellationToken Stop { get; set; }

    /// <summary>A file, or standard input for <c>-</c>; gzip and zstd are unpacked, told by their magic bytes.</summary>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static Stream Open(string path) => Decompression.Open(OpenPacked(path), DecompressionLimits.Default);

    /// <summary>The same as it is, not unpacked.</summary>
    /// <exception cref="CommandException">There is no such file.</exception>
    public static Stream OpenPacked(string path)
    {
        if (IsStandard(path)) return new StoppableInput(Stop);
        Check(path);
        try
        {
            return new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, 128 * 1024, FileOptions.SequentialScan);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException($"{path}: {missing.Message}");
        }
    }

    /// <summary>Is it standard input?</summary>
    public static bool IsStandard(string path) => string.Equals(path, "-", StringComparison.Ordinal);

    /// <summary>Refuses what is no file.</summary>
    /// <exception cref="CommandException">It is a folder, or nothing.</exception>
    public static void Check(string path)
    {
        if (IsStandard(path) || File.Exists(path)) return;
        throw new CommandException(Directory.Exists(path)
            ? $"{path} is a folder: name the files in it, such as {Path.Join(path, "*")}"
            : $"there is no file {path}");
    }
}

/// <summary>Standard input, whose reads end when they are told to, though the system's own can't be ended; the thread that waits in one is left behind.</summary>
sealed class StoppableInput(CancellationToken stop) : Stream
{
    readonly Stream _inner = Console.OpenStandardInput();
    readonly byte[] _buffer = new byte[64 * 1024];

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        // Into a buffer of its own: a read that is left behind must not write into one that is used for something else.
        var wanted = Math.Min(buffer.Length, _buffer.Length);
        var read = Task.Run(() => _inner.Read(_buffer, 0, wanted), CancellationToken.None).WaitAsync(stop).GetAwaiter().GetResult();
        _buffer.AsSpan(0, read).CopyTo(buffer);
        _buffer.AsSpan(0, read).Clear();
        return read;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush() => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _inner.Dispose();
        base.Dispose(disposing);
    }
}
