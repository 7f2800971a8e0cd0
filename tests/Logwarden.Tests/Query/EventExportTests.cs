using System.Globalization;
using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Events;
using Logwarden.Query;

namespace Logwarden.Tests.Query;

public class EventExportTests
{
    static readonly EventRow Row = new()
    {
        Leaf = 3,
        Offset = 7,
        TimeMicros = 1_767_225_600_123_456,
        IngestedMicros = 1_767_225_601_000_000,
        EventId = "e-1",
        Class = "security-audit",
        Source = "aws",
        Format = "cloudtrail",
        Kinds = LogKinds.SignIn | LogKinds.SecuritySetting,
        Missing = MissingFields.Object,
        User = "ada, \"the\" first",
        Ip = "192.0.2.1",
        Action = "",
        Object = null,
        Redactions = "aws-key=1,email=2",
        Event = """{"class_uid":3002,"message":"ü"}""",
    };

    [Fact]
    public async Task JSON_is_the_OCSF_event_with_our_facts_under_unmapped()
    {
        var lines = (await Print(ExportFormat.Json, export => export.WriteAsync([Row, Row with { Event = "{}", Redactions = "" }], Cancel))).Split('\n');
        Assert.Equal(3, lines.Length);
        using var first = JsonDocument.Parse(lines[0]);
        Assert.Equal("ü", first.RootElement.GetProperty("message").GetString());
        var facts = first.RootElement.GetProperty("unmapped").GetProperty("logwarden");
        Assert.Equal(["LOG-1", "LOG-3"], facts.GetProperty("kinds").EnumerateArray().Select(kind => kind.GetString()));
        Assert.Equal(("security-audit", "e-1"), (facts.GetProperty("class").GetString(), facts.GetProperty("event_id").GetString()));
        using var second = JsonDocument.Parse(lines[1]);
        Assert.Equal("aws", second.RootElement.GetProperty("unmapped").GetProperty("logwarden").GetProperty("source").GetString());
    }

    [Fact]
    public async Task CSV_is_RFC_4180_and_tells_absent_from_empty()
    {
        var lines = (await Print(ExportFormat.Csv, export => export.WriteAsync([Row], Cancel))).Split("\r\n");
        Assert.Equal("time,ingested,class,source,format,event_id,offset,leaf,kinds,missing,user,ip,action,object,redactions,event", lines[0]);
        Assert.Equal(
            "2026-01-01T00:00:00.123456Z,2026-01-01T00:00:01.000000Z,security-audit,aws,cloudtrail,e-1,7,3,LOG-1 LOG-3,object,\"ada, \"\"the\"\" first\",192.0.2.1,\"\",,\"aws-key=1,email=2\",\"{\"\"class_uid\"\":3002,\"\"message\"\":\"\"ü\"\"}\"",
            lines[1]);
    }

    [Fact]
    public void CSV_reads_back_whatever_the_texts() => Gen.String.Array[1, 6].Array[1, 4].Sample(rows =>
    {
        var width = rows[0].Length;
        var answer = new SqlAnswer([.. Enumerable.Range(0, width).Select(i => i.ToString(CultureInfo.InvariantCulture))],
            [.. rows.Select(row => Enumerable.Range(0, width).Select(i => (object?)row.ElementAtOrDefault(i)).ToArray())], false, default);
        using var output = new MemoryStream();
        new EventExport(output, ExportFormat.Csv, 80).WriteAsync(answer, CancellationToken.None).GetAwaiter().GetResult();
        var read = ReadCsv(Encoding.UTF8.GetString(output.ToArray()));
        Assert.Equal(rows.Length + 1, read.Count);
        for (var i = 0; i < rows.Length; i++)
            Assert.Equal(Enumerable.Range(0, width).Select(at => Clean(rows[i].ElementAtOrDefault(at) ?? "")), read[i + 1]);
    }, iter: 500);

    [Theory, InlineData(40), InlineData(80), InlineData(200)]
    public async Task Tables_fit_the_terminal_and_hide_control_characters(int width)
    {
        var table = await Print(ExportFormat.Table, export => export.WriteAsync([Row with { User = "\u001b[31mred\u202e", Action = new string('x', 500), Object = "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀" }], Cancel), width);
        Assert.All(table.Split('\n'), line => Assert.InRange(line.Length, 0, Math.Max(width, 60)));
        Assert.DoesNotContain('\u001b', table);
        Assert.DoesNotContain('\u202e', table);
        Assert.StartsWith("TIME ", table, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_histogram_is_a_bar_chart()
    {
        var start = DateTimeOffset.UnixEpoch;
        var histogram = new Histogram([new(start, start.AddHours(1), 1000), new(start.AddHours(1), start.AddHours(2), 0), new(start.AddHours(2), start.AddHours(3), 500)], default);
        var lines = (await Print(ExportFormat.Table, export => export.WriteAsync(histogram, Cancel), 48)).Split('\n');
        Assert.Equal("1970-01-01 00:00:00  1,000  " + new string('█', 20), lines[0]);
        Assert.Equal("1970-01-01 01:00:00      0  ", lines[1]);
        Assert.Equal("1970-01-01 02:00:00    500  " + new string('█', 10), lines[2]);
    }

    [Fact]
    public async Task SQL_answers_keep_their_types_in_JSON()
    {
        using var world = new QueryWorld();
        var answer = await world.Engine.SqlAsync(
            "SELECT 1 AS a, 'x' AS b, NULL AS c, [1, 2] AS d, {'k': 'v'} AS e, TIMESTAMP '2026-01-02 03:04:05' AS f, 1.50::DECIMAL(4,2) AS g, true AS h, sum(9000000000000000000) AS i, 'nan'::DOUBLE AS j, TIMESTAMPTZ '2026-01-02 03:04:05+00' AS k, DATE '2026-01-02' AS l FROM range(3)", Cancel);
        Assert.Equal(
            """{"a":1,"b":"x","c":null,"d":[1,2],"e":{"k":"v"},"f":"2026-01-02T03:04:05.000000Z","g":1.50,"h":true,"i":27000000000000000000,"j":"NaN","k":"2026-01-02T03:04:05.000000Z","l":"2026-01-02"}""" + "\n",
            await Print(ExportFormat.Json, export => export.WriteAsync(answer, Cancel)));
    }

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    static async Task<string> Print(ExportFormat format, Func<EventExport, Task> write, int width = 100)
    {
        using var output = new MemoryStream();
        await write(new EventExport(output, format, width));
        return Encoding.UTF8.GetString(output.ToArray());
    }

    static string Clean(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    static List<List<string>> ReadCsv(string text)
    {
        var rows = new List<List<string>>();
        for (var at = 0; at < text.Length;)
        {
            var row = new List<string>();
            while (true)
            {
                var value = new StringBuilder();
                if (at < text.Length && text[at] == '"')
                {
                    for (at++; text[at] != '"' || (at + 1 < text.Length && text[at + 1] == '"'); at++)
                    {
                        value.Append(text[at]);
                        if (text[at] == '"') at++;
                    }
                    at++;
                }
                else
                {
                    while (text[at] is not (',' or '\r')) value.Append(text[at++]);
                }
                row.Add(value.ToString());
                if (text[at++] == ',') continue;
                at++;
                break;
            }
            rows.Add(row);
        }
        return rows;
    }
}
