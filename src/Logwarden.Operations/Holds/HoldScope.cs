using System.Globalization;
using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Holds;

/// <summary>What someone asks to be held: which events, for which matter, and who wants and approves it. What is given of the scope goes together with AND.</summary>
public sealed record HoldRequest
{
    /// <summary>The matter, such as a case number.</summary>
    public required string Matter { get; init; }

    /// <summary>Who asks for it.</summary>
    public required string Requester { get; init; }

    /// <summary>Who approves it: someone else.</summary>
    public required string Approver { get; init; }

    /// <summary>Source id.</summary>
    public string? Source { get; init; }

    /// <summary>LOG-5 user id; may have the wildcards <c>*</c> and <c>?</c>.</summary>
    public string? User { get; init; }

    /// <summary>LOG-5 action object; may have wildcards.</summary>
    public string? Object { get; init; }

    /// <summary>Policy class.</summary>
    public string? Class { get; init; }

    /// <summary>Events from this time on.</summary>
    public DateTimeOffset? From { get; init; }

    /// <summary>Events before this time.</summary>
    public DateTimeOffset? To { get; init; }

    /// <summary>A filter (docs/query-language.md).</summary>
    public string? When { get; init; }
}

/// <summary>Something in a request for a hold, or for its release, is not as it must be.</summary>
/// <param name="field">Field that is wrong, as in <see cref="HoldRequest"/>, in lower case.</param>
/// <param name="message">What is wrong and what would be right.</param>
public sealed class HoldRefusedException(string field, string message) : Exception(message)
{
    /// <summary>Field that is wrong.</summary>
    public string Field { get; } = field;
}

/// <summary>The scope of a hold: a predicate of the one language, kept as its canonical text.</summary>
public static class HoldScope
{
    const int TextMax = 2_000;

    /// <summary>The predicate that a request means.</summary>
    /// <exception cref="HoldRefusedException">It means nothing, or its filter is wrong.</exception>
    public static Predicate Of(HoldRequest request)
    {
        var parts = new List<Predicate>();
        if (request.Class is { } @class) parts.Add(Test("class", EventColumn.Class, @class));
        if (request.Source is { } source) parts.Add(Test("source", EventColumn.Source, source));
        if (request.User is { } user) parts.Add(Test("user", EventColumn.User, user));
        if (request.Object is { } @object) parts.Add(Test("object", EventColumn.Object, @object));
        if (request.From is not null || request.To is not null) parts.Add(Times(request));
        if (request.When is { } when)
        {
            var parsed = PredicateParser.Parse(when);
            if (parsed.Error is { } error) throw new HoldRefusedException("when", error.ToString());
            parts.Add(parsed.Value);
        }
        if (parts.Count == 0)
            throw new HoldRefusedException("when", "it has no scope: name at least one of source, user, object, class, from, to and when; '*' as the filter holds everything");
        return Predicate.All([.. parts]);
    }

    /// <summary>Reads a scope that was kept. One that this version can't read is everything: it holds too much rather than too little.</summary>
    public static Predicate Read(string text) => PredicateParser.Parse(text).Predicate ?? new Predicate.Everything();

    /// <summary>Checks a text of a request.</summary>
    /// <exception cref="HoldRefusedException">It is empty or too long.</exception>
    internal static string Text(string field, string text)
    {
        var trimmed = text.Trim();
        return trimmed.Length is > 0 and <= TextMax ? trimmed
            : throw new HoldRefusedException(field, trimmed.Length == 0 ? "it is empty" : string.Create(CultureInfo.InvariantCulture, $"it has {trimmed.Length} characters; at most {TextMax} are kept"));
    }

    /// <summary>Two people: whoever asks does not approve.</summary>
    /// <exception cref="HoldRefusedException">They are the same person.</exception>
    internal static (string Requester, string Approver) Two(string requester, string approver)
    {
        var (one, other) = (Text("requester", requester), Text("approver", approver));
        if (string.Equals(one, other, StringComparison.OrdinalIgnoreCase)) throw new HoldRefusedException("approver", $"'{other}' is also the requester: someone else must approve it");
        return (one, other);
    }

    // Classes and sources are names of ours; users and objects are written as senders like, and are found whatever their case.
    static Predicate.FieldTest Test(string field, EventColumn column, string text)
    {
        var value = Text(field, text);
        if (column is EventColumn.Class or EventColumn.Source) return new(new Field.Column(column), [new ValueTest.Exactly(value)]);
        var pattern = TextPattern.FromEscaped(value);
        return new(new Field.Column(column), [pattern.HasWildcards ? new ValueTest.Fits(pattern) : new ValueTest.EqualTo(pattern.Unescaped())]);
    }

    static Predicate.FieldTest Times(HoldRequest request)
    {
        if (request.From >= request.To) throw new HoldRefusedException("to", "it is not after from");
        return new(new Field.Column(EventColumn.Time), [new ValueTest.WholeRange(request.From is { } from ? UnixMicros.Of(from) : null, request.To is { } to ? UnixMicros.Of(to) - 1 : null)]);
    }
}
