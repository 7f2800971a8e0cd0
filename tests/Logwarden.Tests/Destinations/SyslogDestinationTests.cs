using System.Buffers;
using System.Globalization;
using System.Security.Authentication;
using System.Text;
using CsCheck;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

#pragma warning disable CA5398 // Each version is tested by itself.

namespace Logwarden.Tests.Destinations;

public sealed class SyslogDestinationTests : IDisposable
{
    readonly TestCertificates _certificates = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _certificates.Dispose();

    IDestination OpenTls(SyslogStandIn receiver, params ReadOnlySpan<(string, string)> more) =>
        Sending.Open(SyslogDestination.Type, [("address", $"tls://localhost:{receiver.Port}"), ("ca-file", _certificates.CaFile), .. more]);

    static IDestination OpenPlain(SyslogStandIn receiver) => Sending.Open(SyslogDestination.Type, ("address", $"tcp://127.0.0.1:{receiver.Port}"));

    [Fact]
    public void A_message_looks_like_this()
    {
        var destination = Sending.Open(SyslogDestination.Type, ("address", "tls://logs.example"), ("hostname", "wall.example"), ("procid", "17"));

        var frame = Encoding.UTF8.GetString(Sending.Batch(destination, StoredEvents.One(4)).Wire(0).Span);

        const string Message = """<110>1 2026-07-01T00:00:00.004000Z wall.example logwarden 17 order:update """
            + """[logwarden@32473 id="evt-00000004" class="application" source="shop" format="app" user="ada" ip="192.0.2.7" action="order:update" object="order/4" """
            + """offset="4" ingested="2026-07-01T00:00:05.004000Z"] {"class_uid":6003,"time":1782864000004,"metadata":{"uid":"evt-00000004"},"message":"order 4 updated"}""";
        Assert.Equal(string.Create(CultureInfo.InvariantCulture, $"{Message.Length} {Message}"), frame);
    }

    [Theory]
    [InlineData("yes")]
    [InlineData("no")]
    public void Any_event_is_read_back_by_a_strict_parser(string bom)
    {
        var destination = Sending.Open(SyslogDestination.Type, ("address", "tls://logs.example"), ("facility", "4"), ("hostname", "h"), ("app-name", "a"), ("procid", "p"), ("utf8-bom", bom));
        Sending.AnyEvent.Sample(encoded =>
        {
            var output = new ArrayBufferWriter<byte>();
            EventEncoding.TryRead(encoded, out var e);
            destination.Render(e, output);
            var space = output.WrittenSpan.IndexOf((byte)' ');
            Assert.Equal(output.WrittenCount - space - 1, int.Parse(output.WrittenSpan[..space], CultureInfo.InvariantCulture));

            var message = SyslogMessage.Parse(output.WrittenSpan[(space + 1)..]);

            Assert.Equal((4, "h", "a", "p"), (message.Facility, message.Host, message.App, message.Process));
            Assert.Equal(e.SeverityId switch { 2 => 5, 3 => 4, 4 => 3, 5 => 2, 6 => 1, _ => 6 }, message.Severity);
            Assert.Equal(Instant(e.TimeMicros), message.Time);
            Assert.Equal(e.Action.Utf8.IsEmpty ? null : new string([.. e.Action.Utf8[..Math.Min(32, e.Action.Utf8.Length)].ToArray().Select(c => c is > 32 and < 127 ? (char)c : '_')]), message.MessageId ?? (e.Action.Utf8.SequenceEqual("-"u8) ? "-" : null));
            Assert.Equal("logwarden@32473", Assert.Single(message.Data).Id);
            Assert.Equal(Shown(e.Id), message.Parameter("id"));
            Assert.Equal(Shown(e.Class), message.Parameter("class"));
            Assert.Equal(Shown(e.Source), message.Parameter("source"));
            Assert.Equal(Shown(e.Format), message.Parameter("format"));
            Assert.Equal(e.User.HasValue ? Shown(e.User.Utf8) : null, message.Parameter("user"));
            Assert.Equal(e.Ip.HasValue ? Shown(e.Ip.Utf8) : null, message.Parameter("ip"));
            Assert.Equal(e.Action.HasValue ? Shown(e.Action.Utf8) : null, message.Parameter("action"));
            Assert.Equal(e.Object.HasValue ? Shown(e.Object.Utf8) : null, message.Parameter("object"));
            Assert.Equal(e.Redactions.IsEmpty ? null : Shown(e.Redactions), message.Parameter("redactions"));
            Assert.Equal(e.Offset.ToString(CultureInfo.InvariantCulture), message.Parameter("offset"));
            var json = new string([.. Sending.Found(e.Json).Select(c => c < 32 ? ' ' : c)]);
            // A text that begins with a mark of its own is read without it, like any.
            Assert.Equal(bom == "yes" && !Ascii.IsValid(json) || json.StartsWith('\ufeff'), message.HasBom);
            Assert.Equal(bom == "no" && json.StartsWith('\ufeff') ? json[1..] : json, Encoding.UTF8.GetString(message.Text!));
        }, iter: 4_000, threads: 1); // a destination is asked by one at a time
    }

