using System.Threading.Channels;
using Logwarden.Commands;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;

namespace Logwarden.Hosting;

/// <summary>What an <see cref="IngestRun"/> did.</summary>
/// <param name="Records">Records and framing errors read.</param>
/// <param name="Stored">Events stored.</param>
/// <param name="Duplicates">Events that had been stored before.</param>
/// <param name="Quarantined">Records that could not be taken in.</param>
/// <param name="Bytes">Bytes read, after decompression.</param>
sealed record IngestResult(long Records, long Stored, long Duplicates, long Quarantined, long Bytes);

/// <summary>
/// Takes files through the pipeline: one reader cuts records into chunks, a worker for each core makes events of them and appends
/// those to the journal. A worker normalises its next chunk while the journal syncs the ones before.
/// </summary>
sealed class IngestRun(DiskJournal journal, Func<IntakeWorker> makeWorker, IntakeRoute route, ProgressLine progress, TimeProvider time)
{
    const int ChunkBytesMax = 512 * 1024;
    const int ChunkRecordsMax = 1000;
    const int ChunksWaiting = 4;

    // Batches of one worker that wait for the disk while it makes the next one: with fewer, both cores stand still during each sync.
    const int InFlightMax = 3;

    readonly DiskJournal _journal = journal;
    readonly IntakeRoute _route = route;
    readonly Channel<Chunk> _full = Channel.CreateBounded<Chunk>(ChunksWaiting);
    Channel<Chunk> _empty = null!;
    long _records;
    long _stored;
    long _duplicates;
    long _quarantined;
    long _bytes;
    long _done;
    int _waits;
    int _broken;

    /// <summary>Threads that make events. Default one for each core.</summary>
    public int Workers { get; init; } = Math.Max(1, Environment.ProcessorCount);

    /// <summary>What it did so far.</summary>
    public IngestResult Result => new(Interlocked.Read(ref _records), Interlocked.Read(ref _stored), Interlocked.Read(ref _duplicates), Interlocked.Read(ref _quarantined), Interlocked.Read(ref _bytes));

    /// <summary>Files whose compressed data is damaged or cut off: what could be read of them was taken in.</summary>
    public int BrokenFiles => Volatile.Read(ref _broken);

