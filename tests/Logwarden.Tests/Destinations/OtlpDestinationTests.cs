using System.Net;
using System.Net.Sockets;
using System.Text;
using CsCheck;
using Grpc.Core;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using OpenTelemetry.Proto.Common.V1;
using OpenTelemetry.Proto.Logs.V1;

namespace Logwarden.Tests.Destinations;

public sealed class OtlpDestinationTests : IAsyncLifetime
{
    const string Token = "Bearer s3cr3t-t0ken-of-the-tests";

    readonly ScratchFolder _folder = new();
    OtlpStandIn _receiver = null!;

    public static TheoryData<string> Protocols { get; } = ["http/protobuf", "http/json", "grpc"];

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _receiver = await OtlpStandIn.StartAsync();

    public async ValueTask DisposeAsync()
    {
        await _receiver.DisposeAsync();
        _folder.Dispose();
    }

    IDestination Open(string protocol, params ReadOnlySpan<(string, string)> more) =>
        Sending.Open(OtlpDestination.Type, [("protocol", protocol), ("endpoint", (protocol == "grpc" ? _receiver.Grpc : _receiver.Http).ToString()), .. more]);

    (string, string) Headers(string content)
    {
        var path = _folder.File("headers");
        File.WriteAllBytes(path, Encoding.UTF8.GetBytes(content));
        return ("headers", "file:" + path);
    }

    void Fail(string protocol, int status, StatusCode code, string message = "")
    {
        if (protocol == "grpc") _receiver.GrpcFaults.Enqueue(new(code, Message: message));
        else _receiver.HttpFaults.Enqueue(new(status, Message: message));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Events_arrive_as_log_records_in_their_order(string protocol)
    {
        await using var destination = Open(protocol, ("resource", "deployment.environment.name=prod,host.name=a%2Cb"));
        var batch = Sending.Batch(destination, 300);

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));

