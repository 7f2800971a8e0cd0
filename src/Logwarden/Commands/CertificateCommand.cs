using System.CommandLine;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Logwarden.Delivery;
using Logwarden.Proof.Notes;

namespace Logwarden.Commands;

/// <summary><c>logwarden certificate list|show|verify</c>: signed statements that nothing is missing at a destination.</summary>
static class CertificateCommand
{
    const int Max = 100_000;

    public static Command Create() => new("certificate", "Completeness certificates: each hour and destination, what was to go there and what became of it.") { List(), Show(), Verify() };

    static Command List()
    {
        var destination = new Option<string?>("--destination") { Description = "Of this destination." };
        var limit = new Option<int>("--limit") { Description = "How many at most, the newest first.", DefaultValueFactory = _ => 50 };
        var (data, json) = (Cli.Data(), Cli.Json());
        var command = new Command("list", "Lists them, newest first.") { destination, limit, data, json };
        command.SetAction(parsed => DestinationCommand.Run(parsed, data, control =>
        {
            var table = new TextTable("DESTINATION", "NUMBER", "ISSUED", "FROM", "TO", "RESULT");
            foreach (var one in control.Certificates.List(parsed.GetValue(destination), parsed.GetValue(limit)))
            {
                var result = one.IsComplete ? "complete" : "incomplete";
                if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(new { destination = one.Destination, number = one.Number, issued = Cli.Time(one.Issued), from = one.From, to = one.To, result }));
                else table.Row(one.Destination, Cli.Number(one.Number), Cli.Time(one.Issued), Cli.Number(one.From), Cli.Number(one.To), result);
            }
            if (!parsed.GetValue(json)) table.Write(Console.Out);
        }));
        return command;
    }

    static Command Show()
    {
        var destination = new Argument<string>("DESTINATION") { Description = "Of which destination." };
        var number = new Option<long?>("--number") { Description = "Which one. Default the newest." };
        var data = Cli.Data();
        var command = new Command("show", "Prints one, with its signature: a C2SP signed note.") { destination, number, data };
        command.SetAction(parsed => DestinationCommand.Run(parsed, data, control =>
        {
            var all = control.Certificates.List(parsed.GetRequiredValue(destination), Max);
            var one = parsed.GetValue(number) is { } wanted ? all.FirstOrDefault(certificate => certificate.Number == wanted) : all.Count > 0 ? all[0] : null;
            if (one is null) throw new CommandException("there is no such certificate; `logwarden certificate list` shows those there are, and a server makes one each hour");
            Console.Out.Write(Encoding.UTF8.GetString(one.Note));
        }));
        return command;
    }

    static Command Verify()
    {
        var key = new Option<string[]>("--key") { Description = "Public key that must have signed, or a file with it. Default that of the installation." };
        var data = Cli.Data();
        var command = new Command("verify", "Checks the signatures of all certificates, that none is missing between them, and what they say.") { key, data };
        command.SetAction(parsed =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            var trusted = TrustedKeys.Choose(parsed.GetValue(key), null, folder);
            var findings = 0;
            DestinationCommand.Run(parsed, data, control =>
            {
                foreach (var chain in control.Certificates.List(null, Max).GroupBy(one => one.Destination, StringComparer.Ordinal)) findings += Check([.. chain.OrderBy(one => one.Number)], trusted.Keys);
            });
            Console.Out.WriteLine(findings == 0 ? "all certificates hold" : $"{Cli.Number(findings)} findings");
            return findings == 0 ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    static int Check(Certificate[] chain, IReadOnlyList<VerifierKey> keys)
    {
        var findings = 0;
        Certificate? before = null;
        foreach (var one in chain)
        {
            var opened = SignedNote.Open(one.Note, keys);
            if (!opened.IsValid) Say(one, opened.Reason);
            else if (!opened.Text.Contains($"\nprevious {(before is null ? "none" : Convert.ToHexStringLower(SHA256.HashData(before.Note)))}\n", StringComparison.Ordinal)) Say(one, "does not follow the one before: a certificate is missing or was changed");
            else if (!opened.Text.EndsWith("\nresult complete\n", StringComparison.Ordinal)) Say(one, "says that events are not accounted for");
            before = one;
        }
        return findings;

        void Say(Certificate one, string what)
        {
            findings++;
            Console.Out.WriteLine($"{one.Destination} {Cli.Number(one.Number)} of {Cli.Time(one.Issued)}: {what}");
        }
    }
}
