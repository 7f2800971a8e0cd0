using System.CommandLine;
using System.CommandLine.Invocation;
using Logwarden.Commands;
using Logwarden.Hosting;

namespace Logwarden;

/// <summary>The one executable. A verb is a file in <c>Commands/</c> and a line in <see cref="Root"/>.</summary>
static class Program
{
    static async Task<int> Main(string[] args)
    {
        Segments.NativeArenas.UseOne();
        Journal.PrivateFiles.Make();
        var parsed = Root().Parse(args);
        if (parsed.Errors.Count > 0 && parsed.Action is not System.CommandLine.Help.HelpAction)
        {
            foreach (var error in parsed.Errors) await Console.Error.WriteLineAsync($"error: {error.Message}");
            await Console.Error.WriteLineAsync($"Run `logwarden {Verb(parsed)}--help` for what it takes.");
            return Cli.Usage;
        }
        try
        {
            RequireOwner(parsed);
            return await RunAsync(parsed);
        }
        catch (CommandException stop)
        {
            await Console.Error.WriteLineAsync($"error: {stop.Message}");
            return stop.ExitCode;
        }
        catch (OperationCanceledException)
        {
            await Console.Error.WriteLineAsync("stopped; run it again to go on where it was.");
            return Cli.Interrupted;
        }
        catch (Exception broken) when (broken is IOException or UnauthorizedAccessException or InvalidDataException or Microsoft.Data.Sqlite.SqliteException)
        {
            await Console.Error.WriteLineAsync($"error: {broken.Message}");
            return Cli.Broken;
        }
    }

    static async Task<int> RunAsync(ParseResult parsed)
    {
        // The library's own handling of signals would cut a command off after two seconds.
        var configuration = new InvocationConfiguration { EnableDefaultExceptionHandler = false, ProcessTerminationTimeout = null };
        if (parsed.Action is not AsynchronousCommandLineAction) return await parsed.InvokeAsync(configuration);
        using var signals = new StopSignals();
        Input.Stop = signals.Token;
        return await parsed.InvokeAsync(configuration, signals.Token);
    }

    // What only reads, and what looks at a file of policy, may be run by anyone who can.
    static void RequireOwner(ParseResult parsed)
    {
        var command = parsed.CommandResult.Command;
        if (command.Name is VerifyCommand.Name || command.Parents.Any(parent => parent.Name is PolicyCommand.Name)) return;
        if (command.Options.OfType<Option<DirectoryInfo>>().FirstOrDefault(option => option.Name is Cli.DataName) is { } data) DataOwner.Require(parsed.GetRequiredValue(data));
    }

    static string Verb(ParseResult parsed) => parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";

    /// <summary>The whole command line.</summary>
    public static RootCommand Root() => new("Takes in every security-relevant log, redacts it, keeps a copy that nobody can alter and anyone can verify.")
    {
        ServeCommand.Create(),
        IngestCommand.Create(),
        NormalizeCommand.Create(),
        RedactCommand.Create(),
        QueryCommand.Create(),
        LedgerCommand.Create(),
        VerifyCommand.Create(),
        ProveCommand.Create(),
        HoldCommand.Create(),
        RestoreCommand.Create(),
        RetentionCommand.Create(),
        PolicyCommand.Create(),
        SourceCommand.Create(),
        StatusCommand.Create(),
        DestinationCommand.Create(),
        DeadLetterCommand.Create(),
        CertificateCommand.Create(),
        TokenCommand.Create(),
        DemoCommand.Create(),
        SqlWorkerCommand.Create(),
    };
}
