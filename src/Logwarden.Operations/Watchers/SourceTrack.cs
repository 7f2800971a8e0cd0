namespace Logwarden.Watchers;

/// <summary>
/// Everything that is known of one source, and the verdict on it. A functional core: arrivals and the passing of time go in, changes of the verdict come out; no clock, no file. Time goes on in slots of
/// five minutes, and all is decided when a slot is over, so that what is read late from the journal is judged as it was when it came. Not thread-safe.
/// </summary>
sealed class SourceTrack
{
    const double RecoveredMean = 5;
    const long RecoveredAfter = 2 * WatchClock.Hour;

    // What has come since a return, and what was to be expected, are forgotten with a time constant of two hours.
    const double ReturnForget = 1 - 1.0 / (2 * WatchClock.SlotsPerHour);

    readonly WatchOptions _options;
    readonly long _calm;
    readonly Cadence _cadence;
    readonly LagTrack _lag;
    readonly SourceParts _parts = new();
    readonly List<VerdictChange> _changes = [];
    long _slotStart;
    long _slotCount;
    long _slotFirst;
    long _slotLast;
    long _slotLeast;
    long _slotAhead;
    long _hourCount;
    bool _hourIsWhole;
    bool _hourIsInTime;
    long _since;
    long _calmSince;
    long _gapFrom;
    long _returned;
    bool _isReturning;
    double _cameSince;
    double _expectedSince;
    long _lowSinceHour;
    LowCount? _low;

    /// <summary>Nothing is known of it yet.</summary>
    /// <param name="options">How it is watched.</param>
    public SourceTrack(WatchOptions options)
    {
        (_options, _calm) = (options, options.CalmFor.Ticks / TimeSpan.TicksPerMicrosecond);
        (_cadence, _lag) = (new(options), new(options));
    }

    /// <summary>The source's own limit of silence, microseconds; null when it has none.</summary>
    public long? Limit { get; set; }

    /// <summary>Last arrival; 0 when there was none.</summary>
    public long LastArrival { get; private set; }

    /// <summary>Whether anything ever came.</summary>
    public bool HasArrived => LastArrival > 0 || _slotCount > 0;

    /// <summary>Time of the event that arrived last; 0 when there was none.</summary>
    public long LastEvent { get; private set; }

    /// <summary>Events since it is watched.</summary>
    public long Events { get; private set; }

    /// <summary>The verdict.</summary>
    public Verdict Verdict { get; private set; }

    /// <summary>Since when it holds.</summary>
    public long VerdictSince { get; private set; }

    /// <summary>Changes of the verdict that nobody has taken yet, oldest first.</summary>
    public List<VerdictChange> Changes => _changes;

    /// <summary>Delay of its events.</summary>
    public LagTrack Lag => _lag;

    /// <summary>Its rhythm.</summary>
    public Cadence Cadence => _cadence;

    /// <summary>What it sends.</summary>
    public SourceParts Parts => _parts;

    /// <summary>Events of the last full hour.</summary>
    public long LastHour { get; private set; }

    /// <summary>Whether what is written by the hour has changed.</summary>
    public bool IsRhythmChanged => _cadence.IsChanged || _lag.IsChanged || _parts.IsChanged;

    /// <summary>Events arrive. Hot path: no allocation, unless a slot is over.</summary>
    /// <param name="first">First arrival.</param>
    /// <param name="last">Last arrival.</param>
    /// <param name="count">How many.</param>
    /// <param name="time">Event time of all.</param>
    /// <param name="part">Part that they belong to; −1 when it is not told apart.</param>
    public void Arrive(long first, long last, long count, long time, int part)
    {
        if (_slotStart == 0) Begin(first);
        else if (first >= _slotStart + WatchClock.Slot) Advance(first);
        // Arrivals that are told late by a moment, or while we caught up, belong to the slot that is open.
        first = Math.Clamp(first, _slotStart, _slotStart + WatchClock.Slot - 1);
        last = Math.Clamp(last, first, _slotStart + WatchClock.Slot - 1);
        var lag = last - time;
        if (_slotCount == 0) (_slotFirst, _slotLeast, _slotAhead) = (first, lag, 0);
        _slotLast = Math.Max(_slotLast, last);
        _slotCount += count;
        if (lag < _slotLeast) _slotLeast = lag;
        if (-lag > _options.AheadMax.Ticks / TimeSpan.TicksPerMicrosecond) _slotAhead += count;
        LastEvent = time;
        _lag.Count(lag, count);
        if (part >= 0) _parts.Add(part, first, last, count);
    }

