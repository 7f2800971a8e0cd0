using System.Buffers;
using CsCheck;
using Logwarden.Journal;
using Logwarden.Tests.World;
using Snapshooter.Xunit3;
using static Logwarden.Tests.Journal.JournalWorld;

namespace Logwarden.Tests.Journal;

public sealed class JournalScanTests : IDisposable
{
    const ulong Salt = 0x1122334455667788;
    readonly JournalWorld _world = new();
    readonly DedupIndex _keys;
    readonly JournalGroup _group = new();
    int _id;

    public JournalScanTests()
    {
        Directory.CreateDirectory(_world.Options.DedupDirectory);
        _keys = DedupIndex.Open(_world.Options, () => { }, 1, TimeProvider.System);
    }

    public void Dispose()
    {
        _keys.Dispose();
        _world.Dispose();
    }

    [Fact]
    public void A_crash_at_any_byte_of_a_group_loses_only_that_group()
    {
        var file = FileOf(out var ends, 2, 3, 2);
        for (var cut = ends[2]; cut <= file.Length; cut++)
        {
            var scan = JournalScan.Read(file.AsSpan(0, cut))!;

            Assert.Equal(cut == ends[2] || cut == file.Length ? TailState.Clean : TailState.Torn, scan.Tail);
            Assert.Equal(cut == file.Length ? 7 : 5, scan.NextOffset);
            Assert.Equal(cut == file.Length ? file.Length : ends[2], scan.End);
            Assert.True(scan.Totals.Balances(scan.NextOffset));
        }
        Assert.Equal(2, JournalScan.Read(file.AsSpan(0, file.Length - 1))!.Uncommitted);
    }

    [Fact]
    public void A_flipped_bit_is_damage_when_a_commit_follows_and_a_torn_tail_only_at_the_end()
    {
        var file = FileOf(out var ends, 2, 3, 2);
        for (var at = 0; at < file.Length; at++)
        {
            file[at] ^= 0x10;
            var scan = JournalScan.Read(file);
            if (at < ends[0])
            {
                Assert.Null(scan);
            }
            else
            {
                Assert.Equal(at < ends[2] ? TailState.Damaged : TailState.Torn, scan!.Tail);
                Assert.Equal(at < ends[1] ? ends[0] : at < ends[2] ? ends[1] : ends[2], scan.End);
            }
            file[at] ^= 0x10;
        }
    }

    [Fact]
    public void After_a_clean_stop_even_the_last_group_cannot_be_taken_for_a_torn_tail()
    {
        var file = FileOf(out var ends, 2, 2, 0);
        for (var at = ends[0]; at < ends[2]; at++)
        {
            file[at] ^= 1;
            Assert.Equal(TailState.Damaged, JournalScan.Read(file)!.Tail);
            file[at] ^= 1;
        }
    }

    [Fact]
    public void Pages_written_in_another_order_are_a_torn_tail_in_the_last_group_only()
    {
        var file = FileOf(out var ends, 20, 20, 20);
        Gen.Int[ends[0], file.Length - 512].Sample(at =>
        {
            var torn = file.ToArray();
            torn.AsSpan(at, 512).Fill(0xEE);
            var expected = at >= ends[2] ? TailState.Torn : TailState.Damaged;
            Assert.Equal(expected, JournalScan.Read(torn)!.Tail);
        }, iter: 300);
    }

    [Fact]
    public void On_a_disk_that_tears_writes_every_synced_group_survives() => Gen.Int.Sample(seed =>
    {
        var chance = new Random(seed);
        var disk = new SimulatedDisk(chance);
        disk.Append(Header());
        disk.Sync();
        var (next, synced) = (0L, 0L);
        var groups = chance.Next(1, 6);
        for (var i = 0; i < groups; i++)
        {
            disk.Append(Group(next, i, chance.Next(0, 5)));
            next += _group.Count;
            if (i == groups - 1) break;
            disk.Sync();
            synced = next;
        }

        var scan = JournalScan.Read(disk.Crash())!;

        Assert.NotEqual(TailState.Damaged, scan.Tail);
        Assert.True(scan.NextOffset == synced || scan.NextOffset == next, $"{scan.NextOffset} is neither {synced} nor {next}");
        Assert.True(scan.Totals.Balances(scan.NextOffset));
    }, iter: 500, threads: 1);

