using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>Finds what a CloudTrail record was done to: services name it in a hundred ways.</summary>
static class CloudTrailTargets
{
    // Parameters that name a target, the most telling first: a call that carries a bucket and a tag set is about the bucket.
    static readonly NameTable Ranked = new(
        "bucketName", "secretId", "functionName", "roleArn", "userName", "roleName", "groupName", "policyArn", "policyName", "keyId",
        "trailName", "dBInstanceIdentifier", "dBClusterIdentifier", "dBSnapshotIdentifier", "tableName", "instanceId", "groupId",
        "snapshotId", "volumeId", "imageId", "subnetId", "vpcId", "queueUrl", "topicArn", "logGroupName", "detectorId", "clusterName",
        "repositoryName", "stackName", "loadBalancerArn", "domainName", "hostedZoneId", "certificateArn", "resourceArn", "resourceARN",
        "resourceId", "modelId", "arn", "ARN", "name", "Name", "target", "resource", "id", "Id");

    /// <summary>The text that names the target, escapes included; empty when nothing does.</summary>
    public static ReadOnlySpan<byte> Find(scoped in JsonView view, int resources, int request, int response)
    {
        if (view.Kind(resources) == JsonKind.Array)
        {
            for (var row = view.First(resources); row >= 0; row = view.After(row, resources))
            {
                if (Arn(view, row) is { IsEmpty: false } arn) return arn;
            }
        }
        if (In(view, request) is { IsEmpty: false } named) return named;
        // What was created is named only by the answer.
        return In(view, response);
    }

    /// <summary>The ARN of an element of <c>resources</c>.</summary>
    public static ReadOnlySpan<byte> Arn(scoped in JsonView view, int row) =>
        view.Text(row, "ARN"u8) is { IsEmpty: false } arn ? arn : view.Text(row, "ARNPrefix"u8);

    static ReadOnlySpan<byte> In(scoped in JsonView view, int parent)
    {
        if (view.Kind(parent) != JsonKind.Object) return default;
        ReadOnlySpan<byte> best = default;
        var rank = int.MaxValue;
        for (var row = view.First(parent); row >= 0; row = view.After(row, parent))
        {
            var known = Ranked.Find(view.Name(row));
            if (known < 0 && IsIdentifier(view.Name(row))) known = 1000;
            if (known < 0 || known >= rank) continue;
            var value = FirstText(view, row);
            if (value.IsEmpty) continue;
            best = value;
            rank = known;
        }
        return best.IsEmpty ? InSets(view, parent) : best;
    }

    /// <summary>EC2 wraps its ids: <c>{"instancesSet":{"items":[{"instanceId":"i-1"}]}}</c>; answers wrap what they made: <c>{"vpc":{"vpcId":…}}</c>.</summary>
    static ReadOnlySpan<byte> InSets(scoped in JsonView view, int parent)
    {
        for (var row = view.First(parent); row >= 0; row = view.After(row, parent))
        {
            var holder = row;
            if (view.Find(row, "items"u8) is var items && items >= 0) holder = view.First(items);
            for (var part = view.Kind(holder) == JsonKind.Object ? view.First(holder) : -1; part >= 0; part = view.After(part, holder))
            {
                var name = view.Name(part);
                if ((Ranked.Has(name) || IsIdentifier(name)) && view.Text(part) is { IsEmpty: false } value) return value;
            }
        }
        return default;
    }

    static ReadOnlySpan<byte> FirstText(scoped in JsonView view, int row) =>
        view.Kind(row) == JsonKind.Array && view.First(row) is >= 0 and var first ? view.Text(first) : view.Text(row);

    static bool IsIdentifier(ReadOnlySpan<byte> name) =>
        name.EndsWith("Arn"u8) || name.EndsWith("ARN"u8) || name.EndsWith("Name"u8) || name.EndsWith("Identifier"u8)
        || (name.EndsWith("Id"u8) && !name.SequenceEqual("clientRequestId"u8) && !name.SequenceEqual("requestId"u8));
}
