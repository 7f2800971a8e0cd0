using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;

namespace Logwarden.SystemTests.World;

/// <summary>The built program, run as a process of its own, as a person runs it.</summary>
static partial class Tool
{
    public static readonly string Assembly = Path.Combine(AppContext.BaseDirectory, "logwarden.dll");

    public static ProcessStartInfo Start(params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [Assembly, .. args])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        start.Environment["DOTNET_TieredPGO"] = "0";
        return start;
    }

    public const int Interrupt = 2, Terminate = 15, Continue = 18, Stop = 19;

    /// <summary>Sends a signal to a process.</summary>
    public static void Signal(Process process, int signal) => Assert.Equal(0, Kill(process.Id, signal));

    /// <summary>Gives a file or folder, and all that is in it, to a user.</summary>
    public static void Give(string path, int user)
    {
        foreach (var entry in (string[])[path, .. Directory.Exists(path) ? Directory.GetFileSystemEntries(path, "*", SearchOption.AllDirectories) : []]) Xunit.Assert.Equal(0, Own(entry, user, user));
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    private static partial int Kill(int process, int signal);

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "chown", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Own(string path, int user, int group);

    public static Task<Run> RunAsync(params string[] args) => RunAsync(ReadOnlyMemory<byte>.Empty, args);

    public static async Task<Run> RunAsync(ReadOnlyMemory<byte> input, params string[] args)
    {
        using var process = Process.Start(Start(args))!;
        var cancel = TestContext.Current.CancellationToken;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.StandardInput.BaseStream.WriteAsync(input, cancel);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancel);
        return new(process.ExitCode, await output, await errors);
    }

    /// <summary>Runs it and expects that it ends well.</summary>
    public static async Task<string> OkAsync(params string[] args)
    {
        var run = await RunAsync(args);
        Assert.True(run.ExitCode == 0, $"logwarden {string.Join(' ', args)} ended with {run.ExitCode}\n{run.Output}\n{run.Errors}");
        return run.Output;
    }
}

/// <summary>How a run ended and what it printed.</summary>
sealed record Run(int ExitCode, string Output, string Errors);

/// <summary>A folder that goes away with the test.</summary>
sealed class TempFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("logwarden-test-").FullName;

    public string In(params string[] parts) => System.IO.Path.Combine([Path, .. parts]);

    public void Dispose()
    {
        // The archive's files are read-only; their folders are not.
        Directory.Delete(Path, recursive: true);
    }
}
