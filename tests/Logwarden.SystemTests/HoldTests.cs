using System.Net;
using System.Text;
using System.Text.Json;
using Amazon.S3;
using Amazon.S3.Model;
using Logwarden.Archive;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Legal holds as a person uses them: on a real S3 server with Object Lock, and beside a server that takes in.</summary>
public sealed class HoldTests(CephGateway gateway)
{
    static readonly string[] People = ["--requester", "rita", "--approver", "otto"];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task On_S3_a_hold_is_on_exactly_its_scope_and_nothing_gets_past_it()
    {
        var bucket = await gateway.NewBucketAsync(isLocked: true);
        var target = gateway.Target(bucket, "logs");
        using var data = new TempFolder();
        await IngestAsync(data, target, ("ada", "2026-11-20"), ("grace", "2026-11-21"), ("linus", "2026-11-22"));
        // Only the archive has it any more.
        Directory.Delete(data.In("hot", "segments"), recursive: true);

        Assert.Contains("hold 1 is on 1 objects", await RunAsync(data, target, ["hold", "add", "--matter", "case 7", "--user", "ada", .. People]), StringComparison.Ordinal);
        Assert.Equal(["2026-11-20"], await HeldAsync(target));

        var (ada, grace) = (await VersionAsync(bucket, "2026-11-20"), await VersionAsync(bucket, "2026-11-21"));
        await RefusedAsync(ada);
        // Its retention is of the kind that can be shortened; the hold stays.
        var end = TimeProvider.System.GetUtcNow().AddSeconds(2);
        await gateway.Client.PutObjectRetentionAsync(new()
        {
            BucketName = bucket,
            Key = ada.Key,
            VersionId = ada.VersionId,
            BypassGovernanceRetention = true,
            Retention = new() { Mode = ObjectLockRetentionMode.Governance, RetainUntilDate = end.UtcDateTime },
        }, Cancel);
        while (TimeProvider.System.GetUtcNow() <= end.AddSeconds(1)) await Task.Delay(TimeSpan.FromMilliseconds(200), TimeProvider.System, Cancel);
        await RefusedAsync(ada);
        await DeleteAsync(grace, bypass: true);

        await IngestAsync(data, target, ("ada", "2026-11-23"), ("ken", "2026-11-24"));
        Assert.Equal(["2026-11-20", "2026-11-23"], await HeldAsync(target));

        var sealedAda = await VersionAsync(bucket, "2026-11-23");
        await gateway.Client.PutObjectLegalHoldAsync(new() { BucketName = bucket, Key = sealedAda.Key, VersionId = sealedAda.VersionId, LegalHold = new() { Status = ObjectLockLegalHoldStatus.Off } }, Cancel);
        var check = await Tool.RunAsync("hold", "list", "--check", "--data", data.Path, "--archive", target);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains("date=2026-11-23", check.Errors, StringComparison.Ordinal);
        Assert.Equal(1, (await Tool.RunAsync("hold", "apply", "--data", data.Path, "--archive", target)).ExitCode);
        Assert.Equal(["2026-11-20", "2026-11-23"], await HeldAsync(target));
        await RunAsync(data, target, "hold", "list", "--check");

        await RunAsync(data, target, ["hold", "add", "--matter", "case 8", "--to", "2026-11-21", .. People]);
        await RunAsync(data, target, ["hold", "release", "1", "--reason", "settled", .. People]);
        Assert.Equal(["2026-11-20"], await HeldAsync(target));
        await RunAsync(data, target, ["hold", "release", "2", "--reason", "settled", .. People]);
        Assert.Empty(await HeldAsync(target));
        await DeleteAsync(ada, bypass: false); // its retention has ended

        async Task RefusedAsync(S3ObjectVersion version)
        {
            foreach (var bypass in (bool[])[false, true])
                Assert.Equal(HttpStatusCode.Forbidden, (await Assert.ThrowsAnyAsync<AmazonS3Exception>(() => DeleteAsync(version, bypass))).StatusCode);
        }

        Task DeleteAsync(S3ObjectVersion version, bool bypass) =>
            gateway.Client.DeleteObjectAsync(new() { BucketName = bucket, Key = version.Key, VersionId = version.VersionId, BypassGovernanceRetention = bypass }, Cancel);
    }

