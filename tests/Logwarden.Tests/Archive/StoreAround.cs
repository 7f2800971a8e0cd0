using Logwarden.Archive;

namespace Logwarden.Tests.Archive;

/// <summary>A store that passes every call on to another, for tests to come between. What changes something goes through <see cref="Change"/>.</summary>
abstract class StoreAround(IBlobStore store) : IBlobStore
{
    public string Location => store.Location;

    /// <summary>Makes a change, or does something else.</summary>
    protected abstract ValueTask<T> Change<T>(Func<ValueTask<T>> change);

    public ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel) => store.Check(cancel);

    public ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel) => Change(() => store.Put(key, content, protection, cancel));

    public ValueTask<PutReceipt> PutOver(string key, Stream content, BlobLock protection, CancellationToken cancel) => Change(() => store.PutOver(key, content, protection, cancel));

    public virtual ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel) => store.Read(key, versionId, destination, cancel);

    public ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel) => store.Head(key, versionId, cancel);

    public virtual async ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel) => await Change(async () =>
    {
        await store.Protect(key, versionId, protection, cancel);
        return true;
    });

    public IAsyncEnumerable<BlobVersion> List(string prefix, CancellationToken cancel) => store.List(prefix, cancel);

    public virtual async ValueTask Delete(string key, string? versionId, CancellationToken cancel) => await Change(async () =>
    {
        await store.Delete(key, versionId, cancel);
        return true;
    });

    public void Dispose() => store.Dispose();
}
