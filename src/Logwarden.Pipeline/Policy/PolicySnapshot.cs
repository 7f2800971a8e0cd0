using System.Text.Json.Serialization;
using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Policy;

/// <summary>One version of the whole policy, read and checked. Immutable: a new version is a new snapshot, swapped whole.</summary>
public sealed record PolicySnapshot
{
    /// <summary>Classes that every policy has.</summary>
    public static IReadOnlyList<string> ClassNames { get; } = ["security-audit", "application", "database", "infrastructure", EventClasses.Quarantine];

    /// <summary>The policy that is shipped: <c>policy/policy.yaml</c>. Its rule ids are not checked against a scanner.</summary>
    public static PolicySnapshot Default { get; } = ShippedPolicy.Read();

    /// <summary>Version, dates and people.</summary>
    public required PolicyHeader Header { get; init; }

    /// <summary>The clauses in the order of the file.</summary>
    public required ValueList<PolicyClause> Clauses { get; init; }

    /// <summary>Retention classes in the order of the file.</summary>
    public required ValueList<PolicyClass> Classes { get; init; }

    /// <summary>Which events belong to which class: the first rule that matches.</summary>
    public required ValueList<ClassifyRule> Classify { get; init; }

    /// <summary>Class of the events that no rule matches.</summary>
    public required string Otherwise { get; init; }

    /// <summary>The records retention schedule.</summary>
    public required ValueList<ScheduleLine> RetentionSchedule { get; init; }

    /// <summary>What asks for longer than a class does: contracts and regulations (RET-6). At most <see cref="RequirementMatcher.RequirementsMax"/>.</summary>
    public required ValueList<RetentionRequirement> Requirements { get; init; }

    /// <summary>Names of destinations that routes may use besides better-stack, cloudwatch and archive.</summary>
    public ValueList<string> Destinations { get; init; } = [];

    /// <summary>Where events go: every route that matches applies.</summary>
    public required ValueList<PolicyRoute> Routes { get; init; }

    /// <summary>The LOG-5 fields that entries must carry.</summary>
    public required MissingFields RequiredFields { get; init; }

    /// <summary>What is redacted.</summary>
    public required RedactionPolicy Redaction { get; init; }

    /// <summary>Severities, from the most urgent.</summary>
    public required ValueList<SeverityLevel> Severities { get; init; }

    /// <summary>Reviews and how often they are due.</summary>
    public required ValueList<ReviewCadence> Reviews { get; init; }

    /// <summary>Who may do what.</summary>
    public required ValueList<PolicyRole> Roles { get; init; }

    /// <summary>What happens at start when the archive is not as it should be.</summary>
    public required ValueList<ArchiveCheck> ArchiveChecks { get; init; }

    /// <summary>Paging and alarms.</summary>
    public required AlertPolicy Alerts { get; init; }

    /// <summary>Time servers and offsets.</summary>
    public required ClockPolicy Clock { get; init; }

    /// <summary>SHA-256 of the file, in lower-case hex.</summary>
    public required string Sha256 { get; init; }

    /// <summary>The class of that name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public PolicyClass Class(string name) => Classes.FirstOrDefault(one => string.Equals(one.Name, name, StringComparison.Ordinal))
        ?? throw new ArgumentException($"The policy has no class '{name}'.", nameof(name));
}

/// <summary>Version, dates and people of a policy.</summary>
/// <param name="Version">Version text, such as 1.0.0.</param>
/// <param name="Date">Day of the version.</param>
/// <param name="InForce">False for a draft.</param>
/// <param name="Author">Who wrote it.</param>
/// <param name="Approver">Who approved it; null only in drafts.</param>
/// <param name="Changes">All versions, oldest first.</param>
public sealed record PolicyHeader(string Version, DateOnly Date, bool InForce, string Author, string? Approver, ValueList<PolicyChange> Changes);

/// <summary>One line of the policy's history.</summary>
/// <param name="Version">Version.</param>
/// <param name="Date">Day.</param>
/// <param name="Author">Who wrote it.</param>
/// <param name="Approver">Who approved it; null when nobody did.</param>
/// <param name="Change">What changed.</param>
public sealed record PolicyChange(string Version, DateOnly Date, string Author, string? Approver, string Change);

/// <summary>One clause.</summary>
/// <param name="Id">Stable id, such as LOG-1.</param>
/// <param name="Text">What it demands.</param>
public sealed record PolicyClause(string Id, string Text);

/// <summary>How long events of a class are kept, and how they are locked.</summary>
/// <param name="Name">Name.</param>
/// <param name="Clause">Clause that says so.</param>
/// <param name="Hot">Queryable at once.</param>
/// <param name="Total">Kept in all, counted from the event; the hot time is part of it.</param>
/// <param name="Lock">Object Lock of its archive objects.</param>
public sealed record PolicyClass(string Name, string Clause, Period Hot, Period Total, ClassLock Lock)
{
    /// <summary>
    /// What becomes of events that a destination did not take before they have outlived their hot time: true lets go of them, counted; false keeps them hot until it has taken them.
    /// The archive has them either way.
    /// </summary>
    public bool MayShed { get; init; }
}

/// <summary>Object Lock mode of a class.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<ClassLock>))]
public enum ClassLock
{
    /// <summary>Nobody can shorten or remove it, not the account's root either.</summary>
    Compliance,

    /// <summary>People with a special permission can remove it.</summary>
    Governance,

    /// <summary>No lock.</summary>
    None,
}

/// <summary>Puts events into a class.</summary>
/// <param name="When">Which events.</param>
/// <param name="Class">Name of the class.</param>
public sealed record ClassifyRule(Predicate When, string Class);

