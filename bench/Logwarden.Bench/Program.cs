namespace Logwarden.Bench;

/// <summary>One benchmark a name; each prints a table, and with <c>--json</c> one JSON object of its figures as the last line.</summary>
static class Program
{
    static readonly Dictionary<string, (string What, Func<string[], Task> Run)> All = new(StringComparer.Ordinal)
    {
        ["ingest"] = ("events a second and CPU seconds per million, records to durable journal and to archive, beside a floor", IngestBench.RunAsync),
        ["query"] = ("questions over 10 million events, warm, beside plain DuckDB; sizes beside raw and zstd -9", QueryBench.RunAsync),
        ["redact"] = ("redaction with every rule on: JSON, JSON with every value new, text; beside a bare Utf8JsonReader pass", RedactBench.RunAsync),
        ["destinations"] = ("events a second and CPU seconds per million to each kind of destination, beside a floor; a word picks those whose name has it", DestinationsBench.RunAsync),
        ["outage"] = ("one destination of three is away for a day (--hours 24 --rate 1000 --scale N): what the others notice, what the disk holds, how the backlog drains", OutageBench.RunAsync),
        ["journal"] = ("the journal alone: entries and bytes a second with a sync for each group", args => Task.FromResult(JournalBench.Run(
            args.Contains("--quick", StringComparer.Ordinal), args.Contains("--json", StringComparer.Ordinal), Console.Out))),
    };

    static async Task<int> Main(string[] args)
    {
        Segments.NativeArenas.UseOne();
        if (args is [FarSideProcess.Name, ..])
        {
            await FarSideProcess.RunAsync(args[1..]);
            return 0;
        }
        if (args.Length > 0 && All.TryGetValue(args[0], out var bench))
        {
            await bench.Run(args[1..]);
            return 0;
        }
        Console.Error.WriteLine("usage: bench/run NAME [--quick] [--json]");
        foreach (var (name, (what, _)) in All) Console.Error.WriteLine($"  {name,-12} {what}");
        Console.Error.WriteLine($"  {"chaos",-12} a thousand runs of the real program with everything failing around it (--runs N --seed N)");
        return args is ["--help"] or ["-h"] ? 0 : 64;
    }
}
