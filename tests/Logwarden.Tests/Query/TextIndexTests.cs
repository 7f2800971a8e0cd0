using System.Buffers;
using System.Text.Json;
using CsCheck;
using Logwarden.Events;
using Logwarden.Hot;
using Logwarden.Match;
using Logwarden.Tests.Match;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Query;

public class TextIndexTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_part_of_every_text_is_found_through_the_index()
    {
        using var world = new QueryWorld();
        // Three row groups with their own words and random ids; few of either elsewhere.
        var random = new Random(7);
        var texts = Enumerable.Range(0, 40_000).Select(i => $"{(i < 20_000 ? "Alpha" : "Beta")} Wörld-{i % 50} {new Guid(Bytes(random))} user_{i % 7}@example.com {(i == 33_333 ? "needle in ΣIGMA \u212Aelvin" : "hay")}").ToArray();
        var path = Assert.Single(world.Seal(texts.Select((text, i) => StoredEvents.One(i, json: JsonSerializer.Serialize(new { message = text, n = i })))));
        new TextIndexBuilder().Build(path);
        var segment = HotSegment.Open(path)!;
        Assert.Equal(3, segment.RowGroups.Length);
        var index = segment.TextIndex!;
        Gen.Select(Gen.Int[0, texts.Length - 1], Gen.Int[0, 120], Gen.Int[1, 60]).Sample((row, start, length) =>
        {
            var text = texts[row];
            start = Math.Min(start, text.Length - 1);
            var part = text.Substring(start, Math.Min(length, text.Length - start));
            Assert.True(index.Candidates(TextFold.LowerUtf8(part))[row / Logwarden.Segments.SegmentSchema.RowGroupRowsMax], part);
        }, iter: 20_000);
        // Few row groups are read in vain.
        Assert.Equal([false, false, true], Groups(index, "needle"));
        Assert.Equal([false, false, true], Groups(index, "Needl"));
        Assert.Equal([true, true, false], Groups(index, "alpha"));
        Assert.Equal([false, false, false], Groups(index, "absent"));
        Assert.Equal([false, false, false], Groups(index, new Guid(Bytes(random)).ToString()));
        var page = await world.Engine.SearchAsync(new() { Scope = new() { Filter = "needle kelvin" } }, Cancel);
        Assert.Equal((33_333L, 1), (page.Rows[0].Offset, page.Scanned.RowGroupsRead));
        Assert.Equal(1, await world.Engine.CountAsync(new() { Filter = $"\"{texts[100].Split(' ')[2]}\"" }, Cancel));
        Assert.InRange(new FileInfo(TextIndexBuilder.PathOf(path)).Length, 1, new FileInfo(path).Length / 3);
    }

    [Fact]
    public async Task Queries_give_the_same_with_index_without_and_by_the_matcher()
    {
        using var world = new QueryWorld();
        var events = Gens.Events.Array[400].Single().Select((e, i) => e with { Offset = i, Class = "application", TimeMicros = StoredEvents.Epoch + i }).ToArray();
        await world.Append([.. events.Select(Encoded)]);
        world.Seal(events.Take(150).Select(Encoded));
        var indexed = world.Seal(events.Skip(150).Take(150).Select(Encoded));
        foreach (var path in indexed) new TextIndexBuilder().Build(path);
        Gens.Predicates.Sample(predicate =>
        {
            var matcher = Matcher.Compile(predicate);
            var expected = events.Where(e => e.Read(stored => matcher.Matches(stored))).Select(e => e.Offset).Reverse().ToList();
            var found = world.Engine.SearchAsync(new() { Limit = 1000, Scope = new() { Filter = predicate.ToString() } }, CancellationToken.None);
            Assert.Equal(expected, found.GetAwaiter().GetResult().Rows.Select(row => row.Offset));
        }, iter: 300, threads: 1);
    }

    [Fact]
    public async Task A_damaged_or_foreign_index_is_not_used()
    {
        using var world = new QueryWorld();
        var path = Assert.Single(world.Seal(Enumerable.Range(0, 100).Select(i => StoredEvents.One(i))));
        new TextIndexBuilder().Build(path);
        var file = TextIndexBuilder.PathOf(path);
        var bytes = await File.ReadAllBytesAsync(file, Cancel);
        for (var at = 0; at < bytes.Length; at += 97)
        {
            bytes[at] ^= 0x10;
            await File.WriteAllBytesAsync(file, bytes, Cancel);
            Assert.Null(HotSegment.Open(path)!.TextIndex);
            bytes[at] ^= 0x10;
        }
        await File.WriteAllBytesAsync(file, bytes.AsMemory(0, bytes.Length - 9), Cancel);
        Assert.Null(HotSegment.Open(path)!.TextIndex);
        Assert.Equal(1, await world.Engine.CountAsync(new() { Filter = "\"order 42 updated\"" }, Cancel));
    }

    [Fact]
    public void Missing_indexes_are_made_and_orphans_removed()
    {
        using var world = new QueryWorld();
        var paths = world.Seal(Enumerable.Range(0, 10).Select(i => StoredEvents.One(i, @class: i < 5 ? "application" : "database")));
        var builder = new TextIndexBuilder();
        Assert.Equal(2, builder.BuildMissing(Path.Combine(world.Data, "hot", "segments"), Cancel));
        File.Delete(paths[0]);
        Assert.Equal(0, builder.BuildMissing(Path.Combine(world.Data, "hot", "segments"), Cancel));
        Assert.Equal([TextIndexBuilder.PathOf(paths[1])], Directory.GetFiles(world.Data, "*.tokens", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task Damaged_indexes_are_made_again()
    {
        using var world = new QueryWorld();
        var segments = Path.Combine(world.Data, "hot", "segments");
        var path = Assert.Single(world.Seal(Enumerable.Range(0, 100).Select(i => StoredEvents.One(i))));
        var builder = new TextIndexBuilder();
        Assert.Equal(1, builder.BuildMissing(segments, Cancel));
        var index = TextIndexBuilder.PathOf(path);
        var sound = await File.ReadAllBytesAsync(index, Cancel);
        foreach (var damaged in (byte[][])[[], sound[..^1], [.. sound[..40], (byte)(sound[40] ^ 0xFF), .. sound[41..]]])
        {
            await File.WriteAllBytesAsync(index, damaged, Cancel);
            File.SetLastWriteTimeUtc(index, new(2026, 1, 1, 0, 0, 0, DateTimeKind.Utc));
            Assert.Equal(1, builder.BuildMissing(segments, Cancel));
            Assert.NotNull(HotSegment.Open(path)!.TextIndex);
            Assert.Equal(0, builder.BuildMissing(segments, Cancel));
            Assert.Equal(0, new TextIndexBuilder().BuildMissing(segments, Cancel));
        }
    }

    static byte[] Bytes(Random random)
    {
        var bytes = new byte[16];
        random.NextBytes(bytes);
        return bytes;
    }

    static IEnumerable<bool> Groups(TextIndex index, string text) => index.Candidates(TextFold.LowerUtf8(text)).Cast<bool>();

    static byte[] Encoded(SampleEvent e) => e.Read(stored =>
    {
        var output = new ArrayBufferWriter<byte>();
        EventEncoding.Write(output, stored);
        return output.WrittenSpan.ToArray();
    });
}
