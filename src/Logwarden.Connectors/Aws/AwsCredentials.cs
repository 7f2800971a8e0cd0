using Amazon.Runtime;
using Amazon.Runtime.CredentialManagement;
using Amazon.Runtime.Credentials;

namespace Logwarden.Aws;

/// <summary>
/// Credentials as the AWS SDK finds them: environment, shared files, web identity, container or instance role. They are never among our settings. Those that end
/// are asked for anew by the SDK before they do; those that AWS takes no more are looked for again, so that a rotated key needs no restart. Thread-safe.
/// </summary>
/// <param name="find">Looks for them.</param>
public sealed class AwsCredentials(Func<CancellationToken, Task<AWSCredentials>> find)
{
    AWSCredentials? _found;

    /// <summary>Those of a profile of the shared files, or of the default chain.</summary>
    /// <param name="profile">Name of the profile; null is the default chain.</param>
    public static AwsCredentials Of(string? profile) => new(cancel => FindAsync(profile, cancel));

    /// <summary>The keys to sign with now.</summary>
    /// <exception cref="AmazonClientException">There are none, or where they come from can't be reached.</exception>
    /// <exception cref="AmazonServiceException">A role was not given.</exception>
    public async ValueTask<ImmutableCredentials> GetAsync(CancellationToken cancel)
    {
        var found = Volatile.Read(ref _found);
        if (found is null) Volatile.Write(ref _found, found = await find(cancel));
        return await found.GetCredentialsAsync().WaitAsync(cancel);
    }

    /// <summary>Looks for them again at the next use.</summary>
    public void Forget() => Volatile.Write(ref _found, null);

    static async Task<AWSCredentials> FindAsync(string? profile, CancellationToken cancel)
    {
        if (profile is not null)
        {
            return new CredentialProfileStoreChain().TryGetAWSCredentials(profile, out var credentials)
                ? credentials : throw new AmazonClientException($"the shared files of AWS hold no credentials of a profile named {profile}");
        }
        using var resolver = new DefaultAWSCredentialsIdentityResolver();
        return await resolver.ResolveIdentityAsync(null, cancel);
    }
}
