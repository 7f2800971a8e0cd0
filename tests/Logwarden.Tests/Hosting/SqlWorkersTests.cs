using System.Text;
using Logwarden.Query;
using Logwarden.Sql;
using Logwarden.Tests.World;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Tests.Hosting;

/// <summary>What the one that asks does when a worker misbehaves; the workers here are scripts.</summary>
public sealed class SqlWorkersTests : IDisposable
{
    readonly ScratchFolder _scratch = new();
    readonly DirectoryInfo _programs = Directory.CreateTempSubdirectory("logwarden-test-");

    SqlWorkers? _workers;

    public void Dispose()
    {
        _workers?.Dispose();
        _programs.Delete(recursive: true);
        _scratch.Dispose();
    }

    static readonly SqlTask One = new("SELECT 1", new(), ExportFormat.Json, 0);
    static readonly SqlTask Large = new("SELECT '" + new string('x', 300_000) + "'", new(), ExportFormat.Json, 0);

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_worker_that_gave_no_answer_does_not_get_the_next_statement()
    {
        // It ends its output and lives on, as one does for a moment that the kernel ends for its memory.
        Start($"echo $$ >>{_scratch.File("started")}\nexec >&-\nexec cat >/dev/null\n");
        for (var i = 0; i < 2; i++)
        {
            var refused = await Assert.ThrowsAsync<QueryRefusedException>(() => _workers!.AnswerAsync(One, Stream.Null, Cancel));
            Assert.Contains("of memory that one may take", refused.Message, StringComparison.Ordinal);
        }

        Assert.Equal(2, (await File.ReadAllLinesAsync(_scratch.File("started"), Cancel)).Length);
    }

    [Fact]
    public async Task A_worker_that_does_not_read_holds_nobody_up_beyond_the_time_of_a_statement()
    {
        var time = new FakeTimeProvider();
        Start($"touch {_scratch.File("started")}\nexec sleep 600\n", time);
        var asked = Task.Run(() => _workers!.AnswerAsync(Large, Stream.Null, Cancel), Cancel);
        await Until(() => File.Exists(_scratch.File("started")));

        time.Advance(TimeSpan.FromMinutes(1));

        var refused = await Assert.ThrowsAsync<QueryRefusedException>(() => asked);
        Assert.Contains("took longer", refused.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Whoever_is_gone_stops_the_statement_also_while_it_is_handed_over()
    {
        Start($"touch {_scratch.File("started")}\nexec sleep 600\n");
        using var gone = new CancellationTokenSource();
        var asked = Task.Run(() => _workers!.AnswerAsync(Large, Stream.Null, gone.Token), Cancel);
        await Until(() => File.Exists(_scratch.File("started")));

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    [Theory]
    [InlineData("p\\377\\377\\377\\377")]
    [InlineData("p\\377\\377\\377\\177")]
    public async Task A_worker_that_promises_more_than_an_answer_may_have_is_not_believed(string head)
    {
        Start($"printf '{head}'\nexec cat >/dev/null\n");

        await Assert.ThrowsAsync<QueryRefusedException>(() => _workers!.AnswerAsync(One, Stream.Null, Cancel));
    }

    [Fact]
    public async Task Ending_ends_the_statements_under_way()
    {
        Start($"touch {_scratch.File("started")}\ncat >/dev/null\n");
        var asked = _workers!.AnswerAsync(One, Stream.Null, Cancel);
        await Until(() => File.Exists(_scratch.File("started")));

        _workers!.Dispose();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    void Start(string script, TimeProvider? time = null)
    {
        // Not in the scratch folder, which may lie where nothing is run from.
        var program = Path.Combine(_programs.FullName, "worker");
        File.WriteAllBytes(program, Encoding.UTF8.GetBytes("#!/bin/sh\n" + script));
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        _workers = new(_scratch.Root, new(), time ?? TimeProvider.System, program);
    }

    static async Task Until(Func<bool> isSo)
    {
        while (!isSo()) await Task.Delay(TimeSpan.FromMilliseconds(5), TimeProvider.System, Cancel);
    }
}
