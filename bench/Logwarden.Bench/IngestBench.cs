using System.Text.Json;
using Logwarden.Commands;
using Logwarden.Hosting;
using Logwarden.Journal;

namespace Logwarden.Bench;

/// <summary>
/// Real CloudTrail records and 700 B app events through the whole path, every redaction rule on: to durable journal, then to sealed and
/// archived segments. The floor in the same run is what cannot be avoided: one Utf8JsonReader pass over the same bytes and writing them
/// with fsync.
/// </summary>
static class IngestBench
{
    public static async Task RunAsync(string[] args)
    {
        var quick = args.Contains("--quick", StringComparer.Ordinal);
        var count = quick ? 200_000 : 1_000_000;
        var folder = Directory.CreateTempSubdirectory("logwarden-bench-").FullName;
        try
        {
            var cloudTrail = await StagesAsync(folder, "cloudtrail", Records.CloudTrail(Path.Combine(folder, "in"), count), count);
            var app = await StagesAsync(folder, "app", Records.App(Path.Combine(folder, "in-app"), count), count);
            var peak = cloudTrail.Concat(app).Max(figure => figure.Peak);
            Console.WriteLine($"\npeak memory {Cli.Size(peak)}");
            if (args.Contains("--json", StringComparer.Ordinal))
            {
                Console.WriteLine(Figure.Json([.. cloudTrail, .. app], new { peak_memory_bytes = peak }));
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static async Task<List<Figure>> StagesAsync(string folder, string format, (string[] Files, long Bytes) input, int count)
    {
        var figures = new List<Figure>
        {
            await Figure.MeasureAsync($"{format}: floor (read, fsync)", count, input.Bytes, () => Floor(folder, input.Files)),
        };
        var data = Path.Combine(folder, "data-" + format);
        var installation = await Installation.OpenAsync(new InstallationOptions { Data = data }, TimeProvider.System, CancellationToken.None);
        await using (installation)
        {
            var (source, _) = installation.Sources.Ensure("bench", format);
            var route = Installation.Route(source);
            using var progress = new ProgressLine("", 0, TimeProvider.System);
            var run = new IngestRun(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System);
            figures.Add(await Figure.MeasureAsync($"{format}: to durable journal", count, input.Bytes, () => run.RunAsync(input.Files, CancellationToken.None)));
            var result = run.Result;
            if (result.Stored != count) throw new InvalidOperationException($"{result.Stored} of {count} events were stored: {result}");
            var seal = await Figure.MeasureAsync($"{format}: sealing and archiving", count, input.Bytes, async () =>
            {
                await installation.SealAsync(CancellationToken.None);
                if (await installation.IndexAsync(CancellationToken.None) is { } failed) throw new InvalidOperationException(failed);
            });
            figures.Add(seal);
            figures.Add(new($"{format}: records to archive", count, input.Bytes, figures[1].Wall + seal.Wall, figures[1].Cpu + seal.Cpu, Math.Max(figures[1].Peak, seal.Peak)));
        }
        Figure.Print(figures);
        var segments = Directory.EnumerateFiles(Path.Combine(data, "hot"), "*.parquet", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);
        Console.WriteLine($"segments {Cli.Size(segments)} of {Cli.Size(input.Bytes)} ({(double)segments / count:F0} bytes an event)\n");
        return figures;
    }

    static Task Floor(string folder, string[] files)
    {
        using var output = File.OpenHandle(Path.Combine(folder, "floor"), FileMode.Create, FileAccess.Write);
        var at = 0L;
        foreach (var file in files)
        {
            var bytes = File.ReadAllBytes(file);
            var reader = new Utf8JsonReader(bytes, new JsonReaderOptions { AllowMultipleValues = true });
            while (reader.Read()) { }
            RandomAccess.Write(output, bytes, at);
            DurableFile.Sync(output);
            at += bytes.Length;
        }
        return Task.CompletedTask;
    }
}
