using CsCheck;
using Logwarden.Journal;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Journal;

/// <summary>Keys are known for the window, and not kept for ever.</summary>
public class DedupWindowTests
{
    static readonly TimeSpan Window = TimeSpan.FromDays(80);

    [Fact]
    public void A_key_is_known_for_the_window_and_old_ones_go() => Gen.Int.Sample(seed =>
    {
        using var world = new JournalWorld();
        var options = Small(world);
        var chance = new Random(seed);
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch.AddYears(50));
        var added = new Dictionary<UInt128, DateTimeOffset>();
        var unpersisted = new List<UInt128>();
        var end = 0L;
        var keys = DedupIndex.Open(options, () => { }, 1, time);
        for (var i = 0; i < 3000; i++)
        {
            var key = Key(chance.Next(2000));
            var isKnown = added.TryGetValue(key, out var when) && time.GetUtcNow() - when <= Window;
            if (keys.TryAdd(key))
            {
                Assert.False(isKnown);
                added[key] = time.GetUtcNow();
                unpersisted.Add(key);
                end++;
            }
            if (chance.Next(4) == 0) keys.Committed(end, 100);
            time.Advance(TimeSpan.FromHours(chance.Next(5)));
            if (chance.Next(300) != 0) continue;
            keys.Committed(end, 100);
            keys.Dispose();
            keys = DedupIndex.Open(options, () => { }, 1, time);
            foreach (var replayed in unpersisted) keys.TryAdd(replayed);
            keys.Committed(end, 0);
        }
        keys.Dispose();
        // 250 days have passed, and some 12 keys a day; a quarter of them is forgotten.
        var files = Directory.GetFiles(options.DedupDirectory, "*.keys");
        Assert.InRange(DedupFloor.Read(options), 100, end);
        Assert.Equal(DedupRun.FileName(DedupFloor.Read(options), 0)[..20], Path.GetFileName(files.Order(StringComparer.Ordinal).First())[..20]);
        Assert.InRange(files.Length, 1, 25);
    }, iter: 20, threads: 2);

    [Fact]
    public void Runs_of_a_period_that_is_over_become_one()
    {
        using var world = new JournalWorld();
        var options = Small(world);
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch);
        for (var run = 0; run < 4 * 6; run++)
        {
            // Closing waits for the thread that writes runs: how full a table grows meanwhile does not depend on how fast the machine is.
            using var keys = DedupIndex.Open(options, () => { }, 1, time);
            for (var i = 0; i < options.DedupKeysInMemory; i++) Assert.True(keys.TryAdd(Key(run * options.DedupKeysInMemory + i)));
            keys.Committed((run + 1) * options.DedupKeysInMemory, 0);
            if (run % 6 == 5) time.Advance(Window / 8);
        }
        var files = Directory.GetFiles(options.DedupDirectory, "*.keys");
        // One for each period that is over; of the last one's six, four have become one.
        Assert.Equal(3 + 3, files.Length);
    }

    [Fact]
    public void No_run_outgrows_its_bound()
    {
        using var world = new JournalWorld();
        var options = Small(world) with { DedupKeysInRun = 100 };
        using (var keys = DedupIndex.Open(options, () => { }, 1, TimeProvider.System))
        {
            for (var i = 0; i < 2000; i++)
            {
                Assert.True(keys.TryAdd(Key(i)));
                keys.Committed(i + 1, 0);
            }
        }
        foreach (var path in Directory.GetFiles(options.DedupDirectory, "*.keys"))
        {
            using var run = DedupRun.Open(path);
            Assert.InRange(run.Count, 16, 100);
        }
        using var again = DedupIndex.Open(options, () => { }, 1, TimeProvider.System);
        for (var i = 0; i < again.PersistedEnd; i++) Assert.False(again.TryAdd(Key(i)));
    }

    public static TheoryData<int, bool> Steps()
    {
        var steps = new TheoryData<int, bool>();
        foreach (var step in (DiskStep[])[DiskStep.WriteRun, DiskStep.DeleteRun, DiskStep.ReplaceFloor])
        {
            foreach (var done in (bool[])[false, true]) steps.Add((int)step, done);
        }
        return steps;
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public void A_crash_while_old_runs_are_forgotten_forgets_no_new_ones(int step, bool done)
    {
        using var world = new JournalWorld();
        using var copy = new JournalWorld();
        var time = new FakeTimeProvider(DateTimeOffset.UnixEpoch);
        var copies = new List<DateTimeOffset>();
        var options = Small(world) with
        {
            Probe = (now, isDone) =>
            {
                if (now != (DiskStep)step || isDone != done) return;
                // What the disk would hold if the process died right here, and what must be known then.
                var folder = Path.Combine(copy.Options.Directory, $"{copies.Count}", "dedup");
                copies.Add(time.GetUtcNow());
                Directory.CreateDirectory(folder);
                foreach (var file in Directory.GetFiles(Path.Combine(world.Options.Directory, "dedup"))) File.Copy(file, Path.Combine(folder, Path.GetFileName(file)));
            },
        };
        var added = new List<DateTimeOffset>();
        using (var keys = DedupIndex.Open(options, () => { }, 1, time))
        {
            for (var i = 0; i < 600; i++)
            {
                Assert.True(keys.TryAdd(Key(i)));
                added.Add(time.GetUtcNow());
                keys.Committed(i + 1, 0);
                time.Advance(TimeSpan.FromHours(8));
            }
        }
        Assert.NotEmpty(copies);
        for (var i = 0; i < copies.Count; i++)
        {
            using var again = DedupIndex.Open(Small(world) with { Directory = Path.Combine(copy.Options.Directory, $"{i}") }, () => { }, 1, new FakeTimeProvider(copies[i]));
            for (var key = 0; key < again.PersistedEnd; key++)
            {
                if (copies[i] - added[key] <= Window) Assert.True(again.Contains(Key(key)));
            }
        }
    }

    [Fact]
    public void A_missing_oldest_run_is_no_forgotten_one_and_what_the_error_advises_helps()
    {
        using var world = new JournalWorld();
        var options = Small(world);
        using (var keys = DedupIndex.Open(options, () => { }, 1, TimeProvider.System))
        {
            for (var i = 0; i < 200; i++)
            {
                keys.TryAdd(Key(i));
                keys.Committed(i + 1, 0);
            }
        }
        var runs = Directory.GetFiles(options.DedupDirectory, "*.keys").Order(StringComparer.Ordinal).ToArray();
        Assert.True(runs.Length > 1);
        File.Delete(runs[0]);
        Assert.Throws<JournalDamagedException>(() => DedupIndex.Open(options, () => { }, 1, TimeProvider.System));
        foreach (var run in runs[1..]) File.Delete(run);
        DurableFile.Replace(DedupFloor.PathOf(options), "150\n"u8);
        using (var again = DedupIndex.Open(options, () => { }, 1, TimeProvider.System)) Assert.Equal(150, again.PersistedEnd);
        DurableFile.Replace(DedupFloor.PathOf(options), "many\n"u8);
        Assert.Contains("in digits", Assert.Throws<JournalDamagedException>(() => DedupIndex.Open(options, () => { }, 1, TimeProvider.System)).Message, StringComparison.Ordinal);
    }

    static JournalOptions Small(JournalWorld world)
    {
        Directory.CreateDirectory(world.Options.DedupDirectory);
        return world.Options with { DedupKeysInMemory = 16, DedupWindow = Window };
    }

    static UInt128 Key(long i) => JournalWorld.Keys.Of("s"u8, BitConverter.GetBytes(i));
}
