using System.Text;
using Logwarden.Events;

namespace Logwarden.Watchers;

/// <summary>A part of what a source sends: events of one class, format and set of LOG-1..4 kinds.</summary>
/// <param name="Class">Policy class.</param>
/// <param name="Format">Input format.</param>
/// <param name="Kinds">Kinds.</param>
public readonly record struct SourcePart(string Class, string Format, LogKinds Kinds)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        var text = $"{Class}/{Format}";
        for (var i = 0; i < EventJson.KindNames.Count; i++)
        {
            if (((int)Kinds & (1 << i)) != 0) text += " " + EventJson.KindNames[i];
        }
        return text;
    }
}

/// <summary>
/// The parts of one source, at most twelve. A part is missing when it is absent for too long by two measures at once, each against its own past: time, and events of the whole source that came without it.
/// The second measure keeps the rhythm out of it: by night all parts are rare. Not thread-safe.
/// </summary>
sealed class SourceParts
{
    /// <summary>Parts beyond are not told apart.</summary>
    public const int Max = 12;

    // A part must have been there in so many of the last eight weeks, the whole source must have sent so many events without it, and its share of false alarms is a twelfth.
    const int WeeksMin = 3;
    const double EventsMin = 50;

    readonly Part[] _parts = new Part[Max];
    int _count;
    bool _isChanged;

    /// <summary>Whether anything that is kept by the hour has changed.</summary>
    public bool IsChanged
    {
        get
        {
            var any = _isChanged;
            for (var i = 0; i < _count; i++) any |= _parts[i].Times.IsChanged || _parts[i].Events.IsChanged;
            return any;
        }
    }

    /// <summary>How many there are.</summary>
    public int Count => _count;

    /// <summary>Those that are known.</summary>
    public IReadOnlyList<SourcePart> All => [.. _parts.Take(_count).Select(part => part.Key)];

