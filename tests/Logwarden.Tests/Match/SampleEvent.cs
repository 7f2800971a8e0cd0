using System.Text;
using Logwarden.Events;

namespace Logwarden.Tests.Match;

/// <summary>A stored event that can live on the heap.</summary>
sealed record SampleEvent
{
    internal long Offset { get; init; }

    internal long TimeMicros { get; init; } = 1_767_225_600_000_000;

    internal long IngestedMicros { get; init; } = 1_767_225_601_000_000;

    internal int ClassUid { get; init; } = 3002;

    internal int ActivityId { get; init; } = 1;

    internal byte SeverityId { get; init; } = 1;

    internal byte StatusId { get; init; } = 1;

    internal LogKinds Kinds { get; init; }

    internal MissingFields Missing { get; init; }

    internal string Id { get; init; } = "e-1";

    internal string Class { get; init; } = "application";

    internal string Source { get; init; } = "shop";

    internal string Format { get; init; } = "app";

    internal string? User { get; init; }

    internal string? Ip { get; init; }

    internal string? Action { get; init; }

    internal string? Object { get; init; }

    internal string Redactions { get; init; } = "";

    internal string Json { get; init; } = "{}";

    internal TResult Read<TResult>(Func<StoredEvent, TResult> read) => read(new StoredEvent
    {
        Offset = Offset,
        TimeMicros = TimeMicros,
        IngestedMicros = IngestedMicros,
        ClassUid = ClassUid,
        ActivityId = ActivityId,
        SeverityId = SeverityId,
        StatusId = StatusId,
        Kinds = Kinds,
        Missing = Missing,
        Id = Encoding.UTF8.GetBytes(Id),
        Class = Encoding.UTF8.GetBytes(Class),
        Source = Encoding.UTF8.GetBytes(Source),
        Format = Encoding.UTF8.GetBytes(Format),
        User = Optional(User),
        Ip = Optional(Ip),
        Action = Optional(Action),
        Object = Optional(Object),
        Redactions = Encoding.UTF8.GetBytes(Redactions),
        Json = Encoding.UTF8.GetBytes(Json),
    });

    static OptionalText Optional(string? text) => text is null ? default : new(Encoding.UTF8.GetBytes(text));
}
