using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Logwarden.Journal;

namespace Logwarden.Flow;

/// <summary>
/// Where records come from. Records of a file that have no id of their own are known by their place in it, so that a file that is read again, after an
/// interruption or when it has grown, gives the same events.
/// <para>
/// A file is the same when it has the same path, the same inode and the same first record. So files of one name in two folders are two, and a log that was rotated
/// and begun anew is another, whether it was renamed (the inode is another) or copied and cut (its first record is). A file that was moved or copied is another too: its
/// records without an id are stored again, which is better than to lose one. The number of the device says nothing: it may be another after each mount.
/// </para>
/// </summary>
public sealed partial class RecordOrigin
{
    /// <summary>No file: a request or a pipe, which nobody can read again. Every record is new.</summary>
    public static RecordOrigin None { get; } = new("", UInt128.Zero);

    RecordOrigin(string name, UInt128 identity) => (Name, Identity) = (name, identity);

    /// <summary>Name for people, without folders; empty when there is none.</summary>
    public string Name { get; }

    /// <summary>Zero when records are not known by their place.</summary>
    internal UInt128 Identity { get; }

    /// <summary>A pipe or the like, with a name for people.</summary>
    public static RecordOrigin Pipe(string name) => new(name, UInt128.Zero);

    /// <summary>A file.</summary>
    /// <param name="keys">Of the installation.</param>
    /// <param name="path">Its path.</param>
    /// <param name="first">Its first record, or what stands in the place of one.</param>
    public static RecordOrigin File(DedupKeys keys, string path, ReadOnlySpan<byte> first)
    {
        var full = Path.GetFullPath(path);
        var inode = Inode(full);
        var hash = keys.Begin();
        var name = Encoding.UTF8.GetBytes(full);
        hash.Append(name.Length);
        hash.Append(name);
        hash.Append(inode);
        hash.Append(first);
        var identity = hash.Finish();
        return new(Path.GetFileName(full), identity == UInt128.Zero ? UInt128.One : identity);
    }

    // statx has one layout on all processors; where it is missing path and first record must do.
    static long Inode(string path)
    {
        const int CurrentFolder = -100;
        const uint WantsInode = 0x100;
        Span<byte> answer = stackalloc byte[256];
        answer.Clear();
        try
        {
            if (Statx(CurrentFolder, path, 0, WantsInode, ref MemoryMarshal.GetReference(answer)) != 0) return 0;
        }
        catch (Exception missing) when (missing is EntryPointNotFoundException or DllNotFoundException)
        {
            return 0;
        }
        return BinaryPrimitives.ReadInt64LittleEndian(answer[32..]);
    }

    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    [LibraryImport("libc", EntryPoint = "statx", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Statx(int folder, string path, int flags, uint mask, ref byte answer);
}
