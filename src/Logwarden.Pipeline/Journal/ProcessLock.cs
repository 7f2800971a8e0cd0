using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>Lets one process at a time, and one thread of it, read a small file, change it and write it back. Goes with the process, however it ends.</summary>
public sealed partial class ProcessLock : IDisposable
{
    const int Exclusive = 2; // LOCK_EX
    const int Interrupted = 4; // EINTR

    readonly SafeFileHandle _file;

    ProcessLock(SafeFileHandle file) => _file = file;

    /// <summary>Waits for it; others hold it for milliseconds.</summary>
    /// <param name="path">File that is to be changed; the lock is beside it, for the file itself is replaced.</param>
    /// <exception cref="IOException">The lock's file can't be made.</exception>
    public static ProcessLock Take(string path)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var file = DurableFile.OpenForLock(path + ".lock");
        while (Lock(file, Exclusive) != 0)
        {
            if (Marshal.GetLastPInvokeError() == Interrupted) continue;
            file.Dispose();
            throw new IOException($"{path}.lock: {Marshal.GetLastPInvokeErrorMessage()}");
        }
        return new(file);
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "flock", SetLastError = true)]
    private static partial int Lock(SafeFileHandle file, int operation);
}