        var records = _receiver.Records.ToList();
        Assert.Equal(300, records.Count);
        for (var i = 0; i < records.Count; i++) AssertSame(batch.Event(i), records[i]);
        Assert.Equal(1, _receiver.Packed);
        var resource = Assert.Single(_receiver.Resources).Attributes.ToDictionary(pair => pair.Key, pair => pair.Value.StringValue, StringComparer.Ordinal);
        Assert.Equal("logwarden", resource["service.name"]);
        Assert.Equal("prod", resource["deployment.environment.name"]);
        Assert.Equal("a,b", resource["host.name"]);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task An_event_has_the_names_of_the_semantic_conventions(string protocol)
    {
        await using var destination = Open(protocol, ("compression", "none"));
        await destination.SendAsync(Sending.Batch(destination, StoredEvents.One(4)), Cancel);

        var record = Assert.Single(_receiver.Records);
        Assert.Equal(0, _receiver.Packed);
        Assert.Equal((ulong)(StoredEvents.Epoch + 4_000) * 1000, record.TimeUnixNano);
        Assert.Equal((ulong)(StoredEvents.Epoch + 5_004_000) * 1000, record.ObservedTimeUnixNano);
        Assert.Equal(SeverityNumber.Info, record.SeverityNumber);
        Assert.Equal("Informational", record.SeverityText);
        Assert.Equal("order:update", record.EventName);
        Assert.Equal("evt-00000004", Text(record, "log.record.uid"));
        Assert.Equal("ada", Text(record, "user.id"));
        Assert.Equal("192.0.2.7", Text(record, "client.address"));
        Assert.Equal("application", Text(record, "logwarden.class"));
        Assert.Equal("shop", Text(record, "logwarden.source"));
        Assert.Equal("order/4", Text(record, "logwarden.object"));
        Assert.Equal(6003, record.Attributes.Single(pair => pair.Key == "ocsf.class_uid").Value.IntValue);
        Assert.StartsWith("""{"class_uid":6003,""", record.Body.StringValue, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Any_event_decodes_to_equal_fields(string protocol)
    {
        await using var destination = Open(protocol);
        Sending.AnyEvent.Array[1, 5].Sample(events =>
        {
            var batch = Sending.Batch(destination, events);
            var body = new System.Buffers.ArrayBufferWriter<byte>();
            if (protocol == "http/json")
            {
                using var json = new OtlpJson(new Dictionary<string, string>(StringComparer.Ordinal) { ["service.name"] = "\"x" }, "1");
                json.Assemble(batch, body);
                Assert.Equal(json.EnvelopeBytes + batch.WireBytes + (batch.Count - 1) * destination.Limits.EventOverhead, body.WrittenCount);
            }
            else
            {
                var protobuf = new OtlpProtobuf(new Dictionary<string, string>(StringComparer.Ordinal) { ["service.name"] = "\"x" }, "1");
                protobuf.Assemble(batch, body);
                Assert.InRange(body.WrittenCount, batch.WireBytes, batch.WireBytes + protobuf.EnvelopeBytes);
            }
            var request = OtlpStandIn.Decode(body.WrittenSpan.ToArray(), protocol == "http/json");
            Assert.NotNull(request);
            var scope = Assert.Single(Assert.Single(request.ResourceLogs).ScopeLogs);
            Assert.Equal("logwarden", scope.Scope.Name);
            Assert.Equal("\"x", Assert.Single(request.ResourceLogs[0].Resource.Attributes).Value.StringValue);
            Assert.Equal(events.Length, scope.LogRecords.Count);
            for (var i = 0; i < events.Length; i++) AssertSame(batch.Event(i), scope.LogRecords[i]);
        }, iter: 2_000, threads: 1); // a destination is asked by one at a time
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Events_that_were_rejected_unnamed_are_all_refused_and_never_sent_again(string protocol)
    {
        _receiver.IsRejected = record => Text(record, "log.record.uid") is "evt-00000003" or "evt-00000005";
        _receiver.PartialMessage = "body too long";
        await using var destination = Open(protocol);

        var some = Assert.IsType<Answer.Refused>(await destination.SendAsync(Sending.Batch(destination, 10), Cancel));
        Assert.Equal(Enumerable.Range(0, 10), some.Events.Select(e => e.Index));
        Assert.All(some.Events, e => Assert.Contains("rejected 2 of the 10", e.Reason, StringComparison.Ordinal));
        Assert.All(some.Events, e => Assert.Contains("body too long", e.Reason, StringComparison.Ordinal));

        var one = Assert.IsType<Answer.Refused>(await destination.SendAsync(Sending.Batch(destination, StoredEvents.One(3)), Cancel));
        Assert.Equal("the receiver rejected it (body too long)", Assert.Single(one.Events).Reason);
        Assert.Equal(2, _receiver.Requests);

        // A warning rejects nothing.
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, StoredEvents.One(4)), Cancel));
    }

