using Logwarden.Events;

namespace Logwarden.Match;

/// <summary>
/// A predicate compiled for the stream: answers for one event after the other without allocating. Immutable and thread-safe.
/// A test of a column reads only the column; a path or free text costs one pass over the JSON, and only when a quick literal
/// check finds the key or the word at all.
/// </summary>
public sealed class Matcher
{
    readonly MatchNode _root;

    Matcher(MatchNode root) => _root = root;

    /// <summary>Compiles a predicate.</summary>
    public static Matcher Compile(Predicate predicate) => new(Node(predicate));

    /// <summary>Whether the event matches. Never throws, whatever the bytes; JSON that is broken has the values before the break.</summary>
    public bool Matches(in StoredEvent e) => _root.Matches(e);

    static MatchNode Node(Predicate predicate) => predicate switch
    {
        Predicate.Everything => new EverythingNode(),
        Predicate.AllOf all => new AllNode([.. all.Parts.Select(Node)]),
        Predicate.AnyOf any => new AnyNode([.. any.Parts.Select(Node)]),
        Predicate.Negation not => new NegationNode(Node(not.Part)),
        Predicate.KindTest kind => new KindNode(kind.Kinds),
        Predicate.MissingTest missing => new MissingNode(missing.Fields),
        Predicate.FreeText free => new FreeTextNode(free.Pattern),
        Predicate.Has { Field: Field.Column column } => EventColumns.Type(column.Name) == ColumnType.Text
            ? new TextColumnNode(column.Name, [new PresentTest()])
            : new EverythingNode(),
        Predicate.Has { Field: Field.Path path } => new PathNode(path, [new PresentTest()]),
        Predicate.FieldTest { Field: Field.Path path } test => new PathNode(path, Compile(test.Tests)),
        Predicate.FieldTest { Field: Field.Column column } test => EventColumns.Type(column.Name) == ColumnType.Text
            ? new TextColumnNode(column.Name, Compile(test.Tests))
            : new WholeColumnNode(column.Name, Compile(test.Tests)),
        _ => throw new System.Diagnostics.UnreachableException(),
    };

    static CompiledTest[] Compile(ValueList<ValueTest> tests) => [.. tests.Select(CompiledTest.Of)];
}

/// <summary>One node of a compiled predicate.</summary>
abstract class MatchNode
{
    internal abstract bool Matches(in StoredEvent e);
}

sealed class EverythingNode : MatchNode
{
    internal override bool Matches(in StoredEvent e) => true;
}

sealed class AllNode(MatchNode[] parts) : MatchNode
{
    internal override bool Matches(in StoredEvent e)
    {
        foreach (var part in parts)
        {
            if (!part.Matches(e)) return false;
        }
        return true;
    }
}

sealed class AnyNode(MatchNode[] parts) : MatchNode
{
    internal override bool Matches(in StoredEvent e)
    {
        foreach (var part in parts)
        {
            if (part.Matches(e)) return true;
        }
        return false;
    }
}

sealed class NegationNode(MatchNode part) : MatchNode
{
    internal override bool Matches(in StoredEvent e) => !part.Matches(e);
}

sealed class KindNode(LogKinds kinds) : MatchNode
{
    internal override bool Matches(in StoredEvent e) => kinds == LogKinds.None ? e.Kinds == LogKinds.None : (e.Kinds & kinds) != LogKinds.None;
}

sealed class MissingNode(MissingFields fields) : MatchNode
{
    internal override bool Matches(in StoredEvent e) =>
        fields == MissingFields.None ? e.Missing == MissingFields.None : (e.Missing & fields) != MissingFields.None;
}

sealed class TextColumnNode(EventColumn column, CompiledTest[] tests) : MatchNode
{
    internal override bool Matches(in StoredEvent e)
    {
        var text = column switch
        {
            EventColumn.EventId => new(e.Id),
            EventColumn.Class => new(e.Class),
            EventColumn.Source => new(e.Source),
            EventColumn.Format => new(e.Format),
            EventColumn.User => e.User,
            EventColumn.Ip => e.Ip,
            EventColumn.Action => e.Action,
            EventColumn.Object => e.Object,
            _ => new OptionalText(e.Redactions),
        };
        if (!text.HasValue) return false;
        foreach (var test in tests)
        {
            if (test.Text(text.Utf8)) return true;
        }
        return false;
    }
}

sealed class WholeColumnNode(EventColumn column, CompiledTest[] tests) : MatchNode
{
    internal override bool Matches(in StoredEvent e)
    {
        var value = column switch
        {
            EventColumn.Offset => e.Offset,
            EventColumn.Time => e.TimeMicros,
            EventColumn.Ingested => e.IngestedMicros,
            EventColumn.ClassUid => e.ClassUid,
            EventColumn.ActivityId => e.ActivityId,
            EventColumn.SeverityId => e.SeverityId,
            _ => e.StatusId,
        };
        foreach (var test in tests)
        {
            if (test.Whole(value)) return true;
        }
        return false;
    }
}
