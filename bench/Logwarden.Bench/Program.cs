namespace Logwarden.Bench;

static class Program
{
    static int Main(string[] args)
    {
        var quick = args.Contains("--quick", StringComparer.Ordinal);
        var json = args.Contains("--json", StringComparer.Ordinal);
        return args.FirstOrDefault() switch
        {
            "journal" => JournalBench.Run(quick, json, Console.Out),
            _ => 64,
        };
    }
}
