using System.Buffers;
using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Logwarden.Archive;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Journal;
using Logwarden.Match;
using Logwarden.Policy;
using Logwarden.Proof.Notes;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Time.Testing;

namespace Logwarden.Bench;

/// <summary>What is simulated.</summary>
/// <param name="Length">How long one of three destinations is away, 1 min at least.</param>
/// <param name="Rate">Events a second, more than 0.</param>
/// <param name="DrainRate">Events a second that it takes when it is back; more is answered with "later". Above <paramref name="Rate"/>, or it never ends.</param>
sealed record OutageOptions(TimeSpan Length, double Rate, double DrainRate)
{
    /// <summary>Events come in one batch each minute.</summary>
    public static readonly TimeSpan Tick = TimeSpan.FromMinutes(1);

    /// <summary>Sealed every so many ticks: five minutes, as <c>serve</c> does.</summary>
    public const int SealEvery = 5;

    /// <summary>Bytes of an event's JSON.</summary>
    public const int JsonBytes = 700;

    /// <summary>What the journal may hold: what comes in three times as long as from one seal to the next.</summary>
    public long JournalBytesMax => Math.Max(1 << 20, (long)(3 * SealEvery * Tick.TotalSeconds * Rate * (JsonBytes + 200)));
}

/// <summary>What came of it.</summary>
/// <param name="Events">Events that came in.</param>
/// <param name="RawBytes">Their bytes, encoded.</param>
sealed record OutageResult(long Events, long RawBytes)
{
    /// <summary>The longest, in simulated time, that an event waited for the two destinations that were there.</summary>
    public TimeSpan LatencyMax { get; init; }

    /// <summary>Requests that these two got.</summary>
    public long Sends { get; init; }

    /// <summary>Real time from the acceptance of a batch to its arrival at both of them: the median and the 99th percentile.</summary>
    public (TimeSpan Median, TimeSpan P99) Wall { get; init; }

    /// <summary>The most bytes that the journal had.</summary>
    public long JournalBytesMost { get; init; }

    /// <summary>Bytes of the hot segments when the third was back, or would have been.</summary>
    public long HotBytes { get; init; }

    /// <summary>Events that the third had to get then.</summary>
    public long Backlog { get; init; }

    /// <summary>How long it took to get them, in simulated time.</summary>
    public TimeSpan Drained { get; init; }

    /// <summary>How often it answered "later" meanwhile.</summary>
    public long Throttled { get; init; }

    /// <summary>What a destination got that was not the next event in order: something missing, twice or out of order. Null when there is nothing.</summary>
    public string? Wrong { get; init; }

    /// <summary>Real time of all of it.</summary>
    public TimeSpan Took { get; init; }
}

/// <summary>
/// Three destinations of one installation, of which one is away for a day or is not: the real journal, sealer, store and loops, on a clock that stands still until the other two have
/// what came in. So if they waited for the third, it would never end, and no figure depends on the speed of the machine.
/// </summary>
sealed class Outage : IAsyncDisposable
{
    static readonly TimeSpan StandsStillMax = TimeSpan.FromMilliseconds(200);
    static readonly TimeSpan HangsAfter = TimeSpan.FromMinutes(2);

    readonly OutageOptions _options;
    readonly string _folder;
    readonly FakeTimeProvider _time = new(new(2026, 7, 5, 12, 0, 0, TimeSpan.Zero));
    readonly SigningKey _key = SigningKey.Generate("bench.example/outage");
    readonly FolderBlobStore _archive;
    readonly DiskJournal _journal;
    readonly JournalReader _sealed;
    readonly DeliveryStore _store;
    readonly OutageFarSide[] _far;
    readonly DeliveryLoop[] _loops;
    readonly List<TimeSpan> _waits = [];
    readonly AppendBatch _batch = new() { Source = "shop" };
    readonly byte[] _json;
    Sealer? _sealer;
    long _events;
    long _rawBytes;
    long _journalBytesMost;
    int _ticks;
    double _owed;

