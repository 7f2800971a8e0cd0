using System.Globalization;
using System.IO.Enumeration;
using System.Runtime.CompilerServices;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Journal;

namespace Logwarden.Archive;

/// <summary>
/// Blobs as files in a folder. Tamper-evident, not WORM: whoever owns the disk can change it, and verification then says so.
/// <para>
/// A blob is the file of its key. What protects it stands beside it in <c>KEY.lock</c>, one JSON object
/// <c>{"mode":"COMPLIANCE","retainUntil":"2027-01-31T00:00:00Z","legalHold":false}</c>. Locked files are read-only (0444). A file
/// appears under its name only whole and synced; its lock is there before it, so that no crash leaves it unprotected. What was in the way of
/// <see cref="PutOver"/> is <c>KEY.aside-1</c> and so on, a blob like any other.
/// </para>
/// </summary>
public sealed class FolderBlobStore : IBlobStore
{
    const string LockSuffix = ".lock";
    const string Unfinished = ".unfinished";
    const UnixFileMode ReadOnlyMode = UnixFileMode.UserRead;

    readonly string _root;
    readonly TimeProvider _time;
    long _unfinished;

    /// <summary>Uses a folder that may not exist yet.</summary>
    public FolderBlobStore(string root, TimeProvider time)
    {
        _root = Path.GetFullPath(root);
        _time = time;
    }

    /// <inheritdoc/>
    public string Location => "file:" + _root;

    /// <inheritdoc/>
    public void Dispose()
    {
        // Holds no file between calls.
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel) => ValueTask.FromResult<IReadOnlyList<BucketFinding>>(
    [
        new("no-object-lock-store", FindingLevel.Warning, $"The archive is the folder {_root}: changes are noticed, but not prevented.",
            "Use an S3 bucket with Object Lock (s3://BUCKET/PREFIX) where retention must be enforced."),
    ]);

