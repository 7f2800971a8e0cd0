namespace Logwarden.Match;

/// <summary>What a predicate can ask about: a column of the event, or a place in its JSON.</summary>
public abstract record Field
{
    Field()
    {
    }

    /// <summary>A field kept beside the JSON.</summary>
    /// <param name="Name">Which.</param>
    public sealed record Column(EventColumn Name) : Field;

    /// <summary>A place in the OCSF JSON. Arrays on the way fan out: every element counts as a value.</summary>
    /// <param name="Segments">Object keys from the root; at least one. Compared exactly, case included.</param>
    public sealed record Path(ValueList<string> Segments) : Field;

    /// <summary>True when its values are IP addresses by name, so that a plain address compares as an address.</summary>
    public bool IsIp => this switch
    {
        Column { Name: EventColumn.Ip } => true,
        Path path => path.Segments[^1] is "ip",
        _ => false,
    };
}

/// <summary>The columns of an event that predicates can name; <c>kind</c> and <c>missing</c> have tests of their own.</summary>
public enum EventColumn
{
    /// <summary>Journal offset.</summary>
    Offset,

    /// <summary>When it happened.</summary>
    Time,

    /// <summary>When it was accepted.</summary>
    Ingested,

    /// <summary>Id of the event.</summary>
    EventId,

    /// <summary>Policy class.</summary>
    Class,

    /// <summary>Registered source.</summary>
    Source,

    /// <summary>Input format.</summary>
    Format,

    /// <summary>OCSF class_uid.</summary>
    ClassUid,

    /// <summary>OCSF activity_id.</summary>
    ActivityId,

    /// <summary>OCSF severity_id.</summary>
    SeverityId,

    /// <summary>OCSF status_id.</summary>
    StatusId,

    /// <summary>LOG-5 user id.</summary>
    User,

    /// <summary>LOG-5 IP address.</summary>
    Ip,

    /// <summary>LOG-5 action type.</summary>
    Action,

    /// <summary>LOG-5 action object.</summary>
    Object,

    /// <summary>Redactions made.</summary>
    Redactions,
}

/// <summary>What kind of values a column holds.</summary>
public enum ColumnType
{
    /// <summary>UTF-8 text.</summary>
    Text,

    /// <summary>Whole number.</summary>
    Whole,

    /// <summary>Instant, microseconds.</summary>
    Time,
}

/// <summary>Names and types of the columns.</summary>
public static class EventColumns
{
    static readonly string[] NamesInOrder =
    [
        "offset", "time", "ingested", "event_id", "class", "source", "format", "class_uid", "activity_id", "severity_id",
        "status_id", "user", "ip", "action", "object", "redactions",
    ];

    /// <summary>All names that a predicate may use for something other than a JSON path.</summary>
    public static IReadOnlyList<string> AllNames { get; } = [.. NamesInOrder, "kind", "missing"];

    /// <summary>Name in predicates and in the view <c>events</c>.</summary>
    public static string Name(EventColumn column) => NamesInOrder[(int)column];

    /// <summary>Type of its values.</summary>
    public static ColumnType Type(EventColumn column) => column switch
    {
        EventColumn.Time or EventColumn.Ingested => ColumnType.Time,
        EventColumn.Offset or EventColumn.ClassUid or EventColumn.ActivityId or EventColumn.SeverityId or EventColumn.StatusId =>
            ColumnType.Whole,
        _ => ColumnType.Text,
    };

    /// <summary>Finds a column by its name; names are lower case.</summary>
    public static bool TryFind(string name, out EventColumn column)
    {
        var index = Array.IndexOf(NamesInOrder, name is "id" ? "event_id" : name);
        column = (EventColumn)Math.Max(index, 0);
        return index >= 0;
    }
}
