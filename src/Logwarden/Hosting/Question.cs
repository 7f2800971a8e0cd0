using Logwarden.Query;

namespace Logwarden.Hosting;

/// <summary>What someone asks of the events, on the command line or over HTTP: one of <see cref="Sql"/>, <see cref="Histogram"/> and <see cref="Top"/>, or none of them for events.</summary>
sealed record Question
{
    /// <summary>One SELECT over the view <c>events</c> (docs/query.md).</summary>
    public string? Sql { get; init; }

    /// <summary>Which events.</summary>
    public required EventScope Scope { get; init; }

    /// <summary>Most events or values.</summary>
    public required int Limit { get; init; }

    /// <summary>Where the page before ended.</summary>
    public string? Cursor { get; init; }

    /// <summary>Number of stretches of time.</summary>
    public int? Histogram { get; init; }

    /// <summary>Field whose most frequent values are wanted.</summary>
    public string? Top { get; init; }

    /// <summary>What does not go together, and names that are none; null when nothing is wrong.</summary>
    /// <param name="policy">Which classes there are.</param>
    /// <param name="mark">What stands before the names of its parts where it was asked: <c>--</c>, or nothing.</param>
    public string? Wrong(PolicyFile policy, string mark)
    {
        var kinds = (Sql is null ? 0 : 1) + (Histogram is null ? 0 : 1) + (Top is null ? 0 : 1);
        if (kinds > 1) return $"{mark}sql, {mark}histogram and {mark}top do not go together; ask for one";
        if (kinds > 0 && Cursor is not null) return $"{mark}cursor goes on with a page of events; it does not go with {mark}sql, {mark}histogram or {mark}top";
        if (Sql is not null && Scope.Filter.Length > 0) return "a filter and SQL do not go together: write the condition into the statement";
        return Scope.Class is { } @class && policy.Unknown(@class) is { } unknown ? $"{mark}class: {unknown}" : null;
    }

    /// <summary>The access that it is, with every text redacted like one in an event.</summary>
    public AccessRecord Access(string actor, PolicyFile policy)
    {
        string Redacted(string text) => AccessLog.Subject(policy.Redactor, text);
        return new(actor, Sql is not null ? "sql" : Histogram is not null ? "histogram" : Top is not null ? "top" : "query", Redacted(Sql ?? Scope.Filter))
        {
            Scope =
            [
                ("from", Scope.From?.UtcDateTime.ToString("O")), ("to", Scope.To?.UtcDateTime.ToString("O")), ("class", Scope.Class), ("source", Scope.Source is null ? null : Redacted(Scope.Source)),
                ("histogram", Histogram is { } bars ? Commands.Cli.Number(bars) : null), ("top", Top is null ? null : Redacted(Top)), ("limit", Commands.Cli.Number(Limit)),
            ],
        };
    }
}