    /// <summary>Lets time pass up to a moment.</summary>
    public void Advance(long now)
    {
        if (_slotStart == 0) return;
        while (_slotStart + WatchClock.Slot <= now) CloseSlot();
    }

    /// <summary>We were not watching until now: the silence up to now says nothing of the source.</summary>
    public void Resume(long now)
    {
        if (_slotStart == 0) return;
        if (_slotCount > 0) (LastArrival, Events) = (_slotLast, Events + _slotCount);
        _parts.Slot(Events - _slotCount, Events, isUsual: false);
        _parts.Resume(now, Events);
        _slotCount = 0;
        Begin(now);
        _since = now;
        _lowSinceHour = now / WatchClock.Hour + 1;
        _low = null;
    }

    /// <summary>A track that knows when something last came, and nothing else.</summary>
    public SourceTrack Renewed(long now)
    {
        var renewed = new SourceTrack(_options) { Limit = Limit, LastArrival = LastArrival, LastEvent = LastEvent };
        if (_slotStart == 0) return renewed;
        renewed.Begin(now);
        renewed._since = now;
        return renewed;
    }

    /// <summary>What is wrong, for people and the record, as it is now.</summary>
    public Finding Find(Verdict verdict) => new()
    {
        Verdict = verdict,
        LastArrivalMicros = LastArrival,
        LastEventMicros = LastEvent,
        UsualPerHour = _cadence.UsualPerHour(_slotStart),
        LastHour = LastHour,
        LagMicros = _lag.Least,
        Low = _low,
        Missing = verdict == Verdict.Partial ? _parts.Missing : [],
        IsLearned = _cadence.IsLearned,
    };

    /// <summary>Writes what changes with every slot.</summary>
    public void WriteNow(BinaryWriter output)
    {
        ReadOnlySpan<long> values =
        [
            _slotStart, _slotCount, _slotFirst, _slotLast, _slotLeast, _slotAhead, _hourCount, _since, _calmSince, _gapFrom, _returned, _lowSinceHour, LastArrival, LastEvent, Events, VerdictSince, LastHour,
        ];
        foreach (var value in values) output.Write(value);
        output.Write((byte)Verdict);
        output.Write(_hourIsWhole);
        output.Write(_hourIsInTime);
        output.Write(_isReturning);
        output.Write(_cameSince);
        output.Write(_expectedSince);
        LowCount.Write(output, _low);
        _cadence.WriteNow(output);
        _lag.WriteNow(output);
        _parts.WriteNow(output);
    }

    /// <summary>Writes what is kept by the hour.</summary>
    public void WriteRhythm(BinaryWriter output)
    {
        _cadence.Write(output);
        _lag.Write(output);
        _parts.Write(output);
    }

