using System.Net;
using Amazon.Runtime;
using Logwarden.Aws;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>The signer of AWS requests against a server that is not ours: what it signs is taken, what was signed with another key, clock or body is not.</summary>
public sealed class SignatureTests(CephGateway gateway)
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("plain.txt")]
    [InlineData("a%20b/%C3%BC%E2%98%83.txt")]
    [InlineData("semi%3Bcolon%3D%2B%26.txt")]
    public async Task A_real_server_takes_signed_requests(string key)
    {
        var bucket = await gateway.NewBucketAsync(isLocked: false);
        var body = "zwölf ☃"u8.ToArray();

        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Get, "/", [], Credentials())).Status);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync(HttpMethod.Put, $"/{bucket}/{key}", body, Credentials())).Status);
        Assert.Equal((HttpStatusCode.OK, "zwölf ☃"), await SendAsync(HttpMethod.Get, $"/{bucket}/{key}", [], Credentials()));
        var (status, list) = await SendAsync(HttpMethod.Get, $"/{bucket}?prefix={key}&list-type=2&max-keys=5", [], Credentials());
        Assert.Equal(HttpStatusCode.OK, status);
        Assert.Contains("<KeyCount>1</KeyCount>", list, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_real_server_does_not_take_other_keys_clocks_and_bodies()
    {
        var bucket = await gateway.NewBucketAsync(isLocked: false);
        var own = Credentials();
        var path = $"/{bucket}/x";

        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Put, path, "x"u8.ToArray(), new(own.AccessKey, own.SecretKey + "x", null))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Put, path, "x"u8.ToArray(), new("nobody", own.SecretKey, null))).Status);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync(HttpMethod.Put, path, "x"u8.ToArray(), own, late: TimeSpan.FromHours(1))).Status);
        var (status, _) = await SendAsync(HttpMethod.Put, path, "x"u8.ToArray(), own, sent: "y"u8.ToArray());
        Assert.True(status is HttpStatusCode.BadRequest or HttpStatusCode.Forbidden, status.ToString());
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(HttpMethod.Get, path, [], own)).Status);
    }

    static ImmutableCredentials Credentials() =>
        new(Environment.GetEnvironmentVariable("AWS_ACCESS_KEY_ID"), Environment.GetEnvironmentVariable("AWS_SECRET_ACCESS_KEY"), null);

    async Task<(HttpStatusCode Status, string Body)> SendAsync(
        HttpMethod method, string path, byte[] signed, ImmutableCredentials credentials, TimeSpan late = default, byte[]? sent = null)
    {
        using var http = new HttpClient();
        using var request = new HttpRequestMessage(method, new Uri(gateway.Endpoint.GetLeftPart(UriPartial.Authority) + path));
        if (signed.Length > 0) request.Content = new ByteArrayContent(sent ?? signed);
        AwsSigner.Sign(request, signed, credentials, "us-east-1", "s3", TimeProvider.System.GetUtcNow() - late);
        using var response = await http.SendAsync(request, Cancel);
        return (response.StatusCode, await response.Content.ReadAsStringAsync(Cancel));
    }
}
