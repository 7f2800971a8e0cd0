using System.CommandLine;
using System.Text.Json;
using Logwarden.Formats;
using Logwarden.Hosting;

namespace Logwarden.Commands;

/// <summary><c>logwarden ingest</c>: files through the whole pipeline, into the archive.</summary>
static class IngestCommand
{
    public static Command Create()
    {
        var files = Cli.Files();
        var source = new Option<string>("--source") { Description = "Source that the files are from; one that is new is registered.", Required = true };
        var format = new Option<string>("--format") { Description = "What they hold: " + FormatCatalog.Names + ".", Required = true };
        var fields = SourceCommand.FieldMap();
        var cloud = SourceCommand.Cloud();
        var data = Cli.Data();
        var archive = Cli.Archive();
        var policy = Cli.Policy();
        var loss = Cli.ContinueAfterLoss();
        var json = Cli.Json();
        var command = new Command(
            "ingest",
            "Takes files through the pipeline, then seals and archives what it took. It may be stopped and run again: nothing is stored twice. The exit code is 1 when a record was quarantined or a file was cut off.")
        { files, source, format, fields, cloud, data, archive, policy, loss, json };
        command.SetAction(async (parsed, cancel) =>
        {
            Cli.Format(parsed.GetRequiredValue(format));
            foreach (var file in parsed.GetRequiredValue(files)) Input.Check(file);
            var options = Cli.Installation(parsed, data, archive, policy, loss);
            await using var installation = await Installation.OpenAsync(options, TimeProvider.System, cancel);
            var entry = Register(installation, parsed.GetRequiredValue(source), parsed.GetRequiredValue(format), Cli.FieldPairs(parsed.GetValue(fields), parsed.GetRequiredValue(format)), parsed.GetValue(cloud));
            return await RunAsync(installation, entry, parsed.GetRequiredValue(files), parsed.GetValue(json), cancel);
        });
        return command;
    }

    static SourceEntry Register(Installation installation, string id, string format, Dictionary<string, string> fields, string? cloud)
    {
        var (source, isNew) = installation.Sources.Ensure(id, format, fields, cloud);
        if (isNew) Console.Error.WriteLine($"source '{id}' is new: registered with format {format}");
        return source;
    }

    /// <summary>Takes the files in and seals, also when it is stopped on the way: what was taken is archived before it ends.</summary>
    static async Task<int> RunAsync(Installation installation, SourceEntry source, string[] files, bool json, CancellationToken cancel)
    {
        var route = Installation.Route(source);
        var total = files.Where(file => !Input.IsStandard(file)).Sum(file => new FileInfo(file).Length);
        IngestResult result;
        int broken;
        var isStopped = false;
        Exception? failure = null;
        using (var progress = new ProgressLine("ingest", total, TimeProvider.System))
        {
            var run = new IngestRun(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System);
            await using var sealing = new SealLoop(installation, SealOptions.ForIngest, TimeProvider.System, tell: progress.Tell);
            try
            {
                await run.RunAsync(files, cancel);
            }
            catch (OperationCanceledException) when (cancel.IsCancellationRequested || Input.Stop.IsCancellationRequested) // the second may come first
            {
                isStopped = true;
                progress.Tell("stopping: sealing what was taken in …");
            }
            catch (Exception failed) when (failed is IOException or UnauthorizedAccessException or InvalidDataException or CommandException)
            {
                failure = failed;
                progress.Tell($"error: {failed.Message.TrimEnd('.')}. Sealing what was taken in before …");
            }
            (result, broken) = (run.Result, run.BrokenFiles);
        }
        await installation.SealAsync(CancellationToken.None);
        if (await installation.IndexAsync(CancellationToken.None) is { } unindexed)
            await Console.Error.WriteLineAsync($"warning: {unindexed}. Nothing is lost: queries of text read more until a later run makes it.");
        await KeepHoldsAsync(installation);
        Print(installation, result, json);
        if (failure is not null) await Console.Error.WriteLineAsync("not everything was taken in: put right what the error says and run it again; what was taken is not taken twice.");
        return failure is not null ? Cli.Broken : isStopped ? Cli.Interrupted : broken > 0 || result.Quarantined > 0 ? Cli.Findings : Cli.Ok;
    }

    /// <summary>A hold that came into force while a seal was under way is put on that too.</summary>
    static async Task KeepHoldsAsync(Installation installation)
    {
        try
        {
            if (installation.HasHoldsToKeep) await installation.KeepHoldsAsync(progress: null, CancellationToken.None);
        }
        catch (IOException failed)
        {
            await Console.Error.WriteLineAsync($"warning: legal holds are not on everything yet: {failed.Message} Run `logwarden hold apply` when that is put right.");
        }
    }

    static void Print(Installation installation, IngestResult result, bool json)
    {
        if (json)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(new
            {
                records = result.Records,
                stored = result.Stored,
                duplicates = result.Duplicates,
                quarantined = result.Quarantined,
                bytes = result.Bytes,
                sealed_to = installation.SealedTo,
                archive = installation.ArchiveLocation,
            }));
            return;
        }
        Console.Out.WriteLine($"{Cli.Number(result.Records)} records: {Cli.Number(result.Stored)} stored, {Cli.Number(result.Duplicates)} stored before, {Cli.Number(result.Quarantined)} quarantined");
        Console.Out.WriteLine($"sealed and archived in {installation.ArchiveLocation}");
        if (result.Quarantined > 0)
        {
            Console.Error.WriteLine("see what was quarantined, and why: logwarden query '' --class quarantine --format json");
        }
    }
}