    /// <summary>Which part an event belongs to; −1 when it is one too many. Hot path: allocates only for a part that is new.</summary>
    public int Find(ReadOnlySpan<byte> @class, ReadOnlySpan<byte> format, LogKinds kinds)
    {
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            if (part.Key.Kinds == kinds && part.Format.AsSpan().SequenceEqual(format) && part.Class.AsSpan().SequenceEqual(@class)) return i;
        }
        if (_count == Max) return -1;
        _parts[_count] = new(new(Encoding.UTF8.GetString(@class), Encoding.UTF8.GetString(format), kinds));
        _isChanged = true;
        return _count++;
    }

    /// <summary>Counts events of a part.</summary>
    public void Add(int index, long first, long last, long count)
    {
        var part = _parts[index];
        if (part.SlotCount == 0) part.SlotFirst = first;
        part.SlotLast = last;
        part.SlotCount += count;
    }

    /// <summary>A slot is over.</summary>
    /// <param name="before">Events of the source since it is watched, before the slot.</param>
    /// <param name="after">The same, with those of the slot.</param>
    /// <param name="isUsual">Whether absences that end now are to be learned.</param>
    public void Slot(long before, long after, bool isUsual)
    {
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            if (part.SlotCount == 0) continue;
            if (part.LastSeen > 0 && isUsual && !part.IsMissing)
            {
                part.Times.Add(part.SlotFirst, part.SlotFirst - part.LastSeen);
                part.Events.Add(part.SlotFirst, before - part.EventsAtLast);
            }
            (part.LastSeen, part.EventsAtLast, part.SlotCount) = (part.SlotLast, after, 0);
        }
    }

    /// <summary>Looks for parts that are missing.</summary>
    /// <returns>Whether there are any.</returns>
    public bool Look(long now, long events)
    {
        var any = false;
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            part.IsMissing = part.LastSeen > 0 && now - part.LastSeen >= part.TimeMax && events - part.EventsAtLast >= part.EventsMax;
            any |= part.IsMissing;
        }
        return any;
    }

    /// <summary>Those that <see cref="Look"/> found missing, with the time of their last arrival.</summary>
    public IReadOnlyList<(SourcePart Part, long LastSeen)> Missing => [.. _parts.Take(_count).Where(part => part.IsMissing).Select(part => (part.Key, part.LastSeen))];

    /// <summary>We were not watching: absences up to now say nothing.</summary>
    public void Resume(long now, long events)
    {
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            if (!part.IsMissing && part.LastSeen > 0) (part.LastSeen, part.EventsAtLast) = (now, events);
        }
    }

    /// <summary>Learns, once a day.</summary>
    public void Fit(long now, bool isLearned)
    {
        const double PerPart = Cadence.PerQuarter / Max;
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            (part.TimeMax, part.EventsMax) = (double.PositiveInfinity, double.PositiveInfinity);
            if (!isLearned || part.Times.WeeksSeen(now) < WeeksMin) continue;
            var longest = part.Times.Max(now);
            part.TimeMax = Math.Max(WatchClock.Hour, part.Times.Threshold(now, PerPart))
                + (longest > 36 * WatchClock.Hour ? WatchClock.Day : 0) + (longest > 6 * WatchClock.Hour ? WatchClock.Hour : 0);
            part.EventsMax = Math.Max(EventsMin, Math.Max(1.5 * part.Events.Max(now), part.Events.Threshold(now, PerPart)));
        }
        _isChanged = true;
    }

    /// <summary>Writes all of it.</summary>
    public void Write(BinaryWriter output)
    {
        output.Write((byte)_count);
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            output.Write(part.Key.Class);
            output.Write(part.Key.Format);
            output.Write((int)part.Key.Kinds);
            part.Times.Write(output);
            part.Events.Write(output);
            output.Write(part.TimeMax);
            output.Write(part.EventsMax);
        }
        _isChanged = false;
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="InvalidDataException">It is not that.</exception>
    public void Read(BinaryReader input)
    {
        _count = input.ReadByte();
        if (_count > Max) throw new InvalidDataException("too many parts");
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i] = new(new(input.ReadString(), input.ReadString(), (LogKinds)input.ReadInt32()));
            part.Times.Read(input);
            part.Events.Read(input);
            (part.TimeMax, part.EventsMax) = (input.ReadDouble(), input.ReadDouble());
        }
    }

    /// <summary>Writes what changes with every slot.</summary>
    public void WriteNow(BinaryWriter output)
    {
        output.Write((byte)_count);
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            output.Write(part.LastSeen);
            output.Write(part.EventsAtLast);
            output.Write(part.SlotCount);
            output.Write(part.SlotFirst);
            output.Write(part.SlotLast);
            output.Write(part.IsMissing);
        }
    }

    /// <summary>Reads it.</summary>
    /// <exception cref="InvalidDataException">It does not belong to the parts that were read.</exception>
    public void ReadNow(BinaryReader input)
    {
        if (input.ReadByte() != _count) throw new InvalidDataException("other parts");
        for (var i = 0; i < _count; i++)
        {
            var part = _parts[i];
            (part.LastSeen, part.EventsAtLast) = (input.ReadInt64(), input.ReadInt64());
            (part.SlotCount, part.SlotFirst, part.SlotLast) = (input.ReadInt64(), input.ReadInt64(), input.ReadInt64());
            part.IsMissing = input.ReadBoolean();
        }
    }

    sealed class Part(SourcePart key)
    {
        public SourcePart Key { get; } = key;

        public byte[] Class { get; } = Encoding.UTF8.GetBytes(key.Class);

        public byte[] Format { get; } = Encoding.UTF8.GetBytes(key.Format);

        public TailSketch Times { get; } = new();

        public TailSketch Events { get; } = new();

        public double TimeMax { get; set; } = double.PositiveInfinity;

        public double EventsMax { get; set; } = double.PositiveInfinity;

        public long LastSeen { get; set; }

        public long EventsAtLast { get; set; }

        public long SlotCount { get; set; }

        public long SlotFirst { get; set; }

        public long SlotLast { get; set; }

        public bool IsMissing { get; set; }
    }
}