    /// <summary>Begins in an empty folder.</summary>
    public Outage(OutageOptions options, string folder)
    {
        (_options, _folder) = (options, folder);
        Directory.CreateDirectory(Data);
        _archive = new(Path.Combine(folder, "archive"), _time);
        _journal = DiskJournal.Open(new() { Directory = Data, BytesMax = options.JournalBytesMax, FileBytesMax = Math.Max(4096, options.JournalBytesMax / 16) }, _time);
        _sealed = _journal.OpenReader("sealer");
        _store = new(ControlDatabase.Open(Data), _time);
        _far = [.. Enumerable.Range(0, 3).Select(_ => new OutageFarSide(_time))];
        _loops = [.. _far.Select(Loop)];
        _json = new byte[OutageOptions.JsonBytes];
    }

    string Data => Path.Combine(_folder, "data");

    DeliveryLoop Loop(OutageFarSide far, int number)
    {
        var name = "far-" + number.ToString(CultureInfo.InvariantCulture);
        var at = _store.Begin(name, 0).Position;
        return new(new(name, far, DeliveryRoute.Of(PolicySnapshot.Default, name, new Predicate.Everything()), new Backlog(_journal, Data, at), _store, _time, new Random(number), NullLogger.Instance));
    }

    /// <summary>Runs it.</summary>
    /// <param name="isAway">Whether the third destination is away; without, it is the control.</param>
    /// <param name="cancel">Gives up.</param>
    public async Task<OutageResult> RunAsync(bool isAway, CancellationToken cancel)
    {
        var began = TimeProvider.System.GetTimestamp();
        _sealer = await Sealer.Open(
            new() { DataDirectory = Data, Origin = "bench.example/outage", Retention = (_, latest) => new(LockMode.Governance, latest.AddDays(90), false) }, _archive, _key, _time, cancel);
        _far[2].IsAway = isAway;
        foreach (var loop in _loops) loop.Start();
        for (var passed = TimeSpan.Zero; passed < _options.Length; passed += OutageOptions.Tick) await TickAsync(cancel);
        if (!isAway) await UntilAsync(() => _far[2].Next == _events, TimeSpan.Zero, cancel);
        var (hot, backlog, back) = (HotBytes(), _events - _far[2].Next, _time.GetUtcNow());
        // What comes meanwhile comes on top.
        _far[2].Return(_options.DrainRate);
        while (_far[2].Next < _events) await DrainAsync(cancel);
        var drained = _time.GetUtcNow() - back;
        await UntilAsync(() => _loops.All(loop => loop.Progress.Position == _events), TimeSpan.FromMilliseconds(250), cancel);
        _waits.Sort();
        return new(_events, _rawBytes)
        {
            LatencyMax = new[] { _far[0].LatencyMax, _far[1].LatencyMax }.Max(),
            Sends = _far[0].Sends + _far[1].Sends,
            Wall = (_waits[_waits.Count / 2], _waits[_waits.Count * 99 / 100]),
            JournalBytesMost = _journalBytesMost,
            HotBytes = hot,
            Backlog = backlog,
            Drained = drained,
            Throttled = _far[2].Throttled,
            Wrong = _far.Select(far => far.Wrong).FirstOrDefault(wrong => wrong is not null),
            Took = TimeProvider.System.GetElapsedTime(began),
        };
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var loop in _loops) await loop.DisposeAsync();
        _sealer?.Dispose();
        _sealed.Dispose();
        _journal.Dispose();
        _archive.Dispose();
        _key.Dispose();
    }

    /// <summary>A minute: its events come, the two that are there get them, the clock moves on.</summary>
    async Task TickAsync(CancellationToken cancel)
    {
        await AppendAsync(cancel);
        var accepted = TimeProvider.System.GetTimestamp();
        await UntilAsync(() => _far[0].Next == _events && _far[1].Next == _events, TimeSpan.Zero, cancel);
        _waits.Add(TimeProvider.System.GetElapsedTime(accepted));
        _journalBytesMost = Math.Max(_journalBytesMost, _journal.Bytes);
        if (++_ticks % OutageOptions.SealEvery == 0) await SealAsync(cancel);
        _time.Advance(OutageOptions.Tick);
    }

    /// <summary>The same while the third gets what it missed, in steps that show its pauses.</summary>
    async Task DrainAsync(CancellationToken cancel)
    {
        var end = _time.GetUtcNow() + OutageOptions.Tick;
        while (_time.GetUtcNow() < end && _far[2].Next < _events)
        {
            // It goes on by itself until the far side says "later"; then the clock may move. It also may when nothing happens: the pause was told before it began, and is over by the clock.
            var began = TimeProvider.System.GetTimestamp();
            while (_far[2].Next < _events && !(_loops[2].Progress.View.NextTry > _time.GetUtcNow()) && TimeProvider.System.GetElapsedTime(began) < StandsStillMax) await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, cancel);
            _time.Advance(TimeSpan.FromSeconds(1));
        }
        if (_far[2].Next == _events) return;
        await AppendAsync(cancel);
        await UntilAsync(() => _far[0].Next == _events && _far[1].Next == _events, TimeSpan.Zero, cancel);
        _journalBytesMost = Math.Max(_journalBytesMost, _journal.Bytes);
        if (++_ticks % OutageOptions.SealEvery == 0) await SealAsync(cancel);
    }

    async Task AppendAsync(CancellationToken cancel)
    {
        _owed += _options.Rate * OutageOptions.Tick.TotalSeconds;
        var count = (int)_owed;
        _owed -= count;
        while (count > 0)
        {
            _batch.Clear();
            for (; count > 0 && _batch.Entries.Count < OutageFarSide.EventsMax; count--, _events++) Add();
            _rawBytes += _batch.Bytes.WrittenCount;
            await _journal.AppendAsync(_batch, cancel);
        }
    }

    void Add()
    {
        var random = new Random(unchecked((int)_events));
        var text = string.Create(CultureInfo.InvariantCulture,
            $$$"""{"class_uid":6003,"time":{{{_time.GetUtcNow().ToUnixTimeMilliseconds()}}},"metadata":{"uid":"{{{random.NextInt64():x16}}}"},"actor":{"user":{"uid":"u-{{{_events % 5000}}}"}},"message":"order {{{random.Next(1_000_000)}}} updated","trace_id":"{{{random.NextInt64():x16}}}{{{random.NextInt64():x16}}}","padding":"x""");
        var used = Encoding.UTF8.GetBytes(text, _json);
        _json.AsSpan(used).Fill((byte)'x');
        "\"}"u8.CopyTo(_json.AsSpan(_json.Length - 2));
        Span<byte> id = stackalloc byte[16];
        _events.TryFormat(id, out var written, "x12", CultureInfo.InvariantCulture);
        var now = UnixMicros.Of(_time.GetUtcNow());
        var start = _batch.Bytes.WrittenCount;
        EventEncoding.Write(_batch.Bytes, new StoredEvent
        {
            TimeMicros = now,
            IngestedMicros = now,
            ClassUid = 6003,
            Id = id[..written],
            Class = "security-audit"u8,
            Source = "shop"u8,
            Format = "app"u8,
            Action = new("order:update"u8),
            Json = _json,
        });
        _batch.Entries.Add(new(start, _batch.Bytes.WrittenCount - start, UInt128.Zero, null));
    }

    async Task SealAsync(CancellationToken cancel)
    {
        var read = new JournalBatch();
        while (_sealer!.SealedTo < _journal.DurableEnd) await _sealer.SealEvents(Events(_sealer.SealedTo, _journal.DurableEnd), _journal.DurableEnd, _journal.Ledger, cancel);
        _sealed.Acknowledge(_sealer.SealedTo);

        IEnumerable<ReadOnlyMemory<byte>> Events(long from, long to)
        {
            _sealed.Seek(from);
            while (_sealed.Position < to && _sealed.Read(read) > 0)
            {
                for (var i = 0; i < read.Count && read.First + i < to; i++) yield return read.Memory(i);
            }
        }
    }

    long HotBytes() => Directory.EnumerateFiles(Path.Combine(Data, "hot"), "*.parquet", SearchOption.AllDirectories).Sum(file => new FileInfo(file).Length);

    /// <summary>Lets the loops run until this holds; the clock moves on by a step each time, or stands still. The limit of real time only ends what hangs.</summary>
    async Task UntilAsync(Func<bool> holds, TimeSpan step, CancellationToken cancel)
    {
        const int Impatient = 100;
        var began = TimeProvider.System.GetTimestamp();
        for (var looks = 0; !holds(); looks++)
        {
            cancel.ThrowIfCancellationRequested();
            if (TimeProvider.System.GetElapsedTime(began) > HangsAfter)
                throw new TimeoutException($"Of {_events} events the destinations have {string.Join(", ", _far.Select(far => far.Next))}: {string.Join("\n", _loops.Select(loop => loop.Progress.View))}");
            if (step > TimeSpan.Zero) _time.Advance(step);
            // Not from the beginning, which would round up what is measured; not for ever, which would take the core that the loops need.
            if (looks < Impatient) await Task.Yield();
            else await Task.Delay(TimeSpan.FromMilliseconds(1), TimeProvider.System, cancel);
        }
    }
}

