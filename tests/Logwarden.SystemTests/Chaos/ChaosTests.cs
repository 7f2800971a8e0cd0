using System.Collections.Concurrent;
using System.Globalization;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests.Chaos;

/// <summary>Runs of chaos; <c>bench/run chaos</c> makes many more of them.</summary>
public sealed class ChaosTests(ClickHouseServers servers)
{
    static int Setting(string name, int byDefault) =>
        int.TryParse(Environment.GetEnvironmentVariable(name), CultureInfo.InvariantCulture, out var number) ? number : byDefault;

    [Fact]
    public async Task Whatever_fails_nothing_acknowledged_is_lost_and_nothing_is_twice_where_it_must_be_once()
    {
        var clickHouse = await servers.StartAsync("old");
        var (first, runs) = (Setting("LOGWARDEN_CHAOS_SEED", 1), Setting("LOGWARDEN_CHAOS_RUNS", 30));
        var results = new ConcurrentBag<ChaosResult>();
        var cancel = TestContext.Current.CancellationToken;
        await Parallel.ForEachAsync(Enumerable.Range(first, runs), new ParallelOptions { MaxDegreeOfParallelism = 4, CancellationToken = cancel }, async (seed, stop) =>
        {
            using var run = new ChaosRun(seed, clickHouse, stop);
            var result = await run.RunAsync();
            results.Add(result);
            if (runs > 30) Console.WriteLine(Line(result));
        });
        var output = TestContext.Current.TestOutputHelper!;
        output.WriteLine("seed  acknowledged  kills  draws  disk full  dead letters  repeats  seconds  violations");
        foreach (var result in results.OrderBy(result => result.Seed)) output.WriteLine(Line(result));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{results.Count} runs, {results.Sum(r => r.Acknowledged)} acknowledged, {results.Sum(r => r.Kills)} kills, {results.Count(r => r.IsDiskFilled)} with a full disk, {results.Sum(r => r.DeadLetters)} dead letters, {results.Sum(r => r.Repeats)} repeats where they may be"));
        Assert.Empty(results.SelectMany(result => result.Violations.Select(violation => $"seed {result.Seed}: {violation}")));
    }

    /// <summary>The comparison of the books sees each of the faults that it is there for.</summary>
    [Theory]
    [InlineData("lost", "shop-000002 was acknowledged and is not in the archive")]
    [InlineData("archive-twice", "shop-000001 is in the archive twice")]
    [InlineData("clickhouse-twice", "shop-000001 is in ClickHouse twice")]
    [InlineData("clickhouse-lost", "shop-000001 is in the archive and not in ClickHouse")]
    [InlineData("sink-lost", "shop-000001 neither arrived at sink nor is it a dead letter of it")]
    [InlineData("sink-order", "sink did not get the events of shop in the order of the journal")]
    [InlineData("sink-made-up", "shop-000009 arrived at sink and is not in the archive")]
    [InlineData("", null)]
    public void A_fault_in_the_books_is_found(string fault, string? says)
    {
        List<string> archive = ["shop-000000", "shop-000001", "shop-000002"];
        var (lake, sink) = (archive.ToList(), archive.Concat(archive).ToList());
        switch (fault)
        {
            case "lost": archive.RemoveAt(2); lake.RemoveAt(2); sink.RemoveAll(id => id == "shop-000002"); break;
            case "archive-twice": archive.Add("shop-000001"); sink = [.. archive]; break;
            case "clickhouse-twice": lake.Add("shop-000001"); break;
            case "clickhouse-lost": lake.RemoveAt(1); break;
            case "sink-lost": sink.RemoveAll(id => id == "shop-000001"); break;
            case "sink-order": sink.Reverse(); break;
            case "sink-made-up": sink.Add("shop-000009"); break;
        }
        var books = new ChaosBooks(
            new HashSet<string>(["shop-000000", "shop-000001", "shop-000002"], StringComparer.Ordinal), archive, lake,
            new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal) { ["sink"] = sink }, new Dictionary<string, IReadOnlySet<string>>(StringComparer.Ordinal) { ["sink"] = new HashSet<string>(StringComparer.Ordinal) });
        if (says is null) Assert.Empty(books.Violations());
        else Assert.Contains(says, books.Violations());
    }

    static string Line(ChaosResult r) => string.Create(CultureInfo.InvariantCulture,
        $"{r.Seed,4}  {r.Acknowledged,12}  {r.Kills,5}  {r.Faults,5}  {(r.IsDiskFilled ? "yes" : "no"),9}  {r.DeadLetters,12}  {r.Repeats,7}  {r.Seconds,7:0.0}  {(r.Violations.Count == 0 ? "none" : string.Join("; ", r.Violations))}");
}
