using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using Logwarden.Events;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Formats;

/// <summary>Every real log at hand: all of it is read, every event is valid OCSF, and the five fields are those of the record.</summary>
public class CorpusTests(ITestOutputHelper console)
{
    static readonly Lazy<OcsfSchema> Schema = new(() => new OcsfSchema(Corpora.Ocsf()));

    delegate IEnumerable<string> Differences(string raw, NormalizedCopy e);

    [Theory]
    [InlineData("cloudtrail-invictus", "*.json", 714)]
    [InlineData("stratus-detonation-logs", "*.json", 51)]
    [InlineData("traildiscover", "*.cloudtrail", 87)]
    public void CloudTrail_files_are_read_in_full(string corpus, string pattern, int records)
    {
        var files = Directory.EnumerateFiles(Corpora.Folder(corpus), pattern, SearchOption.AllDirectories)
            .Where(file => !file.EndsWith("technique_expected_alerts.json", StringComparison.Ordinal));
        var items = files.SelectMany(file => Reading.All(Reading.Format("cloudtrail"), File.ReadAllBytes(file))).ToList();
        Report("cloudtrail", corpus, items, SlowReaders.CloudTrail);
        Assert.Equal(records, items.Count);
    }

    [Fact]
    public void CloudTrail_events_of_panther_are_read_in_full()
    {
        var logs = Panther("AWS.CloudTrail").Where(log => log.TryGetProperty("eventName", out _)).ToList();
        Report("cloudtrail", "panther-tests", Items("cloudtrail", logs), SlowReaders.CloudTrail);
    }

    [Fact]
    public void What_panther_calls_CloudTrail_but_is_not_is_refused()
    {
        var logs = Panther("AWS.CloudTrail").Where(log => !log.TryGetProperty("eventName", out _)).ToList();
        Assert.All(Items("cloudtrail", logs), item => Assert.Equal("not-cloudtrail", item.Error?.Code));
    }

    [Fact]
    public void Kubernetes_events_of_panther_are_read_in_full()
    {
        var logs = Panther("Amazon.EKS.Audit").Where(log => log.TryGetProperty("verb", out _)).ToList();
        Report("k8s-audit", "panther-tests", Items("k8s-audit", logs), SlowReaders.Kubernetes);
    }

    [Fact]
    public void Kubernetes_traces_of_falco_are_read_in_full()
    {
        var folder = Path.Combine(Corpora.Folder("k8s-audit-falco"), "traces");
        var items = Directory.EnumerateFiles(folder).SelectMany(file => Reading.All(Reading.Format("k8s-audit"), File.ReadAllBytes(file))).ToList();
        Report("k8s-audit", "k8s-audit-falco", items.Where(item => item.RawText.Contains("\"verb\"", StringComparison.Ordinal)).ToList(), SlowReaders.Kubernetes);
        Assert.All(items.Where(item => !item.RawText.Contains("\"verb\"", StringComparison.Ordinal)),
            item => Assert.Equal("not-k8s-audit", item.Error?.Code));
    }

    [Fact]
    public void Prefixes_of_pganalyze_are_recognised()
    {
        var cases = Json(Corpora.PathOf("postgres-pganalyze", "parse_cases.json"));
        var items = new List<ReadItem>();
        foreach (var one in cases.EnumerateArray())
        {
            var item = Assert.Single(Reading.All(Reading.Format("pgaudit"), one.GetProperty("lineIn").GetString()!));
            items.Add(item);
            Assert.Equal(one.GetProperty("lineOutOk").GetBoolean(), item.Error is null);
            if (item.Error is not null) continue;
            var expected = one.GetProperty("lineOut");
            Assert.Equal(SlowReaders.Optional(expected, "Username"), item.Event!.User);
            if (SlowReaders.Optional(expected, "OccurredAt") is { } time && time.EndsWith(" UTC", StringComparison.Ordinal))
                Assert.Equal(SlowReaders.Micros(time[..^4] + "Z"), item.Event.TimeMicros);
        }
        Report("pgaudit", "postgres-pganalyze (prefixes)", items, (_, _) => []);
    }

