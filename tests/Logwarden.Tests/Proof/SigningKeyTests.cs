using System.Runtime.Versioning;
using Logwarden.Proof.Notes;

namespace Logwarden.Tests.Proof;

[UnsupportedOSPlatform("windows")]
public sealed class SigningKeyTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("logwarden-keys-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_saved_key_is_the_owners_alone_and_loads_again()
    {
        var path = Path.Combine(_folder, "key");
        using var key = SigningKey.Generate("example.com/a");
        key.Save(path);

        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(path));
        using var loaded = SigningKey.Load(path);
        Assert.Equal(key.Verifier, loaded.Verifier);
        Assert.True(VerifierKey.TryParse(key.Verifier.ToString(), out var parsed, out _));
        Assert.True(parsed.Verify("x"u8, loaded.Sign("x"u8)));
        Assert.Throws<IOException>(() => key.Save(path));
    }

    [Fact]
    public void A_key_file_that_others_can_read_is_refused()
    {
        var path = Path.Combine(_folder, "key");
        using var key = SigningKey.Generate("a");
        key.Save(path);
        File.SetUnixFileMode(path, File.GetUnixFileMode(path) | UnixFileMode.GroupRead);
        Assert.Throws<InvalidDataException>(() => SigningKey.Load(path));
    }

    [Theory]
    [InlineData("")]
    [InlineData("PRIVATE+KEY+")]
    [InlineData("PRIVATE+KEY+a+00000000+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")]
    [InlineData("PRIVATE+KEY+a+zz+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")]
    [InlineData("PRIVATE+KEY+a+c74f20a3+AoEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")]
    [InlineData("PRIVATE+KEY+a+c74f20a3+AYEK")]
    [InlineData("private+key+a+c74f20a3+AYEK")]
    public void What_is_no_key_is_refused_without_being_quoted(string text)
    {
        Assert.False(SigningKey.TryParse(new(text), out _, out var reason));
        Assert.DoesNotContain("AYEK", reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_secret_prints_as_stars()
    {
        var secret = new Secret("hunter2");
        Assert.Equal("***", $"{secret}");
        Assert.Equal(new("hunter2"), secret);
        Assert.NotEqual(new("hunter3"), secret);
        using var key = SigningKey.Generate("a");
        Assert.DoesNotContain("PRIVATE", $"{key} {key.ToSecret()}", StringComparison.Ordinal);
    }
}
