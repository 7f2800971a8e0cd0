using System.Security.Cryptography;
using System.Text;
using Logwarden.Events;
using Logwarden.Policy;
using Logwarden.Proof.Tree;
using Logwarden.Segments;

namespace Logwarden.Archive;

/// <summary>
/// Groups the events of one seal by class and UTC date and cuts the groups into segment files in the staging folder. Within the memory bound
/// a group is one segment; beyond it the largest group is cut first. Leaf indexes are given in the order of cutting, and the
/// leaves go into the class's tree as they are cut.
/// </summary>
sealed class SegmentCutter(
    SealerOptions options, EventMemory memory, SegmentWriter writer, Func<string, TileWriter> treeOf, HoldWatch? holds, DateTimeOffset now) : IDisposable
{
    static readonly TimeSpan LockMin = TimeSpan.FromDays(1);

    readonly Dictionary<(string Class, int Day), Group> _groups = [];
    readonly List<(byte[] Utf8, string Text)> _classes = [];
    readonly List<SealedSegment> _segments = [];
    readonly Dictionary<(string Class, int Day), HoldWatch.Group> _watched = [];
    readonly Dictionary<string, IReadOnlyList<long>> _held = new(StringComparer.Ordinal);
    (string Class, int Day) _groupKey;
    Group? _group;
    HoldWatch.Group? _watch;

    /// <summary>Segments cut so far and groups that will become one at the end.</summary>
    public int Count => _segments.Count + _groups.Count;

    /// <summary>What was found of the holds that were looked for.</summary>
    public SealMarks Marks => holds is null ? SealMarks.None : new(holds.Ids, _held);

    /// <summary>Takes one event.</summary>
    /// <exception cref="InvalidDataException">It is none, or not that of <paramref name="offset"/>.</exception>
    public void Take(ReadOnlySpan<byte> encoded, long offset)
    {
        if (!EventEncoding.TryRead(encoded, out var e)) throw new InvalidDataException($"What the journal holds at offset {offset} is no event.");
        if (e.Offset != offset) throw new InvalidDataException($"The journal holds offset {e.Offset} at {offset}.");
        SelectGroup(ClassOf(e.Class), DayOf(e.TimeMicros));
        _group!.Events.Add(encoded, e.TimeMicros, e.Offset);
        // Each requirement is looked for until one event of the group has it; where the policy has none this is a comparison.
        if (!_group.Open.IsEmpty) _group.Found(options.Requirements!.Matcher.Match(e, _group.Open));
        _watch?.Take(e);
        while (memory.InUse > options.MemoryBytesMax) CutLargest();
    }

    /// <summary>Cuts what is left, by class and date.</summary>
    public IReadOnlyList<SealedSegment> Finish()
    {
        foreach (var key in _groups.Keys.OrderBy(key => key.Class, StringComparer.Ordinal).ThenBy(key => key.Day).ToArray()) Cut(key);
        return _segments;
    }

    public void Dispose()
    {
        foreach (var group in _groups.Values) group.Dispose();
        _groups.Clear();
    }

    void SelectGroup(string @class, int day)
    {
        if (_group is not null && _groupKey.Day == day && ReferenceEquals(_groupKey.Class, @class)) return;
        _groupKey = (@class, day);
        if (!_groups.ContainsKey(_groupKey)) _groups.Add(_groupKey, new(memory, options.Requirements?.Matcher.Sometimes(@class) ?? default));
        _group = _groups[_groupKey];
        if (holds is null) return;
        if (!_watched.TryGetValue(_groupKey, out _watch)) _watched.Add(_groupKey, _watch = holds.Begin());
    }

    // A handful of classes: comparing bytes is quicker than making a string to look up.
    string ClassOf(ReadOnlySpan<byte> utf8)
    {
        foreach (var (known, text) in _classes)
            if (utf8.SequenceEqual(known)) return text;
        var fresh = Encoding.UTF8.GetString(utf8);
        BlobKey.Check(fresh);
        if (fresh.Contains('/', StringComparison.Ordinal)) throw new InvalidDataException($"`{fresh}` is no class.");
        _classes.Add((utf8.ToArray(), fresh));
        return fresh;
    }

    void CutLargest()
    {
        var largest = default((string, int));
        var bytes = -1L;
        foreach (var (key, group) in _groups)
            if (group.Events.Bytes > bytes) (largest, bytes) = (key, group.Events.Bytes);
        Cut(largest);
    }

    void Cut((string Class, int Day) key)
    {
        var (group, matched) = (_groups[key].Events, _groups[key].Matched);
        var tree = treeOf(key.Class);
        group.Sort();
        var firstLeaf = tree.Size;
        var path = SegmentSchema.PathOf(key.Class, DateOnly.FromDayNumber(key.Day), firstLeaf, group.Count);
        var staged = Path.Combine(options.StagingDirectory, path.Replace('/', '+'));
        SegmentFile file = null!;
        options.Step(SealStep.StageSegment, () =>
        {
            File.Delete(staged);
            file = writer.Write(staged, group, firstLeaf);
        });
        for (var i = 0; i < group.Count; i++) tree.Append(new(SHA256.HashData(group.LeafInput(i))));
        var protection = options.Retention(key.Class, TimeOf(file.MaxTimeMicros));
        // A lock in the past is refused by every store. Old events that come late are kept at least that long.
        var until = protection.RetainUntil > now + LockMin ? protection.RetainUntil : now + LockMin;
        if (!matched.IsEmpty && options.Requirements!.Until(matched, TimeOf(file.MaxTimeMicros)) is var longer && longer > until) until = longer;
        var held = _watched.Remove(key, out var watch) ? watch.Ids : [];
        if (held.Count > 0) _held.Add(path, held);
        protection = new(protection.Mode, until, protection.LegalHold || held.Count > 0);
        _segments.Add(new(
            path, key.Class, Convert.ToHexStringLower(file.Sha256.Span), file.Bytes, file.Rows, firstLeaf, file.MinTimeMicros, file.MaxTimeMicros,
            protection.RetainUntil.UtcDateTime, protection.Mode, protection.LegalHold));
        group.Dispose();
        _groups.Remove(key);
        (_group, _watch) = (null, null);
    }

    /// <summary>Day number (<see cref="DateOnly.DayNumber"/>) of a time; a time beyond the calendar falls on its first or last day.</summary>
    internal static int DayOf(long timeMicros) => DateOnly.FromDateTime(TimeOf(timeMicros).UtcDateTime).DayNumber;

    internal static DateTimeOffset TimeOf(long timeMicros) =>
        timeMicros < EarliestMicros ? DateTimeOffset.MinValue
        : timeMicros > LatestMicros ? DateTimeOffset.MaxValue
        : UnixMicros.ToInstant(timeMicros);

    static readonly long EarliestMicros = UnixMicros.Of(DateTimeOffset.MinValue);
    static readonly long LatestMicros = UnixMicros.Of(DateTimeOffset.MaxValue);

    /// <summary>The events of a segment to be, and which requirements they have.</summary>
    sealed class Group(EventMemory memory, RequirementSet open) : IDisposable
    {
        public EventBuffer Events { get; } = new(memory);

        /// <summary>Requirements that none of them has yet.</summary>
        public RequirementSet Open { get; private set; } = open;

        /// <summary>Requirements that one of them has.</summary>
        public RequirementSet Matched { get; private set; }

        public void Dispose() => Events.Dispose();

        public void Found(RequirementSet found) => (Open, Matched) = (Open.Without(found), Matched.With(found));
    }
}
