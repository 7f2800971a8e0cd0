using System.Net;
using CsCheck;
using Logwarden.Destinations;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Destinations;

/// <summary>What needs no server. The rest is tested on real ones.</summary>
public class ClickHouseTests
{
    static readonly Dictionary<string, string> Good = new(StringComparer.Ordinal) { ["endpoint"] = "http://127.0.0.1:8123" };

    [Fact]
    public void Rows_are_kept_under_the_day_of_their_event_and_never_in_the_future() => Gen.Select(Gen.Long, Gen.DateTime[new DateTime(2026, 1, 1), new DateTime(2099, 1, 1)])
        .Sample((time, accepted) =>
        {
            var latest = DateOnly.FromDateTime(accepted).AddDays(1);
            var day = new DateOnly(1970, 1, 1).AddDays(ClickHouseRow.DayOf(time, (accepted - DateTime.UnixEpoch).Ticks / 10));
            var first = new DateOnly(1970, 1, 2);
            // Slowly, by what .NET knows of dates.
            var own = time < -62_135_596_800_000_000 ? DateOnly.MinValue : time > 253_402_300_799_999_999 ? DateOnly.MaxValue : DateOnly.FromDateTime(UnixMicros.ToInstant(time).UtcDateTime);
            Assert.Equal(own < first ? first : own > latest ? latest : own, day);
        });

    [Theory]
    [InlineData(long.MinValue, long.MinValue, 1)]
    [InlineData(long.MaxValue, long.MaxValue, 47_481)]
    [InlineData(-1, 0, 1)]
    [InlineData(172_799_999_999, 172_800_000_000, 1)]
    [InlineData(172_800_000_000, 172_800_000_000, 2)]
    public void Days_have_bounds(long time, long accepted, int day) => Assert.Equal(day, ClickHouseRow.DayOf(time, accepted));

    [Theory]
    [InlineData(516, 403, "", typeof(Answer.Blocked))]
    [InlineData(193, 401, "", typeof(Answer.Blocked))]
    [InlineData(497, 403, "", typeof(Answer.Blocked))]
    [InlineData(164, 500, "", typeof(Answer.Blocked))]
    [InlineData(16, 404, "", typeof(Answer.Blocked))]
    [InlineData(452, 500, "", typeof(Answer.Blocked))]
    [InlineData(202, 500, "Too many simultaneous queries", typeof(Answer.Later))]
    [InlineData(241, 500, "Memory limit (total) exceeded", typeof(Answer.Later))]
    [InlineData(241, 500, "Memory limit (for query) exceeded", typeof(Answer.TooLarge))]
    [InlineData(252, 500, "Too many parts (300)", typeof(Answer.Later))]
    [InlineData(252, 500, "Too many partitions for single INSERT block", typeof(Answer.TooLarge))]
    [InlineData(159, 500, "", typeof(Answer.Later))]
    [InlineData(242, 500, "", typeof(Answer.Later))]
    [InlineData(243, 500, "", typeof(Answer.Later))]
    [InlineData(27, 400, "", typeof(Answer.TooLarge))]
    [InlineData(33, 500, "", typeof(Answer.TooLarge))]
    [InlineData(ClickHouseReply.Unnamed, 401, "", typeof(Answer.Blocked))]
    [InlineData(ClickHouseReply.Unnamed, 404, "", typeof(Answer.Blocked))]
    [InlineData(ClickHouseReply.Unnamed, 302, "", typeof(Answer.Blocked))]
    [InlineData(ClickHouseReply.Unnamed, 413, "", typeof(Answer.TooLarge))]
    [InlineData(ClickHouseReply.Unnamed, 429, "", typeof(Answer.Later))]
    [InlineData(ClickHouseReply.Unnamed, 502, "", typeof(Answer.Later))]
    public void Codes_are_answers(int code, int status, string text, Type expected) =>
        Assert.IsType(expected, ClickHouseAnswers.Of(new(code, (HttpStatusCode)status, text, [], null), Batch(2)));

    [Fact]
    public void A_row_alone_that_cannot_be_read_is_refused_without_being_quoted()
    {
        var refused = Assert.IsType<Answer.Refused>(ClickHouseAnswers.Of(new(27, HttpStatusCode.BadRequest, "Cannot parse input: 'the row itself'", [], null), Batch(1)));
        Assert.Equal([new RefusedEvent(0, "ClickHouse can't read the row (code 27)")], refused.Events);
    }

    [Theory]
    [InlineData("endpoint", "ftp://x")]
    [InlineData("endpoint", "http://user:secret@x:8123")]
    [InlineData("endpoint", "http://x:8123/?password=secret")]
    [InlineData("database", "a-b")]
    [InlineData("database", "")]
    [InlineData("installation", "x`; DROP")]
    [InlineData("user", "a\nb")]
    [InlineData("password", "secret")]
    [InlineData("password", "file:/nowhere")]
    public void A_wrong_setting_is_named_and_no_secret_is_told(string name, string value)
    {
        var settings = new Dictionary<string, string>(Good, StringComparer.Ordinal) { [name] = value };
        var bad = Assert.Throws<SettingException>(() => ClickHouseDestination.Type.Open(new("c", settings, new Dictionary<string, int>(StringComparer.Ordinal), TimeProvider.System)));
        Assert.Equal(name, bad.Setting);
        Assert.DoesNotContain("secret", bad.Message.Replace("secret setting", "", StringComparison.Ordinal).Replace("no secret stands", "", StringComparison.Ordinal), StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_that_is_cut_off_is_told() => Assert.Throws<IOException>(() => new ClickHouseRows([5, (byte)'a']).Text());

    static EventBatch Batch(int count)
    {
        var destination = ClickHouseDestination.Type.Open(new("c", Good, new Dictionary<string, int>(StringComparer.Ordinal), TimeProvider.System));
        var batch = new EventBatch();
        for (var i = 0; i < count; i++)
        {
            var encoded = StoredEvents.One(i);
            Assert.True(EventEncoding.TryRead(encoded, out var e));
            batch.Add(encoded, e, destination);
        }
        return batch;
    }
}
