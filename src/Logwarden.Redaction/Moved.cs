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
    /// those of the input. Hits that touch become one. False when nothing new was in it.
    /// </summary>
    public static bool Merge(List<RedactionFinding> known, List<RedactionFinding> found)
    {
        var before = known.Count;
        var more = false;
        for (var i = 0; i < found.Count; i++)
        {
            var hit = found[i];
            var start = Back(known, before, hit.Start, toEnd: false);
            var end = Back(known, before, hit.Start + hit.Length, toEnd: true);
            if (end <= start || Covered(known, before, start, end)) continue;
            known.Add(hit with { Start = start, Length = end - start });
            more = true;
        }
        if (!more) return false;
        known.Sort(static (a, b) => a.Start != b.Start ? a.Start.CompareTo(b.Start) : b.Length.CompareTo(a.Length));
        var last = 0;
        for (var i = 1; i < known.Count; i++)
        {
            var (a, b) = (known[last], known[i]);
            if (b.Start >= a.Start + a.Length) known[++last] = b;
            else known[last] = a with { Length = Math.Max(a.Start + a.Length, b.Start + b.Length) - a.Start, Bare = a.Bare || b.Bare && b.Start == a.Start };
        }
        known.RemoveRange(last + 1, known.Count - last - 1);
        return true;
    }

    static bool Covered(List<RedactionFinding> known, int count, int start, int end)
    {
        for (var i = 0; i < count; i++)
            if (known[i].Start <= start && known[i].Start + known[i].Length >= end) return true;
        return false;
    }

    // An offset within a marker is that of the whole hit.
    static int Back(List<RedactionFinding> known, int count, int offset, bool toEnd)
    {
        var shift = 0;
        for (var i = 0; i < count; i++)
        {
            var hit = known[i];
            var at = hit.Start + shift;
            var length = Redactor.MarkerLength(hit);
            if (offset <= at) break;
            if (offset < at + length) return toEnd ? hit.Start + hit.Length : hit.Start;
            shift += length - hit.Length;
        }
        return offset - shift;
    }
}
