using System.Text;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

/// <summary>
/// What reading costs grows with the input and no faster, whatever the input: it is counted in bytes that were looked at, not in time.
/// </summary>
public class RecordReaderWorkTests
{
    // What a torn record was read over may be read again within these bounds.
    const long Free = 16 << 20;
    const int TimesMax = 32;

    const string Csv = "2026-11-24 14:07:58 UTC,";
    const string Line = "2026-11-24 14:07:58 UTC LOG:  ";

    static readonly Framing Json = new(FramingKind.Json, "Records");
    static readonly Framing Postgres = new(FramingKind.PostgresLog);

    /// <summary>A beginning, what is repeated until there are 600,000 bytes, and how much of it as the end.</summary>
    public static TheoryData<string, string, string, bool> Inputs => new()
    {
        { "[{bad", "\n", "", false },
        { "[{bad", " ,", "", false },
        { "[{bad}", "\n\t,", "{\"a\":1}]", false },
        { "[", "{a} ,", "", false },
        { "[", "{a} ", "", false },
        { "[", "{a}\n{", "", false },
        { "", "{a} ", "", false },
        { "", "{\"a\":\n", "", false },
        { "", "{\"a\":[\n", "", false },
        { "", "{\"a\":{\"b\":[1,\n{\"c\":", "", false },
        { "", "[[\n{\"a\":1},", "]]", false },
        { "", "[[[\n", "", false },
        { "", "{\"Records\":[\n", "", false },
        { "", "{\"Records\":[{}],\n\"x\":", "", false },
        { "", "{\"Records\":[[\n{\"a\":1}", "", false },
        { "", "x\n", "", false },
        { "", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "", false },
        { "", "-----BEGIN PRIVATE KEY-----\nAAAA\n", "", true },
        { Line + "AUDIT: SESSION,\"", "\nabc", "", true },
        { Line + "AUDIT: SESSION,\"", "\n\tabc", "", true },
        { Line + "x", "\n\ty", "", true },
        { "", Line + "AUDIT: \"\n", "", true },
        { "", "\t\n", "", true },
        { "", Csv + "\"x\n", "", true },
        { "", Csv + "\"\"\"\n" + Csv + "a\n", "", true },
        { Csv + "\"", Csv + "a\n", "", true },
        { Csv + "\"", "\"\"", "", true },
        { "", Csv, "", true },
    };

    [Theory]
    [MemberData(nameof(Inputs))]
    public void It_grows_with_the_input_and_no_faster(string first, string again, string last, bool isPostgres)
    {
        var count = 600_000 / again.Length;
        var input = Encoding.UTF8.GetBytes(first + string.Concat(Enumerable.Repeat(again, count)) + string.Concat(Enumerable.Repeat(last, count)));
        foreach (var (pieces, recordBytesMax) in ((int, int)[])[(0, 10 << 20), (300_000, 10 << 20), (100, 10 << 20), (100, 100_000)])
        {
            using var stream = new PiecesStream(input, pieces);
            var limits = new RecordLimits(recordBytesMax);
            var framing = isPostgres ? Postgres : Json;
            var reader = pieces == 0 ? new RecordReader(input, framing, limits) : new RecordReader(stream, framing, limits);
            long shown = 0;
            while (reader.Read(out var record)) shown += record.Error is null ? 0 : record.Bytes.Length;
            Assert.Equal(input.Length, reader.Offset);
            Assert.InRange(reader.Looked, 0, Free + TimesMax * (long)input.Length);
            Assert.InRange(shown, 0, 2L * input.Length); // all of it is redacted
        }
    }

    [Fact]
    public void Blanks_behind_a_bad_element_are_not_held()
    {
        using var stream = new PiecesStream([.. "[{bad"u8, .. Enumerable.Repeat((byte)'\n', 20_000_000), .. ",{\"a\":1}]"u8], 60_000);
        var before = GC.GetAllocatedBytesForCurrentThread();
        var reader = new RecordReader(stream, Json, RecordLimits.Default);
        while (reader.Read(out _)) { }
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 2_000_000);
    }

    [Fact]
    public void A_record_of_many_lines_behind_a_torn_one_is_read()
    {
        const string Long = "{\n\"a\": 1,\n\"b\": [\n1\n]\n}";
        var input = "{\"torn\":\n" + string.Concat(Enumerable.Repeat(Long + "\n", 2000));
        var reader = new RecordReader(Encoding.UTF8.GetBytes(input), Json, RecordLimits.Default);
        var good = 0;
        while (reader.Read(out var record))
        {
            if (record.Error is null) good++;
        }
        Assert.Equal(2000, good);
    }

    /// <summary>Gives few bytes at a time, as pipes do.</summary>
    sealed class PiecesStream(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, size));
    }
}