    [Fact]
    public void Lines_of_pganalyze_are_read_in_full_and_no_secret_of_them_survives()
    {
        var items = new List<ReadItem>();
        var (secrets, left) = (0, new List<string>());
        foreach (var one in Json(Corpora.PathOf("postgres-pganalyze", "analyze_cases.json")).EnumerateArray())
        {
            var lines = one.GetProperty("lines_in").EnumerateArray().ToList();
            for (var i = 0; i < lines.Count; i++)
            {
                var content = lines[i].GetProperty("Content").GetString()!.TrimEnd('\n');
                var level = lines[i].TryGetProperty("LogLevel", out var given) && given.ValueKind == JsonValueKind.String ? given.GetString() : "LOG";
                var line = $"2026-01-02 03:04:05.678 UTC [42] app@shop {level}:  {content.Replace("\n", "\n\t", StringComparison.Ordinal)}";
                var item = Assert.Single(Reading.All(Reading.Format("pgaudit"), line));
                items.Add(item);
                if (item.Event is null) continue;
                var expected = one.GetProperty("expected").EnumerateArray().ElementAtOrDefault(i);
                if (expected.ValueKind != JsonValueKind.Object || !expected.TryGetProperty("SecretMarkers", out var markers)) continue;
                var json = item.Event.Root.GetRawText();
                // The shape of a statement stays on purpose; only the values in it are secret here.
                foreach (var secret in markers.EnumerateArray().Where(marker => !marker.GetProperty("Kind").ValueEquals("StatementTextLogSecret"))
                    .Select(marker => marker.GetProperty("secret_text").GetString()!.Trim()))
                {
                    secrets++;
                    if (secret.Length >= 4 && json.Contains(JsonSerializer.Serialize(secret)[1..^1], StringComparison.Ordinal)) left.Add(one.GetProperty("id") + ": " + secret);
                }
            }
        }
        console.WriteLine($"{secrets} secrets, {left.Count} whole ones left");
        foreach (var one in left.Take(30)) console.WriteLine(one);
        Report("pgaudit", "postgres-pganalyze (lines)", items, (_, _) => []);
        Assert.Empty(left);
        // A reload and the settings that it brought; no statement of all these changes one.
        Assert.Equal((3, 2), SecurityChanges(items));
    }

    [Fact]
    public void Audit_entries_of_pgaudit_are_read_in_full()
    {
        var entries = SlowReaders.AuditEntries(File.ReadAllText(Corpora.PathOf("pgaudit", "pgaudit.out")));
        Assert.Equal(415, entries.Count);
        var items = entries.SelectMany(entry => Reading.All(Reading.Format("pgaudit"),
            "2026-01-02 03:04:05.678 UTC [42] app@shop LOG:  " + entry.Replace("\n", "\n\t", StringComparison.Ordinal))).ToList();
        Report("pgaudit", "pgaudit", items, SlowReaders.AuditLine);
        Assert.Equal(415, items.Count);
        // 60 of them set or reset a setting of pgaudit, 32 change a role, a right, a database or an extension; looked through by hand.
        Assert.Equal((92, 60), SecurityChanges(items));
    }

    [Theory]
    [InlineData("pgaudit-sample.jsonlog.json")]
    [InlineData("pgaudit-sample.csvlog.csv")]
    [InlineData("pgaudit-sample.stderr.log")]
    public void A_server_with_pgaudit_is_read_in_full(string file)
    {
        var items = Reading.All(Reading.Format("pgaudit"), File.ReadAllBytes(Corpora.Contract("postgres/" + file)));
        Report("pgaudit", file, items, file.EndsWith(".json", StringComparison.Ordinal) ? SlowReaders.JsonLog : (_, _) => []);
        Assert.DoesNotContain(items, item => item.Event!.Root.GetRawText().Contains("123-45-6789", StringComparison.Ordinal));
    }

