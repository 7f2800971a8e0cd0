using System.IO.Compression;
using System.Text;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

public class DecompressionTests
{
    static readonly byte[][] Parts = [.. Enumerable.Range(0, 6).Select(i => Encoding.ASCII.GetBytes($"{{\"n\":{i},\"text\":\"{new string((char)('a' + i), 40)} {i * 7919}\"}}\n"))];

    static readonly byte[] Content = [.. Parts.SelectMany(part => part)];

    public static TheoryData<string> Kinds => ["gzip", "gzip of two members", "zstd", "zstd of two frames"];

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_whole_is_read_whole(string kind)
    {
        Assert.Equal(Content, Unpack(Pack(kind), 7));
        Assert.Equal(Content, Unpack(Pack(kind), 100_000));
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void What_is_cut_off_is_noticed_wherever_the_cut_is(string kind)
    {
        var packed = Pack(kind);
        var whole = Boundary(kind);
        for (var length = 4; length < packed.Length; length++)
        {
            if (length == whole) continue; // the first part by itself is whole
            var read = new List<byte>();
            var cut = packed[..length];
            Assert.True(Decompression.IsDamage(Assert.ThrowsAny<Exception>(() => Unpack(cut, 16, read))), $"{length} of {packed.Length} bytes");
            Assert.Equal(Content.Take(read.Count), read); // nothing that was never in the input
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void A_changed_byte_is_noticed_or_changes_nothing(string kind)
    {
        var packed = Pack(kind);
        for (var at = 4; at < packed.Length; at++)
        {
            var changed = packed.ToArray();
            changed[at] ^= 0x55;
            try
            {
                // A few bytes of the headers say nothing of the content: the time, the system, the level.
                Assert.Equal(Content, Unpack(changed, 1000));
            }
            catch (Exception e) when (Decompression.IsDamage(e))
            {
                // as it should be
            }
        }
    }

    [Fact]
    public void Records_before_the_cut_are_read_and_the_cut_is_an_error()
    {
        var packed = Pack("gzip");
        using var input = Decompression.Open(new MemoryStream(packed[..^9]), DecompressionLimits.Default);
        var reader = new RecordReader(input, FormatCatalog.Find("json")!.Framing, RecordLimits.Default);
        var (good, errors) = (0, new List<string>());
        while (reader.Read(out var record))
        {
            if (record.Error is { } error) errors.Add(error.Code);
            else good++;
        }
        Assert.Equal(["corrupt-compression"], errors);
        Assert.InRange(good, 5, 6);
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void All_that_was_flushed_before_the_cut_is_read(string kind)
    {
        var ends = new List<int>();
        var packed = Pack(kind, ends);
        for (var parts = 1; parts < Parts.Length; parts++)
        {
            var read = new List<byte>();
            // The first of two members is whole by itself.
            if (Record.Exception(() => Unpack(packed[..ends[parts - 1]], 16, read)) is { } damage) Assert.True(Decompression.IsDamage(damage));
            Assert.Equal(Parts.Take(parts).SelectMany(part => part), read);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(0x5A)]
    public void What_follows_gzip_is_an_error_after_all_of_the_content(byte padding)
    {
        var read = new List<byte>();
        Assert.Throws<InvalidDataException>(() => Unpack([.. Pack("gzip"), .. Enumerable.Repeat(padding, 512)], 100, read));
        Assert.Equal(Content, read);
    }

    [Fact]
    public void One_read_of_gzip_fills_a_large_buffer()
    {
        var content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("a line that is much like the next\n", 6000)));
        using var input = Decompression.Gzip(new MemoryStream(Gzip(content)));
        var buffer = new byte[150_000];

        Assert.Equal(buffer.Length, input.Read(buffer));
        Assert.Equal(content.Length - buffer.Length, input.Read(buffer));
        Assert.Equal(content[150_000..], buffer[..(content.Length - buffer.Length)]);
        Assert.Equal(0, input.Read(buffer));
    }

    [Fact]
    public void A_large_buffer_gets_as_much_of_what_was_cut_off_as_a_small_one()
    {
        var content = Words(3000);
        var packed = Gzip(content);
        for (var length = 4; length < packed.Length; length++)
        {
            var (few, many) = (new List<byte>(), new List<byte>());
            var cut = packed[..length];
            Assert.ThrowsAny<InvalidDataException>(() => Unpack(cut, 1024, few));
            Assert.ThrowsAny<InvalidDataException>(() => Unpack(cut, 100_000, many));
            Assert.Equal(few, many);
            Assert.Equal(content.Take(many.Count), many);
        }
    }

    [Fact]
    public void An_input_that_fails_is_told_after_what_came_before_and_each_time()
    {
        using var input = Decompression.Gzip(new FailingStream(Gzip(Words(60_000))[..10_000]));
        var buffer = new byte[1_000_000];

        var read = 0;
        Assert.Throws<IOException>(() =>
        {
            while (input.Read(buffer.AsSpan(read)) is var count and > 0) read += count;
        });

        Assert.InRange(read, 10_000, 60_000);
        Assert.Equal(Words(60_000)[..read], buffer[..read]);
        Assert.Throws<IOException>(() => input.Read(buffer, 0, 10));
    }

    /// <summary>Gives some bytes, then an error of the disk.</summary>
    sealed class FailingStream(byte[] bytes) : ReadingStream
    {
        readonly MemoryStream _bytes = new(bytes);

        public override int Read(Span<byte> buffer) => _bytes.Read(buffer) is > 0 and var read ? read : throw new IOException("broken");
    }

    static byte[] Words(int length)
    {
        var chance = new Random(20261127);
        return [.. Enumerable.Range(0, length).Select(_ => (byte)('a' + chance.Next(12)))];
    }

    static byte[] Gzip(byte[] content)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)) gzip.Write(content);
        return packed.ToArray();
    }