    [Fact]
    public void An_event_of_just_the_largest_size_is_within_the_limit()
    {
        var destination = Sending.Open(SyslogDestination.Type, ("address", "tls://logs.example"), ("message-bytes-max", "10000"));
        Assert.Equal("10000 ".Length + 10_000, destination.Limits.EventBytesMax);
        Assert.Equal("8192 ".Length + 8_192, Sending.Open(SyslogDestination.Type, ("address", "tls://logs.example")).Limits.EventBytesMax);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task Messages_arrive_over_tls_in_their_order_on_one_connection(SslProtocols protocol)
    {
        using var server = _certificates.IssueLoaded("server", "localhost");
        await using var receiver = new SyslogStandIn(server, protocols: protocol);
        await using var destination = OpenTls(receiver);

        for (var from = 0; from < 3_000; from += 1_000)
            Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 1_000, from), Cancel));

        var messages = await receiver.ReceiveAsync(3_000);
        Assert.Equal(Enumerable.Range(0, 3_000).Select(offset => StoredEvents.Id(offset)), messages.Select(message => message.Parameter("id")));
        Assert.All(messages, message => Assert.Equal((13, 6), (message.Facility, message.Severity)));
        Assert.Equal(1, receiver.Connections);
        Assert.Null(receiver.Malformed);
    }

    [Fact]
    public async Task A_receiver_on_this_machine_is_sent_to_in_plain()
    {
        await using var receiver = new SyslogStandIn();
        await using var destination = OpenPlain(receiver);

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 10), Cancel));
        Assert.Equal(10, (await receiver.ReceiveAsync(10)).Count);
    }

    [Theory]
    [InlineData(SslProtocols.Tls12)]
    [InlineData(SslProtocols.Tls13)]
    public async Task A_client_certificate_is_shown_and_its_want_is_told_before_anything_is_lost(SslProtocols protocol)
    {
        using var server = _certificates.IssueLoaded("server", "localhost");
        await using var receiver = new SyslogStandIn(server, _certificates.Authority, protocol);
        var (certificate, key) = _certificates.Issue("client");

        await using (var anonymous = OpenTls(receiver))
        {
            // In TLS 1.3 the handshake is over for us before the receiver looks.
            var ended = await Assert.ThrowsAsync<IOException>(async () => await anonymous.SendAsync(Sending.Batch(anonymous, 1), Cancel));
            Assert.Contains("client-certificate-file", ended.Message, StringComparison.Ordinal);
        }
        Assert.Equal(0, receiver.Unread);
        await using var known = OpenTls(receiver, ("client-certificate-file", certificate), ("client-key-file", key));
        Assert.IsType<Answer.Accepted>(await known.SendAsync(Sending.Batch(known, 1), Cancel));
        await receiver.ReceiveAsync(1);
    }

    [Fact]
    public async Task A_receiver_that_is_not_who_it_should_be_gets_nothing()
    {
        using var others = new TestCertificates();
        using var unknown = others.IssueLoaded("server", "localhost");
        using var misnamed = _certificates.IssueLoaded("server", "elsewhere.example");
        foreach (var certificate in (System.Security.Cryptography.X509Certificates.X509Certificate2[])[unknown, misnamed])
        {
            await using var receiver = new SyslogStandIn(certificate);
            await using var destination = OpenTls(receiver);
            var blocked = Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
            Assert.Contains("ca-file", blocked.Reason, StringComparison.Ordinal);
            Assert.Equal(0, receiver.Unread);
        }
    }

    [Fact]
    public async Task Who_is_not_there_was_not_reached()
    {
        int port;
        await using (var gone = new SyslogStandIn()) port = gone.Port;
        await using var destination = Sending.Open(SyslogDestination.Type, ("address", $"tcp://127.0.0.1:{port}"));

        await Assert.ThrowsAsync<HttpRequestException>(async () => await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
    }

    [Fact]
    public async Task A_connection_that_ends_at_once_was_written_nothing()
    {
        await using var receiver = new SyslogStandIn();
        receiver.Behaviours.Enqueue(SyslogBehaviour.EndsAtOnce);
        await using var destination = OpenPlain(receiver);
        var batch = Sending.Batch(destination, 5);

        await Assert.ThrowsAsync<IOException>(async () => await destination.SendAsync(batch, Cancel));
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));
        await receiver.ReceiveAsync(5);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_closed_connection_is_seen_before_it_is_written_to_and_what_may_lie_unread_is_sent_again(bool isReset)
    {
        await using var receiver = new SyslogStandIn();
        await using var destination = OpenPlain(receiver);
        await destination.SendAsync(Sending.Batch(destination, 2), Cancel);
        await receiver.ReceiveAsync(2);

        if (isReset) receiver.ResetCurrent();
        else receiver.CloseCurrent();
        await UntilEndedAsync(destination);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 3, from: 2), Cancel));

        var messages = await receiver.ReceiveAsync(5);
        Assert.Equal([0, 1, 2, 3, 4], messages.Select(message => int.Parse(message.Parameter("offset")!, CultureInfo.InvariantCulture)));
        Assert.Equal(2, receiver.Connections);
    }

    [Fact]
    public async Task What_a_receiver_had_time_to_read_is_not_sent_again()
    {
        var time = new MovableTime();
        await using var receiver = new SyslogStandIn();
        await using var destination = SyslogDestination.Type.Open(Sending.Context(time, ("address", $"tcp://127.0.0.1:{receiver.Port}")));
        await destination.SendAsync(Sending.Batch(destination, 2), Cancel);
        await receiver.ReceiveAsync(2);

        time.Ahead = TimeSpan.FromSeconds(31);
        receiver.CloseCurrent();
        await UntilEndedAsync(destination);
        await destination.SendAsync(Sending.Batch(destination, 3, from: 2), Cancel);

        Assert.Equal(["2", "3", "4"], (await receiver.ReceiveAsync(3)).Select(message => message.Parameter("offset")));
        Assert.Equal(0, receiver.Unread);
    }

    [Fact]
    public void What_may_lie_unread_is_bounded_in_time_and_bytes()
    {
        var now = new DateTimeOffset(2026, 7, 1, 0, 0, 0, TimeSpan.Zero);
        var unread = new SyslogUnread();
        for (var i = 0; i < 40; i++) unread.Add(new byte[10], now + TimeSpan.FromSeconds(i));
        Assert.Equal(31, unread.Count);
        unread.Forget(now + TimeSpan.FromSeconds(69));
        Assert.Equal(1, unread.Count);

        for (var i = 0; i < 20; i++) unread.Add(new byte[SyslogUnread.BytesMax / 4], now + TimeSpan.FromSeconds(70));
        Assert.Equal(4, unread.Count);
        unread.Add(new byte[SyslogUnread.BytesMax + 1], now + TimeSpan.FromSeconds(70));
        Assert.Equal(1, unread.Count);
    }

    [Fact]
    public async Task A_batch_that_a_connection_broke_in_is_sent_whole_on_the_next()
    {
        await using var receiver = new SyslogStandIn();
        receiver.Behaviours.Enqueue(SyslogBehaviour.ResetsInTheFirstMessage);
        await using var destination = OpenPlain(receiver);
        var batch = Sending.Batch(destination, 1_500);

        // More than any kernel buffers: not all of it can have been acknowledged when the reset comes.
        await Assert.ThrowsAsync<IOException>(async () =>
        {
            while (true) await destination.SendAsync(batch, Cancel);
        });
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));
        var messages = await receiver.ReceiveAsync(1_500);
        Assert.Equal("0", messages[0].Parameter("offset"));
        Assert.Null(receiver.Malformed);
    }

    [Fact]
    public async Task A_receiver_that_reads_nothing_has_not_taken_what_its_kernel_did_not()
    {
        await using var receiver = new SyslogStandIn(receiveBufferBytes: 4096);
        receiver.Behaviours.Enqueue(SyslogBehaviour.NeverReads);
        await using var destination = OpenPlain(receiver);
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);

        // A batch of a megabyte into a buffer of a few kilobytes: nothing ends it but a stop.
        var sending = destination.SendAsync(Sending.Batch(destination, 2_000), stop.Token).AsTask();
        while (receiver.Connections == 0) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);

        // Half a message may be out on that connection: the next batch goes on another.
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 1, from: 7_000), Cancel));
        Assert.Equal(2, receiver.Connections);
    }

    [Fact]
    public async Task Rotated_certificates_are_read_for_the_next_connection()
    {
        using var server = _certificates.IssueLoaded("server", "localhost");
        await using var receiver = new SyslogStandIn(server, _certificates.Authority, SslProtocols.Tls12);
        using var others = new TestCertificates();
        var (stranger, strangersKey) = others.Issue("client");
        await using var destination = OpenTls(receiver, ("client-certificate-file", stranger), ("client-key-file", strangersKey));
        await Record.ExceptionAsync(async () => await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
        Assert.Equal(0, receiver.Unread);

        var (known, key) = _certificates.Issue("client");
        File.Copy(known, stranger, overwrite: true);
        File.Copy(key, strangersKey, overwrite: true);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));

        File.Delete(strangersKey);
        receiver.ResetCurrent();
        await UntilEndedAsync(destination);
        Assert.Contains("client-certificate-file", Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel)).Reason, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("address", "tcp://192.0.2.1:514")]
    [InlineData("address", "tcp://logs.example")]
    [InlineData("address", "udp://127.0.0.1")]
    [InlineData("address", "tls://logs.example/path")]
    [InlineData("address", "tls://user:secret@logs.example")]
    [InlineData("facility", "24")]
    [InlineData("hostname", "two words")]
    [InlineData("app-name", "größe")]
    [InlineData("sd-id", "logwarden")]
    [InlineData("sd-id", "log=warden@1")]
    [InlineData("sd-id", "logwarden@1]x")]
    [InlineData("sd-id", "a-name-that-is-far-too-long-for-it@32473")]
    [InlineData("utf8-bom", "maybe")]
    [InlineData("message-bytes-max", "480")]
    [InlineData("ca-file", "/nonexistent/ca.pem")]
    public void Settings_that_can_not_work_are_told_at_once(string name, string value)
    {
        var bad = Assert.Throws<SettingException>(() => Sending.Open(SyslogDestination.Type, ("address", "tls://logs.example"), (name, value)));
        Assert.Equal(name, bad.Setting);
        Assert.DoesNotContain("user:secret", bad.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<14>1 - - - - - -")]
    [InlineData("<14>1 2026-07-01T00:00:00Z h a p m [x@1 a=\"b\\]c\"] text")]
    public void The_strict_parser_takes_what_is_right(string message) => SyslogMessage.Parse(Encoding.UTF8.GetBytes(message));

    [Theory]
    [InlineData("<192>1 - - - - - -")]
    [InlineData("<014>1 - - - - - -")]
    [InlineData("<14>2 - - - - - -")]
    [InlineData("<14>1 2026-07-01T00:00:00 - - - - -")]
    [InlineData("<14>1 2026-07-01T00:00:60Z - - - - -")]
    [InlineData("<14>1 2026-07-01T00:00:00.1234567Z - - - - -")]
    [InlineData("<14>1 - - - - -")]
    [InlineData("<14>1 - - - - - [x@1 a=\"b]c\"]")]
    [InlineData("<14>1 - - - - - [x@1 a=\"b\\nc\"]")]
    [InlineData("<14>1 - - - - - [x@1 a=b]")]
    [InlineData("<14>1 - - - - - [x@1][x@1]")]
    [InlineData("<14>1 - - - - - -text")]
    public void The_strict_parser_refuses_what_is_wrong(string message) => Assert.Throws<FormatException>(() => SyslogMessage.Parse(Encoding.UTF8.GetBytes(message)));

    /// <summary>The end of a connection arrives by itself; a test must not go on before.</summary>
    static async Task UntilEndedAsync(IDestination destination)
    {
        while (((SyslogDestination)destination).HasConnection) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
    }

    static DateTimeOffset? Instant(long micros) => micros is >= -62_135_596_800_000_000 and <= 253_402_300_799_999_999 ? DateTimeOffset.UnixEpoch.AddTicks(micros * 10) : null;

    static string Shown(ReadOnlySpan<byte> text) => new([.. Sending.Found(text).Select(c => c is < ' ' or '\u007f' ? '\ufffd' : c)]);

    /// <summary>The real clock, which may be put ahead.</summary>
    sealed class MovableTime : TimeProvider
    {
        public TimeSpan Ahead { get; set; }

        public override DateTimeOffset GetUtcNow() => System.GetUtcNow() + Ahead;
    }
}
