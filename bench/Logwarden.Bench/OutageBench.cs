using System.Globalization;
using System.Text.Json;
using Logwarden.Commands;

namespace Logwarden.Bench;

/// <summary>
/// One of three destinations is away for a day of simulated time, beside a control in which it is not: what the other two notice, what the disk holds, how the backlog drains.
/// Hours, events a second and a divisor of them can be told: <c>--hours 24 --rate 1000 --scale 1</c>.
/// </summary>
static class OutageBench
{
    public static async Task RunAsync(string[] args)
    {
        var rate = Number(args, "--rate", 1000) / Number(args, "--scale", args.Contains("--quick", StringComparer.Ordinal) ? 200 : 1);
        var options = new OutageOptions(TimeSpan.FromHours(Number(args, "--hours", 24)), rate, DrainRate: 4 * rate);
        var control = await OneAsync(options, isAway: false);
        var outage = await OneAsync(options, isAway: true);
        Console.WriteLine($"{"",-26}{"none away",26}{"one away",26}");
        Line("events", one => one.Events.ToString("N0", CultureInfo.InvariantCulture));
        Line("others: requests", one => one.Sends.ToString("N0", CultureInfo.InvariantCulture));
        Line("others: simulated wait", one => $"{one.LatencyMax.TotalSeconds:F0} s");
        Line("others: real wait, median", one => $"{one.Wall.Median.TotalMilliseconds:F1} ms");
        Line("others: real wait, 99%", one => $"{one.Wall.P99.TotalMilliseconds:F1} ms");
        Line("journal, most", one => $"{Cli.Size(one.JournalBytesMost)} of {Cli.Size(options.JournalBytesMax)}");
        Line("events, encoded", one => Cli.Size(one.RawBytes));
        Line("hot segments", one => Cli.Size(one.HotBytes));
        Line("backlog", one => one.Backlog.ToString("N0", CultureInfo.InvariantCulture));
        Line("drained in (simulated)", one => $"{one.Drained.TotalHours:F2} h");
        Line("\"later\" meanwhile", one => one.Throttled.ToString("N0", CultureInfo.InvariantCulture));
        Line("missing, twice, unordered", one => one.Wrong ?? "none");
        Line("real time", one => $"{one.Took.TotalSeconds:F0} s");
        if (args.Contains("--json", StringComparer.Ordinal)) Console.WriteLine(JsonSerializer.Serialize(new { control = Figures(control), outage = Figures(outage) }));

        void Line(string what, Func<OutageResult, string> figure) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{what,-26}{figure(control),26}{figure(outage),26}"));
    }

    static async Task<OutageResult> OneAsync(OutageOptions options, bool isAway)
    {
        var folder = Directory.CreateTempSubdirectory("logwarden-bench-").FullName;
        try
        {
            await using var outage = new Outage(options, folder);
            return await outage.RunAsync(isAway, CancellationToken.None);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static object Figures(OutageResult one) => new
    {
        events = one.Events,
        sends = one.Sends,
        wait_ms_median = Math.Round(one.Wall.Median.TotalMilliseconds, 2),
        wait_ms_p99 = Math.Round(one.Wall.P99.TotalMilliseconds, 2),
        journal_bytes = one.JournalBytesMost,
        raw_bytes = one.RawBytes,
        hot_bytes = one.HotBytes,
        backlog = one.Backlog,
        drained_s = Math.Round(one.Drained.TotalSeconds),
        throttled = one.Throttled,
        wrong = one.Wrong,
    };

    static double Number(string[] args, string name, double byDefault)
    {
        var at = Array.IndexOf(args, name);
        return at < 0 ? byDefault : double.Parse(args[at + 1], CultureInfo.InvariantCulture);
    }
}
