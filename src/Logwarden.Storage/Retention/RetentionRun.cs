using System.Security.Cryptography;
using System.Text;
using Logwarden.Archive;
using Logwarden.Proof.Notes;

namespace Logwarden.Retention;

/// <summary>
/// One run of retention over an installation and its archive, to be made each day: finishes what an earlier run left, extends locks where the policy in force keeps longer, deletes from the
/// archive what is no longer kept, and evicts from the hot folder what is no longer hot. Everything that it does can be broken off at any point and is finished by the next run.
/// One run at a time for a data folder, beside the process that seals.
/// </summary>
public sealed class RetentionRun
{
    const int TellMax = 100; // named in one event
    const int EvictAtOnce = 50; // looked at, told, then taken away

    readonly RetentionOptions _options;
    readonly IBlobStore _store;
    readonly SigningKey _key;
    readonly TimeProvider _time;
    readonly LockExtension _extension;
    readonly HotEviction _eviction;
    readonly List<RetentionAct> _acts = [];
    readonly List<long> _deletions = [];
    readonly SortedDictionary<string, DateTime> _needed = new(StringComparer.Ordinal);
    readonly List<(SealedSegment Segment, SealHeader Seal)> _due = [];
    readonly List<(SealedSegment Segment, DateTimeOffset SealedAt)> _hot = [];
    RetentionState _state;
    DeletionLog _log = null!;

    RetentionRun(RetentionOptions options, IBlobStore store, SigningKey key, TimeProvider time)
    {
        (_options, _store, _key, _time) = (options, store, key, time);
        (_extension, _eviction) = (new(options, store, time), new(options, store, time));
        _state = RetentionState.Load(options.StatePath);
    }

    /// <summary>Makes a run.</summary>
    /// <param name="options">Folder, policy, and whom to ask.</param>
    /// <param name="store">The archive.</param>
    /// <param name="key">The installation's key; signs deletion records.</param>
    /// <param name="newest">The newest seal that the installation knows of: without it in the archive nothing is touched. Null when there is none.</param>
    /// <param name="time">Clock.</param>
    /// <param name="cancel">Gives up.</param>
    /// <exception cref="ArchiveRolledBackException">The archive is not the one that was written; nothing was touched.</exception>
    /// <exception cref="IOException">The disk or the archive failed, or another run is under way. A later run goes on.</exception>
    public static async ValueTask<RetentionReport> Run(
        RetentionOptions options, IBlobStore store, SigningKey key, Seal? newest, TimeProvider time, CancellationToken cancel)
    {
        using var alone = Alone(options);
        return await new RetentionRun(options, store, key, time).Run(newest, cancel);
    }

    async ValueTask<RetentionReport> Run(Seal? known, CancellationToken cancel)
    {
        VerifierKey[] keys = [_key.Verifier];
        _log = await DeletionLog.Read(_store, keys, Math.Max(0, _state.FirstDeletion), cancel);
        if (_state.NextDeletion > _log.Next) throw new ArchiveRolledBackException($"{_store.Location}: {ArchiveLayout.Deletion(_state.NextDeletion - 1)} is not there as this installation wrote it. Run `logwarden verify`.");
        var walk = new SealWalk(_store, keys);
        var terms = Terms();
        var isNewPolicy = !string.Equals(_state.Terms, terms, StringComparison.Ordinal);
        var present = _eviction.Present();
        var (firstLive, failed) = (-1L, -1L);
        await foreach (var seal in walk.From(_state.FirstSeal, cancel))
        {
            var number = seal.Record.Header.Number;
            if (!await Look(seal, isNewPolicy || number >= _state.ExtendedSeals, present, cancel) && failed < 0) failed = number;
            // What is gone from the archive can still wait in the hot folder for who needs it.
            if (firstLive < 0 && !seal.Record.Segments.All(segment => IsGone(segment) && !present.Contains(segment.Path))) firstLive = number;
        }
        if (known is not null && (walk.Newest is null || walk.Newest.Record.Header.Number < known.Record.Header.Number))
            throw new ArchiveRolledBackException($"{_store.Location}: {ArchiveLayout.Seal(known.Record.Header.Number)} is not there as this installation wrote it. Run `logwarden verify`; nothing is deleted until it is clear why.");
        if (walk.Newest is { } newest)
        {
            Save(_state with { Terms = terms, ExtendedSeals = failed >= 0 ? failed : newest.Record.Header.Number + 1 });
            await Finish(cancel);
            await Expire(newest, keys, cancel);
            await ExtendProofs(newest, isNewPolicy, cancel);
            var first = firstLive < 0 ? newest.Record.Header.Number : firstLive;
            Save(_state with { FirstSeal = first, FirstDeletion = FirstDeletion(first) });
        }
        foreach (var some in _hot.Chunk(EvictAtOnce)) await Evict(some, cancel);
        TellRest();
        return new(_acts, _deletions);
    }

