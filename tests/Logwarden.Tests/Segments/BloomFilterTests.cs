using System.Buffers;
using CsCheck;
using DuckDB.NET.Data;
using Logwarden.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Segments;

public sealed class BloomFilterTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public void What_was_added_may_be_there_and_most_others_may_not() => Gen.Int[1, 3000].Sample(
        count =>
        {
            var filter = new BloomFilter(count);
            for (var i = 0; i < count; i++) filter.Add(BitConverter.GetBytes(i));

            for (var i = 0; i < count; i++) Assert.True(filter.MayContain(BitConverter.GetBytes(i)));
            var wrong = Enumerable.Range(count, 10_000).Count(i => filter.MayContain(BitConverter.GetBytes(i)));
            Assert.InRange(wrong, 0, 1500);
        },
        iter: 20);

    [Fact]
    public void Few_distinct_values_make_a_small_filter()
    {
        var filter = new BloomFilter(16_384);
        for (var i = 0; i < 16_384; i++) filter.Add(BitConverter.GetBytes(i % 10));

        var written = new ArrayBufferWriter<byte>();
        filter.WriteTo(written);

        Assert.InRange(written.WrittenCount, 32, 100);
    }

    [Fact]
    public void An_engine_that_knows_filters_finds_ours_in_each_row_group()
    {
        var path = _scratch.File("filters.parquet");
        var rows = SegmentSchema.RowGroupRowsMax + 100;
        using (var memory = new EventMemory())
        using (var events = new EventBuffer(memory))
        using (var writer = new SegmentWriter())
        {
            for (var i = 0; i < rows; i++) events.Add(StoredEvents.One(i));
            events.Sort();
            writer.Write(path, events, 0);
        }
        using var duck = new DuckDBConnection("DataSource=:memory:");
        duck.Open();

        Assert.Equal([$"{rows}"], Ask($"SELECT count(*) FROM '{path}'"), StringComparer.Ordinal);
        Assert.Equal(["False", "True"], Probe("event_id", StoredEvents.Id(7)), StringComparer.Ordinal);
        Assert.Equal(["True", "False"], Probe("event_id", StoredEvents.Id(rows - 1)), StringComparer.Ordinal);
        Assert.Equal(["False", "False"], Probe("user", "grace"), StringComparer.Ordinal);
        Assert.Equal(["True", "True"], Probe("user", "nobody"), StringComparer.Ordinal);
        Assert.Equal(["True", "True"], Probe("ip", "203.0.113.200"), StringComparer.Ordinal);
        Assert.Equal(["False", "False"], Probe("action", "order:update"), StringComparer.Ordinal);
        Assert.Equal(["False", "False"], Probe("object", $"order/{(rows - 1) % 97}"), StringComparer.Ordinal);
        Assert.Equal(["1"], Ask($"SELECT count(*) FROM '{path}' WHERE event_id = '{StoredEvents.Id(rows - 1)}'"), StringComparer.Ordinal);

        List<string> Probe(string column, string value) =>
            Ask($"SELECT bloom_filter_excludes FROM parquet_bloom_probe('{path}', '{column}', '{value}') ORDER BY row_group_id");

        List<string> Ask(string sql)
        {
            using var command = duck.CreateCommand();
            command.CommandText = sql;
            using var reader = command.ExecuteReader();
            var answers = new List<string>();
            while (reader.Read()) answers.Add(reader.GetValue(0).ToString()!);
            return answers;
        }
    }
}