/// <summary>A far side that takes everything, in any number, or is away, or takes so many a second. It checks that what it gets is the next event and nothing else.</summary>
sealed class OutageFarSide(TimeProvider time) : IDestination
{
    /// <summary>Most events of a request.</summary>
    public const int EventsMax = 5_000;

    double _rate = double.PositiveInfinity;
    double _credit;
    DateTimeOffset _credited;
    long _next;

    /// <inheritdoc/>
    public DestinationLimits Limits { get; } = new(EventsMax, 8 << 20, 1 << 20, 0, TimeSpan.Zero);

    /// <summary>Nothing answers while it is set.</summary>
    public bool IsAway { get; set; }

    /// <summary>Offset of the event that it must get next: it has all below.</summary>
    public long Next => Volatile.Read(ref _next);

    /// <summary>Requests that it took.</summary>
    public long Sends { get; private set; }

    /// <summary>Requests that it answered with "later".</summary>
    public long Throttled { get; private set; }

    /// <summary>The longest that an event took to get here.</summary>
    public TimeSpan LatencyMax { get; private set; }

    /// <summary>The first event that was not the next; null when all were.</summary>
    public string? Wrong { get; private set; }

    /// <summary>It is back, and takes so many a second.</summary>
    public void Return(double rate)
    {
        (_rate, _credited) = (rate, time.GetUtcNow());
        IsAway = false;
    }