    /// <summary>Runs to the end of the files. Stopped early, it ends with everything that it read of a pipe or took in of a file durable.</summary>
    /// <exception cref="IOException">The journal or a file failed.</exception>
    public async Task RunAsync(IReadOnlyList<string> files, CancellationToken cancel)
    {
        var chunks = ChunksWaiting + Workers + 1;
        _empty = Channel.CreateBounded<Chunk>(chunks);
        for (var i = 0; i < chunks; i++) _empty.Writer.TryWrite(new Chunk());
#pragma warning disable CA2025 // every task is awaited below, before it is disposed of
        // A worker that failed ends the reader; a stop does not: what the reader has in hand it hands over first.
        using var failed = new CancellationTokenSource();
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancel, failed.Token);
        var reading = Task.Factory.StartNew(() => Read(files, cancel, failed.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
        var working = Enumerable.Range(0, Workers).Select(_ => Task.Run(() => WorkAsync(failed, ended.Token), CancellationToken.None)).ToArray();
        await Task.WhenAll([.. working, reading]);
#pragma warning restore CA2025
    }

    /// <summary>Reads the files. A thread of its own: it waits for pipes and for workers.</summary>
    void Read(IReadOnlyList<string> files, CancellationToken stop, CancellationToken failed)
    {
        try
        {
            foreach (var file in files)
            {
                stop.ThrowIfCancellationRequested();
                new FileReading(this, file, failed).Run(stop);
            }
        }
        finally
        {
            _full.Writer.TryComplete();
        }
    }

    void Tell(string file, NormalizeError broken)
    {
        Interlocked.Increment(ref _broken);
        progress.Tell($"error: {file}: {broken.Reason}. What could be read of it is taken in, and the fault is in quarantine; the rest is missing: get the file again.");
    }

    Chunk EmptyChunk(CancellationToken failed)
    {
        var chunk = _empty.Reader.ReadAsync(failed).AsTask().GetAwaiter().GetResult();
        chunk.Clear();
        return chunk;
    }

    void Give(Chunk chunk, CancellationToken failed)
    {
        if (!_full.Writer.TryWrite(chunk)) _full.Writer.WriteAsync(chunk, failed).AsTask().GetAwaiter().GetResult();
    }

    async Task WorkAsync(CancellationTokenSource failed, CancellationToken ended)
    {
        try
        {
            var worker = makeWorker();
            var batches = Enumerable.Range(0, InFlightMax + 1).Select(_ => new AppendBatch { Source = _route.Source }).ToArray();
            var inFlight = new Queue<Task<AppendReceipt>>(InFlightMax);
            var turn = 0;
            await foreach (var chunk in _full.Reader.ReadAllAsync(CancellationToken.None))
            {
                var batch = batches[turn];
                turn = (turn + 1) % batches.Length;
                batch.Clear();
                chunk.AddTo(worker, batch);
                Interlocked.Add(ref _records, chunk.Count);
                _empty.Writer.TryWrite(chunk);
                if (inFlight.Count == InFlightMax) Count(await inFlight.Dequeue());
                inFlight.Enqueue(AppendAsync(batch, ended));
            }
            while (inFlight.Count > 0) Count(await inFlight.Dequeue());
        }
        catch (Exception)
        {
            // The reader must not wait for a worker that is gone.
            await failed.CancelAsync();
            throw;
        }
    }

    /// <summary>Appends; when the journal is full, waits until the sealer has made room.</summary>
    async Task<AppendReceipt> AppendAsync(AppendBatch batch, CancellationToken cancel)
    {
        while (true)
        {
            try
            {
                return await _journal.AppendAsync(batch, CancellationToken.None);
            }
            catch (JournalFullException full)
            {
                if (Interlocked.Exchange(ref _waits, 1) == 0)
                    progress.Tell("the journal is full: waiting until what it holds is sealed and archived; it goes on by itself, and may be stopped and run again");
                await Task.Delay(full.RetryAfter, time, cancel);
            }
        }
    }

    void Count(AppendReceipt receipt)
    {
        Interlocked.Exchange(ref _waits, 0);
        Interlocked.Add(ref _stored, receipt.Stored);
        Interlocked.Add(ref _duplicates, receipt.Duplicates);
        Interlocked.Add(ref _quarantined, receipt.Quarantined);
        progress.Report(Interlocked.Read(ref _done), string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{_stored + _duplicates:N0} events"));
    }

    /// <summary>Cuts one file or pipe into chunks.</summary>
    sealed class FileReading(IngestRun run, string file, CancellationToken failed)
    {
        readonly long _before = Interlocked.Read(ref run._done);
        Stream? _packed;
        LivePipeStream? _pipe;
        RecordReader? _reader;
        RecordOrigin? _origin;
        Chunk? _chunk;
        long _counted;

        /// <exception cref="OperationCanceledException">It was stopped before the end; what was read is handed over.</exception>
        public void Run(CancellationToken stop)
        {
            // A pipe is not waited for when there is nobody any more to give what comes to.
            using var end = CancellationTokenSource.CreateLinkedTokenSource(stop, failed);
            using var packed = Open(end.Token);
            using var input = Decompression.Open(packed, DecompressionLimits.Default);
            _reader = new RecordReader(input, Decompression.IsUnpacked(input) ? null : _pipe, run._route.Format.Framing, RecordLimits.Default);
            // A file can be read again. What was read of a pipe can not: a stop ends it, and what was in hand goes the whole way.
            while (_pipe is not null || !stop.IsCancellationRequested)
            {
                if (!_reader.Read(out var record))
                {
                    HandOver();
                    if (_pipe is { IsStopped: true }) break;
                    return;
                }
                _chunk ??= run.EmptyChunk(failed);
                _chunk.Add(record);
                if (_chunk.Count >= ChunkRecordsMax || _chunk.Bytes >= ChunkBytesMax) HandOver();
            }
            HandOver();
            stop.ThrowIfCancellationRequested();
        }

        Stream Open(CancellationToken stop)
        {
            _packed = Input.IsStandard(file) ? null : Input.OpenPacked(file);
            if (_packed is { CanSeek: true } or not (null or FileStream)) return _packed;
            // Whoever writes into it may take as long as they like: what has come is not held back until they go on.
            return _pipe = _packed is FileStream opened ? new LivePipeStream(opened.SafeFileHandle, HandOver, stop) : LivePipeStream.Standard(HandOver, stop);
        }

        /// <summary>Gives what was read to the workers.</summary>
        void HandOver()
        {
            if (_reader is null) return;
            Interlocked.Add(ref run._bytes, _reader.Offset - _counted);
            _counted = _reader.Offset;
            // Of the file as it lies there, compressed or not: that is what its size tells.
            if (_packed is { CanSeek: true }) Interlocked.Exchange(ref run._done, _before + _packed.Position);
            if (_chunk is not { } chunk) return;
            _chunk = null;
            chunk.Origin = _origin ??= Origin(chunk.First);
            if (chunk.Broken is { } broken && _pipe is not { IsStopped: true }) run.Tell(file, broken);
            run.Give(chunk, failed);
        }

        // What can't be gone back in can't be read again: the same record at the same place is another one.
        RecordOrigin Origin(ReadOnlySpan<byte> first) =>
            _pipe is null ? RecordOrigin.File(run._journal.Keys, file, first) : RecordOrigin.Pipe(Input.IsStandard(file) ? "stdin" : Path.GetFileName(file));
    }

    /// <summary>Records copied out of the reader, to be worked on by another thread. Cleared on return: they are not redacted yet.</summary>
    sealed class Chunk
    {
        readonly List<(int Start, int Length, bool IsCut, RecordPosition Position, NormalizeError? Error)> _records = [];
        byte[] _buffer = new byte[ChunkBytesMax + 64 * 1024];

        public int Count => _records.Count;

        public int Bytes { get; private set; }

        /// <summary>Why the input ended before its end.</summary>
        public NormalizeError? Broken { get; private set; }

        public RecordOrigin Origin { get; set; } = RecordOrigin.None;

        public ReadOnlySpan<byte> First => _buffer.AsSpan(0, _records[0].Length);

        public void Clear()
        {
            _buffer.AsSpan(0, Bytes).Clear();
            _records.Clear();
            (Bytes, Broken) = (0, null);
        }

        public void Add(in FramedRecord record)
        {
            if (_buffer.Length - Bytes < record.Bytes.Length) Array.Resize(ref _buffer, Math.Max(_buffer.Length * 2, Bytes + record.Bytes.Length));
            record.Bytes.CopyTo(_buffer.AsSpan(Bytes));
            _records.Add((Bytes, record.Bytes.Length, record.IsCut, record.Position, record.Error));
            Bytes += record.Bytes.Length;
            if (record.Error is { Code: "corrupt-compression" or "decompression-limit" }) Broken = record.Error;
        }

        public void AddTo(IntakeWorker worker, AppendBatch batch)
        {
            foreach (var (start, length, isCut, position, error) in _records)
            {
                worker.Add(new FramedRecord { Bytes = _buffer.AsSpan(start, length), IsCut = isCut, Position = position, Error = error }, Origin, batch);
            }
        }
    }
}
