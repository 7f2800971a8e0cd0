using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using DuckDB.NET.Data;
using Logwarden.Events;
using Logwarden.Segments;
using Logwarden.Tests.Query;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Segments;

public sealed class EventReferencesTests : IDisposable
{
    const string Id = "4f1ac0de-9a51-4d27-8f3e-0a4f5a6b7c8d";
    const string Other = "00c0ffee-0000-4000-8000-00000000d00d";
    const string Arn = "arn:aws:s3:::ledger/2026/report.csv";

    // Everything that a reference can be mistaken for, and values that are in columns, at random.
    static readonly string[] Known =
    [
        $"\"{Id}\"", $"\"{Other}\"", $"\"{Arn}\"", "\"ada.lovelace\"", "\"203.0.113.77\"", "\"s3:GetObject\"", "\"time\":1782864000123,", "\"time\":1782864000123}", "\"time\":17828640001234,",
        "\"time\":\"1782864000123\"", "\"x\":", "{", "}", "[", "]", ",", " ", "\\\"", "\\", "\"", "\u007F", "\u007Ftime\u007F", "\"\u007Fevent_id\u007F\"", "\u007Fuuid_1\u007F", "uuid_1", "é", "\u0001",
        $"\"{Id.ToUpperInvariant()}\"", $"\"{Id}\":", $"\"a/{Other}\"", "\"\"", "\"a\\\"ada.lovelace\"",
    ];

    static readonly Gen<string> Pieces = Gen.Int[0, Known.Length - 1].Select(i => Known[i]);

    static readonly Gen<string> Uuids = Gen.Guid.Select(id => $"\"{id}\",");

    static readonly Gen<string> Texts = Gen.OneOf(Pieces, Pieces, Pieces, Uuids).Array[0, 25].Select(string.Concat);

    static readonly string[] References = ["{", "\"a\":", ",", "\"\u007Fobject\u007F\"", "\"\u007Fuser\u007F\"", "\"\u007Fuuid_1\u007F\"", "\"\u007Ftime\u007F\""];

    static readonly Gen<string> Referring = Gen.Int[0, References.Length - 1].Select(i => References[i]).Array[0, 12].Select(string.Concat);

    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void Values_of_columns_and_ids_are_stored_once()
    {
        var json = $$$"""{"time":1782864000123,"metadata":{"uid":"{{{Id}}}"},"actor":{"user":{"name":"ada.lovelace","uid":"ada.lovelace"}},"src_endpoint":{"ip":"203.0.113.77"},"api":{"operation":"s3:GetObject","request":{"uid":"{{{Other}}}"}},"resources":[{"uid":"{{{Arn}}}"}],"parent":"{{{Other}}}"}""";

        var text = Written(json, out var uuids);

        Assert.Equal(
            """{"time":"␡time␡","metadata":{"uid":"␡event_id␡"},"actor":{"user":{"name":"␡user␡","uid":"␡user␡"}},"src_endpoint":{"ip":"␡ip␡"},"api":{"operation":"␡action␡","request":{"uid":"␡uuid_1␡"}},"resources":[{"uid":"␡object␡"}],"parent":"␡uuid_1␡"}""",
            text.Replace('\u007F', '␡'), StringComparer.Ordinal);
        Assert.Equal([Guid.Parse(Other), null, null, null], ((ReadOnlySpan<Guid?>)uuids).ToArray());
        using var parsed = JsonDocument.Parse(text);
    }

    [Theory]
    [InlineData("""{"ada.lovelace":1}""")] // a name of a field stays what it is for other readers
    [InlineData("""{"a":"x ada.lovelace"}""")]
    [InlineData("""{"time":1782864000124}""")]
    [InlineData("""{"time":17828640001230}""")]
    [InlineData("""{"at":1782864000123}""")]
    [InlineData("""{"id":"4F1AC0DE-9A51-4D27-8F3E-0A4F5A6B7C8D"}""")]
    [InlineData("""{"id":"{4f1ac0de-9a51-4d27-8f3e-0a4f5a6b7c8}"}""")]
    public void What_is_not_the_same_stays(string json) => Assert.Equal(json, Written(json, out _), StringComparer.Ordinal);

    [Theory]
    [InlineData("{\"a\":\"\u007F\"}")]
    [InlineData(" {\"a\":1}")]
    public void What_could_be_mistaken_is_stored_whole(string json) => Assert.Equal(" " + json, Written(json, out _), StringComparer.Ordinal);

    [Theory]
    [InlineData(0)]
    [InlineData(9_999_999_999)]
    [InlineData(10_000_000_000)]
    [InlineData(-1)]
    public void A_short_time_is_not_made_longer(long micros)
    {
        var json = "{" + string.Join(',', Enumerable.Repeat($"\"time\":{micros / 1000}", 50)) + "}";
        var e = Event(json);
        e.TimeMicros = micros;
        var output = new ArrayBufferWriter<byte>();
        EventReferences.Write(output, e, out var uuids);
        var read = new ArrayBufferWriter<byte>();

        Assert.Null(EventReferences.Read(read, output.WrittenSpan, e, uuids));

        Assert.InRange(output.WrittenCount, 0, e.Json.Length + 1);
        Assert.Equal(json, Encoding.UTF8.GetString(read.WrittenSpan), StringComparer.Ordinal);
    }

