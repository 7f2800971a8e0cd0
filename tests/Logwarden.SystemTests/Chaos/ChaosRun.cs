using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Logwarden.Events;
using Logwarden.Hosting;
using Logwarden.Segments;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;
using Microsoft.AspNetCore.Http;

namespace Logwarden.SystemTests.Chaos;

/// <summary>What a run did.</summary>
sealed record ChaosResult(int Seed, int Acknowledged, int Kills, int Faults, bool IsDiskFilled, int DeadLetters, int Repeats, double Seconds, IReadOnlyList<string> Violations);

/// <summary>What was where at the end of a run.</summary>
/// <param name="Acknowledged">Ids that a sender was told to be stored.</param>
/// <param name="Archive">Ids in the archive, in the order of journal offsets.</param>
/// <param name="ClickHouse">Ids in ClickHouse.</param>
/// <param name="Sinks">Ids as they arrived at each other destination.</param>
/// <param name="Dead">Ids of the dead letters of each destination.</param>
sealed record ChaosBooks(
    IReadOnlySet<string> Acknowledged, IReadOnlyList<string> Archive, IReadOnlyList<string> ClickHouse, IReadOnlyDictionary<string, IReadOnlyList<string>> Sinks,
    IReadOnlyDictionary<string, IReadOnlySet<string>> Dead)
{
    /// <summary>What does not hold.</summary>
    public IEnumerable<string> Violations()
    {
        var archived = Archive.ToHashSet(StringComparer.Ordinal);
        foreach (var id in Acknowledged.Where(id => !archived.Contains(id)).Take(3)) yield return $"{id} was acknowledged and is not in the archive";
        foreach (var id in Twice(Archive).Take(3)) yield return $"{id} is in the archive twice";
        foreach (var id in Twice(ClickHouse).Take(3)) yield return $"{id} is in ClickHouse twice";
        foreach (var id in archived.Except(ClickHouse, StringComparer.Ordinal).Take(3)) yield return $"{id} is in the archive and not in ClickHouse";
        foreach (var (name, got) in Sinks)
        {
            var first = got.Distinct(StringComparer.Ordinal).ToList();
            foreach (var id in archived.Except(first, StringComparer.Ordinal).Except(Dead[name], StringComparer.Ordinal).Take(3)) yield return $"{id} neither arrived at {name} nor is it a dead letter of it";
            foreach (var id in first.Except(archived, StringComparer.Ordinal).Take(3)) yield return $"{id} arrived at {name} and is not in the archive";
            foreach (var source in first.Select(SourceOf).Distinct(StringComparer.Ordinal))
            {
                var expected = Archive.Where(id => SourceOf(id) == source && !Dead[name].Contains(id));
                if (!first.Where(id => SourceOf(id) == source && !Dead[name].Contains(id)).SequenceEqual(expected, StringComparer.Ordinal)) yield return $"{name} did not get the events of {source} in the order of the journal";
            }
        }
    }

    public static string SourceOf(string id) => id[..id.IndexOf('-', StringComparison.Ordinal)];

    static IEnumerable<string> Twice(IEnumerable<string> ids) => ids.GroupBy(id => id, StringComparer.Ordinal).Where(same => same.Skip(1).Any()).Select(same => same.Key);
}

/// <summary>
/// One run: the real program with three destinations that fail, hang, cut connections and refuse single events, killed with -9 two or three times, its disk full for a while; then all is
/// healed, and the books are compared. Every decision is drawn from one seed; when the operating system lets each process run is not.
/// </summary>
sealed class ChaosRun(int seed, ClickHouseServer clickHouse, CancellationToken cancel) : IDisposable
{
    static readonly string[] Sources = ["shop", "crm"];

    readonly Random _random = new(seed);
    readonly TempFolder _folder = new();
    readonly Lock _gate = new();
    readonly ConcurrentDictionary<string, byte> _acknowledged = new(StringComparer.Ordinal);
    readonly HttpClient _http = new() { Timeout = TimeSpan.FromSeconds(20) };
    int _faults;
    bool _isHealed;
    Uri? _server;

