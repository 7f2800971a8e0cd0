using System.Buffers;
using System.Globalization;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Journal;

namespace Logwarden.Destinations;

/// <summary>
/// A file of JSON lines on this machine, for an agent or a person to read. A batch is accepted when it is on disk. The file is opened for each batch, so it may be moved away at any
/// time. No line is ever broken: what a crash or a full disk left of one is cut off before the next is written; its batch was not accepted and comes again, so that events may be there twice.
/// By size and by day (UTC) the file is given a name with its time, <c>NAME-20261127T081500Z.EXT</c>, and then compressed if so wished.
/// </summary>
/// <remarks>
/// Rotation is rename, sync folder. Compression writes <c>….zst.new</c>, syncs, renames to <c>….zst</c>, syncs the folder, deletes the plain one: after a crash anywhere the plain file is
/// there or its complete copy, and the next rotation finishes it. Files are their owner's alone (0600).
/// </remarks>
public sealed class FileDestination : IDestination
{
    /// <summary>Its entry in the catalog.</summary>
    public static DestinationType Type { get; } = new("file", "a file of JSON lines on this machine, rotated by size and day", [
        new("path", "absolute path of the file, for this destination alone; its folder must be there", IsRequired: true),
        new("rotate-bytes", "size at which a new file begins, 1048576 to 2147483647; 268435456 by default"),
        new("rotate-daily", "yes (default) or no: whether a new file begins at midnight UTC"),
        new("compression", "none (default) or zstd, for files that are complete"),
    ], static context => new FileDestination(context));

    const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite;
    const int TailMax = 64 << 20; // an event's line is shorter than that

    readonly TimeProvider _time;
    readonly string _path;
    readonly string _folder;
    readonly int _rotateBytes;
    readonly bool _isDaily;
    readonly bool _isCompressed;
    readonly EventLine _line = new([], null);
    readonly List<ReadOnlyMemory<byte>> _lines = [];
    bool _isTidy; // no complete file is left to compress
    bool _isSound; // the last write worked, so the file can't hold anything broken

    FileDestination(DestinationContext context)
    {
        _time = context.Time;
        var path = context.Required("path");
        if (!Path.IsPathFullyQualified(path) || path.Contains('\0', StringComparison.Ordinal) || Path.GetFileName(path).Length == 0) throw new SettingException("path", "must be the absolute path of a file");
        _path = Path.GetFullPath(path);
        _folder = Path.GetDirectoryName(_path)!;
        _rotateBytes = context.Number("rotate-bytes", 1 << 20, int.MaxValue, 256 << 20);
        _isDaily = context.Optional("rotate-daily") switch
        {
            null or "yes" => true,
            "no" => false,
            _ => throw new SettingException("rotate-daily", "must be yes or no"),
        };
        _isCompressed = context.Optional("compression") switch
        {
            null or "none" => false,
            "zstd" => true,
            _ => throw new SettingException("compression", "must be none or zstd"),
        };
    }