    [Fact]
    public async Task Beside_a_server_a_hold_gets_onto_what_is_sealed_next_and_what_was_sealed_and_off_again()
    {
        using var data = new TempFolder();
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await using var server = await Server.StartAsync(data.Path, "--seal-age", "1s");
        await PostAsync(server, token, "ada", "2026-11-20");
        await PostAsync(server, token, "grace", "2026-11-21");
        await SealedAsync(server);

        using (var refused = await ApiAsync(server, HttpMethod.Post, "api/v1/holds", """{"matter":"case 7","user":"ada","requester":"rita","approver":"Rita"}"""))
        {
            Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
            Assert.Contains("approver: ", await refused.Content.ReadAsStringAsync(Cancel), StringComparison.Ordinal);
        }
        var same = await Tool.RunAsync("hold", "add", "--matter", "case 7", "--user", "ada", "--requester", "rita", "--approver", "rita", "--data", data.Path);
        Assert.Equal(64, same.ExitCode);
        Assert.Contains("--approver: ", same.Errors, StringComparison.Ordinal);

        using (var added = await ApiAsync(server, HttpMethod.Post, "api/v1/holds", """{"matter":"case 7","user":"ada","requester":"rita","approver":"otto"}"""))
            Assert.Equal(HttpStatusCode.OK, added.StatusCode);
        await HoldsAsync(server, holds => holds[0].GetProperty("state").GetString() is "on" && holds[0].GetProperty("objects").GetInt64() == 1);
        Assert.Equal(["2026-11-20"], await HeldAsync(data.In("archive")));

        await PostAsync(server, token, "ada", "2026-11-22");
        await PostAsync(server, token, "ken", "2026-11-23");
        await HoldsAsync(server, holds => holds[0].GetProperty("objects").GetInt64() == 2);
        await SealedAsync(server);
        Assert.Equal(["2026-11-20", "2026-11-22"], await HeldAsync(data.In("archive")));

        // By the command line, while the server seals.
        await Tool.OkAsync(["hold", "add", "--matter", "case 8", "--when", "user=ken OR user=grace", "--data", data.Path, .. People]);
        Assert.Equal(["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"], await HeldAsync(data.In("archive")));
        await PostAsync(server, token, "grace", "2026-11-24");
        await SealedAsync(server);
        Assert.Contains("2026-11-24", await HeldAsync(data.In("archive")));

        await Tool.OkAsync(["hold", "release", "2", "--reason", "settled", "--data", data.Path, .. People]);
        Assert.Equal(["2026-11-20", "2026-11-22"], await HeldAsync(data.In("archive")));
        using (var released = await ApiAsync(server, HttpMethod.Post, "api/v1/holds/1/release", """{"requester":"rita","approver":"otto","reason":"settled"}"""))
            Assert.Equal(HttpStatusCode.OK, released.StatusCode);
        await HoldsAsync(server, holds => holds[0].GetProperty("state").GetString() is "released");
        Assert.Empty(await HeldAsync(data.In("archive")));
        using var none = await ApiAsync(server, HttpMethod.Post, "api/v1/holds/9/release", """{"requester":"rita","approver":"otto","reason":"x"}""");
        Assert.Equal(HttpStatusCode.NotFound, none.StatusCode);
        using var anyone = new HttpClient { BaseAddress = server.Http.BaseAddress };
        Assert.Equal(HttpStatusCode.Unauthorized, (await anyone.GetAsync(new Uri("api/v1/holds", UriKind.Relative), Cancel)).StatusCode);
        await Tool.OkAsync("verify", "--data", data.Path);
    }

