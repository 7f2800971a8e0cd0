using Logwarden.Data;
using Logwarden.Events;
using Logwarden.Policy;
using Microsoft.Data.Sqlite;

namespace Logwarden.Watchers;

/// <summary>What a <see cref="SourceWatch"/> works with.</summary>
/// <param name="Database">Where it keeps what it knows.</param>
/// <param name="Alarms">Where it raises alarms.</param>
/// <param name="Sources">The sources that are registered now.</param>
/// <param name="Policy">The policy in force now.</param>
/// <param name="Options">How sources are watched.</param>
public sealed record WatchParts(ControlDatabase Database, AlarmBook Alarms, Func<IReadOnlyList<WatchedSource>> Sources, Func<PolicySnapshot> Policy, WatchOptions Options)
{
    /// <summary>Detection rules and assets that are blind without a source.</summary>
    public Func<string, IReadOnlyList<string>> RulesOf { get; init; } = _ => [];

    /// <summary>
    /// Is called when events of a gap have arrived late and for five minutes no more came: what depends on the source can be run over the time of the gap. At least once for each lot; it must not use the watch.
    /// </summary>
    public Action<GapRecord>? LateData { get; init; }
}

/// <summary>
/// Knows that sources are being heard (PRO-4): what is usual of each, what is wrong now, and when anything was missing. A reader of the journal gives it every event through <see cref="Observer"/>;
/// <see cref="Step"/> is called about once a minute. What it knows, alarms and gaps are written in one transaction together with the offset that they are of, so that a restart
/// counts nothing twice and forgets nothing. Thread-safe.
/// </summary>
public sealed class SourceWatch
{
    /// <summary>Kind of the alarms of sources.</summary>
    public const string AlarmKind = "ingestion";

    const string StateKind = "source-watch";
    const long NotWatchedAfter = 15 * 60 * WatchClock.Second;
    const long GapsFor = 30 * WatchClock.Day;

    readonly WatchParts _parts;
    readonly WatchStore _store;
    readonly GapStore _gaps;
    readonly long _began;
    long _savedSlot;

    /// <summary>Takes up what is known.</summary>
    /// <param name="parts">What it works with.</param>
    /// <param name="now">Now.</param>
    /// <param name="firstOffset">Offset to begin with when it never ran here before: what is older tells nothing of now.</param>
    /// <exception cref="IOException">The control database can't be read.</exception>
    public SourceWatch(WatchParts parts, DateTimeOffset now, long firstOffset)
    {
        _parts = parts;
        _store = new(parts.Database);
        _gaps = new(parts.Database);
        Observer = new(Make);
        var micros = UnixMicros.Of(now);
        (_began, Observer.Position, var stepped) = _store.State(micros, firstOffset);
        var unreadable = new List<string>();
        foreach (var entry in _store.Load(Make, unreadable)) Observer.Add(entry);
        foreach (var gap in _gaps.List(micros - GapsFor))
        {
            if (gap.Verdict == Verdict.NotWatched) continue;
            Observer.Entry(gap.Source).Gaps.Add(new(gap.Number, gap.Verdict, UnixMicros.Of(gap.From), gap.To is { } to ? UnixMicros.Of(to) : long.MaxValue));
        }
        foreach (var alarm in parts.Alarms.Open)
        {
            if (string.Equals(alarm.Kind, AlarmKind, StringComparison.Ordinal) && alarm.Evidence.Contains(SourceTexts.VerdictFact(Verdict.NeverSent)))
                Observer.Entry(alarm.Subject).IsNeverSentTold = true;
        }
        foreach (var source in unreadable)
        {
            parts.Alarms.Raise(StateKind, source, "P3", $"What was learned about source '{source}' can't be read, so it is learned anew; until then only its hard limit of silence counts. See whether the disk is sound.", []);
        }
        if (micros - stepped > NotWatchedAfter) Resume(stepped, micros);
    }

    /// <summary>Takes every event.</summary>
    public SourceObserver Observer { get; }

