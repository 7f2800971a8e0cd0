using System.Diagnostics;
using System.Globalization;
using System.Text;
using Logwarden.Events;
using Logwarden.Journal;

namespace Logwarden.SystemTests.Journal;

/// <summary>"Acknowledged means durable", with real processes, a real kernel and real errors of the disk.</summary>
public sealed class JournalCrashTests : IDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("logwarden-crash-").FullName;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    [Fact]
    public async Task Killed_at_random_moments_it_keeps_every_acknowledged_event_once()
    {
        const int kills = 40;
        const int seed = 20261125;
        TestContext.Current.TestOutputHelper!.WriteLine($"seed {seed}");
        var chance = new Random(seed);
        var acknowledged = -1;
        var cut = 0;
        for (var kill = 0; kill < kills; kill++)
        {
            // Events that were sent but not acknowledged are sent again, as every source does.
            using var child = JournalChild.Start(_directory, acknowledged + 1);
            var moment = chance.Next(1, 80);
            for (var line = 0; line < moment; line++)
            {
                acknowledged = Acknowledged(await child.StandardOutput.ReadLineAsync(Cancel), acknowledged);
            }
            for (var spin = chance.Next(200_000); spin > 0; spin--) Thread.SpinWait(1);
            child.Kill();
            while (await child.StandardOutput.ReadLineAsync(Cancel) is { } rest) acknowledged = Acknowledged(rest, acknowledged);
            await child.WaitForExitAsync(Cancel);
            cut += AssertAllThereOnce(_directory, acknowledged).BytesCut > 0 ? 1 : 0;
        }
        TestContext.Current.TestOutputHelper.WriteLine($"{kills} kills, {acknowledged + 1} events acknowledged, {cut} torn tails");
    }

    [Theory]
    [InlineData("fsync:error=EIO:when=5", "journal/00000000000000000000.log", "Input/output error")]
    [InlineData("fsync:error=ENOSPC:when=4", "journal/00000000000000000000.log", "No space left")]
    [InlineData("pwrite64:error=EIO:when=5", "journal/00000000000000000000.log", "")]
    [InlineData("pwrite64:error=ENOSPC:when=3", "journal/00000000000000000000.log", "")]
    [InlineData("rename,renameat,renameat2:error=EIO:when=2", null, "")]
    [InlineData("rename,renameat,renameat2:error=ENOSPC:when=4", null, "")]
    [InlineData("unlink:error=EIO:when=1", null, "")]
    public async Task When_the_disk_fails_it_says_so_and_keeps_what_it_acknowledged(string inject, string? path, string says)
    {
        Assert.SkipUnless(File.Exists("/usr/bin/strace"), "strace is not installed");
        using (DiskJournal.Open(JournalChild.Options(_directory), TimeProvider.System))
        {
            // so that the file has its name, by which strace finds it
        }
        List<string> strace = ["/usr/bin/strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=" + inject[..inject.IndexOf(':', StringComparison.Ordinal)],
            "-e", "inject=" + inject];
        if (path is not null) strace.AddRange(["-P", Path.Combine(_directory, path)]);
        using var child = JournalChild.Start(_directory, 0, [.. strace]);
        var (acknowledged, error) = (-1, "");
        while (await child.StandardOutput.ReadLineAsync(Cancel) is { } line)
        {
            if (line.StartsWith("error ", StringComparison.Ordinal)) error = line;
            else acknowledged = Acknowledged(line, acknowledged);
        }
        await child.WaitForExitAsync(Cancel);
        TestContext.Current.TestOutputHelper!.WriteLine($"{acknowledged + 1} acknowledged, then: {error}");

        Assert.True(error.Length > 0);
        Assert.Contains(says, error, StringComparison.Ordinal);
        AssertAllThereOnce(_directory, acknowledged);
    }

    [Fact]
    public async Task A_full_disk_loses_nothing_and_a_start_after_making_room_goes_on()
    {
        var mount = Path.Combine(_directory, "small");
        Directory.CreateDirectory(mount);
        Assert.SkipUnless(await Run("mount", "-t", "tmpfs", "-o", "size=1200k", "none", mount) == 0, "mounting needs root");
        try
        {
            var ballast = Path.Combine(mount, "ballast");
            await File.WriteAllBytesAsync(ballast, new byte[300_000], Cancel);
            using var child = JournalChild.Start(mount, 0);
            var (acknowledged, error) = (-1, "");
            while (await child.StandardOutput.ReadLineAsync(Cancel) is { } line)
            {
                if (line.StartsWith("error ", StringComparison.Ordinal)) error = line;
                else acknowledged = Acknowledged(line, acknowledged);
            }
            await child.WaitForExitAsync(Cancel);
            Assert.Contains("No space left", error, StringComparison.Ordinal);
            Assert.True(acknowledged > 100);

            File.Delete(ballast);
            AssertAllThereOnce(mount, acknowledged);
            using var journal = DiskJournal.Open(JournalChild.Options(mount), TimeProvider.System);
            Assert.Equal(1, (await journal.AppendAsync(JournalChild.Batch(1_000_000, 1), Cancel)).Stored);
        }
        finally
        {
            await Run("umount", "-l", mount);
        }
    }

    [Fact]
    public async Task A_second_process_is_refused_by_name_and_a_view_reads_beside_the_writer()
    {
        using var child = JournalChild.Start(_directory, 0);
        while (Acknowledged(await child.StandardOutput.ReadLineAsync(Cancel), -1) < 0)
        {
        }
        var refused = Assert.Throws<IOException>(() => DiskJournal.Open(JournalChild.Options(_directory), TimeProvider.System));
        Assert.Contains($"process {child.Id}", refused.Message, StringComparison.Ordinal);

        using var view = JournalView.Open(JournalChild.Options(_directory), TimeProvider.System)!;
        using var reader = view.OpenReader(0);
        var (seen, batch) = (0L, new JournalBatch());
        while (seen < 2000)
        {
            if (reader.Read(batch) == 0) await reader.WaitAsync(Cancel);
            for (var i = 0; i < batch.Count; i++)
            {
                Assert.True(EventEncoding.TryRead(batch[i], out var e));
                Assert.Equal(seen++.ToString(CultureInfo.InvariantCulture), Encoding.UTF8.GetString(e.Id));
            }
            var ledger = view.Ledger;
            Assert.Equal(ledger.Total.In, ledger.Total.Stored + ledger.Total.Duplicates + ledger.Total.Quarantined);
        }
        child.Kill();
        await child.WaitForExitAsync(Cancel);
    }

    /// <summary>Opens it the normal way and checks everything that must hold.</summary>
    static RecoveryReport AssertAllThereOnce(string directory, int acknowledged)
    {
        using var journal = DiskJournal.Open(JournalChild.Options(directory), TimeProvider.System);
        using var reader = journal.OpenReader(0L);
        var (batch, seen) = (new JournalBatch(), new HashSet<int>());
        while (reader.Read(batch) > 0)
        {
            for (var i = 0; i < batch.Count; i++)
            {
                Assert.True(EventEncoding.TryRead(batch[i], out var e));
                Assert.Equal(batch.First + i, e.Offset);
                Assert.True(seen.Add(int.Parse(e.Id, CultureInfo.InvariantCulture)));
            }
        }
        for (var i = 0; i <= acknowledged; i++) Assert.Contains(i, seen);
        var total = journal.Ledger.Total;
        Assert.Equal((journal.DurableEnd, total.In), (seen.Count, total.Stored + total.Duplicates));
        return journal.Recovery;
    }

    static int Acknowledged(string? line, int before) =>
        line is not null && line.StartsWith("ack ", StringComparison.Ordinal)
            ? int.Parse(line.AsSpan(4), CultureInfo.InvariantCulture)
            : line is null ? throw new InvalidOperationException("The child ended early.") : before;

    static async Task<int> Run(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true })!;
        await process.WaitForExitAsync(Cancel);
        return process.ExitCode;
    }
}
