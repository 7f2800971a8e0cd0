using Logwarden.Journal;
using Logwarden.Tests.Segments;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Journal;

public sealed class JournalRestartTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));

    JournalOptions Options => new() { Directory = _scratch.Root };

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    public async Task It_begins_at_the_offset_with_the_ledger_however_often_a_crash_has_it_begin_again(int crashes)
    {
        await AppendAsync(2);
        JournalRestart.Begin(_scratch.Root, 10, [Source("bank", 4, 1, 1), Source("shop", 5, 0, 0)], _time);
        for (var crash = 0; crash < crashes; crash++)
        {
            JournalRestart.CarryOut(_scratch.Root, _time);
            if (crash == 0) await AppendAsync(1);
        }
        Assert.True(JournalRestart.IsUnderWay(_scratch.Root));

        var (offset, aside) = JournalRestart.CarryOut(_scratch.Root, _time);
        await AppendAsync(1);
        JournalRestart.Finish(_scratch.Root);

        Assert.Equal(10, offset);
        Assert.False(JournalRestart.IsUnderWay(_scratch.Root));
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(aside, "journal")));
        using var journal = DiskJournal.Open(Options, _time);
        Assert.Equal(11, journal.DurableEnd);
        Assert.Equal((12, 10, 1, 1), ((int)journal.Ledger.Total.In, (int)journal.Ledger.Total.Stored, (int)journal.Ledger.Total.Duplicates, (int)journal.Ledger.Total.Quarantined));
        using var reader = journal.OpenReader("sealer");
        Assert.Equal(10, reader.Position);
        Assert.Equal(1, reader.Read(new JournalBatch()));
    }

    [Fact]
    public void A_ledger_that_does_not_add_up_to_the_offset_is_refused()
    {
        Assert.Throws<ArgumentException>(() => JournalRestart.Begin(_scratch.Root, 10, [Source("shop", 5, 0, 0)], _time));
        Assert.False(JournalRestart.IsUnderWay(_scratch.Root));
    }

    static SourceLedger Source(string id, long stored, long duplicates, long quarantined) =>
        new(id, stored + duplicates + quarantined, stored, duplicates, quarantined, new Dictionary<string, long>(StringComparer.Ordinal) { ["not-json"] = quarantined });

    async Task AppendAsync(int events)
    {
        using var journal = DiskJournal.Open(Options, _time);
        var batch = new AppendBatch { Source = "shop" };
        for (var i = 0; i < events; i++)
        {
            var e = StoredEvents.One(i);
            batch.Entries.Add(new(batch.Bytes.WrittenCount, e.Length, default, null));
            System.Buffers.BuffersExtensions.Write(batch.Bytes, e);
        }
        await journal.AppendAsync(batch, TestContext.Current.CancellationToken);
    }
}
