using System.Buffers;
using System.Globalization;
using System.Net.Sockets;
using System.Text.Json;
using Logwarden.Delivery;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Hosting;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Policy;
using Microsoft.Extensions.Logging.Abstractions;

namespace Logwarden.Bench;

/// <summary>
/// The real delivery loop over a real journal to each kind of destination, against a far side in another process that only reads and answers. The floor in the same run is what cannot
/// be avoided: reading the journal and writing the same bytes to a socket, or to a file and to disk.
/// </summary>
static class DestinationsBench
{
    public static async Task RunAsync(string[] args)
    {
        var count = args.Contains("--quick", StringComparer.Ordinal) ? 100_000 : 500_000;
        var only = args.FirstOrDefault(arg => !arg.StartsWith('-'));
        var folder = Directory.CreateTempSubdirectory("logwarden-bench-").FullName;
        // Whoever signs for the far side, which does not look at it.
        foreach (var name in (string[])["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) Environment.SetEnvironmentVariable(name, "AKIDBENCHBENCHBENCH0");
        try
        {
            // CloudWatch takes nothing that is older than 14 days.
            var day = DateOnly.FromDateTime(TimeProvider.System.GetUtcNow().UtcDateTime).AddDays(-1);
            await using var far = await FarSideProcess.StartAsync();
            var app = await FormatAsync("app", Records.App(Path.Combine(folder, "in-app"), count, day));
            var trail = await FormatAsync("cloudtrail", Records.CloudTrail(Path.Combine(folder, "in"), count, day));
            if (args.Contains("--json", StringComparer.Ordinal)) Console.WriteLine(Json([.. app, .. trail]));

            async Task<List<Row>> FormatAsync(string format, (string[] Files, long Bytes) input)
            {
                var rows = await RowsAsync(Path.Combine(folder, format), format, input.Files, count, far, only);
                Print(format, rows);
                return rows;
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static async Task<List<Row>> RowsAsync(string folder, string format, string[] files, int count, FarSideProcess far, string? only)
    {
        Directory.CreateDirectory(folder);
        var data = Path.Combine(folder, "data");
        var installation = await Installation.OpenAsync(new InstallationOptions { Data = data }, TimeProvider.System, CancellationToken.None);
        await using var closing = installation;
        var route = Installation.Route(installation.Sources.Ensure("bench", format).Source);
        using (var progress = new Commands.ProgressLine("", 0, TimeProvider.System))
            await new IngestRun(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System).RunAsync(files, CancellationToken.None);
        if (installation.Journal.DurableEnd != count) throw new InvalidOperationException($"{installation.Journal.DurableEnd} of {count} events are in the journal.");
        var rows = new List<Row>
        {
            await FloorAsync(format + ": floor, socket", installation.Journal, data, () => SocketAsync(far.Port)),
            await FloorAsync(format + ": floor, file", installation.Journal, data, () => Task.FromResult<(Func<ReadOnlyMemory<byte>, ValueTask>, IDisposable)>(FileWriter(Path.Combine(folder, "floor")))),
        };
        foreach (var (name, type, settings) in Kinds(folder, far))
        {
            if (only is not null && !name.Contains(only, StringComparison.Ordinal)) continue;
            // Once for the compiler, and then as it is in the long run.
            await DeliverAsync(name, type, settings, installation, data, count / 10);
            rows.Add(await DeliverAsync(name, type, settings, installation, data, count) with { Name = $"{format}: {name}" });
        }
        return rows;
    }

    static IEnumerable<(string Name, string Type, (string, string)[] Settings)> Kinds(string folder, FarSideProcess far)
    {
        var token = Path.Combine(folder, "token");
        DurableFile.Replace(token, "bench-token\n"u8.ToArray());
        yield return ("better-stack", "better-stack", [("endpoint", far.Http), ("token", "file:" + token)]);
        yield return ("http-json", "http-json", [("endpoint", far.Http)]);
        yield return ("http-json, not compressed", "http-json", [("endpoint", far.Http), ("compression", "none")]);
        yield return ("cloudwatch", "cloudwatch", [("endpoint", far.Http), ("region", "eu-central-1")]);
        yield return ("clickhouse", "clickhouse", [("endpoint", far.Http)]);
        yield return ("otlp, protobuf", "otlp", [("endpoint", far.Http)]);
        yield return ("otlp, JSON", "otlp", [("endpoint", far.Http), ("protocol", "http/json")]);
        yield return ("syslog, tcp", "syslog", [("address", $"tcp://127.0.0.1:{far.Port}")]);
        yield return ("file", "file", [("path", Path.Combine(folder, "out.ndjson"))]);
    }

    /// <summary>Events of the journal up to a number, to one destination.</summary>
    static async Task<Row> DeliverAsync(string name, string type, (string Name, string Value)[] settings, Installation installation, string data, int count)
    {
        var entry = new DestinationEntry("bench", type, settings.ToDictionary(one => one.Name, one => one.Value, StringComparer.Ordinal));
        var destination = new Hurried(ControlState.Make(entry, PolicySnapshot.Default, TimeProvider.System, static _ => { }));
        var store = installation.Control.Deliveries;
        store.Forget(entry.Name);
        store.Begin(entry.Name, installation.Journal.DurableEnd - count);
        var loop = new DeliveryLoop(new(
            entry.Name, destination, DeliveryRoute.Of(PolicySnapshot.Default, "none", new Predicate.Everything()), new Backlog(installation.Journal, data, installation.Journal.DurableEnd - count), store,
            TimeProvider.System, new Random(7), NullLogger.Instance));
        await using var stopping = loop;
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var figure = await Figure.MeasureAsync(name, count, 0, async () =>
        {
            loop.Start();
            while (loop.Progress.Position < installation.Journal.DurableEnd)
            {
                if (loop.Progress.View is { Failures: > 0 } bad) throw new InvalidOperationException($"{name}: {bad.LastError}");
                await Task.Delay(TimeSpan.FromMilliseconds(2), TimeProvider.System);
            }
        });
        if (store.DeadCount(entry.Name) > 0) throw new InvalidOperationException($"{name}: {store.DeadLetters(entry.Name, 0, 1, isArrived: false)[0].Reason}");
        return Row.Of(figure, loop.Progress.View.BytesSent, GC.GetTotalAllocatedBytes(precise: true) - allocated);
    }

    static async Task<Row> FloorAsync(string name, DiskJournal journal, string data, Func<Task<(Func<ReadOnlyMemory<byte>, ValueTask> Write, IDisposable End)>> open)
    {
        const int PieceBytes = 1 << 20;
        var (write, end) = await open();
        using var closing = end;
        var piece = new ArrayBufferWriter<byte>(2 * PieceBytes);
        var (events, bytes) = (0L, 0L);
        var allocated = GC.GetTotalAllocatedBytes(precise: true);
        var figure = await Figure.MeasureAsync(name, journal.DurableEnd, 0, async () =>
        {
            using var backlog = new Backlog(journal, data, 0);
            while (Fill(backlog, piece, PieceBytes) is > 0 and var filled)
            {
                await write(piece.WrittenMemory);
                (events, bytes) = (events + filled, bytes + piece.WrittenCount);
                piece.ResetWrittenCount();
            }
        });
        return events == journal.DurableEnd ? Row.Of(figure, bytes, GC.GetTotalAllocatedBytes(precise: true) - allocated) : throw new InvalidOperationException($"{events} events were read.");
    }

    static int Fill(Backlog backlog, ArrayBufferWriter<byte> piece, int max)
    {
        var filled = 0;
        for (; piece.WrittenCount < max && backlog.TryNext(out var encoded); filled++) piece.Write(encoded);
        return filled;
    }

    static async Task<(Func<ReadOnlyMemory<byte>, ValueTask>, IDisposable)> SocketAsync(int port)
    {
        var client = new TcpClient();
        await client.ConnectAsync("127.0.0.1", port);
        var stream = client.GetStream();
        return (bytes => stream.WriteAsync(bytes), client);
    }

    static (Func<ReadOnlyMemory<byte>, ValueTask>, IDisposable) FileWriter(string path)
    {
        var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write);
        var at = 0L;
        return (Write, file);

        ValueTask Write(ReadOnlyMemory<byte> bytes)
        {
            RandomAccess.Write(file, bytes.Span, at);
            DurableFile.Sync(file);
            at += bytes.Length;
            return default;
        }
    }

    static void Print(string format, List<Row> rows)
    {
        Console.WriteLine($"{format + ", to",-38}{"events/s",12}{"MB/s",9}{"CPU s/M",10}{"x floor",9}{"B/event",10}{"allocated B/event",20}");
        foreach (var row in rows)
        {
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{row.Name,-38}{row.EventsPerSecond,12:N0}{row.Megabytes,9:F1}{row.Cpu,10:F2}{row.Cpu / rows[row.Name.EndsWith("file", StringComparison.Ordinal) ? 1 : 0].Cpu,9:F1}{row.BytesPerEvent,10:F0}{row.Allocated,20:F0}"));
        }
        Console.WriteLine();
    }

    static string Json(IEnumerable<Row> rows) => JsonSerializer.Serialize(rows.Select(row => new
    {
        name = row.Name,
        events_per_second = Math.Round(row.EventsPerSecond),
        megabytes_per_second = Math.Round(row.Megabytes, 1),
        cpu_seconds_per_million = Math.Round(row.Cpu, 2),
        bytes_per_event = Math.Round(row.BytesPerEvent),
        allocated_bytes_per_event = Math.Round(row.Allocated),
    }));

    /// <summary>One line.</summary>
    sealed record Row(string Name, double EventsPerSecond, double Megabytes, double Cpu, double BytesPerEvent, double Allocated)
    {
        public static Row Of(Figure figure, long bytes, long allocated) => new(
            figure.Name, figure.EventsPerSecond, bytes / figure.Wall.TotalSeconds / 1e6, figure.CpuSecondsPerMillion, (double)bytes / figure.Events, (double)allocated / figure.Events);
    }

    /// <summary>A destination whose last batch does not wait for more.</summary>
    sealed class Hurried(IDestination destination) : IDestination
    {
        public DestinationLimits Limits => destination.Limits with { AgeMax = TimeSpan.Zero };

        public void Render(in StoredEvent e, IBufferWriter<byte> output) => destination.Render(e, output);

        public ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel) => destination.SendAsync(batch, cancel);

        public ValueTask DisposeAsync() => destination.DisposeAsync();
    }
}
