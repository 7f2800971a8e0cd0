using System.Globalization;
using System.Runtime.InteropServices;

namespace Logwarden.Sql;

/// <summary>
/// What the kernel lets this process have (setrlimit(2)). Unlike a limit of a library it counts every byte, whoever asks for it, and can't be taken back. Does
/// nothing where the kernel is not Linux.
/// </summary>
static partial class ProcessLimits
{
    const int FileSize = 1;
    const int Data = 2;
    const int Core = 4;

    /// <summary>When the machine runs out of memory, this process ends before any other (proc(5), oom_score_adj).</summary>
    public static void GoFirst()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            using var file = new FileStream("/proc/self/oom_score_adj", FileMode.Open, FileAccess.Write);
            file.Write("1000"u8);
        }
        catch (Exception refused) when (refused is IOException or UnauthorizedAccessException)
        {
            // It is a courtesy; the limit below is what holds.
        }
    }

    /// <summary>From now on: so many bytes of memory more than it has, no file written, no core dump.</summary>
    /// <exception cref="IOException">The kernel refuses.</exception>
    public static void Set(long moreBytes)
    {
        if (!OperatingSystem.IsLinux()) return;
        Set(Data, Used() + moreBytes);
        Set(FileSize, 0);
        Set(Core, 0);
    }

    /// <summary>How many bytes of memory another process of ours may still take; 0 when it is gone.</summary>
    public static long SpareOf(int process)
    {
        if (!OperatingSystem.IsLinux()) return long.MaxValue;
        try
        {
            return Number($"/proc/{process}/limits", "Max data size") - (Number($"/proc/{process}/status", "VmData:") * 1024);
        }
        catch (IOException)
        {
            return 0;
        }
    }

    // What counts towards the limit: private and writable, touched or not.
    static long Used() => Number("/proc/self/status", "VmData:") * 1024;

    static long Number(string path, string name)
    {
        foreach (var line in File.ReadLines(path))
        {
            if (!line.StartsWith(name, StringComparison.Ordinal)) continue;
            if (long.TryParse(line[name.Length..].TrimStart().Split(' ')[0], NumberStyles.None, CultureInfo.InvariantCulture, out var number)) return number;
        }
        throw new IOException($"{path} does not tell {name}; SQL can't be run within a limit here.");
    }

    static void Set(int resource, long bytes)
    {
        var limit = new Limit { Soft = (nuint)bytes, Hard = (nuint)bytes };
        if (SetLimit(resource, limit) != 0) throw new IOException($"The kernel refuses limit {resource} of this process (error {Marshal.GetLastPInvokeError()}); SQL can't be run without it.");
    }

    [LibraryImport("libc", EntryPoint = "setrlimit", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetLimit(int resource, in Limit limit);

    struct Limit
    {
        public nuint Soft;
        public nuint Hard;
    }
}
