using System.Buffers;
using System.CommandLine;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Hosting;
using Logwarden.Journal;

namespace Logwarden.Commands;

/// <summary><c>logwarden normalize</c>: records in, OCSF lines out.</summary>
static class NormalizeCommand
{
    const int FlushEvents = 256;

    public static Command Create()
    {
        var files = Cli.Files();
        var format = new Option<string>("--format") { Description = "What it reads: " + FormatCatalog.Names + ".", Required = true };
        var fields = SourceCommand.FieldMap();
        var policy = Cli.PolicyInForce();
        var data = Cli.Data();
        var command = new Command(
            "normalize",
            "Turns records into OCSF events, one JSON line each, redacted as the policy says. What is refused is named on stderr and the exit code is then 1.")
        { files, format, fields, policy, data };
        command.SetAction(parsed =>
        {
            var known = Cli.Format(parsed.GetRequiredValue(format));
            var rules = PolicyFile.InForce(parsed.GetValue(policy), parsed.GetRequiredValue(data));
            var route = new IntakeRoute("normalize", known, Cli.Fields(Cli.FieldPairs(parsed.GetValue(fields), known.Name)));
            var worker = new IntakeWorker(route, rules.Redactor, rules.Classifier, DedupKeys.Passing(), TimeProvider.System);
            using var output = Console.OpenStandardOutput();
            var refused = 0;
            foreach (var file in parsed.GetRequiredValue(files)) refused += Run(file, worker, known, output);
            return refused == 0 ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    static int Run(string file, IntakeWorker worker, IFormat format, Stream output)
    {
        using var input = Input.Open(file);
        var reader = new RecordReader(input, format.Framing, RecordLimits.Default);
        var batch = new AppendBatch { Source = "normalize" };
        var lines = new ArrayBufferWriter<byte>(1 << 20);
        var refused = 0;
        var more = true;
        while (more)
        {
            more = reader.Read(out var record);
            if (more)
            {
                worker.Add(record, RecordOrigin.None, batch);
                if (batch.Entries[^1].Quarantine is not null)
                {
                    refused++;
                    var error = worker.LastRefusal!;
                    var field = error.Field.Length > 0 ? $" field {error.Field}:" : "";
                    Console.Error.WriteLine($"{file}:{record.Position.Line}: record {record.Position.Ordinal}:{field} {error.Reason} [{error.Code}]");
                }
            }
            if (more && batch.Entries.Count < FlushEvents) continue;
            Flush(batch, lines, output);
        }
        return refused;
    }

    static void Flush(AppendBatch batch, ArrayBufferWriter<byte> lines, Stream output)
    {
        lines.ResetWrittenCount();
        foreach (var entry in batch.Entries)
        {
            if (entry.Quarantine is not null) continue;
            EventEncoding.TryRead(batch.Bytes.WrittenSpan.Slice(entry.Start, entry.Length), out var stored);
            EventJson.Write(lines, stored);
        }
        output.Write(lines.WrittenSpan);
        batch.Clear();
    }
}