    [Fact]
    public void What_is_read_is_what_was_written() => Texts.Sample(
        json =>
        {
            var output = new ArrayBufferWriter<byte>();
            var e = Event(json);
            EventReferences.Write(output, e, out var uuids);
            var read = new ArrayBufferWriter<byte>();

            Assert.Null(EventReferences.Read(read, output.WrittenSpan, e, uuids));

            Assert.Equal(json, Encoding.UTF8.GetString(read.WrittenSpan), StringComparer.Ordinal);
            Assert.InRange(output.WrittenCount, 0, e.Json.Length + 1);
        },
        iter: 20_000);

    [Theory]
    [InlineData("{\"a\":\"\u007Fuser", "no end")]
    [InlineData("{\"a\":\"\u007Fsource\u007F\"}", "no column")]
    [InlineData("{\"a\":\"\u007F\u007F\"}", "no column")]
    [InlineData("{\"a\":\"\u007Fuuid_2\u007F\"}", "`uuid_2`, which is null")]
    [InlineData("\u007Ftime\u007F", "other than as a number")]
    public void A_text_that_was_not_written_so_is_an_error(string text, string error) =>
        Assert.Contains(error, EventReferences.Read(new ArrayBufferWriter<byte>(), Encoding.UTF8.GetBytes(text), Event("{}"), default), StringComparison.Ordinal);

    [Fact]
    public void What_references_stand_for_is_bounded() => Gen.Select(Referring, Gen.Int[0, 200], Gen.Int[0, 600]).Sample(
        (text, size, bytesMax) =>
        {
            var e = Event("{}");
            e.Object = new(Encoding.UTF8.GetBytes(new string('o', size)));
            var uuids = default(EventUuids);
            uuids[0] = Guid.Parse(Other);
            var whole = text.Replace("\u007Fobject\u007F", new string('o', size), StringComparison.Ordinal).Replace("\u007Fuser\u007F", "ada.lovelace", StringComparison.Ordinal)
                .Replace("\u007Fuuid_1\u007F", Other, StringComparison.Ordinal).Replace("\"\u007Ftime\u007F\"", "1782864000123", StringComparison.Ordinal);
            var read = new ArrayBufferWriter<byte>();

            var error = EventReferences.Read(read, Encoding.UTF8.GetBytes(text), e, uuids, bytesMax);

            if (whole.Length <= bytesMax || !text.Contains('\u007F', StringComparison.Ordinal))
            {
                Assert.Null(error);
                Assert.Equal(whole, Encoding.UTF8.GetString(read.WrittenSpan), StringComparer.Ordinal);
            }
            else
            {
                Assert.Equal($"`event` refers to more than {bytesMax} bytes", error, StringComparer.Ordinal);
                Assert.InRange(read.WrittenCount, 0, bytesMax);
            }
        },
        iter: 20_000);

