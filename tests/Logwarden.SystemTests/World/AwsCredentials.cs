using Logwarden.Tests.World;

namespace Logwarden.SystemTests.World;

/// <summary>A file of AWS profiles for programs that tests start. There is one environment for all: tests that set it are of one collection, which runs one after the other.</summary>
static class AwsCredentials
{
    /// <summary>Name of that collection.</summary>
    public const string Collection = "AWS credentials";

    /// <summary>The profile; the keys in the environment are those of the S3 server, and a profile goes before them.</summary>
    public const string Profile = "logs";

    /// <summary>Writes the file and names it to programs that are started from now on.</summary>
    public static async Task UseAsync(string file, AwsKey key)
    {
        await File.WriteAllLinesAsync(file, [$"[{Profile}]", "aws_access_key_id = " + key.AccessKey, "aws_secret_access_key = " + key.SecretKey], TestContext.Current.CancellationToken);
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", file);
    }
}
