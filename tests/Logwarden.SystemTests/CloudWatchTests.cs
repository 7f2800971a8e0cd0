using System.Net;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests;

/// <summary>The whole program delivering to CloudWatch Logs.</summary>
[Collection(AwsCredentials.Collection)]
public sealed class CloudWatchTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Events_come_to_the_group_of_their_class_and_what_somebody_changed_there_is_an_audit_event()
    {
        using var data = new TempFolder();
        using var keys = new ScratchFolder();
        await using var aws = await CloudWatchStandIn.StartAsync(TimeProvider.System);
        aws.State.Create("/logwarden/application");
        aws.State.Retain("/logwarden/application", 1);
        await AwsCredentials.UseAsync(keys.File("credentials"), aws.Key);
        var token = (await Tool.OkAsync("source", "add", "shop", "--format", "app", "--data", data.Path)).Trim();
        await Tool.OkAsync("destination", "add", "aws", "--type", "cloudwatch", "--when", "source = \"shop\"", "--set", "region=" + aws.Region, "--set", "profile=" + AwsCredentials.Profile,
            "--set", "endpoint=" + aws.Endpoint, "--data", data.Path);
        await using var server = await Server.StartAsync(data.Path);
        aws.Fail(CloudWatchFault.ServiceUnavailable, "PutLogEvents");

        using var answer = await server.PostAsync(token, """{"id":"e1","user":"ada","action":"order:update","object":"order/7","message":"sent"}"""u8.ToArray());

        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        await UntilAsync(server, () => Task.FromResult(aws.State.Groups.Where(group => aws.State.Streams(group).Contains("shop")).Sum(group => aws.State.Events(group, "shop").Count) == 1));
        Assert.Contains("\"event_id\":\"e1\"", aws.State.Groups.SelectMany(group => aws.State.Events(group, "shop")).Single().Message, StringComparison.Ordinal);
        Assert.All(aws.State.Groups, group => Assert.True(aws.State.Retention(group) >= 30));
        await UntilAsync(server, async () =>
            (await server.QueryAsync("""{"sql":"SELECT count(*) AS n FROM events WHERE action = 'destination.notice' AND event::VARCHAR LIKE '%kept its events 1 days instead%'"}""")).Contains("\"n\":1", StringComparison.Ordinal));
    }

    static async Task UntilAsync(Server server, Func<Task<bool>> isSo)
    {
        var clock = TimeProvider.System.GetTimestamp();
        while (!await isSo())
        {
            Assert.True(TimeProvider.System.GetElapsedTime(clock) < TimeSpan.FromSeconds(60), "it did not come: " + server.Printed);
            await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, Cancel);
        }
    }
}
