using System.Security.Cryptography;
using Logwarden.Archive;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Holds;
using Logwarden.Hot;
using Logwarden.Journal;
using Logwarden.Proof.Notes;
using Logwarden.Retention;
using Logwarden.Segments;

namespace Logwarden.Hosting;

/// <summary>Where an installation is and what it is configured with.</summary>
sealed record InstallationOptions
{
    /// <summary>Its folder.</summary>
    public required string Data { get; init; }

    /// <summary>Archive, as <see cref="ArchiveTarget"/> reads it; null is <c>DATA/archive</c>.</summary>
    public string? Archive { get; init; }

    /// <summary>Policy file; null is <c>DATA/policy.yaml</c>, and where there is none the shipped one.</summary>
    public string? Policy { get; init; }

    /// <summary>Whether to go on when the archive is ahead of the journal (<see cref="LossRecovery"/>).</summary>
    public bool ContinueAfterLoss { get; init; }

    /// <summary>Opens the archive; null is as <see cref="Archive"/> says. For tests of what happens when it fails.</summary>
    internal Func<IBlobStore>? OpenStore { get; init; }
}

/// <summary>
/// One installation, open for writing: its policy, journal, key, archive and sealer put together. There is one at a time for a data folder;
/// a second process is told who holds it.
/// </summary>
sealed class Installation : IAsyncDisposable
{
    /// <summary>Name of the sealer's cursor in the journal.</summary>
    public const string SealerCursor = "sealer";

    readonly JournalReader _reader;
    readonly Sealer _sealer;
    readonly IBlobStore _store;
    readonly SigningKey _key;
    readonly TimeProvider _time;
    readonly SemaphoreSlim _sealing = new(1, 1);
    readonly SemaphoreSlim _indexing = new(1, 1);
    readonly JournalBatch _batch = new();
    readonly TextIndexBuilder _textIndexes = new();
    readonly string _data;
    readonly string _segments;
    readonly HoldKeeper _keeper;

    Installation(
        string data, PolicyFile policy, DiskJournal journal, SourceRegistry sources, ControlState control, Custody custody, IBlobStore store, SigningKey key, Sealer sealer, TimeProvider time)
    {
        Control = control;
        _data = data;
        _segments = Path.Combine(data, "hot", "segments");
        Policy = policy;
        Journal = journal;
        Sources = sources;
        _store = store;
        _key = key;
        _sealer = sealer;
        Custody = custody;
        _keeper = custody.Keeper(store, [key.Verifier]);
        _time = time;
        _reader = journal.OpenReader(SealerCursor);
    }

    /// <summary>The policy in force.</summary>
    public PolicyFile Policy { get; }

    /// <summary>The journal.</summary>
    public DiskJournal Journal { get; }

    /// <summary>Who may send.</summary>
    public SourceRegistry Sources { get; }

    /// <summary>Destinations, own events and what else it knows.</summary>
    public ControlState Control { get; }

    /// <summary>Its sealed segments: which there are, which are held, which were restored.</summary>
    public Custody Custody { get; }

    /// <summary>Where the archive is.</summary>
    public string ArchiveLocation => _store.Location;

    /// <summary>What a verifier checks signatures with.</summary>
    public VerifierKey Verifier => _key.Verifier;

    /// <summary>Offset up to which everything is in the archive.</summary>
    public long SealedTo => Interlocked.Read(ref _sealedTo);

    long _sealedTo;

