using System.CommandLine;
using System.Text.Json;
using Logwarden.Hosting;

namespace Logwarden.Commands;

/// <summary><c>logwarden token add|remove|list</c>: who may use the API.</summary>
static class TokenCommand
{
    public static Command Create()
    {
        var data = Cli.Data();
        var name = new Argument<string>("NAME") { Description = "Who holds it; what the access log shows." };
        var json = Cli.Json();
        var add = new Command("add", "Makes a token and prints it. The token is shown only now. From the first one on, the API asks for one.") { name, data };
        add.SetAction(parsed => Console.Out.WriteLine(Tokens(parsed.GetRequiredValue(data)).Add(parsed.GetRequiredValue(name))));
        var remove = new Command("remove", "Takes a holder's tokens away.") { name, data };
        remove.SetAction(parsed => Tokens(parsed.GetRequiredValue(data)).Remove(parsed.GetRequiredValue(name)) > 0 ? Cli.Ok
            : throw new CommandException($"nobody named '{parsed.GetRequiredValue(name)}' has a token"));
        var list = new Command("list", "Lists who has a token.") { data, json };
        list.SetAction(parsed =>
        {
            var table = new TextTable("NAME", "CREATED");
            foreach (var token in Tokens(parsed.GetRequiredValue(data)).All)
            {
                if (parsed.GetValue(json)) Console.Out.WriteLine(JsonSerializer.Serialize(new { name = token.Name, created = token.Created }));
                else table.Row(token.Name, Cli.Time(token.Created));
            }
            if (!parsed.GetValue(json)) table.Write(Console.Out);
        });
        return new("token", "Makes and removes tokens of people and programs that may query over HTTP.") { add, remove, list };
    }

    static ApiTokens Tokens(DirectoryInfo data) => new(data.FullName, TimeProvider.System);
}