    /// <inheritdoc/>
    public async ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel)
    {
        var path = PathOf(key);
        if (File.Exists(path))
        {
            if (await HasBytes(path, content, cancel))
            {
                if (protection is not null && ReadHead(path)! is var head && !head.Covers(protection)) await Protect(key, null, head.Raised(protection), cancel);
                return new(null, Stored: false);
            }
            if (ReadHead(path)!.IsLockedAt(_time.GetUtcNow())) throw new BlobLockedException($"{path} holds other bytes under a lock", null);
        }
        MakeFolder(Path.GetDirectoryName(path)!);
        content.Position = 0;
        var fresh = await Write(content, protection is not null, cancel);
        if (protection is not null) await WriteLock(path, protection, cancel);
        else File.Delete(path + LockSuffix);
        Publish(fresh, path);
        return new(null, Stored: true);
    }

    /// <inheritdoc/>
    public async ValueTask<PutReceipt> PutOver(string key, Stream content, BlobLock protection, CancellationToken cancel)
    {
        var path = PathOf(key);
        if (File.Exists(path) && !await HasBytes(path, content, cancel)) SetAside(path);
        return await Put(key, content, protection, cancel);
    }

    /// <inheritdoc/>
    public async ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel)
    {
        var path = PathOf(key);
        if (!File.Exists(path)) return false;
        await using var file = Open(path);
        await file.CopyToAsync(destination, cancel);
        return true;
    }

    /// <inheritdoc/>
    public ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel) => ValueTask.FromResult(ReadHead(PathOf(key)));

    /// <inheritdoc/>
    public async ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel)
    {
        var path = PathOf(key);
        var now = ReadHead(path) ?? throw new BlobStoreException($"{path} is not there", null);
        // A hold outlives its retention; the retention itself is only ever made longer and stricter.
        var until = now.RetainUntil ?? DateTimeOffset.MinValue;
        if (until > _time.GetUtcNow() && (protection.Mode < now.Mode || protection.RetainUntil < until))
        {
            throw new BlobLockedException($"{path} is locked until {until:O}; a lock cannot be shortened or weakened", null);
        }
        await WriteLock(path, protection, cancel);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(path, ReadOnlyMode);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobVersion> List(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        await Task.CompletedTask;
        // Only the folder that the prefix names is gone through: an archive has many files, and a key by itself is a prefix too.
        var folder = Path.Combine(_root, prefix[..(prefix.LastIndexOf('/') + 1)]);
        if (!Directory.Exists(folder)) yield break;
        var keys = Files(folder)
            .Select(file => Path.GetRelativePath(_root, file).Replace('\\', '/'))
            .Where(key => key.StartsWith(prefix, StringComparison.Ordinal) && !IsOwn(key))
            .Order(StringComparer.Ordinal).ToList();
        foreach (var key in keys)
        {
            cancel.ThrowIfCancellationRequested();
            var file = new FileInfo(Path.Combine(_root, key));
            var isLink = file.LinkTarget is not null;
            if (!file.Exists && !isLink) continue;
            yield return new(key, null, file.Exists ? file.Length : 0, new(file.LastWriteTimeUtc, TimeSpan.Zero), IsLatest: true, IsDeleteMarker: false);
        }
    }

    /// <inheritdoc/>
    public ValueTask Delete(string key, string? versionId, CancellationToken cancel)
    {
        var path = PathOf(key);
        if (ReadHead(path) is not { } head) return ValueTask.CompletedTask;
        if (head.IsLockedAt(_time.GetUtcNow())) throw new BlobLockedException($"{path} is locked", null);
        File.Delete(path);
        File.Delete(path + LockSuffix);
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
        return ValueTask.CompletedTask;
    }

    /// <summary>
    /// All files below a folder. A folder on another disk may be linked in; a link that leads back into the archive, or to where another has led, is not followed but is one
    /// of the files: two of them in one folder would have no end.
    /// </summary>
    FileSystemEnumerable<string> Files(string folder)
    {
        var followed = new HashSet<string>(StringComparer.Ordinal);
        var refused = new HashSet<string>(StringComparer.Ordinal);
        return new(folder, (ref FileSystemEntry entry) => entry.ToFullPath(), new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None })
        {
            ShouldIncludePredicate = (ref FileSystemEntry entry) => !entry.IsDirectory || !IsFollowed(ref entry),
            ShouldRecursePredicate = (ref FileSystemEntry entry) => IsFollowed(ref entry),
        };

        bool IsFollowed(ref FileSystemEntry entry)
        {
            if (!entry.Attributes.HasFlag(FileAttributes.ReparsePoint)) return true;
            var link = entry.ToFullPath();
            if (followed.Contains(link)) return true;
            if (refused.Contains(link)) return false;
            var target = Path.TrimEndingDirectorySeparator(new DirectoryInfo(link).ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? _root);
            var isNew = !Lies(target, _root) && !Lies(_root, target) && followed.Add(target);
            (isNew ? followed : refused).Add(link);
            return isNew;
        }

        static bool Lies(string path, string below) =>
            string.Equals(path, below, StringComparison.Ordinal) || path.StartsWith(Path.TrimEndingDirectorySeparator(below) + Path.DirectorySeparatorChar, StringComparison.Ordinal);
    }

    static bool IsOwn(string key) =>
        key.EndsWith(LockSuffix, StringComparison.Ordinal) || key.StartsWith(Unfinished, StringComparison.Ordinal);

    string PathOf(string key)
    {
        BlobKey.Check(key);
        return IsOwn(key) ? throw new ArgumentException($"'{key}' is a name that the folder uses itself", nameof(key)) : Path.Combine(_root, key);
    }

    static BlobHead? ReadHead(string path)
    {
        var file = new FileInfo(path);
        if (!file.Exists) return null;
        var stored = ReadLock(path + LockSuffix);
        LockMode? mode = stored?.Mode switch { "COMPLIANCE" => LockMode.Compliance, "GOVERNANCE" => LockMode.Governance, _ => null };
        return new(null, file.Length, mode, mode is null ? null : new DateTimeOffset(stored!.RetainUntil.ToUniversalTime()), stored?.LegalHold ?? false);
    }

    // A lock that cannot be read protects nothing; it is reported as missing, not as an error that stops a verification.
    static StoredLock? ReadLock(string path)
    {
        if (!File.Exists(path)) return null;
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), FolderJson.Default.StoredLock);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    async ValueTask WriteLock(string path, BlobLock protection, CancellationToken cancel)
    {
        var mode = protection.Mode == LockMode.Compliance ? "COMPLIANCE" : "GOVERNANCE";
        var json = JsonSerializer.SerializeToUtf8Bytes(
            new(mode, protection.RetainUntil.UtcDateTime, protection.LegalHold), FolderJson.Default.StoredLock);
        using var content = new MemoryStream([.. json, (byte)'\n']);
        Publish(await Write(content, isLocked: true, cancel), path + LockSuffix);
    }

    static FileStream Open(string path) => new(path, new FileStreamOptions
    {
        Mode = FileMode.Open,
        Access = FileAccess.Read,
        Share = FileShare.ReadWrite | FileShare.Delete,
        Options = FileOptions.SequentialScan | FileOptions.Asynchronous,
        BufferSize = 0,
    });

    static async ValueTask<bool> HasBytes(string path, Stream content, CancellationToken cancel)
    {
        await using var file = Open(path);
        content.Position = 0;
        if (file.Length != content.Length) return false;
        var (ours, theirs) = (new byte[64 * 1024], new byte[64 * 1024]);
        while (true)
        {
            var count = await content.ReadAtLeastAsync(ours, ours.Length, throwOnEndOfStream: false, cancel);
            if (count == 0) return true;
            if (await file.ReadAtLeastAsync(theirs.AsMemory(0, count), count, throwOnEndOfStream: false, cancel) != count) return false;
            if (!ours.AsSpan(0, count).SequenceEqual(theirs.AsSpan(0, count))) return false;
        }
    }

    // Whole and on disk under a name that nobody reads; a crash leaves it there, to be overwritten by a later one.
    async ValueTask<string> Write(Stream content, bool isLocked, CancellationToken cancel)
    {
        var folder = Path.Combine(_root, Unfinished);
        MakeFolder(folder);
        var path = Path.Combine(folder, $"{Environment.ProcessId}-{Interlocked.Increment(ref _unfinished)}");
        File.Delete(path);
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);
        await content.CopyToAsync(file, cancel);
        DurableFile.Sync(file.SafeFileHandle);
        if (isLocked && !OperatingSystem.IsWindows()) File.SetUnixFileMode(file.SafeFileHandle, ReadOnlyMode);
        return path;
    }

    static void Publish(string fresh, string path)
    {
        File.Move(fresh, path, overwrite: true);
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);
    }

    // Its lock goes first: a crash in between leaves the file at its place, without.
    static void SetAside(string path)
    {
        var number = 1;
        while (File.Exists(Aside(number)) || File.Exists(Aside(number) + LockSuffix)) number++;
        if (File.Exists(path + LockSuffix)) File.Move(path + LockSuffix, Aside(number) + LockSuffix, overwrite: false);
        File.Move(path, Aside(number), overwrite: false);
        DurableFile.SyncDirectory(Path.GetDirectoryName(path)!);

        string Aside(int n) => string.Create(CultureInfo.InvariantCulture, $"{path}.aside-{n}");
    }

    static void MakeFolder(string path)
    {
        if (Directory.Exists(path)) return;
        var parent = Path.GetDirectoryName(path)!;
        MakeFolder(parent);
        Directory.CreateDirectory(path);
        DurableFile.SyncDirectory(parent);
    }
}

sealed record StoredLock(string Mode, DateTime RetainUntil, bool LegalHold);

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(StoredLock))]
sealed partial class FolderJson : JsonSerializerContext;
