using System.Diagnostics;
using Amazon.Runtime;
using Amazon.S3;
using Amazon.S3.Model;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

[assembly: AssemblyFixture(typeof(CephGateway))]

namespace Logwarden.SystemTests.World;

/// <summary>
/// A real S3 server with Object Lock, started by the first test that asks for it and stopped at the end of the run. Where it cannot be
/// installed, tests that need it are skipped; with <c>CI=true</c> they fail.
/// </summary>
public sealed class CephGateway : IAsyncDisposable
{
    readonly SemaphoreSlim _gate = new(1);
    readonly string _folder = Directory.CreateTempSubdirectory("logwarden-ceph-").FullName;
    AmazonS3Client? _client;
    string? _failure;
    int _buckets;

    /// <summary>Where it answers.</summary>
    public Uri Endpoint { get; private set; } = new("http://127.0.0.1");

    /// <summary>A client of the bucket owner's, with every right.</summary>
    public AmazonS3Client Client => _client ?? throw new InvalidOperationException("start it first");

    /// <summary>A new bucket, with or without Object Lock.</summary>
    public async Task<string> NewBucketAsync(bool isLocked)
    {
        await StartAsync();
        var name = $"test-{Interlocked.Increment(ref _buckets)}";
        await Client.PutBucketAsync(new PutBucketRequest { BucketName = name, ObjectLockEnabledForBucket = isLocked }, TestContext.Current.CancellationToken);
        return name;
    }

    /// <summary>Text form of an archive in a bucket.</summary>
    public string Target(string bucket, string prefix) =>
        $"s3://{bucket}{(prefix.Length == 0 ? "" : "/" + prefix)}?endpoint={Endpoint}&region=us-east-1&path-style=true";

    /// <summary>Starts it unless it runs.</summary>
    public async Task StartAsync()
    {
        await _gate.WaitAsync(TestContext.Current.CancellationToken);
        try
        {
            if (_client is null && _failure is null) await TryStartAsync();
        }
        finally
        {
            _gate.Release();
        }
        if (_failure is null) return;
        var message = $"the S3 gateway did not start: {_failure}";
        if (string.Equals(Environment.GetEnvironmentVariable("CI"), "true", StringComparison.OrdinalIgnoreCase)) Assert.Fail(message);
        Assert.Skip(message);
    }

    /// <summary>Starts one more, with the same credentials, whose clock is ahead by what a file says; whoever starts it stops it with <see cref="StopAsync"/>.</summary>
    /// <returns>Where it answers.</returns>
    public async Task<Uri> StartClockedAsync(string folder, string clock)
    {
        await StartAsync();
        var (code, output, errors) = await RunAsync("start", folder, TestContext.Current.CancellationToken,
            ("CLOCK", clock), ("ACCESS_KEY", Environment.GetEnvironmentVariable("AWS_ACCESS_KEY_ID")!), ("SECRET_KEY", Environment.GetEnvironmentVariable("AWS_SECRET_ACCESS_KEY")!));
        Assert.True(code == 0, errors);
        return new(output.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Single(word => word.StartsWith("S3_ENDPOINT=", StringComparison.Ordinal))["S3_ENDPOINT=".Length..]);
    }

    /// <summary>Stops one that <see cref="StartClockedAsync"/> started.</summary>
    public static async Task StopAsync(string folder) => await RunAsync("stop", folder, CancellationToken.None);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _client?.Dispose();
        await RunAsync("stop", _folder, CancellationToken.None);
        Directory.Delete(_folder, recursive: true);
        _gate.Dispose();
    }

    async Task TryStartAsync()
    {
        var (code, output, errors) = await RunAsync("start", _folder, TestContext.Current.CancellationToken);
        if (code != 0)
        {
            _failure = errors.Trim();
            return;
        }
        var settings = output.Split([' ', '\n'], StringSplitOptions.RemoveEmptyEntries).Where(word => word.Contains('=', StringComparison.Ordinal))
            .Select(word => word.Split('=', 2)).ToDictionary(pair => pair[0], pair => pair[1], StringComparer.Ordinal);
        // The product reads credentials where the AWS SDK does.
        foreach (var name in (string[])["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) Environment.SetEnvironmentVariable(name, settings[name]);
        Endpoint = new(settings["S3_ENDPOINT"]);
        _client = new(new BasicAWSCredentials(settings["AWS_ACCESS_KEY_ID"], settings["AWS_SECRET_ACCESS_KEY"]), new AmazonS3Config
        {
            ServiceURL = settings["S3_ENDPOINT"],
            ForcePathStyle = true,
            AuthenticationRegion = "us-east-1",
            RequestChecksumCalculation = RequestChecksumCalculation.WHEN_REQUIRED,
            ResponseChecksumValidation = ResponseChecksumValidation.WHEN_REQUIRED,
        });
    }

    static async Task<(int Code, string Output, string Errors)> RunAsync(string command, string folder, CancellationToken cancel, params (string Name, string Value)[] settings)
    {
        var start = new ProcessStartInfo("bash", [Script, command, folder]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        foreach (var (name, value) in settings) start.Environment[name] = value;
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancel);
        var errors = process.StandardError.ReadToEndAsync(cancel);
        await process.WaitForExitAsync(cancel);
        return (process.ExitCode, await output, await errors);
    }

    static string Script => Path.Combine(Repository.Root, "tests", "services", "ceph-rgw.sh");
}
