using System.Globalization;
using System.Runtime.InteropServices;
using Logwarden.Commands;

namespace Logwarden.Hosting;

/// <summary>
/// An installation belongs to one user, and all its files are that user's alone. What root writes into it would be root's: the server could then read neither its list of
/// sources nor write its access log. So root is told to become that user; anyone else is kept out by the files themselves.
/// </summary>
static partial class DataOwner
{
    const int CurrentFolder = -100; // AT_FDCWD
    const int OwnerAsked = 0x8; // STATX_UID
    const int StatBytes = 256;
    const int OwnerAt = 20; // stx_uid, the same on every architecture

    /// <summary>Refuses to go on as root in another user's installation.</summary>
    /// <exception cref="CommandException">It is another user's; the message names the user and the command.</exception>
    public static void Require(DirectoryInfo data)
    {
        if (CurrentUser() != 0 || Of(data.FullName) is not (> 0 and var owner)) return;
        var user = Name(owner);
        throw new CommandException(
            $"{data.FullName} belongs to {user ?? "user " + Cli.Number(owner)}, and what root writes there could not be read by the server: run this as `sudo -u {user ?? "'#" + Cli.Number(owner) + "'"} logwarden …`, or make the whole folder root's with `chown -R root`");
    }

    // The folder itself may be a mount that root owns; what is in it was made by the process that writes.
    static long? Of(string data) => Owner(Path.Combine(data, "journal")) ?? Owner(Path.Combine(data, "state")) ?? Owner(data);

    static long? Owner(string path)
    {
        Span<byte> stat = stackalloc byte[StatBytes];
        return Stat(CurrentFolder, path, 0, OwnerAsked, ref MemoryMarshal.GetReference(stat)) == 0 ? BitConverter.ToUInt32(stat[OwnerAt..]) : null;
    }

    static string? Name(long user)
    {
        try
        {
            return File.ReadLines("/etc/passwd").Select(line => line.Split(':')).FirstOrDefault(line => line.Length > 2 && string.Equals(line[2], user.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal))?[0];
        }
        catch (Exception none) when (none is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint CurrentUser();

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Stat(int folder, string path, int flags, uint mask, ref byte stat);
}