    string Data => _folder.In("data");

    public async Task<ChaosResult> RunAsync()
    {
        var began = TimeProvider.System.GetTimestamp();
        var isSmall = await MountAsync();
        await using var betterStack = await BetterStackStandIn.StartAsync(TimeProvider.System, cancel);
        await using var sink = await JsonSink.StartAsync(cancel);
        await using var relay = new FaultyRelay(clickHouse.Endpoint, _ => Next(6) switch { 0 => Fate.NoAnswer, 1 => Fate.CutShort, _ => Fate.Pass });
        var received = betterStack.AddSource("chaos-token", "t1_chaos");
        sink.Refuses = one => Id(one) is { } id && IsRefused(id);
        var tokens = Configure(betterStack.Endpoint, sink.Endpoint, relay.Address);
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var total = _random.Next(250, 420);
        var senders = Sources.Select((source, i) => SendAllAsync(source, tokens[i], total, ended.Token)).ToArray();

        var kills = _random.Next(2, 4);
        var isFilled = false;
        for (var life = 0; life < kills; life++)
        {
            await using var server = await StartAsync();
            var until = TimeSpan.FromMilliseconds(_random.Next(1100, 2200));
            for (var born = TimeProvider.System.GetTimestamp(); TimeProvider.System.GetElapsedTime(born) < until;)
            {
                Disturb(betterStack, sink);
                await Task.Delay(TimeSpan.FromMilliseconds(50), TimeProvider.System, cancel);
            }
            if (isSmall && life == 0)
            {
                isFilled = true;
                await FillAsync();
            }
            _server = null;
            await server.KillAsync();
            if (isFilled && life == 0) File.Delete(Path.Combine(Data, "ballast"));
        }
        _isHealed = true;
        sink.Instead = null;
        betterStack.Heal();
        await using (var server = await StartAsync())
        {
            await Task.WhenAll(senders);
            await CaughtUpAsync(server);
            _server = null;
        }
        var books = await BooksAsync([.. received.Received.Select(one => one.Id)], [.. sink.Received.Select(Id).OfType<string>()]);
        var violations = books.Violations().ToList();
        var verify = await Tool.RunAsync("verify", "--data", Data);
        if (verify.ExitCode != 0) violations.Add("verify: " + verify.Output + verify.Errors);
        var repeats = books.Sinks.Values.Sum(got => got.Count - got.Distinct(StringComparer.Ordinal).Count());
        return new(seed, _acknowledged.Count, kills, _faults, isFilled, books.Dead.Values.Sum(dead => dead.Count), repeats, TimeProvider.System.GetElapsedTime(began).TotalSeconds, violations);
    }

    public void Dispose()
    {
        _http.Dispose();
        if (Directory.Exists(Data) && _isMounted) Process.Start("umount", ["-l", Data]).WaitForExit();
        _folder.Dispose();
    }

    bool _isMounted;

    // Every third run, where that is allowed, lives on a disk of 40 MiB.
    async Task<bool> MountAsync()
    {
        Directory.CreateDirectory(Data);
        if (seed % 3 != 0) return false;
        using var mount = Process.Start(new ProcessStartInfo("mount", ["-t", "tmpfs", "-o", "size=40m", "none", Data]) { RedirectStandardError = true })!;
        await mount.WaitForExitAsync(cancel);
        return _isMounted = mount.ExitCode == 0;
    }

    async Task FillAsync()
    {
        await using var ballast = File.Create(Path.Combine(Data, "ballast"));
        try
        {
            while (true) await ballast.WriteAsync(new byte[1 << 20], cancel);
        }
        catch (IOException)
        {
            // Full, as it should be.
        }
        await Task.Delay(TimeSpan.FromMilliseconds(400), TimeProvider.System, cancel);
    }

