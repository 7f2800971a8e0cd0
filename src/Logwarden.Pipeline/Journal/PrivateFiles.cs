using System.Runtime.InteropServices;

namespace Logwarden.Journal;

/// <summary>Logs, keys and hashes of tokens are nobody else's business on this machine.</summary>
public static partial class PrivateFiles
{
    const int GroupAndOthers = 63; // octal 077

    /// <summary>From now on files and folders that the process makes are its user's alone (0600, 0700).</summary>
    public static void Make()
    {
        if (!OperatingSystem.IsWindows()) _ = SetMask(GroupAndOthers);
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "umask")]
    private static partial int SetMask(int mask);
}