    /// <summary>Reads what <see cref="WriteRhythm"/> and then <see cref="WriteNow"/> wrote.</summary>
    public void Read(BinaryReader rhythm, BinaryReader input)
    {
        _cadence.Read(rhythm);
        _lag.Read(rhythm);
        _parts.Read(rhythm);
        (_slotStart, _slotCount, _slotFirst, _slotLast) = (input.ReadInt64(), input.ReadInt64(), input.ReadInt64(), input.ReadInt64());
        (_slotLeast, _slotAhead, _hourCount, _since) = (input.ReadInt64(), input.ReadInt64(), input.ReadInt64(), input.ReadInt64());
        (_calmSince, _gapFrom, _returned, _lowSinceHour) = (input.ReadInt64(), input.ReadInt64(), input.ReadInt64(), input.ReadInt64());
        (LastArrival, LastEvent, Events, VerdictSince, LastHour) = (input.ReadInt64(), input.ReadInt64(), input.ReadInt64(), input.ReadInt64(), input.ReadInt64());
        Verdict = (Verdict)input.ReadByte();
        (_hourIsWhole, _hourIsInTime, _isReturning) = (input.ReadBoolean(), input.ReadBoolean(), input.ReadBoolean());
        (_cameSince, _expectedSince) = (input.ReadDouble(), input.ReadDouble());
        _low = LowCount.Read(input);
        _cadence.ReadNow(input);
        _lag.ReadNow(input);
        _parts.ReadNow(input);
    }

    void Begin(long at)
    {
        _slotStart = at / WatchClock.Slot * WatchClock.Slot;
        (_hourCount, _hourIsWhole, _hourIsInTime) = (0, false, false);
    }

    void CloseSlot()
    {
        var now = _slotStart + WatchClock.Slot;
        var hour = _slotStart / WatchClock.Hour;
        var isUsual = Verdict is not Verdict.Dead && !_isReturning;
        if (_slotCount > 0) TakeSlot(isUsual);
        if (isUsual) _cadence.Slot(hour, _slotCount);
        _hourIsWhole &= isUsual;
        if (_isReturning)
        {
            _cameSince = _cameSince * ReturnForget + _slotCount;
            _expectedSince = _expectedSince * ReturnForget + _cadence.Low(hour);
        }
        _hourIsInTime &= Verdict is Verdict.Ok or Verdict.Quiet or Verdict.Partial && !_lag.IsLate && !_lag.IsSkewed;
        _hourCount += _slotCount;
        _slotCount = 0;
        if (now % WatchClock.Hour == 0) CloseHour(now, hour);
        _slotStart = now;
        Settle(Judge(now), now);
    }

    void TakeSlot(bool isUsual)
    {
        if (_cadence.Fit(_slotFirst))
        {
            _lag.Fit(_slotFirst, _cadence.IsLearned);
            _parts.Fit(_slotFirst, _cadence.IsLearned);
        }
        var silence = LastArrival == 0 ? 0 : Math.Max(0, _slotFirst - Math.Max(LastArrival, _since));
        if (LastArrival > _since) _cadence.Arrived(LastArrival, Math.Max(_slotFirst, LastArrival), isUsual);
        _lag.Slot(_slotStart / WatchClock.Slot, _slotLeast, _slotAhead * 2 > _slotCount, silence);
        _parts.Slot(Events, Events + _slotCount, isUsual);
        Events += _slotCount;
        if (Verdict == Verdict.Dead && !_isReturning)
        {
            (_isReturning, _returned, _cameSince, _expectedSince) = (true, _slotFirst, 0, 0);
            (_lowSinceHour, _low) = (_slotFirst / WatchClock.Hour + 1, null);
        }
        LastArrival = _slotLast;
    }

    void CloseHour(long now, long hour)
    {
        LastHour = _hourCount;
        _cadence.Hour(hour, _hourIsWhole ? _hourCount : null);
        _lag.Hour(now, _hourIsInTime && _hourCount > 0);
        _low = _cadence.FindLow(hour, _lowSinceHour, _low is not null, Verdict == Verdict.Ok);
        (_hourCount, _hourIsWhole, _hourIsInTime) = (0, true, true);
    }