    [Fact]
    public void No_bytes_make_it_throw()
    {
        var file = FileOf(out _, 3, 1, 4);
        Gen.Byte.Array[0, 400].Sample(bytes => JournalScan.Read(bytes) is null || true, iter: 500);
        Gen.Select(Gen.Int[0, file.Length - 1], Gen.Byte, Gen.Int[0, file.Length - 1], Gen.Byte).Sample((a, x, b, y) =>
        {
            var broken = file.ToArray();
            (broken[a], broken[b]) = (x, y);
            var scan = JournalScan.Read(broken);
            Assert.True(scan is null || scan.End <= broken.Length && scan.Totals.Balances(scan.NextOffset));
        }, iter: 1000);
    }

    [Fact]
    public void An_event_that_carries_the_bytes_of_another_files_commit_is_just_an_event()
    {
        var other = new ArrayBufferWriter<byte>();
        JournalFormat.WriteCommit(other, new(Salt + 1, 7, 7, 0, 0, 0, 0), new LedgerTotals());
        var batch = Batch("a", "x");
        other.WrittenSpan.CopyTo(batch.Bytes.GetSpan(other.WrittenCount));
        batch.Bytes.Advance(other.WrittenCount);
        batch.Entries[0] = batch.Entries[0] with { Length = batch.Entries[0].Length + other.WrittenCount };
        _group.Begin(0);
        _group.Add(batch, _keys);
        byte[] file = [.. Header(), .. _group.Close(Salt, 0, 0)];

        Assert.Equal(TailState.Clean, JournalScan.Read(file)!.Tail);
        Assert.Equal(TailState.Torn, JournalScan.Read(file.AsSpan(0, file.Length - 1))!.Tail);
    }

    [Fact]
    public void A_file_that_is_read_in_parts_is_the_same_file()
    {
        var file = FileOf(out var ends, 2, 3, 2, 1, 4);
        var path = Path.Combine(_world.Options.Directory, "parts");
        var largest = ends.Zip(ends.Skip(1), (from, to) => to - from).Max();
        foreach (var cut in (int[])[file.Length, file.Length - 1, ends[^2] + 20, ends[2]])
        {
            File.WriteAllBytes(path, file[..cut]);
            var whole = JournalScan.Read(file.AsSpan(0, cut))!;
            using var map = new MappedFile(path);
            for (var size = largest; size <= cut; size += 7)
            {
                var scan = JournalScan.Read(map, size)!;
                Assert.Equal((whole.Tail, whole.End, whole.LastGroup, whole.NextOffset, whole.NextCommit, whole.Stopped, whole.Uncommitted),
                    (scan.Tail, scan.End, scan.LastGroup, scan.NextOffset, scan.NextCommit, scan.Stopped, scan.Uncommitted));
            }
        }
    }

    [Fact]
    public void The_format_is_frozen()
    {
        var totals = new LedgerTotals();
        (totals.Of("früher").In, totals.Of("früher").Stored, totals.Of("früher").Duplicates) = (9, 4, 2);
        totals.Of("früher").Quarantine("not-json", 3);
        var header = JournalFormat.Header(new(7, 3, Salt, 1_700_000_000_000_000, totals, 0));
        var batch = Batch("source-1", "event-1", "event-1", "");
        batch.Entries[2] = batch.Entries[2] with { Quarantine = "too-large" };
        _group.Begin(7);
        _group.Add(batch, _keys);
        byte[] file = [.. header, .. _group.Close(Salt, 3, 1_700_000_000_000_001)];

        var scan = JournalScan.Read(file)!;
        Assert.Equal((9L, 4L, TailState.Clean), (scan.NextOffset, scan.NextCommit, scan.Tail));
        Snapshot.Match(string.Join('\n', Convert.ToHexString(file).Chunk(64).Select(line => new string(line))) + "\n");
    }

    static byte[] Header() => JournalFormat.Header(new(0, 0, Salt, 1_700_000_000_000_000, new(), 0));

    byte[] Group(long first, long number, int entries)
    {
        _group.Begin(first);
        if (entries > 0) _group.Add(Batch("a", Enumerable.Range(0, entries).Select(_ => $"{_id++}")), _keys);
        return _group.Close(Salt, number, 5).ToArray();
    }

    /// <summary>A file of groups with these many entries; <paramref name="ends"/> is where the header and each group ends.</summary>
    byte[] FileOf(out int[] ends, params int[] groups)
    {
        var file = new List<byte>(Header());
        var at = new List<int> { file.Count };
        var next = 0L;
        for (var i = 0; i < groups.Length; i++)
        {
            file.AddRange(Group(next, i, groups[i]));
            next += groups[i];
            at.Add(file.Count);
        }
        ends = [.. at];
        return [.. file];
    }
}
