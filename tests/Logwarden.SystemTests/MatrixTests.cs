using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Amazon.S3;
using Amazon.S3.Model;
using Logwarden.Events;
using Logwarden.Segments;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests;

/// <summary>
/// The shipped samples of all sources through the whole program with the shipped policy: every cell of source × class × destination is what the policy's text (DST, RET) says. What is
/// expected stands here, written out by hand; nothing of it is computed by the product.
/// </summary>
[Collection(AwsCredentials.Collection)]
public sealed class MatrixTests(CephGateway gateway, ClickHouseServers clickHouses)
{
    const string Audit = "security-audit", Application = "application", Database = "database", Infrastructure = "infrastructure";
    const string SampleDay = "2026-11-03";
    const long SampleMillis = 1_793_703_605_123; // of the one sample that tells its time as a number
    const string Everything = "warehouse";

    static readonly Sample[] Samples =
    [
        new("trail", "cloudtrail", null, "DST-2", (Audit, 6)) { Files = ["cloudtrail/trail.json"] },
        new("rds-json", "pgaudit", "AWS", "DST-2", (Audit, 4), (Database, 2)) { Files = ["pgaudit/jsonlog.json"] },
        new("rds-csv", "pgaudit", "AWS", "DST-2", (Audit, 1), (Database, 1)) { Files = ["pgaudit/csvlog.csv"] },
        new("rds-stderr", "pgaudit", "AWS", "DST-2", (Audit, 1), (Database, 4)) { Files = ["pgaudit/stderr.log"] },
        new("eks", "k8s-audit", "AWS", "DST-2", (Audit, 3), (Infrastructure, 1)) { Files = ["k8s-audit/events.json"] },
        new("vultr-pg-json", "pgaudit", "Vultr", "DST-3", (Audit, 4), (Database, 2)) { Files = ["pgaudit/jsonlog.json"] },
        new("vultr-pg-csv", "pgaudit", "Vultr", "DST-3", (Audit, 1), (Database, 1)) { Files = ["pgaudit/csvlog.csv"] },
        new("vultr-pg-stderr", "pgaudit", "Vultr", "DST-3", (Audit, 1), (Database, 4)) { Files = ["pgaudit/stderr.log"] },
        new("vke", "k8s-audit", "Vultr", "DST-3", (Audit, 3), (Infrastructure, 1)) { Files = ["k8s-audit/events.json"] },
        new("shop-aws", "app", "AWS", "DST-1", (Audit, 4), (Application, 1)) { Files = ["app/events.ndjson"] },
        new("shop-vultr", "app", "Vultr", "DST-1", (Audit, 5), (Application, 3)) { Files = ["app/events.ndjson", "app/leaky.ndjson"] },
        new("doors", "json", null, "DST-1", (Application, 1)) { Files = ["json/door.ndjson"] },
    ];

    /// <summary>The DST table: where the logs of a clause are hot, and which classes of them must be write-once (DST-4: audit logs, whichever cloud).</summary>
    static readonly Dictionary<string, (string Hot, string[] WriteOnce)> Dst = new(StringComparer.Ordinal)
    {
        ["DST-1"] = ("better-stack", [Audit]),
        ["DST-2"] = ("cloudwatch", [Audit, Database]),
        ["DST-3"] = ("better-stack", [Audit, Database]),
    };

    /// <summary>RET-1 to RET-4: months that an event is kept in all.</summary>
    static readonly Dictionary<string, int> Months = new(StringComparer.Ordinal) { [Audit] = 13, [Application] = 3, [Database] = 13, [Infrastructure] = 24 };

    static readonly string[] Destinations = ["better-stack", "cloudwatch", Everything, "archive", "query"];

    /// <summary>What stands in the samples and must not leave.</summary>
    static readonly string[] Planted =
    [
        "4111 1111 1111 1111", "grace.hopper@example.com", "DE89 3704 0044 0532 0130 00", "Corr3ctHorseBattery", "q83vASNFZ4mrze8BI0VniavN7wEjRWeJ", "Tr0ub4dor-and-3x", "kim@example.com", "lines, one ",
    ];