    string[] Configure(Uri betterStack, Uri sink, Uri relay)
    {
        var registry = SourceRegistry.Open(Data, TimeProvider.System);
        string[] tokens =
        [
            .. Sources.Select(source =>
            {
                registry.Ensure(source, "app");
                return registry.AddToken(source);
            }),
        ];
        Logwarden.Journal.DurableFile.Replace(_folder.In("token"), "chaos-token"u8);
        var control = ControlState.Open(Data, TimeProvider.System);
        Add("better-stack", "better-stack", ("endpoint", betterStack.ToString()), ("token", "file:" + _folder.In("token")));
        Add("sink", "http-json", ("endpoint", sink.ToString()));
        Add("lake", "clickhouse", ("endpoint", relay.ToString()), ("user", "logwarden"), ("password", "file:" + clickHouse.PasswordFile), ("database", "chaos"), ("installation", Installation));
        return tokens;

        void Add(string name, string type, params (string Key, string Value)[] settings) => control.Destinations.Add(
            new(name, type, settings.ToDictionary(setting => setting.Key, setting => setting.Value, StringComparer.Ordinal)) { When = "source in (shop, crm)" }, "chaos");
    }

    string Installation => string.Create(CultureInfo.InvariantCulture, $"run{seed}_{Environment.ProcessId}");

    async Task<Server> StartAsync()
    {
        var server = await Server.StartAsync(Data, "--seal-age", "1s");
        _server = server.Http.BaseAddress;
        return server;
    }

    /// <summary>Draws what becomes of the next requests.</summary>
    void Disturb(BetterStackStandIn betterStack, JsonSink sink)
    {
        if (betterStack.Pending == 0)
        {
            switch (Next(6))
            {
                case 0 or 1: betterStack.Fail(StandInFault.CutAfter); break;
                case 2: betterStack.Fail(StandInFault.Answer(429, "1"), StandInFault.CutAfter); break;
                case 3: betterStack.Fail(StandInFault.Slow(TimeSpan.FromMilliseconds(300)), StandInFault.CutBefore); break;
                case 4: betterStack.Fail(StandInFault.Answer(Next(2) == 0 ? 403 : 500)); break;
            }
        }
        sink.Instead = Next(6) switch
        {
            0 => Answer(503),
            1 => Answer(429),
            2 => Break,
            3 => http => TakeAndBreakAsync(sink, http),
            _ => null,
        };

        static Task Break(HttpContext http)
        {
            http.Abort();
            return Task.CompletedTask;
        }

        static Func<HttpContext, Task> Answer(int status) => http =>
        {
            http.Response.StatusCode = status;
            http.Response.Headers.RetryAfter = "1";
            return Task.CompletedTask;
        };
    }

    /// <summary>It takes the events, and the sender never hears of it.</summary>
    static async Task TakeAndBreakAsync(JsonSink sink, HttpContext http)
    {
        sink.Instead = null;
        await sink.TakeAsync(http);
        http.Abort();
    }

    int Next(int max)
    {
        lock (_gate)
        {
            if (_isHealed) return max - 1;
            _faults++;
            return _random.Next(max);
        }
    }

    static bool IsRefused(string id) => int.Parse(id.AsSpan(id.IndexOf('-', StringComparison.Ordinal) + 1), CultureInfo.InvariantCulture) % 41 == 17;

    static string? Id(JsonElement one) => one.GetProperty("unmapped").GetProperty("logwarden").GetProperty("event_id").GetString() is { } id && Sources.Contains(ChaosBooks.SourceOf(id), StringComparer.Ordinal) ? id : null;

    /// <summary>Sends the events of a source in order; a batch that was not acknowledged is sent again, with the same ids.</summary>
    async Task SendAllAsync(string source, string token, int count, CancellationToken stop)
    {
        for (var at = 0; at < count;)
        {
            var size = Math.Min(1 + (at * 7 + seed) % 19, count - at);
            var ids = Enumerable.Range(at, size).Select(i => string.Create(CultureInfo.InvariantCulture, $"{source}-{i:D6}")).ToArray();
            while (!await PostAsync(token, ids, stop)) await Task.Delay(TimeSpan.FromMilliseconds(60), TimeProvider.System, stop);
            foreach (var id in ids) _acknowledged.TryAdd(id, 0);
            at += size;
            await Task.Delay(TimeSpan.FromMilliseconds(70), TimeProvider.System, stop);
        }
    }

