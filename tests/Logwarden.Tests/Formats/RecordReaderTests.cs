using System.IO.Compression;
using System.Text;
using CsCheck;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

public class RecordReaderTests
{
    static readonly Framing Json = new(FramingKind.Json);
    static readonly Framing Wrapped = new(FramingKind.Json, "Records", "items");
    static readonly Framing Postgres = new(FramingKind.PostgresLog);

    [Theory]
    [InlineData("""{"a":1}""", """{"a":1}""")]
    [InlineData("{\"a\":1}\n{\"b\":2}\n", """{"a":1}|{"b":2}""")]
    [InlineData("{\"a\":1}\r\n\r\n{\"b\":2}", """{"a":1}|{"b":2}""")]
    [InlineData("""{"a":1}{"b":{"c":[1,2]}}""", """{"a":1}|{"b":{"c":[1,2]}}""")]
    [InlineData("""[{"a":1}, {"b":"]},{"}]""", """{"a":1}|{"b":"]},{"}""")]
    [InlineData("[]", "")]
    [InlineData("", "")]
    [InlineData("""{"Records":[{"a":1},{"b":2}],"more":[1]}""", """{"a":1}|{"b":2}""")]
    [InlineData("""{"kind":"EventList","items":[{"a":{"items":[]}}]}{"kind":"EventList","items":[{"b":2}]}""", """{"a":{"items":[]}}|{"b":2}""")]
    [InlineData("""[{"Records":[{"a":1}]},{"Records":[{"b":2}]}]""", """{"a":1}|{"b":2}""")]
    [InlineData("{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n", "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}")]
    [InlineData("""{"a":"\"}{"}""", """{"a":"\"}{"}""")]
    [InlineData("\uFEFF{\"a\":1}", """{"a":1}""")]
    public void JSON_is_cut_into_records(string input, string expected) => Assert.Equal(expected, string.Join('|', Good(input, Wrapped)));

    [Theory]
    [InlineData("{\"a\":\n{\"b\":2}\n{\"c\":3}\n", "invalid-json", "{\"b\":2}|{\"c\":3}")]
    [InlineData("{\"a\":\"x\n{\"b\":2}\n", "invalid-json", "{\"b\":2}")]
    [InlineData("what is this\n{\"b\":2}\n", "not-json", "{\"b\":2}")]
    [InlineData("{\"b\":2}\n{\"c\":[1,2\n", "truncated", "{\"b\":2}")]
    [InlineData("{\"b\":2}\n{\"c\":[1,2}\n{\"d\":4}", "invalid-json", "{\"b\":2}|{\"d\":4}")]
    [InlineData("""{"Records":[{"a":1},{"b":]},{"c":3},{"d":4}]}""", "invalid-json", """{"a":1}|{"c":3}|{"d":4}""")]
    [InlineData("""{"Records":[{"a":1},{"b":2""", "truncated", """{"a":1}""")]
    [InlineData("""{"Records":[{"a":1},7,{"c":3}]}""", "not-an-object", """{"a":1}|{"c":3}""")]
    [InlineData("""[{"a":1},"text",{"c":3}]""", "not-an-object", """{"a":1}|{"c":3}""")]
    [InlineData("{\"items\":[{\"a\":1},{\"b\":\n{\"items\":[{\"c\":3}]}\n", "truncated", "{\"a\":1}|{\"c\":3}")]
    public void What_is_broken_is_reported_and_nothing_else_is_lost(string input, string code, string kept)
    {
        var (good, errors) = Read(input, Wrapped);
        Assert.Equal(kept, string.Join('|', good));
        Assert.Contains(errors, error => error.StartsWith(code, StringComparison.Ordinal));
    }

    [Fact]
    public void Positions_are_lines_and_offsets()
    {
        var reader = new RecordReader("{\"a\":1}\n\n  bad\n[{\"b\":2},\n {\"c\":3}]"u8.ToArray(), Json, RecordLimits.Default);
        var seen = new List<string>();
        while (reader.Read(out var record)) seen.Add($"{record.Position.Ordinal} {record.Position.Line} {record.Position.Offset} {record.Error?.Code}");
        Assert.Equal(["0 1 0 ", "1 3 11 not-json", "2 4 16 ", "3 5 26 "], seen);
    }

    [Fact]
    public void A_large_record_is_skipped_and_the_next_one_is_read()
    {
        var large = "{\"a\":\"" + new string('x', 3_000_000) + "\"}";
        var (good, errors) = Read(large + "\n{\"b\":2}\n[" + large + ",{\"c\":3}]", Json, new RecordLimits(1_000_000));
        Assert.Equal(["{\"b\":2}", "{\"c\":3}"], good);
        Assert.All(errors, error => Assert.StartsWith("record-too-large", error, StringComparison.Ordinal));
        Assert.Equal(2, errors.Count);
    }

