using Amazon.Runtime;
using Logwarden.Aws;
using Logwarden.Flow;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public sealed class CloudWatchFailureTests : IAsyncLifetime
{
    static readonly DateTimeOffset Now = CloudWatchWorld.Start;

    CloudWatchWorld _world = null!;

    public async ValueTask InitializeAsync() => _world = await CloudWatchWorld.StartAsync();

    public ValueTask DisposeAsync() => _world.DisposeAsync();

    [Theory]
    [InlineData(CloudWatchFault.InternalFailure)]
    [InlineData(CloudWatchFault.ServiceUnavailable)]
    [InlineData(CloudWatchFault.BadGateway)]
    [InlineData(CloudWatchFault.Aborted)]
    [InlineData(CloudWatchFault.CutBefore)]
    public async Task What_passes_is_tried_again_whichever_call_it_hits(CloudWatchFault fault)
    {
        foreach (var operation in (string[])["DescribeLogGroups", "CreateLogGroup", "PutRetentionPolicy", "CreateLogStream", "PutLogEvents"])
        {
            _world.Aws.Fail(fault, operation);
            var later = Assert.IsType<Answer.Later>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));
            Assert.Empty(later.Taken);
            Assert.Equal(fault == CloudWatchFault.BadGateway ? TimeSpan.FromSeconds(7) : null, later.RetryAfter);
        }

        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));
        Assert.Equal(["evt-00000000"], _world.StoredIds());
        Assert.Equal(30, _world.Aws.State.Retention("/logwarden/application"));
    }

    [Fact]
    public async Task Throttled_calls_are_tried_again_later()
    {
        _world.Aws.CallsPerSecond = 4;

        Assert.Contains("ThrottlingException", Assert.IsType<Answer.Later>(await _world.SendAsync(CloudWatchWorld.Event(0, Now))).Reason, StringComparison.Ordinal);
        _world.Time.Advance(TimeSpan.FromSeconds(1));
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));
    }

    [Fact]
    public async Task An_answer_that_is_lost_stores_the_events_twice_and_none_is_missing()
    {
        _world.Aws.Fail(CloudWatchFault.CutAfter, "PutLogEvents");

        Assert.IsType<Answer.Later>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));

        Assert.Equal(["evt-00000000", "evt-00000000"], _world.StoredIds());
    }

    [Fact]
    public async Task A_call_that_is_never_answered_ends_by_the_clock()
    {
        _world.Aws.Fail(CloudWatchFault.Silent, "PutLogEvents");
        var sending = _world.SendAsync(CloudWatchWorld.Event(0, Now)).AsTask();
        while (_world.Count("PutLogEvents") == 0) await Task.Yield();

        _world.Time.Advance(AwsJsonClient.CallTimeout);

        Assert.Contains("did not answer in time", Assert.IsType<Answer.Later>(await sending).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Giving_up_ends_a_call_at_once()
    {
        _world.Aws.Fail(CloudWatchFault.Silent, "PutLogEvents");
        using var stop = new CancellationTokenSource();
        var sending = _world.Destination.SendAsync(_world.Batch(CloudWatchWorld.Event(0, Now)), stop.Token).AsTask();
        while (_world.Count("PutLogEvents") == 0) await Task.Yield();

        await stop.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    [Fact]
    public async Task An_AWS_that_is_not_there_is_tried_again()
    {
        await _world.Aws.DisposeAsync();

        Assert.Contains("not reached", Assert.IsType<Answer.Later>(await _world.SendAsync(CloudWatchWorld.Event(0, Now))).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unknown key", "does not know the access key")]
    [InlineData("wrong secret", "does not belong to the access key")]
    [InlineData("wrong token", "does not know the access key or session token")]
    [InlineData("expired", "session has ended")]
    [InlineData("fast clock", "clock of this machine")]
    [InlineData("slow clock", "clock of this machine")]
    [InlineData("no key", "No AWS credentials")]
    [InlineData("denied", "does not allow logs:PutLogEvents on /logwarden/application")]
    [InlineData("denied group", "does not allow logs:CreateLogGroup on /logwarden/application")]
    public async Task What_a_person_must_put_right_blocks_and_says_what_to_do(string what, string expected)
    {
        var session = new AwsKey("ASIASESSION", "session-secret-1", "session-token-1", Now + TimeSpan.FromHours(1));
        _world.Aws.Add(session);
        Break(what, session);

        var blocked = Assert.IsType<Answer.Blocked>(await _world.SendAsync(CloudWatchWorld.Event(0, Now)));

        Assert.Contains(expected, blocked.Reason, StringComparison.Ordinal);
        foreach (var secret in (string[])[_world.Aws.Key.SecretKey, session.SecretKey, session.Token!]) Assert.DoesNotContain(secret, blocked.Reason, StringComparison.Ordinal);

        (_world.Key, _world.Aws.ClockAhead) = (_world.Aws.Key, default);
        _world.Aws.Denied.Clear();
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(0, _world.Time.GetUtcNow())));
    }

    [Fact]
    public async Task Credentials_that_are_rotated_are_found_without_a_restart_and_without_a_failure()
    {
        await _world.SendAsync(CloudWatchWorld.Event(0, Now));
        Assert.Equal(1, _world.Lookups);
        var session = new AwsKey("ASIASESSION", "session-secret-1", "session-token-1", Now + TimeSpan.FromHours(1));
        _world.Aws.Add(session);
        _world.Aws.Remove(_world.Aws.Key);
        _world.Key = session;
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(1, Now)));

        _world.Time.Advance(TimeSpan.FromHours(1));
        var next = session with { AccessKey = "ASIANEXT", Token = "session-token-2", Expires = null };
        _world.Aws.Add(next);
        _world.Key = next;
        Assert.IsType<Answer.Accepted>(await _world.SendAsync(CloudWatchWorld.Event(2, Now)));

        Assert.Equal(3, _world.Lookups);
        Assert.Equal(["evt-00000000", "evt-00000001", "evt-00000002"], _world.StoredIds());
    }

    [Fact]
    public async Task Another_region_than_the_endpoints_is_told()
    {
        await using var other = await CloudWatchStandIn.StartAsync(_world.Time, "us-east-1");
        using var http = new HttpClient();
        var key = other.Key;
        var client = new AwsJsonClient(http, new(_ => Task.FromResult<AWSCredentials>(new BasicAWSCredentials(key.AccessKey, key.SecretKey))),
            new(other.Endpoint, "eu-central-1", "logs", "Logs_20140328"), _world.Time);

        var reply = await client.CallAsync("DescribeLogGroups", "{}"u8.ToArray(), CloudWatchWorld.Cancel);

        Assert.Contains("region", Assert.IsType<Answer.Blocked>(AwsAnswers.Of(reply, "logs:DescribeLogGroups", "x")).Reason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_body_that_was_changed_on_the_way_is_not_taken()
    {
        using var http = new HttpClient(new Tampering { InnerHandler = new SocketsHttpHandler() });
        var key = _world.Aws.Key;
        var client = new AwsJsonClient(http, new(_ => Task.FromResult<AWSCredentials>(new BasicAWSCredentials(key.AccessKey, key.SecretKey))),
            new(_world.Aws.Endpoint, _world.Aws.Region, "logs", "Logs_20140328"), _world.Time);

        var reply = await client.CallAsync("CreateLogGroup", """{"logGroupName":"x"}"""u8.ToArray(), CloudWatchWorld.Cancel);

        Assert.Equal((400, "InvalidSignatureException"), (reply.Status, reply.Error!.Type));
        Assert.Empty(_world.Aws.State.Groups);
    }

    void Break(string what, AwsKey session)
    {
        switch (what)
        {
            case "unknown key":
                _world.Key = new("AKIDNOBODY", "x");
                break;
            case "wrong secret":
                _world.Key = _world.Aws.Key with { SecretKey = "wrong-secret-1" };
                break;
            case "wrong token":
                _world.Key = session with { Token = "another" };
                break;
            case "expired":
                _world.Key = session;
                _world.Time.Advance(TimeSpan.FromHours(1));
                break;
            case "fast clock":
                _world.Aws.ClockAhead = -TimeSpan.FromMinutes(6);
                break;
            case "slow clock":
                _world.Aws.ClockAhead = TimeSpan.FromMinutes(6);
                break;
            case "no key":
                _world.Key = null;
                break;
            case "denied group":
                _world.Aws.Denied.Add("CreateLogGroup");
                break;
            default:
                _world.Aws.Denied.Add("PutLogEvents");
                break;
        }
    }

    sealed class Tampering : DelegatingHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var type = request.Content!.Headers.ContentType;
            request.Content = new ByteArrayContent("""{"logGroupName":"y"}"""u8.ToArray());
            request.Content.Headers.ContentType = type;
            return base.SendAsync(request, cancellationToken);
        }
    }
}
