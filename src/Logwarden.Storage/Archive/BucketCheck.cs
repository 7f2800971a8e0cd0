using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;

namespace Logwarden.Archive;

/// <summary>Looks at a bucket before anything is put into it: can it protect what the policy wants protected?</summary>
static class BucketCheck
{
    public static async ValueTask<IReadOnlyList<BucketFinding>> Run(AmazonS3Client client, string bucket, CancellationToken cancel)
    {
        var findings = new List<BucketFinding>();
        try
        {
            await client.ListObjectsV2Async(new() { BucketName = bucket, MaxKeys = 1 }, cancel);
        }
        catch (AmazonServiceException e) when (e.StatusCode != 0)
        {
            findings.Add(new("unreachable", FindingLevel.Error, $"The bucket {bucket} cannot be listed ({(int)e.StatusCode} {e.ErrorCode}).",
                "Check its name, region and endpoint, and that the credentials may list it (s3:ListBucket, s3:ListBucketVersions)."));
            return findings;
        }
        await Versioning(client, bucket, findings, cancel);
        await ObjectLock(client, bucket, findings, cancel);
        await PublicAccess(client, bucket, findings, cancel);
        return findings;
    }

    static async ValueTask Versioning(AmazonS3Client client, string bucket, List<BucketFinding> findings, CancellationToken cancel)
    {
        var (answer, refusal) = await Ask(() => client.GetBucketVersioningAsync(
            new GetBucketVersioningRequest { BucketName = bucket }, cancel));
        if (refusal is not null)
        {
            findings.Add(Unseen("versioning", "s3:GetBucketVersioning", refusal));
        }
        else if (answer!.VersioningConfig?.Status != VersionStatus.Enabled)
        {
            findings.Add(new("versioning-off", FindingLevel.Error, $"Versioning of the bucket {bucket} is not on: an overwrite would destroy what was there.",
                "Use a bucket that was created with Object Lock; it has versioning, and it cannot be switched off."));
        }
    }

    static async ValueTask ObjectLock(AmazonS3Client client, string bucket, List<BucketFinding> findings, CancellationToken cancel)
    {
        var (answer, refusal) = await Ask(() => client.GetObjectLockConfigurationAsync(
            new GetObjectLockConfigurationRequest { BucketName = bucket }, cancel));
        if (refusal is { StatusCode: System.Net.HttpStatusCode.Forbidden })
        {
            findings.Add(Unseen("Object Lock", "s3:GetBucketObjectLockConfiguration", refusal));
            return;
        }
        if (refusal is not null || answer!.ObjectLockConfiguration?.ObjectLockEnabled != ObjectLockEnabled.Enabled)
        {
            findings.Add(new("object-lock-off", FindingLevel.Error, $"Object Lock of the bucket {bucket} is not on: nothing in it can be protected.",
                "Create a bucket with it: aws s3api create-bucket --bucket NAME --object-lock-enabled-for-bucket."));
            return;
        }
        var retention = answer.ObjectLockConfiguration.Rule?.DefaultRetention;
        if (retention is null)
        {
            findings.Add(new("default-retention", FindingLevel.Warning, $"The bucket {bucket} has no default retention: what others put there, and uploads in parts on some gateways, is unprotected.",
                "Set one of a day: aws s3api put-object-lock-configuration. Longer ones also lock the live/ objects that we replace at each seal."));
        }
        else if (retention.Years > 0 || retention.Days > 7)
        {
            findings.Add(new("default-retention", FindingLevel.Warning,
                $"The bucket {bucket} has a default retention of {(retention.Years > 0 ? $"{retention.Years} years" : $"{retention.Days} days")}: each replaced version of a live/ object is kept so long.",
                "Set it to a day; what must be kept carries its own date."));
        }
    }

    static async ValueTask PublicAccess(AmazonS3Client client, string bucket, List<BucketFinding> findings, CancellationToken cancel)
    {
        var (answer, refusal) = await Ask(() => client.GetPublicAccessBlockAsync(new GetPublicAccessBlockRequest { BucketName = bucket }, cancel));
        if (refusal is { StatusCode: System.Net.HttpStatusCode.Forbidden })
        {
            findings.Add(Unseen("the public access block", "s3:GetBucketPublicAccessBlock", refusal));
            return;
        }
        if (answer is { PublicAccessBlockConfiguration: null })
        {
            findings.Add(new("unseen", FindingLevel.Warning, $"What the bucket {bucket} says of public access cannot be read.",
                "Some gateways answer in a form of their own: see to it with the gateway's own tools."));
            return;
        }
        if (answer?.PublicAccessBlockConfiguration is not
            { BlockPublicAcls: true, BlockPublicPolicy: true, IgnorePublicAcls: true, RestrictPublicBuckets: true })
        {
            findings.Add(new("public-access", FindingLevel.Warning, $"The bucket {bucket} does not block all public access.",
                "Block it: aws s3api put-public-access-block with all four settings true."));
        }
    }

    static BucketFinding Unseen(string what, string right, AmazonServiceException refusal) => new("unseen", FindingLevel.Warning,
        $"Whether {what} is on cannot be seen ({(int)refusal.StatusCode} {refusal.ErrorCode}).", $"Give the credentials {right}.");

    // An answer or the service's refusal: both are findings here.
    static async ValueTask<(T? Value, AmazonServiceException? Refusal)> Ask<T>(Func<Task<T>> call)
        where T : class
    {
        try
        {
            return (await call(), null);
        }
        catch (AmazonServiceException e)
        {
            return (null, e);
        }
    }
}
