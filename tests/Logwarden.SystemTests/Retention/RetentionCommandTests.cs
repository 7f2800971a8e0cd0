using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests.Retention;

/// <summary>The commands as a person runs them: events of long ago are taken in, so that their hot time is over by what they say of themselves.</summary>
public sealed class RetentionCommandTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task An_event_is_explained_reported_and_left_alone_as_long_as_it_must_be()
    {
        var data = _scratch.File("data");
        var now = TimeProvider.System.GetUtcNow();
        var events = Encoding.UTF8.GetBytes($$"""{"id":"a-1","dt":"{{now.AddDays(-1):O}}","user":"ada","ip":"192.0.2.7","action":"login","object":"shop"}""" + "\n");
        var taken = await Tool.RunAsync(events, "ingest", "--source", "shop", "--format", "app", "--data", data, "-");
        Assert.True(taken.ExitCode == 0, taken.Errors);
        var id = Parse((await Tool.OkAsync("query", "user=ada", "--format", "json", "--data", data)).Split('\n')[0]).GetProperty("metadata").GetProperty("uid").GetString()!;

        var explained = Parse(await Tool.OkAsync("retention", "explain", id, "--json", "--data", data));
        Assert.Equal("security-audit", explained.GetProperty("class").GetString());
        var governs = explained.GetProperty("terms").EnumerateArray().Single(term => term.GetProperty("governs").GetBoolean());
        Assert.Equal(("class", "13mo"), (governs.GetProperty("reason").GetString(), governs.GetProperty("keep").GetString()));
        Assert.Equal(explained.GetProperty("locked_until").GetString(), explained.GetProperty("cold_until").GetString());
        Assert.Contains("governs", await Tool.OkAsync("retention", "explain", explained.GetProperty("segment").GetString()!, "--data", data), StringComparison.Ordinal);

        var run = Parse(await Tool.OkAsync("retention", "run", "--json", "--data", data));
        Assert.True(run.GetProperty("done").GetBoolean());
        Assert.Equal(0, run.GetProperty("acts").GetArrayLength());
        var months = Parse(await Tool.OkAsync("retention", "report", "--json", "--data", data)).EnumerateArray().ToList();
        var month = months.Single(one => one.GetProperty("class").GetString() is "security-audit" && string.Equals(one.GetProperty("month").GetString(), $"{now.AddDays(-1):yyyy-MM}", StringComparison.Ordinal));
        Assert.Equal((1, 1, 0), (month.GetProperty("hot").GetInt32(), month.GetProperty("cold").GetInt32(), month.GetProperty("missing").GetInt32()));
        Assert.Equal(1, (await Tool.RunAsync("retention", "explain", "nothing", "--data", data)).ExitCode);
        Assert.Equal(64, (await Tool.RunAsync("retention", "report", "--month", "May", "--data", data)).ExitCode);
    }

    static JsonElement Parse(string json) => JsonSerializer.Deserialize<JsonElement>(json);
}
