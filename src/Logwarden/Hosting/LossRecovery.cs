using System.Text.Json;
using Logwarden.Archive;
using Logwarden.Commands;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>
/// The way on when the archive is ahead of the journal: the journal is lost, or its folder was put back from an older copy. The archive has all that was sealed; what was acknowledged
/// behind it is lost, and how much that was nobody can tell. The journal begins again behind what is sealed, with the ledger of the newest seal, and its first event says that it did.
/// </summary>
static class LossRecovery
{
    /// <summary>Option that asks for it.</summary>
    public const string Option = "--continue-after-loss";

    /// <summary>Source of the event that tells it.</summary>
    public const string Source = "logwarden";

    /// <summary>Nothing when the journal has all that is sealed. Otherwise refuses, or begins the way on where it is asked for.</summary>
    /// <returns>Whether the journal must now be opened anew.</returns>
    /// <exception cref="CommandException">The journal is behind, and nobody asked to go on; or nobody can tell how to.</exception>
    public static bool Begin(InstallationOptions options, DiskJournal journal, Seal? last, TimeProvider time)
    {
        var (end, sealedTo) = (journal.DurableEnd, last?.Record.Header.To ?? 0);
        if (sealedTo <= end) return false;
        if (!options.ContinueAfterLoss)
        {
            throw new CommandException(
                $"the archive has events up to offset {Cli.Number(sealedTo)}, the journal in {options.Data} ends at {Cli.Number(end)}: the journal is lost, or an older copy of the folder was put back. "
                + $"Put the newest copy of the folder back. If there is none, run this once more with {Option}: it begins behind what is sealed; events that were acknowledged after {Cli.Time(new(DateTime.SpecifyKind(last!.Record.Header.Sealed, DateTimeKind.Utc)))} and not sealed are lost, and the log says so itself",
                Cli.Broken);
        }
        if (last!.Record.Ledger is null)
        {
            throw new CommandException(
                $"the newest seal (up to offset {Cli.Number(sealedTo)}) was the first part of a larger one and has no ledger, so that the journal's can't be made from it: begin a new installation with another archive, and keep this one to be verified", Cli.Broken);
        }
        SourceLedger[] sources = [.. last.Record.Sources.Select(source => new SourceLedger(source.Id, source.In, source.Stored, source.Duplicates, source.Quarantined.Values.Sum(), source.Quarantined))];
        JournalRestart.Begin(options.Data, sealedTo, sources, time);
        return true;
    }

    /// <summary>Puts what happened into the journal, as its first event, and ends the way on.</summary>
    /// <exception cref="IOException">The disk failed.</exception>
    public static async Task TellAsync(Installation installation, string data, string aside, TimeProvider time)
    {
        var at = Cli.Number(installation.Journal.DurableEnd);
        var what = $"The journal was lost and begins again at offset {at}. Events that were acknowledged and not sealed before are lost; how many is unknown. Events that are sent again may be stored twice.";
        var json = JsonSerializer.SerializeToUtf8Bytes(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["id"] = "journal-begins-again-at-" + at,
            ["dt"] = Cli.Time(time.GetUtcNow()),
            ["user"] = Environment.UserName,
            ["ip"] = "127.0.0.1",
            ["action"] = "settings.update",
            ["object"] = "journal",
            ["message"] = what,
        });
        var worker = installation.Worker(Installation.Route(new SourceEntry { Id = Source, Format = "app", Created = time.GetUtcNow() }));
        var batch = new AppendBatch { Source = Source };
        worker.Add(new FramedRecord { Bytes = json }, RecordOrigin.None, batch);
        await installation.Journal.AppendAsync(batch, CancellationToken.None);
        JournalRestart.Finish(data);
        await Console.Error.WriteLineAsync($"{what} What is left of the old one is in {aside}.");
    }
}