    async Task<bool> PostAsync(string token, string[] ids, CancellationToken stop)
    {
        if (_server is not { } server) return false;
        var now = TimeProvider.System.GetUtcNow();
        var body = "[" + string.Join(',', ids.Select(id => $$"""{"id":"{{id}}","dt":"{{now:O}}","user":"ada","ip":"192.0.2.7","action":"order.read","object":"{{id}}"}""")) + "]";
        try
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, server) { Content = new StringContent(body, Encoding.UTF8, "application/json") };
            request.Headers.Authorization = new("Bearer", token);
            using var answer = await _http.SendAsync(request, stop);
            return (int)answer.StatusCode == 202;
        }
        catch (Exception failed) when (failed is HttpRequestException or OperationCanceledException && !stop.IsCancellationRequested)
        {
            return false;
        }
    }

    /// <summary>Waits until everything is sealed and every destination is done with all that was sent.</summary>
    async Task CaughtUpAsync(Server server)
    {
        using var hangs = new CancellationTokenSource(TimeSpan.FromMinutes(3), TimeProvider.System);
        var control = ControlState.Open(Data, TimeProvider.System);
        var end = await EndAsync(server);
        while (true)
        {
            var (_, sealedTo) = await StateAsync(server);
            if (sealedTo >= end && control.Destinations.All.All(entry => control.Deliveries.Find(entry.Name)?.Position >= end)) return;
            if (hangs.IsCancellationRequested) throw new InvalidOperationException($"seed {seed}: not caught up with offset {end}: {await server.Http.GetStringAsync(new Uri("api/v1/status", UriKind.Relative), cancel)}\n{server.Printed}");
            await Task.Delay(TimeSpan.FromMilliseconds(100), TimeProvider.System, cancel);
        }
    }

    async Task<long> EndAsync(Server server) => (await StateAsync(server)).End;

    async Task<(long End, long SealedTo)> StateAsync(Server server)
    {
        using var answer = await server.Http.GetAsync(new Uri("health/ready", UriKind.Relative), cancel);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancel));
        return (json.RootElement.GetProperty("durable_end").GetInt64(), json.RootElement.GetProperty("sealed_to").GetInt64());
    }

    async Task<ChaosBooks> BooksAsync(string[] betterStack, string[] sink)
    {
        var archive = new List<(long Offset, string Id)>();
        foreach (var file in Directory.GetFiles(Path.Combine(Data, "archive"), "*.parquet", SearchOption.AllDirectories))
        {
            using var reader = SegmentReader.Open(file);
            while (reader.Next())
            {
                if (!EventEncoding.TryRead(reader.Event, out var e)) throw new InvalidDataException(file);
                archive.Add((e.Offset, Encoding.UTF8.GetString(e.Id)));
            }
        }
        archive.Sort();
        var rows = await clickHouse.SqlAsync($"SELECT event_id FROM chaos.events_{Installation}");
        var store = ControlState.Open(Data, TimeProvider.System).Deliveries;
        return new(
            _acknowledged.Keys.ToHashSet(StringComparer.Ordinal), [.. archive.Select(one => one.Id).Where(Ours)], [.. rows.Select(row => row[0]).Where(Ours)],
            new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["better-stack"] = [.. betterStack.Where(Ours)], ["sink"] = sink },
            new Dictionary<string, IReadOnlySet<string>>(StringComparer.Ordinal) { ["better-stack"] = Dead("better-stack"), ["sink"] = Dead("sink") });

        HashSet<string> Dead(string name) => store.DeadLetters(name, 0, int.MaxValue, isArrived: true).Select(letter => letter.EventId).ToHashSet(StringComparer.Ordinal);

        static bool Ours(string id) => id.StartsWith("shop-", StringComparison.Ordinal) || id.StartsWith("crm-", StringComparison.Ordinal);
    }
}
