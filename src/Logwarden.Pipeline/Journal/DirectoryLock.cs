using System.Globalization;

namespace Logwarden.Journal;

/// <summary>Only one process writes into a data directory. The lock goes with the process, however it ends.</summary>
sealed class DirectoryLock : IDisposable
{
    readonly FileStream _lock;

    DirectoryLock(FileStream held) => _lock = held;

    /// <exception cref="IOException">Another process holds it; the message names it and says what to do.</exception>
    public static DirectoryLock Take(string directory)
    {
        var path = Path.Combine(directory, "lock");
        FileStream held;
        try
        {
            held = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException busy) when (File.Exists(path))
        {
            throw new IOException(
                $"{directory} is in use by process {Owner(path)}: stop that process, or choose another data directory with --data. "
                + "Reading commands (query, ledger, verify) work beside it.", busy);
        }
        // The holder's number stands in a file of its own, because the locked one can't be opened.
        File.WriteAllBytes(path + ".owner", System.Text.Encoding.ASCII.GetBytes(
            Environment.ProcessId.ToString(CultureInfo.InvariantCulture) + "\n"));
        return new(held);
    }

    public void Dispose() => _lock.Dispose();

    static string Owner(string path)
    {
        try
        {
            return File.ReadAllText(path + ".owner").Trim();
        }
        catch (IOException)
        {
            return "(unknown)";
        }
    }
}