    /// <inheritdoc/>
    public void Render(in StoredEvent e, IBufferWriter<byte> output)
    {
        var to = output.GetSpan(8 + e.Json.Length);
        BinaryPrimitives.WriteInt64LittleEndian(to, e.Offset);
        e.Json.CopyTo(to[8..]);
        output.Advance(8 + e.Json.Length);
    }

    /// <inheritdoc/>
    public ValueTask<Answer> SendAsync(EventBatch batch, CancellationToken cancel)
    {
        if (IsAway) throw new HttpRequestException("Connection refused");
        if (RetryAfter(batch.Count) is { } wait)
        {
            Throttled++;
            return new(new Answer.Later(wait, "429 Too Many Requests"));
        }
        var now = UnixMicros.Of(time.GetUtcNow());
        var next = _next;
        for (var i = 0; i < batch.Count; i++, next++)
        {
            var offset = BinaryPrimitives.ReadInt64LittleEndian(batch.Wire(i).Span);
            if (offset != next) Wrong ??= string.Create(CultureInfo.InvariantCulture, $"event {offset} came where {next} was to come");
        }
        var latency = TimeSpan.FromMicroseconds(now - batch.Event(0).IngestedMicros);
        if (latency > LatencyMax) LatencyMax = latency;
        Sends++;
        Volatile.Write(ref _next, next);
        return new(new Answer.Accepted());
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => default;

    /// <summary>Whole seconds, as the header has them.</summary>
    TimeSpan? RetryAfter(int count)
    {
        if (double.IsPositiveInfinity(_rate)) return null;
        var now = time.GetUtcNow();
        _credit = Math.Min(Math.Max(EventsMax, _rate), _credit + (now - _credited).TotalSeconds * _rate);
        _credited = now;
        if (_credit < count) return TimeSpan.FromSeconds(Math.Ceiling((count - _credit) / _rate));
        _credit -= count;
        return null;
    }
}