    /// <summary>Looks at the segments of a seal; those that are due are kept for later, for nothing is deleted before the newest seal is known.</summary>
    /// <returns>False when a lock could not be made longer.</returns>
    async ValueTask<bool> Look(Seal seal, bool extend, IReadOnlySet<string> present, CancellationToken cancel)
    {
        var (now, sealedAt, isDone) = (_time.GetUtcNow(), new DateTimeOffset(seal.Record.Header.Sealed), true);
        var plans = new List<LockPlan>();
        foreach (var segment in seal.Record.Segments)
        {
            if (present.Contains(segment.Path)) _hot.Add((segment, sealedAt));
            if (_log.Of(segment.Path) is not null) continue;
            var until = new DateTimeOffset(segment.RetainUntil);
            var plain = _options.Rules.Reckon(segment, sealedAt, default).Until;
            if (plain > until) until = plain;
            if (extend)
            {
                var wanted = await _extension.Wanted(segment, sealedAt, cancel);
                if (wanted > until) until = wanted.Value;
                var (plan, refused) = wanted is null ? (null, Unread(segment)) : wanted.Value.UtcDateTime > segment.RetainUntil ? await _extension.Plan(segment, wanted.Value, cancel) : (null, null);
                if (plan is not null) plans.Add(plan);
                if (refused is not null) _acts.Add(refused);
                isDone = isDone && refused is null;
            }
            if (until <= now) _due.Add((segment, seal.Record.Header));
            else if (!_needed.TryGetValue(segment.Class, out var needed) || until.UtcDateTime > needed) _needed[segment.Class] = until.UtcDateTime;
        }
        return await Extend(seal, plans, cancel) && isDone;

        static RetentionAct Unread(SealedSegment segment) =>
            RetentionAct.Of(RetentionActKind.Refused, segment, "Whether a requirement of the policy applies to its events cannot be told: it is not there as it was sealed. Run `logwarden verify`.");
    }

    void Note(string @class, DateTimeOffset until)
    {
        if (_state.Extended.TryGetValue(@class, out var known) && known >= until.UtcDateTime) return;
        _state = _state with { Extended = new Dictionary<string, DateTime>(_state.Extended, StringComparer.Ordinal) { [@class] = until.UtcDateTime } };
    }

    async ValueTask<bool> Extend(Seal seal, List<LockPlan> plans, CancellationToken cancel)
    {
        if (plans.Count == 0) return true;
        Tell(new("retention.extend", ArchiveLayout.Seal(seal.Record.Header.Number),
            $"The locks of {plans.Count} segments of this seal are made longer: the policy in force keeps them longer.", IsFailure: false,
            [.. PolicyDetails, .. plans.Take(TellMax).Select(plan => (plan.Segment.Path, (string?)plan.What))]));
        var isDone = true;
        foreach (var plan in plans)
        {
            var act = await _extension.CarryOut(plan, cancel);
            _acts.Add(act);
            if (act.Kind is RetentionActKind.Extended) Note(plan.Segment.Class, plan.Until);
            else isDone = false;
        }
        return isDone;
    }

    IReadOnlyList<(string Name, string? Value)> PolicyDetails => [("policy_version", _options.Rules.Policy.Header.Version), ("policy_sha256", _options.Rules.Policy.Sha256)];

