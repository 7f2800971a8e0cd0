using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Events;
using Logwarden.Journal;

namespace Logwarden.Bench;

/// <summary>
/// Entries of about 1.3 KB in batches of 1,000, each group synced, beside the floor on the same disk: the same bytes written and synced in
/// pieces of the same size. Then lookups in the dedup index.
/// </summary>
static class JournalBench
{
    const int BatchEvents = 1000;
    const int BatchesInFlight = 4;
    const int JsonBytes = 1180;

    public static int Run(bool quick, bool json, TextWriter output)
    {
        var events = quick ? 200_000 : 1_000_000;
        var directory = Directory.CreateDirectory(Path.Combine(Directory.GetCurrentDirectory(), "artifacts", "bench-journal")).FullName;
        try
        {
            var (floor, floorCpu) = Floor(Path.Combine(directory, "floor"), events);
            var (rate, megabytes, cpu) = Append(directory, events);
            var lookups = quick ? 1_000_000 : 10_000_000;
            var (absent, present) = Lookups(directory, lookups);
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"floor: write + fsync    {floor,10:N0} MB/s  {floor * 1e6 / 1300,10:N0} entries/s  {floorCpu:N2} CPU s per million"));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"journal                 {megabytes,10:N0} MB/s  {rate,10:N0} entries/s  {cpu:N2} CPU s per million"));
            output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"dedup, {lookups:N0} keys  {absent,10:N0} CPU ns per new key, written out and merged  {present,6:N0} per known key"));
            if (json)
            {
                output.WriteLine(string.Create(CultureInfo.InvariantCulture,
                    $"{{\"floor_mb_s\":{floor:F0},\"mb_s\":{megabytes:F0},\"entries_s\":{rate:F0},\"cpu_s_per_million\":{cpu:F2},\"dedup_new_ns\":{absent:F0},\"dedup_known_ns\":{present:F0}}}"));
            }
            return 0;
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    static (double Megabytes, double Cpu) Floor(string path, int events)
    {
        var time = TimeProvider.System;
        var piece = new byte[BatchEvents * 1300];
        RandomNumberGenerator.Fill(piece);
        var before = Cpu();
        var start = time.GetTimestamp();
        using (var file = File.OpenHandle(path, FileMode.Create, FileAccess.Write))
        {
            for (var i = 0L; i < events / BatchEvents; i++)
            {
                RandomAccess.Write(file, piece, i * piece.Length);
                DurableFile.Sync(file);
            }
        }
        var took = time.GetElapsedTime(start).TotalSeconds;
        var cpu = Cpu() - before;
        File.Delete(path);
        return (events / BatchEvents * (double)piece.Length / 1e6 / took, cpu * 1e6 / events);
    }

    static (double Rate, double Megabytes, double Cpu) Append(string directory, int events)
    {
        var time = TimeProvider.System;
        var random = new byte[JsonBytes];
        RandomNumberGenerator.Fill(random);
        var text = Encoding.ASCII.GetBytes(Convert.ToBase64String(random)[..(JsonBytes - 8)]);
        byte[] body = [.. "{\"a\":\""u8, .. text, .. "\"}"u8];
        using var journal = DiskJournal.Open(new() { Directory = directory, BytesMax = 64L << 30 }, time);
        var batches = Enumerable.Range(0, BatchesInFlight).Select(_ => new AppendBatch { Source = "bench" }).ToArray();
        AppendAll(journal, batches, body, 0, BatchEvents * 8);
        var before = Cpu();
        var start = time.GetTimestamp();
        var bytes = journal.Bytes;
        AppendAll(journal, batches, body, BatchEvents * 10, events);
        var took = time.GetElapsedTime(start).TotalSeconds;
        var cpu = Cpu() - before;
        return (events / took, (journal.Bytes - bytes) / 1e6 / took, cpu * 1e6 / events);
    }

    static double Cpu()
    {
        using var process = Process.GetCurrentProcess();
        return process.TotalProcessorTime.TotalSeconds;
    }

    // As ingest does it: a batch is filled while those before it wait for the disk.
    static void AppendAll(DiskJournal journal, AppendBatch[] batches, byte[] body, int from, int events)
    {
        var receipts = new Queue<Task<AppendReceipt>>();
        for (var n = 0; n < events; n += BatchEvents)
        {
            if (receipts.Count == batches.Length) receipts.Dequeue().GetAwaiter().GetResult();
            var batch = batches[n / BatchEvents % batches.Length];
            batch.Clear();
            Fill(journal.Keys, batch, body, from + n);
            receipts.Enqueue(journal.AppendAsync(batch, CancellationToken.None).AsTask());
        }
        while (receipts.Count > 0) receipts.Dequeue().GetAwaiter().GetResult();
    }

    static void Fill(DedupKeys keys, AppendBatch batch, byte[] body, int from)
    {
        Span<byte> id = stackalloc byte[36];
        id.Fill((byte)'-');
        for (var i = from; i < from + BatchEvents; i++)
        {
            var start = batch.Bytes.WrittenCount;
            i.TryFormat(id, out _, "D10", CultureInfo.InvariantCulture);
            EventEncoding.Write(batch.Bytes, new StoredEvent
            {
                Id = id,
                Class = "security-audit"u8,
                Source = "bench"u8,
                Format = "cloudtrail"u8,
                Json = body,
            });
            batch.Entries.Add(new(start, batch.Bytes.WrittenCount - start, keys.Of("bench"u8, id), null));
        }
    }

    static (double Absent, double Present) Lookups(string directory, int keys)
    {
        var options = new JournalOptions { Directory = Path.Combine(directory, "lookups") };
        Directory.CreateDirectory(Path.Combine(options.Directory, "dedup"));
        using var index = DedupIndex.Open(options, () => { }, 12345, TimeProvider.System);
        var start = Cpu();
        for (var i = 0; i < keys; i++)
        {
            index.TryAdd(Key(i));
            if (i % BatchEvents == 0) index.Committed(i + 1, 0);
        }
        var absent = (Cpu() - start) * 1e9 / keys;
        const int asked = 1_000_000;
        var chance = new Random(1);
        start = Cpu();
        var known = 0;
        for (var i = 0; i < asked; i++) known += index.Contains(Key(chance.Next(keys))) ? 1 : 0;
        var present = (Cpu() - start) * 1e9 / asked;
        return known == asked ? (absent, present) : throw new UnreachableException("A known key was not found.");
    }

    /// <summary>As random as a hash, and cheaper.</summary>
    static UInt128 Key(int i) => unchecked(
        new UInt128((ulong)(i + 1) * 0x9E3779B97F4A7C15UL ^ ((ulong)(i + 1) * 0xC2B2AE3D27D4EB4FUL >> 29), (ulong)(i + 1) * 0xD6E8FEB86659FD93UL));
}