    static byte[] Pack(string kind, List<int>? ends = null)
    {
        var packed = new MemoryStream();
        var isTwo = kind.Contains("two", StringComparison.Ordinal);
        foreach (var parts in isTwo ? [Parts[..3], Parts[3..]] : (byte[][][])[Parts])
        {
            using Stream packer = kind.StartsWith("gzip", StringComparison.Ordinal)
                ? new GZipStream(packed, CompressionLevel.Optimal, leaveOpen: true)
                : new ZstdSharp.CompressionStream(packed, level: 3, leaveOpen: true);
            if (packer is ZstdSharp.CompressionStream zstd) zstd.SetParameter(ZstdSharp.Unsafe.ZSTD_cParameter.ZSTD_c_checksumFlag, 1);
            foreach (var part in parts)
            {
                packer.Write(part);
                packer.Flush(); // what a sender of a live log does: a cut right behind a flush looks like an end
                ends?.Add((int)packed.Length);
            }
        }
        return packed.ToArray();
    }

    static int Boundary(string kind)
    {
        if (!kind.Contains("two", StringComparison.Ordinal)) return -1;
        var packed = Pack(kind);
        for (var at = 4; at < packed.Length - 3; at++)
        {
            if (kind.StartsWith("gzip", StringComparison.Ordinal) ? packed.AsSpan(at).StartsWith((byte[])[0x1F, 0x8B, 8]) : packed.AsSpan(at).StartsWith((byte[])[0x28, 0xB5, 0x2F, 0xFD])) return at;
        }
        return -1;
    }

    static byte[] Unpack(byte[] packed, int bufferBytes, List<byte>? into = null)
    {
        var read = into ?? [];
        using var input = Decompression.Open(new MemoryStream(packed), DecompressionLimits.Default);
        var buffer = new byte[bufferBytes];
        while (input.Read(buffer) is var count and > 0) read.AddRange(buffer.AsSpan(0, count));
        return [.. read];
    }
}
