using Logwarden.Archive;
using Logwarden.Policy;

namespace Logwarden.Retention;

/// <summary>Whether what a deletion record says of a segment is what its seal says, and whether its retention was over. Pure: the same for who deletes and who verifies.</summary>
static class DeletionCheck
{
    /// <summary>Checks one segment.</summary>
    /// <param name="deletion">First line of the record.</param>
    /// <param name="deleted">What it says of the segment.</param>
    /// <param name="segment">What the seal says of it.</param>
    /// <param name="seal">First line of the seal.</param>
    /// <param name="now">The present.</param>
    /// <returns>Null when it was deleted as required, else why not, in a sentence.</returns>
    public static string? Why(DeletionHeader deletion, DeletedSegment deleted, SealedSegment segment, SealHeader seal, DateTimeOffset now)
    {
        if (!deleted.Is(segment, seal.Number)) return $"It is not told as seal {seal.Number} has it.";
        if (deletion.Decided > now.UtcDateTime) return $"It was decided at {deletion.Decided:u}, which is not yet.";
        if (segment.RetainUntil > deletion.Decided) return $"It was sealed with a lock until {segment.RetainUntil:u}; it was decided at {deletion.Decided:u}.";
        if (deleted.LockedUntil > deletion.Decided) return $"The store had it locked until {deleted.LockedUntil:u}; it was decided at {deletion.Decided:u}.";
        if (deleted.Terms.Count(term => term.Kind is TermKind.Class) != 1) return "The period of its class is not among the reasons.";
        foreach (var term in deleted.Terms)
        {
            var from = term.Kind is TermKind.Review ? new DateTimeOffset(seal.Sealed) : RetentionRules.Counted(SegmentCutter.TimeOf(segment.MaxTime), new(seal.Sealed));
            if (!Period.TryParse(term.Keep, out var keep) || term != RetentionTerm.Of(term.Kind, term.Name, keep, from))
                return $"The reason '{term.Name}' is not reckoned right: {term.Keep} from {from.UtcDateTime:u} is not {term.Until:u}.";
            if (term.Until > deletion.Decided) return $"By '{term.Name}' it was to be kept until {term.Until:u}; it was decided at {deletion.Decided:u}.";
        }
        return null;
    }
}
