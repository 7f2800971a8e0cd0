using System.CommandLine;
using System.Text.Json;
using Logwarden.Catalog;
using Logwarden.Data;
using Logwarden.Holds;
using Logwarden.Hosting;
using Logwarden.Restore;

namespace Logwarden.Commands;

/// <summary><c>logwarden restore</c>: brings events that are in the archive only back to where they can be queried, for a time.</summary>
static class RestoreCommand
{
    public static Command Create()
    {
        var from = Cli.Instant("--from", "Events from this time on: 2026-11-25, 2026-11-25T01:02:03Z, or 90m, 24h, 7d before now.");
        var to = Cli.Instant("--to", "Events before this time. Default now.");
        var @class = new Option<string?>("--class") { Description = "Only this policy class. Default all but what was quarantined." };
        var days = new Option<int>("--days") { Description = "How many days they stay, 1 to 3650.", DefaultValueFactory = _ => 7 };
        var dry = new Option<bool>("--dry-run") { Description = "Say what is to be fetched, and fetch nothing." };
        var (data, archive, policyFile) = (Cli.Data(), Cli.Archive(), Cli.PolicyInForce());
        var command = new Command("restore", "Brings events that are in the archive only back, so that they can be queried for some days. It may be stopped and run again. See docs/restore.md.")
            { from, to, @class, days, dry, policyFile, data, archive, List() };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            var begin = parsed.GetValue(from) ?? throw new CommandException("--from: from when on? Name it, such as --from 2026-01-15");
            var end = parsed.GetValue(to) ?? TimeProvider.System.GetUtcNow();
            if (begin >= end) throw new CommandException("--to is not after --from");
            if (parsed.GetValue(days) is < 1 or > 3650) throw new CommandException("--days can be 1 to 3650");
            if (parsed.GetValue(@class) is { } named && PolicyFile.InForce(parsed.GetValue(policyFile), folder).Unknown(named) is { } unknown) throw new CommandException($"--class: {unknown}");
            var keys = TrustedKeys.Choose(null, null, folder.FullName).Keys;
            new AccessLog(folder.FullName, TimeProvider.System).Record(new(Environment.UserName, "restore", "")
            {
                Scope = [("from", ColdRange.Text(begin)), ("to", ColdRange.Text(end)), ("class", parsed.GetValue(@class)), ("days", Cli.Number(parsed.GetValue(days)))],
            });
            var custody = Custody.Open(folder.FullName, TimeProvider.System);
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder.FullName, Archive = parsed.GetValue(archive) });
            await CatchUpAsync(custody, store, keys, cancel);
            var restore = custody.Restore(store);
            var plan = restore.Plan(begin, end, parsed.GetValue(@class));
            Tell(plan);
            restore.CheckRoom(plan);
            return parsed.GetValue(dry) ? Cli.Ok : await RunAsync(restore, plan, TimeSpan.FromDays(parsed.GetValue(days)), cancel);
        });
        return command;
    }

    static Command List()
    {
        var (data, json) = (Cli.Data(), Cli.Json());
        var command = new Command("list", "Lists what was restored, and until when it stays.") { data, json };
        command.SetAction(parsed =>
        {
            var custody = Custody.Open(Cli.Existing(parsed.GetRequiredValue(data)).FullName, TimeProvider.System);
            var table = new TextTable("RESTORE", "FROM", "TO", "CLASS", "SEGMENTS", "STAYS UNTIL", "STATE", "BY");
            foreach (var one in custody.Restores.All())
            {
                if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(one, JsonSerializerOptions.Web));
                else table.Row(Cli.Number(one.Id), Cli.Time(one.From), Cli.Time(one.To), one.Class ?? "all", Cli.Number(one.Segments), Cli.Time(one.Until), State(one), one.RequestedBy);
            }
            if (!parsed.GetValue(json)) table.Write(Console.Out);
            return Cli.Ok;
        });
        return command;
    }

    static string State(Restored one) => one.Until <= TimeProvider.System.GetUtcNow() ? "over" : one.Finished is null ? "not whole: run it again" : "there";

    static async Task CatchUpAsync(Custody custody, Archive.IBlobStore store, IReadOnlyList<Proof.Notes.VerifierKey> keys, CancellationToken cancel)
    {
        using var progress = new ProgressLine("reading seals", 0, TimeProvider.System);
        await custody.Catalog.CatchUpAsync(store, keys, number => progress.Report(number, Cli.Number(number)), cancel);
    }

    static void Tell(RestorePlan plan)
    {
        if (plan.Hot.Count > 0) Console.Out.WriteLine($"{Cli.Number(plan.Hot.Count)} segments of that time are hot already");
        Console.Out.WriteLine($"{Cli.Number(plan.Cold.Count)} segments to fetch, {Cli.Size(plan.Bytes)}, {Cli.Number(plan.Cold.Sum(segment => (long)segment.Sealed.Rows))} events");
    }

    static async Task<int> RunAsync(SegmentRestore restore, RestorePlan plan, TimeSpan stay, CancellationToken cancel)
    {
        RestoreResult result;
        using (var progress = new ProgressLine("restore", plan.Bytes, TimeProvider.System))
        {
            result = await restore.RunAsync(plan, stay, OwnEvents.LocalUser, null, bytes => progress.Report(bytes, Cli.Size(bytes)), cancel);
        }
        foreach (var (path, what) in result.Failures) await Console.Error.WriteLineAsync($"{path}: {what}. Run `logwarden verify`.");
        if (result.Expired > 0) await Console.Error.WriteLineAsync($"{Cli.Number(result.Expired)} segments have expired and are gone");
        await Console.Out.WriteLineAsync($"{Cli.Number(result.Segments)} segments are back, {Cli.Size(result.Bytes)}; each is as it was sealed. They stay until {Cli.Time(TimeProvider.System.GetUtcNow() + stay)}");
        return result.Failures.Count == 0 ? Cli.Ok : Cli.Findings;
    }
}
