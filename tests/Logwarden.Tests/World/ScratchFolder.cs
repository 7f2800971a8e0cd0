namespace Logwarden.Tests.World;

/// <summary>A folder that goes away with the test; in memory where the system offers that, for the disk is not what is tested.</summary>
sealed class ScratchFolder : IDisposable
{
    public string Root { get; } = Create();

    public string File(string name) => Path.Combine(Root, name);

    static string Create() => Directory.Exists("/dev/shm")
        ? Directory.CreateDirectory($"/dev/shm/logwarden-test-{Environment.ProcessId}-{Interlocked.Increment(ref _number)}").FullName
        : Directory.CreateTempSubdirectory("logwarden-test-").FullName;

    static int _number;

    public void Dispose()
    {
        foreach (var file in Directory.EnumerateFiles(Root, "*", SearchOption.AllDirectories)) System.IO.File.SetAttributes(file, FileAttributes.Normal);
        Directory.Delete(Root, recursive: true);
    }
}
