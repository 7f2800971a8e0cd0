using Logwarden.Commands;
using Logwarden.Hosting;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

public sealed class SourceRegistryTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    string Path => System.IO.Path.Combine(_scratch.Root, "state", "sources.json");

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void A_list_that_can_not_be_read_leaves_the_one_before_until_it_can()
    {
        var told = new List<string>();
        var registry = SourceRegistry.Open(_scratch.Root, _time);
        registry.Unreadable = told.Add;
        registry.Ensure("shop", "app");
        var good = File.ReadAllBytes(Path);

        File.Delete(Path);
        Directory.CreateDirectory(Path); // to be read, it is as forbidden as another user's file
        Assert.Equal("shop", Assert.Single(registry.All).Id);
        Assert.Contains("sources.json can't be read", registry.Failure, StringComparison.Ordinal);
        Assert.Throws<CommandException>(() => registry.AddToken("shop"));
        Assert.Single(told);

        Directory.Delete(Path);
        File.WriteAllBytes(Path, "{"u8.ToArray());
        Assert.Equal("shop", Assert.Single(registry.All).Id);
        Assert.Contains("is not a list of sources", registry.Failure, StringComparison.Ordinal);

        File.WriteAllBytes(Path, good);
        Assert.Null(registry.Failure);
        registry.AddToken("shop");
    }

    [Fact]
    public void A_cloud_is_kept_in_the_spelling_of_the_policy_and_only_where_records_do_not_say_it()
    {
        var registry = SourceRegistry.Open(_scratch.Root, _time);
        Assert.Equal("AWS", registry.Ensure("rds", "pgaudit", cloud: "aws").Source.Cloud);
        Assert.Equal("AWS", registry.Ensure("rds", "pgaudit").Source.Cloud);
        Assert.Contains("registered with --cloud AWS, not Vultr", Assert.Throws<CommandException>(() => registry.Ensure("rds", "pgaudit", cloud: "vultr")).Message, StringComparison.Ordinal);
        registry.SetCloud("rds", "Vultr");
        Assert.Equal("Vultr", SourceRegistry.Open(_scratch.Root, _time).Find("rds")!.Cloud);
        Assert.Throws<CommandException>(() => registry.Ensure("trail", "cloudtrail", cloud: "AWS"));
        Assert.Throws<CommandException>(() => registry.Ensure("odd", "app", cloud: "a\"b"));
        Assert.Null(registry.Ensure("shop", "app").Source.Cloud);
    }

    [Fact]
    public void A_first_list_that_can_not_be_read_is_no_empty_one()
    {
        var registry = SourceRegistry.Open(_scratch.Root, _time);
        Assert.Empty(registry.All);
        Directory.CreateDirectory(Path);

        Assert.Throws<InvalidDataException>(() => registry.FindByToken("lws_0"));
        Assert.NotNull(registry.Failure);
        Assert.Throws<InvalidDataException>(() => SourceRegistry.Open(_scratch.Root, _time));
    }
}
