using System.Buffers;
using System.Diagnostics;
using System.Text.Json;
using Logwarden.Redaction;

namespace Logwarden.Bench;

/// <summary>Throughput of redaction with every rule on, beside a bare pass of Utf8JsonReader over the same records in the same run.</summary>
static class RedactBench
{
    const int RecordCount = 5_000;

    /// <summary>Runs over CloudTrail records and prints one row.</summary>
    public static int Run(TextWriter output)
    {
        var folder = Directory.CreateTempSubdirectory("logwarden-bench-").FullName;
        try
        {
            return Run(Records.CloudTrail(folder, RecordCount).Files, output);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static int Run(string[] files, TextWriter output)
    {
        List<byte[]> records = [];
        foreach (var file in files)
        {
            using var document = JsonDocument.Parse(File.ReadAllBytes(file));
            foreach (var record in document.RootElement.GetProperty("Records").EnumerateArray()) records.Add(JsonSerializer.SerializeToUtf8Bytes(record));
        }
        var redactor = Redactor.Create(new RedactionOptions());
        var scratch = new RedactionScratch();
        var buffer = new ArrayBufferWriter<byte>(1 << 20);
        var bytes = records.Sum(r => (long)r.Length);
        var rounds = (int)Math.Max(1, 40_000_000 / bytes);
        double best = double.MaxValue, floor = double.MaxValue;
        var tokens = 0L;
        for (var repeat = 0; repeat < 8; repeat++)
        {
            best = Math.Min(best, Time(rounds, records, record =>
            {
                buffer.ResetWrittenCount();
                redactor.Json(record, [], scratch, buffer);
            }));
            floor = Math.Min(floor, Time(rounds, records, record =>
            {
                var reader = new Utf8JsonReader(record);
                while (reader.Read()) tokens++;
            }));
        }
        var total = bytes * rounds / 1e6;
        output.WriteLine($"redact: {records.Count} records of {bytes / records.Count} B, {total / best:F0} MB/s ({best * 1e6 / rounds / records.Count:F2} us each), Utf8JsonReader alone {total / floor:F0} MB/s");
        return tokens > 0 ? 0 : 1;
    }

    static double Time(int rounds, List<byte[]> records, Action<byte[]> one)
    {
        var start = Stopwatch.GetTimestamp();
        for (var round = 0; round < rounds; round++)
        {
            foreach (var record in records) one(record);
        }
        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }
}
