namespace Logwarden.Redaction;

/// <summary>Offsets of the input and of the text in which hits are replaced already, and the way between them.</summary>
static class Moved
{
    /// <summary>Where an actor's value stands after <paramref name="hits"/> were replaced.</summary>
    public static ProtectedSpan Forward(List<RedactionFinding> hits, ProtectedSpan actor)
    {
        var start = Forward(hits, actor.Start);
        return new ProtectedSpan(start, Forward(hits, actor.Start + actor.Length) - start);
    }

    static int Forward(List<RedactionFinding> hits, int offset)
    {
        var shift = 0;
        foreach (var hit in hits)
        {
            if (hit.Start >= offset) break;
            if (hit.Start + hit.Length > offset) return hit.Start + shift + Redactor.MarkerLength(hit);
            shift += Redactor.MarkerLength(hit) - hit.Length;
        }
        return offset + shift;
    }

    /// <summary>
    /// Adds <paramref name="found"/>, whose offsets are those of the replaced text, to <paramref name="known"/>, whose offsets are
    /// those of the input. Hits that touch become one. False when nothing new was in it. Takes time in proportion to the hits.
    /// </summary>
    public static bool Merge(List<RedactionFinding> known, List<RedactionFinding> found)
    {
        Settle(known);
        Sort(found);
        var before = known.Count;
        var at = new Place(0, 0);
        foreach (var hit in found)
        {
            at = Advance(known, before, at, hit.Start);
            var start = Back(known, before, at, hit.Start, toEnd: false);
            var last = Advance(known, before, at, hit.Start + hit.Length);
            var end = Back(known, before, last, hit.Start + hit.Length, toEnd: true);
            if (end <= start || Covered(known, before, at.Index, start, end)) continue;
            known.Add(hit with { Start = start, Length = end - start });
        }
        if (known.Count == before) return false;
        Settle(known);
        return true;
    }

    // How many hits lie before an offset of the replaced text, and by how much they moved what is behind them.
    readonly record struct Place(int Index, int Shift);

    static Place Advance(List<RedactionFinding> known, int count, Place from, int offset)
    {
        var (i, shift) = from;
        for (; i < count; i++)
        {
            var length = Redactor.MarkerLength(known[i]);
            if (offset < known[i].Start + shift + length) break;
            shift += length - known[i].Length;
        }
        return new(i, shift);
    }

    // An offset within a marker is that of the whole hit.
    static int Back(List<RedactionFinding> known, int count, Place at, int offset, bool toEnd)
    {
        if (at.Index == count || offset <= known[at.Index].Start + at.Shift) return offset - at.Shift;
        var hit = known[at.Index];
        return toEnd ? hit.Start + hit.Length : hit.Start;
    }

    static bool Covered(List<RedactionFinding> known, int count, int index, int start, int end)
    {
        // The hit that holds the start is the one there, or ends right before it.
        for (var i = Math.Max(0, index - 1); i < Math.Min(count, index + 1); i++)
            if (known[i].Start <= start && known[i].Start + known[i].Length >= end) return true;
        return false;
    }

    static void Sort(List<RedactionFinding> hits) => hits.Sort(static (a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : b.Length.CompareTo(a.Length));

    static void Settle(List<RedactionFinding> hits)
    {
        if (hits.Count == 0) return;
        Sort(hits);
        var last = 0;
        for (var i = 1; i < hits.Count; i++)
        {
            var (a, b) = (hits[last], hits[i]);
            if (b.Start >= a.Start + a.Length) hits[++last] = b;
            else hits[last] = a with { Length = Math.Max(a.Start + a.Length, b.Start + b.Length) - a.Start, Bare = a.Bare || b.Bare && b.Start == a.Start };
        }
        hits.RemoveRange(last + 1, hits.Count - last - 1);
    }
}
