using System.Buffers.Binary;
using System.IO.Hashing;

namespace Logwarden.Journal;

/// <summary>
/// Durable positions of named readers: file <c>cursors/NAME</c> holds <c>8 magic ‖ i64 offset ‖ u32 CRC-32 of both</c>, and is replaced whole.
/// Not thread-safe.
/// </summary>
sealed class JournalCursors
{
    const int Bytes = 20;
    readonly JournalOptions _options;
    SortedDictionary<string, long> _offsets = new(StringComparer.Ordinal);

    public JournalCursors(JournalOptions options) => _options = options;

    static ReadOnlySpan<byte> Magic => "LWCURS\0\u0001"u8;

    public IReadOnlyDictionary<string, long> Offsets => _offsets;

    public void Load() => _offsets = ReadAll(_options.CursorDirectory);

    /// <summary>All cursors there; a file that is just being replaced is seen old or new.</summary>
    public static SortedDictionary<string, long> ReadAll(string directory)
    {
        var offsets = new SortedDictionary<string, long>(StringComparer.Ordinal);
        if (!Directory.Exists(directory)) return offsets;
        foreach (var path in Directory.GetFiles(directory))
        {
            if (path.EndsWith(DurableFile.FreshSuffix, StringComparison.Ordinal)) continue;
            var bytes = File.ReadAllBytes(path);
            if (bytes.Length != Bytes || !bytes.AsSpan().StartsWith(Magic)
                || Crc32.HashToUInt32(bytes.AsSpan(0, 16)) != BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(16)))
            {
                throw new JournalDamagedException(path, 0,
                    "not an intact cursor. Delete the file to let this reader begin again with the oldest event kept.");
            }
            offsets.Add(Path.GetFileName(path), BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(8)));
        }
        return offsets;
    }

    public void Set(string name, long offset)
    {
        Span<byte> bytes = stackalloc byte[Bytes];
        Magic.CopyTo(bytes);
        BinaryPrimitives.WriteInt64LittleEndian(bytes[8..], offset);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[16..], Crc32.HashToUInt32(bytes[..16]));
        _options.Step(DiskStep.ReplaceCursor, done: false);
        DurableFile.Replace(Path.Combine(_options.CursorDirectory, name), bytes);
        _options.Step(DiskStep.ReplaceCursor, done: true);
        _offsets[name] = offset;
    }

    public void Remove(string name)
    {
        if (!_offsets.Remove(name)) return;
        File.Delete(Path.Combine(_options.CursorDirectory, name));
        DurableFile.SyncDirectory(_options.CursorDirectory);
    }

    /// <summary>Everything below is done with by every reader; null when there is no reader.</summary>
    public (string Name, long Offset)? FurthestBehind()
    {
        (string, long)? behind = null;
        foreach (var (name, offset) in _offsets)
        {
            if (behind is null || offset < behind.Value.Item2) behind = (name, offset);
        }
        return behind;
    }

    /// <summary>A name is a file name: letters, digits, '-', '_' and '.', not at the front; 100 at most.</summary>
    public static bool IsName(string name)
    {
        if (name.Length is 0 or > 100 || name[0] == '.' || name.EndsWith(DurableFile.FreshSuffix, StringComparison.Ordinal)) return false;
        foreach (var c in name)
        {
            if (!char.IsAsciiLetterOrDigit(c) && c is not ('-' or '_' or '.')) return false;
        }
        return true;
    }
}
