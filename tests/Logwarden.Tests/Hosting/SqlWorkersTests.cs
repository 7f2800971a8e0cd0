using Logwarden.Query;
using Logwarden.Sql;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Hosting;

public sealed class SqlWorkersTests : IDisposable
{
    readonly ScratchFolder _scratch = new();

    public void Dispose() => _scratch.Dispose();

    [Fact]
    public async Task A_worker_that_gave_no_answer_does_not_get_the_next_statement()
    {
        // It ends its output and lives on, as one does for a moment that the kernel ends for its memory.
        var program = Path.Combine(Directory.CreateTempSubdirectory("logwarden-test-").FullName, "worker");
        await File.WriteAllTextAsync(program, $"#!/bin/sh\necho $$ >>{_scratch.File("started")}\nexec >&-\nexec cat >/dev/null\n", TestContext.Current.CancellationToken);
        if (!OperatingSystem.IsWindows()) File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        using (var workers = new SqlWorkers(_scratch.Root, new(), TimeProvider.System, program))
        {
            for (var i = 0; i < 2; i++)
            {
                var refused = await Assert.ThrowsAsync<QueryRefusedException>(() => workers.AnswerAsync(new("SELECT 1", new(), ExportFormat.Json, 0), Stream.Null, TestContext.Current.CancellationToken));
                Assert.Contains("of memory that one may take", refused.Message, StringComparison.Ordinal);
            }
        }

        Assert.Equal(2, (await File.ReadAllLinesAsync(_scratch.File("started"), TestContext.Current.CancellationToken)).Length);
        Directory.Delete(Path.GetDirectoryName(program)!, recursive: true);
    }
}
