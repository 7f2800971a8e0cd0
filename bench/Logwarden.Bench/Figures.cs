using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Logwarden.Bench;

/// <summary>What one stage of a benchmark took.</summary>
sealed record Figure(string Name, long Events, long Bytes, TimeSpan Wall, TimeSpan Cpu, long Peak)
{
    public double EventsPerSecond => Events / Wall.TotalSeconds;

    public double MegabytesPerSecond => Bytes / Wall.TotalSeconds / 1e6;

    public double CpuSecondsPerMillion => Cpu.TotalSeconds / Events * 1e6;

    /// <summary>Runs a stage and takes its time, on the wall and on all cores.</summary>
    public static async Task<Figure> MeasureAsync(string name, long events, long bytes, Func<Task> stage)
    {
        GC.Collect();
        ForgetPeak();
        var process = Process.GetCurrentProcess();
        var cpu = process.TotalProcessorTime;
        var began = TimeProvider.System.GetTimestamp();
        await stage();
        var wall = TimeProvider.System.GetElapsedTime(began);
        process.Refresh();
        return new(name, events, bytes, wall, process.TotalProcessorTime - cpu, PeakMemory());
    }

    /// <summary>Prints a table; each line with its ratio to the first, the floor.</summary>
    public static void Print(IReadOnlyList<Figure> figures)
    {
        Console.WriteLine($"{"stage",-34}{"events/s",12}{"MB/s",9}{"CPU s/M",10}{"x floor",9}{"peak MiB",10}");
        foreach (var figure in figures)
        {
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture,
                $"{figure.Name,-34}{figure.EventsPerSecond,12:N0}{figure.MegabytesPerSecond,9:F1}{figure.CpuSecondsPerMillion,10:F2}{figure.CpuSecondsPerMillion / figures[0].CpuSecondsPerMillion,9:F1}{figure.Peak / 1048576.0,10:F0}"));
        }
    }

    public static string Json(IEnumerable<Figure> figures, object more) => JsonSerializer.Serialize(new
    {
        stages = figures.Select(figure => new
        {
            name = figure.Name,
            events = figure.Events,
            events_per_second = Math.Round(figure.EventsPerSecond),
            megabytes_per_second = Math.Round(figure.MegabytesPerSecond, 1),
            cpu_seconds_per_million = Math.Round(figure.CpuSecondsPerMillion, 2),
            peak_memory_bytes = figure.Peak,
        }),
        more,
    });

    /// <summary>Lets the kernel measure the peak anew (proc(5), clear_refs).</summary>
    static void ForgetPeak()
    {
        using var switches = File.OpenHandle("/proc/self/clear_refs", FileMode.Open, FileAccess.Write);
        RandomAccess.Write(switches, "5"u8, 0);
    }

    /// <summary>Most memory that the process held since the last stage began, bytes.</summary>
    static long PeakMemory()
    {
        foreach (var line in File.ReadLines("/proc/self/status"))
        {
            if (line.StartsWith("VmHWM:", StringComparison.Ordinal)) return long.Parse(line.AsSpan(6).Trim().ToString().Split(' ')[0], CultureInfo.InvariantCulture) * 1024;
        }
        return 0;
    }
}