    [Theory]
    [InlineData(408, null)]
    [InlineData(429, "7")]
    [InlineData(500, null)]
    [InlineData(502, null)]
    [InlineData(503, "30")]
    [InlineData(503, "soon")]
    [InlineData(504, "999999999")]
    public async Task What_passes_is_tried_again_later(int status, string? retryAfter)
    {
        await using var destination = Open("http/protobuf");
        _receiver.HttpFaults.Enqueue(new(status, retryAfter, "queue is full"));

        var later = Assert.IsType<Answer.Later>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel));
        Assert.Equal(retryAfter switch { "7" => TimeSpan.FromSeconds(7), "30" => TimeSpan.FromSeconds(30), "999999999" => TimeSpan.FromHours(1), _ => null }, later.RetryAfter);
        Assert.Equal($"the receiver answered {status} (queue is full)", later.Reason);
        Assert.Empty(later.Taken);
        Assert.Empty(_receiver.Records);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel));
    }

    [Fact]
    public async Task A_date_to_try_again_is_counted_from_now()
    {
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider(new(2026, 7, 1, 12, 0, 0, TimeSpan.Zero));
        await using var destination = OtlpDestination.Type.Open(Sending.Context(time, ("endpoint", _receiver.Http.ToString())));
        _receiver.HttpFaults.Enqueue(new(503, "Wed, 01 Jul 2026 12:01:30 GMT"));
        _receiver.HttpFaults.Enqueue(new(503, "Wed, 01 Jul 2026 11:00:00 GMT"));

        Assert.Equal(TimeSpan.FromSeconds(90), Assert.IsType<Answer.Later>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).RetryAfter);
        Assert.Equal(TimeSpan.Zero, Assert.IsType<Answer.Later>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).RetryAfter);
    }

    [Theory]
    [InlineData(StatusCode.Cancelled)]
    [InlineData(StatusCode.DeadlineExceeded)]
    [InlineData(StatusCode.Aborted)]
    [InlineData(StatusCode.OutOfRange)]
    [InlineData(StatusCode.Unavailable)]
    [InlineData(StatusCode.DataLoss)]
    [InlineData(StatusCode.ResourceExhausted)]
    [InlineData(StatusCode.Internal)]
    [InlineData(StatusCode.Unknown)]
    public async Task Calls_that_may_succeed_later_are_tried_again_when_the_receiver_says(StatusCode code)
    {
        await using var destination = Open("grpc");
        _receiver.GrpcFaults.Enqueue(new(code, TimeSpan.FromSeconds(12.5), "full"));
        _receiver.GrpcFaults.Enqueue(new(code));

        var told = Assert.IsType<Answer.Later>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel));
        Assert.Equal(TimeSpan.FromSeconds(12.5), told.RetryAfter);
        Assert.Equal($"the receiver answered {code} (full)", told.Reason);
        Assert.Null(Assert.IsType<Answer.Later>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel)).RetryAfter);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel));
    }

    [Theory]
    [InlineData("http/protobuf", 401, StatusCode.OK)]
    [InlineData("http/json", 403, StatusCode.OK)]
    [InlineData("http/protobuf", 404, StatusCode.OK)]
    [InlineData("http/protobuf", 415, StatusCode.OK)]
    [InlineData("http/protobuf", 418, StatusCode.OK)]
    [InlineData("http/protobuf", 501, StatusCode.OK)]
    [InlineData("grpc", 0, StatusCode.Unauthenticated)]
    [InlineData("grpc", 0, StatusCode.PermissionDenied)]
    [InlineData("grpc", 0, StatusCode.Unimplemented)]
    [InlineData("grpc", 0, StatusCode.FailedPrecondition)]
    public async Task What_a_person_must_put_right_blocks(string protocol, int status, StatusCode code)
    {
        await using var destination = Open(protocol);
        Fail(protocol, status, code, "no");

        Assert.Contains("(no)", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 5), Cancel)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("/portal")]
    [InlineData("/moved")]
    [InlineData("/nowhere")]
    public async Task An_address_that_is_no_receiver_has_taken_nothing(string path)
    {
        await using var destination = Sending.Open(OtlpDestination.Type, ("endpoint", new Uri(_receiver.Http, path).ToString()));

        Assert.Contains("endpoint", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).Reason, StringComparison.Ordinal);
        Assert.Empty(_receiver.Records);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task What_is_too_large_is_to_be_halved(string protocol)
    {
        _receiver.BytesMax = 20_000;
        await using var destination = Open(protocol);

        Assert.IsType<Answer.TooLarge>(await destination.SendAsync(Sending.Batch(destination, 200), Cancel));
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 10), Cancel));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_request_that_is_called_wrong_is_halved_until_one_event_is_refused(string protocol)
    {
        _receiver.IsWrong = record => Text(record, "log.record.uid") == "evt-00000001";
        await using var destination = Open(protocol);

        Assert.IsType<Answer.TooLarge>(await destination.SendAsync(Sending.Batch(destination, 2), Cancel));
        var refused = Assert.IsType<Answer.Refused>(await destination.SendAsync(Sending.Batch(destination, 1, from: 1), Cancel));
        Assert.Equal(protocol == "grpc" ? "the receiver calls it wrong (InvalidArgument: malformed)" : "the receiver calls it wrong (400: malformed)", Assert.Single(refused.Events).Reason);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_receiver_that_calls_everything_wrong_blocks_and_makes_no_dead_letters(string protocol)
    {
        _receiver.TakesNothing = true;
        await using var destination = Open(protocol);

        Assert.Contains("an empty one too", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Headers_are_read_anew_and_never_shown(string protocol)
    {
        _receiver.Authorization = Token;
        await using var destination = Open(protocol, Headers("Authorization: Bearer wrong-and-secret\n\nX-Scope-OrgID: audit\n"));
        var refused = Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
        Assert.Contains("headers", refused.Reason, StringComparison.Ordinal);

        Headers("Authorization: " + Token);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));

        foreach (var (status, code) in ((int, StatusCode)[])[(401, StatusCode.Unauthenticated), (503, StatusCode.Unavailable), (400, StatusCode.InvalidArgument)])
        {
            Fail(protocol, status, code, "unknown: {authorization}, i.e. " + Token[7..].ToUpperInvariant());
            var answer = await destination.SendAsync(Sending.Batch(destination, 1), Cancel);
            var reason = answer switch { Answer.Blocked blocked => blocked.Reason, Answer.Later later => later.Reason, Answer.Refused { Events: var events } => events[0].Reason, _ => "" };
            Assert.Contains("***", reason, StringComparison.Ordinal);
            Assert.DoesNotContain("s3cr3t", reason, StringComparison.OrdinalIgnoreCase);
        }

        File.Delete(_folder.File("headers"));
        Assert.Contains("setting headers", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Who_is_not_there_was_not_reached(string protocol)
    {
        using var closed = new TcpListener(IPAddress.Loopback, 0);
        closed.Start();
        var port = ((IPEndPoint)closed.LocalEndpoint).Port;
        closed.Stop();
        await using var destination = Sending.Open(OtlpDestination.Type, ("protocol", protocol), ("endpoint", $"http://127.0.0.1:{port}"));

        await Assert.ThrowsAsync<HttpRequestException>(async () => await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Silence_ends_after_a_minute_and_a_stop_at_once(string protocol)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var time = new Microsoft.Extensions.Time.Testing.FakeTimeProvider();
        await using var destination = OtlpDestination.Type.Open(Sending.Context(time, ("protocol", protocol), ("endpoint", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}")));
        var batch = Sending.Batch(destination, 1);

        var sending = destination.SendAsync(batch, Cancel).AsTask();
        using var first = await listener.AcceptTcpClientAsync(Cancel);
        time.Advance(TimeSpan.FromSeconds(59));
        Assert.False(sending.IsCompleted);
        time.Advance(TimeSpan.FromSeconds(1));
        Assert.Contains("60 s", (await Assert.ThrowsAsync<IOException>(() => sending)).Message, StringComparison.Ordinal);

        using var stop = new CancellationTokenSource();
        sending = destination.SendAsync(batch, stop.Token).AsTask();
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task A_connection_that_breaks_leaves_the_outcome_open(string protocol)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var destination = Sending.Open(OtlpDestination.Type, ("protocol", protocol), ("endpoint", $"http://127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}"));

        var sending = destination.SendAsync(Sending.Batch(destination, 1), Cancel).AsTask();
        using (var client = await listener.AcceptTcpClientAsync(Cancel)) await client.GetStream().ReadExactlyAsync(new byte[50], Cancel);

        await Assert.ThrowsAnyAsync<IOException>(() => sending);
    }

    [Theory]
    [MemberData(nameof(Protocols))]
    public async Task Certificates_of_both_sides_are_looked_at(string protocol)
    {
        using var certificates = new TestCertificates();
        using var server = certificates.IssueLoaded("server", "localhost");
        await using var receiver = await OtlpStandIn.StartAsync(server, certificates.Authority);
        var port = (protocol == "grpc" ? receiver.Grpc : receiver.Http).Port;
        var (certificate, key) = certificates.Issue("client");

        await using (var unknown = Sending.Open(OtlpDestination.Type, ("protocol", protocol), ("endpoint", $"https://localhost:{port}")))
            Assert.Contains("ca-file", Assert.IsType<Answer.Blocked>(await unknown.SendAsync(Sending.Batch(unknown, 1), Cancel)).Reason, StringComparison.Ordinal);
        await using (var misnamed = Sending.Open(OtlpDestination.Type, ("protocol", protocol), ("endpoint", $"https://127.0.0.1:{port}"), ("ca-file", certificates.CaFile)))
            Assert.IsType<Answer.Blocked>(await misnamed.SendAsync(Sending.Batch(misnamed, 1), Cancel));
        await using var known = Sending.Open(OtlpDestination.Type, ("protocol", protocol), ("endpoint", $"https://localhost:{port}"),
            ("ca-file", certificates.CaFile), ("client-certificate-file", certificate), ("client-key-file", key));
        Assert.IsType<Answer.Accepted>(await known.SendAsync(Sending.Batch(known, 3), Cancel));
        Assert.Equal(3, receiver.Records.Count);
    }

    [Theory]
    [InlineData("endpoint", "http://logs.example:4318")]
    [InlineData("endpoint", "https://user:pass@logs.example")]
    [InlineData("endpoint", "ftp://logs.example")]
    [InlineData("protocol", "thrift")]
    [InlineData("compression", "zstd")]
    [InlineData("resource", "prod")]
    [InlineData("request-bytes-max", "1")]
    [InlineData("ca-file", "/nonexistent/ca.pem")]
    [InlineData("client-key-file", "/nonexistent/key.pem")]
    [InlineData("headers", "Authorization: x")]
    [InlineData("headers", "env:LOGWARDEN_TEST_NO_SUCH_VARIABLE")]
    public void Settings_that_can_not_work_are_told_at_once(string name, string value)
    {
        var bad = Assert.Throws<SettingException>(() => Sending.Open(OtlpDestination.Type, ("endpoint", "https://logs.example"), (name, value)));
        if (name != "client-key-file") Assert.Equal(name, bad.Setting);
        Assert.DoesNotContain("pass@", bad.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("just text with hunter2secret")]
    [InlineData("Authorization hunter2secret")]
    [InlineData("Content-Type: hunter2secret")]
    [InlineData("X-Token: hunter2secret\u0001")]
    public void A_line_that_is_no_header_is_told_without_its_content(string line)
    {
        var bad = Assert.Throws<SettingException>(() => Open("http/json", Headers("X-Fine: 1\n" + line)));
        Assert.Contains("line 2", bad.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", bad.Message, StringComparison.Ordinal);
    }

    static string Text(LogRecord record, string name) => record.Attributes.Single(pair => pair.Key == name).Value.StringValue;

    static void AssertSame(in StoredEvent e, LogRecord record)
    {
        var expected = new Dictionary<string, string?>(StringComparer.Ordinal)
        {
            ["log.record.uid"] = Sending.Found(e.Id),
            ["logwarden.class"] = Sending.Found(e.Class),
            ["logwarden.source"] = Sending.Found(e.Source),
            ["logwarden.format"] = Sending.Found(e.Format),
        };
        if (e.User.HasValue) expected["user.id"] = Sending.Found(e.User.Utf8);
        if (e.Ip.HasValue) expected["client.address"] = Sending.Found(e.Ip.Utf8);
        if (e.Action.HasValue) expected["logwarden.action"] = Sending.Found(e.Action.Utf8);
        if (e.Object.HasValue) expected["logwarden.object"] = Sending.Found(e.Object.Utf8);
        if (!e.Redactions.IsEmpty) expected["logwarden.redactions"] = Sending.Found(e.Redactions);
        Assert.Equal(expected, record.Attributes.Where(pair => pair.Value.ValueCase == AnyValue.ValueOneofCase.StringValue).ToDictionary(pair => pair.Key, pair => (string?)pair.Value.StringValue, StringComparer.Ordinal));
        Assert.Equal(
            new Dictionary<string, long>(StringComparer.Ordinal) { ["logwarden.offset"] = e.Offset, ["ocsf.class_uid"] = e.ClassUid, ["ocsf.activity_id"] = e.ActivityId, ["ocsf.status_id"] = e.StatusId },
            record.Attributes.Where(pair => pair.Value.ValueCase == AnyValue.ValueOneofCase.IntValue).ToDictionary(pair => pair.Key, pair => pair.Value.IntValue, StringComparer.Ordinal));
        Assert.Equal(Sending.Found(e.Json), record.Body.StringValue);
        Assert.Equal(e.TimeMicros is >= 0 and <= 18_446_744_073_709_551 ? (ulong)e.TimeMicros * 1000 : 0, record.TimeUnixNano);
        Assert.Equal(e.IngestedMicros is >= 0 and <= 18_446_744_073_709_551 ? (ulong)e.IngestedMicros * 1000 : 0, record.ObservedTimeUnixNano);
        Assert.Equal(e.SeverityId switch { 1 => 9, 2 => 10, 3 => 13, 4 => 17, 5 => 18, 6 => 21, _ => 0 }, (int)record.SeverityNumber);
        var action = Sending.Found(e.Action.Utf8);
        Assert.Equal(Encoding.UTF8.GetByteCount(action) <= 256 ? action : "", record.EventName);
    }
}
