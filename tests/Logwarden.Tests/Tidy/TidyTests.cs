using System.Xml.Linq;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Tidy;

/// <summary>Properties of the code itself that no analyzer checks (after TigerBeetle's tidy.zig).</summary>
public class TidyTests
{
    static readonly Dictionary<string, string[]> MayUse = new(StringComparer.Ordinal)
    {
        ["Logwarden.Redaction"] = [],
        ["Logwarden.Proof"] = [],
        ["Logwarden.Pipeline"] = ["Logwarden.Redaction", "Logwarden.Proof"],
        ["Logwarden.Storage"] = ["Logwarden.Pipeline"],
        ["Logwarden.Operations"] = ["Logwarden.Storage"],
        ["Logwarden.Connectors"] = ["Logwarden.Operations"],
        ["Logwarden"] = ["Logwarden.Connectors"],
    };

    [Fact]
    public void Projects_point_one_way()
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.csproj", SearchOption.AllDirectories))
        {
            var uses = XDocument.Load(file).Descendants("ProjectReference")
                .Select(reference => Path.GetFileNameWithoutExtension(reference.Attribute("Include")!.Value));
            Assert.Empty(uses.Except(MayUse[Path.GetFileNameWithoutExtension(file)], StringComparer.Ordinal));
        }
    }

    [Fact]
    public void No_file_is_longer_than_500_lines() => Assert.DoesNotContain(
        Directory.EnumerateFiles(Path.Combine(Repository.Root, "src"), "*.cs", SearchOption.AllDirectories),
        file => File.ReadLines(file).Skip(500).Any());
}
