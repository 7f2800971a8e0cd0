using System.Buffers;
using System.Text.Json;
using Logwarden.Redaction;

namespace Logwarden.Bench;

/// <summary>
/// Redaction alone with every rule on, of CloudTrail records and of app events: as they repeat in a log, with every value new (the memo of
/// values seen a moment ago finds nothing), and as lines of text. The floor is a bare Utf8JsonReader pass over the same records.
/// </summary>
static class RedactBench
{
    const int RecordCount = 20_000;

    public static async Task RunAsync(string[] args)
    {
        var rounds = args.Contains("--quick", StringComparer.Ordinal) ? 2 : 10;
        var folder = Directory.CreateTempSubdirectory("logwarden-bench-").FullName;
        try
        {
            var cloudTrail = await StagesAsync("cloudtrail", FromFiles(Records.CloudTrail(folder, RecordCount).Files), rounds);
            var app = await StagesAsync("app", FromFiles(Records.App(folder, RecordCount).Files), rounds);
            if (args.Contains("--json", StringComparer.Ordinal)) Console.WriteLine(Figure.Json([.. cloudTrail, .. app], new { }));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    static async Task<List<Figure>> StagesAsync(string name, List<byte[]> records, int rounds)
    {
        var redactor = Redactor.Create(new RedactionOptions());
        var scratch = new RedactionScratch();
        var buffer = new ArrayBufferWriter<byte>(1 << 20);
        var places = records.ConvertAll(ValueEnds);
        void Json(byte[] record)
        {
            buffer.ResetWrittenCount();
            redactor.Json(record, [], scratch, buffer);
        }
        void Text(byte[] record)
        {
            buffer.ResetWrittenCount();
            redactor.Text(record, scratch, buffer);
        }
        void Pass(byte[] record)
        {
            var reader = new Utf8JsonReader(record);
            while (reader.Read()) { }
        }

        async Task<Figure> Stage(string what, int rounds, Action<int, byte[]> one)
        {
            var bytes = records.Sum(record => (long)record.Length) * rounds;
            return await Figure.MeasureAsync($"{name}: {what}", (long)records.Count * rounds, bytes, () =>
            {
                for (var i = 0; i < records.Count * rounds; i++) one(i, records[i % records.Count]);
                return Task.CompletedTask;
            });
        }

        // Enough rounds for the compiler to have made its last version of everything.
        await Stage("warm", 2, (_, record) => Json(record));
        await Stage("warm", 2, (_, record) => Text(record));
        var figures = new List<Figure>
        {
            await Stage("floor (Utf8JsonReader)", rounds, (_, record) => Pass(record)),
            await Stage("JSON as it repeats", rounds, (_, record) => Json(record)),
            await Stage("JSON, every value new", rounds, (i, record) =>
            {
                Renew(record, places[i % records.Count], i / records.Count);
                Json(record);
            }),
            await Stage("text", rounds, (_, record) => Text(record)),
        };
        Figure.Print(figures);
        Console.WriteLine();
        return figures;
    }

    static List<byte[]> FromFiles(string[] files)
    {
        List<byte[]> records = [];
        foreach (var file in files)
        {
            foreach (var line in File.ReadLines(file))
            {
                using var document = JsonDocument.Parse(line);
                if (document.RootElement.TryGetProperty("Records", out var list)) records.AddRange(list.EnumerateArray().Select(record => JsonSerializer.SerializeToUtf8Bytes(record)));
                else records.Add(JsonSerializer.SerializeToUtf8Bytes(document.RootElement));
            }
        }
        return records;
    }

    /// <summary>Where the last byte of each string value is, when it is a letter or a digit.</summary>
    static int[] ValueEnds(byte[] record)
    {
        List<int> ends = [];
        var reader = new Utf8JsonReader(record);
        while (reader.Read())
        {
            if (reader.TokenType != JsonTokenType.String || reader.ValueSpan.Length < 6) continue;
            var last = (int)reader.TokenStartIndex + reader.ValueSpan.Length;
            if (char.IsAsciiLetterOrDigit((char)record[last]) && char.IsAsciiLetterOrDigit((char)record[last - 1])) ends.Add(last);
        }
        return [.. ends];
    }

    static void Renew(byte[] record, int[] ends, int round)
    {
        foreach (var end in ends) record[end] = (byte)(record[end] <= '9' ? '0' + (record[end] + round + 1) % 10 : 'a' + (record[end] + round + 1) % 26);
    }
}
