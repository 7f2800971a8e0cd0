using System.CommandLine;
using Logwarden.Hosting;
using Logwarden.Verify;

namespace Logwarden.Commands;

/// <summary><c>logwarden prove</c>: a file that proves to anyone that one event is in the log.</summary>
static class ProveCommand
{
    public static Command Create()
    {
        var id = new Argument<string>("EVENT-ID") { Description = "Id of a sealed event, as `logwarden query` prints it." };
        var data = Cli.Data();
        var archive = Cli.Archive();
        var key = new Option<string[]>("--key") { Description = "Public key of the archive. Default: keys/log.pub of --data." };
        var command = new Command("prove", "Prints a C2SP tlog-proof of an event: the event, its path to the root, and the signed checkpoint. Check it with `logwarden verify --proof FILE`.") { id, data, archive, key };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = parsed.GetRequiredValue(data);
            var wanted = parsed.GetRequiredValue(id);
            var keys = TrustedKeys.Choose(parsed.GetValue(key), null, folder.FullName);
            var known = VerifyCommand.Sealed(folder.FullName, keys, isOfData: true);
            new AccessLog(folder.FullName, TimeProvider.System).Record(new(Environment.UserName, "prove", wanted));
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder.FullName, Archive = parsed.GetValue(archive) });
            var proof = await new EventProofs(store, keys.Keys, Path.Combine(folder.FullName, "hot"), known).Build(wanted, cancel)
                ?? throw new CommandException($"no sealed event has the id {wanted}; one that was just taken in can be proved once it is sealed", Cli.Findings);
            using var output = Console.OpenStandardOutput();
            output.Write(proof.File.ToBytes());
            await Console.Error.WriteLineAsync($"leaf {Cli.Number(proof.File.Index)} of {proof.Checkpoint.Origin}, in {proof.Segment}; key {keys.Names}");
            return Cli.Ok;
        });
        return command;
    }
}
