using System.CommandLine;
using System.Globalization;
using Logwarden.Catalog;
using Logwarden.Holds;
using Logwarden.Hosting;
using Logwarden.Hot;
using Logwarden.Match;
using Logwarden.Query;
using Logwarden.Sql;

namespace Logwarden.Commands;

/// <summary><c>logwarden query</c>: search, counts and SQL over what is kept hot and what was just taken in.</summary>
static class QueryCommand
{
    // An answer is held in memory, as values and as their text, while it is made.
    const long CliMemoryMax = 3L << 30;
    static readonly QueryLimits Limits = new() { SqlRowsMax = 10_000_000, SqlBytesMax = 512L << 20, TimeMax = TimeSpan.FromMinutes(10) };

    public static Command Create()
    {
        var filter = new Argument<string>("FILTER") { Description = "What events must match, such as 'user=ada* AND ip=10.0.0.0/8'; empty is all. See docs/query-language.md.", DefaultValueFactory = _ => "" };
        var sql = new Option<string?>("--sql") { Description = "One SELECT over the view `events`, in place of a filter; --from, --to, --class and --source narrow the view. See docs/query.md." };
        var from = Cli.Instant("--from", "Events from this time on: 2026-11-25, 2026-11-25T01:02:03Z, or 90m, 24h, 7d before now.");
        var to = Cli.Instant("--to", "Events before this time.");
        var @class = new Option<string?>("--class") { Description = "Only this policy class. Quarantined records show only with --class quarantine." };
        var source = new Option<string?>("--source") { Description = "Only this source." };
        var limit = new Option<int>("--limit") { Description = "Most events, newest first.", DefaultValueFactory = _ => 100 };
        var cursor = new Option<string?>("--cursor") { Description = "Go on where an earlier page ended: the cursor that it printed." };
        var histogram = new Option<int?>("--histogram") { Description = "Events over time in this many bars, 1 to 10,000, in place of the events." };
        var top = new Option<string?>("--top") { Description = "The most frequent values of this field, in place of the events." };
        var format = new Option<string>("--format") { Description = "table, json (one line an event) or csv.", DefaultValueFactory = _ => "table" };
        format.AcceptOnlyFromAmong("table", "json", "csv");
        var json = new Option<bool>("--json") { Description = "The same as --format json." };
        var policyFile = Cli.PolicyInForce();
        var data = Cli.Data();
        var command = new Command("query", "Finds events, newest first.")
            { filter, sql, from, to, @class, source, limit, cursor, histogram, top, format, json, policyFile, data };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = Cli.Existing(parsed.GetRequiredValue(data));
            if (parsed.GetValue(json) && parsed.GetResult(format) is { Implicit: false } && parsed.GetValue(format) is not "json")
                throw new CommandException($"--json and --format {parsed.GetValue(format)} do not go together; name one");
            var how = parsed.GetValue(json) ? "json" : parsed.GetRequiredValue(format);
            var question = new Question
            {
                Sql = parsed.GetValue(sql),
                Scope = new()
                {
                    Filter = parsed.GetRequiredValue(filter),
                    From = parsed.GetValue(from),
                    To = parsed.GetValue(to),
                    Class = parsed.GetValue(@class),
                    Source = parsed.GetValue(source),
                },
                Limit = parsed.GetValue(limit),
                Cursor = parsed.GetValue(cursor),
                Histogram = parsed.GetValue(histogram),
                Top = parsed.GetValue(top),
            };
            var policy = PolicyFile.InForce(parsed.GetValue(policyFile), folder);
            if (question.Wrong(policy, "--") is { } wrong) throw new CommandException(wrong);
            WarnOfUnknownSource(folder, question.Scope.Source);
            // Every access to logs is logged, with what was asked.
            new AccessLog(folder.FullName, TimeProvider.System).Record(question.Access(Environment.UserName, policy));
            try
            {
                if (question.Sql is { } statement) await AnswerAsync(folder, new(statement, question.Scope, Format(how), Width()), cancel);
                else await RunAsync(folder, question, Format(how), cancel);
                TellCold(folder, question.Scope);
                return Cli.Ok;
            }
            catch (QueryRefusedException refused)
            {
                throw new CommandException(refused.Message);
            }
        });
        return command;
    }

    /// <summary>Tells a source that nobody registered: most probably it is misspelt.</summary>
    public static void WarnOfUnknownSource(DirectoryInfo data, string? source)
    {
        if (source is null) return;
        var known = SourceRegistry.Open(data.FullName, TimeProvider.System).All.Select(entry => entry.Id).ToList();
        if (known.Contains(source, StringComparer.Ordinal)) return;
        var nearest = NearestWord.Find(source, known);
        Console.Error.WriteLine($"warning: no source '{source}' is registered{(nearest is null ? "" : $", did you mean '{nearest}'?")}");
    }

    /// <summary>Tells what the answer lacks because it lies in the archive only.</summary>
    static void TellCold(DirectoryInfo data, EventScope scope)
    {
        const string Unknown = "whether the archive has more than this answer can't be told";
        try
        {
            // Where nothing was sealed yet there is no list, and nothing is to be made for a question.
            if (!File.Exists(Path.Combine(data.FullName, "state", "sealed.note"))) return;
            var catalog = Custody.Open(data.FullName, TimeProvider.System).Catalog;
            if (!ColdRange.IsKnown(catalog, data.FullName)) Console.Error.WriteLine($"{Unknown} yet: `logwarden restore --from 2000-01-01 --dry-run` reads the archive's seals; `serve` and `ingest` do it too");
            if (ColdRange.Of(catalog, data.FullName, scope.From, scope.To, scope.Class, scope.Filter) is not { } cold) return;
            Console.Error.WriteLine($"not in this answer: {Cli.Number(cold.Segments)} segments with {Cli.Number(cold.Rows)} events from {Cli.Time(cold.From)} to {Cli.Time(cold.To)} are in the archive only. "
                + $"To bring them back ({Cli.Size(cold.Bytes)}): {cold.Command}");
        }
        catch (Exception failed) when (failed is IOException or UnauthorizedAccessException)
        {
            Console.Error.WriteLine($"{Unknown}: {failed.Message}");
        }
    }

    static ExportFormat Format(string name) => Enum.Parse<ExportFormat>(name, ignoreCase: true);

    static async Task AnswerAsync(DirectoryInfo data, SqlTask task, CancellationToken cancel)
    {
        using var output = Console.OpenStandardOutput();
        using var workers = new SqlWorkers(data.FullName, new() { MemoryBytesMax = CliMemoryMax, Query = Limits }, TimeProvider.System);
        var end = await workers.AnswerAsync(task, output, cancel);
        if (end.Truncated) await Console.Error.WriteLineAsync($"cut after {end.Rows} rows, as much as an answer may be: narrow the statement or aggregate in it");
    }

    static async Task RunAsync(DirectoryInfo data, Question question, ExportFormat format, CancellationToken cancel)
    {
        using var engine = new QueryEngine(new HotStoreOptions { DataDirectory = data.FullName }, Limits, TimeProvider.System);
        using var output = Console.OpenStandardOutput();
        var export = new EventExport(output, format, Width());
        if (question.Histogram is { } bars)
        {
            await export.WriteAsync(await engine.HistogramAsync(question.Scope, bars, cancel), cancel);
        }
        else if (question.Top is { } field)
        {
            var top = await engine.TopAsync(question.Scope, field, question.Limit, cancel);
            await export.WriteAsync(top, cancel);
            if (top.Values.All(value => value.Value is null))
            {
                var nearest = NearestWord.Find(field, EventColumns.AllNames);
                await Console.Error.WriteLineAsync($"no event has a field '{field}'{(nearest is null ? "" : $", did you mean '{nearest}'?")}");
            }
        }
        else
        {
            await SearchAsync(engine, question, export, cancel);
        }
    }

    static async Task SearchAsync(QueryEngine engine, Question question, EventExport export, CancellationToken cancel)
    {
        var left = question.Limit;
        var cursor = question.Cursor;
        do
        {
            var page = await engine.SearchAsync(new SearchRequest { Scope = question.Scope, Limit = Math.Min(left, SearchRequest.LimitMax), Cursor = cursor }, cancel);
            await export.WriteAsync(page.Rows, cancel);
            (left, cursor) = (left - page.Rows.Count, page.NextCursor);
        }
        while (left > 0 && cursor is not null);
        if (cursor is not null) await Console.Error.WriteLineAsync($"there is more: --cursor {cursor}");
    }

    /// <summary>Columns of the terminal; a table that goes into a file or a pipe is not cut to the width of one.</summary>
    public static int Width() => Console.IsOutputRedirected ? 240 : Console.WindowWidth;
}

/// <summary>Times as a person writes them.</summary>
static class Times
{
    /// <summary>RFC 3339, a date, or a time ago such as <c>24h</c>. Without a zone it is UTC.</summary>
    public static bool TryParse(string text, DateTimeOffset now, out DateTimeOffset instant)
    {
        if (text.Length > 1 && int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number < 100_000)
        {
            TimeSpan? ago = text[^1] switch
            {
                's' => TimeSpan.FromSeconds(number),
                'm' => TimeSpan.FromMinutes(number),
                'h' => TimeSpan.FromHours(number),
                'd' => TimeSpan.FromDays(number),
                _ => null,
            };
            instant = now - (ago ?? TimeSpan.Zero);
            if (ago is not null) return true;
        }
        return DateTimeOffset.TryParse(text, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out instant)
            && text.Contains('-', StringComparison.Ordinal);
    }
}
