using System.Runtime.InteropServices;
using System.Text;
using Logwarden.Flow;

namespace Logwarden.Delivery;

/// <summary>The fate of each event of a batch. Not thread-safe.</summary>
sealed class Settlement
{
    readonly List<(bool IsKnown, string? Refusal)> _fates = [];
    readonly Dictionary<string, (long Delivered, long Refused)> _counts = new(StringComparer.Ordinal);

    /// <summary>Events at the batch's front whose fate is kept already.</summary>
    public int Kept { get; set; }

    /// <summary>Events at the batch's front whose fate is known.</summary>
    public int Front
    {
        get
        {
            var front = Kept;
            while (front < _fates.Count && _fates[front].IsKnown) front++;
            return front;
        }
    }

    /// <summary>A new batch: nothing is known.</summary>
    public void Begin(EventBatch batch)
    {
        CollectionsMarshal.SetCount(_fates, batch.Count);
        CollectionsMarshal.AsSpan(_fates).Clear();
        Kept = 0;
    }

    public bool IsOpen(int index) => !_fates[index].IsKnown;

    public bool IsDelivered(int index) => _fates[index] is { IsKnown: true, Refusal: null };

    /// <summary>Indexes of those that are not known yet.</summary>
    public int[] Open() => [.. Enumerable.Range(0, _fates.Count).Where(IsOpen)];

    public void Deliver(int index)
    {
        if (IsOpen(index)) _fates[index] = (true, null);
    }

    public void Refuse(int index, string reason) => _fates[index] = (true, reason);

    /// <summary>What is to be kept of the events up to <paramref name="count"/> that is not kept yet.</summary>
    public (IReadOnlyCollection<OutcomeCount> Counts, IReadOnlyCollection<DeadLetter> Dead) UpTo(EventBatch batch, int count)
    {
        _counts.Clear();
        var names = _counts.GetAlternateLookup<ReadOnlySpan<char>>();
        List<DeadLetter>? dead = null;
        Span<char> name = stackalloc char[256];
        for (var i = Kept; i < count; i++)
        {
            var e = batch.Event(i);
            var refusal = _fates[i].Refusal;
            var source = e.Source.Length <= name.Length ? (ReadOnlySpan<char>)name[..Encoding.UTF8.GetChars(e.Source, name)] : Encoding.UTF8.GetString(e.Source);
            ref var counted = ref CollectionsMarshal.GetValueRefOrAddDefault(names, source, out _);
            if (refusal is null) counted.Delivered++;
            else counted.Refused++;
            if (refusal is null) continue;
            (dead ??= []).Add(new(e.Offset, Encoding.UTF8.GetString(e.Id), Encoding.UTF8.GetString(e.Class), Encoding.UTF8.GetString(e.Source), refusal, batch.Encoded(i).ToArray()));
        }
        var counts = new List<OutcomeCount>(_counts.Count);
        foreach (var (source, (delivered, refused)) in _counts)
        {
            if (delivered > 0) counts.Add(new(source, Outcome.Delivered, delivered));
            if (refused > 0) counts.Add(new(source, Outcome.Refused, refused));
        }
        return (counts, dead is null ? [] : dead);
    }
}