    /// <summary>CloudWatch takes nothing that is older than 14 days: the samples are of yesterday.</summary>
    readonly DateTime _day = TimeProvider.System.GetUtcNow().UtcDateTime.Date.AddDays(-1);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_event_is_where_the_policy_says_and_nowhere_else_and_no_secret_is_anywhere()
    {
        Assert.All(Planted, secret => Assert.Contains(Samples.SelectMany(sample => sample.Files), file => Text(file).Contains(secret, StringComparison.Ordinal)));
        using var folder = new TempFolder();
        await using var better = await BetterStackStandIn.StartAsync(TimeProvider.System, Cancel);
        await using var aws = await CloudWatchStandIn.StartAsync(TimeProvider.System);
        var shop = better.AddSource("matrix-token", "t1_matrix");
        var clickHouse = await clickHouses.StartAsync("today");
        var bucket = await gateway.NewBucketAsync(isLocked: true);
        var data = folder.In("data");
        await AddDestinationsAsync(folder, data, better, aws, clickHouse);
        var printed = await RunAsync(data, gateway.Target(bucket, "logs"));

        var found = new List<Found>();
        found.AddRange(shop.Received.Select(one => OfJson("better-stack", one.Json)));
        found.AddRange(Messages(aws).Select(message => OfJson("cloudwatch", JsonElement.Parse(message))));
        found.AddRange((await clickHouse.SqlAsync("SELECT source, class, event_id, ifNull(action, '') FROM lw_matrix.events_main")).Select(row => new Found(Everything, row[0], row[1], row[2], row[3])));
        found.AddRange((await Tool.OkAsync("query", "", "--data", data, "--format", "json", "--limit", "10000")).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => OfJson("query", JsonElement.Parse(line))));
        var objects = await ArchiveAsync(bucket, folder.In("archive"));
        found.AddRange(objects.SelectMany(one => one.Events));
        found.RemoveAll(one => one.Action == "canary.send" || one.Source == "logwarden");