    /// <summary>Opens it, recovers what a crash left, and checks the archive.</summary>
    /// <exception cref="Commands.CommandException">Something is configured wrongly; the message says what to do.</exception>
    /// <exception cref="IOException">The disk or the archive failed, or another process holds the folder.</exception>
    public static async Task<Installation> OpenAsync(InstallationOptions options, TimeProvider time, CancellationToken cancel)
    {
        var (policyFile, data) = (options.Policy is null ? null : new FileInfo(options.Policy), new DirectoryInfo(options.Data));
        DurableFile.CreateDirectory(options.Data);
        var policy = PolicyFile.Load(policyFile, data);
        var aside = JournalRestart.IsUnderWay(options.Data) ? JournalRestart.CarryOut(options.Data, time).Aside : null;
        var journal = DiskJournal.Open(new JournalOptions { Directory = options.Data }, time);
        IBlobStore? store = null;
        try
        {
            if (journal.Recovery.BytesCut > 0)
            {
                await Console.Error.WriteLineAsync(
                    $"recovered {journal.Recovery.File}: cut {journal.Recovery.BytesCut} bytes of an append that was never acknowledged");
            }
            PolicyFile.Note(policyFile, data);
            var key = Key(options.Data);
            store = OpenArchive(options);
            await CheckArchiveAsync(store, policy, cancel);
            var control = ControlState.Open(options.Data, time);
            var custody = new Custody(options.Data, control.Database, control.Events, time);
            var sealer = await Sealer.Open(
                new SealerOptions { DataDirectory = options.Data, Origin = key.Verifier.Name, Retention = policy.Retention(time), Requirements = policy.Requirements(time), Holds = custody.Holds.Watch }, store, key, time, cancel);
            if (LossRecovery.Begin(options, journal, sealer.Last, time))
            {
                journal.Dispose();
                aside = JournalRestart.CarryOut(options.Data, time).Aside;
                journal = DiskJournal.Open(new JournalOptions { Directory = options.Data }, time);
            }
            var installation = new Installation(options.Data, policy, journal, SourceRegistry.Open(options.Data, time), control, custody, store, key, sealer, time);
            installation.Note();
            if (aside is not null) await LossRecovery.TellAsync(installation, options.Data, aside, time);
            if (!journal.IsFull) await OwnEventFeed.DrainAsync(installation, time);
            return installation;
        }
        catch
        {
            store?.Dispose();
            journal.Dispose();
            throw;
        }
    }

    /// <summary>The archive that the options name.</summary>
    /// <exception cref="Commands.CommandException">It is not one.</exception>
    public static IBlobStore OpenArchive(InstallationOptions options)
    {
        if (options.OpenStore is { } open) return open();
        var text = options.Archive ?? Path.Combine(options.Data, "archive");
        return ArchiveTarget.TryParse(text, out var target, out var reason) ? target.Open(TimeProvider.System)
            : throw new Commands.CommandException($"--archive {text}: {reason}");
    }

    /// <summary>What the records of a source go through.</summary>
    public static IntakeRoute Route(SourceEntry source)
    {
        var format = FormatCatalog.Find(source.Format)
            ?? throw new Commands.CommandException($"source '{source.Id}' is registered with format '{source.Format}', which this version does not have");
        return new(source.Id, format, Commands.Cli.Fields(source.Fields)) { Cloud = source.Cloud };
    }

    /// <summary>A worker of one thread.</summary>
    public IntakeWorker Worker(IntakeRoute route) => new(route, Policy.Redactor, Policy.Classifier, Journal.Keys, _time);

    /// <summary>Seals and archives everything that is durable now.</summary>
    /// <exception cref="IOException">The disk or the archive failed; what was begun is finished by the next call.</exception>
    public async Task SealAsync(CancellationToken cancel)
    {
        await _sealing.WaitAsync(cancel);
        try
        {
            var ledger = Journal.Ledger;
            // A call before may have failed when its seal was done already.
            Note();
            while (_sealer.SealedTo < ledger.DurableEnd)
            {
                await _sealer.SealEvents(Events(ledger.DurableEnd), ledger.DurableEnd, ledger, cancel);
                Note();
            }
        }
        finally
        {
            _sealing.Release();
        }
        NativeArenas.Trim();
    }

    /// <summary>Makes a run of retention, beside whatever else goes on.</summary>
    /// <param name="change">Adds whom to ask besides those that are known here.</param>
    /// <param name="cancel">Gives up; the next run goes on.</param>
    /// <exception cref="IOException">The disk or the archive failed.</exception>
    public async Task<RetentionReport> RetainAsync(Func<RetentionOptions, RetentionOptions> change, CancellationToken cancel)
    {
        var newest = RetentionWork.Newest(_data, [_key.Verifier]);
        return await RetentionRun.Run(change(RetentionWork.Options(_data, Policy, Control, Custody)), _store, _key, newest, _time, cancel);
    }

    /// <summary>
    /// Makes the text indexes that are missing. They are derived from the segments: without one queries read more and answer the same, so
    /// a failure here is told and tried again, and stops nothing.
    /// </summary>
    /// <returns>Null, or why some could not be made.</returns>
    public async Task<string?> IndexAsync(CancellationToken cancel)
    {
        await _indexing.WaitAsync(cancel);
        try
        {
            _textIndexes.BuildMissing(_segments, cancel);
            return null;
        }
        catch (Exception failed) when (failed is not OperationCanceledException)
        {
            return failed.Message;
        }
        finally
        {
            _indexing.Release();
        }
    }

    /// <summary>Makes a completeness certificate of a destination, of everything since the last one.</summary>
    /// <returns>Null when the destination has not begun.</returns>
    /// <exception cref="IOException">The journal or a segment can't be read.</exception>
    public Delivery.Certificate? Certify(string destination, string data) => Control.Certificates.Issue(destination, Journal, data, _key);

