using System.Diagnostics.CodeAnalysis;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Watchers;

/// <summary>
/// Sees every event once, in the order of the journal, and counts it. No allocation an event; a slot of five minutes that ends costs some microseconds a source. Thread-safe.
/// </summary>
public sealed class SourceObserver
{
    // A time that is off by more says nothing; it only has to stay computable.
    const long OffMax = 10 * 365 * WatchClock.Day;

    readonly Dictionary<byte[], SourceEntry> _entries = new(Utf8Keys.Instance);
    readonly Dictionary<byte[], SourceEntry>.AlternateLookup<ReadOnlySpan<byte>> _bySpan;
    readonly Func<string, SourceEntry> _make;
    SourceEntry? _last;

    internal SourceObserver(Func<string, SourceEntry> make)
    {
        _make = make;
        _bySpan = _entries.GetAlternateLookup<ReadOnlySpan<byte>>();
    }

    /// <summary>Offset behind the last event that was seen: where a reader goes on after a restart.</summary>
    public long Position { get; internal set; }

    internal Lock Gate { get; } = new();

    internal IReadOnlyCollection<SourceEntry> Entries => _entries.Values;

    /// <summary>Counts an event. Events below <see cref="Position"/> were counted before and are passed over.</summary>
    /// <param name="e">The event.</param>
    /// <param name="arrivalMicros">When it was accepted, unix microseconds: <see cref="StoredEvent.IngestedMicros"/>.</param>
    public void Observe(in StoredEvent e, long arrivalMicros)
    {
        lock (Gate)
        {
            if (e.Offset < Position) return;
            Position = e.Offset + 1;
            var entry = _last;
            if (entry is null || !entry.Utf8.AsSpan().SequenceEqual(e.Source)) entry = _last = Entry(e.Source);
            var time = Math.Clamp(e.TimeMicros, Math.Max(1, arrivalMicros - OffMax), arrivalMicros + OffMax);
            entry.Track.Arrive(arrivalMicros, arrivalMicros, 1, time, entry.Track.Parts.Find(e.Class, e.Format, e.Kinds));
            if (entry.Gaps.Count != 0) entry.CountLate(time, arrivalMicros);
        }
    }

    internal SourceEntry Entry(string source) => Entry(Encoding.UTF8.GetBytes(source));

    internal void Add(SourceEntry entry) => _entries[entry.Utf8] = entry;

    internal void Remove(SourceEntry entry)
    {
        _entries.Remove(entry.Utf8);
        if (ReferenceEquals(_last, entry)) _last = null;
    }

    SourceEntry Entry(ReadOnlySpan<byte> source)
    {
        if (_bySpan.TryGetValue(source, out var known)) return known;
        var entry = _make(Encoding.UTF8.GetString(source));
        _entries[entry.Utf8] = entry;
        return entry;
    }

    /// <summary>Keys of UTF-8 that are looked up by span.</summary>
    sealed class Utf8Keys : IEqualityComparer<byte[]>, IAlternateEqualityComparer<ReadOnlySpan<byte>, byte[]>
    {
        public static Utf8Keys Instance { get; } = new();

        public bool Equals(byte[]? x, byte[]? y) => x.AsSpan().SequenceEqual(y);

        public int GetHashCode([DisallowNull] byte[] obj) => GetHashCode(obj.AsSpan());

        public bool Equals(ReadOnlySpan<byte> alternate, byte[] other) => alternate.SequenceEqual(other);

        public int GetHashCode(ReadOnlySpan<byte> alternate)
        {
            var hash = default(HashCode);
            hash.AddBytes(alternate);
            return hash.ToHashCode();
        }

        public byte[] Create(ReadOnlySpan<byte> alternate) => alternate.ToArray();
    }
}

/// <summary>A source in memory: its track, and the gaps that late events may still fill.</summary>
sealed class SourceEntry(string name, SourceTrack track)
{
    // Events that old may fill a gap; live ones that were on their way when it ended don't.
    const long LiveFor = 60 * WatchClock.Second;

    /// <summary>Gaps that are kept in memory.</summary>
    public const int GapsMax = 16;

    public string Name { get; } = name;

    public byte[] Utf8 { get; } = Encoding.UTF8.GetBytes(name);

    public SourceTrack Track { get; set; } = track;

    public List<FillingGap> Gaps { get; } = [];

    /// <summary>It has been told that it never sent.</summary>
    public bool IsNeverSentTold { get; set; }

    public bool IsSaved { get; set; }

    /// <summary>Counts an event that happened in a gap and arrives when it is over. The first arrival ends the gap of a dead source.</summary>
    public void CountLate(long time, long arrival)
    {
        foreach (var gap in Gaps)
        {
            if (time < gap.From) continue;
            if (gap.To == long.MaxValue && gap.Verdict == Verdict.Dead && arrival > gap.From) gap.To = arrival;
            if (gap.To == long.MaxValue || arrival < gap.To || time >= gap.To - LiveFor) continue;
            gap.Late++;
            gap.LastLate = arrival;
        }
    }
}

/// <summary>A gap that late events may fill.</summary>
sealed class FillingGap(long number, Verdict verdict, long from, long to)
{
    public long Number { get; } = number;

    public Verdict Verdict { get; } = verdict;

    public long From { get; } = from;

    /// <summary>Its end; <see cref="long.MaxValue"/> while it goes on.</summary>
    public long To { get; set; } = to;

    /// <summary>Late events that were not written down yet.</summary>
    public long Late { get; set; }

    public long LastLate { get; set; }
}
