using System.CommandLine;
using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;
using Logwarden.Hosting;

namespace Logwarden.Commands;

/// <summary><c>logwarden status</c>: asks the server of an installation how it fares.</summary>
static class StatusCommand
{
    public static Command Create()
    {
        var (data, json) = (Cli.Data(), Cli.Json());
        var server = new Option<Uri?>("--server") { Description = "Address of the server, such as http://127.0.0.1:8470. Default the one that runs on --data; its token is read from there too." };
        var command = new Command("status", "Shows how sources, destinations, the archive and the journal fare. The exit code is 1 when something is not as it should be.") { data, server, json };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            var text = await AskAsync(parsed.GetValue(server) ?? ServerAddress.Read(folder), folder, cancel);
            var report = JsonSerializer.Deserialize(text, StatusJson.Default.StatusReport)!;
            if (parsed.GetValue(json)) await Console.Out.WriteLineAsync(text);
            else Print(report, Console.Out);
            return report.State is "ok" ? Cli.Ok : Cli.Findings;
        });
        return command;
    }

    static async Task<string> AskAsync(Uri? server, string folder, CancellationToken cancel)
    {
        if (server is null) throw new CommandException($"no server runs on {folder}: start one with `logwarden serve --data {folder}`, or name one with --server", Cli.Broken);
        try
        {
            using var http = new HttpClient { BaseAddress = server, Timeout = TimeSpan.FromSeconds(30) };
            http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", ServerAddress.Token(folder));
            using var answer = await http.GetAsync(new Uri("api/v1/status", UriKind.Relative), cancel);
            var text = await answer.Content.ReadAsStringAsync(cancel);
            return answer.IsSuccessStatusCode ? text : throw new CommandException($"{server} answered {(int)answer.StatusCode}; is it the server of {folder}?", Cli.Broken);
        }
        catch (HttpRequestException unreached)
        {
            throw new CommandException($"{server} can't be reached: {unreached.Message} Start the server with `logwarden serve --data {folder}`", Cli.Broken);
        }
    }

    static void Print(StatusReport report, TextWriter to)
    {
        to.WriteLine($"{report.State} at {Cli.Time(report.At)}, {Cli.Size(report.DiskFreeBytes)} of disk left");
        to.WriteLine();
        foreach (var alarm in report.Alarms) to.WriteLine($"{alarm.Severity} since {Cli.Time(alarm.Opened)}: {alarm.Text}");
        if (report.Alarms.Count > 0) to.WriteLine();
        var sources = new TextTable("SOURCE", "STATE", "LAST HOUR", "USUAL", "LAST EVENT", "IN", "STORED", "DUPLICATES", "QUARANTINED");
        foreach (var source in report.Sources)
        {
            sources.Row(source.Source, source.State ?? "-", source.LastHour is { } hour ? Cli.Number(hour) : "-", source.UsualPerHour?.ToString("0.0", CultureInfo.InvariantCulture) ?? "-",
                source.LastEvent is { } last ? Cli.Time(last) : "never", Cli.Number(source.In), Cli.Number(source.Stored), Cli.Number(source.Duplicates), Cli.Number(source.Quarantined));
        }
        sources.Write(to);
        to.WriteLine();
        var table = new TextTable("DESTINATION", "STATE", "BEHIND", "OLDEST", "A SECOND", "DELIVERED", "DEAD LETTERS", "CANARY", "LAST SUCCESS", "LAST ERROR");
        foreach (var one in report.Destinations)
        {
            table.Row(one.Name, one.State, Cli.Number(one.BehindEvents), one.OldestSeconds is { } age ? Seconds(age) : "-", one.PerSecond.ToString("0.0", CultureInfo.InvariantCulture),
                Cli.Number(one.Delivered), Cli.Number(one.DeadLetters), Canary(one.Canary), one.LastSuccess is { } success ? Cli.Time(success) : "never", one.LastError ?? "");
        }
        table.Row("archive", report.Archive.State, Cli.Number(report.Archive.BehindEvents), "-", "-", Cli.Number(report.Archive.SealedTo), "-", Canary(report.Archive.Canary), "", report.Archive.LastError ?? "");
        table.Write(to);
        to.WriteLine();
        to.WriteLine($"journal {report.Journal.State}, {Cli.Size(report.Journal.Bytes)} of {Cli.Size(report.Journal.BytesMax)}, ends at {Cli.Number(report.Journal.End)}");
        if (report.Holds > 0) to.WriteLine($"{Cli.Number(report.Holds)} objects are under a legal hold");
        foreach (var trouble in report.Troubles) to.WriteLine($"warning: {trouble}");
        foreach (var name in report.MissingDestinations)
            to.WriteLine($"warning: the policy sends events to '{name}', and there is no such destination: add it with `logwarden destination add {name} --from oldest …`");
    }

    static string Canary(CanaryReport? canary) => canary is null ? "-"
        : canary.Overdue.Count > 0 ? "overdue: " + string.Join(' ', canary.Overdue)
        : canary.LatencySeconds is { } latency ? Seconds(latency) : "under way";

    static string Seconds(double seconds) => seconds.ToString(seconds < 10 ? "0.0" : "0", CultureInfo.InvariantCulture) + " s";
}
