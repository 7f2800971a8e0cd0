using System.CommandLine;
using System.Text.Json;
using Logwarden.Data;
using Logwarden.Holds;
using Logwarden.Hosting;

namespace Logwarden.Commands;

/// <summary><c>logwarden hold add|list|show|release|apply</c>: events that stay whatever their retention says (RET-6).</summary>
static class HoldCommand
{
    static readonly TimeSpan AnotherAtIt = TimeSpan.FromMilliseconds(250);

    public static Command Create() => new("hold", "Legal holds: events that are kept, whatever their retention says, until the hold is released. See docs/legal-holds.md.")
        { Add(), List(), Show(), Release(), Apply() };

    static Command Add()
    {
        var matter = new Option<string>("--matter") { Description = "The matter that it is for, such as a case number.", Required = true };
        var source = new Option<string?>("--source") { Description = "Events of this source." };
        var user = new Option<string?>("--user") { Description = "Events of this user; * and ? stand for anything." };
        var @object = new Option<string?>("--object") { Description = "Events on this object; * and ? stand for anything." };
        var @class = new Option<string?>("--class") { Description = "Events of this policy class." };
        var from = Cli.Instant("--from", "Events from this time on: 2026-11-25, 2026-11-25T01:02:03Z, or 90m, 24h, 7d before now.");
        var to = Cli.Instant("--to", "Events before this time.");
        var when = new Option<string?>("--when") { Description = "Events that match this filter (docs/query-language.md). All that is given goes together: an event must match everything." };
        var (requester, approver) = People();
        var (data, archive, policyFile) = (Cli.Data(), Cli.Archive(), Cli.PolicyInForce());
        var command = new Command("add", "Brings a hold into force: at once for what is sealed from now on, then on every segment of the archive that has a matching event. It may be stopped: the rest is done by `serve` or by `hold apply`.")
            { matter, source, user, @object, @class, from, to, when, requester, approver, policyFile, data, archive };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            if (parsed.GetValue(@class) is { } named && PolicyFile.InForce(parsed.GetValue(policyFile), folder).Unknown(named) is { } unknown) throw new CommandException($"--class: {unknown}");
            QueryCommand.WarnOfUnknownSource(folder, parsed.GetValue(source));
            var custody = Custody.Open(folder.FullName, TimeProvider.System);
            var request = new HoldRequest
            {
                Matter = parsed.GetRequiredValue(matter),
                Requester = parsed.GetRequiredValue(requester),
                Approver = parsed.GetRequiredValue(approver),
                Source = parsed.GetValue(source),
                User = parsed.GetValue(user),
                Object = parsed.GetValue(@object),
                Class = parsed.GetValue(@class),
                From = parsed.GetValue(from),
                To = parsed.GetValue(to),
                When = parsed.GetValue(when),
            };
            var hold = Asked(() => custody.Holds.Add(request, OwnEvents.LocalUser, null));
            await Console.Error.WriteLineAsync($"hold {Cli.Number(hold.Id)} is in force for everything that is sealed from now on: {hold.Scope}");
            await KeepAsync(custody, folder, parsed.GetValue(archive), cancel);
            var now = custody.Holds.Find(hold.Id)!;
            await Console.Out.WriteLineAsync($"hold {Cli.Number(now.Id)} is on {Cli.Number(now.Objects)} objects of the archive");
            if (now.Objects == 0) await Console.Error.WriteLineAsync("no event that is sealed matches it so far; look with `logwarden query` whether its scope is what you mean");
            return Told(now);
        });
        return command;
    }

    static Command List()
    {
        var check = new Option<bool>("--check") { Description = "Ask the archive whether each hold is still on. The exit code is 1 when one is not." };
        var (data, archive, json) = (Cli.Data(), Cli.Archive(), Cli.Json());
        var command = new Command("list", "Lists all holds, those that were released too.") { check, data, archive, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            var custody = Custody.Open(folder.FullName, TimeProvider.System);
            var holds = custody.Holds.All();
            if (parsed.GetValue(json))
            {
                foreach (var hold in holds) await Console.Out.WriteLineAsync(JsonSerializer.Serialize(HoldJson.Of(hold)));
            }
            else
            {
                var table = new TextTable("HOLD", "MATTER", "STATE", "OBJECTS", "SINCE", "SCOPE");
                foreach (var hold in holds) table.Row(Cli.Number(hold.Id), hold.Matter, HoldJson.State(hold), Cli.Number(hold.Objects), Cli.Time(hold.Created), hold.Scope);
                table.Write(Console.Out);
            }
            if (!parsed.GetValue(check)) return Cli.Ok;
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder.FullName, Archive = parsed.GetValue(archive) });
            using var progress = new ProgressLine("check", 0, TimeProvider.System);
            var findings = await custody.Keeper(store, TrustedKeys.Choose(null, null, folder.FullName).Keys).CheckAsync(repair: false, Report(progress), cancel);
            progress.Dispose();
            foreach (var finding in findings) await Console.Error.WriteLineAsync($"{finding.Path}: {finding.What}");
            if (findings.Count == 0) await Console.Error.WriteLineAsync("every object that is to be held is held");
            return findings.Count == 0 ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    static Command Show()
    {
        var id = Number();
        var (data, json) = (Cli.Data(), Cli.Json());
        var command = new Command("show", "Shows a hold and the objects that it is on.") { id, data, json };
        command.SetAction(parsed =>
        {
            var custody = Custody.Open(Cli.Existing(parsed.GetRequiredValue(data)).FullName, TimeProvider.System);
            var hold = custody.Holds.Find(parsed.GetRequiredValue(id)) ?? throw None(parsed.GetRequiredValue(id));
            var objects = custody.Holds.Objects(hold.Id);
            if (parsed.GetValue(json))
            {
                Console.Out.WriteLine(JsonSerializer.Serialize(HoldJson.Of(hold) with { Paths = objects }));
                return Cli.Ok;
            }
            var table = new TextTable("FIELD", "VALUE");
            table.Row("matter", hold.Matter);
            table.Row("scope", hold.Scope);
            table.Row("state", HoldJson.State(hold));
            table.Row("in force", Cli.Time(hold.Created));
            table.Row("requester", hold.Requester);
            table.Row("approver", hold.Approver);
            if (hold.Released is { } released)
            {
                table.Row("released", Cli.Time(released));
                table.Row("  requester", hold.ReleaseRequester ?? "");
                table.Row("  approver", hold.ReleaseApprover ?? "");
                table.Row("  reason", hold.ReleaseReason ?? "");
                table.Row("  held then", $"{Cli.Number(hold.ObjectsAtRelease ?? 0)} objects");
            }
            table.Write(Console.Out);
            foreach (var path in objects) Console.Out.WriteLine(path);
            return Cli.Ok;
        });
        return command;
    }

    static Command Release()
    {
        var id = Number();
        var reason = new Option<string>("--reason") { Description = "Why it ends.", Required = true };
        var (requester, approver) = People();
        var (data, archive) = (Cli.Data(), Cli.Archive());
        var command = new Command("release", "Ends a hold, and takes it off every object that no other hold is on. The hold stays listed.") { id, requester, approver, reason, data, archive };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            var custody = Custody.Open(folder.FullName, TimeProvider.System);
            var hold = Asked(() => custody.Holds.Release(parsed.GetRequiredValue(id), parsed.GetRequiredValue(requester), parsed.GetRequiredValue(approver), parsed.GetRequiredValue(reason), OwnEvents.LocalUser, null))
                ?? throw None(parsed.GetRequiredValue(id));
            await Console.Error.WriteLineAsync($"hold {Cli.Number(hold.Id)} is released");
            await KeepAsync(custody, folder, parsed.GetValue(archive), cancel);
            await Console.Out.WriteLineAsync($"hold {Cli.Number(hold.Id)} is off; it was on {Cli.Number(hold.ObjectsAtRelease ?? 0)} objects, of which other holds may be on some");
            return Cli.Ok;
        });
        return command;
    }

    static Command Apply()
    {
        var (data, archive) = (Cli.Data(), Cli.Archive());
        var command = new Command("apply", "Goes on where putting holds on or taking them off was interrupted, and puts those on again that somebody took off. `serve` does it by itself. The exit code is 1 when something was not as it is to be.") { data, archive };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            var custody = Custody.Open(folder.FullName, TimeProvider.System);
            var findings = await KeepAsync(custody, folder, parsed.GetValue(archive), cancel, reconcile: true);
            foreach (var finding in findings) await Console.Error.WriteLineAsync($"{finding.Path}: {finding.What}");
            var summary = custody.Holds.Summary();
            await Console.Out.WriteLineAsync($"{Cli.Number(summary.Active)} holds are on {Cli.Number(summary.Objects)} objects of the archive");
            return findings.Count == 0 && summary.Missing == 0 ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    /// <summary>Does what is to be done in the archive; waits for another process that is at it.</summary>
    static async Task<IReadOnlyList<HoldFinding>> KeepAsync(Custody custody, DirectoryInfo folder, string? archive, CancellationToken cancel, bool reconcile = false)
    {
        try
        {
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder.FullName, Archive = archive });
            if (!File.Exists(Path.Combine(folder.FullName, "keys", "log.pub"))) return [];
            var keeper = custody.Keeper(store, TrustedKeys.Choose(null, null, folder.FullName).Keys);
            using var progress = new ProgressLine("holds", 0, TimeProvider.System);
            while (!await keeper.WorkAsync(Report(progress), cancel))
            {
                progress.Report(0, "another process is at it");
                if (!reconcile && !custody.Holds.HasWork()) break;
                await Task.Delay(AnotherAtIt, TimeProvider.System, cancel);
            }
            return reconcile ? await keeper.CheckAsync(repair: true, Report(progress), cancel) : [];
        }
        catch (IOException failed)
        {
            throw new CommandException($"the registry is right, the archive is not yet: {failed.Message} It goes on by itself in `logwarden serve`, or with `logwarden hold apply`.", Cli.Broken);
        }
    }

    static Action<HoldProgress> Report(ProgressLine line) => at => line.Report(
        at.Done, $"{at.What}: {Cli.Number(at.Done)}{(at.Total > 0 ? " of " + Cli.Number(at.Total) : "")}{(at.Fetched > 0 ? $", {Cli.Size(at.Fetched)} fetched from the archive" : "")}");

    static int Told(Hold hold)
    {
        if (hold.Missing > 0) Console.Error.WriteLine($"{Cli.Number(hold.Missing)} objects that it is to be on are not in the archive: run `logwarden verify`");
        return hold.Missing > 0 ? Cli.Findings : Cli.Ok;
    }

    static T Asked<T>(Func<T> ask)
    {
        try
        {
            return ask();
        }
        catch (HoldRefusedException refused)
        {
            throw new CommandException($"{(refused.Field is "id" ? "" : $"--{refused.Field}: ")}{refused.Message}");
        }
    }

    static CommandException None(long id) => new($"there is no hold {Cli.Number(id)}; `logwarden hold list` shows them");

    static Argument<long> Number() => new("ID") { Description = "Number of the hold." };

    static (Option<string> Requester, Option<string> Approver) People() => (
        new("--requester") { Description = "Who asks for it.", Required = true },
        new("--approver") { Description = "Who approves it: someone else.", Required = true });
}
