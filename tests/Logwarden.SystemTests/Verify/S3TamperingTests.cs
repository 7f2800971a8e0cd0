using Amazon.S3;
using Amazon.S3.Model;
using Logwarden.Archive;
using Logwarden.Proof.Notes;
using Logwarden.SystemTests.World;
using Logwarden.Tests.Archive;
using Logwarden.Tests.Segments;
using Logwarden.Tests.Verify;
using Logwarden.Verify;

namespace Logwarden.SystemTests.Verify;

/// <summary>
/// Tampering with an archive on a real S3 server with Object Lock. The intruder has every right but the signing key: with governance
/// locks and the right to bypass them he can do all that he can to a folder; with compliance locks he can only lay something over it.
/// </summary>
public sealed class S3TamperingTests(CephGateway gateway)
{
    public static TheoryData<string> Kinds => [.. Tampering.Kinds];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [MemberData(nameof(Kinds))]
    public async Task Tampering_by_who_may_bypass_the_lock_is_named(string kind)
    {
        await using var archive = await SealedArchive.MakeAsync(gateway, LockMode.Governance);
        Assert.Empty((await archive.VerifyAsync()).Findings);

        var intruder = new S3Intruder(archive.Store, gateway.Client, archive.Bucket);
        var expected = await Tampering.Do(kind, intruder, archive.Seals, archive.Scratch.Path);

        var report = await archive.VerifyAsync();
        foreach (var (code, key) in expected)
        {
            Assert.True(report.Findings.Any(finding => finding.Code == code && string.Equals(finding.Object, key, StringComparison.Ordinal)), $"{code} {key} is not among\n{string.Join('\n', report.Findings)}");
        }
        Assert.All(report.Findings, finding => Assert.Contains(finding.Object, expected.Select(pair => pair.Key)));
    }

