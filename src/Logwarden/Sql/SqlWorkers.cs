using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Logwarden.Query;

namespace Logwarden.Sql;

/// <summary>What a statement may take.</summary>
sealed record SqlLimits
{
    /// <summary>Bytes of memory that a worker may take beyond what it starts with, values that functions make included. Default 1.25 GiB.</summary>
    public long MemoryBytesMax { get; init; } = 1280L << 20;

    /// <summary>Rows and bytes of an answer, and its time.</summary>
    public QueryLimits Query { get; init; } = new();

    /// <summary>Statements at a time; more wait. Default 2.</summary>
    public int ConcurrentMax { get; init; } = 2;

    /// <summary>Of the memory, bytes for tables and aggregates, which the database counts itself: its error is the better one, and comes first.</summary>
    public long TableBytesMax => MemoryBytesMax * 3 / 5;
}

/// <summary>
/// Runs SQL in processes of their own (<see cref="SqlWorker"/>). The database bounds the memory of tables, and not that of a value while a function makes it, so
/// any <c>||</c> in a chain could take the memory that taking in needs. A worker that reaches its bound ends, and only its statement with it. Workers stay, since they know the events
/// that are not sealed yet. Thread-safe.
/// </summary>
sealed class SqlWorkers : IDisposable
{
    static readonly TimeSpan Grace = TimeSpan.FromSeconds(5);

    readonly string _data;
    readonly string _program;
    readonly SqlLimits _limits;
    readonly TimeProvider _time;
#pragma warning disable CA2213 // statements that end after this was disposed of still use them; they hold nothing of the system
    readonly SemaphoreSlim _turns;
    readonly CancellationTokenSource _ended = new();
#pragma warning restore CA2213
    readonly Lock _gate = new();
    readonly Stack<Worker> _idle = new();
    bool _disposed;

    /// <param name="data">The installation's folder.</param>
    /// <param name="limits">What a statement may take.</param>
    /// <param name="time">Clock.</param>
    /// <param name="program">The program that a worker is; null is this one.</param>
    public SqlWorkers(string data, SqlLimits limits, TimeProvider time, string? program = null)
    {
        (_data, _limits, _time) = (data, limits, time);
        _program = program ?? Path.Combine(AppContext.BaseDirectory, "logwarden");
        _turns = new(limits.ConcurrentMax, limits.ConcurrentMax);
    }

    /// <summary>Runs a statement and prints its answer to <paramref name="output"/>.</summary>
    /// <exception cref="QueryRefusedException">It may not run, has an error, or reached a bound; the message says which.</exception>
    /// <exception cref="IOException">A worker can't be started, or can't read the events.</exception>
    public async Task<SqlEnd> AnswerAsync(SqlTask task, Stream output, CancellationToken cancel)
    {
        using (var either = CancellationTokenSource.CreateLinkedTokenSource(cancel, _ended.Token)) await _turns.WaitAsync(either.Token);
        try
        {
            using var clock = new CancellationTokenSource(_limits.Query.TimeMax + Grace, _time);
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(clock.Token, _ended.Token, cancel);
            try
            {
                return await InWorkerAsync(task, output, stop.Token) ?? throw new QueryRefusedException(
                    $"The statement needed more than the {_limits.MemoryBytesMax >> 20} MiB of memory that one may take, or broke the database in another way, and was stopped. Ask for less at once: smaller values, fewer columns, a narrower time.");
            }
            catch (OperationCanceledException late) when (!cancel.IsCancellationRequested && !_ended.IsCancellationRequested)
            {
                throw new QueryRefusedException($"The query took longer than {_limits.Query.TimeMax.TotalSeconds:0.#} s and was stopped. Narrow its times or its conditions.", late);
            }
        }
        finally
        {
            _turns.Release();
        }
    }

    async Task<SqlEnd?> AnswerOnceAsync(Worker worker, CancellationTokenRegistration killing, Stream output, CancellationToken stop)
    {
        var isWhole = false;
        try
        {
            var end = await worker.AnswerAsync(output, stop);
            isWhole = end is not null; // one that gave no answer is dying, and must not get the next statement
            return end;
        }
        catch (QueryRefusedException)
        {
            isWhole = true;
            throw;
        }
        finally
        {
            // Before it can be another's: a stop that comes late must not kill what works for somebody else by then.
            await killing.DisposeAsync();
            if (!isWhole || !Keep(worker)) worker.Dispose();
        }
    }

