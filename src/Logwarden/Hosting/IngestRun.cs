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

    static readonly int Workers = Math.Max(1, Environment.ProcessorCount);
    static readonly int Chunks = ChunksWaiting + Workers + 1;

    readonly Channel<Chunk> _full = Channel.CreateBounded<Chunk>(ChunksWaiting);
    readonly Channel<Chunk> _empty = Channel.CreateBounded<Chunk>(Chunks);
    long _records;
    long _stored;
    long _duplicates;
    long _quarantined;
    long _bytes;
    long _done;
    int _waits;
    int _broken;

    /// <summary>What it did so far.</summary>
    public IngestResult Result => new(Interlocked.Read(ref _records), Interlocked.Read(ref _stored), Interlocked.Read(ref _duplicates), Interlocked.Read(ref _quarantined), Interlocked.Read(ref _bytes));

    /// <summary>Files whose compressed data is damaged or cut off: what could be read of them was taken in.</summary>
    public int BrokenFiles => Volatile.Read(ref _broken);

    /// <summary>Runs to the end of the files. Stopped early, it ends with everything that it took in durable.</summary>
    /// <exception cref="IOException">The journal or a file failed.</exception>
    public async Task RunAsync(IReadOnlyList<string> files, CancellationToken cancel)
    {
        for (var i = 0; i < Chunks; i++) _empty.Writer.TryWrite(new Chunk());
#pragma warning disable CA2025 // every task is awaited below, before it is disposed of
        using var failed = CancellationTokenSource.CreateLinkedTokenSource(cancel);
        var reading = Task.Factory.StartNew(() => ReadAsync(files, failed.Token), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default).Unwrap();
        var working = Enumerable.Range(0, Workers).Select(_ => Task.Run(() => WorkAsync(failed), CancellationToken.None)).ToArray();
        await Task.WhenAll([reading, .. working]);
#pragma warning restore CA2025
    }

    async Task ReadAsync(IReadOnlyList<string> files, CancellationToken cancel)
    {
        try
        {
            foreach (var file in files)
            {
                await ReadAsync(file, cancel);
            }
        }
        finally
        {
            _full.Writer.TryComplete();
        }
    }

    async Task ReadAsync(string file, CancellationToken cancel)
    {
        using var packed = Input.OpenPacked(file);
        using var input = Decompression.Open(packed, DecompressionLimits.Default);
        var reader = new RecordReader(input, route.Format.Framing, RecordLimits.Default);
        var (before, began) = (_done, 0L);
        RecordOrigin? origin = null;
        while (true)
        {
            cancel.ThrowIfCancellationRequested();
            var chunk = await _empty.Reader.ReadAsync(cancel);
            chunk.Clear();
            var more = Fill(chunk, reader);
            if (chunk.Count > 0) chunk.Origin = origin ??= Origin(file, packed, chunk.First);
            Interlocked.Add(ref _bytes, reader.Offset - began);
            began = reader.Offset;
            // Of the file as it lies there, compressed or not: that is what its size tells.
            if (packed.CanSeek) Interlocked.Exchange(ref _done, before + packed.Position);
            if (chunk.Broken is { } broken) Tell(file, broken);
            if (chunk.Count > 0) await _full.Writer.WriteAsync(chunk, cancel);
            else _empty.Writer.TryWrite(chunk);
            if (!more) return;
        }
    }

    void Tell(string file, NormalizeError broken)
    {
        Interlocked.Increment(ref _broken);
        progress.Tell($"error: {file}: {broken.Reason}. What could be read of it is taken in, and the fault is in quarantine; the rest is missing: get the file again.");
    }

    // What can't be gone back in, such as a named pipe, can't be read again: the same record at the same place is another one.
    RecordOrigin Origin(string file, Stream packed, ReadOnlySpan<byte> first) =>
        Input.IsStandard(file) ? RecordOrigin.Pipe("stdin")
        : packed.CanSeek ? RecordOrigin.File(journal.Keys, file, first)
        : RecordOrigin.Pipe(Path.GetFileName(file));

    static bool Fill(Chunk chunk, RecordReader reader)
    {
        while (chunk.Count < ChunkRecordsMax && chunk.Bytes < ChunkBytesMax)
        {
            if (!reader.Read(out var record)) return false;
            chunk.Add(record);
        }
        return true;
    }

    async Task WorkAsync(CancellationTokenSource failed)
    {
        try
        {
            var worker = makeWorker();
            var batches = Enumerable.Range(0, InFlightMax + 1).Select(_ => new AppendBatch { Source = route.Source }).ToArray();
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
                inFlight.Enqueue(AppendAsync(batch, failed.Token));
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
                return await journal.AppendAsync(batch, CancellationToken.None);
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
