using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace Logwarden.Journal;

/// <summary>
/// Files that are on disk when we say so. .NET 10.0 on Linux drops every error of fsync (<c>RandomAccess.FlushToDisk</c> and
/// <c>FileStream.Flush(true)</c> return normally after EIO and ENOSPC) and cannot sync a directory, so both are done here.
/// </summary>
public static partial class DurableFile
{
    const int ReadOnlyCloseOnExec = 0x80000; // O_RDONLY | O_CLOEXEC, the same on Linux x64 and arm64
    const int ReadWriteCloseOnExec = 0x80000 | 0x2; // O_CLOEXEC | O_RDWR
    const int Create = 0x40; // O_CREAT
    const int Truncate = 0x200; // O_TRUNC
    const int OwnerOnly = 384; // octal 0600
    const int AppendCloseOnExec = 0x80000 | 0x400 | 0x2; // O_CLOEXEC | O_APPEND | O_RDWR

    /// <summary>Makes what was written to <paramref name="file"/> survive a power cut.</summary>
    /// <exception cref="IOException">
    /// It may or may not be on disk, and asking again cannot tell (https://wiki.postgresql.org/wiki/Fsync_Errors): stop using the file.
    /// </exception>
    public static void Sync(SafeFileHandle file)
    {
        if (SyncFile(file) != 0) throw Error("fsync");
    }

    /// <summary>Makes files created in, renamed into or deleted from a directory stay so after a power cut.</summary>
    /// <exception cref="IOException">The directory is missing, or see <see cref="Sync"/>.</exception>
    public static void SyncDirectory(string path)
    {
        using var directory = Open(path, ReadOnlyCloseOnExec, 0);
        if (directory.IsInvalid) throw Error($"open {path}");
        Sync(directory);
    }

    /// <summary>
    /// Adds a line to the end of a file, durably, making the file where it is not there. Several processes may do so at once: no one's bytes come between another's, or over them.
    /// A line that a full disk cut off before stays by itself.
    /// </summary>
    /// <param name="path">File of lines.</param>
    /// <param name="line">The line, with its end.</param>
    /// <exception cref="IOException">It may or may not be there; see <see cref="Sync"/>.</exception>
    public static void AppendLine(string path, ReadOnlySpan<byte> line)
    {
        var isNew = !File.Exists(path);
        using var file = Open(path, AppendCloseOnExec | Create, OwnerOnly);
        if (file.IsInvalid) throw Error($"open {path}");
        var end = RandomAccess.GetLength(file);
        var last = (byte)'\n';
        if (end > 0) RandomAccess.Read(file, new Span<byte>(ref last), end - 1);
        // On Linux a file that is open for appending takes it at its end, whatever the offset.
        RandomAccess.Write(file, last == '\n' ? line : [(byte)'\n', .. line], end);
        Sync(file);
        if (isNew) SyncDirectory(Path.GetDirectoryName(Path.GetFullPath(path))!);
    }

    /// <summary>
    /// Makes <paramref name="path"/> hold exactly <paramref name="content"/>, durably. After a crash it holds either the old or the
    /// new content, never a mixture; a leftover <c>.new</c> file beside it means nothing. Only its owner can read it, from its first moment on.
    /// </summary>
    /// <exception cref="IOException">It may hold either; see <see cref="Sync"/>.</exception>
    public static void Replace(string path, ReadOnlySpan<byte> content)
    {
        using (CreateNew(path, content))
        {
        }
    }

    /// <summary>Makes a folder, and those that it lies in where they are not there, so that they stay after a power cut.</summary>
    /// <exception cref="IOException">It can't be made, or see <see cref="Sync"/>.</exception>
    public static void CreateDirectory(string path)
    {
        var full = Path.GetFullPath(path);
        if (Directory.Exists(full)) return;
        var parent = Path.GetDirectoryName(full)!;
        CreateDirectory(parent);
        Directory.CreateDirectory(full);
        SyncDirectory(parent);
    }

    /// <summary>Opens a file to lock it, making it where it is not there. The framework's own ways to open lock it themselves.</summary>
    /// <exception cref="IOException">It can't be opened.</exception>
    internal static SafeFileHandle OpenForLock(string path)
    {
        var file = Open(path, ReadWriteCloseOnExec | Create, OwnerOnly);
        if (!file.IsInvalid) return file;
        file.Dispose();
        throw Error($"open {path}");
    }

    /// <summary>Like <see cref="Replace"/>, and leaves the file open for writing.</summary>
    internal static SafeFileHandle CreateNew(string path, ReadOnlySpan<byte> content)
    {
        var full = Path.GetFullPath(path);
        var fresh = full + FreshSuffix;
        var file = Open(fresh, ReadWriteCloseOnExec | Create | Truncate, OwnerOnly);
        if (file.IsInvalid)
        {
            file.Dispose();
            throw Error($"open {fresh}");
        }
        try
        {
            RandomAccess.Write(file, content, 0);
            Sync(file);
            Publish(full);
            return file;
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    /// <summary>Gives a file that was written and synced as <c>path.new</c> its name, durably.</summary>
    internal static void Publish(string full)
    {
        File.Move(full + FreshSuffix, full, overwrite: true);
        SyncDirectory(Path.GetDirectoryName(full)!);
    }

    /// <summary>What a file is called until it is complete.</summary>
    internal const string FreshSuffix = ".new";

    static IOException Error(string what) =>
        new($"{what} failed: {Marshal.GetPInvokeErrorMessage(Marshal.GetLastPInvokeError())}");

    [LibraryImport("libc", EntryPoint = "fsync", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SyncFile(SafeFileHandle file);

    [LibraryImport("libc", EntryPoint = "open", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial SafeFileHandle Open(string path, int flags, int mode);
}