    // Null when the worker ended without an answer.
    async Task<SqlEnd?> InWorkerAsync(SqlTask task, Stream output, CancellationToken stop)
    {
        while (true)
        {
            var (worker, isNew) = Take();
            // Killed, it neither waits for its input nor answers: whatever it hangs in, the statement ends in time.
            var killing = stop.Register(worker.Kill);
            if (worker.TrySend(task)) return await AnswerOnceAsync(worker, killing, output, stop);
            await killing.DisposeAsync();
            worker.Dispose();
            stop.ThrowIfCancellationRequested();
            // An idle one that ended just now did not see the statement: another one gets it.
            if (isNew) return null;
        }
    }

    /// <summary>Ends the workers.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _disposed = true;
            while (_idle.TryPop(out var worker)) worker.Dispose();
        }
        // Those under way end too. Nothing is disposed of that they still use.
        _ended.Cancel();
    }

    (Worker Worker, bool IsNew) Take()
    {
        lock (_gate)
        {
            ObjectDisposedException.ThrowIf(_disposed, this);
            while (_idle.TryPop(out var worker))
            {
                if (worker.IsAlive) return (worker, false);
                worker.Dispose();
            }
        }
        return (new(_program, _data, _limits), true);
    }

    bool Keep(Worker worker)
    {
        // One that has grown is not kept: the next statement would meet its bound early, through no fault of its own.
        if (!worker.IsAlive || worker.SpareBytes < _limits.MemoryBytesMax * 3 / 4) return false;
        lock (_gate)
        {
            if (_disposed) return false;
            _idle.Push(worker);
            return true;
        }
    }

    sealed class Worker : IDisposable
    {
        // What the worker's runtime needs to find itself; nothing else of the environment, where keys are, is its business.
        static readonly string[] Variables = ["PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH"];

        readonly Process _process;

        public Worker(string program, string data, SqlLimits limits)
        {
            var start = new ProcessStartInfo(program, Arguments(data, limits)) { UseShellExecute = false, RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
            var kept = Variables.Select(name => (name, value: Environment.GetEnvironmentVariable(name))).ToList();
            start.Environment.Clear();
            foreach (var (name, value) in kept) start.Environment[name] = value;
            start.Environment["DOTNET_ROOT"] = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
            start.Environment["DOTNET_EnableDiagnostics"] = "0";
            start.Environment["DOTNET_EnableWriteXorExecute"] = "0"; // it needs a file, and the worker may write none
            start.Environment["DOTNET_gcConcurrent"] = "0";
            start.Environment["DOTNET_TieredPGO"] = "0";
            try
            {
                _process = Process.Start(start)!;
            }
            catch (Win32Exception refused)
            {
                throw new IOException($"The process that runs SQL can't be started: {refused.Message}. Is {program} there, and may it be run?", refused);
            }
            // What a dying runtime prints may hold data; nobody reads it.
            _process.ErrorDataReceived += (_, _) => { };
            _process.BeginErrorReadLine();
        }

        public bool IsAlive => !_process.HasExited;

        /// <summary>How much of its memory is still free; 0 when it ended just now.</summary>
        public long SpareBytes => ProcessLimits.SpareOf(_process.Id);

        /// <summary>Gives it a statement; false when it is gone.</summary>
        public bool TrySend(SqlTask task)
        {
            try
            {
                SqlFrames.Write(_process.StandardInput.BaseStream, SqlFrames.Task, SqlFrames.Bytes(task));
                return true;
            }
            catch (IOException)
            {
                return false;
            }
        }

        /// <summary>The answer to what it was given last; null when it ended without one.</summary>
        public async Task<SqlEnd?> AnswerAsync(Stream output, CancellationToken cancel)
        {
            while (await SqlFrames.ReadAsync(_process.StandardOutput.BaseStream, SqlFrames.AnswerBytesMax, cancel) is { } frame)
            {
                if (frame.Kind == SqlFrames.End) return JsonSerializer.Deserialize(frame.Bytes, SqlJson.Default.SqlEnd);
                if (frame.Kind == SqlFrames.Refused) throw new QueryRefusedException(Encoding.UTF8.GetString(frame.Bytes));
                if (frame.Kind == SqlFrames.Failed) throw new IOException(Encoding.UTF8.GetString(frame.Bytes));
                await output.WriteAsync(frame.Bytes, cancel);
            }
            cancel.ThrowIfCancellationRequested();
            return null;
        }

        /// <summary>Ends it at once.</summary>
        public void Kill()
        {
            try
            {
                _process.Kill();
            }
            catch (InvalidOperationException)
            {
                // it has ended, or was disposed of
            }
        }

        public void Dispose()
        {
            Kill();
            _process.Dispose();
        }

        static string[] Arguments(string data, SqlLimits limits) =>
        [
            Commands.SqlWorkerCommand.Name, "--data", data,
            .. Commands.SqlWorkerCommand.Bounds(limits),
        ];
    }
}
