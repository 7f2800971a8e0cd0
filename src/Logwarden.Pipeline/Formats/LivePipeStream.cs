using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Logwarden.Formats;

/// <summary>
/// A pipe, a terminal or a socket. Before a read has to wait for whoever writes into it, it says so, so that nothing that was read lies in memory meanwhile; and a stop ends
/// it, which the framework's streams of these don't notice. What was not read by then stays in the pipe.
/// </summary>
public sealed partial class LivePipeStream : Stream
{
    const short Readable = 1; // POLLIN
    const int Interrupted = 4; // EINTR
    const int NothingThere = 11; // EAGAIN
    const int LookForStopMilliseconds = 50;

    // A server writes a message with all of its lines at once.
    const int PauseMilliseconds = 1000;

    readonly SafeFileHandle _handle;
    readonly Action _waiting;
    readonly CancellationToken _stop;

    /// <summary>Reads on from where it stands.</summary>
    /// <param name="handle">Disposed of with this.</param>
    /// <param name="waiting">Called before a read waits.</param>
    /// <param name="stop">Ends it: from then on it is at its end.</param>
    public LivePipeStream(SafeFileHandle handle, Action waiting, CancellationToken stop) => (_handle, _waiting, _stop) = (handle, waiting, stop);

    /// <summary>It ended because it was stopped.</summary>
    public bool IsStopped { get; private set; }

    /// <summary>The last read gave nothing because nothing came for a second, and is to be repeated.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Whether a read gives up after a second. Not for what is packed: an unpacker takes it for the end.</summary>
    internal bool EndsAtPause { get; set; }

    /// <inheritdoc/>
    public override bool CanRead => true;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override bool CanWrite => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

    /// <summary>Standard input.</summary>
#pragma warning disable CA2000 // it is the stream's, and owns nothing
    public static LivePipeStream Standard(Action waiting, CancellationToken stop) => new(new SafeFileHandle(0, ownsHandle: false), waiting, stop);
#pragma warning restore CA2000

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        while (!buffer.IsEmpty)
        {
            if (!IsReady(0)) _waiting();
            IsPaused = false;
            for (var waited = 0; !(IsStopped = _stop.IsCancellationRequested) && !IsReady(LookForStopMilliseconds); waited += LookForStopMilliseconds)
            {
                IsPaused = EndsAtPause && waited >= PauseMilliseconds;
                if (IsPaused) return 0;
            }
            if (IsStopped) return 0;
            var read = Read(_handle, ref MemoryMarshal.GetReference(buffer), (nuint)buffer.Length);
            if (read >= 0) return (int)read;
            if (Marshal.GetLastPInvokeError() is not (Interrupted or NothingThere)) throw new IOException($"The input can't be read: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        return 0;
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing) _handle.Dispose();
        base.Dispose(disposing);
    }

    /// <summary>Whether a read gives something, or the end, or an error, without waiting.</summary>
    bool IsReady(int milliseconds)
    {
        var file = new PollFile { Number = (int)_handle.DangerousGetHandle(), Wanted = Readable };
        return Poll(ref file, 1, milliseconds) > 0;
    }

    [LibraryImport("libc", EntryPoint = "poll")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Poll(ref PollFile files, nuint count, int milliseconds);

    [LibraryImport("libc", EntryPoint = "read", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial nint Read(SafeFileHandle file, ref byte buffer, nuint count);

    [StructLayout(LayoutKind.Sequential)]
    struct PollFile
    {
        public int Number;
        public short Wanted;
        public short Found;
    }
}
