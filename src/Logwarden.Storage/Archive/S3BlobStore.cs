using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Amazon;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Logwarden.Archive;

/// <summary>
/// Blobs as objects in a bucket with S3 Object Lock.
/// <para>
/// Object Lock protects versions, not names: anyone who may write can put a newer version or a delete marker over a locked one. So every
/// put returns the version that holds its bytes, and a reader who needs those bytes asks for that version.
/// </para>
/// <para>
/// Not every gateway enforces <c>If-None-Match</c> or checks a checksum header, and an answer can get lost. So a locked put first looks
/// whether a version has the bytes already, and afterwards asks for that version's lock and reads its bytes back.
/// </para>
/// </summary>
public sealed class S3BlobStore : IBlobStore
{
    const int Attempts = 5;
    const long SinglePutBytesMax = 5L << 30;
    readonly S3Options _options;
    readonly TimeProvider _time;
    readonly AmazonS3Client _client;

    // Retries of a put are ours: before sending again we look whether the first one arrived.
    readonly AmazonS3Client _writer;
    readonly S3SendOnce _sender;

    /// <summary>Makes no call yet.</summary>
    /// <exception cref="BlobStoreException">The AWS SDK has no region, or its configuration files are broken.</exception>
    public S3BlobStore(S3Options options, TimeProvider time)
    {
        _options = options;
        _time = time;
        _sender = new(options.CallTimeout);
        try
        {
            _client = new(Configure(retries: 4));
            var once = Configure(retries: 0);
            once.HttpClientFactory = _sender;
            _writer = new(once);
        }
        catch (AmazonClientException e)
        {
            throw new BlobStoreException($"{Location} cannot be used: {e.Message.TrimEnd('.')}. Name the region: {Location}?region=REGION, or set AWS_REGION.", e);
        }
    }

    /// <inheritdoc/>
    public string Location => $"s3://{_options.Bucket}{(_options.Prefix.Length == 0 ? "" : "/" + _options.Prefix)}";

    /// <summary>The client, for what only a bucket has.</summary>
    internal AmazonS3Client Client => _client;

    AmazonS3Config Configure(int retries)
    {
        var config = new AmazonS3Config
        {
            ForcePathStyle = _options.PathStyle,
            MaxErrorRetry = retries,
            RetryMode = RequestRetryMode.Standard,
            Timeout = _options.CallTimeout,
            ConnectTimeout = S3Options.ConnectTimeout,
        };
        if (_options.Endpoint is { } endpoint)
        {
            config.ServiceURL = endpoint.ToString();
            config.AuthenticationRegion = _options.Region ?? "us-east-1";
        }
        else if (_options.Region is { } region)
        {
            config.RegionEndpoint = RegionEndpoint.GetBySystemName(region);
        }
        if (_options.ChecksumsWhenRequired)
        {
            config.RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED;
            config.ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED;
        }
        return config;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        _client.Dispose();
        _writer.Dispose();
        _sender.Dispose();
    }

    /// <inheritdoc/>
    public ValueTask<IReadOnlyList<BucketFinding>> Check(CancellationToken cancel) =>
        Call("say how it is set up", async () => await BucketCheck.Run(_client, _options.Bucket, cancel), cancel);