    /// <summary>What is told is told before it is done: a crash between the two tells it twice, and never leaves it untold.</summary>
    void Tell(RetentionNotice notice)
    {
        if (!_options.IsDryRun) _options.Step(RetentionStep.Tell, () => _options.Tell(notice));
    }

    async ValueTask Evict(IReadOnlyList<(SealedSegment Segment, DateTimeOffset SealedAt)> some, CancellationToken cancel)
    {
        var acts = new List<(SealedSegment Segment, RetentionAct Act)>();
        foreach (var (segment, sealedAt) in some)
        {
            if (await _eviction.Examine(segment, sealedAt, _log.Of(segment.Path) is { } deleted && IsFinished(deleted.Number), cancel) is { } act) acts.Add((segment, act));
        }
        _acts.AddRange(acts.Select(one => one.Act));
        acts.RemoveAll(one => one.Act.Kind is not RetentionActKind.Evicted);
        if (acts.Count == 0) return;
        Tell(RetentionActKind.Evicted, "retention.evict", "leave the hot folder: their hot time is over, and the archive has them", isFailure: false, [.. acts.Select(one => one.Act)]);
        foreach (var (segment, _) in _options.IsDryRun ? [] : acts) _eviction.Remove(segment);
    }

    async ValueTask ExtendProofs(Seal newest, bool isNewPolicy, CancellationToken cancel)
    {
        var soon = (_time.GetUtcNow() + LockExtension.ProofMargin).UtcDateTime;
        foreach (var (@class, until) in _state.Extended)
            if (until > _time.GetUtcNow().UtcDateTime && _needed.TryGetValue(@class, out var needed) && until > needed) _needed[@class] = until;
        var proofs = new Dictionary<string, DateTime>(_state.Proofs, StringComparer.Ordinal);
        var wanted = new SortedDictionary<string, DateTime>(_needed, StringComparer.Ordinal);
        if (_needed.Count > 0) wanted[""] = _needed.Values.Max();
        foreach (var (@class, until) in wanted)
        {
            if (proofs.TryGetValue(@class, out var first) && (first >= until || (first >= soon && !isNewPolicy))) continue;
            string[] prefixes = @class.Length == 0 ? [ArchiveLayout.Seals, ArchiveLayout.Deletions] : [$"{ArchiveLayout.Log}{@class}/"];
            var ends = (await _extension.ExtendProofs(
                prefixes, new(until), isNewPolicy, (what, message) => Tell(new("retention.extend", what, message, IsFailure: false, PolicyDetails)), _acts, cancel)).UtcDateTime;
            // What comes later is locked at least as long as the newest is.
            var next = @class.Length == 0 ? newest.Record.Header.RetainUntil : newest.Record.Tree(@class).RetainUntil;
            proofs[@class] = ends < next ? ends : next;
        }
        Save(_state with { Proofs = proofs });
    }

    /// <summary>Carries out the records that an earlier run did not come to the end of.</summary>
    async ValueTask Finish(CancellationToken cancel)
    {
        foreach (var deletion in _log.Records.ToList())
            if (deletion.Number >= _state.NextDeletion || _state.Pending.Contains(deletion.Number)) await CarryOut(deletion, cancel);
    }

    async ValueTask CarryOut(Deletion deletion, CancellationToken cancel)
    {
        var expiry = new Expiry(_options, _store, _key, _time, _log);
        if (deletion.Number >= _state.Told && !_options.IsDryRun)
        {
            expiry.Tell(deletion);
            Save(_state with { Told = deletion.Number + 1 });
        }
        var isDone = true;
        foreach (var segment in deletion.Record.Segments)
        {
            var (isGone, act) = await expiry.Delete(segment, deletion.Number, cancel);
            isDone = isDone && isGone;
            if (act is not null) _acts.Add(act);
            if (act?.Kind is RetentionActKind.Held) Hold(segment.Class);
        }
        var pending = _state.Pending.Where(number => number != deletion.Number);
        Save(_state with { NextDeletion = Math.Max(_state.NextDeletion, deletion.Number + 1), Pending = isDone ? [.. pending] : [.. pending, deletion.Number] });
    }