    /// <summary>Lets time pass, raises and clears alarms, and keeps what is known.</summary>
    /// <param name="now">Now.</param>
    /// <param name="isCurrent">Whether <see cref="Observer"/> has seen everything that was accepted up to now; as long as it has not, silence says nothing.</param>
    /// <exception cref="SqliteException">The control database can't be written; nothing is lost, the next step tries again.</exception>
    public void Step(DateTimeOffset now, bool isCurrent)
    {
        var micros = UnixMicros.Of(now);
        lock (Observer.Gate)
        {
            var sources = _parts.Sources().ToDictionary(source => source.Id, StringComparer.Ordinal);
            foreach (var source in sources.Values) Observer.Entry(source.Id).Track.Limit = Micros(source.SilenceMax);
            if (isCurrent)
            {
                foreach (var entry in Observer.Entries) entry.Track.Advance(micros);
            }
            var neverSent = Observer.Entries.Where(entry => IsNeverSentChanged(entry, sources, micros, isCurrent)).ToArray();
            var isChanged = neverSent.Length > 0 || Observer.Entries.Any(entry => entry.Track.Changes.Count > 0);
            if (isChanged || micros / WatchClock.Slot != _savedSlot) Save(micros, sources, neverSent);
        }
        TellLate(micros);
    }

    /// <summary>How each registered source goes, by id.</summary>
    public IReadOnlyList<SourceStatus> Status(DateTimeOffset now)
    {
        var micros = UnixMicros.Of(now);
        lock (Observer.Gate)
        {
            return [.. _parts.Sources().OrderBy(source => source.Id, StringComparer.Ordinal).Select(source => Status(Observer.Entry(source.Id), Micros(source.SilenceMax), micros))];
        }
    }

    /// <summary>Gap records that ended after a time or go on, oldest first.</summary>
    public IReadOnlyList<GapRecord> Gaps(DateTimeOffset since) => _gaps.List(UnixMicros.Of(since));