    [Fact]
    public void The_three_forms_of_one_server_log_agree()
    {
        var (json, csv, text) = (Form("pgaudit-sample.jsonlog.json"), Form("pgaudit-sample.csvlog.csv"), Form("pgaudit-sample.stderr.log"));
        Assert.Equal(json, csv);
        // In text form times have no fraction, and the statement of an error is a line of its own.
        Assert.Equal(Comparable(json), Comparable(text), StringComparer.Ordinal);

        static IEnumerable<string> Comparable(List<string> lines) => lines
            .Where(line => !line.Contains("|statement:select|", StringComparison.Ordinal) && !line.Contains("|server:ERROR|", StringComparison.Ordinal))
            .Select(line => line[(line.IndexOf('|', StringComparison.Ordinal) + 1)..]);

        static List<string> Form(string file) => Reading.All(Reading.Format("pgaudit"), File.ReadAllBytes(Corpora.Contract("postgres/" + file)))
            .ConvertAll(item => $"{item.Event!.TimeMicros}|{item.Event.Action}|{item.Event.User}|{item.Event.Ip}|{item.Event.Object}");
    }

    [Fact]
    public void Our_own_samples_are_valid_OCSF()
    {
        foreach (var row in FormatTests.SampleFiles())
        {
            var (format, file) = row.Data;
            Report(format, "samples/" + file, Reading.All(Reading.Format(format), File.ReadAllBytes(Path.Combine(FormatTests.Samples(), format, file))), (_, _) => []);
        }
    }

    void Report(string format, string corpus, List<ReadItem> items, Differences differences)
    {
        var (parsed, valid, agreeing) = (0, 0, 0);
        var faults = new List<string>();
        foreach (var item in items)
        {
            if (item.Event is not { } e)
            {
                faults.Add($"refused {item.Error!.Code} {item.Error.Field}: {item.RawText[..Math.Min(item.RawText.Length, 200)]}");
                continue;
            }
            parsed++;
            var errors = Schema.Value.Validate(e.Root);
            if (errors.Count == 0) valid++;
            faults.AddRange(errors.Select(error => $"schema {error}"));
            var unlike = differences(item.RawText, e).ToList();
            if (unlike.Count == 0) agreeing++;
            faults.AddRange(unlike.Select(one => $"differs {one}"));
        }
        console.WriteLine($"| {format} | {corpus} | {items.Count} | {parsed} | {items.Count - parsed} | {valid} | {agreeing} |");
        console.WriteLine(string.Join("; ", items.Where(item => item.Event is not null).Select(item => item.Event!.Missing).CountBy(missing => missing)
            .Select(count => $"missing {count.Key}: {count.Value}")));
        foreach (var fault in faults.CountBy(fault => fault).OrderByDescending(count => count.Value).Take(25)) console.WriteLine($"{fault.Value} x {fault.Key}");
        Assert.Empty(faults);
    }

    /// <summary>Those of LOG-3, and those of them that change what is logged.</summary>
    static (int All, int OfLogging) SecurityChanges(List<ReadItem> items)
    {
        var changes = items.Where(item => item.Event?.Kinds.HasFlag(LogKinds.SecuritySetting) == true).ToList();
        return (changes.Count, changes.Count(item => item.Event!.Root.GetProperty("severity_id").GetInt32() >= 3));
    }

    static List<ReadItem> Items(string format, IEnumerable<JsonElement> logs) =>
        Reading.All(Reading.Format(format), string.Join('\n', logs.Select(log => JsonSerializer.Serialize(log))));

    static IEnumerable<JsonElement> Panther(string type)
    {
        foreach (var file in Directory.EnumerateFiles(Path.Combine(Corpora.Folder("panther-tests"), "tests"), "*.jsonl"))
        {
            foreach (var line in File.ReadLines(file))
            {
                var test = JsonDocument.Parse(line).RootElement;
                var types = test.GetProperty("log_types");
                if (types.ValueKind == JsonValueKind.Array && types.EnumerateArray().Any(one => one.ValueEquals(type))
                    && test.GetProperty("log").ValueKind == JsonValueKind.Object)
                {
                    yield return test.GetProperty("log");
                }
            }
        }
    }

