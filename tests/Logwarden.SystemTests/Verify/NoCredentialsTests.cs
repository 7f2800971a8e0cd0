using System.Diagnostics;
using Logwarden.Proof.Notes;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests.Verify;

public class NoCredentialsTests
{
    [Theory]
    [InlineData("s3://some-bucket/prefix?region=eu-central-1", "Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile or a role.")]
    [InlineData("s3://some-bucket/prefix", "s3://some-bucket/prefix?region=REGION, or set AWS_REGION")]
    public async Task Without_credentials_or_region_the_error_says_what_to_set(string target, string next)
    {
        using var data = new TempFolder();
        var key = data.In("log.pub");
        using var signing = SigningKey.Generate("test.example/log");
        await File.WriteAllTextAsync(key, signing.Verifier + "\n", TestContext.Current.CancellationToken);
        var start = Tool.Start("verify", target, "--key", key);
        foreach (var name in start.Environment.Keys.Where(name => name.StartsWith("AWS_", StringComparison.Ordinal)).ToList()) start.Environment.Remove(name);
        start.Environment["AWS_EC2_METADATA_DISABLED"] = "true";
        start.Environment["HOME"] = data.Path;

        using var process = Process.Start(start)!;
        process.StandardInput.Close();
        var errors = await process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);

        Assert.StartsWith("error: s3://some-bucket/prefix", errors, StringComparison.Ordinal);
        Assert.Contains(next, errors, StringComparison.Ordinal);
        Assert.Equal(74, process.ExitCode);
        Assert.DoesNotContain("   at ", errors, StringComparison.Ordinal);
    }
}