    [Fact]
    public void A_segment_whose_references_stand_for_too_much_is_damaged()
    {
        var path = _scratch.File("crafted.parquet");
        var large = new byte[1 << 20];
        Array.Fill(large, (byte)'o');
        var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("\u007Fobject\u007F", 1_000_000)));
        CraftedSegment.Write(path, text, large);

        using var reader = SegmentReader.Open(path);

        Assert.False(reader.Next());
        Assert.Equal($"row 0: `event` refers to more than {EventReferences.JsonBytesMax} bytes", reader.Error, StringComparer.Ordinal);
    }

    [Fact]
    public void A_json_that_is_too_large_to_be_bounded_is_stored_whole()
    {
        var json = new byte[EventReferences.JsonBytesMax + 1];
        Array.Fill(json, (byte)' ');
        "{\"a\":\"ada.lovelace\"}"u8.CopyTo(json);
        var output = new ArrayBufferWriter<byte>();
        var e = Event("");
        e.Json = json;
        EventReferences.Write(output, e, out var uuids);
        var read = new ArrayBufferWriter<byte>();

        Assert.Null(EventReferences.Read(read, output.WrittenSpan, e, uuids));

        Assert.True(read.WrittenSpan.SequenceEqual(json));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Sql_puts_together_what_the_reader_does(bool isDocumented)
    {
        var path = _scratch.File("references.parquet");
        var texts = Texts.Array[400].Single();
        using (var memory = new EventMemory())
        using (var events = new EventBuffer(memory))
        using (var writer = new SegmentWriter())
        {
            for (var i = 0; i < texts.Length; i++)
            {
                var e = Event(texts[i]);
                e.Offset = i;
                var encoded = new ArrayBufferWriter<byte>();
                EventEncoding.Write(encoded, e);
                events.Add(encoded.WrittenSpan);
            }
            events.Sort();
            writer.Write(path, events, 0);
        }
        using var duck = new DuckDBConnection("DataSource=:memory:");
        duck.Open();
        Hot.EventFunction.Register(duck);
        using var command = duck.CreateCommand();
        if (isDocumented)
        {
            command.CommandText = SqlOf(File.ReadAllText(Path.Combine(Repository.Root, "docs/formats/segment.md"))).Replace("segments/**/*.parquet", path, StringComparison.Ordinal);
            command.ExecuteNonQuery();
        }
        command.CommandText = isDocumented ? "SELECT event FROM events ORDER BY leaf" : $"SELECT {Hot.EventFunction.Sql} FROM '{path}' ORDER BY leaf";
        using var rows = command.ExecuteReader();
        foreach (var text in texts)
        {
            Assert.True(rows.Read());
            Assert.Equal(text, rows.GetString(0), StringComparer.Ordinal);
        }
    }

    [Fact]
    public async Task A_row_that_refers_to_nothing_is_told_by_a_query()
    {
        using var duck = new DuckDBConnection("DataSource=:memory:");
        await duck.OpenAsync(TestContext.Current.CancellationToken);
        Hot.EventFunction.Register(duck);
        await using var command = duck.CreateCommand();
        command.CommandText = $$"""
            SELECT {{Hot.EventFunction.Sql}} FROM (SELECT '{"a":"' || chr(127) || 'ip' || chr(127) || '"}' AS event, 'e1' AS event_id, 'ada' AS user, NULL::VARCHAR AS ip,
                NULL::VARCHAR AS action, NULL::VARCHAR AS object, now() AS time, NULL::UUID AS uuid_1, NULL::UUID AS uuid_2, NULL::UUID AS uuid_3, NULL::UUID AS uuid_4)
            """;

        var refused = await Assert.ThrowsAsync<DuckDBException>(() => command.ExecuteScalarAsync(TestContext.Current.CancellationToken));

        Assert.Contains("event e1: `event` refers to `ip`, which is null", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Text_within_what_is_referred_to_is_found_and_names_of_references_are_not()
    {
        using var world = new QueryWorld();
        var ids = Enumerable.Range(0, 300).Select(i => new Guid(i, 7, 9, [1, 2, 3, 4, 5, 6, 7, 8])).ToArray();
        var events = new List<byte[]>();
        for (var i = 0; i < ids.Length; i++)
        {
            var e = Event($$$"""{"a":{"time":1782864000123},"uid":"{{{Id}}}","user":"ada.lovelace","request":"{{{ids[i]}}}","list":["{{{ids[i]}}}","{{{ids[(i + 1) % 300]}}}"],"ip":"203.0.113.77","n":{{{i}}}}""");
            e.Offset = i;
            var encoded = new ArrayBufferWriter<byte>();
            EventEncoding.Write(encoded, e);
            events.Add(encoded.WrittenSpan.ToArray());
        }
        foreach (var path in world.Seal(events)) new Hot.TextIndexBuilder().Build(path);

        Assert.Equal(300, await Count("lovelace"));
        Assert.Equal(300, await Count("\"4f1ac0de-9a51\""));
        Assert.Equal(300, await Count("203.0.113"));
        Assert.Equal(2, await Count($"\"{ids[120]}\""));
        Assert.Equal(2, await Count($"\"{ids[120].ToString()[..20]}\""));
        Assert.Equal(1, await Count($"request=\"{ids[120]}\""));
        Assert.Equal(300, await Count("a.time=1782864000123 uid=" + Id));
        foreach (var name in (string[])["event_id", "uuid_1", "uuid_2", "s3:GetObject"]) Assert.Equal(0, await Count($"\"{name}\""));
        var page = await world.Engine.SearchAsync(new() { Scope = new() { Filter = $"\"{ids[120]}\"" } }, TestContext.Current.CancellationToken);
        Assert.All(page.Rows, row => Assert.Contains($"\"user\":\"ada.lovelace\",\"request\":\"{ids[row.Offset]}\"", row.Event, StringComparison.Ordinal));

        Task<long> Count(string filter) => world.Engine.CountAsync(new() { Filter = filter }, TestContext.Current.CancellationToken);
    }

    static string SqlOf(string document)
    {
        const string Fence = "```sql";
        var start = document.IndexOf(Fence, StringComparison.Ordinal) + Fence.Length;
        return document[start..document.IndexOf("```", start, StringComparison.Ordinal)];
    }

    static StoredEvent Event(string json) => new()
    {
        TimeMicros = 1_782_864_000_123_456,
        IngestedMicros = 1_782_864_000_123_456,
        Id = Encoding.UTF8.GetBytes(Id),
        Class = "application"u8,
        Source = "shop"u8,
        Format = "app"u8,
        User = new("ada.lovelace"u8),
        Ip = new("203.0.113.77"u8),
        Action = new("s3:GetObject"u8),
        Object = new(Encoding.UTF8.GetBytes(Arn)),
        Json = Encoding.UTF8.GetBytes(json),
    };

    static string Written(string json, out EventUuids uuids)
    {
        var output = new ArrayBufferWriter<byte>();
        EventReferences.Write(output, Event(json), out uuids);
        return Encoding.UTF8.GetString(output.WrittenSpan);
    }
}
