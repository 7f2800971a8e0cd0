using System.CommandLine;
using System.Text.Json;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Destinations;
using Logwarden.Hosting;
using Logwarden.Journal;

namespace Logwarden.Commands;

/// <summary><c>logwarden destination types|add|set|pause|resume|remove|list</c>: where events go.</summary>
static class DestinationCommand
{
    public static Command Create() => new("destination", "Says where the destinations of the policy's routes are. A running server takes changes within a second.")
    {
        Types(), Add(), Set(), Pause(), Resume(), Remove(), List(),
    };

    static Command Types()
    {
        var json = Cli.Json();
        var command = new Command("types", "Lists the kinds of destinations and their settings.") { json };
        command.SetAction(parsed =>
        {
            foreach (var type in DestinationCatalog.All)
            {
                if (parsed.GetValue(json))
                {
                    Console.Out.WriteLine(JsonSerializer.Serialize(new
                    {
                        type = type.Name,
                        what = type.What,
                        settings = type.Settings.Select(setting => new { name = setting.Name, what = setting.What, required = setting.IsRequired, secret = setting.IsSecret }),
                    }));
                    continue;
                }
                Console.Out.WriteLine($"{type.Name}: {type.What}");
                foreach (var setting in type.Settings)
                    Console.Out.WriteLine($"  {setting.Name}{(setting.IsRequired ? " (required)" : "")}{(setting.IsSecret ? " (file:PATH or env:NAME)" : "")}: {setting.What}");
            }
        });
        return command;
    }

    static Command Add()
    {
        var name = Name();
        var type = new Option<string>("--type") { Description = "Kind: " + string.Join(", ", DestinationCatalog.All.Select(one => one.Name)) + ".", Required = true };
        var settings = Settings();
        var when = new Option<string?>("--when") { Description = "What it gets besides what the policy routes to its name, as a filter." };
        var from = new Option<string>("--from") { Description = "now: what comes from now on; oldest: also everything that is still hot.", DefaultValueFactory = _ => "now" };
        from.AcceptOnlyFromAmong("now", "oldest");
        var (data, policy) = (Cli.Data(), Cli.PolicyInForce());
        var command = new Command("add", "Adds a destination, after checking its settings.") { name, type, settings, when, from, data, policy };
        command.SetAction(parsed => Run(parsed, data, control =>
        {
            var folder = parsed.GetRequiredValue(data);
            var entry = new DestinationEntry(parsed.GetRequiredValue(name), parsed.GetRequiredValue(type), Pairs(parsed.GetValue(settings)))
            {
                When = parsed.GetValue(when),
                From = parsed.GetRequiredValue(from) is "oldest" ? 0 : EndOfJournal(folder),
            };
            var inForce = PolicyFile.InForce(parsed.GetValue(policy), folder).Policy;
            Check(entry, inForce);
            control.Destinations.Add(entry, OwnEvents.LocalUser);
            if (entry.When is null && DeliveryRoute.Of(inForce, entry.Name).IsEmpty)
                Console.Error.WriteLine($"warning: no route of the policy in force names '{entry.Name}': nothing goes there until one does, or until it has a filter of its own (--when)");
        }));
        return command;
    }

    static Command Set()
    {
        var name = Name();
        var settings = Settings();
        settings.Required = true;
        var (data, policy) = (Cli.Data(), Cli.PolicyInForce());
        var command = new Command("set", "Changes settings of a destination; those that are not named stay. NAME= takes one away.") { name, settings, data, policy };
        command.SetAction(parsed => Run(parsed, data, control =>
        {
            var known = control.Destinations.Find(parsed.GetRequiredValue(name)) ?? throw new CommandException($"there is no destination '{parsed.GetRequiredValue(name)}'; `logwarden destination list` shows those there are");
            var changed = new Dictionary<string, string>(known.Settings, StringComparer.Ordinal);
            foreach (var (key, value) in Pairs(parsed.GetValue(settings)))
            {
                if (value.Length == 0) changed.Remove(key);
                else changed[key] = value;
            }
            Check(known with { Settings = changed }, PolicyFile.InForce(parsed.GetValue(policy), parsed.GetRequiredValue(data)).Policy);
            control.Destinations.Set(known.Name, changed, OwnEvents.LocalUser);
        }));
        return command;
    }

