using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using Logwarden.Archive;
using Logwarden.Hosting;
using Logwarden.Proof.Notes;
using Logwarden.Retention;

namespace Logwarden.Commands;

/// <summary><c>logwarden retention explain|report|run</c>: how long what is kept, and what is due.</summary>
static class RetentionCommand
{
    public static Command Create() => new("retention", "Tells how long logs are kept and why, and does what is due.") { Explain(), Report(), Run() };

    static Command Explain()
    {
        var target = new Argument<string>("EVENT-ID|SEGMENT") { Description = "Id of a sealed event, as `logwarden query` prints it, or path of a segment." };
        var (data, archive, policy, json) = (Cli.Data(), Cli.Archive(), Cli.PolicyInForce(), Cli.Json());
        var command = new Command("explain", "Prints every reason to keep an event or a segment with its date, which one governs, the lock as the archive has it, and holds.") { target, data, archive, policy, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var wanted = parsed.GetRequiredValue(target);
            var (folder, options, keys) = Open(parsed, data, policy);
            new AccessLog(folder, TimeProvider.System).Record(new(Environment.UserName, "retention explain", wanted));
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder, Archive = parsed.GetValue(archive) });
            var explained = await new RetentionExplainer(options, store, keys).Explain(wanted, cancel)
                ?? throw new CommandException($"nothing that is sealed is called {wanted}; what was just taken in can be explained once it is sealed, and what has expired by the path of its segment", Cli.Findings);
            if (parsed.GetValue(json)) await Console.Out.WriteLineAsync(Json(explained, options.Rules));
            else Print(explained, options.Rules, Console.Out);
            return Cli.Ok;
        });
        return command;
    }

    static Command Report()
    {
        var month = new Option<string?>("--month") { Description = "One month of event time only, as YYYY-MM." };
        var (data, archive, policy, json) = (Cli.Data(), Cli.Archive(), Cli.PolicyInForce(), Cli.Json());
        var command = new Command("report", "Sums up what is kept, by class and month of event time. Exit code 1 when something is missing.") { month, data, archive, policy, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var only = parsed.GetValue(month);
            if (only is not null && !DateOnly.TryParseExact(only + "-01", "yyyy-MM-dd", CultureInfo.InvariantCulture, DateTimeStyles.None, out _))
                throw new CommandException($"--month {only}: expected YYYY-MM, such as 2028-02");
            var (folder, options, keys) = Open(parsed, data, policy);
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder, Archive = parsed.GetValue(archive) });
            var months = await new RetentionSummary(options, store, keys).Make(only, cancel);
            if (parsed.GetValue(json)) await Console.Out.WriteLineAsync(Json(months));
            else Print(months, Console.Out);
            return months.Any(one => one.Missing > 0) ? Cli.Findings : Cli.Ok;
        });
        return command;
    }

    static Command Run()
    {
        var dry = new Option<bool>("--dry-run") { Description = "Only says what it would do." };
        var (data, archive, policy, json) = (Cli.Data(), Cli.Archive(), Cli.PolicyInForce(), Cli.Json());
        var command = new Command("run", "Does what is due, as `logwarden serve` does each day: evicts from the hot folder, deletes what has expired, makes locks longer. Exit code 1 when something was refused or is missing.")
        {
            dry, data, archive, policy, json,
        };
        command.SetAction(async (parsed, cancel) =>
        {
            var (folder, options, _) = Open(parsed, data, policy);
            var path = Path.Combine(folder, "keys", "log.key");
            if (!File.Exists(path)) throw new CommandException($"there is no {path}: only the installation that seals deletes, for it signs what it deletes");
            using var key = SigningKey.Load(path);
            using var store = Installation.OpenArchive(new InstallationOptions { Data = folder, Archive = parsed.GetValue(archive) });
            var report = await RetentionRun.Run(
                options with { IsDryRun = parsed.GetValue(dry) }, store, key, RetentionWork.Newest(folder, [key.Verifier]), TimeProvider.System, cancel);
            if (parsed.GetValue(json)) await Console.Out.WriteLineAsync(Json(report, parsed.GetValue(dry)));
            else Print(report, parsed.GetValue(dry), Console.Out);
            return report.IsDone ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    static (string Folder, RetentionOptions Options, IReadOnlyList<VerifierKey> Keys) Open(ParseResult parsed, Option<DirectoryInfo> data, Option<FileInfo?> policy)
    {
        var folder = parsed.GetRequiredValue(data);
        if (!Directory.Exists(Path.Combine(folder.FullName, "state"))) throw new CommandException($"there is no installation in {folder.FullName}; name its folder with --data");
        var keys = TrustedKeys.Choose(null, null, folder.FullName);
        var control = ControlState.Open(folder.FullName, TimeProvider.System);
        var custody = new Holds.Custody(folder.FullName, control.Database, control.Events, TimeProvider.System);
        return (folder.FullName, RetentionWork.Options(folder.FullName, PolicyFile.InForce(parsed.GetValue(policy), folder), control, custody), keys.Keys);
    }

    static void Print(RetentionExplanation one, RetentionRules rules, TextWriter to)
    {
        var segment = one.Segment;
        to.WriteLine($"{segment.Path}");
        to.WriteLine($"  {Cli.Number(segment.Rows)} events of class {segment.Class}, {Cli.Size(segment.Bytes)}, times {Time(segment.MinTime)} to {Time(segment.MaxTime)}; seal {Cli.Number(one.Seal)} of {Cli.Time(one.SealedAt)}");
        if (one.EventTime is { } time) to.WriteLine($"  the event is of {Cli.Time(time)}; it is kept as long as its segment, which counts from the latest of its events");
        to.WriteLine();
        var table = new TextTable("REASON", "WHAT", "KEEP", "FROM", "UNTIL", "");
        var governing = one.Reckoning.Governing;
        foreach (var term in one.Reckoning.Terms)
            table.Row(Word(term.Kind), term.Name, term.Keep, Cli.Time(new(term.From)), Cli.Time(new(term.Until)), ReferenceEquals(term, governing) && !one.IsHeld ? "governs" : "");
        table.Row("sealed", $"lock in seal {Cli.Number(one.Seal)}", "", "", Cli.Time(new(segment.RetainUntil)), "");
        table.Row("locked", one.Lock is { } head ? $"{head.Mode?.ToString() ?? "no mode"}, as the archive has it" : "not in the archive", "", "", one.Lock?.RetainUntil is { } until ? Cli.Time(until) : "-", "");
        foreach (var hold in one.Holds) table.Row("hold", hold, "", "", "released", "governs");
        if (one.Holds.Count == 0 && one.IsHeld) table.Row("hold", "legal hold in the archive", "", "", "released", "governs");
        table.Write(to);
        to.WriteLine();
        if (!one.IsComplete) to.WriteLine("  its events cannot be read, so whether the requirements of single events apply is not known: run `logwarden verify`");
        to.WriteLine($"hot until   {Cli.Time(one.HotUntil)}{(one.IsHot ? ", it is in the hot folder" : ", it is not in the hot folder")}{(one.NeededBy is { } who ? $"; {who} needs it" : "")}{(one.RestoredUntil is { } restored ? $"; restored until {Cli.Time(restored)}" : "")}");
        to.WriteLine($"cold until  {(one.IsHeld ? "the hold is released, and not before " : "")}{Cli.Time(one.ColdUntil)}");
        if (one.Deletion is { } number) to.WriteLine($"deleted     decided at {Cli.Time(one.Deleted!.Value)}, {ArchiveLayout.Deletion(number)}{(one.Versions > 0 ? "; it is still there" : "")}");
        else if (one.Versions == 0) to.WriteLine("MISSING     it is not in the archive, and no deletion record says why: run `logwarden verify`");
        to.WriteLine($"policy      {rules.Policy.Header.Version}, sha256 {rules.Policy.Sha256}");

        static string Time(long micros) => Cli.Time(Instant(micros));
    }

    // What a sender calls the time can be beyond the calendar.
    static DateTimeOffset Instant(long micros) =>
        DateTimeOffset.UnixEpoch.AddTicks(Math.Clamp(micros, -62_135_596_800_000_000, 253_402_300_799_999_999) * TimeSpan.TicksPerMicrosecond);

    static string Json(RetentionExplanation one, RetentionRules rules) => JsonSerializer.Serialize(new
    {
        segment = one.Segment.Path,
        @class = one.Segment.Class,
        events = one.Segment.Rows,
        bytes = one.Segment.Bytes,
        sha256 = one.Segment.Sha256,
        first_leaf = one.Segment.FirstLeaf,
        min_time = Cli.Time(Instant(one.Segment.MinTime)),
        max_time = Cli.Time(Instant(one.Segment.MaxTime)),
        event_time = one.EventTime is { } time ? Cli.Time(time) : null,
        seal = one.Seal,
        sealed_at = Cli.Time(one.SealedAt),
        terms = one.Reckoning.Terms.Select(term => new
        {
            reason = Word(term.Kind),
            what = term.Name,
            keep = term.Keep,
            from = Cli.Time(new(term.From)),
            until = Cli.Time(new(term.Until)),
            governs = ReferenceEquals(term, one.Reckoning.Governing) && !one.IsHeld,
        }),
        complete = one.IsComplete,
        sealed_until = Cli.Time(new(one.Segment.RetainUntil)),
        lock_mode = one.Lock?.Mode?.ToString().ToLowerInvariant(),
        locked_until = one.Lock?.RetainUntil is { } locked ? Cli.Time(locked) : null,
        legal_hold = one.Lock?.LegalHold ?? false,
        holds = one.Holds,
        versions = one.Versions,
        hot = one.IsHot,
        hot_until = Cli.Time(one.HotUntil),
        needed_by = one.NeededBy,
        restored_until = one.RestoredUntil is { } restored ? Cli.Time(restored) : null,
        cold_until = Cli.Time(one.ColdUntil),
        deletion = one.Deletion,
        deleted = one.Deleted is { } deleted ? Cli.Time(deleted) : null,
        policy_version = rules.Policy.Header.Version,
        policy_sha256 = rules.Policy.Sha256,
    });

    static void Print(IReadOnlyList<RetentionMonth> months, TextWriter to)
    {
        var table = new TextTable("CLASS", "MONTH", "EVENTS", "BYTES", "HOT", "COLD", "HELD", "EXPIRED", "MISSING", "NEXT EXPIRY");
        foreach (var one in months)
        {
            table.Row(one.Class, one.Month, Cli.Number(one.Events), Cli.Number(one.Bytes), Cli.Number(one.Hot), Cli.Number(one.Cold), Cli.Number(one.Held), Cli.Number(one.Expired),
                Cli.Number(one.Missing), one.NextExpiry is { } next ? Cli.Time(next) : "-");
        }
        table.Write(to);
    }

    static string Json(IReadOnlyList<RetentionMonth> months) => JsonSerializer.Serialize(months.Select(one => new
    {
        @class = one.Class,
        month = one.Month,
        events = one.Events,
        bytes = one.Bytes,
        hot = one.Hot,
        cold = one.Cold,
        held = one.Held,
        expired = one.Expired,
        missing = one.Missing,
        next_expiry = one.NextExpiry is { } next ? Cli.Time(next) : null,
    }));

    static void Print(RetentionReport report, bool isDry, TextWriter to)
    {
        foreach (var act in report.Acts) to.WriteLine($"{(isDry && act.Kind is RetentionActKind.Evicted or RetentionActKind.Expired or RetentionActKind.Extended ? "would be " : "")}{Word(act.Kind)}: {act.Path}: {act.What}");
        foreach (var number in report.Deletions) to.WriteLine($"written: {ArchiveLayout.Deletion(number)}");
        to.WriteLine(string.Join(", ", Enum.GetValues<RetentionActKind>().Select(kind => $"{Cli.Number(report.Count(kind))} {Word(kind)}")));
    }

    static string Json(RetentionReport report, bool isDry) => JsonSerializer.Serialize(new
    {
        dry_run = isDry,
        done = report.IsDone,
        deletions = report.Deletions,
        acts = report.Acts.Select(act => new { kind = Word(act.Kind), path = act.Path, events = act.Rows, bytes = act.Bytes, what = act.What }),
    });

    static string Word(TermKind kind) => kind.ToString().ToLowerInvariant();

    static string Word(RetentionActKind kind) => kind is RetentionActKind.EvictionPutOff ? "put off" : kind.ToString().ToLowerInvariant();
}
