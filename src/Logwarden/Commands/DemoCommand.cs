using System.CommandLine;
using System.Net;
using System.Net.Http.Headers;
using Logwarden.Formats;
using Logwarden.Hosting;
using Logwarden.Hot;
using Logwarden.Query;
using Logwarden.Verify;

namespace Logwarden.Commands;

/// <summary><c>logwarden demo</c>: the whole way of an event in half a minute, on samples that are shipped.</summary>
static class DemoCommand
{
    /// <summary>File that only a demo writes.</summary>
    const string Mark = "made-by-logwarden-demo";

    public static Command Create()
    {
        var data = new Option<DirectoryInfo>("--data")
        {
            Description = "Folder of the demo's installation; what an earlier demo left in it is deleted first.",
            DefaultValueFactory = _ => new DirectoryInfo("data-demo"),
        };
        var command = new Command("demo", "Starts a server, feeds it a sample of each format, queries and verifies, and tells where to look next.") { data };
        command.SetAction(async (parsed, cancel) =>
        {
            var folder = parsed.GetRequiredValue(data).FullName;
            Clear(folder);
            Directory.CreateDirectory(folder);
            await File.WriteAllBytesAsync(Path.Combine(folder, Mark), "`logwarden demo` made this folder, and deletes it when it runs again.\n"u8.ToArray(), cancel);
            await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = folder }, TimeProvider.System, cancel);
            await using (var server = await WebHost.StartAsync(installation, new(IPAddress.Loopback, 0), folder, SealOptions.ForServe))
            {
                Say($"1. A server on http://{server.Endpoint}, its data in {folder}");
                await FeedAsync(installation, server.Endpoint, cancel);
                await ShowRedactionsAsync(folder, cancel);
                Say("4. Sealed: Parquet segments, Merkle tiles, signed seal");
                await installation.SealAsync(cancel);
                await installation.IndexAsync(cancel);
            }
            Segments(folder);
            await QueryAsync(folder, cancel);
            Say("6. The ledger: everything that came in is accounted for");
            LedgerCommand.Table(installation.Journal.Ledger, Console.Out);
            Say("7. Verified from the archive alone, with the public key");
            var keys = TrustedKeys.Choose(null, null, folder);
            KnownNote[] known = VerifyCommand.Sealed(folder, keys, isOfData: true) is { } newest ? [newest] : [];
            var verdict = await VerifyCommand.RunAsync(installation.ArchiveLocation, keys, known, isJson: false, Console.Out, cancel);
            Next(folder);
            return verdict;
        });
        return command;
    }

    /// <summary>Only what a demo made is deleted: a folder that holds anything else is left alone.</summary>
    static void Clear(string folder)
    {
        if (!Directory.Exists(folder) || !Directory.EnumerateFileSystemEntries(folder).Any()) return;
        if (!File.Exists(Path.Combine(folder, Mark)))
        {
            throw new CommandException($"{folder} is not a folder that a demo made; name another with --data");
        }
        Directory.Delete(folder, recursive: true);
    }

    static async Task FeedAsync(Installation installation, IPEndPoint endpoint, CancellationToken cancel)
    {
        Say("2. A sample of each format, posted as its source");
        var table = new TextTable("SOURCE", "FILE", "BYTES", "STATUS");
        using var http = new HttpClient { BaseAddress = new Uri($"http://{endpoint}/"), Timeout = TimeSpan.FromSeconds(30) };
        foreach (var format in FormatCatalog.All)
        {
            var id = "demo-" + format.Name;
            installation.Sources.Ensure(id, format.Name);
            var token = installation.Sources.AddToken(id);
            foreach (var file in Samples.Of(format.Name))
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "");
                request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
                request.Content = new ByteArrayContent(await File.ReadAllBytesAsync(file, cancel));
                using var answer = await http.SendAsync(request, cancel);
                table.Row(id, Path.GetFileName(file), Cli.Number(new FileInfo(file).Length), $"{(int)answer.StatusCode} {answer.StatusCode}");
            }
        }
        table.Write(Console.Out);
    }

    static async Task ShowRedactionsAsync(string folder, CancellationToken cancel)
    {
        Say("3. What was redacted before anything was written (LOG-6)");
        using var engine = Engine(folder);
        var answer = await engine.SqlAsync(
            "SELECT rule, sum(n)::BIGINT AS hits FROM (SELECT split_part(item, '=', 1) AS rule, CAST(split_part(item, '=', 2) AS BIGINT) AS n FROM (SELECT unnest(string_split(redactions, ',')) AS item FROM events WHERE redactions <> '')) GROUP BY 1 ORDER BY 2 DESC, 1",
            cancel);
        using var output = Console.OpenStandardOutput();
        await new EventExport(output, ExportFormat.Table, QueryCommand.Width()).WriteAsync(answer, cancel);
    }

    static void Segments(string folder)
    {
        var hot = Path.Combine(folder, "hot", "segments");
        foreach (var file in Directory.EnumerateFiles(hot, "*.parquet", SearchOption.AllDirectories).Order(StringComparer.Ordinal))
        {
            Console.Out.WriteLine($"   {Path.GetRelativePath(hot, file)}  {Cli.Size(new FileInfo(file).Length)}");
        }
    }

    static async Task QueryAsync(string folder, CancellationToken cancel)
    {
        Say("5. A query: kind=LOG-1 OR kind=LOG-3 (log-ins and security settings)");
        using var engine = Engine(folder);
        var page = await engine.SearchAsync(new SearchRequest { Scope = new EventScope { Filter = "kind=LOG-1 OR kind=LOG-3" }, Limit = 8 }, cancel);
        using var output = Console.OpenStandardOutput();
        await new EventExport(output, ExportFormat.Table, QueryCommand.Width()).WriteAsync(page.Rows, cancel);
    }

    static void Next(string folder)
    {
        var shown = Path.GetRelativePath(Environment.CurrentDirectory, folder);
        Say("Where to look next");
        Console.Out.WriteLine($"""
               ./logwarden query 'user=*' --data {shown}                 search; docs/query-language.md
               ./logwarden query --sql 'SELECT class, count(*) FROM events GROUP BY 1' --data {shown}
               ./logwarden verify {shown}/archive                          change a byte in it and run this again
               ./logwarden policy show                                     the policy that decided all this; policy/policy.yaml
               ./logwarden serve --help                                    run it for good; README.md, docs/architecture.md
            """);
    }

    static QueryEngine Engine(string folder) => new(new HotStoreOptions { DataDirectory = folder }, new QueryLimits(), TimeProvider.System);

    static void Say(string what) => Console.Out.WriteLine($"\n{what}\n");
}

/// <summary>The samples that are shipped beside the program.</summary>
static class Samples
{
    /// <summary>Input files of a format; expected outputs beside them are left out.</summary>
    public static IEnumerable<string> Of(string format)
    {
        var folder = Path.Combine(AppContext.BaseDirectory, "samples", "logs", format);
        if (!Directory.Exists(folder)) return [];
        return Directory.EnumerateFiles(folder).Where(file => !Path.GetFileName(file).Contains(".ocsf.", StringComparison.Ordinal)).Order(StringComparer.Ordinal);
    }
}
