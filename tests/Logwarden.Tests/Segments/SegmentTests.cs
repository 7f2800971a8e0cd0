using System.Buffers;
using System.Text;
using CsCheck;
using Logwarden.Events;
using Logwarden.Segments;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Segments;

public sealed class SegmentTests : IDisposable
{
    static readonly Gen<string?> Optional = Gen.Select(Gen.Int[0, 4], Gen.String[0, 20]).Select((kind, text) => kind == 0 ? null : Clean(text));

    static readonly Gen<byte[]> AnyEvent = Gen.Select(
        Gen.Long, Gen.Long[0, 4_000_000_000_000_000], Gen.Int, Gen.Byte, Gen.Select(Optional, Optional, Optional, Optional), Gen.String[0, 300])
        .Select((offset, time, uid, small, texts, json) => Encode(new StoredEvent
        {
            Offset = offset,
            TimeMicros = time,
            IngestedMicros = time / 2,
            ClassUid = uid,
            ActivityId = ~uid,
            SeverityId = small,
            StatusId = (byte)(255 - small),
            Kinds = (LogKinds)small,
            Missing = (MissingFields)(255 - small),
            Id = Encoding.UTF8.GetBytes(Clean(json.Length > 9 ? json[..9] : json)),
            Class = "application"u8,
            Source = "s"u8,
            Format = ""u8,
            User = Text(texts.Item1),
            Ip = Text(texts.Item2),
            Action = Text(texts.Item3),
            Object = Text(texts.Item4),
            Redactions = "email=1"u8,
            Json = Encoding.UTF8.GetBytes(Clean(json)),
        }));

    readonly ScratchFolder _scratch = new();
    readonly EventMemory _memory = new();

    public void Dispose()
    {
        _memory.Dispose();
        _scratch.Dispose();
    }

    [Fact]
    public void Every_event_comes_back_byte_for_byte_sorted_by_time()
    {
        using var writer = new SegmentWriter();
        var number = 0;
        AnyEvent.Array[1, 60].Sample(
            events =>
            {
                var path = _scratch.File($"{Interlocked.Increment(ref number)}.parquet");
                var file = Write(writer, path, firstLeaf: 7, events);

                var expected = events.OrderBy(Time).ThenBy(Offset).ToArray();
                var read = Read(path, out var error);
                Assert.Null(error);
                Assert.Equal(expected.Select(Convert.ToHexString), read.Select(row => Convert.ToHexString(row.Event)), StringComparer.Ordinal);
                Assert.Equal(Enumerable.Range(7, events.Length).Select(leaf => (long)leaf), read.Select(row => row.Leaf));
                Assert.Equal(new FileInfo(path).Length, file.Bytes);
                Assert.Equal(System.Security.Cryptography.SHA256.HashData(File.ReadAllBytes(path)), file.Sha256.ToArray());
                Assert.Equal(Time(expected[0]), file.MinTimeMicros);
                Assert.Equal(Time(expected[^1]), file.MaxTimeMicros);
            },
            iter: 60, threads: 1);
    }

    [Fact]
    public void Row_groups_pages_and_large_events_do_not_matter()
    {
        var path = _scratch.File("large.parquet");
        var events = Enumerable.Range(0, SegmentSchema.RowGroupRowsMax * 2 + 5).Select(i => StoredEvents.One(i, json: $$"""{"n":{{i}}}""")).ToList();
        events[3] = StoredEvents.One(3, json: new string('x', 300_000));
        events[^1] = StoredEvents.One(events.Count - 1, json: new string('y', 3_000_000));
        using var writer = new SegmentWriter();

        Write(writer, path, 0, [.. events]);

        var read = Read(path, out var error);
        Assert.Null(error);
        Assert.Equal(events.Count, read.Count);
        for (var i = 0; i < events.Count; i++) Assert.True(events[i].AsSpan().SequenceEqual(read[i].Event), $"row {i}");
        Assert.Equal(0, _memory.InUse);
    }

    [Fact]
    public void A_broken_file_is_an_error_and_never_a_crash()
    {
        var path = _scratch.File("whole.parquet");
        using var writer = new SegmentWriter();
        var events = Enumerable.Range(0, 200).Select(i => StoredEvents.One(i)).ToArray();
        Write(writer, path, 0, events);
        var whole = File.ReadAllBytes(path);
        var broken = _scratch.File("broken.parquet");

        Gen.Select(Gen.Int[0, whole.Length - 1], Gen.Byte[1, 255], Gen.Int[0, 9]).Sample(
            (at, flip, kind) =>
            {
                var bytes = whole.ToArray();
                if (kind == 0) bytes = bytes[..at];
                else bytes[at] ^= flip;
                File.WriteAllBytes(broken, bytes);

                var read = Read(broken, out var error);
                if (error is not null) return;
                // Bytes that no reader looks at may change; then the rows are what they were. The hash of the file tells.
                Assert.Equal(events.Select(Convert.ToHexString), read.Select(row => Convert.ToHexString(row.Event)), StringComparer.Ordinal);
            },
            iter: 400, threads: 1);
    }

    [Fact]
    public void What_is_no_segment_says_so()
    {
        File.WriteAllBytes(_scratch.File("text"), "no parquet"u8.ToArray());
        File.WriteAllBytes(_scratch.File("empty"), []);

        Assert.Empty(Read(_scratch.File("text"), out var text));
        Assert.Empty(Read(_scratch.File("empty"), out var empty));
        Assert.Empty(Read(_scratch.File("absent"), out var absent));
        Assert.NotNull(text);
        Assert.NotNull(empty);
        Assert.NotNull(absent);
    }

    [Fact]
    public void The_path_names_class_date_first_leaf_and_rows() => Assert.Equal(
        "segments/class=application/date=2026-03-09/00000000000000000042-7.parquet",
        SegmentSchema.PathOf("application", new(2026, 3, 9), 42, 7));

    SegmentFile Write(SegmentWriter writer, string path, long firstLeaf, byte[][] events)
    {
        using var buffer = new EventBuffer(_memory);
        foreach (var e in events) buffer.Add(e);
        buffer.Sort();
        return writer.Write(path, buffer, firstLeaf);
    }

    static List<(long Leaf, byte[] Event)> Read(string path, out string? error)
    {
        using var reader = SegmentReader.Open(path);
        var rows = new List<(long, byte[])>();
        while (reader.Next()) rows.Add((reader.Leaf, reader.Event.ToArray()));
        error = reader.Error;
        return rows;
    }

    static byte[] Encode(in StoredEvent e)
    {
        var output = new ArrayBufferWriter<byte>();
        EventEncoding.Write(output, e);
        return output.WrittenSpan.ToArray();
    }

    // Lone surrogates are no text; everything else is.
    static string Clean(string text) => Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text));

    static OptionalText Text(string? text) => text is null ? default : new(Encoding.UTF8.GetBytes(text));

    static long Time(byte[] encoded)
    {
        Assert.True(EventEncoding.TryRead(encoded, out var e));
        return e.TimeMicros;
    }

    static long Offset(byte[] encoded)
    {
        Assert.True(EventEncoding.TryRead(encoded, out var e));
        return e.Offset;
    }
}
