using Logwarden.Destinations;
using Logwarden.Flow;
using Logwarden.Tests.World;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Destinations;

public sealed class CloudWatchSettingsTests
{
    [Theory]
    [InlineData("region", "eu central 1")]
    [InlineData("region", "evil.example/")]
    [InlineData("log-group-prefix", "aws/logs")]
    [InlineData("log-group-prefix", "a b")]
    [InlineData("log-group-prefix", "/")]
    [InlineData("endpoint", "ftp://logs.example")]
    [InlineData("endpoint", "http://logs.example")]
    [InlineData("endpoint", "https://user:pass@logs.example")]
    [InlineData("endpoint", "https://logs.example/path")]
    public void A_wrong_setting_is_named(string name, string value)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["region"] = "eu-central-1", [name] = value };
        Assert.Equal(name, Assert.Throws<SettingException>(() => Open(settings, new FakeTimeProvider())).Setting);
    }

    [Theory]
    [InlineData("log-group-prefix", "/logs/prod/")]
    [InlineData("endpoint", "https://vpce-1.logs.eu-central-1.vpce.amazonaws.com")]
    [InlineData("endpoint", "http://127.0.0.1:8080")]
    [InlineData("region", "us-gov-west-1")]
    public async Task A_right_setting_is_taken(string name, string value)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["region"] = "eu-central-1", [name] = value };
        await using var destination = Open(settings, new FakeTimeProvider());
        Assert.Equal(10_000, destination.Limits.EventsMax);
    }

    [Fact]
    public async Task Keys_of_a_profile_are_read_anew_when_they_were_changed()
    {
        using var scratch = new ScratchFolder();
        var time = new FakeTimeProvider(CloudWatchWorld.Start);
        await using var aws = await CloudWatchStandIn.StartAsync(time);
        var file = scratch.File("credentials");
        // Nothing else of these tests reads it.
        Environment.SetEnvironmentVariable("AWS_SHARED_CREDENTIALS_FILE", file);
        Write(aws.Key);
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["profile"] = "logs", ["region"] = aws.Region, ["endpoint"] = aws.Endpoint.ToString() };
        await using var destination = Open(settings, time);
        Assert.IsType<Answer.Accepted>(await SendAsync());

        var next = new AwsKey("AKIDNEXT", "next-secret");
        aws.Remove(aws.Key);
        aws.Add(next);
        Assert.IsType<Answer.Blocked>(await SendAsync());
        Write(next);

        Assert.IsType<Answer.Accepted>(await SendAsync());

        void Write(AwsKey key) => File.WriteAllLines(file, ["[logs]", "aws_access_key_id = " + key.AccessKey, "aws_secret_access_key = " + key.SecretKey]);

        async ValueTask<Answer> SendAsync()
        {
            var batch = new EventBatch();
            var encoded = CloudWatchWorld.Event(0, CloudWatchWorld.Start);
            Assert.True(Logwarden.Events.EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, destination);
            return await destination.SendAsync(batch, CloudWatchWorld.Cancel);
        }
    }

    /// <summary>The example <c>get-vanilla</c> of AWS's own test suite for signatures.</summary>
    [Theory]
    [InlineData("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", null)]
    [InlineData("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEX", "InvalidSignatureException")]
    public void The_check_of_signatures_takes_what_AWS_publishes(string secret, string? expected)
    {
        var context = new DefaultHttpContext();
        context.Request.Method = "GET";
        context.Request.Path = "/";
        context.Request.Headers.Host = "example.amazonaws.com";
        context.Request.Headers["x-amz-date"] = "20150830T123600Z";
        context.Request.Headers.Authorization = "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date, "
            + "Signature=5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";

        var refused = SignatureCheck.Refuse(context.Request, [], _ => new("AKIDEXAMPLE", secret), "us-east-1", "service", new(2015, 8, 30, 12, 36, 0, TimeSpan.Zero));

        Assert.Equal(expected, refused?.Type);
    }

    static IDestination Open(Dictionary<string, string> settings, TimeProvider time)
    {
        Assert.True(DestinationCatalog.TryFind("cloudwatch", out var type));
        return type.Open(new("aws", settings, new Dictionary<string, int>(StringComparer.Ordinal) { ["application"] = 30 }, time));
    }
}
