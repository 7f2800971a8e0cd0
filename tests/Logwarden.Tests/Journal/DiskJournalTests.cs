using Logwarden.Journal;
using static Logwarden.Tests.Journal.JournalWorld;

namespace Logwarden.Tests.Journal;

public class DiskJournalTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task What_is_appended_is_there_after_a_restart_in_order_and_once()
    {
        using var world = new JournalWorld();
        using (var journal = world.Open())
        {
            Assert.Equal(new(0, 3, 0, 0), await journal.AppendAsync(Batch("a", "1", "2", "3"), Cancel));
            Assert.Equal(new(3, 1, 2, 0), await journal.AppendAsync(Batch("a", "3", "4", "4"), Cancel));
            Assert.Equal(new(4, 2, 0, 0), await journal.AppendAsync(Batch("b", "4", ""), Cancel));
        }

        using var again = world.Open();

        Assert.Equal(0, again.Recovery.BytesCut);
        Assert.Equal(6, again.DurableEnd);
        Assert.Equal(["1", "2", "3", "4", "4", ""], world.Ids(again));
        Assert.Equal(new(6, 1, 1, 0), await again.AppendAsync(Batch("a", "1", "", ""), Cancel) with { Stored = 1 });
        AssertBalanced(again.Ledger);
    }

    [Fact]
    public async Task The_ledger_counts_by_source_and_reason_and_survives_restarts_and_deleted_files()
    {
        using var world = new JournalWorld();
        var options = world.Options with { FileBytesMax = 4096, BytesMax = 1 << 20 };
        using (var journal = world.Open(options))
        {
            using var reader = journal.OpenReader("sealer");
            for (var i = 0; i < 400; i++)
            {
                var batch = Batch("a", $"{i}", $"{i}", $"q{i}");
                batch.Entries[2] = batch.Entries[2] with { Quarantine = i % 2 == 0 ? "not-json" : "too-large" };
                await journal.AppendAsync(batch, Cancel);
                reader.Acknowledge(journal.DurableEnd);
            }
        }
        using var again = world.Open(options);
        again.Release();

        var ledger = again.Ledger;
        AssertBalanced(ledger);
        var a = Assert.Single(ledger.Sources);
        Assert.Equal((1200, 400, 400, 400), (a.In, a.Stored, a.Duplicates, a.Quarantined));
        Assert.Equal(200, a.QuarantinedByReason["not-json"]);
        Assert.Equal(new ReaderLedger("sealer", 800, 0), Assert.Single(ledger.Readers));
        Assert.True(JournalFiles.Oldest(options.JournalDirectory) > 0);
        Assert.Equal(new(800, 0, 3, 0), await again.AppendAsync(Batch("a", "0", "q0", "399"), Cancel));
    }

    [Fact]
    public async Task A_second_writer_is_told_who_holds_the_directory()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();

        var refused = Assert.Throws<IOException>(() => world.Open());

        Assert.Contains($"process {Environment.ProcessId}", refused.Message, StringComparison.Ordinal);
        await journal.AppendAsync(Batch("a", "1"), Cancel);
    }

    [Fact]
    public async Task A_full_journal_refuses_until_its_readers_have_moved_on()
    {
        using var world = new JournalWorld();
        var options = world.Options with { FileBytesMax = 4096, BytesMax = 64 << 10, RetryAfter = TimeSpan.FromSeconds(7) };
        using var journal = world.Open(options);
        using var reader = journal.OpenReader("sealer");
        var n = 0;
        JournalFullException? full = null;
        while (full is null)
        {
            Assert.True(n < 10_000);
            try
            {
                await journal.AppendAsync(Batch("a", $"{n}"), Cancel);
                n++;
            }
            catch (JournalFullException e)
            {
                full = e;
            }
        }
        Assert.Equal(TimeSpan.FromSeconds(7), full.RetryAfter);
        Assert.Contains("sealer", full.Message, StringComparison.Ordinal);
        Assert.Equal(n, journal.DurableEnd);

        reader.Acknowledge(journal.DurableEnd);
        while (journal.Bytes > options.BytesMax)
        {
            await Task.Yield();
            journal.Release();
        }
        Assert.Equal(new(n, 1, 0, 0), await journal.AppendAsync(Batch("a", $"{n}"), Cancel));
        AssertBalanced(journal.Ledger);
    }

    [Fact]
    public async Task Many_callers_at_once_get_what_each_of_them_appended()
    {
        using var world = new JournalWorld();
        using var journal = world.Open(world.Options with { FileBytesMax = 64 << 10, DedupKeysInMemory = 256 });
        var callers = Enumerable.Range(0, 8).Select(async caller =>
        {
            var (stored, duplicates) = (0, 0);
            for (var i = 0; i < 100; i++)
            {
                // every id is sent by two callers at about the same time
                var receipt = await journal.AppendAsync(Batch("s", $"{caller / 2}-{i}", $"{caller / 2}-{i}x"), Cancel);
                stored += receipt.Stored;
                duplicates += receipt.Duplicates;
            }
            return (stored, duplicates);
        }).ToArray();
        var counts = await Task.WhenAll(callers);

        Assert.Equal(800, counts.Sum(c => c.stored));
        Assert.Equal(800, counts.Sum(c => c.duplicates));
        var ids = world.Ids(journal);
        Assert.Equal(800, ids.Distinct(StringComparer.Ordinal).Count());
        Assert.Equal(800, ids.Count);
        AssertBalanced(journal.Ledger);
    }

    [Fact]
    public async Task A_reader_waits_for_new_events_and_goes_on_from_its_cursor_after_a_restart()
    {
        using var world = new JournalWorld();
        using (var journal = world.Open())
        {
            using var reader = journal.OpenReader("tail");
            var waiting = reader.WaitAsync(Cancel).AsTask();
            Assert.False(waiting.IsCompleted);
            await journal.AppendAsync(Batch("a", "1", "2"), Cancel);
            Assert.True(await waiting);
            Assert.Equal(["1", "2"], Ids(reader));
            reader.Acknowledge(1);
        }
        using var again = world.Open();
        using var next = again.OpenReader("tail");
        Assert.Equal(1, next.Cursor);
        Assert.Equal(["2"], Ids(next));
        Assert.Throws<InvalidOperationException>(() => next.Acknowledge(3));
        Assert.Throws<InvalidOperationException>(() => next.Acknowledge(0));
    }

    [Fact]
    public async Task A_view_beside_the_writer_sees_committed_events_and_the_ledger()
    {
        using var world = new JournalWorld();
        using var none = JournalView.Open(world.Options, TimeProvider.System);
        Assert.Null(none);
        var options = world.Options with { FileBytesMax = 4096 };
        using var journal = world.Open(options);
        using var view = JournalView.Open(options, TimeProvider.System)!;
        using var reader = view.OpenReader(0);
        for (var i = 0; i < 100; i++)
        {
            await journal.AppendAsync(Batch("a", $"{i}", $"{i}"), Cancel);
            Assert.Equal([$"{i}"], Ids(reader));
        }
        var (seen, real) = (view.Ledger, journal.Ledger);
        AssertBalanced(seen);
        Assert.Equal(real.Total.In, seen.Total.In);
        Assert.Equal(real.Total.Duplicates, seen.Total.Duplicates);
        using var late = JournalView.Open(options, TimeProvider.System)!;
        Assert.Equal(100, late.DurableEnd);
    }

    [Fact]
    public async Task Batches_wait_for_the_disk_together_and_each_has_its_own_receipt()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();
        var receipts = new List<Task<AppendReceipt>>();
        for (var i = 0; i < 50; i++)
        {
            var batch = new AppendBatch { Source = "files" };
            for (var j = 0; j < 20; j++) Add(batch, $"{i}-{j % 19}", 100, j == 0 ? "why" : null);
            receipts.Add(journal.AppendAsync(batch, Cancel).AsTask());
        }
        var all = await Task.WhenAll(receipts);

        Assert.All(all, receipt => Assert.Equal((18, 1, 1), (receipt.Stored, receipt.Duplicates, receipt.Quarantined)));
        Assert.Equal(all.Select((_, i) => i * 19L), all.Select(receipt => receipt.First));
        Assert.Equal(950, journal.DurableEnd);
    }

    [Fact]
    public async Task An_event_larger_than_every_buffer_is_read_back()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();
        var batch = new AppendBatch { Source = "a" };
        Add(batch, "big", 12_000_000, null);
        await journal.AppendAsync(batch, Cancel);
        await journal.AppendAsync(Batch("a", "small"), Cancel);

        Assert.Equal(["big", "small"], world.Ids(journal));
        using var view = JournalView.Open(world.Options, TimeProvider.System)!;
        Assert.Equal(2, view.DurableEnd);
    }

    [Fact]
    public async Task A_batch_that_is_not_events_is_the_callers_bug()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();
        var batch = Batch("a", "1");
        batch.Entries.Add(new(10, 1000, 1, null));

        await Assert.ThrowsAsync<ArgumentException>(async () => await journal.AppendAsync(batch, Cancel));
        Assert.Equal(0, journal.DurableEnd);
    }

    [Fact]
    public async Task A_batch_that_would_make_a_file_of_gigabytes_is_refused_and_the_journal_goes_on()
    {
        using var world = new JournalWorld();
        using var journal = world.Open();
        var large = new AppendBatch { Source = "a" };
        Add(large, "", 1 << 20, null);
        while (large.Entries.Count * (long)large.Entries[0].Length <= AppendBatch.EventBytesMax) large.Entries.Add(large.Entries[0]);
        var many = Batch("a", "");
        while (many.Entries.Count <= AppendBatch.EntriesMax) many.Entries.Add(many.Entries[0]);

        await Assert.ThrowsAsync<ArgumentException>(async () => await journal.AppendAsync(large, Cancel));
        await Assert.ThrowsAsync<ArgumentException>(async () => await journal.AppendAsync(many, Cancel));

        Assert.Equal(new(0, 1, 0, 0), await journal.AppendAsync(Batch("a", "1"), Cancel));
    }

    [Fact]
    public void Options_that_allow_files_of_gigabytes_are_refused()
    {
        using var world = new JournalWorld();
        Assert.Throws<ArgumentOutOfRangeException>(() => world.Open(world.Options with { FileBytesMax = JournalOptions.FileBytesLimit + 1 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => world.Open(world.Options with { GroupBytesMax = JournalOptions.GroupBytesLimit + 1 }));
    }

    [Fact]
    public async Task A_file_of_more_than_two_gigabytes_is_read_as_any_other()
    {
        using var world = new JournalWorld();
        using (var journal = world.Open()) await journal.AppendAsync(Batch("a", "1"), Cancel);
        var length = new FileInfo(world.NewestFile).Length;
        using (var file = File.OpenWrite(world.NewestFile)) file.SetLength((2L << 30) + length); // no space is taken for what is not written

        var damaged = Assert.Throws<JournalDamagedException>(() => world.Open());

        Assert.Equal(length, damaged.Position);
        using (var file = File.OpenWrite(world.NewestFile)) file.SetLength(length);
        using var again = world.Open();
        Assert.Equal(1, again.DurableEnd);
    }

    [Fact]
    public async Task A_closed_journal_refuses()
    {
        using var world = new JournalWorld();
        var journal = world.Open();
        journal.Dispose();
        await Assert.ThrowsAsync<IOException>(async () => await journal.AppendAsync(Batch("a", "1"), Cancel));
    }
}
