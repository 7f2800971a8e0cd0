using System.Buffers;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.SystemTests.World;
using Logwarden.Tests.Destinations;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests;

/// <summary>A real rsyslog receives what the destination sends over TLS with certificates on both sides.</summary>
public sealed class SyslogTests : IDisposable
{
    readonly TempFolder _folder = new();
    readonly TestCertificates _certificates = new();
    readonly (string Certificate, string Key) _server;
    readonly (string Certificate, string Key) _client;

    public SyslogTests() => (_server, _client) = (_certificates.Issue("server", "localhost"), _certificates.Issue("client"));

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    string Messages => _folder.In("messages.json");

    public void Dispose()
    {
        if (File.Exists(_folder.In("pid"))) Run("stop", _folder.Path);
        _certificates.Dispose();
        _folder.Dispose();
    }

    [Fact]
    public async Task Rsyslog_finds_every_field_of_every_event()
    {
        await using var destination = Open(Start(0));
        // The longest that it takes by default, one not ASCII, and what tries to break out of its field.
        byte[][] special = [Event(1_000, "müller]\"\\x", """{"message":"grün 漢字"}"""), Event(1_001, "eve\n<0>1 - - - - - - forged", """{"message":"a\nb"}"""), Event(1_002, "ada", $$"""{"message":"{{new string('x', 7_000)}}"}""")];
        var batch = Sending.Batch(destination, [.. Enumerable.Range(0, 1_000).Select(offset => StoredEvents.One(offset)), .. special]);

        Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));

        var received = await ReceiveAsync(1_003);
        for (var i = 0; i < 1_000; i++)
        {
            var e = batch.Event(i);
            Assert.Equal("110", received[i].GetProperty("pri").GetString());
            Assert.Equal(UnixMicros.ToInstant(e.TimeMicros), DateTimeOffset.Parse(received[i].GetProperty("time").GetString()!, CultureInfo.InvariantCulture));
            Assert.Equal(("wall.example", "logwarden", "order:update"), (received[i].GetProperty("host").GetString(), received[i].GetProperty("app").GetString(), received[i].GetProperty("id").GetString()));
            Assert.StartsWith($"[logwarden@32473 id=\"{StoredEvents.Id(i)}\" class=\"application\"", received[i].GetProperty("data").GetString(), StringComparison.Ordinal);
            Assert.Equal(Encoding.UTF8.GetString(e.Json), received[i].GetProperty("text").GetString()!.TrimStart());
        }
        Assert.Contains("""user="müller\]\"\\x" """, received[1_000].GetProperty("data").GetString(), StringComparison.Ordinal);
        // It keeps the mark: who reads JSON behind it sets utf8-bom to no.
        Assert.Equal("\ufeff" + """{"message":"grün 漢字"}""", received[1_000].GetProperty("text").GetString()!.TrimStart(' '));
        Assert.Contains("user=\"eve\ufffd<0>1 - - - - - - forged\"", received[1_001].GetProperty("data").GetString(), StringComparison.Ordinal);
        Assert.EndsWith("xxx\"}", received[1_002].GetProperty("text").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Rsyslog_that_does_not_know_us_is_not_believed_to_have_taken_anything()
    {
        var port = Start(0);
        using var others = new TestCertificates();
        var (certificate, key) = others.Issue("client");
        await using var stranger = Open(port, ("client-certificate-file", certificate), ("client-key-file", key));
        await using var anonymous = Open(port, ("client-certificate-file", ""), ("client-key-file", ""));
        foreach (var destination in (IDestination[])[stranger, anonymous])
        {
            for (var attempt = 0; attempt < 3; attempt++)
            {
                try
                {
                    Assert.IsType<Answer.Blocked>(await destination.SendAsync(Sending.Batch(destination, 1), Cancel));
                }
                catch (IOException)
                {
                    // It may end the connection without a word.
                }
            }
        }
        Assert.False(File.Exists(Messages));
    }

    [Fact]
    public async Task What_lay_unread_when_rsyslog_died_is_sent_again()
    {
        var port = Start(0);
        await using var destination = Open(port);
        Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 100), Cancel));
        await ReceiveAsync(100);

        Run("hang", _folder.Path);
        // Its kernel acknowledges what it will never read.
        foreach (var from in (int[])[100, 120, 140]) Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, from == 140 ? 10 : 20, from), Cancel));
        Run("kill", _folder.Path);
        Start(port);
        while (true)
        {
            try
            {
                Assert.IsType<Answer.Accepted>(await destination.SendAsync(Sending.Batch(destination, 10, from: 150), Cancel));
                break;
            }
            catch (Exception bad) when (bad is IOException or HttpRequestException)
            {
                // As the delivery loop does: again.
                await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
            }
        }

        var received = await ReceiveAsync(160);
        var ids = received.Select(Id).ToHashSet(StringComparer.Ordinal);
        Assert.Equal(Enumerable.Range(0, 160).Select(offset => StoredEvents.Id(offset)).ToHashSet(StringComparer.Ordinal), ids);
    }

    IDestination Open(int port, params ReadOnlySpan<(string Name, string Value)> more)
    {
        List<(string, string)> settings = [("address", $"tls://localhost:{port}"), ("hostname", "wall.example"), ("ca-file", _certificates.CaFile)];
        if (more.IsEmpty) more = [("client-certificate-file", _client.Certificate), ("client-key-file", _client.Key)];
        foreach (var (name, value) in more)
        {
            if (value.Length > 0) settings.Add((name, value));
        }
        return Sending.Open(SyslogDestination.Type, [.. settings]);
    }

    int Start(int port) => int.Parse(
        Run("start", _folder.Path, port.ToString(CultureInfo.InvariantCulture), _certificates.CaFile, _server.Certificate, _server.Key), CultureInfo.InvariantCulture);

    async Task<List<JsonElement>> ReceiveAsync(int count)
    {
        using var late = new CancellationTokenSource(TimeSpan.FromMinutes(1), TimeProvider.System);
        while (true)
        {
            // The last line may be half written.
            var text = File.Exists(Messages) ? await File.ReadAllTextAsync(Messages, Cancel) : "";
            var lines = text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries);
            var ids = lines.Select(line => Id(JsonElement.Parse(line))).Distinct(StringComparer.Ordinal).Count();
            if (ids >= count) return [.. lines.Select(line => JsonElement.Parse(line))];
            Assert.False(late.IsCancellationRequested, $"only {ids} of {count} events arrived within a minute");
            await Task.Delay(TimeSpan.FromMilliseconds(20), TimeProvider.System, Cancel);
        }
    }

    static string Id(JsonElement message) => message.GetProperty("data").GetString()!.Split('"')[1];

    static byte[] Event(long offset, string user, string json)
    {
        var output = new ArrayBufferWriter<byte>();
        EventEncoding.Write(output, new StoredEvent
        {
            Offset = offset,
            TimeMicros = StoredEvents.Epoch,
            IngestedMicros = StoredEvents.Epoch,
            Id = Encoding.UTF8.GetBytes(StoredEvents.Id(offset)),
            Class = "application"u8,
            Source = "shop"u8,
            Format = "app"u8,
            User = new(Encoding.UTF8.GetBytes(user)),
            Json = Encoding.UTF8.GetBytes(json),
        });
        return output.WrittenSpan.ToArray();
    }

    static string Run(params string[] args)
    {
        // Not by pipes: what it starts would hold them open.
        var output = Path.GetTempFileName();
        using var process = Process.Start("bash", ["-c", "bash \"$@\" >\"$0\" 2>&1 </dev/null", output, Path.Combine(Repository.Root, "tests", "services", "rsyslog.sh"), .. args]);
        process.WaitForExit();
        var said = File.ReadAllText(output);
        File.Delete(output);
        Assert.True(process.ExitCode == 0, said);
        return said.Trim();
    }
}