/// <summary>A line of the records retention schedule.</summary>
/// <param name="Record">Type of record.</param>
/// <param name="Class">Class that implements it.</param>
/// <param name="Keep">How long, at least.</param>
/// <param name="Basis">Why.</param>
public sealed record ScheduleLine(string Record, string Class, Period Keep, string Basis);

/// <summary>Who asks that events are kept.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RequirementKind>))]
public enum RequirementKind
{
    /// <summary>A contract with a customer.</summary>
    Contract,

    /// <summary>A law or a regulatory regime.</summary>
    Regulation,
}

/// <summary>Something from outside that asks that events are kept, counted from the event. It governs where it asks for longer than the class (RET-6).</summary>
/// <param name="Name">Unique name, such as <c>PCI DSS 10.5.1</c>.</param>
/// <param name="Kind">Who asks.</param>
/// <param name="Class">Only events of this class; null is any.</param>
/// <param name="When">Only events that match; null is every one. One of <paramref name="Class"/> and this is there.</param>
/// <param name="Keep">How long.</param>
/// <param name="Basis">Where it is written.</param>
public sealed record RetentionRequirement(string Name, RequirementKind Kind, string? Class, Predicate? When, Period Keep, string Basis);

/// <summary>Sends events somewhere.</summary>
/// <param name="Clause">Clause that says so.</param>
/// <param name="When">Which events.</param>
/// <param name="To">Destinations: better-stack, cloudwatch, archive, or one of <see cref="PolicySnapshot.Destinations"/>.</param>
public sealed record PolicyRoute(string Clause, Predicate When, ValueList<string> To);

/// <summary>What becomes of a redaction hit.</summary>
[JsonConverter(typeof(JsonStringEnumConverter<RedactionChoice>))]
public enum RedactionChoice
{
    /// <summary>Replaced by a mark.</summary>
    Redact,

    /// <summary>Replaced by a keyed pseudonym.</summary>
    Pseudonym,

    /// <summary>Left as it is.</summary>
    Keep,

    /// <summary>The rule does not run.</summary>
    Off,
}

/// <summary>What is redacted. Rules that are not named redact.</summary>
/// <param name="Actor">What becomes of personal data in the fields that name the actor. Never <see cref="RedactionChoice.Off"/>.</param>
/// <param name="Rules">Choices by rule, in the order of the file.</param>
/// <param name="PayloadFields">Names or dotted paths of fields to drop whole, besides the built-in ones.</param>
public sealed record RedactionPolicy(RedactionChoice Actor, ValueList<RedactionSetting> Rules, ValueList<string> PayloadFields);

/// <summary>One rule's choice.</summary>
/// <param name="Rule">Rule id.</param>
/// <param name="Choice">What happens.</param>
public sealed record RedactionSetting(string Rule, RedactionChoice Choice);

/// <summary>How soon an alert must be dealt with.</summary>
/// <param name="Name">P0 to P3.</param>
/// <param name="Acknowledge">Until someone has said that they are on it.</param>
/// <param name="Remediate">Until remediation has begun.</param>
public sealed record SeverityLevel(string Name, Deadline Acknowledge, Deadline Remediate);

/// <summary>A deadline: a span of time, the next business day, or none.</summary>
public abstract record Deadline
{
    Deadline()
    {
    }

    /// <summary>Within a span of time, around the clock.</summary>
    /// <param name="Span">Greater than zero.</param>
    public sealed record Within(TimeSpan Span) : Deadline
    {
        /// <inheritdoc/>
        public override string ToString() => DurationText.Print(Span);
    }

    /// <summary>By the end of the next business day.</summary>
    public sealed record NextBusinessDay : Deadline
    {
        /// <inheritdoc/>
        public override string ToString() => "next-business-day";
    }

    /// <summary>As soon as possible, without a clock.</summary>
    public sealed record BestEffort : Deadline
    {
        /// <inheritdoc/>
        public override string ToString() => "best-effort";
    }
}

/// <summary>A review and how often it is due.</summary>
/// <param name="Clause">MON-1 to MON-5.</param>
/// <param name="Every">week, month, quarter, year or always.</param>
/// <param name="By">Roles that do it.</param>
/// <param name="What">What is reviewed.</param>
public sealed record ReviewCadence(string Clause, string Every, ValueList<string> By, string What);

/// <summary>Who may do what (PRO-3).</summary>
/// <param name="Name">Name of the role.</param>
/// <param name="May">Permissions: query, verify, review, approve, hold, acknowledge, administer.</param>
public sealed record PolicyRole(string Name, ValueList<string> May);

/// <summary>What happens at start when the archive has a defect.</summary>
/// <param name="Finding">object-lock-off, versioning-off, public-access, default-retention or no-object-lock-store.</param>
/// <param name="Refuse">True: the program does not start. False: it warns.</param>
public sealed record ArchiveCheck(string Finding, bool Refuse);

/// <summary>Paging and alarms.</summary>
/// <param name="Pager">Destination that pages people.</param>
/// <param name="IngestionStopAfter">Silence of a destination that is an alarm.</param>
/// <param name="IngestionStopSeverity">Its severity.</param>
/// <param name="NoisePerWeek">Firings of one alert in a week beyond which it is reviewed.</param>
public sealed record AlertPolicy(string Pager, TimeSpan IngestionStopAfter, string IngestionStopSeverity, int NoisePerWeek);

/// <summary>Time servers and offsets (CLK-1).</summary>
/// <param name="Servers">Addresses or names that count as the time source.</param>
/// <param name="WarnOffset">Offset that is a warning.</param>
/// <param name="AlarmOffset">Offset that is an alarm.</param>
public sealed record ClockPolicy(ValueList<string> Servers, TimeSpan WarnOffset, TimeSpan AlarmOffset);
