using System.CommandLine;
using System.Globalization;
using System.Text;
using System.Text.Json;
using Logwarden.Archive;
using Logwarden.Events;
using Logwarden.Verify;

namespace Logwarden.Commands;

/// <summary><c>logwarden verify</c>: an archive, or one proof, with nothing but the public key.</summary>
static class VerifyCommand
{
    /// <summary>Its verb.</summary>
    public const string Name = "verify";

    public static Command Create()
    {
        var target = new Argument<string?>("TARGET")
        {
            Description = "Archive: a folder or s3://BUCKET/PREFIX?…. Default: LOGWARDEN_ARCHIVE, else DATA/archive.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var key = new Option<string[]>("--key")
        {
            Description = "Public key that must have signed: its text (NAME+ID+BASE64) or a file that holds it. May be given again. Default: keys/log.pub of --data; where there is none, the one beside the archive.",
        };
        var known = new Option<FileInfo[]>("--known") { Description = "Checkpoint or seal that you kept from earlier: an archive that was rolled back behind it is found out. Of --data, state/sealed.note is taken by itself." };
        var proof = new Option<FileInfo?>("--proof") { Description = "Check a file that `logwarden prove` made, in place of an archive." };
        var data = Cli.Data();
        var json = Cli.Json();
        var command = new Command(Name, "Recomputes every event, tree, checkpoint, offset and lock of an archive. Exit code 0 only when all holds.") { target, key, known, proof, data, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            var place = parsed.GetValue(target);
            var keys = TrustedKeys.Choose(parsed.GetValue(key), place, folder);
            if (parsed.GetValue(proof) is { } file) return Proof(file, keys, parsed.GetValue(json));
            var checkpoints = (parsed.GetValue(known) ?? []).Select(path => new KnownNote(path.ToString(), Read(path.FullName))).ToList();
            // Read before the archive is, which may grow meanwhile.
            var isOfData = place is null || parsed.GetResult(data) is { Implicit: false };
            if (Sealed(folder, keys, isOfData) is { } newest) checkpoints.Add(newest);
            return await RunAsync(place ?? Cli.ArchiveOfEnvironment ?? Path.Combine(folder, "archive"), keys, checkpoints, parsed.GetValue(json), Console.Out, cancel);
        });
        return command;
    }

    /// <summary>
    /// The newest seal that an installation knows of: its archive must have it. When it is not said that the archive is of this installation, only if it has the same key.
    /// </summary>
    public static KnownNote? Sealed(string data, TrustedKeys keys, bool isOfData)
    {
        var path = Path.Combine(data, "state", "sealed.note");
        if (!File.Exists(path)) return null;
        var note = Read(path);
        return isOfData || Archive.Seal.TryOpen(note, keys.Keys, out _) is not null ? new(path, note) : null;
    }

    /// <summary>Verifies an archive and prints the verdict.</summary>
    public static async Task<int> RunAsync(string target, TrustedKeys keys, IReadOnlyList<KnownNote> known, bool isJson, TextWriter output, CancellationToken cancel)
    {
        if (!ArchiveTarget.TryParse(target, out var parsed, out var reason)) throw new CommandException($"{target}: {reason}");
        if (parsed.Folder is { } folder && !Directory.Exists(folder)) throw new CommandException($"there is no archive {folder}");
        using var store = parsed.Open(TimeProvider.System);
        using var progress = new ProgressLine("verify", 0, TimeProvider.System);
        var report = await Verifier.Run(
            store, new VerifyOptions { Keys = keys.Keys, Known = known }, TimeProvider.System,
            at => progress.Report(at.Events, string.Create(CultureInfo.InvariantCulture, $"{at.Events:N0} of {at.EventsTotal:N0} events, {at.Object}")),
            cancel);
        progress.Dispose();
        if (isJson) await output.WriteLineAsync(Json(store.Location, report, keys, known));
        else Print(store.Location, report, keys, known, output);
        return report.IsClean ? Cli.Ok : Cli.Findings;
    }

    static void Print(string location, VerifyReport report, TrustedKeys keys, IReadOnlyList<KnownNote> known, TextWriter output)
    {
        foreach (var finding in report.Findings) output.WriteLine(finding);
        var expired = report.SegmentsExpired == 0 ? "" : $" ({Cli.Number(report.SegmentsExpired)} more are gone as required, by {Cli.Number(report.Deletions)} deletion records)";
        if (report.SegmentsUndeleted > 0) output.WriteLine($"{Cli.Number(report.SegmentsUndeleted)} segments are there though a deletion record names them: a hold is on them, or `logwarden retention run` has not finished");
        output.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{location}: {report.Seals} seals, {report.Segments} segments{expired}, {report.Events} events, {report.Tiles} tiles, {report.Checkpoints} checkpoints, {report.Locks} locks checked; offsets 0 to {report.SealedTo}"));
        foreach (var tree in report.Trees) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {tree.Class}: {tree.Size} events, root {tree.Root}"));
        output.WriteLine($"  key: {keys.Names}, from {keys.From}");
        output.WriteLine(known.Count > 0 ? $"  not older than: {string.Join(", ", known.Select(note => note.Name))}"
            : "  whether newer seals were cut off cannot be told from the archive: give --data of its installation, or a checkpoint that you kept with --known");
        if (keys.IsBesideArchive) output.WriteLine("WARNING: " + TrustedKeys.Warning);
        if (report.IsClean) output.WriteLine("OK: nothing is changed, missing, added, reordered or unlocked.");
        else output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"NOT OK: {report.FindingsTotal} findings."));
    }

    static string Json(string location, VerifyReport report, TrustedKeys keys, IReadOnlyList<KnownNote> known) => JsonSerializer.Serialize(new
    {
        target = location,
        ok = report.IsClean,
        keys = keys.Keys.Select(TrustedKeys.NameOf),
        keys_from = keys.From,
        keys_beside_archive = keys.IsBesideArchive,
        known = known.Select(note => note.Name),
        origin = report.Origin,
        seals = report.Seals,
        segments = report.Segments,
        segments_expired = report.SegmentsExpired,
        segments_undeleted = report.SegmentsUndeleted,
        deletions = report.Deletions,
        events = report.Events,
        tiles = report.Tiles,
        checkpoints = report.Checkpoints,
        locks = report.Locks,
        bytes = report.Bytes,
        sealed_to = report.SealedTo,
        findings_total = report.FindingsTotal,
        findings = report.Findings.Select(finding => new { code = finding.CodeText, @object = finding.Object, leaf = finding.Leaf, offset = finding.Offset, what = finding.What, next = finding.Next }),
    });

    static int Proof(FileInfo file, TrustedKeys keys, bool isJson)
    {
        var verdict = EventProofs.Check(Read(file.FullName), keys.Keys);
        EventEncoding.TryRead(verdict.Event.Span, out var proven);
        var id = Encoding.UTF8.GetString(proven.Id);
        if (isJson)
        {
            Console.Out.WriteLine(JsonSerializer.Serialize(new
            {
                file = file.FullName,
                ok = verdict.IsValid,
                keys = keys.Keys.Select(TrustedKeys.NameOf),
                keys_from = keys.From,
                keys_beside_archive = keys.IsBesideArchive,
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
        if (!isJson) Console.Error.WriteLine($"key: {keys.Names}, from {keys.From}{(keys.IsBesideArchive ? "\nWARNING: " + TrustedKeys.Warning : "")}");
        return verdict.IsValid ? Cli.Ok : Cli.Findings;
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
