using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Proof.Notes;
using Logwarden.Verify;

namespace Logwarden.Commands;

/// <summary><c>logwarden verify</c>: an archive, or one proof, with nothing but the public key.</summary>
static class VerifyCommand
{
    /// <summary>Its verb.</summary>
    public const string Name = "verify";

    public static Command Create()
    {
        var target = new Argument<string?>("TARGET") { Description = "Archive: a folder or s3://BUCKET/PREFIX?…. Default: the archive of --data.", Arity = ArgumentArity.ZeroOrOne };
        var key = new Option<string[]>("--key")
        {
            Description = "Public key that must have signed: its text (NAME+ID+BASE64) or a file that holds it. May be given again. Default: keys/log.pub beside a folder, or of --data.",
        };
        var known = new Option<FileInfo[]>("--known") { Description = "Checkpoint that you kept from earlier: an archive that was rolled back behind it is found out." };
        var proof = new Option<FileInfo?>("--proof") { Description = "Check a file that `logwarden prove` made, in place of an archive." };
        var data = Cli.Data();
        var json = Cli.Json();
        var command = new Command(Name, "Recomputes every event, tree, checkpoint, offset and lock of an archive. Exit code 0 only when all holds.") { target, key, known, proof, data, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            var place = parsed.GetValue(target);
            var keys = Keys(parsed.GetValue(key), place, folder);
            if (parsed.GetValue(proof) is { } file) return Proof(file, keys, parsed.GetValue(json));
            var checkpoints = (parsed.GetValue(known) ?? []).Select(path => new KnownNote(path.Name, Read(path.FullName))).ToList();
            return await RunAsync(place ?? Path.Combine(folder, "archive"), keys, checkpoints, parsed.GetValue(json), cancel);
        });
        return command;
    }

    /// <summary>Verifies an archive and prints the verdict.</summary>
    public static async Task<int> RunAsync(string target, IReadOnlyList<VerifierKey> keys, IReadOnlyList<KnownNote>? known, bool isJson, CancellationToken cancel)
    {
        if (!ArchiveTarget.TryParse(target, out var parsed, out var reason)) throw new CommandException($"{target}: {reason}");
        if (parsed.Folder is { } folder && !Directory.Exists(folder)) throw new CommandException($"there is no archive {folder}");
        using var store = parsed.Open(TimeProvider.System);
        using var progress = new ProgressLine("verify", 0, TimeProvider.System);
        var report = await Verifier.Run(
            store, new VerifyOptions { Keys = keys, Known = known ?? [] }, TimeProvider.System,
            at => progress.Report(at.Events, string.Create(CultureInfo.InvariantCulture, $"{at.Events:N0} of {at.EventsTotal:N0} events, {at.Object}")),
            cancel);
        progress.Dispose();
        if (isJson) await Console.Out.WriteLineAsync(Json(store.Location, report));
        else Print(store.Location, report);
        return report.IsClean ? Cli.Ok : Cli.Findings;
    }

    static void Print(string location, VerifyReport report)
    {
        foreach (var finding in report.Findings) Console.Out.WriteLine(finding);
        Console.Out.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{location}: {report.Seals} seals, {report.Segments} segments, {report.Events} events, {report.Tiles} tiles, {report.Checkpoints} checkpoints, {report.Locks} locks checked; offsets 0 to {report.SealedTo}"));
        foreach (var tree in report.Trees) Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {tree.Class}: {tree.Size} events, root {tree.Root}"));
        if (report.IsClean) Console.Out.WriteLine("OK: nothing is changed, missing, added, reordered or unlocked.");
        else Console.Out.WriteLine(string.Create(CultureInfo.InvariantCulture, $"NOT OK: {report.FindingsTotal} findings."));
    }

    static string Json(string location, VerifyReport report) => JsonSerializer.Serialize(new
    {
        target = location,
        ok = report.IsClean,
        origin = report.Origin,
        seals = report.Seals,
        segments = report.Segments,
        segments_expired = report.SegmentsExpired,
        events = report.Events,
        tiles = report.Tiles,
        checkpoints = report.Checkpoints,
        locks = report.Locks,
        bytes = report.Bytes,
        sealed_to = report.SealedTo,
        findings_total = report.FindingsTotal,
        findings = report.Findings.Select(finding => new { code = finding.CodeText, @object = finding.Object, leaf = finding.Leaf, offset = finding.Offset, what = finding.What, next = finding.Next }),
    });

    static int Proof(FileInfo file, IReadOnlyList<VerifierKey> keys, bool isJson)
    {
        var verdict = EventProofs.Check(Read(file.FullName), keys);
        EventEncoding.TryRead(verdict.Event.Span, out var proven);
        var id = Encoding.UTF8.GetString(proven.Id);
        if (isJson)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(new
            {
                file = file.FullName,
                ok = verdict.IsValid,
                reason = verdict.IsValid ? null : verdict.Reason,
                event_id = verdict.IsValid ? id : null,
                index = verdict.Index,
                origin = verdict.Checkpoint?.Origin,
                tree_size = verdict.Checkpoint?.Size,
            }));
        }
        else if (verdict.IsValid)
        {
            Console.Out.WriteLine($"OK: event {id} is leaf {Cli.Number(verdict.Index)} of {verdict.Checkpoint!.Origin}, a log of {Cli.Number(verdict.Checkpoint.Size)} events. It says:");
            Console.Out.WriteLine(Encoding.UTF8.GetString(proven.Json));
        }
        else
        {
            Console.Out.WriteLine($"NOT OK: {verdict.Reason}");
        }
        return verdict.IsValid ? Cli.Ok : Cli.Findings;
    }

    /// <summary>The keys that were named; else the one beside the archive, else the one of the installation.</summary>
    public static List<VerifierKey> Keys(string[]? given, string? target, string data)
    {
        if (given is { Length: > 0 }) return [.. given.Select(Parse)];
        var beside = target is null || target.Contains("://", StringComparison.Ordinal) ? null
            : Path.Combine(Path.GetDirectoryName(Path.GetFullPath(target.StartsWith("file:", StringComparison.Ordinal) ? target[5..] : target)) ?? "", "keys", "log.pub");
        var path = beside is not null && File.Exists(beside) ? beside : Path.Combine(data, "keys", "log.pub");
        if (!File.Exists(path)) throw new CommandException("which key must have signed? Name it with --key; it is in keys/log.pub of the installation that made the archive");
        return [Parse(path)];
    }

    static VerifierKey Parse(string textOrFile)
    {
        var text = File.Exists(textOrFile) ? File.ReadAllText(textOrFile).Trim() : textOrFile;
        return VerifierKey.TryParse(text, out var key, out var reason) ? key : throw new CommandException($"--key {textOrFile}: {reason}");
    }

    static byte[] Read(string path)
    {
        try
        {
            return File.ReadAllBytes(path);
        }
        catch (Exception missing) when (missing is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw new CommandException(missing.Message);
        }
    }
}
