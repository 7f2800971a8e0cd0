using System.Runtime.CompilerServices;
using Logwarden.Events;

namespace Logwarden.Segments;

/// <summary>The texts of an event that the JSON can be read from again: one table for whoever writes references, follows them, or looks for what they stand for.</summary>
static class TextColumns
{
    /// <summary>The columns, in the order in which a value is looked for in them: ids are longest and most often there.</summary>
    public static ReadOnlySpan<int> All => [SegmentSchema.EventId, SegmentSchema.Object, SegmentSchema.Ip, SegmentSchema.User, SegmentSchema.Action];

    /// <summary>The text of one of the columns; absent for any other column.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static OptionalText TextOf(int column, in StoredEvent e) => column switch
    {
        SegmentSchema.EventId => new(e.Id),
        SegmentSchema.Object => e.Object,
        SegmentSchema.Ip => e.Ip,
        SegmentSchema.User => e.User,
        SegmentSchema.Action => e.Action,
        _ => default,
    };
}
