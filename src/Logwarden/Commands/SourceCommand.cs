using System.CommandLine;
using System.Text.Json;
using Logwarden.Data;
using Logwarden.Formats;
using Logwarden.Hosting;
using Logwarden.Policy;

namespace Logwarden.Commands;

/// <summary><c>logwarden source add|set|token|revoke|list</c>: who may send.</summary>
static class SourceCommand
{
    public static Command Create() => new("source", "Registers the sources that may send, and makes their tokens.") { Add(), Set(), Token(), Revoke(), List() };

    static Command Add()
    {
        var id = new Argument<string>("ID") { Description = "1 to 64 of letters, digits, '.', '_' and '-'." };
        var format = new Option<string>("--format") { Description = "What it sends: " + FormatCatalog.Names + ".", Required = true };
        var fields = FieldMap();
        var cloud = Cloud();
        var data = Cli.Data();
        var command = new Command("add", "Registers a source and prints its token. The token is shown only now: what is kept is its hash.") { id, format, fields, cloud, data };
        command.SetAction(parsed => Registry(parsed.GetRequiredValue(data), parsed.GetRequiredValue(id), "source.create", registry =>
        {
            var known = Cli.Format(parsed.GetRequiredValue(format));
            registry.Ensure(parsed.GetRequiredValue(id), known.Name, Cli.FieldPairs(parsed.GetValue(fields), known.Name), parsed.GetValue(cloud));
            Console.Out.WriteLine(registry.AddToken(parsed.GetRequiredValue(id)));
        }));
        return command;
    }

    static Command Set()
    {
        var id = new Argument<string>("ID") { Description = "Registered source." };
        var fields = FieldMap();
        var cloud = Cloud();
        var silence = new Option<string?>("--silence-max") { Description = "Silence of the source that is an alarm whatever its rhythm, such as 2h. Without it what is learned decides, see docs/ingestion-stop.md." };
        var data = Cli.Data();
        var command = new Command("set", "Changes where the fields of a source stand (those that are named here take the place of all that were named before), its cloud, or how long it may be silent. It holds for what is sent from now on.") { id, fields, cloud, silence, data };
        command.SetAction(parsed => Registry(parsed.GetRequiredValue(data), parsed.GetRequiredValue(id), "source.update", registry =>
        {
            var name = parsed.GetRequiredValue(id);
            var isCloud = parsed.GetValue(cloud) is not null;
            if (parsed.GetValue(fields) is not { Length: > 0 } && !isCloud && parsed.GetValue(silence) is null) throw new CommandException("nothing to change: give --field NAME=PATH, --cloud NAME or --silence-max DURATION");
            if (parsed.GetValue(silence) is { } text)
            {
                if (!DurationText.TryParse(text, out var max) || max <= TimeSpan.Zero) throw new CommandException($"--silence-max {text}: expected {DurationText.Expected}");
                registry.SetSilence(name, max);
            }
            if (isCloud) registry.SetCloud(name, parsed.GetValue(cloud)!);
            if (parsed.GetValue(fields) is { Length: > 0 }) registry.SetFields(name, Cli.FieldPairs(parsed.GetValue(fields), registry.Find(name)?.Format ?? ""));
        }));
        return command;
    }

    static Command Token()
    {
        var id = new Argument<string>("ID") { Description = "Registered source." };
        var data = Cli.Data();
        var command = new Command("token", "Makes one more token for a source: give it to the sender, then take the older ones away with `logwarden source revoke ID --keep-newest`.") { id, data };
        command.SetAction(parsed => Registry(parsed.GetRequiredValue(data), parsed.GetRequiredValue(id), "source-token.create", registry => Console.Out.WriteLine(registry.AddToken(parsed.GetRequiredValue(id)))));
        return command;
    }

    static Command Revoke()
    {
        var id = new Argument<string>("ID") { Description = "Registered source." };
        var newest = new Option<bool>("--keep-newest") { Description = "All but the one that was made last." };
        var data = Cli.Data();
        var command = new Command("revoke", "Takes the tokens of a source away: whoever sends with one is refused at once. What it sent stays.") { id, newest, data };
        command.SetAction(parsed => Registry(parsed.GetRequiredValue(data), parsed.GetRequiredValue(id), parsed.GetValue(newest) ? "source-token.revoke" : "source.disable", registry =>
        {
            var revoked = registry.RevokeTokens(parsed.GetRequiredValue(id), parsed.GetValue(newest));
            Console.Out.WriteLine($"{Cli.Number(revoked)} {(revoked == 1 ? "token" : "tokens")} revoked");
        }));
        return command;
    }

    static Command List()
    {
        var data = Cli.Data();
        var json = Cli.Json();
        var command = new Command("list", "Lists the registered sources.") { data, json };
        command.SetAction(parsed => Registry(parsed.GetRequiredValue(data), registry =>
        {
            if (parsed.GetValue(json))
            {
                foreach (var source in registry.All)
                {
                    Console.Out.WriteLine(JsonSerializer.Serialize(new { id = source.Id, format = source.Format, fields = source.Fields, cloud = source.Cloud, tokens = source.TokenHashes.Count, created = source.Created }));
                }
                return;
            }
            var table = new TextTable("SOURCE", "FORMAT", "CLOUD", "TOKENS", "REGISTERED");
            foreach (var source in registry.All) table.Row(source.Id, source.Format, source.Cloud ?? "", Cli.Number(source.TokenHashes.Count), Cli.Time(source.Created));
            table.Write(Console.Out);
        }));
        return command;
    }

    /// <summary>The <c>--cloud</c> option.</summary>
    public static Option<string?> Cloud() => new("--cloud") { Description = "Cloud that it runs in, such as AWS or Vultr: routes of the policy go by it (cloud.provider). For formats whose records do not say it." };

    /// <summary>The <c>--field name=path</c> option of a <c>json</c> source.</summary>
    public static Option<string[]> FieldMap() => new("--field")
    {
        Description = "For format json: where one of our fields stands, as NAME=PATH, such as --field user=actor.id. May be given again.",
        AllowMultipleArgumentsPerToken = false,
    };

    /// <summary>A change of a source, which is an audit event of its own (LOG-3): who sends what is a setting of logging.</summary>
    static int Registry(DirectoryInfo data, string id, string what, Action<SourceRegistry> change) => Registry(data, registry =>
    {
        change(registry);
        ControlState.Open(data.FullName, TimeProvider.System).Events.Write(new(what, id) { User = OwnEvents.LocalUser });
    });

    static int Registry(DirectoryInfo data, Action<SourceRegistry> action)
    {
        try
        {
            action(SourceRegistry.Open(data.FullName, TimeProvider.System));
            return Cli.Ok;
        }
        catch (InvalidDataException bad)
        {
            throw new CommandException(bad.Message);
        }
    }
}
