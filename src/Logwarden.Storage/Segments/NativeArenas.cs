using System.Runtime.InteropServices;

namespace Logwarden.Segments;

/// <summary>
/// How the C library keeps memory that Parquet, zstd and the event buffers free: in one arena. glibc would give each thread its own, up to
/// eight a core (mallopt(3), M_ARENA_MAX), and what one arena holds the others can't use: a third of the peak while segments are written.
/// These libraries take large pieces and seldom, so that threads do not wait for one another. Arrow's own pool would keep some 70 MB
/// more; it takes from the C library too, unless the environment names another pool (ARROW_DEFAULT_MEMORY_POOL).
/// </summary>
public static partial class NativeArenas
{
    const int ArenaMax = -8;

    /// <summary>To be called before anything else. Does nothing where the C library is not glibc.</summary>
    public static void UseOne()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = Mallopt(ArenaMax, 1);
            // The runtime's own way to set a variable does not reach native code.
            _ = SetVariable("ARROW_DEFAULT_MEMORY_POOL", "system", overwrite: 0);
        }
        catch (EntryPointNotFoundException)
        {
            // musl has no arenas
        }
    }

    /// <summary>Gives the pages that are free back to the kernel (malloc_trim(3)). Takes milliseconds; for after a piece of work that needed much.</summary>
    public static void Trim()
    {
        if (!OperatingSystem.IsLinux()) return;
        try
        {
            _ = MallocTrim(0);
        }
        catch (EntryPointNotFoundException)
        {
            // not glibc
        }
    }

    [LibraryImport("libc", EntryPoint = "malloc_trim")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int MallocTrim(nuint keep);

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int SetVariable(string name, string value, int overwrite);

    [LibraryImport("libc", EntryPoint = "mallopt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Mallopt(int parameter, int value);
}
