using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;
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
    const int PieceBytes = 64 * 1024;
    const int MessageMax = 16_000;

    /// <summary>Runs until its input ends.</summary>
    public static void Run(string data, SqlLimits limits)
    {
        // Ctrl-C in a terminal reaches this process too; it ends when the one that asks does.
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, signal => signal.Cancel = true);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, signal => signal.Cancel = true);
        ProcessLimits.GoFirst();
        using var input = Console.OpenStandardInput();
        using var output = Console.OpenStandardOutput();
        using var engine = new QueryEngine(
            new HotStoreOptions { DataDirectory = data, Database = new() { MemoryBytesMax = limits.TableBytesMax } }, limits.Query, TimeProvider.System);
        Look(engine);
        ProcessLimits.Set(limits.MemoryBytesMax);
        using var tasks = new BlockingCollection<SqlTask>();
        new Thread(() => Listen(input, tasks)) { IsBackground = true, Name = "tasks" }.Start();
        foreach (var task in tasks.GetConsumingEnumerable()) Answer(engine, task, output);
    }

    // What is not sealed yet is read now, so that it does not count as memory of the first statement.
    static void Look(QueryEngine engine)
    {
        try
        {
            engine.CountAsync(new EventScope(), CancellationToken.None).GetAwaiter().GetResult();
        }
        catch (Exception failed) when (IsOfStorage(failed) || failed is QueryRefusedException)
        {
            // The statement will meet it too, and then there is someone to tell.
        }
    }

    static bool IsOfStorage(Exception failed) => failed is IOException or InvalidDataException or UnauthorizedAccessException;

    static void Listen(Stream input, BlockingCollection<SqlTask> tasks)
    {
        while (SqlFrames.ReadAsync(input, SqlFrames.TaskBytesMax, CancellationToken.None).GetAwaiter().GetResult() is { Kind: SqlFrames.Task } frame)
            tasks.Add(JsonSerializer.Deserialize(frame.Bytes, SqlJson.Default.SqlTask)!);
        // Nobody waits for an answer any more, and the statement under way may be a long one.
        Process.GetCurrentProcess().Kill();
    }

    static void Answer(QueryEngine engine, SqlTask task, Stream output)
    {
        try
        {
            var answer = engine.SqlAsync(task.Sql, task.Scope, CancellationToken.None).GetAwaiter().GetResult();
            using (var pieces = new BufferedStream(new PieceStream(output), PieceBytes))
                new EventExport(pieces, task.Format, task.Width).WriteAsync(answer, CancellationToken.None).GetAwaiter().GetResult();
            SqlFrames.Write(output, SqlFrames.End, SqlFrames.Bytes(new SqlEnd(answer.Rows.Count, answer.Truncated, answer.Elapsed)));
        }
        catch (QueryRefusedException refused)
        {
            SqlFrames.Write(output, SqlFrames.Refused, Said(refused));
        }
        catch (Exception failed) when (IsOfStorage(failed))
        {
            SqlFrames.Write(output, SqlFrames.Failed, Said(failed));
        }
    }

    /// <summary>A message that fits into a frame: the database repeats values in its messages, however large they are.</summary>
    static byte[] Said(Exception failed)
    {
        var text = failed.Message;
        if (text.Length <= MessageMax) return Encoding.UTF8.GetBytes(text);
        var cut = char.IsHighSurrogate(text[MessageMax - 1]) ? MessageMax - 1 : MessageMax;
        return Encoding.UTF8.GetBytes(string.Concat(text.AsSpan(0, cut), " … (cut)"));
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

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            for (; !buffer.IsEmpty; buffer = buffer[Math.Min(buffer.Length, PieceBytes)..])
                SqlFrames.Write(pipe, SqlFrames.Piece, buffer[..Math.Min(buffer.Length, PieceBytes)]);
        }

        public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public override void Flush() => pipe.Flush();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