    /// <summary>A source that numbers what it sends has left numbers out.</summary>
    /// <param name="source">Its id.</param>
    /// <param name="from">Time of the event before.</param>
    /// <param name="to">Time of the event behind.</param>
    /// <param name="missing">How many are missing.</param>
    public void ReportSequenceGap(string source, DateTimeOffset from, DateTimeOffset to, long missing)
    {
        lock (Observer.Gate)
        {
            var entry = Observer.Entry(source);
            using var connection = _parts.Database.Connect();
            using var transaction = connection.BeginTransaction(deferred: false);
            var (first, last) = (UnixMicros.Of(from), UnixMicros.Of(to));
            var number = GapStore.Add(connection, transaction, source, Verdict.SequenceGap, first, last,
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"{missing:N0} sequence numbers of source '{source}' are missing."), Radius(entry));
            transaction.Commit();
            Keep(entry, new(number, Verdict.SequenceGap, first, last));
        }
    }

    /// <summary>Forgets what was learned about a source whose habits have changed, and clears its alarm.</summary>
    /// <param name="source">Its id.</param>
    /// <param name="now">Now.</param>
    public void Relearn(string source, DateTimeOffset now)
    {
        lock (Observer.Gate)
        {
            var entry = Observer.Entry(source);
            var micros = UnixMicros.Of(now);
            using var connection = _parts.Database.Connect();
            using var transaction = connection.BeginTransaction(deferred: false);
            GapStore.End(connection, transaction, source, micros);
            _parts.Alarms.Clear(connection, transaction, AlarmKind, source);
            WatchStore.Forget(connection, transaction, source);
            transaction.Commit();
            foreach (var gap in entry.Gaps) gap.To = Math.Min(gap.To, micros);
            (entry.Track, entry.IsSaved, entry.IsNeverSentTold) = (entry.Track.Renewed(micros), false, false);
        }
    }

    SourceEntry Make(string source) => new(source, new(_parts.Options));

    void Resume(long stepped, long now)
    {
        foreach (var entry in Observer.Entries) entry.Track.Resume(now);
        using var connection = _parts.Database.Connect();
        using var transaction = connection.BeginTransaction(deferred: false);
        var parts = Observer.Entries.SelectMany(entry => entry.Track.Parts.All).Distinct().ToArray();
        GapStore.Add(connection, transaction, OwnEvents.Source, Verdict.NotWatched, stepped, now,
            "Sources were not watched, for no server ran. What sources could not hand over meanwhile they had to keep.", BlastRadius.Of(parts, _parts.Policy(), []));
        WatchStore.Save(connection, transaction, Observer.Position, now);
        transaction.Commit();
    }

    bool IsNeverSentChanged(SourceEntry entry, Dictionary<string, WatchedSource> sources, long now, bool isCurrent)
    {
        var isOver = entry.Track.HasArrived || !sources.ContainsKey(entry.Name);
        if (isOver) return entry.IsNeverSentTold;
        if (entry.IsNeverSentTold || !isCurrent) return false;
        var source = sources[entry.Name];
        return now - Math.Max(UnixMicros.Of(source.Created), _began) >= (Micros(source.SilenceMax) ?? Micros(_parts.Options.SilenceMaxUnlearned));
    }

    /// <summary>Writes everything; what is kept in memory changes when it is on disk.</summary>
    void Save(long now, Dictionary<string, WatchedSource> sources, SourceEntry[] neverSent)
    {
        var begun = new List<(SourceEntry Entry, FillingGap Gap)>();
        try
        {
            using var connection = _parts.Database.Connect();
            using var transaction = connection.BeginTransaction(deferred: false);
            foreach (var entry in neverSent) TellNeverSent(connection, transaction, entry);
            foreach (var entry in Observer.Entries)
            {
                if (sources.ContainsKey(entry.Name)) Apply(connection, transaction, entry, begun);
                else if (entry.Track.Verdict != Verdict.Ok || entry.Track.Changes.Count > 0) Abandon(connection, transaction, entry, now);
                foreach (var gap in entry.Gaps)
                {
                    if (gap.Late > 0) GapStore.Late(connection, transaction, gap.Number, gap.Late, gap.LastLate);
                }
                WatchStore.Save(connection, transaction, entry);
            }
            WatchStore.Save(connection, transaction, Observer.Position, now);
            transaction.Commit();
        }
        catch
        {
            foreach (var entry in Observer.Entries) entry.IsSaved = false;
            throw;
        }
        Settle(now, sources, neverSent, begun);
    }

    void Settle(long now, Dictionary<string, WatchedSource> sources, SourceEntry[] neverSent, List<(SourceEntry Entry, FillingGap Gap)> begun)
    {
        _savedSlot = now / WatchClock.Slot;
        foreach (var entry in neverSent) entry.IsNeverSentTold = !entry.IsNeverSentTold;
        foreach (var entry in Observer.Entries)
        {
            foreach (var gap in entry.Gaps) gap.Late = 0;
            foreach (var change in entry.Track.Changes)
            {
                if (change.Ended is not { } ended) continue;
                foreach (var gap in entry.Gaps.Concat(begun.Where(one => ReferenceEquals(one.Entry, entry)).Select(one => one.Gap)))
                {
                    if (gap.From == ended.From && gap.Verdict == change.From) gap.To = ended.To;
                }
            }
            entry.Track.Changes.Clear();
            entry.Gaps.RemoveAll(gap => gap.To < now - GapsFor);
        }
        foreach (var (entry, gap) in begun) Keep(entry, gap);
        foreach (var gone in Observer.Entries.Where(entry => !sources.ContainsKey(entry.Name) && entry.Track.Verdict != Verdict.Ok).ToArray()) Observer.Remove(gone);
    }

    void Apply(SqliteConnection connection, SqliteTransaction transaction, SourceEntry entry, List<(SourceEntry, FillingGap)> begun)
    {
        foreach (var change in entry.Track.Changes)
        {
            if (change.Ended is { } ended) GapStore.End(connection, transaction, entry.Name, ended.To);
            if (change.To == Verdict.Ok)
            {
                _parts.Alarms.Clear(connection, transaction, AlarmKind, entry.Name);
                continue;
            }
            _parts.Alarms.Raise(connection, transaction, AlarmKind, entry.Name, Severity(change.To), SourceTexts.Alarm(entry.Name, change.Finding), SourceTexts.Evidence(entry.Name, change.Finding));
            var number = GapStore.Add(connection, transaction, entry.Name, change.To, change.GapFrom, null, SourceTexts.Detail(entry.Name, change.Finding), Radius(entry));
            begun.Add((entry, new(number, change.To, change.GapFrom, long.MaxValue)));
        }
    }

    /// <summary>The source was removed: nobody waits for it any more.</summary>
    void Abandon(SqliteConnection connection, SqliteTransaction transaction, SourceEntry entry, long now)
    {
        GapStore.End(connection, transaction, entry.Name, now);
        _parts.Alarms.Clear(connection, transaction, AlarmKind, entry.Name);
    }

    void TellNeverSent(SqliteConnection connection, SqliteTransaction transaction, SourceEntry entry)
    {
        if (entry.IsNeverSentTold)
        {
            _parts.Alarms.Clear(connection, transaction, AlarmKind, entry.Name);
            return;
        }
        var finding = new Finding { Verdict = Verdict.NeverSent };
        _parts.Alarms.Raise(connection, transaction, AlarmKind, entry.Name, Severity(Verdict.NeverSent), SourceTexts.Alarm(entry.Name, finding), SourceTexts.Evidence(entry.Name, finding));
    }

    void TellLate(long now)
    {
        if (_parts.LateData is not { } tell) return;
        foreach (var gap in _gaps.ToTell(now - WatchClock.Slot))
        {
            tell(gap);
            _gaps.LateTold(gap);
        }
    }

    static SourceStatus Status(SourceEntry entry, long? limit, long now)
    {
        var track = entry.Track;
        var verdict = entry.IsNeverSentTold ? Verdict.NeverSent : track.Verdict;
        return new(entry.Name)
        {
            Verdict = verdict,
            Since = verdict is Verdict.Ok or Verdict.NeverSent ? null : UnixMicros.ToInstant(track.VerdictSince),
            EventsLastHour = track.LastHour,
            UsualPerHour = track.Cadence.UsualPerHour(now),
            LastEvent = track.LastArrival == 0 ? null : UnixMicros.ToInstant(track.LastEvent),
            LastArrival = track.LastArrival == 0 ? null : UnixMicros.ToInstant(track.LastArrival),
            Lag = track.Lag.Ninety5,
            IsLearned = track.Cadence.IsLearned,
            TimeToDetect = track.LastArrival == 0 ? null : track.Cadence.TimeToDetect(now, limit),
            Parts = track.Parts.All,
        };
    }

    BlastRadius Radius(SourceEntry entry) => BlastRadius.Of(entry.Track.Parts.All, _parts.Policy(), _parts.RulesOf(entry.Name));

    /// <summary>The policy's severity of an ingestion stop where events are missing; one step less urgent where they come, but late, few or with wrong times.</summary>
    string Severity(Verdict verdict)
    {
        var policy = _parts.Policy();
        var stop = policy.Alerts.IngestionStopSeverity;
        if (verdict is Verdict.Dead or Verdict.Partial or Verdict.NeverSent) return stop;
        return policy.Severities.Select(level => level.Name).SkipWhile(name => !string.Equals(name, stop, StringComparison.Ordinal)).Skip(1).FirstOrDefault(stop);
    }

    static void Keep(SourceEntry entry, FillingGap gap)
    {
        if (entry.Gaps.Count == SourceEntry.GapsMax) entry.Gaps.RemoveAt(0);
        entry.Gaps.Add(gap);
    }

    static long? Micros(TimeSpan? span) => span is { } set ? Micros(set) : null;

    static long Micros(TimeSpan span) => span.Ticks / TimeSpan.TicksPerMicrosecond;
}
