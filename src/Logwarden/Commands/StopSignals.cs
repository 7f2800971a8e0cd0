using System.Runtime.InteropServices;

namespace Logwarden.Commands;

/// <summary>
/// SIGINT and SIGTERM. The first asks the command to stop: what it must still do, such as to seal what it took in, may take minutes, and nothing cuts it off. The second ends the
/// process at once, as a crash would, which everything on disk survives.
/// </summary>
sealed partial class StopSignals : IDisposable
{
    const int KilledBySignal = 128;
    const int Interrupt = 2;
    const int Terminate = 15;

    readonly CancellationTokenSource _stop = new();
    readonly PosixSignalRegistration _interrupt;
    readonly PosixSignalRegistration _terminate;
    int _count;

    /// <summary>Listens from now on.</summary>
    public StopSignals()
    {
        _interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Take);
        _terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Take);
    }

    /// <summary>Is cancelled by the first signal.</summary>
    public CancellationToken Token => _stop.Token;

    /// <inheritdoc/>
    public void Dispose()
    {
        _interrupt.Dispose();
        _terminate.Dispose();
        _stop.Dispose();
    }

    void Take(PosixSignalContext signal)
    {
        signal.Cancel = true;
        if (Interlocked.Increment(ref _count) > 1) Exit(KilledBySignal + (signal.Signal is PosixSignal.SIGINT ? Interrupt : Terminate));
        _ = _stop.CancelAsync(); // first, for whoever reads what is printed may not read it now
        Console.Error.WriteLine("stopping; the same once more ends it at once");
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "_exit")]
    private static partial void Exit(int code);
}
