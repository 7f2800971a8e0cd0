using CsCheck;
using Logwarden.Journal;
using static Logwarden.Tests.Journal.JournalWorld;

namespace Logwarden.Tests.Journal;

public class DedupIndexTests
{
    [Fact]
    public void It_agrees_with_a_set_over_freezes_merges_and_restarts() => Gen.Int.Sample(seed =>
    {
        using var world = new JournalWorld();
        var options = world.Options with { DedupKeysInMemory = 16 };
        Directory.CreateDirectory(options.DedupDirectory);
        var chance = new Random(seed);
        var known = new HashSet<UInt128>();
        var unpersisted = new List<UInt128>();
        var end = 0L;
        var keys = DedupIndex.Open(options, () => { }, unchecked((ulong)seed), TimeProvider.System);
        for (var i = 0; i < 400; i++)
        {
            // few different values in the upper or the lower half: as unlike a good hash as can be
            var key = new UInt128((ulong)chance.Next(3) << chance.Next(64), (ulong)chance.Next(1, 300));
            if (keys.TryAdd(key))
            {
                end++;
                unpersisted.Add(key);
                Assert.True(known.Add(key));
            }
            else
            {
                Assert.Contains(key, known);
            }
            if (chance.Next(4) == 0) keys.Committed(end, 100);
            if (chance.Next(60) != 0) continue;
            keys.Committed(end, 100);
            keys.Dispose();
            keys = DedupIndex.Open(options, () => { }, 7, TimeProvider.System);
            Assert.True(keys.PersistedEnd <= end);
            foreach (var replayed in unpersisted) keys.TryAdd(replayed);
            keys.Committed(end, 0);
        }
        Assert.All(known, key => Assert.True(keys.Contains(key)));
        keys.Dispose();
        Assert.True(Directory.GetFiles(options.DedupDirectory, "*.keys").Length < 12);
    }, iter: 30);

    [Fact]
    public void Two_hundred_thousand_keys_are_known_after_a_restart_and_no_others()
    {
        using var world = new JournalWorld();
        var options = world.Options with { DedupKeysInMemory = 10_000 };
        Directory.CreateDirectory(options.DedupDirectory);
        long end = 0;
        using (var keys = DedupIndex.Open(options, () => { }, 1, TimeProvider.System))
        {
            for (; end < 200_000; end++)
            {
                Assert.True(keys.TryAdd(Key(end)));
                if (end % 1000 == 999) keys.Committed(end + 1, 0);
            }
        }
        using var again = DedupIndex.Open(options, () => { }, 2, TimeProvider.System);

        Assert.InRange(again.PersistedEnd, 180_000, 200_000);
        for (var i = 0L; i < again.PersistedEnd; i++) Assert.True(again.Contains(Key(i)));
        for (var i = end; i < end + 100_000; i++) Assert.False(again.Contains(Key(i)));
    }

    [Fact]
    public void A_damaged_or_missing_run_is_refused_with_advice()
    {
        using var world = new JournalWorld();
        var options = world.Options with { DedupKeysInMemory = 16 };
        Directory.CreateDirectory(options.DedupDirectory);
        using (var keys = DedupIndex.Open(options, () => { }, 1, TimeProvider.System))
        {
            for (var i = 0; i < 40; i++)
            {
                keys.TryAdd(Key(i));
                keys.Committed(i + 1, 0);
            }
        }
        var run = Directory.GetFiles(options.DedupDirectory, "*.keys").Order(StringComparer.Ordinal).First();
        var bytes = File.ReadAllBytes(run);
        bytes[^5] ^= 1;
        File.WriteAllBytes(run, bytes);
        Assert.Contains("Restore", Assert.Throws<JournalDamagedException>(() => DedupIndex.Open(options, () => { }, 1, TimeProvider.System)).Message, StringComparison.Ordinal);
        File.Move(run, Path.Combine(options.DedupDirectory, DedupRun.FileName(1, 16)), overwrite: true);
        Assert.Contains("missing", Assert.Throws<JournalDamagedException>(() => DedupIndex.Open(options, () => { }, 1, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_key_is_of_the_secret_the_source_and_the_id()
    {
        var keys = JournalWorld.Keys;
        Assert.Equal(keys.Of("a"u8, "bc"u8), DedupKeys.Of("0123456789abcdef"u8).Of("a"u8, "bc"u8));
        Assert.NotEqual(keys.Of("a"u8, "bc"u8), keys.Of("ab"u8, "c"u8));
        Assert.NotEqual(keys.Of("a"u8, new byte[5000]), keys.Of("a"u8, new byte[5001]));
        Assert.NotEqual(keys.Of("a"u8, "bc"u8), DedupKeys.Passing().Of("a"u8, "bc"u8));
    }

    [Fact]
    public void A_journal_keeps_its_secret_and_does_not_go_on_without_it()
    {
        using var world = new JournalWorld();
        var secret = Path.Combine(world.Options.DedupDirectory, "secret");
        UInt128 key;
        using (var journal = world.Open()) key = journal.Keys.Of("s"u8, "1"u8);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(secret));
        using (var journal = world.Open()) Assert.Equal(key, journal.Keys.Of("s"u8, "1"u8));

        DurableFile.Replace(secret, "nonsense"u8);
        Assert.Contains("32 hexadecimal digits", Assert.Throws<JournalDamagedException>(() => world.Open()).Message, StringComparison.Ordinal);
        File.Delete(secret);
        Assert.Contains("Restore", Assert.Throws<JournalDamagedException>(() => world.Open()).Message, StringComparison.Ordinal);
    }

    [Fact]
    public void The_journal_agrees_with_a_dictionary_over_restarts() => Gen.Int.Sample(seed =>
    {
        using var world = new JournalWorld();
        var options = world.Options with { FileBytesMax = 4096, DedupKeysInMemory = 32 };
        var chance = new Random(seed);
        var stored = new HashSet<string>(StringComparer.Ordinal);
        var expected = new SortedDictionary<string, (long In, long Stored, long Duplicates, long Quarantined)>(StringComparer.Ordinal);
        var journal = world.Open(options);
        for (var i = 0; i < 60; i++)
        {
            var source = $"s{chance.Next(3)}";
            var batch = new AppendBatch { Source = source };
            var count = expected.GetValueOrDefault(source);
            for (var n = chance.Next(1, 8); n > 0; n--)
            {
                var id = chance.Next(5) == 0 ? "" : $"{chance.Next(200)}";
                var quarantine = chance.Next(6) == 0 ? $"reason-{chance.Next(2)}" : null;
                Add(batch, id, chance.Next(200), quarantine);
                count.In++;
                if (id.Length > 0 && !stored.Add($"{source}/{id}")) count.Duplicates++;
                else if (quarantine is null) count.Stored++;
                else count.Quarantined++;
            }
            expected[source] = count;
            Append(journal, batch);
            if (chance.Next(10) != 0) continue;
            journal.Dispose();
            journal = world.Open(options);
        }
        var ledger = journal.Ledger;
        journal.Dispose();
        AssertBalanced(ledger);
        Assert.Equal(expected.Select(e => (e.Key, e.Value)),
            ledger.Sources.Select(s => (s.Source, (s.In, s.Stored, s.Duplicates, s.Quarantined))));
    }, iter: 20, threads: 2);

    static void Append(DiskJournal journal, AppendBatch batch) => journal.AppendAsync(batch, CancellationToken.None).AsTask().GetAwaiter().GetResult();

    static UInt128 Key(long i) => JournalWorld.Keys.Of("s"u8, BitConverter.GetBytes(i));
}