    [Fact]
    public async Task What_is_in_the_archive_only_is_told_and_comes_back_beside_a_server()
    {
        using var data = new TempFolder();
        await IngestAsync(data, null, ("ada", "2026-11-20"), ("grace", "2026-11-21"));
        Directory.Delete(data.In("hot", "segments", "class=application", "date=2026-11-20"), recursive: true);

        var cold = await Tool.RunAsync("query", "", "--source", "shop", "--json", "--data", data.Path);
        Assert.Equal((0, 1), (cold.ExitCode, cold.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Length));
        Assert.Contains("not in this answer: 1 segments with 1 events", cold.Errors, StringComparison.Ordinal);
        Assert.Contains("logwarden restore --from 2026-11-20T10:00:00Z --to 2026-11-20T10:00:01Z", cold.Errors, StringComparison.Ordinal);
        Assert.Empty((await Tool.RunAsync("query", "", "--source", "shop", "--from", "2026-11-21", "--json", "--data", data.Path)).Errors);

        await using var server = await Server.StartAsync(data.Path);
        var answer = JsonDocument.Parse(await server.QueryAsync("""{"source":"shop"}""")).RootElement;
        Assert.Equal(1, answer.GetProperty("events").GetArrayLength());
        Assert.Equal(1, answer.GetProperty("cold").GetProperty("segments").GetInt64());
        Assert.StartsWith("logwarden restore ", answer.GetProperty("cold").GetProperty("restore").GetString(), StringComparison.Ordinal);

        Assert.Contains("1 segments to fetch", await Tool.OkAsync("restore", "--from", "2026-11-20", "--to", "2026-11-22", "--dry-run", "--data", data.Path), StringComparison.Ordinal);
        Assert.False(File.Exists(data.In("hot", "segments", "class=application", "date=2026-11-20")));
        Assert.Contains("1 segments are back", await Tool.OkAsync("restore", "--from", "2026-11-20", "--to", "2026-11-22", "--data", data.Path), StringComparison.Ordinal);

        answer = JsonDocument.Parse(await server.QueryAsync("""{"source":"shop"}""")).RootElement;
        Assert.Equal(2, answer.GetProperty("events").GetArrayLength());
        Assert.False(answer.TryGetProperty("cold", out _));
        Assert.Contains("there", await Tool.OkAsync("restore", "list", "--data", data.Path), StringComparison.Ordinal);
        Assert.Contains("0 segments to fetch", await Tool.OkAsync("restore", "--from", "2026-11-20", "--to", "2026-11-22", "--data", data.Path), StringComparison.Ordinal);
    }

    static string Event(string user, string date) =>
        $$"""{"id":"{{user}}-{{date}}","time":"{{date}}T10:00:00Z","user":"{{user}}","ip":"192.0.2.7","action":"order.update","object":"order-7"}""";

    static async Task IngestAsync(TempFolder data, string? target, params (string User, string Date)[] events)
    {
        var lines = Encoding.UTF8.GetBytes(string.Concat(events.Select(e => Event(e.User, e.Date) + "\n")));
        string[] archive = target is null ? [] : ["--archive", target];
        var run = await Tool.RunAsync(lines, ["ingest", "-", "--source", "shop", "--format", "app", "--data", data.Path, .. archive]);
        Assert.True(run.ExitCode == 0, run.Output + run.Errors);
    }

    static Task<string> RunAsync(TempFolder data, string target, params string[] args) => Tool.OkAsync([.. args, "--data", data.Path, "--archive", target]);

    /// <summary>Dates of the application's segments that are under hold in the archive.</summary>
    static async Task<List<string>> HeldAsync(string target)
    {
        using var store = ArchiveTarget.Open(target, TimeProvider.System);
        var held = new List<string>();
        await foreach (var version in store.List("segments/class=application/", Cancel))
            if ((await store.Head(version.Key, version.VersionId, Cancel))!.LegalHold) held.Add(version.Key.Split('/')[2]["date=".Length..]);
        return held;
    }

    async Task<S3ObjectVersion> VersionAsync(string bucket, string date) =>
        Assert.Single((await gateway.Client.ListVersionsAsync(new ListVersionsRequest { BucketName = bucket, Prefix = $"logs/segments/class=application/date={date}/" }, Cancel)).Versions);

    static async Task PostAsync(Server server, string token, string user, string date)
    {
        using var answer = await server.PostAsync(token, Encoding.UTF8.GetBytes(Event(user, date)));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    static async Task<HttpResponseMessage> ApiAsync(Server server, HttpMethod method, string path, string? body)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        if (body is not null) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        return await server.Http.SendAsync(request, Cancel);
    }

    /// <summary>Waits until everything that was accepted up to now is sealed.</summary>
    static async Task SealedAsync(Server server)
    {
        var end = (await HealthAsync(server)).GetProperty("durable_end").GetInt64();
        await Until(async () => (await HealthAsync(server)).GetProperty("sealed_to").GetInt64() >= end);
    }

    static async Task<JsonElement> HealthAsync(Server server) => JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("health/ready", UriKind.Relative), Cancel)).RootElement;

    static Task HoldsAsync(Server server, Func<JsonElement, bool> isSo) => Until(async () =>
        isSo(JsonDocument.Parse(await server.Http.GetStringAsync(new Uri("api/v1/holds", UriKind.Relative), Cancel)).RootElement.GetProperty("holds")));

    static async Task Until(Func<Task<bool>> isSo)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(2), TimeProvider.System);
        while (!await isSo()) await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, late.Token);
    }
}
