using System.Diagnostics;
using System.Globalization;
using System.IO.Compression;
using System.IO.Pipes;
using System.Text;
using Logwarden.Commands;
using Logwarden.Hosting;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

public sealed class IngestRunTests : IDisposable
{
    const int Lines = 20_000;

    readonly ScratchFolder _scratch = new();

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => _scratch.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Progress_goes_on_within_a_file_by_the_bytes_that_lie_there(bool isPacked)
    {
        var file = _scratch.File("app.log");
        await using (var raw = File.Create(file))
        {
            await using Stream output = isPacked ? new GZipStream(raw, CompressionLevel.Fastest) : raw;
            await output.WriteAsync(Events(), Cancel);
        }
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, Cancel);
        var route = Installation.Route(installation.Sources.Ensure("shop", "app").Source);
        var told = new StringWriter(CultureInfo.InvariantCulture);
        // Whenever it looks at the clock, it is time for another line.
        var time = new FakeTimeProvider { AutoAdvanceAmount = TimeSpan.FromSeconds(11) };
        using var progress = new ProgressLine("ingest", new FileInfo(file).Length, time, told);
        var run = new IngestRun(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System) { Workers = 1 };

        await run.RunAsync([file], Cancel);

        Assert.Equal(Lines, run.Result.Stored);
        var shares = told.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => line.Split(' ').First(word => word.Length > 0 && char.IsAsciiDigit(word[0]))).ToArray();
        Assert.Contains(shares, share => int.Parse(share, CultureInfo.InvariantCulture) is > 0 and < 100);
        Assert.Equal("100", shares[^1]);
    }

    [Fact]
    public async Task What_comes_through_a_named_pipe_is_new_each_time()
    {
        var pipe = _scratch.File("app.pipe");
        using (var made = Process.Start("mkfifo", [pipe])) await made.WaitForExitAsync(Cancel);
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, Cancel);
        var route = Installation.Route(installation.Sources.Ensure("shop", "app").Source);
        for (var round = 0; round < 2; round++)
        {
            using var progress = new ProgressLine("ingest", 0, TimeProvider.System, TextWriter.Null);
            var run = new IngestRun(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System);
            // Opening waits for the reader.
            var writing = Task.Run(() =>
            {
                using var output = new FileStream(pipe, FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
                output.Write("{\"user\":\"ada\",\"action\":\"start\",\"message\":\"started\"}\n"u8);
            }, Cancel);

            await run.RunAsync([pipe], Cancel);
            await writing;

            Assert.Equal((1, 0), (run.Result.Stored, run.Result.Duplicates));
        }
    }

    [Fact(Timeout = 60_000)]
    public async Task What_came_through_a_pipe_is_durable_before_more_comes()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, cancel);
        await using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using var progress = new ProgressLine("ingest", 0, TimeProvider.System, TextWriter.Null);
        var run = Run(installation, progress, "app");

        var running = run.RunAsync([PathOf(pipe)], cancel);
        foreach (var (text, end) in ((string, int)[])[(Event(0), 1), ("-----BEGIN \n" + Event(1), 3), (Event(2) + Event(3) + Event(4)[..6], 5), (Event(4)[6..], 6)])
        {
            pipe.Write(Encoding.UTF8.GetBytes(text));
            Assert.True(await installation.Journal.WaitAsync(end - 1, cancel));
            Assert.Equal(end, installation.Journal.DurableEnd);
            Assert.False(running.IsCompleted);
        }
        await pipe.DisposeAsync();
        await running;

        Assert.Equal((5, 1), (run.Result.Stored, run.Result.Quarantined));
    }

    [Fact(Timeout = 60_000)]
    public async Task The_last_line_of_a_server_log_does_not_wait_for_the_next()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, cancel);
        await using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using var progress = new ProgressLine("ingest", 0, TimeProvider.System, TextWriter.Null);
        var run = Run(installation, progress, "pgaudit");

        var running = run.RunAsync([PathOf(pipe)], cancel);
        foreach (var (text, end) in ((string, int)[])[("LOG:  received SIGHUP\n", 1), ("LOG:  statement: SELECT 1\n\t, 2\n\t, 3\n", 2), ("LOG:  half of a li", 2), ("ne\n", 3)])
        {
            pipe.Write(Encoding.UTF8.GetBytes(text.StartsWith("LOG", StringComparison.Ordinal) ? "2026-11-24 14:07:59 UTC " + text : text));
            Assert.True(await installation.Journal.WaitAsync(end - 1, cancel));
            Assert.Equal(end, installation.Journal.DurableEnd);
            Assert.False(running.IsCompleted);
        }
        await pipe.DisposeAsync();
        await running;

        Assert.Equal((3, 0), (run.Result.Stored, run.Result.Quarantined));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_stop_ends_a_pipe_that_nobody_writes_into_and_what_was_read_of_it_is_stored()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, cancel);
        await using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using var progress = new ProgressLine("ingest", 0, TimeProvider.System, TextWriter.Null);
        using var stop = new CancellationTokenSource();
        var run = Run(installation, progress, "app");

        var running = run.RunAsync([PathOf(pipe)], stop.Token);
        pipe.Write(Encoding.UTF8.GetBytes(Event(0) + "{\"id\":\"half"));
        Assert.True(await installation.Journal.WaitAsync(0, cancel));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);

        Assert.Equal((1, 1, 2), (run.Result.Stored, run.Result.Quarantined, installation.Journal.DurableEnd));
        // What comes afterwards is left to whoever reads the pipe next.
        pipe.Write("later"u8);
        using var next = new FileStream(PathOf(pipe), FileMode.Open, FileAccess.Read);
        var later = new byte[5];
        await next.ReadExactlyAsync(later, cancel);
        Assert.Equal("later", Encoding.UTF8.GetString(later));
    }

    [Fact(Timeout = 60_000)]
    public async Task A_stop_ends_a_pipe_that_never_runs_dry()
    {
        var cancel = TestContext.Current.CancellationToken;
        await using var installation = await Installation.OpenAsync(new InstallationOptions { Data = _scratch.File("data") }, TimeProvider.System, cancel);
        await using var pipe = new AnonymousPipeServerStream(PipeDirection.Out);
        using var progress = new ProgressLine("ingest", 0, TimeProvider.System, TextWriter.Null);
        using var stop = new CancellationTokenSource();
        var run = Run(installation, progress, "app");

        var running = run.RunAsync([PathOf(pipe)], stop.Token);
        var writing = Task.Run(() =>
        {
            for (var i = 0; !running.IsCompleted; i++) pipe.Write(Encoding.UTF8.GetBytes(Event(i)));
        }, cancel);
        Assert.True(await installation.Journal.WaitAsync(5_000, cancel));
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => running);
        // Nobody reads any more: a writer that waits for room is told.
        pipe.DisposeLocalCopyOfClientHandle();
        await Task.WhenAny(writing);
        Assert.True(writing.IsCompletedSuccessfully || writing.Exception!.InnerException is IOException);

        Assert.Equal(installation.Journal.DurableEnd, run.Result.Stored + run.Result.Quarantined);
        Assert.Equal(run.Result.Records, run.Result.Stored + run.Result.Quarantined);
    }

    static IngestRun Run(Installation installation, ProgressLine progress, string format)
    {
        var route = Installation.Route(installation.Sources.Ensure("shop", format).Source);
        return new(installation.Journal, () => installation.Worker(route), route, progress, TimeProvider.System);
    }

    static string PathOf(AnonymousPipeServerStream pipe) => $"/proc/self/fd/{pipe.GetClientHandleAsString()}";

    static string Event(int i) => $"{{\"id\":\"e{i}\",\"user\":\"ada\",\"action\":\"read\"}}\n";

    /// <summary>Events that hardly shrink, 10 MB of them: several times what is read before the first of them is stored.</summary>
    static byte[] Events()
    {
        var chance = new Random(7);
        var noise = new byte[240];
        var text = new StringBuilder();
        for (var i = 0; i < Lines; i++)
        {
            chance.NextBytes(noise);
            text.Append(CultureInfo.InvariantCulture, $"{{\"id\":\"e{i}\",\"user\":\"ada\",\"action\":\"read\",\"noise\":\"{Convert.ToHexStringLower(noise)}\"}}\n");
        }
        return Encoding.UTF8.GetBytes(text.ToString());
    }
}
