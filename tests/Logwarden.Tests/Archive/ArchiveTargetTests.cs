using CsCheck;
using Logwarden.Archive;

namespace Logwarden.Tests.Archive;

public class ArchiveTargetTests
{
    [Theory]
    [InlineData("file:/var/x", "/var/x")]
    [InlineData("file:///var/x", "/var/x")]
    [InlineData("/var/x", "/var/x")]
    [InlineData("data/archive", "data/archive")]
    [InlineData("file:data/archive", "data/archive")]
    public void A_folder_is_read(string text, string folder)
    {
        Assert.True(ArchiveTarget.TryParse(text, out var target, out _));
        Assert.Equal(folder, target.Folder);
        Assert.Null(target.Bucket);
    }

    [Fact]
    public void A_bucket_is_read_with_its_settings()
    {
        Assert.Equal(new S3Options { Bucket = "logs" }, Bucket("s3://logs"));
        Assert.Equal(new S3Options { Bucket = "logs", Prefix = "a/b" }, Bucket("s3://logs/a/b/"));
        Assert.Equal(new S3Options { Bucket = "logs", Region = "eu-west-1", PathStyle = true }, Bucket("s3://logs?region=eu-west-1&path-style=true"));
        var gateway = new S3Options { Bucket = "logs", Prefix = "p", Endpoint = new("http://127.0.0.1:1"), PathStyle = true, ChecksumsWhenRequired = true };
        Assert.Equal(gateway, Bucket("s3://logs/p?endpoint=http://127.0.0.1:1"));
        Assert.Equal(gateway, Bucket("s3://logs/p?endpoint=http%3A%2F%2F127.0.0.1%3A1"));
        Assert.Equal(gateway with { PathStyle = false, ChecksumsWhenRequired = false },
            Bucket("s3://logs/p?endpoint=http://127.0.0.1:1&path-style=false&checksums=when-supported"));
    }

    static S3Options Bucket(string text)
    {
        Assert.True(ArchiveTarget.TryParse(text, out var target, out var reason), reason);
        return target.Bucket!;
    }

    [Theory]
    [InlineData("")]
    [InlineData("file:")]
    [InlineData("s3://")]
    [InlineData("s3:///x")]
    [InlineData("s3://UPPER/x")]
    [InlineData("s3://ok?regio=x")]
    [InlineData("s3://logs?region=")]
    [InlineData("s3://logs?endpoint=ftp://x")]
    [InlineData("s3://logs?path-style=yes")]
    [InlineData("s3://logs/a//b")]
    [InlineData("s3://logs/../b")]
    [InlineData("gs://x/y")]
    public void What_is_no_target_is_refused_with_a_reason(string text)
    {
        Assert.False(ArchiveTarget.TryParse(text, out _, out var reason));
        Assert.NotEmpty(reason);
        Assert.Contains(reason, Assert.Throws<FormatException>(() => ArchiveTarget.Open(text, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Noise_never_throws() => Gen.String.Sample(text =>
        ArchiveTarget.TryParse("s3://" + text, out _, out var reason) == (reason.Length == 0) && ArchiveTarget.TryParse(text, out _, out reason) == (reason.Length == 0), iter: 500);
}