    [Fact]
    public async Task What_is_laid_over_a_compliance_locked_object_is_named_and_what_lies_beneath_still_verifies()
    {
        await using var archive = await SealedArchive.MakeAsync(gateway, LockMode.Compliance);
        var segments = archive.Seals[0].Segments;
        var (covered, marked) = (segments[0].Path, segments[1].Path);
        await gateway.Client.PutObjectAsync(new PutObjectRequest { BucketName = archive.Bucket, Key = covered, ContentBody = "forged" }, Cancel);
        await gateway.Client.DeleteObjectAsync(archive.Bucket, marked, Cancel);

        var refused = await Assert.ThrowsAsync<AmazonS3Exception>(async () =>
        {
            var versions = await gateway.Client.ListVersionsAsync(archive.Bucket, covered, Cancel);
            var locked = versions.Versions.Single(version => version.IsLatest != true);
            await gateway.Client.DeleteObjectAsync(archive.Bucket, covered, locked.VersionId, Cancel);
        });

        Assert.Equal("AccessDenied", refused.ErrorCode);
        var report = await archive.VerifyAsync();
        Assert.False(report.IsClean);
        Assert.Equal([covered, marked], report.Findings.Select(finding => finding.Object).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
        Assert.Equal(archive.Seals.Sum(seal => seal.Segments.Sum(segment => segment.Rows)), report.Events);
    }

    [Fact]
    public async Task A_forged_version_over_a_seal_or_a_delete_marker_on_it_is_one_finding()
    {
        await using var archive = await SealedArchive.MakeAsync(gateway, LockMode.Compliance);
        await gateway.Client.PutObjectAsync(new PutObjectRequest { BucketName = archive.Bucket, Key = ArchiveLayout.Seal(0), ContentBody = "forged\n" }, Cancel);
        await gateway.Client.DeleteObjectAsync(archive.Bucket, ArchiveLayout.Seal(1), Cancel);

        var report = await archive.VerifyAsync();

        Assert.False(report.IsClean);
        Assert.Equal(
            [ArchiveLayout.Seal(0), ArchiveLayout.Seal(1)],
            report.Findings.Select(finding => finding.Object).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task Whatever_is_laid_over_locked_objects_proofs_and_seals_go_on_with_what_lies_beneath()
    {
        await using var archive = await SealedArchive.MakeAsync(gateway, LockMode.Compliance);
        var locked = new List<string>();
        await foreach (var version in archive.Store.List("", Cancel))
            if (!version.Key.StartsWith(ArchiveLayout.Live, StringComparison.Ordinal)) locked.Add(version.Key);
        foreach (var key in locked) await gateway.Client.PutObjectAsync(new PutObjectRequest { BucketName = archive.Bucket, Key = key, ContentBody = "forged\n" }, Cancel);
        await gateway.Client.DeleteObjectAsync(archive.Bucket, ArchiveLayout.Seal(2), Cancel);

        foreach (var offset in (long[])[0, 1500, 2999]) Assert.True((await archive.ProveAsync(StoredEvents.Id(offset))).IsValid);
        await archive.SealOnAsync(3500, LockMode.Compliance, forgetState: false);
        await archive.SealOnAsync(4000, LockMode.Compliance, forgetState: true);
        Assert.True((await archive.ProveAsync(StoredEvents.Id(3999))).IsValid);

        var report = await archive.VerifyAsync();
        Assert.Equal((5L, 4000L), (report.Seals, report.Events));
        Assert.Equal(locked.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal), report.Findings.Select(finding => finding.Object).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Junk_at_the_keys_of_the_next_seals_stops_nothing_locked_or_not_and_is_named(bool isLocked)
    {
        await using var archive = await SealedArchive.MakeAsync(gateway, LockMode.Compliance);
        var junk = Enumerable.Range(3, 3).Select(number => ArchiveLayout.Seal(number)).ToArray();
        foreach (var key in junk)
        {
            BlobLock? protection = isLocked ? new(LockMode.Compliance, TimeProvider.System.GetUtcNow().AddMinutes(10), legalHold: false) : null;
            await archive.Store.PutBytes(key, "junk\n"u8.ToArray(), protection, Cancel);
        }
        Assert.Equal(junk, (await archive.VerifyAsync()).Findings.Select(finding => finding.Object).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));

        await archive.SealOnAsync(3500, LockMode.Compliance, forgetState: false);
        await archive.SealOnAsync(4000, LockMode.Compliance, forgetState: true);
        await archive.SealOnAsync(4500, LockMode.Compliance, forgetState: false);

        Assert.True((await archive.ProveAsync(StoredEvents.Id(4499))).IsValid);
        var report = await archive.VerifyAsync();
        Assert.Equal((6L, 4500L), (report.Seals, report.Events));
        Assert.Equal(junk.Select(key => (FindingCode.ObjectUnexpected, key)), report.Findings.Select(finding => (finding.Code, finding.Object)).Order());
    }
}

/// <summary>Three seals in a bucket of their own, and more when asked.</summary>
sealed class SealedArchive : IAsyncDisposable
{
    readonly SigningKey _key = SigningKey.Generate(ArchiveWorld.Origin);

    SealedArchive(string bucket, IBlobStore store)
    {
        Bucket = bucket;
        Store = store;
    }

    public string Bucket { get; }

    public IBlobStore Store { get; }

    public TempFolder Scratch { get; } = new();

    public IReadOnlyList<SealRecord> Seals { get; private set; } = [];

    public static async Task<SealedArchive> MakeAsync(CephGateway gateway, LockMode mode)
    {
        var bucket = await gateway.NewBucketAsync(isLocked: true);
        var archive = new SealedArchive(bucket, ArchiveTarget.Open(gateway.Target(bucket, ""), TimeProvider.System));
        await archive.SealAsync(mode);
        return archive;
    }

    public async Task<VerifyReport> VerifyAsync() =>
        await Verifier.Run(Store, new() { Keys = [_key.Verifier] }, TimeProvider.System, _ => { }, TestContext.Current.CancellationToken);

    public ValueTask DisposeAsync()
    {
        Store.Dispose();
        _key.Dispose();
        Scratch.Dispose();
        return ValueTask.CompletedTask;
    }

    /// <summary>Opens the sealer again, as a restart does, and seals up to an offset.</summary>
    public async Task SealOnAsync(long end, LockMode mode, bool forgetState)
    {
        if (forgetState) Directory.Delete(Scratch.In("data"), recursive: true);
        using var sealer = await Sealer.Open(Options(mode), Store, _key, TimeProvider.System, TestContext.Current.CancellationToken);
        await sealer.SealEvents(ArchiveWorld.Journal(sealer.SealedTo), end, ArchiveWorld.Ledger(end), TestContext.Current.CancellationToken);
    }

    /// <summary>Proves an event from the archive alone.</summary>
    public async Task<ProofVerdict> ProveAsync(string eventId)
    {
        var proof = await new EventProofs(Store, [_key.Verifier], hotDirectory: null).Build(eventId, TestContext.Current.CancellationToken);
        Assert.NotNull(proof);
        return EventProofs.Check(proof.File.ToBytes(), [_key.Verifier]);
    }

    SealerOptions Options(LockMode mode)
    {
        var until = TimeProvider.System.GetUtcNow().AddDays(90);
        return new()
        {
            DataDirectory = Scratch.In("data"),
            Origin = ArchiveWorld.Origin,
            Retention = (_, _) => new(mode, until, legalHold: false),
            CompressionLevel = 1,
        };
    }

    async Task SealAsync(LockMode mode)
    {
        var cancel = TestContext.Current.CancellationToken;
        var seals = new List<SealRecord>();
        using var sealer = await Sealer.Open(Options(mode), Store, _key, TimeProvider.System, cancel);
        foreach (var end in (long[])[1200, 2000, 3000])
        {
            var seal = await sealer.SealEvents(ArchiveWorld.Journal(sealer.SealedTo), end, ArchiveWorld.Ledger(end), cancel);
            seals.Add(seal!.Record);
        }
        Seals = seals;
    }
}

/// <summary>Uses the right to bypass governance: deletes what is there, and puts what he likes.</summary>
sealed class S3Intruder(IBlobStore store, AmazonS3Client client, string bucket) : Intruder(store)
{
    public override async Task Overwrite(string key, byte[] bytes)
    {
        var head = await Store.Head(key, null, TestContext.Current.CancellationToken);
        await Remove(key);
        await PutAsync(key, bytes, head is { Mode: { } mode, RetainUntil: { } until } ? new BlobLock(mode, until, legalHold: false) : null);
    }

    public override async Task Remove(string key)
    {
        var versions = await client.ListVersionsAsync(bucket, key, TestContext.Current.CancellationToken);
        foreach (var version in versions.Versions ?? [])
        {
            await client.DeleteObjectAsync(
                new DeleteObjectRequest { BucketName = bucket, Key = key, VersionId = version.VersionId, BypassGovernanceRetention = true }, TestContext.Current.CancellationToken);
        }
    }

    public override async Task Relock(string key, BlobLock? protection)
    {
        var bytes = await Read(key);
        await Remove(key);
        await PutAsync(key, bytes, protection);
    }

    async Task PutAsync(string key, byte[] bytes, BlobLock? protection)
    {
        var put = new PutObjectRequest { BucketName = bucket, Key = key, InputStream = new MemoryStream(bytes) };
        if (protection is not null)
        {
            put.ObjectLockMode = protection.Mode == LockMode.Governance ? ObjectLockMode.Governance : ObjectLockMode.Compliance;
            put.ObjectLockRetainUntilDate = protection.RetainUntil.UtcDateTime;
        }
        await client.PutObjectAsync(put, TestContext.Current.CancellationToken);
    }
}
