using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Logwarden.Hot;
using Logwarden.Query;

namespace Logwarden.Sql;

/// <summary>
/// The process that runs SQL that someone wrote: it reads tasks from its standard input, one at a time, and prints answers to its standard output. The kernel bounds its memory and
/// lets it write no file; it has no environment and ends with the process that started it. Started by <see cref="SqlWorkers"/>.
/// </summary>
static class SqlWorker
{
    /// <summary>Runs until its input ends.</summary>
    public static void Run(string data, SqlLimits limits)
    {
        ProcessLimits.GoFirst();
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        using var engine = new QueryEngine(
            new HotStoreOptions { DataDirectory = data, Database = new() { MemoryBytesMax = limits.TableBytesMax } }, limits.Query, TimeProvider.System);
        ProcessLimits.Set(limits.MemoryBytesMax);
        using var tasks = new BlockingCollection<SqlTask>();
        new Thread(() => Listen(input, tasks)) { IsBackground = true, Name = "tasks" }.Start();
        foreach (var task in tasks.GetConsumingEnumerable()) Answer(engine, task, output);
    }

    static void Listen(Stream input, BlockingCollection<SqlTask> tasks)
    {
        while (SqlFrames.ReadAsync(input, CancellationToken.None).GetAwaiter().GetResult() is { Kind: SqlFrames.Task } frame)
            tasks.Add(JsonSerializer.Deserialize(frame.Bytes, SqlJson.Default.SqlTask)!);
        // Nobody waits for an answer any more, and the statement under way may be a long one.
        Process.GetCurrentProcess().Kill();
    }

    static void Answer(QueryEngine engine, SqlTask task, Stream output)
    {
        try
        {
            var answer = engine.SqlAsync(task.Sql, task.Scope, CancellationToken.None).GetAwaiter().GetResult();
            using (var pieces = new BufferedStream(new PieceStream(output), 64 * 1024))
                new EventExport(pieces, task.Format, task.Width).WriteAsync(answer, CancellationToken.None).GetAwaiter().GetResult();
            SqlFrames.Write(output, SqlFrames.End, SqlFrames.Bytes(new SqlEnd(answer.Rows.Count, answer.Truncated, answer.Elapsed)));
        }
        catch (QueryRefusedException refused)
        {
            SqlFrames.Write(output, SqlFrames.Refused, Encoding.UTF8.GetBytes(refused.Message));
        }
        catch (IOException failed)
        {
            SqlFrames.Write(output, SqlFrames.Failed, Encoding.UTF8.GetBytes(failed.Message));
        }
    }

    /// <summary>Each write is a piece of the answer.</summary>
    sealed class PieceStream(Stream pipe) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Write(ReadOnlySpan<byte> buffer) => SqlFrames.Write(pipe, SqlFrames.Piece, buffer);

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => pipe.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