    /// <inheritdoc/>
    public DestinationLimits Limits { get; } = new(EventsMax: 10_000, BytesMax: 16 << 20, EventBytesMax: 16 << 20, EventOverhead: 0, AgeMax: TimeSpan.FromSeconds(1));

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output) => _line.Write(output, e);

    /// <inheritdoc/>
    public async ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        cancel.ThrowIfCancellationRequested();
        try
        {
            if (Directory.Exists(_path)) return new Answer.Blocked($"{_path} is a folder; put the path of a file into the setting path.");
            Rotate(batch.WireBytes);
            if (_isCompressed && !_isTidy) await CompressAsync(cancel);
            Append(batch);
            return new Answer.Accepted();
        }
        catch (DirectoryNotFoundException)
        {
            return new Answer.Blocked($"The folder {_folder} is not there; make it, or mount what it lies on.");
        }
        catch (UnauthorizedAccessException denied)
        {
            return new Answer.Blocked($"{_path} can't be written; let the user {Environment.UserName} write there. {denied.Message}");
        }
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync()
    {
        _line.Dispose();
        return default;
    }

    /// <summary>Writes all lines behind what is complete, and syncs.</summary>
    void Append(EventBatch batch)
    {
        var isNew = !File.Exists(_path);
        using var file = Open(_path, FileMode.OpenOrCreate);
        var handle = file.SafeFileHandle;
        var end = CutTorn(file);
        _isSound = false;
        _lines.Clear();
        for (var i = 0; i < batch.Count; i++) _lines.Add(batch.Wire(i));
        RandomAccess.Write(handle, _lines, end);
        // Whether a day has passed is told by this, also after a restart.
        File.SetLastWriteTimeUtc(handle, _time.GetUtcNow().UtcDateTime);
        DurableFile.Sync(handle);
        if (isNew) DurableFile.SyncDirectory(_folder);
        _isSound = true;
    }

    /// <summary>
    /// Cuts off what there is of a line that is not complete; one that only lacks its end gets it. After a start or a failure it also looks for zeros, which a file system leaves in the place
    /// of blocks that a power cut kept from being written; from there on nothing was accepted.
    /// </summary>
    /// <returns>Where the next line goes.</returns>
    long CutTorn(FileStream file)
    {
        var handle = file.SafeFileHandle;
        var length = RandomAccess.GetLength(handle);
        Span<byte> last = stackalloc byte[1];
        if (length == 0 || (_isSound && RandomAccess.Read(handle, last, length - 1) == 1 && last[0] == '\n')) return length;
        var buffer = new byte[(int)Math.Min(length, TailMax)];
        var tail = buffer.AsSpan();
        for (var had = 0; had < tail.Length && RandomAccess.Read(handle, tail[had..], length - tail.Length + had) is > 0 and var read;) had += read;
        var zero = tail.IndexOf((byte)0);
        if (zero >= 0) tail = tail[..zero];
        var start = tail.LastIndexOf((byte)'\n') + 1;
        if (zero < 0 && start == tail.Length) return length;
        // A line that is longer than any of ours is not ours to cut.
        if (zero < 0 && (IsComplete(tail[start..]) || (start == 0 && buffer.Length < length)))
        {
            RandomAccess.Write(handle, "\n"u8, length);
            return length + 1;
        }
        var end = length - buffer.Length + start;
        file.SetLength(end);
        return end;
    }

    static bool IsComplete(ReadOnlySpan<byte> line)
    {
        try
        {
            var reader = new Utf8JsonReader(line, new JsonReaderOptions { MaxDepth = 1024 });
            if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject) return false;
            reader.Skip();
            return !reader.Read();
        }
        catch (JsonException)
        {
            return false;
        }
    }

    /// <summary>Gives the file its name for good when it is full or of another day.</summary>
    void Rotate(int coming)
    {
        var file = new FileInfo(_path);
        if (!file.Exists || file.Length == 0) return;
        var now = _time.GetUtcNow().UtcDateTime;
        var isDue = file.Length + coming > _rotateBytes || (_isDaily && file.LastWriteTimeUtc.Date < now.Date);
        if (!isDue) return;
        using (var stream = Open(_path, FileMode.Open))
        {
            CutTorn(stream);
            DurableFile.Sync(stream.SafeFileHandle);
        }
        var stem = Path.Combine(_folder, string.Create(CultureInfo.InvariantCulture, $"{Path.GetFileNameWithoutExtension(_path)}-{now:yyyyMMdd'T'HHmmss'Z'}"));
        var target = stem + Path.GetExtension(_path);
        for (var number = 2; File.Exists(target) || File.Exists(target + ".zst"); number++) target = string.Create(CultureInfo.InvariantCulture, $"{stem}-{number}{Path.GetExtension(_path)}");
        File.Move(_path, target, overwrite: false);
        DurableFile.SyncDirectory(_folder);
        _isTidy = false;
    }

    /// <summary>Compresses the files that are complete, also those that a crash kept from it.</summary>
    async Task CompressAsync(CancellationToken cancel)
    {
        var (name, extension) = (Path.GetFileNameWithoutExtension(_path), Path.GetExtension(_path));
        foreach (var plain in Directory.EnumerateFiles(_folder).Where(path => IsRotated(Path.GetFileName(path), name, extension)).ToList())
        {
            var fresh = plain + ".zst.new";
            await using (var from = new FileStream(plain, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, 1 << 16, FileOptions.Asynchronous | FileOptions.SequentialScan))
            await using (var to = Open(fresh, FileMode.Create))
            {
                await using (var zstd = new ZstdSharp.CompressionStream(to, level: 6, leaveOpen: true)) await from.CopyToAsync(zstd, 1 << 16, cancel);
                DurableFile.Sync(to.SafeFileHandle);
            }
            File.Move(fresh, plain + ".zst", overwrite: true);
            DurableFile.SyncDirectory(_folder);
            File.Delete(plain);
        }
        _isTidy = true;
    }

    /// <summary><c>NAME-20261127T081500Z.EXT</c> or <c>NAME-20261127T081500Z-2.EXT</c>.</summary>
    static bool IsRotated(string file, string name, string extension)
    {
        if (file.Length <= name.Length + extension.Length + 1 || !file.StartsWith(name + "-", StringComparison.Ordinal) || !file.EndsWith(extension, StringComparison.Ordinal)) return false;
        var time = file.AsSpan(name.Length + 1, file.Length - name.Length - 1 - extension.Length);
        return time.Length >= 16 && DateTime.TryParseExact(time[..16], "yyyyMMdd'T'HHmmss'Z'", CultureInfo.InvariantCulture, DateTimeStyles.None, out _)
            && (time.Length == 16 || (time[16] == '-' && int.TryParse(time[17..], NumberStyles.None, CultureInfo.InvariantCulture, out _)));
    }

    static FileStream Open(string path, FileMode mode) => new(path, new FileStreamOptions
    {
        Mode = mode,
        Access = FileAccess.ReadWrite,
        Share = FileShare.ReadWrite | FileShare.Delete,
        BufferSize = 0,
        UnixCreateMode = mode == FileMode.Open ? null : OwnerOnly,
    });
}
