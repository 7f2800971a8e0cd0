using System.Runtime.InteropServices;

namespace Logwarden.Segments;

/// <summary>
/// How the C library keeps memory that Parquet, zstd and the event buffers free: in one arena. glibc would give each thread its own, up to
/// eight a core (mallopt(3), M_ARENA_MAX), and what one arena holds the others can't use: a third of the peak while segments are written.
/// These libraries take large pieces and seldom, so that threads do not wait for one another.
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
        }
        catch (EntryPointNotFoundException)
        {
            // musl has no arenas
        }
    }

    [LibraryImport("libc", EntryPoint = "mallopt")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Mallopt(int parameter, int value);
}
