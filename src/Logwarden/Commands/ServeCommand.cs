using System.CommandLine;
using System.CommandLine.Parsing;
using System.Net;
using Logwarden.Hosting;
using Logwarden.Policy;

namespace Logwarden.Commands;

/// <summary><c>logwarden serve</c>: listens, takes in, seals, answers queries.</summary>
static class ServeCommand
{
    public static Command Create()
    {
        var listen = new Option<string>("--listen") { Description = "Address and port; loopback unless you say otherwise. With port 0 the system chooses one that is free, and it is printed.", DefaultValueFactory = _ => "127.0.0.1:8470" };
        var age = new Option<TimeSpan?>("--seal-age")
        {
            Description = $"Longest that a durable event waits for its seal, such as 30s, 5m, 1h. Default {DurationText.Print(SealOptions.ForServe.AgeMax!.Value)}.",
            CustomParser = Duration,
        };
        var heartbeat = new Option<string?>("--heartbeat")
        {
            Description = "Dead man's switch: file:PATH or env:NAME of the secret URL of a Better Stack heartbeat, which is told each minute that all is well, or what is not. When nothing comes, people are called.",
        };
        var data = Cli.Data();
        var archive = Cli.Archive();
        var policy = Cli.Policy();
        var loss = Cli.ContinueAfterLoss();
        var command = new Command("serve", "Listens for events, keeps and seals them, takes them to their destinations, watches that they arrive, and answers queries.") { listen, age, heartbeat, data, archive, policy, loss };
        command.SetAction(async (parsed, cancel) =>
        {
            var options = Cli.Installation(parsed, data, archive, policy, loss);
            var endpoint = Endpoint(parsed.GetRequiredValue(listen));
            await using var installation = await Installation.OpenAsync(options, TimeProvider.System, cancel);
            var sealing = SealOptions.ForServe with { AgeMax = parsed.GetValue(age) ?? SealOptions.ForServe.AgeMax };
            await using var server = await WebHost.StartAsync(installation, endpoint, options.Data, sealing, parsed.GetValue(heartbeat));
            await Console.Error.WriteLineAsync($"listening on http://{server.Endpoint}, archive {installation.ArchiveLocation}");
            await Console.Error.WriteLineAsync($"API token for whoever may read it: {server.LocalToken}");
            await server.RunAsync(cancel);
            return Cli.Ok;
        });
        return command;
    }

    /// <summary>What <c>--listen</c> names; a port of 0 must be written.</summary>
    static IPEndPoint Endpoint(string text) =>
        IPEndPoint.TryParse(text, out var endpoint) && (endpoint.Port != 0 || (text.EndsWith(":0", StringComparison.Ordinal) && (text.Contains('.', StringComparison.Ordinal) || text.Contains(']', StringComparison.Ordinal))))
            ? endpoint
            : throw new CommandException($"--listen {text}: expected ADDRESS:PORT, such as 127.0.0.1:8470 or [::1]:8470");

    static TimeSpan? Duration(ArgumentResult result)
    {
        if (result.Tokens.Count == 1 && DurationText.TryParse(result.Tokens[0].Value, out var span) && span > TimeSpan.Zero) return span;
        result.AddError($"--seal-age {(result.Tokens.Count == 1 ? result.Tokens[0].Value : "")}: expected {DurationText.Expected}");
        return null;
    }
}