    static JsonElement Json(string path) => JsonDocument.Parse(File.ReadAllText(path)).RootElement;
}

/// <summary>The five fields once more, read from the raw record without any of our code.</summary>
static class SlowReaders
{
    public static IEnumerable<string> CloudTrail(string raw, NormalizedCopy e)
    {
        var record = JsonDocument.Parse(raw).RootElement;
        var identity = record.TryGetProperty("userIdentity", out var who) ? who : default;
        var user = Optional(identity, "arn") ?? Optional(identity, "principalId") ?? Optional(identity, "userName")
            ?? Optional(identity, "invokedBy") ?? Optional(identity, "accountId");
        if (Unlike(user, e.User)) yield return $"user {user} {e.User}";
        var ip = Optional(record, "sourceIPAddress");
        if (ip is not null && !Regex.IsMatch(ip, @"^(\d{1,3}(\.\d{1,3}){3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]*)$", RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture)) ip = null;
        if (Unlike(ip, e.Ip)) yield return $"ip {ip} {e.Ip}";
        var time = Optional(record, "eventTime");
        if (time is not null && !DateTimeOffset.TryParse(time, CultureInfo.InvariantCulture, out _)) time = null;
        if ((time is null ? Reading.Accepted : Micros(time)) != e.TimeMicros) yield return $"time {time} {e.TimeMicros}";
        var service = Optional(record, "eventSource")?.Replace(".amazonaws.com", "", StringComparison.Ordinal);
        var action = service is null ? Optional(record, "eventName") : service + ":" + Optional(record, "eventName");
        if (Unlike(action, e.Action)) yield return $"action {action} {e.Action}";
        if (e.Object is not null && !raw.Contains(JsonSerializer.Serialize(e.Object)[1..^1], StringComparison.Ordinal) && !Strings(record).Contains(e.Object, StringComparer.Ordinal))
            yield return $"object {e.Object} is not in the record";
        if (record.TryGetProperty("resources", out var resources) && resources.ValueKind == JsonValueKind.Array && e.Root.GetProperty("class_uid").GetInt32() == 6003
            && resources.EnumerateArray().Select(one => Optional(one, "ARN")).FirstOrDefault(arn => arn is not null) is { } first && Unlike(first, e.Object))
        {
            yield return $"object {first} {e.Object}";
        }
        if (Unlike(Optional(record, "eventID") ?? "", e.Id)) yield return "id";
    }

    public static IEnumerable<string> Kubernetes(string raw, NormalizedCopy e)
    {
        var record = JsonDocument.Parse(raw).RootElement;
        var user = record.TryGetProperty("user", out var who) ? Optional(who, "username") ?? Optional(who, "uid") : null;
        if (Unlike(user, e.User)) yield return $"user {user} {e.User}";
        var ip = record.TryGetProperty("sourceIPs", out var ips) && ips.GetArrayLength() > 0 ? ips[ips.GetArrayLength() - 1].GetString() : null;
        if (Unlike(ip, e.Ip)) yield return $"ip {ip} {e.Ip}";
        var time = Optional(record, "requestReceivedTimestamp") ?? Optional(record, "timestamp") ?? Optional(record, "stageTimestamp");
        if ((time is null ? Reading.Accepted : Micros(time)) != e.TimeMicros) yield return $"time {time} {e.TimeMicros}";
        var reference = record.TryGetProperty("objectRef", out var to) ? to : default;
        var resource = Optional(reference, "resource") ?? Optional(record, "requestURI")?.Split('?')[0];
        var action = Optional(record, "verb") + (resource is null ? "" : ":" + resource) + (Optional(reference, "subresource") is { } sub ? "/" + sub : "");
        if (Unlike(action, e.Action)) yield return $"action {action} {e.Action}";
        if (Optional(reference, "name") is { } name && e.Object?.EndsWith("/" + name, StringComparison.Ordinal) != true) yield return $"object {name} {e.Object}";
        if (resource is not null && e.Object?.StartsWith(resource, StringComparison.Ordinal) != true) yield return $"object {resource} {e.Object}";
        if (e.Root.GetRawText().Contains("\"requestObject\"", StringComparison.Ordinal)) yield return "body";
    }

