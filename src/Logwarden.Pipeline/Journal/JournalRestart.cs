using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Serialization;
using Logwarden.Events;

namespace Logwarden.Journal;

/// <summary>
/// Begins a journal behind the offsets that one which is lost had given out, with the ledger of what was sealed. What is left of the old one is moved aside, not deleted; the
/// secret of its keys stays in use. What is to be done is kept in <c>journal-restart.json</c> until all of it is: a crash on the way is finished by the next call.
/// </summary>
public static class JournalRestart
{
    /// <summary>Whether one was begun and not finished.</summary>
    public static bool IsUnderWay(string directory) => File.Exists(PathOf(directory));

    /// <summary>Keeps what is to be done.</summary>
    /// <param name="directory">The installation's data directory; no process may have its journal open.</param>
    /// <param name="offset">Offset of the next event.</param>
    /// <param name="sources">Ledger of the events below it.</param>
    /// <param name="time">Clock, for the name of the folder in which the old journal is kept.</param>
    /// <exception cref="ArgumentException">The ledger does not add up to the offset.</exception>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Begin(string directory, long offset, IReadOnlyList<SourceLedger> sources, TimeProvider time)
    {
        if (!Totals(sources).Balances(offset)) throw new ArgumentException("The ledger does not add up to the offset.", nameof(sources));
        var aside = "journal-before-" + time.GetUtcNow().ToString("yyyyMMdd'T'HHmmss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        DurableFile.Replace(PathOf(directory), JsonSerializer.SerializeToUtf8Bytes(new RestartPlan(offset, aside, sources), RestartJson.Default.RestartPlan));
    }

    /// <summary>Does it, up to <see cref="Finish"/>; may be done again.</summary>
    /// <returns>The offset that the journal begins with, and the folder in which the old one is.</returns>
    /// <exception cref="IOException">The disk failed, or another process holds the directory.</exception>
    /// <exception cref="InvalidDataException">What is to be done can't be read.</exception>
    public static (long Offset, string Aside) CarryOut(string directory, TimeProvider time)
    {
        var options = new JournalOptions { Directory = directory };
        using var alone = DirectoryLock.Take(directory);
        var plan = Read(PathOf(directory));
        var aside = Path.Combine(directory, plan.Aside);
        DurableFile.CreateDirectory(Path.Combine(aside, "dedup"));
        MoveFolder(options.CursorDirectory, Path.Combine(aside, "cursors"));
        MoveFolder(options.JournalDirectory, Path.Combine(aside, "journal"));
        DurableFile.CreateDirectory(options.DedupDirectory);
        foreach (var run in Directory.GetFiles(options.DedupDirectory, "*.keys")) Directory.Move(run, Path.Combine(aside, "dedup", Path.GetFileName(run)));
        DurableFile.SyncDirectory(Path.Combine(aside, "dedup"));
        DurableFile.SyncDirectory(options.DedupDirectory);
        // Not only after a loss: an old secret goes on, and a new one needs a journal that is new.
        _ = DedupKeys.Open(options, isNew: true);
        DedupFloor.Replace(options, plan.Offset);
        DurableFile.CreateDirectory(options.CursorDirectory);
        DurableFile.CreateDirectory(options.JournalDirectory);
        var header = JournalFormat.Header(new(plan.Offset, 0, BitConverter.ToUInt64(RandomNumberGenerator.GetBytes(8)), UnixMicros.Now(time), Totals(plan.Sources), 0));
        DurableFile.Replace(Path.Combine(options.JournalDirectory, JournalFormat.FileName(plan.Offset)), header);
        return (plan.Offset, aside);
    }

    /// <summary>Says that all of it is done.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static void Finish(string directory)
    {
        File.Delete(PathOf(directory));
        DurableFile.SyncDirectory(directory);
    }

    static string PathOf(string directory) => Path.Combine(directory, "journal-restart.json");

    static RestartPlan Read(string path)
    {
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), RestartJson.Default.RestartPlan) ?? throw new JsonException("it is empty.");
        }
        catch (JsonException bad)
        {
            throw new InvalidDataException($"{path} is not what a restart of the journal wrote: {bad.Message} Delete it and begin the restart again.", bad);
        }
    }

    static void MoveFolder(string from, string to)
    {
        if (Directory.Exists(to) || !Directory.Exists(from)) return;
        Directory.Move(from, to);
        DurableFile.SyncDirectory(Path.GetDirectoryName(to)!);
        DurableFile.SyncDirectory(Path.GetDirectoryName(from)!);
    }

    static LedgerTotals Totals(IReadOnlyList<SourceLedger> sources)
    {
        var totals = new LedgerTotals();
        foreach (var source in sources)
        {
            var of = totals.Of(source.Source);
            (of.In, of.Stored, of.Duplicates) = (source.In, source.Stored, source.Duplicates);
            foreach (var (reason, count) in source.QuarantinedByReason) of.Quarantine(reason, count);
        }
        return totals;
    }
}

/// <summary>What a restart does.</summary>
sealed record RestartPlan(long Offset, string Aside, IReadOnlyList<SourceLedger> Sources);

[JsonSerializable(typeof(RestartPlan))]
[JsonSourceGenerationOptions(WriteIndented = true, PropertyNamingPolicy = JsonKnownNamingPolicy.SnakeCaseLower, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
sealed partial class RestartJson : JsonSerializerContext;
