using System.IO.MemoryMappedFiles;

namespace Logwarden.Journal;

/// <summary>A file's bytes in memory without a copy. For files that nobody changes meanwhile: those of the holder of the lock.</summary>
sealed unsafe class MappedFile : IDisposable
{
    readonly MemoryMappedFile? _map;
    readonly MemoryMappedViewAccessor? _view;
    readonly byte* _start;

    public MappedFile(string path)
    {
        Length = new FileInfo(path).Length;
        if (Length == 0) return;
        _map = MemoryMappedFile.CreateFromFile(path, FileMode.Open, null, 0, MemoryMappedFileAccess.Read);
        _view = _map.CreateViewAccessor(0, 0, MemoryMappedFileAccess.Read);
        _view.SafeMemoryMappedViewHandle.AcquirePointer(ref _start);
    }

    public long Length { get; }

    public ReadOnlySpan<byte> Slice(long start, int length) =>
        start < 0 || length < 0 || start + length > Length ? throw new ArgumentOutOfRangeException(nameof(start))
        : new(_start + start, length);

    public ReadOnlySpan<T> Items<T>(long start, int count) where T : unmanaged =>
        System.Runtime.InteropServices.MemoryMarshal.Cast<byte, T>(Slice(start, count * sizeof(T)));

    public void Dispose()
    {
        _view?.SafeMemoryMappedViewHandle.ReleasePointer();
        _view?.Dispose();
        _map?.Dispose();
    }
}