    /// <inheritdoc/>
    public ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, CancellationToken cancel) => Put(key, content, protection, over: false, cancel);

    /// <inheritdoc/>
    public ValueTask<PutReceipt> PutOver(string key, Stream content, BlobLock protection, CancellationToken cancel) => Put(key, content, protection, over: true, cancel);

    async ValueTask<PutReceipt> Put(string key, Stream content, BlobLock? protection, bool over, CancellationToken cancel)
    {
        var name = NameOf(key);
        if (content.Length > SinglePutBytesMax) throw new BlobStoreException($"{key} has {content.Length} bytes, more than one PUT takes", null);
        var digests = await Digests.Of(content, cancel);
        for (var attempt = 1; ; attempt++)
        {
            try
            {
                return protection is null
                    ? await Replace(name, content, digests, cancel)
                    : await PutLocked(name, content, digests, protection, over, cancel);
            }
            catch (Exception e) when (attempt < Attempts && IsPassing(e, cancel))
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100 << attempt), _time, cancel);
            }
            catch (Exception e) when (IsFailure(e, cancel))
            {
                throw Told($"put {name}", e);
            }
        }
    }

    /// <inheritdoc/>
    public ValueTask<bool> Read(string key, string? versionId, Stream destination, CancellationToken cancel) => Call($"get {key}", async () =>
    {
        try
        {
            using var answer = await _client.GetObjectAsync(new() { BucketName = _options.Bucket, Key = NameOf(key), VersionId = versionId }, cancel);
            await answer.ResponseStream.CopyToAsync(destination, cancel);
            return true;
        }
        catch (AmazonS3Exception e) when (IsMissing(e))
        {
            return false;
        }
    }, cancel);

    /// <inheritdoc/>
    public ValueTask<BlobHead?> Head(string key, string? versionId, CancellationToken cancel) =>
        Call($"look at {key}", async () => await HeadOf(NameOf(key), versionId, cancel), cancel);

    /// <inheritdoc/>
    public async ValueTask Protect(string key, string? versionId, BlobLock protection, CancellationToken cancel) => await Change($"lock {key}", async name =>
    {
        var head = await HeadOf(name, versionId, cancel) ?? throw new BlobStoreException($"{key} is not there", null);
        await ProtectVersion(name, head, protection, cancel);
    }, key, cancel);

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobVersion> List(string prefix, [EnumeratorCancellation] CancellationToken cancel)
    {
        var before = _options.Prefix.Length == 0 ? 0 : _options.Prefix.Length + 1;
        var request = new ListVersionsRequest
        {
            BucketName = _options.Bucket,
            Prefix = before == 0 ? prefix : $"{_options.Prefix}/{prefix}",
        };
        while (true)
        {
            var page = await Call("list", () => _client.ListVersionsAsync(request, cancel), cancel);
            foreach (var version in page.Versions ?? []) yield return ToVersion(version, version.Key[before..]);
            if (page.IsTruncated != true) yield break;
            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }
    }

    /// <inheritdoc/>
    public async ValueTask Delete(string key, string? versionId, CancellationToken cancel) => await Change($"delete {key}", async name =>
    {
        // Without a version S3 would only put a delete marker over it.
        versionId ??= (await HeadOf(name, null, cancel))?.VersionId;
        if (versionId is null) return;
        await _client.DeleteObjectAsync(new() { BucketName = _options.Bucket, Key = name, VersionId = versionId }, cancel);
    }, key, cancel);

    // Versions of one key, latest first.
    async ValueTask<List<S3ObjectVersion>> VersionsOf(string name, CancellationToken cancel)
    {
        var found = new List<S3ObjectVersion>();
        var request = new ListVersionsRequest { BucketName = _options.Bucket, Prefix = name };
        while (true)
        {
            var page = await _client.ListVersionsAsync(request, cancel);
            foreach (var version in page.Versions ?? [])
            {
                // Keys come in order: the first other key that our name is a prefix of ends it.
                if (!string.Equals(version.Key, name, StringComparison.Ordinal)) return found;
                found.Add(version);
            }
            if (page.IsTruncated != true) return found;
            request.KeyMarker = page.NextKeyMarker;
            request.VersionIdMarker = page.NextVersionIdMarker;
        }
    }

    async ValueTask<PutReceipt> PutLocked(string name, Stream content, Digests digests, BlobLock protection, bool over, CancellationToken cancel)
    {
        foreach (var version in await VersionsOf(name, cancel))
        {
            if (version.IsDeleteMarker == true) continue;
            if (await HeadOf(name, version.VersionId, cancel) is not { } head) continue;
            if (version.Size == content.Length && await HasBytes(name, version.VersionId, digests, cancel))
            {
                if (!head.Covers(protection)) await ProtectVersion(name, head, head.Raised(protection), cancel);
                return new(version.VersionId, Stored: false);
            }
            if (!over && head.IsLockedAt(_time.GetUtcNow()))
            {
                throw new BlobLockedException($"{name} in {Location} holds other bytes under a lock (version {version.VersionId})", null);
            }
        }
        var put = await Send(name, content, digests, protection, cancel);
        await ReadBack(name, put, digests, protection, cancel);
        return new(put, Stored: true);
    }

    // A bucket with versions keeps what an unlocked put replaces; without this the newest checkpoint would pile up for ever.
    async ValueTask<PutReceipt> Replace(string name, Stream content, Digests digests, CancellationToken cancel)
    {
        var put = await Send(name, content, digests, null, cancel);
        if (put is null) return new(null, Stored: true);
        foreach (var version in await VersionsOf(name, cancel))
        {
            if (string.Equals(version.VersionId, put, StringComparison.Ordinal)) continue;
            try
            {
                await _client.DeleteObjectAsync(
                    new() { BucketName = _options.Bucket, Key = name, VersionId = version.VersionId }, cancel);
            }
            catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.Forbidden)
            {
                // A default retention of the bucket, or no right to delete versions: then they stay.
                break;
            }
        }
        return new(put, Stored: true);
    }

    async ValueTask<string?> Send(string name, Stream content, Digests digests, BlobLock? protection, CancellationToken cancel)
    {
        content.Position = 0;
        var request = new PutObjectRequest
        {
            BucketName = _options.Bucket,
            Key = name,
            InputStream = content,
            AutoCloseStream = false,
            AutoResetStreamPosition = false,
            MD5Digest = digests.Md5,
        };
        if (protection is not null)
        {
            request.ObjectLockMode = ModeOf(protection.Mode);
            request.ObjectLockRetainUntilDate = protection.RetainUntil.UtcDateTime;
            if (protection.LegalHold) request.ObjectLockLegalHoldStatus = ObjectLockLegalHoldStatus.On;
        }
        var answer = await _writer.PutObjectAsync(request, cancel);
        return answer.VersionId;
    }

    async ValueTask ReadBack(string name, string? versionId, Digests digests, BlobLock protection, CancellationToken cancel)
    {
        var head = await HeadOf(name, versionId, cancel);
        if (versionId is null || head is null)
        {
            throw new BlobStoreException($"{Location} took {name} without a version id: is versioning on?", null);
        }
        if (!head.Covers(protection))
        {
            throw new BlobStoreException($"{name} in {Location} (version {versionId}) is not locked as asked until {protection.RetainUntil:O}: "
                + $"mode {head.Mode?.ToString() ?? "none"}, until {head.RetainUntil?.ToString("O") ?? "never set"}, hold {head.LegalHold}", null);
        }
        if (!await HasBytes(name, versionId, digests, cancel))
        {
            throw new BlobStoreException($"{name} in {Location} (version {versionId}) has other bytes than were put", null);
        }
    }

    async ValueTask<bool> HasBytes(string name, string versionId, Digests digests, CancellationToken cancel)
    {
        using var answer = await _client.GetObjectAsync(new() { BucketName = _options.Bucket, Key = name, VersionId = versionId }, cancel);
        return (await SHA256.HashDataAsync(answer.ResponseStream, cancel)).AsSpan().SequenceEqual(digests.Sha256);
    }

    async ValueTask<BlobHead?> HeadOf(string name, string? versionId, CancellationToken cancel)
    {
        try
        {
            var head = await _client.GetObjectMetadataAsync(new() { BucketName = _options.Bucket, Key = name, VersionId = versionId }, cancel);
            LockMode? mode = head.ObjectLockMode?.Value switch
            {
                "COMPLIANCE" => LockMode.Compliance,
                "GOVERNANCE" => LockMode.Governance,
                _ => null,
            };
            return new(head.VersionId, head.ContentLength, mode, mode is null ? null : ToUtc(head.ObjectLockRetainUntilDate),
                head.ObjectLockLegalHoldStatus == ObjectLockLegalHoldStatus.On);
        }
        catch (AmazonS3Exception e) when (IsMissing(e))
        {
            return null;
        }
    }

    async ValueTask ProtectVersion(string name, BlobHead head, BlobLock protection, CancellationToken cancel)
    {
        // A date that has a fraction of a second, which others may set, is the same one; and one that is past could not be set again.
        var isSame = head is { Mode: { } mode, RetainUntil: { } until } && mode == protection.Mode && new BlobLock(mode, until, head.LegalHold).RetainUntil == protection.RetainUntil;
        if (!isSame)
        {
            await _client.PutObjectRetentionAsync(new()
            {
                BucketName = _options.Bucket,
                Key = name,
                VersionId = head.VersionId,
                Retention = new()
                {
                    Mode = protection.Mode == LockMode.Compliance ? ObjectLockRetentionMode.Compliance : ObjectLockRetentionMode.Governance,
                    RetainUntilDate = protection.RetainUntil.UtcDateTime,
                },
            }, cancel);
        }
        if (head.LegalHold == protection.LegalHold) return;
        await _client.PutObjectLegalHoldAsync(new()
        {
            BucketName = _options.Bucket,
            Key = name,
            VersionId = head.VersionId,
            LegalHold = new() { Status = protection.LegalHold ? ObjectLockLegalHoldStatus.On : ObjectLockLegalHoldStatus.Off },
        }, cancel);
    }

    ValueTask<bool> Change(string what, Func<string, Task> change, string key, CancellationToken cancel) => Call(what, async () =>
    {
        try
        {
            await change(NameOf(key));
            return true;
        }
        catch (AmazonS3Exception e) when (e.StatusCode == HttpStatusCode.Forbidden)
        {
            throw new BlobLockedException($"{Location} refused to {what} (403 {e.ErrorCode}): a lock is in force, or the credentials lack the right", e);
        }
    }, cancel);

    /// <summary>Every call but a put, which looks before it repeats, goes through here: whatever the SDK throws comes out as one kind of error that says what to do.</summary>
    async ValueTask<T> Call<T>(string what, Func<Task<T>> call, CancellationToken cancel)
    {
        try
        {
            return await call();
        }
        catch (Exception e) when (IsFailure(e, cancel))
        {
            throw Told(what, e);
        }
    }

    string NameOf(string key)
    {
        BlobKey.Check(key);
        return _options.Prefix.Length == 0 ? key : $"{_options.Prefix}/{key}";
    }

    /// <summary>Whether the store or the way to it failed; not what is told already, our own cancelling, or a defect.</summary>
    static bool IsFailure(Exception e, CancellationToken cancel) => e switch
    {
        BlobStoreException => false,
        OperationCanceledException => !cancel.IsCancellationRequested,
        _ => e is AmazonServiceException or AmazonClientException or HttpRequestException or IOException or TimeoutException,
    };

    BlobStoreException Told(string what, Exception e) => e switch
    {
        AmazonServiceException { StatusCode: not 0 } refusal =>
            new($"{Location} could not {what} ({(int)refusal.StatusCode} {refusal.ErrorCode}{(refusal.Message.Length == 0 ? "" : ": " + refusal.Message)}). {NextOf(refusal)}", e),
        OperationCanceledException or TimeoutException =>
            new($"{Location} could not {what}: no answer in {_options.CallTimeout.TotalSeconds:0.#} s. Check the endpoint and the network; it can be tried again.", e),
        AmazonClientException =>
            new($"{Location} could not {what}: {e.Message.TrimEnd('.')}. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role.", e),
        _ => new($"{Location} could not {what}: it cannot be reached ({e.GetBaseException().Message}). Check the endpoint, the region and the network; it can be tried again.", e),
    };

    static string NextOf(AmazonServiceException refusal) => refusal.ErrorCode switch
    {
        "NoSuchBucket" => "Check the bucket's name, its region and the endpoint.",
        "InvalidAccessKeyId" or "SignatureDoesNotMatch" or "ExpiredToken" or "InvalidToken" => "Check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role) and the clock.",
        "RequestTimeTooSkewed" => "Set this machine's clock.",
        _ when refusal.StatusCode is HttpStatusCode.Forbidden or HttpStatusCode.Unauthorized => "Check that the credentials have the right to do it.",
        _ when refusal.StatusCode is HttpStatusCode.Moved or HttpStatusCode.TemporaryRedirect or HttpStatusCode.BadRequest => "Check the region and the endpoint.",
        _ => "It can be tried again.",
    };

    static BlobVersion ToVersion(S3ObjectVersion version, string key) => new(key, version.VersionId, version.Size ?? 0,
        ToUtc(version.LastModified) ?? default, version.IsLatest == true, version.IsDeleteMarker == true);

    static DateTimeOffset? ToUtc(DateTime? time) => time is { } set ? new DateTimeOffset(set.ToUniversalTime()) : null;

    static ObjectLockMode ModeOf(LockMode mode) => mode == LockMode.Compliance ? ObjectLockMode.Compliance : ObjectLockMode.Governance;

    // 405: the version is a delete marker.
    static bool IsMissing(AmazonS3Exception e) =>
        e.StatusCode == HttpStatusCode.MethodNotAllowed
        || (e.StatusCode == HttpStatusCode.NotFound && !string.Equals(e.ErrorCode, "NoSuchBucket", StringComparison.Ordinal));

    static bool IsPassing(Exception e, CancellationToken cancel) => !cancel.IsCancellationRequested && e switch
    {
        AmazonServiceException { StatusCode: >= HttpStatusCode.InternalServerError or HttpStatusCode.RequestTimeout or HttpStatusCode.TooManyRequests } => true,
        // No answer of S3's own making: some gateways lose step on a connection after a PUT that they refused.
        AmazonServiceException { ErrorCode: "BadRequest" } => true,
        AmazonServiceException { ErrorCode: "SlowDown" or "RequestTimeout" or "ConditionalRequestConflict" or "OperationAborted" } => true,
        AmazonServiceException { InnerException: HttpRequestException or IOException } => true, // no answer came
        AmazonServiceException or BlobStoreException => false,
        HttpRequestException or IOException or TimeoutException or OperationCanceledException => true,
        _ => false,
    };

    sealed record Digests(byte[] Sha256, string Md5)
    {
        [SuppressMessage("Security", "CA5351", Justification = "Content-MD5 is how S3 checks a body on its way; what we trust is the SHA-256 read back.")]
        public static async ValueTask<Digests> Of(Stream content, CancellationToken cancel)
        {
            using var sha = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var md5 = IncrementalHash.CreateHash(HashAlgorithmName.MD5);
            var buffer = new byte[128 * 1024];
            content.Position = 0;
            while (await content.ReadAsync(buffer, cancel) is var count and > 0)
            {
                sha.AppendData(buffer, 0, count);
                md5.AppendData(buffer, 0, count);
            }
            return new(sha.GetHashAndReset(), Convert.ToBase64String(md5.GetHashAndReset()));
        }
    }
}
