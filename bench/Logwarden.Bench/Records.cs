using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Logwarden.Bench;

/// <summary>Input of the benchmarks: real CloudTrail records where the corpus is at hand, else the shipped sample, again and again with fresh ids.</summary>
static class Records
{
    /// <summary>Writes CloudTrail log files of 5,000 records each.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="count">How many records.</param>
    /// <param name="day">Day that they are of; null leaves them as they were recorded.</param>
    /// <returns>The files and the bytes of the records in them.</returns>
    public static (string[] Files, long Bytes) CloudTrail(string folder, int count, DateOnly? day = null)
    {
        var templates = CloudTrailTemplates(day);
        return Write(folder, "cloudtrail", count, "{\"Records\":[", "]}", ",", (i, line) =>
        {
            var (before, after) = templates[i % templates.Length];
            line.Append(before).Append(Id(i)).Append(after);
        });
    }

    /// <summary>Writes NDJSON files of our own audit events, about 700 bytes each.</summary>
    /// <param name="folder">Where to.</param>
    /// <param name="count">How many.</param>
    /// <param name="day">Day that they begin on.</param>
    public static (string[] Files, long Bytes) App(string folder, int count, DateOnly? day = null)
    {
        var since = day?.ToDateTime(default) ?? DateTime.UnixEpoch.AddSeconds(1_764_000_000);
        var chance = new Random(7);
        string[] actions = ["order.create", "order.update", "customer.read", "user.login", "user.logout", "invoice.download", "settings.update"];
        return Write(folder, "app", count, "", "\n", "\n", (i, line) =>
        {
            var user = chance.Next(5000);
            line.Append(CultureInfo.InvariantCulture, $$"""{"id":"{{Id(i)}}","dt":"{{since.AddSeconds(i / 50):yyyy-MM-ddTHH:mm:ss}}.{{i % 1000:D3}}Z","level":"info","message":"{{actions[i % actions.Length]}} finished","service":"shop-{{i % 7}}","env":"production","host":"ip-10-0-{{i % 16}}-{{i % 250}}.eu-central-1.compute.internal","user":{"id":"u-{{user}}","name":"User Number {{user}}","role":"{{(user % 9 == 0 ? "admin" : "member")}}"},"ip":"203.0.{{user % 113}}.{{user % 250}}","action":"{{actions[i % actions.Length]}}","object":"order/{{chance.Next(1_000_000)}}","status":"success","duration_ms":{{chance.Next(900)}},"http":{"method":"POST","path":"/api/v2/orders/{{chance.Next(1_000_000)}}","status":200,"user_agent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"},"trace_id":"{{Hex(chance, 16)}}","span_id":"{{Hex(chance, 8)}}"}""");
        });
    }

    static (string[] Files, long Bytes) Write(string folder, string name, int count, string head, string tail, string between, Action<int, StringBuilder> record)
    {
        const int PerFile = 5000;
        Directory.CreateDirectory(folder);
        var files = new List<string>();
        var bytes = 0L;
        var line = new StringBuilder();
        for (var first = 0; first < count; first += PerFile)
        {
            var path = Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"{name}-{first:D9}.json"));
            using var file = new StreamWriter(path, append: false, new UTF8Encoding(false), 1 << 20);
            file.Write(head);
            for (var i = first; i < Math.Min(count, first + PerFile); i++)
            {
                line.Clear();
                if (i > first) line.Append(between);
                record(i, line);
                bytes += line.Length;
                file.Write(line);
            }
            file.Write(tail);
            files.Add(path);
        }
        return ([.. files], bytes);
    }

    /// <summary>Each record in two halves, between which its eventID goes.</summary>
    static (string Before, string After)[] CloudTrailTemplates(DateOnly? day)
    {
        var records = Sources().SelectMany(file => JsonNode.Parse(File.ReadAllBytes(file))!["Records"]!.AsArray()).ToList();
        var options = new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
        return [.. records.Select(record =>
        {
            var id = record!["eventID"]!.GetValue<string>();
            if (day is { } other) record["eventTime"] = other.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture) + record["eventTime"]!.GetValue<string>()[10..];
            var text = record.ToJsonString(options);
            var at = text.IndexOf(id, StringComparison.Ordinal);
            return (text[..at], text[(at + id.Length)..]);
        })];
    }

    static IEnumerable<string> Sources()
    {
        var corpora = Environment.GetEnvironmentVariable("LOGWARDEN_CORPORA") ?? Path.Combine(Checkout, "..", "shared", "corpora");
        var packed = Path.Combine(corpora, "cloudtrail-invictus.tar.gz");
        if (!File.Exists(packed))
        {
            Console.Error.WriteLine("the corpus cloudtrail-invictus is not here: the shipped sample stands in, figures are not comparable");
            return Directory.GetFiles(Path.Combine(Checkout, "samples", "logs", "cloudtrail"), "*.json");
        }
        var scratch = Path.Combine(Path.GetTempPath(), "logwarden-bench");
        Directory.CreateDirectory(scratch);
        using var tar = Process.Start("tar", ["-xzf", packed, "-C", scratch]);
        tar.WaitForExit();
        return Directory.GetFiles(Path.Combine(scratch, "cloudtrail-invictus", "CloudTrail"), "*.json").Order(StringComparer.Ordinal);
    }

    static string Checkout => Path.GetFullPath(Path.Combine(AppContext.BaseDirectory, "..", "..", "..", ".."));

    static string Id(int i) => string.Create(CultureInfo.InvariantCulture, $"{unchecked((uint)(i * 2654435761L)):x8}-{i >> 16 & 0xFFFF:x4}-4{i & 0xFFF:x3}-8{i >> 12 & 0xFFF:x3}-{i:x12}");

    static string Hex(Random chance, int bytes)
    {
        Span<byte> random = stackalloc byte[16];
        chance.NextBytes(random[..bytes]);
        return Convert.ToHexStringLower(random[..bytes]);
    }
}