    async ValueTask Expire(Seal newest, VerifierKey[] keys, CancellationToken cancel)
    {
        var (expiry, leaves) = (new Expiry(_options, _store, _key, _time, _log), new LeafSource(_store, keys, newest));
        var batch = new List<DeletedSegment>();
        foreach (var (segment, seal) in _due)
        {
            var (deleted, act) = await expiry.Examine(segment, seal, leaves, cancel);
            if (act is not null) _acts.Add(act);
            if (act?.Kind is RetentionActKind.Held) Hold(segment.Class);
            if (deleted is null) continue;
            if (_options.IsDryRun) _acts.Add(RetentionAct.Of(RetentionActKind.Expired, segment, $"Its retention is over since {deleted.Terms.Max(term => term.Until):u}."));
            else batch.Add(deleted);
            if (batch.Count < _options.SegmentsPerRecordMax) continue;
            await Flush();
        }
        if (batch.Count > 0) await Flush();

        async ValueTask Flush()
        {
            var deletion = await expiry.Record([.. batch], newest, leaves, cancel);
            batch.Clear();
            _deletions.Add(deletion.Number);
            await CarryOut(deletion, cancel);
        }
    }

    /// <summary>What is held must be proved for as long; how long nobody knows, so for some time at once.</summary>
    void Hold(string @class)
    {
        var until = (_time.GetUtcNow() + LockExtension.ProofMargin + LockExtension.ProofMargin).UtcDateTime;
        if (!_needed.TryGetValue(@class, out var needed) || until > needed) _needed[@class] = until;
    }

    void TellRest()
    {
        Tell(RetentionActKind.Refused, "retention.refused", "were left as they are, though something was due", isFailure: true, _acts);
        Tell(RetentionActKind.Missing, "retention.missing", "are gone from the archive, and no deletion record says why", isFailure: true, _acts);
    }

    void Tell(RetentionActKind kind, string action, string what, bool isFailure, IReadOnlyList<RetentionAct> of)
    {
        var acts = of.Where(act => act.Kind == kind).ToList();
        if (acts.Count == 0) return;
        Tell(new(action, _store.Location, $"{acts.Count} objects {what}.", isFailure,
            [("events", $"{acts.Sum(act => (long)act.Rows)}"), ("bytes", $"{acts.Sum(act => act.Bytes)}"), .. acts.Take(TellMax).Select(act => (act.Path, (string?)act.What))]));
    }

    bool IsFinished(long number) => number < _state.NextDeletion && !_state.Pending.Contains(number);

    bool IsGone(SealedSegment segment) => _log.Of(segment.Path) is { } deleted && IsFinished(deleted.Number);

    // The newest record stays among those that are read: the next one continues it.
    long FirstDeletion(long firstSeal) =>
        _log.Records.FirstOrDefault(one => one.Record.Segments.Any(segment => segment.Seal >= firstSeal))?.Number ?? Math.Max(0, _log.Next - 1);

    void Save(RetentionState state)
    {
        _state = state;
        if (!_options.IsDryRun) _options.Step(RetentionStep.WriteState, () => state.Save(_options.StatePath));
    }

    /// <summary>The periods of the policy, as one hash: only when they change must locks be looked at again.</summary>
    string Terms()
    {
        var text = new StringBuilder();
        var policy = _options.Rules.Policy;
        foreach (var one in policy.Classes) text.Append(one.Name).Append('\t').Append(one.Hot).Append('\t').Append(one.Total).Append('\n');
        foreach (var line in policy.RetentionSchedule) text.Append(line.Class).Append('\t').Append(line.Keep).Append('\n');
        foreach (var one in policy.Requirements) text.Append(one.Class).Append('\t').Append(one.When).Append('\t').Append(one.Keep).Append('\n');
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text.ToString())));
    }

    static FileStream Alone(RetentionOptions options)
    {
        var path = options.StatePath + ".lock";
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        try
        {
            return new(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
        }
        catch (IOException busy) when (File.Exists(path))
        {
            throw new IOException($"another run of retention is under way in {options.DataDirectory}; wait for its end", busy);
        }
    }
}
