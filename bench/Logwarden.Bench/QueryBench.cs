using System.Globalization;
using System.Text.Json;
using DuckDB.NET.Data;
using Logwarden.Hot;
using Logwarden.Query;
using Logwarden.Segments;

namespace Logwarden.Bench;

/// <summary>
/// Questions over hot segments, warm, beside the same questions asked of DuckDB over the same files without our plans and indexes. Sizes beside raw NDJSON and
/// <c>zstd -9</c> of it.
/// <code>
/// --quick          500,000 events instead of 10 million
/// --events N       another number
/// --folder PATH    where the events are kept between runs; default: the temporary folder
/// --json           one JSON object of the figures as the last line
/// </code>
/// </summary>
static class QueryBench
{
    const int SegmentRows = 500_000;
    const int Repeats = 5;

    /// <summary>Runs it.</summary>
    public static async Task RunAsync(string[] args)
    {
        var cancel = CancellationToken.None;
        var events = args.Contains("--quick", StringComparer.Ordinal) ? 500_000 : 10_000_000;
        if (Array.IndexOf(args, "--events") is >= 0 and var at) events = int.Parse(args[at + 1], CultureInfo.InvariantCulture);
        var folder = Array.IndexOf(args, "--folder") is >= 0 and var f
            ? args[f + 1] : Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"logwarden-query-bench-3-{events}"));
        var figures = new SortedDictionary<string, double>(StringComparer.Ordinal) { ["events"] = events };
        var segments = Path.Combine(folder, "hot", "segments");
        await Prepare(segments, events, cancel);
        Sizes(segments, events, figures);
        using var engine = new QueryEngine(new HotStoreOptions { DataDirectory = folder }, new(), TimeProvider.System);
        await Ask(engine, segments, events, figures, cancel);
        if (args.Contains("--json", StringComparer.Ordinal)) Console.WriteLine(JsonSerializer.Serialize(figures));
    }

    static async Task Prepare(string segments, int events, CancellationToken cancel)
    {
        var done = Path.Combine(segments, "complete");
        if (!File.Exists(done))
        {
            if (Directory.Exists(segments)) Directory.Delete(segments, recursive: true);
            var start = TimeProvider.System.GetTimestamp();
            var writing = TimeSpan.Zero;
            using var memory = new EventMemory();
            using var buffer = new EventBuffer(memory);
            using var writer = new SegmentWriter();
            var source = new QueryEvents();
            var leaf = 0L;
            for (long i = 0; i < events; i++)
            {
                buffer.Add(source.Make(i));
                if (buffer.Count < SegmentRows && i + 1 < events) continue;
                buffer.Sort();
                var date = DateOnly.FromDateTime(DateTime.UnixEpoch.AddTicks(buffer.MinTimeMicros * 10));
                var path = Path.Combine(Path.GetDirectoryName(segments)!, SegmentSchema.PathOf("security-audit", date, leaf, buffer.Count));
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                var before = Environment.CpuUsage.TotalTime;
                writer.Write(path, buffer, leaf);
                writing += Environment.CpuUsage.TotalTime - before;
                leaf += buffer.Count;
                buffer.Clear();
                await Console.Error.WriteAsync($"\r{i + 1:N0} events written");
                cancel.ThrowIfCancellationRequested();
            }
            var made = TimeProvider.System.GetElapsedTime(start);
            await Console.Error.WriteLineAsync($" in {made.TotalSeconds:F0} s, {writing.TotalMicroseconds / events:F1} µs of CPU per event to write and hash segments");
            await File.WriteAllTextAsync(done, "", cancel);
        }
        var begin = Environment.CpuUsage.TotalTime;
        var indexes = new TextIndexBuilder().BuildMissing(segments, cancel);
        var took = Environment.CpuUsage.TotalTime - begin;
        if (indexes > 0) await Console.Error.WriteLineAsync($"{indexes} text indexes made in {took.TotalSeconds:F0} s of CPU, {took.TotalMicroseconds / events:F1} µs per event");
    }

    static void Sizes(string segments, int events, SortedDictionary<string, double> figures)
    {
        // raw and zstd of every tenth stretch of 20,000: zstd -9 of all of it would take longer than everything else
        var source = new QueryEvents();
        using var raw = new MemoryStream();
        var sampled = 0;
        for (long first = 0; first < events && sampled < 200_000; first += Math.Max(20_000, events / 10))
        {
            for (var i = first; i < Math.Min(first + 20_000, events); i++, sampled++)
            {
                source.Make(i);
                raw.Write(source.Json);
                raw.WriteByte((byte)'\n');
            }
        }
        using var zstd = new ZstdSharp.Compressor(9);
        var packed = zstd.Wrap(raw.GetBuffer().AsSpan(0, (int)raw.Length)).Length;
        figures["raw_bytes_per_event"] = Math.Round((double)raw.Length / sampled, 1);
        figures["zstd9_bytes_per_event"] = Math.Round((double)packed / sampled, 1);
        figures["segment_bytes_per_event"] = Math.Round((double)Bytes("*.parquet") / events, 1);
        figures["index_bytes_per_event"] = Math.Round((double)Bytes("*.tokens") / events, 1);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"""
            bytes per event   raw {figures["raw_bytes_per_event"]}   zstd -9 {figures["zstd9_bytes_per_event"]}   segments {figures["segment_bytes_per_event"]}   text index {figures["index_bytes_per_event"]} ({figures["index_bytes_per_event"] / figures["segment_bytes_per_event"]:P0} of the segments)
            """));

        long Bytes(string pattern) => Directory.EnumerateFiles(segments, pattern, SearchOption.AllDirectories).Sum(path => new FileInfo(path).Length);
    }

    static async Task Ask(QueryEngine engine, string segments, int events, SortedDictionary<string, double> figures, CancellationToken cancel)
    {
        var id = IdOf(events / 3);
        using var plain = new DuckDBConnection("DataSource=:memory:");
        plain.Open();
        Peer(plain, $"CREATE VIEW events AS SELECT * FROM read_parquet('{segments}/**/*.parquet', hive_partitioning = false)");
        Console.WriteLine($"{"question",-34}{"first",10}{"warm",10}{"CPU",10}{"plain DuckDB",14}{"CPU",10}{"ratio",8}   milliseconds; warm: median of {Repeats}; ratio: of CPU");
        await Row("point_user", $"user=\"{QueryEvents.RareUser}\"", $"SELECT * FROM events WHERE user = '{QueryEvents.RareUser}' ORDER BY time DESC LIMIT 100");
        await Row("point_user_common", "user=user0001", "SELECT * FROM events WHERE user = 'user0001' ORDER BY time DESC LIMIT 100");
        await Row("needle_word", QueryEvents.Needle, $"SELECT * FROM events WHERE contains(lower(event), '{QueryEvents.Needle}') ORDER BY time DESC LIMIT 100");
        await Row("needle_id", $"\"{id}\"", $"SELECT * FROM events WHERE event_id = '{id}' OR contains(lower(event), '{id}') ORDER BY time DESC LIMIT 100");
        await Row("text_absent", "kryptonite", "SELECT * FROM events WHERE contains(lower(event), 'kryptonite') ORDER BY time DESC LIMIT 100");
        await Row("text_common", "AccessDenied", "SELECT * FROM events WHERE contains(lower(event), 'accessdenied') ORDER BY time DESC LIMIT 100");
        await Row("newest", "", "SELECT * FROM events ORDER BY time DESC LIMIT 100");
        await Time("top10_user", () => engine.TopAsync(new(), "user", 10, cancel), "SELECT user, count(*) FROM events GROUP BY user ORDER BY 2 DESC LIMIT 10");
        await Time("top10_action", () => engine.TopAsync(new(), "action", 10, cancel), "SELECT action, count(*) FROM events GROUP BY action ORDER BY 2 DESC LIMIT 10");
        await Time("top10_of_millions_of_values", () => engine.TopAsync(new(), "object", 10, cancel), "SELECT object, count(*) FROM events GROUP BY object ORDER BY 2 DESC LIMIT 10");
        await Time("histogram_60", () => engine.HistogramAsync(new(), 60, cancel), "SELECT time_bucket(INTERVAL 36 HOUR, time), count(*) FROM events GROUP BY 1");
        const string Regions = "SELECT event->>'$.cloud.region' AS region, count(*) FROM events GROUP BY 1 ORDER BY 2 DESC";
        if (events <= 1_000_000) await Time("sql_on_json", () => engine.SqlAsync(Regions, cancel), Regions); // reads all JSON: seconds per million
        await Time("count_action", () => engine.CountAsync(new() { Filter = "action=iam:DeleteRole" }, cancel), "SELECT count(*) FROM events WHERE lower(action) = 'iam:deleterole'");

        Task Row(string name, string filter, string sql) =>
            Time(name, () => engine.SearchAsync(new() { Scope = new() { Filter = filter } }, cancel), sql);

        async Task Time(string name, Func<Task> ask, string sql)
        {
            var times = new double[Repeats + 1];
            var used = Environment.CpuUsage.TotalTime;
            for (var i = 0; i < times.Length; i++)
            {
                var start = TimeProvider.System.GetTimestamp();
                await ask();
                times[i] = TimeProvider.System.GetElapsedTime(start).TotalMilliseconds;
            }
            var cpu = (Environment.CpuUsage.TotalTime - used).TotalMilliseconds / times.Length;
            var peer = 0.0;
            // Once to warm up, unless that alone takes long.
            for (var i = 0; i < 2 && peer < 3_000; i++)
            {
                used = Environment.CpuUsage.TotalTime;
                var begin = TimeProvider.System.GetTimestamp();
                Peer(plain, sql);
                peer = TimeProvider.System.GetElapsedTime(begin).TotalMilliseconds;
            }
            var peerCpu = (Environment.CpuUsage.TotalTime - used).TotalMilliseconds;
            var warm = times[1..].Order().ElementAt(Repeats / 2);
            (figures[name + "_ms"], figures[name + "_plain_duckdb_ms"]) = (Math.Round(warm, 1), Math.Round(peer, 1));
            (figures[name + "_cpu_ms"], figures[name + "_plain_duckdb_cpu_ms"]) = (Math.Round(cpu, 1), Math.Round(peerCpu, 1));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{name,-34}{times[0],10:F1}{warm,10:F1}{cpu,10:F1}{peer,14:F1}{peerCpu,10:F1}{peerCpu / Math.Max(cpu, 0.1),8:F1}"));
        }
    }

    static string IdOf(long index)
    {
        Events.EventEncoding.TryRead(new QueryEvents().Make(index), out var e);
        return System.Text.Encoding.UTF8.GetString(e.Id);
    }

    static void Peer(DuckDBConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
        }
    }
}
