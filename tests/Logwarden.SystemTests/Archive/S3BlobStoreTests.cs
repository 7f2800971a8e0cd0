using System.Net;
using Amazon.S3;
using Logwarden.Archive;
using Logwarden.SystemTests.World;
using Logwarden.Tests.Archive;

namespace Logwarden.SystemTests.Archive;

/// <summary>The store's contract, and what only a server with Object Lock can promise, against a real one.</summary>
public sealed class S3BlobStoreTests(CephGateway gateway) : BlobStoreContract
{
    static readonly byte[] One = "one"u8.ToArray(), Two = "two"u8.ToArray();

    protected override async Task<IBlobStore> OpenAsync() => ArchiveTarget.Open(gateway.Target(await gateway.NewBucketAsync(isLocked: true), "pre/fix"), TimeProvider.System);

    static BlobLock Compliance(int seconds) => new(LockMode.Compliance, TimeProvider.System.GetUtcNow().AddSeconds(seconds), legalHold: false);

    async Task<(string Bucket, IBlobStore Store)> NewAsync()
    {
        var bucket = await gateway.NewBucketAsync(isLocked: true);
        return (bucket, ArchiveTarget.Open(gateway.Target(bucket, ""), TimeProvider.System));
    }

    static async Task Refused(Func<Task> call) =>
        Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAnyAsync<AmazonS3Exception>(call)).StatusCode);

    [Fact]
    public async Task The_server_itself_refuses_to_delete_a_compliance_locked_version_from_its_owner()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        var put = await store.PutBytes("a", One, Compliance(30), Cancel);
        foreach (var bypass in (bool[])[false, true])
        {
            await Refused(() => gateway.Client.DeleteObjectAsync(
                new() { BucketName = bucket, Key = "a", VersionId = put.VersionId, BypassGovernanceRetention = bypass }, Cancel));
        }
        Assert.Equal(One, await store.ReadBytes("a", put.VersionId, Cancel));
    }

    [Fact]
    public async Task The_server_itself_refuses_to_shorten_or_weaken_a_compliance_lock()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        var wanted = Compliance(60);
        var put = await store.PutBytes("a", One, wanted, Cancel);
        foreach (var (mode, seconds) in new[] { (ObjectLockRetentionMode.Compliance, -30), (ObjectLockRetentionMode.Governance, 30) })
        {
            await Refused(() => gateway.Client.PutObjectRetentionAsync(new()
            {
                BucketName = bucket,
                Key = "a",
                VersionId = put.VersionId,
                BypassGovernanceRetention = true,
                Retention = new() { Mode = mode, RetainUntilDate = wanted.RetainUntil.AddSeconds(seconds).UtcDateTime },
            }, Cancel));
        }
        Assert.True((await store.Head("a", put.VersionId, Cancel))!.Covers(wanted));
    }

    [Fact]
    public async Task An_overwrite_and_a_delete_marker_leave_the_locked_version_and_are_seen()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        var put = await store.PutBytes("a", One, Compliance(30), Cancel);
        await gateway.Client.PutObjectAsync(new() { BucketName = bucket, Key = "a", ContentBody = "forged" }, Cancel);
        await gateway.Client.DeleteObjectAsync(new() { BucketName = bucket, Key = "a" }, Cancel);

        Assert.Null(await store.ReadBytes("a", null, Cancel)); // what a reader of the name gets
        Assert.Equal(One, await store.ReadBytes("a", put.VersionId, Cancel)); // what a reader of the recorded version gets
        var versions = await store.List("", Cancel).ToListAsync(Cancel);
        Assert.Equal(3, versions.Count);
        Assert.True(versions[0] is { IsLatest: true, IsDeleteMarker: true });
        Assert.Equal(put.VersionId, versions[2].VersionId);

        // Our bytes are there under a lock: a repeated put finds them below what was put on top.
        Assert.Equal(new(put.VersionId, Stored: false), await store.PutBytes("a", One, Compliance(20), Cancel));
    }

    [Fact]
    public async Task An_unlocked_object_in_the_way_does_not_stop_a_locked_put()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        await gateway.Client.PutObjectAsync(new() { BucketName = bucket, Key = "a", ContentBody = "other" }, Cancel);
        var put = await store.PutBytes("a", One, Lock(), Cancel);
        Assert.True(put.Stored);
        Assert.Equal(One, await store.ReadBytes("a", put.VersionId, Cancel));
    }

    [Fact]
    public async Task A_legal_hold_outlives_the_retention_and_its_end_frees_the_version()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        var (key, wanted, put) = await PutHeldAsync();
        await PassAsync(wanted.RetainUntil);
        await Assert.ThrowsAsync<BlobLockedException>(async () => await store.Delete(key, put.VersionId, Cancel));
        await gateway.Client.PutObjectLegalHoldAsync(new()
        {
            BucketName = bucket,
            Key = key,
            VersionId = put.VersionId,
            LegalHold = new() { Status = ObjectLockLegalHoldStatus.Off },
        }, Cancel);
        await store.Delete(key, put.VersionId, Cancel);
        Assert.Empty(await store.List(key, Cancel).ToListAsync(Cancel));

        // The date must not be past when the server looks at it: a slow machine gets more time.
        async Task<(string Key, BlobLock Wanted, PutReceipt Put)> PutHeldAsync()
        {
            for (var seconds = 3; ; seconds *= 2)
            {
                var asked = Compliance(seconds);
                try
                {
                    return ($"a{seconds}", asked, await store.PutBytes($"a{seconds}", One, new(asked.Mode, asked.RetainUntil, legalHold: true), Cancel));
                }
                catch (Exception late) when (late is AmazonS3Exception or BlobStoreException && seconds < 100 && TimeProvider.System.GetUtcNow() >= asked.RetainUntil)
                {
                    // once more
                }
            }
        }
    }

    // The server's clock is this machine's; there is no other way than to let the time pass.
    static async Task PassAsync(DateTimeOffset until)
    {
        while (TimeProvider.System.GetUtcNow() < until.AddSeconds(1)) await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
    }

    [Fact]
    public async Task A_store_that_does_not_lock_as_asked_is_noticed_by_the_read_back()
    {
        await gateway.StartAsync();
        var (bucket, _) = await NewAsync();
        // This server keeps dates in 32 bits: one after 2106 comes back as another.
        using var store = ArchiveTarget.Open(gateway.Target(bucket, ""), TimeProvider.System);
        var far = new BlobLock(LockMode.Governance, new(2150, 1, 1, 0, 0, 0, TimeSpan.Zero), legalHold: false);
        var refused = await Assert.ThrowsAsync<BlobStoreException>(async () => await store.PutBytes("a", One, far, Cancel));
        Assert.Contains("not locked as asked", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_bucket_without_lock_is_refused_with_reasons()
    {
        var bucket = await gateway.NewBucketAsync(isLocked: false);
        using var store = ArchiveTarget.Open(gateway.Target(bucket, "p"), TimeProvider.System);
        var findings = await store.Check(Cancel);
        Assert.Contains(findings, finding => finding is { Level: FindingLevel.Error } && finding.What.Contains("Object Lock", StringComparison.Ordinal));
        Assert.Contains(findings, finding => finding is { Level: FindingLevel.Error } && finding.What.Contains("Versioning", StringComparison.Ordinal));
        Assert.Contains(findings, finding => finding is { Level: FindingLevel.Warning } && finding.What.Contains("public", StringComparison.Ordinal));
        await Assert.ThrowsAsync<BlobStoreException>(async () => await store.PutBytes("a", One, Lock(), Cancel));
        await store.PutBytes("live", One, null, Cancel);
        await store.PutBytes("live", Two, null, Cancel);
        Assert.Equal(Two, await store.ReadBytes("live", null, Cancel));
    }

    [Fact]
    public async Task A_well_kept_bucket_has_nothing_against_it()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        Assert.All(await store.Check(Cancel), finding => Assert.Equal(FindingLevel.Warning, finding.Level));
        await SetRetentionAsync(bucket, 1);
        await gateway.Client.PutPublicAccessBlockAsync(new()
        {
            BucketName = bucket,
            PublicAccessBlockConfiguration = new() { BlockPublicAcls = true, BlockPublicPolicy = true, IgnorePublicAcls = true, RestrictPublicBuckets = true },
        }, Cancel);
        // This server's answer has an element name of its own, which the SDK does not read.
        Assert.Contains("cannot be read", Assert.Single(await store.Check(Cancel)).What, StringComparison.Ordinal);

        await SetRetentionAsync(bucket, 400);
        Assert.Contains(await store.Check(Cancel), finding => finding.What.Contains("400 days", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Replaced_objects_that_a_default_retention_keeps_are_no_error()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        await SetRetentionAsync(bucket, 1);
        await store.PutBytes("live", One, null, Cancel);
        await store.PutBytes("live", Two, null, Cancel);
        Assert.Equal(2, (await store.List("live", Cancel).ToListAsync(Cancel)).Count);
    }

    async Task SetRetentionAsync(string bucket, int days) => await gateway.Client.PutObjectLockConfigurationAsync(new()
    {
        BucketName = bucket,
        ObjectLockConfiguration = new()
        {
            ObjectLockEnabled = ObjectLockEnabled.Enabled,
            Rule = new() { DefaultRetention = new() { Mode = ObjectLockRetentionMode.Governance, Days = days } },
        },
    }, Cancel);

    [Fact]
    public async Task A_bucket_or_a_server_that_is_not_there_is_a_finding()
    {
        await gateway.StartAsync();
        await gateway.StartAsync();
        using var missing = ArchiveTarget.Open(gateway.Target("no-such-bucket", ""), TimeProvider.System);
        Assert.Contains("NoSuchBucket", Assert.Single(await missing.Check(Cancel)).What, StringComparison.Ordinal);
        await Assert.ThrowsAsync<BlobStoreException>(async () => await missing.PutBytes("a", One, Lock(), Cancel));
        await Assert.ThrowsAsync<BlobStoreException>(async () => await missing.ReadBytes("a", null, Cancel));
    }

    [Fact]
    public async Task More_versions_than_one_page_are_all_listed()
    {
        var (bucket, store) = await NewAsync();
        using var _ = store;
        for (var i = 0; i < 1030; i++)
        {
            await gateway.Client.PutObjectAsync(new() { BucketName = bucket, Key = $"k/{i % 500:000}", ContentBody = "x" }, Cancel);
        }
        Assert.Equal(1030, (await store.List("k/", Cancel).ToListAsync(Cancel)).Count);
        Assert.True((await store.PutBytes("k/499", One, Lock(), Cancel)).Stored);
    }

    [Fact]
    public async Task A_put_whose_answer_got_lost_is_stored_once()
    {
        var (bucket, store) = await NewAsync();
        store.Dispose();
        // Between us and the server: passes everything on, but cuts the connection instead of answering the first PUT.
        await using var relay = new LossyRelay(gateway.Endpoint);
        using var through = new S3BlobStore(new()
        {
            Bucket = bucket,
            Endpoint = relay.Address,
            Region = "us-east-1",
            PathStyle = true,
            ChecksumsWhenRequired = true,
        }, TimeProvider.System);
        var put = await through.PutBytes("a", One, Lock(), Cancel);
        Assert.Equal(1, relay.Lost);
        Assert.False(put.Stored); // the second attempt found what the first had stored
        Assert.Single(await through.List("", Cancel).ToListAsync(Cancel));
    }

    [Fact]
    public async Task A_server_that_never_answers_or_is_not_there_is_one_kind_of_error_that_says_what_to_do()
    {
        await gateway.StartAsync(); // for credentials
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        var port = ((IPEndPoint)silent.LocalEndpoint).Port;
        await Told(port, "no answer in 0.2 s", TimeSpan.FromMilliseconds(200));
        silent.Stop();
        await Told(port, "it cannot be reached", TimeSpan.FromMinutes(1));

        static async Task Told(int port, string what, TimeSpan callTimeout)
        {
            var options = new S3Options { Bucket = "anywhere", Endpoint = new($"http://127.0.0.1:{port}"), PathStyle = true, CallTimeout = callTimeout };
            using var store = new S3BlobStore(options, TimeProvider.System);
            Func<Task>[] calls =
            [
                async () => await store.Check(Cancel),
                async () => await store.ReadBytes("a", null, Cancel),
                async () => await store.PutBytes("a", One, Compliance(30), Cancel),
                async () => await store.List("", Cancel).FirstOrDefaultAsync(Cancel),
            ];
            foreach (var call in calls)
            {
                var told = await Assert.ThrowsAsync<BlobStoreException>(call);
                Assert.Contains(what, told.Message, StringComparison.Ordinal);
                Assert.Contains("Check the endpoint", told.Message, StringComparison.Ordinal);
            }
            using var stop = new CancellationTokenSource();
            await stop.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await store.Head("a", null, stop.Token));
        }
    }

    [Fact]
    public async Task A_missing_bucket_and_wrong_credentials_say_what_to_check()
    {
        await gateway.StartAsync();
        using var missing = ArchiveTarget.Open(gateway.Target("no-such-bucket", ""), TimeProvider.System);
        var told = await Assert.ThrowsAsync<BlobStoreException>(async () => await missing.ReadBytes("a", null, Cancel));
        Assert.Contains("Check the bucket's name", told.Message, StringComparison.Ordinal);
    }
}
