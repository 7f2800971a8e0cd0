using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>Lets one process at a time, and one thread of it, read a small file, change it and write it back. Goes with the process, however it ends.</summary>
public sealed partial class ProcessLock : IDisposable
{
    const int Exclusive = 2; // LOCK_EX
    const int NoWait = 4; // LOCK_NB
    const int Interrupted = 4; // EINTR
    const int Held = 11; // EWOULDBLOCK

    readonly SafeFileHandle _file;

    ProcessLock(SafeFileHandle file) => _file = file;

    /// <summary>Waits for it; others hold it for milliseconds.</summary>
    /// <param name="path">File that is to be changed; the lock is beside it, for the file itself is replaced.</param>
    /// <exception cref="IOException">The lock's file can't be made.</exception>
    public static ProcessLock Take(string path) => Take(path, Exclusive)!;

    /// <summary>Takes it if nobody holds it: for work that takes long.</summary>
    /// <param name="path">What the lock is beside.</param>
    /// <returns>Null when another holds it.</returns>
    /// <exception cref="IOException">The lock's file can't be made.</exception>
    public static ProcessLock? TryTake(string path) => Take(path, Exclusive | NoWait);

    static ProcessLock? Take(string path, int operation)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var file = DurableFile.OpenForLock(path + ".lock");
        while (Lock(file, operation) != 0)
        {
            var error = Marshal.GetLastPInvokeError();
            if (error == Interrupted) continue;
            file.Dispose();
            if (error == Held) return null;
            throw new IOException($"{path}.lock: {Marshal.GetPInvokeErrorMessage(error)}");
        }
        return new(file);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);
}