    [Fact]
    public void Memory_is_that_of_one_record_however_long_the_array()
    {
        // 200 MB of one array: were it held, the buffer alone would show.
        var record = Encoding.UTF8.GetBytes("{\"eventName\":\"" + new string('n', 1000) + "\"},");
        using var input = new RepeatedStream("{\"Records\":["u8.ToArray(), record, 200_000, "{\"last\":1}]}"u8.ToArray());
        var before = GC.GetAllocatedBytesForCurrentThread();
        var reader = new RecordReader(input, Wrapped, RecordLimits.Default);
        var count = 0;
        while (reader.Read(out var one))
        {
            Assert.Null(one.Error);
            count++;
        }
        Assert.Equal(200_001, count);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 8_000_000);
    }

    [Fact]
    public void Deep_nesting_is_refused_and_passed()
    {
        var deep = "{\"a\":" + new string('[', 100_000) + new string(']', 100_000) + "}";
        var (good, errors) = Read(deep + "\n{\"b\":2}", Json);
        Assert.Equal(["{\"b\":2}"], good);
        Assert.StartsWith("too-deep", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Where_pieces_end_makes_no_difference() => Gen.Select(Gen.Int[1, 40], Gen.Int[0, Inputs.Length - 1]).Sample((size, which) =>
    {
        var framing = which >= 3 ? Postgres : Wrapped;
        using var pieces = new PiecesStream(Encoding.UTF8.GetBytes(Inputs[which]), size);
        Assert.Equal(Everything(new RecordReader(Encoding.UTF8.GetBytes(Inputs[which]), framing, RecordLimits.Default)),
            Everything(new RecordReader(pieces, framing, RecordLimits.Default)));
    }, iter: 200);

    static readonly string[] Inputs =
    [
        "{\"a\":1}\n{\"b\":\"x\\\"y\"}\nbad line\n{\"c\":[{},{}]}\n{\"d\":",
        "{\"Records\":[{\"a\":1},{\"b\":[}]},{\"c\":3}],\"rest\":{\"x\":[1]}}\n[{\"d\":4}, 5, {\"e\":6}]",
        "[\n {\n  \"a\" : 1\n },\n {\"b\":2}\n]\n",
        "2026-11-24 14:07:59 UTC:1.2.3.4(5):u@d:[1]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"a\n\tb\",<none>\n2026-11-24 14:07:59 UTC::@:[1]:LOG:  x\nbad\n",
        "2026-11-24 14:07:58.072 UTC,\"u\",,1,,s,1,\"x\ny\"\"z\",a\n2026-11-24 14:07:58.072 UTC,\"open\n2026-11-24 14:07:58.072 UTC,\"u\",,1\n{\"message\":\"x\"}\n",
    ];

    [Fact]
    public void Server_logs_keep_their_continuation_lines_together()
    {
        var (good, errors) = Read(Inputs[3], Postgres);
        Assert.Empty(errors);
        Assert.Equal(3, good.Count);
        Assert.EndsWith("\"a\n\tb\",<none>", good[0], StringComparison.Ordinal);
        (good, errors) = Read(Inputs[4], Postgres);
        Assert.Equal(3, good.Count);
        Assert.StartsWith("invalid-csv", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Fact]
    public void Compressed_input_is_recognised_by_its_bytes()
    {
        var text = string.Concat(Enumerable.Range(0, 1000).Select(i => $"{{\"a\":{i}}}\n"));
        Assert.Equal(1000, Good(Decompression.Open(new MemoryStream(Gzip(text)), DecompressionLimits.Default)).Count);
        Assert.Equal(1000, Good(Decompression.Open(new MemoryStream(Zstd(text)), DecompressionLimits.Default)).Count);
        Assert.Equal(1000, Good(Decompression.Open(new MemoryStream(Encoding.UTF8.GetBytes(text)), DecompressionLimits.Default)).Count);
        Assert.Empty(Good(Decompression.Open(new MemoryStream([]), DecompressionLimits.Default)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_bomb_ends_at_its_limit(bool isGzip)
    {
        var text = "{\"a\":1}\n" + new string('\n', 64 << 20);
        var packed = isGzip ? Gzip(text) : Zstd(text);
        using var input = Decompression.Open(new MemoryStream(packed), DecompressionLimits.Default);
        var (good, errors) = Read(new RecordReader(input, Json, RecordLimits.Default));
        Assert.Equal(["{\"a\":1}"], good);
        Assert.StartsWith("decompression-limit", Assert.Single(errors), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Damaged_compression_is_an_error_item_and_what_came_before_it_is_kept(bool isGzip)
    {
        var random = new Random(1);
        var text = string.Concat(Enumerable.Range(0, 200_000).Select(_ => $"{{\"a\":{random.NextInt64()}}}\n"));
        var packed = isGzip ? Gzip(text) : Zstd(text);
        using var input = Decompression.Open(new MemoryStream(packed[..(packed.Length / 2)]), DecompressionLimits.Default);
        var (good, errors) = Read(new RecordReader(input, Json, RecordLimits.Default));
        Assert.InRange(good.Count, 1000, 199_999);
        Assert.NotEmpty(errors);
    }

    [Fact]
    public void No_bytes_make_it_throw() => Gen.Select(Gen.Int[0, Inputs.Length - 1], Gen.Int[0, 400], Gen.Byte, Gen.Int[0, 3]).Array[1, 6].Sample(edits =>
    {
        var bytes = Encoding.UTF8.GetBytes(Inputs[edits[0].Item1]).ToList();
        foreach (var (_, at, value, kind) in edits)
        {
            var place = at % (bytes.Count + 1);
            if (kind == 0) bytes.Insert(place, value);
            else if (kind == 1 && place < bytes.Count) bytes.RemoveAt(place);
            else if (kind == 2 && place < bytes.Count) bytes[place] = value;
            else if (place < bytes.Count) bytes.RemoveRange(place, Math.Min(5, bytes.Count - place));
        }
        foreach (var framing in (Framing[])[Json, Wrapped, Postgres])
        {
            using var pieces = new PiecesStream([.. bytes], 7);
            Assert.Equal(Everything(new RecordReader(bytes.ToArray(), framing, RecordLimits.Default)), Everything(new RecordReader(pieces, framing, RecordLimits.Default)));
        }
    }, iter: 2000);

    [Fact]
    public void A_bad_line_loses_no_other_line() => Gen.Select(Gen.String[Gen.Char["{}[]\",:\\ax1 "], 0, 30], Gen.Int[0, 4]).Array[1, 8].Sample(bad =>
    {
        var lines = new List<string>();
        var expected = new List<string>();
        foreach (var (garbage, after) in bad)
        {
            lines.Add(garbage);
            for (var i = 0; i < after; i++)
            {
                expected.Add($"{{\"good\":{expected.Count}}}");
                lines.Add(expected[^1]);
            }
        }
        Assert.Empty(expected.Except(Good(string.Join('\n', lines), Json), StringComparer.Ordinal));
    }, iter: 2000);

    static List<string> Good(string input, Framing framing) => Read(input, framing).Good;

    static List<string> Good(Stream input) => Read(new RecordReader(input, Json, RecordLimits.Default)).Good;

    static (List<string> Good, List<string> Errors) Read(string input, Framing framing) => Read(input, framing, RecordLimits.Default);

    static (List<string> Good, List<string> Errors) Read(string input, Framing framing, RecordLimits limits) =>
        Read(new RecordReader(Encoding.UTF8.GetBytes(input), framing, limits));

    static (List<string> Good, List<string> Errors) Read(RecordReader reader)
    {
        var (good, errors) = (new List<string>(), new List<string>());
        while (reader.Read(out var record))
        {
            Assert.True(record.Error is null || record.Bytes.Length <= RecordReader.ExcerptBytesMax);
            if (record.Error is { } error) errors.Add($"{error.Code} at line {record.Position.Line}");
            else good.Add(Encoding.UTF8.GetString(record.Bytes));
        }
        return (good, errors);
    }

    static string Everything(RecordReader reader)
    {
        var all = new StringBuilder();
        var last = -1L;
        while (reader.Read(out var record))
        {
            Assert.True(record.Position.Ordinal > last);
            last = record.Position.Ordinal;
            all.Append(record.Position).Append(record.Error?.Code);
            if (record.Error is null) all.Append(Convert.ToHexString(record.Bytes));
            all.AppendLine();
        }
        return all.ToString();
    }

    static byte[] Gzip(string text)
    {
        using var to = new MemoryStream();
        using (var gzip = new GZipStream(to, CompressionLevel.Optimal)) gzip.Write(Encoding.UTF8.GetBytes(text));
        return to.ToArray();
    }

    static byte[] Zstd(string text)
    {
        using var zstd = new ZstdSharp.Compressor();
        return zstd.Wrap(Encoding.UTF8.GetBytes(text)).ToArray();
    }

    /// <summary>Gives few bytes at a time, as networks do.</summary>
    sealed class PiecesStream(byte[] bytes, int size) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, size));
        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, size)]);
    }

    /// <summary>A long input that is nowhere whole.</summary>
    sealed class RepeatedStream(byte[] first, byte[] again, int times, byte[] last) : Stream
    {
        byte[] _now = first;
        int _at;
        int _left = times;

        public override bool CanRead => true;
        public override bool CanSeek => false;
        public override bool CanWrite => false;
        public override long Length => throw new NotSupportedException();
        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count)
        {
            if (_at == _now.Length)
            {
                if (_left < 0) return 0;
                _now = _left-- > 0 ? again : last;
                _at = 0;
            }
            var read = Math.Min(count, _now.Length - _at);
            _now.AsSpan(_at, read).CopyTo(buffer.AsSpan(offset));
            _at += read;
            return read;
        }

        public override void Flush() { }
        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();
        public override void SetLength(long value) => throw new NotSupportedException();
        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