    /// <summary>The verdict by what is seen at this moment.</summary>
    Verdict Judge(long now)
    {
        if (LastArrival == 0) return Verdict.Ok;
        var silentSince = Math.Max(LastArrival, _since);
        if (Verdict == Verdict.Dead && !_isReturning) return Verdict.Dead;
        if (_cadence.IsSilent(silentSince, now, Limit)) return Verdict.Dead;
        if (_lag.IsSkewed) return Verdict.ClockSkewed;
        if (_lag.IsLate) return Verdict.Late;
        if (_parts.Look(now, Events)) return Verdict.Partial;
        if (_isReturning)
        {
            var back = now - _returned;
            if (back < _calm || (_expectedSince < RecoveredMean && back < RecoveredAfter)) return Verdict == Verdict.Dead ? Verdict.Dead : Verdict.Ok;
            if (_expectedSince >= RecoveredMean && _cameSince < _expectedSince / 2) return Verdict.Quiet;
            _isReturning = false;
        }
        return _low is not null ? Verdict.Quiet : Verdict.Ok;
    }

    /// <summary>Changes the verdict: at once to something wrong, and to nothing wrong when that has held for a while.</summary>
    void Settle(Verdict seen, long now)
    {
        if (seen == Verdict)
        {
            _calmSince = 0;
            var isDeadAgain = seen == Verdict.Dead && _isReturning && _cadence.IsSilent(Math.Max(LastArrival, _since), now, Limit);
            if (!isDeadAgain) return;
        }
        if (seen == Verdict.Ok)
        {
            if (_calmSince == 0) _calmSince = now;
            if (now - _calmSince < _calm && Verdict != Verdict.Dead) return;
        }
        _calmSince = 0;
        var ended = Verdict == Verdict.Ok ? null : new GapSpan(_gapFrom, Verdict == Verdict.Dead && _returned > _gapFrom ? _returned : now);
        if (seen == Verdict.Dead)
        {
            _isReturning = false;
            _cadence.Disregard(LastArrival, now);
        }
        _gapFrom = GapFrom(seen, now);
        _changes.Add(new(Verdict, seen, now, _gapFrom, ended, Find(seen)));
        (Verdict, VerdictSince) = (seen, now);
    }

    long GapFrom(Verdict verdict, long now) => verdict switch
    {
        Verdict.Dead => LastArrival,
        Verdict.Partial => _parts.Missing.Min(missing => missing.LastSeen),
        Verdict.Quiet => now - (_low?.Hours ?? 2) * WatchClock.Hour,
        Verdict.Late or Verdict.ClockSkewed => Math.Min(now - Math.Abs(_lag.Least), now - 3 * WatchClock.Slot),
        _ => now,
    };
}

/// <summary>From when to when something was wrong, microseconds.</summary>
sealed record GapSpan(long From, long To);

/// <summary>A verdict has changed.</summary>
/// <param name="From">What it was.</param>
/// <param name="To">What it is.</param>
/// <param name="At">When.</param>
/// <param name="GapFrom">Since when what is wrong now affects what came.</param>
/// <param name="Ended">From when to when the former affected it; null when nothing was wrong.</param>
/// <param name="Finding">What was seen.</param>
sealed record VerdictChange(Verdict From, Verdict To, long At, long GapFrom, GapSpan? Ended, Finding Finding);

/// <summary>What is known of a source at the moment of a verdict.</summary>
sealed record Finding
{
    /// <summary>The verdict.</summary>
    public required Verdict Verdict { get; init; }

    /// <summary>Last arrival; 0 when there was none.</summary>
    public long LastArrivalMicros { get; init; }

    /// <summary>Time of the event that arrived last; 0 when there was none.</summary>
    public long LastEventMicros { get; init; }

    /// <summary>Usual events an hour now; null when not learned.</summary>
    public double? UsualPerHour { get; init; }

    /// <summary>Events of the last full hour.</summary>
    public long LastHour { get; init; }

    /// <summary>Least lag of the last fifteen minutes with events.</summary>
    public long LagMicros { get; init; }

    /// <summary>The low count; null when there is none.</summary>
    public LowCount? Low { get; init; }

    /// <summary>Parts that are missing, with their last arrivals.</summary>
    public IReadOnlyList<(SourcePart Part, long LastSeen)> Missing { get; init; } = [];

    /// <summary>Whether the rhythm is learned.</summary>
    public bool IsLearned { get; init; }
}