        var wrong = Print(found);
        Assert.True(wrong.Length == 0, wrong + printed);
        Assert.Equal(found.Count, found.Distinct().Count()); // nothing twice
        AssertLocks(objects);
        AssertClean(folder, shop, aws, string.Join('\n', (await clickHouse.SqlAsync("SELECT * FROM lw_matrix.events_main")).Select(row => string.Join('\t', row))), printed);
        await Tool.OkAsync("verify", gateway.Target(bucket, "logs"), "--key", Path.Combine(data, "keys", "log.pub"));
    }

    static async Task AddDestinationsAsync(TempFolder folder, string data, BetterStackStandIn better, CloudWatchStandIn aws, ClickHouseServer clickHouse)
    {
        Directory.CreateDirectory(data);
        var token = folder.In("token");
        await File.WriteAllLinesAsync(token, ["matrix-token"], Cancel);
        await AwsCredentials.UseAsync(folder.In("credentials"), aws.Key);
        await AddAsync("better-stack", "better-stack", "endpoint=" + better.Endpoint, "token=file:" + token);
        await AddAsync("cloudwatch", "cloudwatch", "region=" + aws.Region, "endpoint=" + aws.Endpoint, "profile=" + AwsCredentials.Profile);
        await AddAsync(Everything, "clickhouse", "endpoint=" + clickHouse.Endpoint, "database=lw_matrix", "user=logwarden", "password=file:" + clickHouse.PasswordFile);

        Task AddAsync(string name, string type, params string[] settings) => Tool.OkAsync(
        [
            "destination", "add", name, "--type", type, "--from", "oldest", "--data", data, .. settings.SelectMany(setting => (string[])["--set", setting]),
            .. name == Everything ? (string[])["--when", ""] : [],
        ]);
    }

    /// <summary>Sends all samples and waits until everything is delivered and sealed.</summary>
    async Task<string> RunAsync(string data, string archive)
    {
        var tokens = new List<(Sample Sample, string Token)>();
        foreach (var sample in Samples)
            tokens.Add((sample, (await Tool.OkAsync(["source", "add", sample.Source, "--format", sample.Format, "--data", data, .. sample.Cloud is { } cloud ? (string[])["--cloud", cloud] : []])).Trim()));
        await using var server = await Server.StartAsync(data, "--archive", archive, "--seal-age", "1s");
        foreach (var (sample, token) in tokens)
        {
            foreach (var file in sample.Files)
            {
                using var answer = await server.PostAsync(token, Encoding.UTF8.GetBytes(Text(file)), "application/x-ndjson");
                Assert.True(answer.StatusCode == HttpStatusCode.Accepted, $"{sample.Source}: {(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync(Cancel)}");
                Assert.False(answer.Headers.Contains("X-Logwarden-Quarantined"), sample.Source);
            }
        }
        var end = (await StatusAsync(server)).GetProperty("journal").GetProperty("end").GetInt64();
        var began = TimeProvider.System.GetTimestamp();
        while (!IsDone(await StatusAsync(server), end))
        {
            Assert.True(TimeProvider.System.GetElapsedTime(began) < TimeSpan.FromMinutes(2), $"not all arrived: {await StatusAsync(server)}\n{server.Printed}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, Cancel);
        }
        Assert.All((await StatusAsync(server)).GetProperty("destinations").EnumerateArray(), one => Assert.Equal(0, one.GetProperty("dead_letters").GetInt64()));
        return server.Printed;
    }

    static async Task<JsonElement> StatusAsync(Server server) => JsonElement.Parse(await server.Http.GetStringAsync(new Uri("api/v1/status", UriKind.Relative), Cancel));

    static bool IsDone(JsonElement status, long end) =>
        status.GetProperty("archive").GetProperty("sealed_to").GetInt64() >= end && status.GetProperty("destinations").EnumerateArray().All(one => one.GetProperty("position").GetInt64() >= end);

    /// <summary>A sample as it is sent.</summary>
    string Text(string file)
    {
        var millis = SampleMillis + (long)(_day - DateTime.ParseExact(SampleDay, "yyyy-MM-dd", CultureInfo.InvariantCulture)).TotalMilliseconds;
        return File.ReadAllText(Path.Combine(Repository.Root, "samples", "logs", file)).Replace(SampleDay, _day.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace(SampleMillis.ToString(CultureInfo.InvariantCulture), millis.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal);
    }

    static int Expected(Sample sample, string @class, string destination)
    {
        var goes = destination is "archive" or "query" or Everything || destination == Dst[sample.Clause].Hot;
        return goes ? sample.Classes.SingleOrDefault(one => one.Class == @class).Count : 0;
    }

    /// <summary>Prints the matrix.</summary>
    /// <returns>The lines that are not as expected.</returns>
    static string Print(List<Found> found)
    {
        var counts = found.CountBy(one => (one.Source, one.Class, one.Destination)).ToDictionary();
        var (matrix, wrong) = (new StringBuilder(), new StringBuilder());
        matrix.AppendLine(CultureInfo.InvariantCulture, $"{"clause",-7} {"source",-16} {"cloud",-6} {"class",-15}{string.Concat(Destinations.Select(name => $"{name,15}"))}   (expected/found)");
        foreach (var sample in Samples)
        {
            foreach (var @class in Months.Keys)
            {
                (int Expected, int Found)[] cells = [.. Destinations.Select(name => (Expected(sample, @class, name), counts.GetValueOrDefault((sample.Source, @class, name))))];
                if (cells.All(cell => cell is (0, 0))) continue;
                var line = $"{sample.Clause,-7} {sample.Source,-16} {sample.Cloud ?? "-",-6} {@class,-15}{string.Concat(cells.Select(cell => $"{$"{cell.Expected}/{cell.Found}",15}"))}";
                matrix.AppendLine(line);
                if (cells.Any(cell => cell.Expected != cell.Found)) wrong.AppendLine(line);
            }
        }
        var known = Samples.Select(sample => sample.Source).ToHashSet(StringComparer.Ordinal);
        foreach (var one in found.Where(one => !known.Contains(one.Source) || !Months.ContainsKey(one.Class))) wrong.AppendLine(CultureInfo.InvariantCulture, $"nobody sent {one}");
        TestContext.Current.TestOutputHelper?.WriteLine(matrix.ToString());
        return wrong.Length == 0 ? "" : $"{wrong}\n{matrix}";
    }

    /// <summary>Every segment of the bucket, with what holds it.</summary>
    async Task<List<Archived>> ArchiveAsync(string bucket, string to)
    {
        var objects = new List<Archived>();
        var versions = gateway.Client.Paginators.ListVersions(new ListVersionsRequest { BucketName = bucket });
        await foreach (var version in versions.Versions)
        {
            Assert.False(version.IsDeleteMarker == true, version.Key);
            var file = Path.Combine(to, version.VersionId, version.Key);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            using (var got = await gateway.Client.GetObjectAsync(bucket, version.Key, version.VersionId, Cancel)) await got.WriteResponseStreamToFileAsync(file, append: false, Cancel);
            if (!version.Key.StartsWith("logs/segments/", StringComparison.Ordinal)) continue;
            var held = (await gateway.Client.GetObjectRetentionAsync(new GetObjectRetentionRequest { BucketName = bucket, Key = version.Key, VersionId = version.VersionId }, Cancel)).Retention;
            objects.Add(new(version.Key, held.Mode, held.RetainUntilDate!.Value.ToUniversalTime(), Rows(file)));
        }
        return objects;
    }

    static List<Found> Rows(string file)
    {
        using var reader = SegmentReader.Open(file);
        var rows = new List<Found>();
        while (reader.Next())
        {
            Assert.True(EventEncoding.TryRead(reader.Event, out var e));
            rows.Add(new("archive", Encoding.UTF8.GetString(e.Source), Encoding.UTF8.GetString(e.Class), Encoding.UTF8.GetString(e.Id), Encoding.UTF8.GetString(e.Action.Utf8)));
        }
        Assert.Null(reader.Error);
        return rows;
    }

    /// <summary>DST-2 to DST-4: nobody, its owner included, can shorten the lock of what is security or audit; RET: each is held as long as its class says.</summary>
    void AssertLocks(List<Archived> objects)
    {
        var clauses = Samples.ToDictionary(sample => sample.Source, sample => sample.Clause, StringComparer.Ordinal);
        var compliance = 0;
        foreach (var one in objects)
        {
            foreach (var e in one.Events.Where(e => clauses.ContainsKey(e.Source) && e.Action != "canary.send"))
            {
                if (Dst[clauses[e.Source]].WriteOnce.Contains(e.Class))
                {
                    Assert.True(one.Mode == ObjectLockRetentionMode.Compliance, $"{one.Key} holds {e} and is locked by {one.Mode}");
                    compliance++;
                }
                var until = e.Class == Application ? _day.AddDays(90) : _day.AddMonths(Months[e.Class]);
                Assert.True(one.Until >= until, $"{one.Key} holds {e} until {one.Until:u} only, not {until:u}");
            }
        }
        Assert.Equal(Samples.Sum(sample => sample.Classes.Where(one => Dst[sample.Clause].WriteOnce.Contains(one.Class)).Sum(one => one.Count)), compliance);
    }

    static void AssertClean(TempFolder folder, StandInSource better, CloudWatchStandIn aws, string clickHouse, string printed)
    {
        Leaks.AssertNone(folder.Path, Planted); // the installation, and the archive's objects beside it
        Leaks.AssertNoneIn(string.Join('\n', better.Received.Select(one => one.Json.GetRawText())), Planted);
        Leaks.AssertNoneIn(string.Join('\n', Messages(aws)), Planted);
        Leaks.AssertNoneIn(clickHouse, Planted);
        Leaks.AssertNoneIn(printed, Planted);
    }

    static IEnumerable<string> Messages(CloudWatchStandIn aws) =>
        aws.State.Groups.SelectMany(group => aws.State.Streams(group).SelectMany(stream => aws.State.Events(group, stream).Select(one => one.Message)));

    static Found OfJson(string destination, JsonElement json)
    {
        var facts = json.GetProperty("unmapped").GetProperty("logwarden");
        return new(destination, Fact("source"), Fact("class"), Fact("event_id"), Fact("action"));

        string Fact(string name) => facts.TryGetProperty(name, out var value) ? value.GetString()! : "";
    }

    /// <summary>A source, the clause that its logs fall under, and how many of its records are of which class by RET and LOG.</summary>
    sealed record Sample(string Source, string Format, string? Cloud, string Clause, params (string Class, int Count)[] Classes)
    {
        public required string[] Files { get; init; }
    }

    sealed record Found(string Destination, string Source, string Class, string Id, string Action);

    sealed record Archived(string Key, ObjectLockRetentionMode Mode, DateTime Until, List<Found> Events);
}