    /// <summary>Whether a sealed object of the archive itself, not of the hot store, has an event of this id, and the tree proves it.</summary>
    /// <exception cref="IOException">The archive failed, or is not as it was sealed.</exception>
    public async Task<bool> IsInArchiveAsync(string eventId, CancellationToken cancel) =>
        await new Verify.EventProofs(_store, [_key.Verifier], hotDirectory: null).Build(eventId, cancel) is not null;

    /// <summary>
    /// Whether there is something to do for <see cref="KeepHoldsAsync"/>: a hold that came into force or was released, or a seal that the catalog lacks. Costs microseconds.
    /// </summary>
    /// <exception cref="IOException">The database failed.</exception>
    public bool HasHoldsToKeep => Custody.Catalog.Newest < Interlocked.Read(ref _sealNumber) || Custody.Holds.HasWork();

    /// <summary>Brings the catalog up to the newest seal, puts holds on what was sealed before they came into force, and takes off those that were released.</summary>
    /// <returns>False when another process is at it.</returns>
    /// <exception cref="IOException">The archive or the disk failed; the next call goes on where it was.</exception>
    public Task<bool> KeepHoldsAsync(Action<HoldProgress>? progress, CancellationToken cancel) => _keeper.WorkAsync(progress, cancel);

    /// <summary>Puts holds on again that somebody took off behind our back.</summary>
    /// <returns>What was not as it is to be; the log tells it too.</returns>
    /// <exception cref="IOException">The archive or the disk failed.</exception>
    public Task<IReadOnlyList<HoldFinding>> ReconcileHoldsAsync(CancellationToken cancel) => _keeper.CheckAsync(repair: true, progress: null, cancel);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        // A seal that is under way is finished first: it would be finished at the next start anyway.
        await _sealing.WaitAsync(CancellationToken.None);
        await _indexing.WaitAsync(CancellationToken.None);
        _reader.Dispose();
        _sealer.Dispose();
        _store.Dispose();
        Journal.Dispose();
        _key.Dispose();
        _sealing.Dispose();
        _indexing.Dispose();
    }

    IEnumerable<ReadOnlyMemory<byte>> Events(long to)
    {
        _reader.Seek(_sealer.SealedTo);
        while (_reader.Position < to && _reader.Read(_batch) > 0)
        {
            for (var i = 0; i < _batch.Count && _batch.First + i < to; i++) yield return _batch.Memory(i);
        }
    }

    /// <summary>What is sealed need not stay in the journal.</summary>
    void Note()
    {
        if (_sealer.SealedTo > _reader.Cursor) _reader.Acknowledge(_sealer.SealedTo);
        Interlocked.Exchange(ref _sealedTo, _sealer.SealedTo);
        if (_sealer.Last is not { } last || last.Record.Header.Number <= Interlocked.Read(ref _sealNumber)) return;
        try
        {
            Custody.Catalog.Add(last, _sealer.LastMarks);
        }
        catch (IOException)
        {
            // It is derived: keeping the holds reads what it lacks from the archive, and tells when that fails too.
        }
        Interlocked.Exchange(ref _sealNumber, last.Record.Header.Number);
    }

    long _sealNumber = -1;

    static async Task CheckArchiveAsync(IBlobStore store, PolicyFile policy, CancellationToken cancel)
    {
        foreach (var finding in await store.Check(cancel))
        {
            if (policy.Refuses(finding)) throw new Commands.CommandException($"the archive {store.Location} is not fit: {finding.What} {finding.Remedy}");
            if (store is not FolderBlobStore) await Console.Error.WriteLineAsync($"archive {finding}");
        }
    }

    static SigningKey Key(string data)
    {
        var path = Path.Combine(data, "keys", "log.key");
        if (File.Exists(path)) return SigningKey.Load(path);
        if (File.Exists(Path.Combine(data, "state", "sealed.note")))
        {
            throw new Commands.CommandException($"{path} is missing, though this installation has sealed with it: put it back from your secret store");
        }
        // Whole and on disk, its folders too, before it signs anything: what it signed is locked for years.
        DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
        var key = SigningKey.Generate("logwarden/" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(6)));
        DurableFile.Replace(Path.Combine(data, "keys", "log.pub"), System.Text.Encoding.ASCII.GetBytes(key.Verifier + "\n"));
        DurableFile.Replace(path, System.Text.Encoding.ASCII.GetBytes(key.ToSecret().Reveal() + "\n"));
        DurableFile.SyncDirectory(data); // also where a crash came between the folder and its sync
        return key;
    }
}
