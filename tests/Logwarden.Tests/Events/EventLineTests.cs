using System.Buffers;
using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Events;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Events;

public class EventLineTests
{
    static readonly Gen<byte[]> Text = Gen.OneOf(Gen.String.Select(Encoding.UTF8.GetBytes), Gen.Byte.Array[0, 40]);

    static readonly Gen<string> Name = Gen.OneOf(Gen.OneOf("message", "dt", "level", "event_id", "unmapped", "logwarden", "\\u0064t", "a b"), Gen.String.Select(text => JsonSerializer.Serialize(text)[1..^1]));

    static readonly Gen<string> Json = Gen.Recursive<string>((depth, self) => depth > 3 ? Gen.Const("1") : Gen.OneOf(
        Gen.OneOf("null", "true", "-1.5e3", "\"\"", "{}", "[]", "\"\\ud800\"", " [ 1 , 2 ] "),
        Gen.String.Select(text => JsonSerializer.Serialize(text)),
        self.Array[0, 3].Select(items => $"[{string.Join(",\n", items)}]"),
        Members(self)));

    static Gen<string> Members(Gen<string> value) => Gen.Select(Name, value, (name, of) => $"\"{name}\" :\r\n{of}").Array[0, 5].Select(members => $"{{{string.Join(" , ", members)}}}");

    static readonly Gen<byte[]> Event = Gen.OneOf(
        Members(Json).Select(Encoding.UTF8.GetBytes), Members(Json).Select(Encoding.UTF8.GetBytes), Json.Select(Encoding.UTF8.GetBytes),
        Gen.Select(Members(Json), Gen.Int[0, 200], (json, cut) => Encoding.UTF8.GetBytes(json[..Math.Min(cut, json.Length)])), Gen.Byte.Array[0, 60]);

    /// <summary>Against the calendar of the framework, in all of its years.</summary>
    [Fact]
    public void A_time_is_written_as_RFC_3339_in_UTC_to_the_microsecond() =>
        Gen.OneOf(Gen.Long[-62_135_596_800_000_000, 253_402_300_799_999_999], Gen.Long[1_700_000_000_000_000, 1_900_000_000_000_000],
            Gen.OneOf(-62_135_596_800_000_000L, 253_402_300_799_999_999, -1, 0, 951_782_399_999_999, 951_782_400_000_000)).Sample(micros =>
        {
            Span<byte> text = stackalloc byte[EventJson.MicrosMax];
            text.Fill((byte)'#');
            var written = EventJson.Micros(micros, text);
            Assert.Equal(UnixMicros.ToInstant(micros).ToString("yyyy-MM-ddTHH:mm:ss.ffffffZ", System.Globalization.CultureInfo.InvariantCulture), Encoding.ASCII.GetString(text[..written]));
        });

    [Fact]
    public void Whatever_an_event_holds_it_becomes_one_line_of_valid_JSON_with_our_facts_and_nobody_elses() =>
        Gen.Select(Event, Text, Text, Text, Gen.Long).Sample((json, id, user, redactions, micros) =>
        {
            foreach (var own in (OwnFields?[])[null, WriteOwn])
            {
                using var lines = new EventLine(own is null ? [] : Reserved, own);
                var output = new ArrayBufferWriter<byte>();
                var e = new StoredEvent { Id = id, User = new(user), Action = new(id), Class = redactions, Redactions = redactions, TimeMicros = micros, IngestedMicros = ~micros, Json = json };
                lines.Write(output, e);
                var line = output.WrittenSpan;
                Assert.Equal(line.Length - 1, line.IndexOf((byte)'\n'));
                using var parsed = JsonDocument.Parse(output.WrittenMemory, new JsonDocumentOptions { MaxDepth = 512 });
                var top = parsed.RootElement;
                var unmapped = Assert.Single(top.EnumerateObject(), field => field.NameEquals("unmapped")).Value;
                var facts = Assert.Single(unmapped.EnumerateObject(), field => field.NameEquals("logwarden")).Value;
                Assert.Equal(Encoding.UTF8.GetString(id), facts.GetProperty("event_id").GetString());
                Assert.Equal(Encoding.UTF8.GetString(user), facts.GetProperty("user").GetString());
                Assert.Equal(IsObject(json), !unmapped.TryGetProperty("damaged", out _) || HasOwn(json, "damaged"));
                if (own is null) continue;
                foreach (var name in (string[])["dt", "level", "event_id"]) Assert.Equal("ours", Assert.Single(top.EnumerateObject(), field => field.NameEquals(name)).Value.GetString());
                Assert.Contains(top.EnumerateObject(), field => field.NameEquals("message") && field.Value.ValueKind == JsonValueKind.String);
            }
        }, iter: 20_000);

