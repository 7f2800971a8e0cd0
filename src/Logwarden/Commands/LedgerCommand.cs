using System.CommandLine;
using System.Text.Json;
using Logwarden.Hosting;
using Logwarden.Journal;

namespace Logwarden.Commands;

/// <summary><c>logwarden ledger</c>: where everything that came in went.</summary>
static class LedgerCommand
{
    public static Command Create()
    {
        var data = Cli.Data();
        var json = Cli.Json();
        var command = new Command("ledger", "Prints the conservation ledger: in = stored + duplicates + quarantined, per source, and what each reader has still to do.") { data, json };
        command.SetAction(parsed =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            using var view = JournalView.Open(new JournalOptions { Directory = folder }, TimeProvider.System)
                ?? throw new CommandException($"there is no journal in {folder}; name the installation's folder with --data");
            new AccessLog(folder, TimeProvider.System).Record(new(Environment.UserName, "ledger", ""));
            var ledger = view.Ledger;
            if (parsed.GetValue(json)) Console.Out.WriteLine(Json(ledger));
            else Table(ledger, Console.Out);
            return Cli.Ok;
        });
        return command;
    }

    /// <summary>The ledger as one JSON object.</summary>
    public static string Json(LedgerSnapshot ledger) => JsonSerializer.Serialize(new
    {
        durable_end = ledger.DurableEnd,
        sources = ledger.Sources.Select(Line),
        total = Line(ledger.Total),
        readers = ledger.Readers.Select(reader => new { reader = reader.Reader, cursor = reader.Cursor, in_flight = reader.InFlight }),
    });

    static object Line(SourceLedger source) => new
    {
        source = source.Source,
        @in = source.In,
        stored = source.Stored,
        duplicates = source.Duplicates,
        quarantined = source.Quarantined,
        quarantined_by_reason = source.QuarantinedByReason,
    };

    /// <summary>The ledger as tables.</summary>
    public static void Table(LedgerSnapshot ledger, TextWriter to)
    {
        var table = new TextTable("SOURCE", "IN", "STORED", "DUPLICATES", "QUARANTINED");
        foreach (var source in ledger.Sources) Row(table, source, source.Source);
        Row(table, ledger.Total, "total");
        table.Write(to);
        foreach (var source in ledger.Sources)
        {
            foreach (var (reason, count) in source.QuarantinedByReason) to.WriteLine($"  {source.Source}: {Cli.Number(count)} quarantined, {reason}");
        }
        to.WriteLine();
        var readers = new TextTable("READER", "CURSOR", "IN FLIGHT");
        foreach (var reader in ledger.Readers) readers.Row(reader.Reader, Cli.Number(reader.Cursor), Cli.Number(reader.InFlight));
        readers.Write(to);
    }

    static void Row(TextTable table, SourceLedger source, string name) =>
        table.Row(name, Cli.Number(source.In), Cli.Number(source.Stored), Cli.Number(source.Duplicates), Cli.Number(source.Quarantined));
}
