using System.Text;
using Logwarden.Destinations;
using Logwarden.Flow;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Destinations;

public class HttpJsonTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("ndjson", "gzip")]
    [InlineData("ndjson", "zstd")]
    [InlineData("ndjson", "none")]
    [InlineData("array", "gzip")]
    [InlineData("array", "zstd")]
    [InlineData("array", "none")]
    public async Task Each_layout_and_compression_is_what_its_headers_say(string layout, string compression)
    {
        await using var far = await JsonSink.StartAsync(Cancel);
        await using var destination = DestinationRig.Make("http-json", TimeProvider.System, ("endpoint", far.Endpoint.AbsoluteUri), ("layout", layout), ("compression", compression), ("max-bytes", "20000"), ("max-events", "7"));
        Assert.Equal(7, destination.Limits.EventsMax);
        foreach (var count in (int[])[1, 7]) // the same buffer twice, first short, then long
        {
            Assert.IsType<Answer.Accepted>(await destination.SendAsync(DestinationRig.Batch(destination, [.. Enumerable.Range(0, count).Select(offset => StoredEvents.One(offset))]), Cancel));
        }
        Assert.Equal(8, far.Received.Count);
        Assert.Equal((layout == "array" ? "application/json" : "application/x-ndjson", compression == "none" ? null : compression), (far.Last.Type, far.Last.Encoding is "" ? null : far.Last.Encoding));
    }

    [Theory]
    [InlineData("ndjson")]
    [InlineData("array")]
    public async Task A_batch_as_large_as_the_limits_allow_is_as_large_as_was_said_and_no_byte_larger(string layout)
    {
        await using var far = await JsonSink.StartAsync(Cancel);
        far.BytesMax = 20_000;
        await using var destination = DestinationRig.Make("http-json", TimeProvider.System, ("endpoint", far.Endpoint.AbsoluteUri), ("layout", layout), ("max-bytes", "20000"));
        var limits = destination.Limits;
        for (var size = 1; size < 60; size++)
        {
            var batch = new EventBatch();
            var left = limits.BytesMax;
            for (var offset = 0; ; offset++)
            {
                var encoded = StoredEvents.One(offset, json: $$"""{"message":"{{new string('x', size * 11)}}"}""");
                Assert.True(Logwarden.Events.EventEncoding.TryRead(encoded, out var e));
                left -= batch.Add(encoded, e, destination) + limits.EventOverhead;
                if (left >= 0) continue;
                batch.RemoveLast();
                break;
            }
            Assert.IsType<Answer.Accepted>(await destination.SendAsync(batch, Cancel));
        }
        far.BytesMax = 100;
        Assert.IsType<Answer.TooLarge>(await destination.SendAsync(DestinationRig.Batch(destination, StoredEvents.One(1)), Cancel));
    }

    [Fact]
    public async Task Each_answer_has_its_meaning()
    {
        await using var rig = (HttpJsonRig)await HttpJsonRig.StartAsync(Cancel);
        async Task<Answer> AskAsync(int status, int events)
        {
            rig.AnswerWith(status);
            return await rig.Destination.SendAsync(rig.Batch(0, events), Cancel);
        }
        foreach (var status in (int[])[200, 201, 202, 206]) Assert.IsType<Answer.Accepted>(await AskAsync(status, 2));
        foreach (var status in (int[])[400, 413, 422]) Assert.IsType<Answer.TooLarge>(await AskAsync(status, 2));
        foreach (var status in (int[])[400, 422]) Assert.Equal(0, Assert.Single(Assert.IsType<Answer.Refused>(await AskAsync(status, 1)).Events).Index);
        foreach (var status in (int[])[301, 307, 401, 402, 403, 404, 405, 406, 407, 410, 415]) Assert.IsType<Answer.Blocked>(await AskAsync(status, 2));
        foreach (var status in (int[])[408, 425, 429, 500, 502, 503, 504, 599]) Assert.IsType<Answer.Later>(await AskAsync(status, 2));
    }

    [Fact]
    public async Task The_reason_is_one_clean_line_of_a_few_hundred_characters()
    {
        await using var rig = (HttpJsonRig)await HttpJsonRig.StartAsync(Cancel);
        rig.Far.Instead = async http =>
        {
            http.Response.StatusCode = 500;
            await http.Response.Body.WriteAsync(Encoding.UTF8.GetBytes("first\r\n\0\x1b[31m\u202Esecond \uD83D\uDE00 " + new string('x', 1 << 20)));
        };
        var later = Assert.IsType<Answer.Later>(await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel));
        Assert.StartsWith("500 Internal Server Error: first [31m second \uD83D\uDE00 xxx", later.Reason, StringComparison.Ordinal);
        Assert.InRange(later.Reason.Length, 100, 340);
    }

    [Fact]
    public async Task A_redirect_is_not_followed_and_no_cookie_is_kept()
    {
        await using var rig = (HttpJsonRig)await HttpJsonRig.StartAsync(Cancel);
        var asked = new List<string?>();
        rig.Far.Instead = http =>
        {
            asked.Add(http.Request.Headers.Cookie);
            http.Response.Headers.SetCookie = "a=b";
            http.Response.Headers.Location = "/elsewhere";
            http.Response.StatusCode = 307;
            return Task.CompletedTask;
        };
        for (var i = 0; i < 2; i++) Assert.Contains("307", Assert.IsType<Answer.Blocked>(await rig.Destination.SendAsync(rig.Batch(0, 1), Cancel)).Reason, StringComparison.Ordinal);
        Assert.Equal(["", ""], asked.Select(cookie => cookie ?? ""));
    }

    [Theory]
    [InlineData("endpoint", "ftp://example.com")]
    [InlineData("endpoint", "http://example.com/in")]
    [InlineData("layout", "xml")]
    [InlineData("compression", "br")]
    [InlineData("headers", "no equals sign")]
    [InlineData("headers", "Bad Name=x")]
    [InlineData("headers", "X-Api-Key=in-the-clear")]
    [InlineData("headers", "Authorization=Basic aaaa")]
    [InlineData("headers", "Content-Type=text/plain")]
    [InlineData("headers", "X-A=1; x-a=2")]
    [InlineData("headers", "X-A=ä")]
    [InlineData("headers", "X-Api-Key=env:LOGWARDEN_TEST_NOT_SET")]
    [InlineData("max-bytes", "12")]
    [InlineData("max-events", "many")]
    public void Settings_that_are_wrong_are_told_by_name(string name, string value)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal) { ["endpoint"] = "https://example.com/in", [name] = value };
        var refused = Assert.Throws<SettingException>(() => DestinationRig.Make("http-json", TimeProvider.System, [.. settings.Select(pair => (pair.Key, pair.Value))]));
        Assert.Equal(name, refused.Setting);
        Assert.DoesNotContain("in-the-clear", refused.Message, StringComparison.Ordinal);
    }
}
