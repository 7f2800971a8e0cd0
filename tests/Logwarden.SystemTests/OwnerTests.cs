using System.Net;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>An installation of one user, and commands that another one runs.</summary>
public class OwnerTests
{
    const int Nobody = 65534;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("source", "add", "shop", "--format", "app")]
    [InlineData("token", "add", "ada")]
    [InlineData("query")]
    [InlineData("ingest", "--source", "shop", "--format", "app", "-")]
    [InlineData("serve")]
    public async Task Root_writes_nothing_into_another_users_installation(params string[] args)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give files away");
        using var data = new TempFolder();
        await Tool.OkAsync("source", "add", "bank", "--format", "app", "--data", data.Path);
        Tool.Give(data.In("state"), Nobody); // the folder itself may be a mount that is root's
        var before = Directory.GetFileSystemEntries(data.Path, "*", SearchOption.AllDirectories);

        var run = await Tool.RunAsync([.. args, "--data", data.Path]);

        Assert.Equal(64, run.ExitCode);
        Assert.Contains("belongs to nobody", run.Errors, StringComparison.Ordinal);
        Assert.Contains("sudo -u nobody logwarden", run.Errors, StringComparison.Ordinal);
        Assert.Equal(before, Directory.GetFileSystemEntries(data.Path, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task A_list_of_sources_that_can_not_be_read_any_more_stays_in_force_and_is_told()
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give files away");
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.In("data"))).Trim();
        Tool.Give(data.Path, Nobody);
        await using var server = await Server.StartAsAsync(Nobody, data.In("data"));
        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.OK), await SendAsync());

        await File.AppendAllTextAsync(data.In("data", "state", "sources.json"), "\n", Cancel); // as when root had changed it
        Tool.Give(data.In("data", "state", "sources.json"), 0);

        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.ServiceUnavailable), await SendAsync());
        Assert.Contains("the list of sources", await (await server.Http.GetAsync(new Uri("health/ready", UriKind.Relative), Cancel)).Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        Assert.Contains("sources.json can't be read", server.Printed, StringComparison.Ordinal);

        Tool.Give(data.In("data", "state", "sources.json"), Nobody);
        Assert.Equal((HttpStatusCode.Accepted, HttpStatusCode.OK), await SendAsync());

        async Task<(HttpStatusCode, HttpStatusCode)> SendAsync()
        {
            using var sent = await server.PostAsync(token, """{"message":"m","user":"ada"}"""u8.ToArray());
            using var ready = await server.Http.GetAsync(new Uri("health/ready", UriKind.Relative), Cancel);
            return (sent.StatusCode, ready.StatusCode);
        }
    }

    [Theory]
    [InlineData("access/2026-11.ndjson", true)]
    [InlineData("state/tokens.json", false)]
    public async Task When_it_can_not_be_told_or_recorded_who_asks_nobody_is_answered(string file, bool isFolder)
    {
        Assert.SkipUnless(Environment.IsPrivilegedProcess, "only root can give files away");
        using var data = new TempFolder();
        await Tool.OkAsync("token", "add", "ada", "--data", data.In("data"));
        await Tool.OkAsync("query", "--data", data.In("data"));
        Tool.Give(data.Path, Nobody);
        await using var server = await Server.StartAsAsync(Nobody, data.In("data"));
        Tool.Give(isFolder ? Path.GetDirectoryName(data.In("data", file))! : data.In("data", file), 0);

        using var request = new HttpRequestMessage(HttpMethod.Get, "api/v1/ledger");
        request.Headers.Authorization = new("Bearer", isFolder ? server.Http.DefaultRequestHeaders.Authorization!.Parameter : "lwa_unknown");
        using var answer = await server.Http.SendAsync(request, Cancel);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        Assert.Contains("A request was not answered", server.Printed, StringComparison.Ordinal);
    }
}