    [Fact]
    public void Nothing_of_a_sound_event_is_lost() => Members(Json).Sample(text =>
    {
        using var lines = new EventLine([], null);
        var output = new ArrayBufferWriter<byte>();
        lines.Write(output, new StoredEvent { Json = Encoding.UTF8.GetBytes(text) });
        using var before = JsonDocument.Parse(text);
        using var after = JsonDocument.Parse(output.WrittenMemory);
        var kept = before.RootElement.EnumerateObject().Where(field => !field.NameEquals("unmapped")).Select(field => (field.Name, field.Value.GetRawText().ReplaceLineEndings("\n").Replace('\n', ' ')));
        Assert.Equal(
            kept.Select(pair => pair.Item2.Replace(" ", "", StringComparison.Ordinal)),
            after.RootElement.EnumerateObject().Where(field => !field.NameEquals("unmapped")).Select(field => field.Value.GetRawText().Replace(" ", "", StringComparison.Ordinal)));
    }, iter: 2_000);

    [Fact]
    public void What_a_source_writes_in_the_place_of_our_facts_is_left_out()
    {
        var output = new ArrayBufferWriter<byte>();
        EventJson.Write(output, new StoredEvent { Class = "application"u8, Json = """{"unmapped":{"logwarden":{"class":"security-audit"},"kept":1},"unmapped":{"logwarden":2}}"""u8 });
        Assert.DoesNotContain("security-audit", Encoding.UTF8.GetString(output.WrittenSpan), StringComparison.Ordinal);
        using var json = JsonDocument.Parse(output.WrittenMemory);
        Assert.Equal(1, json.RootElement.GetProperty("unmapped").GetProperty("kept").GetInt32());
        Assert.Equal("application", json.RootElement.GetProperty("unmapped").GetProperty("logwarden").GetProperty("class").GetString());
    }

    [Fact]
    public void The_samples_of_all_formats_are_rendered_with_all_that_they_hold()
    {
        var count = 0;
        foreach (var line in Directory.EnumerateFiles(Path.Combine(Repository.Root, "samples", "logs"), "*.ocsf.ndjson", SearchOption.AllDirectories).SelectMany(File.ReadLines))
        {
            var output = new ArrayBufferWriter<byte>();
            EventJson.Write(output, new StoredEvent { Id = "e"u8, Class = "application"u8, Source = "s"u8, Format = "f"u8, Json = Encoding.UTF8.GetBytes(line) });
            using var before = JsonDocument.Parse(line);
            using var after = JsonDocument.Parse(output.WrittenMemory);
            Assert.Equal(
                before.RootElement.EnumerateObject().Where(field => !field.NameEquals("unmapped")).Select(field => field.ToString()),
                after.RootElement.EnumerateObject().Where(field => !field.NameEquals("unmapped")).Select(field => field.ToString()));
            count++;
        }
        Assert.InRange(count, 20, int.MaxValue);
    }

    static readonly byte[][] Reserved = ["dt"u8.ToArray(), "message"u8.ToArray(), "level"u8.ToArray(), "event_id"u8.ToArray()];

    static void WriteOwn(Utf8JsonWriter json, in StoredEvent e, bool hasMessage)
    {
        foreach (var name in (string[])["dt", "level", "event_id"]) json.WriteString(name, "ours");
        if (!hasMessage) json.WriteString("message", "ours");
    }

    static bool IsObject(byte[] json)
    {
        if (!System.Text.Unicode.Utf8.IsValid(json)) return false;
        try
        {
            using var parsed = JsonDocument.Parse(json);
            return parsed.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }

    static bool HasOwn(byte[] json, string name) => Encoding.UTF8.GetString(json).Contains(name, StringComparison.Ordinal);
}