    static Command Pause()
    {
        var name = Name();
        var reason = new Option<string>("--reason") { Description = "Why; it is kept in the log.", Required = true };
        var data = Cli.Data();
        var command = new Command("pause", "Stops a destination for the time being. What it misses it gets when it goes on.") { name, reason, data };
        command.SetAction(parsed => Run(parsed, data, control => control.Destinations.Pause(parsed.GetRequiredValue(name), isPaused: true, parsed.GetRequiredValue(reason), OwnEvents.LocalUser)));
        return command;
    }

    static Command Resume()
    {
        var name = Name();
        var data = Cli.Data();
        var command = new Command("resume", "Lets a destination go on where it was.") { name, data };
        command.SetAction(parsed => Run(parsed, data, control => control.Destinations.Pause(parsed.GetRequiredValue(name), isPaused: false, null, OwnEvents.LocalUser)));
        return command;
    }

    static Command Remove()
    {
        var name = Name();
        var force = new Option<bool>("--with-dead-letters") { Description = "Also when it has events that it refused and that did not arrive since: they are forgotten (the archive has them)." };
        var data = Cli.Data();
        var command = new Command("remove", "Removes a destination, where it was, and its counts.") { name, force, data };
        command.SetAction(parsed => Run(parsed, data, control =>
        {
            var which = parsed.GetRequiredValue(name);
            var dead = control.Deliveries.DeadCount(which);
            if (dead > 0 && !parsed.GetValue(force))
                throw new CommandException($"'{which}' has {Cli.Number(dead)} dead letters; look at them with `logwarden deadletter list --destination {which}`, or forget them with --with-dead-letters");
            control.Destinations.Remove(which, OwnEvents.LocalUser);
            control.Deliveries.Forget(which);
        }));
        return command;
    }

    static Command List()
    {
        var (data, json) = (Cli.Data(), Cli.Json());
        var command = new Command("list", "Lists the destinations.") { data, json };
        command.SetAction(parsed => Run(parsed, data, control =>
        {
            var table = new TextTable("DESTINATION", "TYPE", "STATE", "POSITION", "DEAD LETTERS", "SETTINGS");
            foreach (var entry in control.Destinations.All)
            {
                var (at, dead) = (control.Deliveries.Find(entry.Name)?.Position ?? entry.From, control.Deliveries.DeadCount(entry.Name));
                if (parsed.GetValue(json))
                {
                    Console.Out.WriteLine(JsonSerializer.Serialize(new { name = entry.Name, type = entry.Type, paused = entry.IsPaused, position = at, dead_letters = dead, when = entry.When, settings = entry.Settings }));
                    continue;
                }
                table.Row(entry.Name, entry.Type, entry.IsPaused ? "paused" : "active", Cli.Number(at), Cli.Number(dead), string.Join(' ', entry.Settings.Select(setting => $"{setting.Key}={setting.Value}")));
            }
            if (!parsed.GetValue(json)) table.Write(Console.Out);
        }));
        return command;
    }

    static Argument<string> Name() => new("NAME") { Description = "Name of the destination, as routes of the policy name it." };

    static Option<string[]> Settings() => new("--set") { Description = "A setting, as NAME=VALUE; see `logwarden destination types`. May be given again.", AllowMultipleArgumentsPerToken = false };

    static Dictionary<string, string> Pairs(string[]? pairs)
    {
        var settings = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var pair in pairs ?? [])
        {
            var at = pair.IndexOf('=', StringComparison.Ordinal);
            if (at < 1) throw new CommandException($"--set {pair}: expected NAME=VALUE");
            settings[pair[..at]] = pair[(at + 1)..];
        }
        return settings;
    }

    /// <summary>Makes the destination once: what is wrong with its settings is told now, not in the server's log.</summary>
    static void Check(DestinationEntry entry, Policy.PolicySnapshot policy)
    {
        try
        {
            ControlState.Make(entry, policy, TimeProvider.System, static _ => { }).DisposeAsync().AsTask().GetAwaiter().GetResult();
        }
        catch (SettingException wrong)
        {
            throw new CommandException(wrong.Message);
        }
    }

    static long EndOfJournal(DirectoryInfo data)
    {
        using var journal = JournalView.Open(new JournalOptions { Directory = data.FullName }, TimeProvider.System);
        return journal?.DurableEnd ?? 0;
    }

    internal static int Run(ParseResult parsed, Option<DirectoryInfo> data, Action<ControlState> action)
    {
        try
        {
            action(ControlState.Open(parsed.GetRequiredValue(data).FullName, TimeProvider.System));
            return Cli.Ok;
        }
        catch (ArgumentException wrong)
        {
            throw new CommandException(wrong.Message.Split(" (Parameter", 2)[0]);
        }
    }
}