    public static IEnumerable<string> AuditLine(string raw, NormalizedCopy e)
    {
        var fields = Csv(raw[(raw.IndexOf("AUDIT: ", StringComparison.Ordinal) + 7)..].Replace("\n\t", "\n", StringComparison.Ordinal));
        if (Unlike(e.Action, fields[3] + ":" + fields[4])) yield return $"action {fields[3]}:{fields[4]} {e.Action}";
        if (Unlike(e.User, "app")) yield return "user";
        if (e.TimeMicros != Micros("2026-01-02T03:04:05.678Z")) yield return "time";
        if (e.Root.GetProperty("class_uid").GetInt32() == 6005 && Unlike(e.Object, fields[6].Length > 0 ? fields[6] : "shop")) yield return $"object {fields[6]} {e.Object}";
    }

    public static IEnumerable<string> JsonLog(string raw, NormalizedCopy e)
    {
        var record = JsonDocument.Parse(raw).RootElement;
        if (Optional(record, "user") is { } user && Unlike(user, e.User)) yield return $"user {user} {e.User}";
        if (Optional(record, "remote_host") is { } ip && Unlike(ip, e.Ip)) yield return $"ip {ip} {e.Ip}";
        if (Micros(Optional(record, "timestamp")![..^4] + "Z") != e.TimeMicros) yield return "time";
        if (Unlike($"{Optional(record, "session_id")}:{record.GetProperty("line_num")}", e.Id)) yield return $"id {e.Id}";
        var message = Optional(record, "message")!;
        if (!message.StartsWith("AUDIT: ", StringComparison.Ordinal)) yield break;
        var fields = Csv(message[7..]);
        if (Unlike(e.Action, fields[3] + ":" + fields[4])) yield return $"action {fields[3]}:{fields[4]} {e.Action}";
        if (fields[6].Length > 0 && Unlike(fields[6], e.Object)) yield return $"object {fields[6]} {e.Object}";
    }

    public static List<string> AuditEntries(string psql)
    {
        var lines = psql.Split('\n');
        var entries = new List<string>();
        for (var i = 0; i < lines.Length; i++)
        {
            var at = lines[i].IndexOf("AUDIT: ", StringComparison.Ordinal);
            if (at < 0) continue;
            var entry = lines[i][at..];
            while (entry.Count(c => c == '"') % 2 != 0) entry += "\n" + lines[++i];
            entries.Add(entry);
        }
        return entries;
    }

    static List<string> Csv(string line)
    {
        var fields = new List<string>();
        var (field, isQuoted) = (new StringBuilder(), false);
        for (var i = 0; i < line.Length; i++)
        {
            if (line[i] == '"')
            {
                var isDoubled = isQuoted && i + 1 < line.Length && line[i + 1] == '"';
                if (isDoubled) field.Append(line[i++]);
                else isQuoted = !isQuoted;
            }
            else if (line[i] == ',' && !isQuoted)
            {
                fields.Add(field.ToString());
                field.Clear();
            }
            else
            {
                field.Append(line[i]);
            }
        }
        fields.Add(field.ToString());
        return fields;
    }

    static bool Unlike(string? expected, string? actual) => !string.Equals(expected, actual, StringComparison.Ordinal);

    public static string? Optional(JsonElement from, string name) =>
        from.ValueKind == JsonValueKind.Object && from.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text
            ? text
            : null;

    public static long Micros(string time) =>
        (DateTimeOffset.Parse(time, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal).UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / 10;

    static IEnumerable<string> Strings(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject().SelectMany(one => Strings(one.Value)),
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Strings),
        JsonValueKind.String => [value.GetString()!],
        _ => [],
    };
}
