namespace Logwarden.Archive;

/// <summary>How bad a <see cref="BucketFinding"/> is.</summary>
public enum FindingLevel
{
    /// <summary>It works, but protects less than it could.</summary>
    Warning = 0,

    /// <summary>What is put there is not protected.</summary>
    Error = 1,
}

/// <summary>Something that is not as it should be where the archive lies.</summary>
/// <param name="Code">What it is, as the policy names it: unreachable, unseen, versioning-off, object-lock-off, default-retention, public-access, no-object-lock-store.</param>
/// <param name="Level">How bad it is.</param>
/// <param name="What">What was found, in a sentence.</param>
/// <param name="Remedy">What to do about it.</param>
public sealed record BucketFinding(string Code, FindingLevel Level, string What, string Remedy)
{
    /// <inheritdoc/>
    public override string ToString() => $"{(Level == FindingLevel.Error ? "error" : "warning")}: {What} {Remedy}";
}
