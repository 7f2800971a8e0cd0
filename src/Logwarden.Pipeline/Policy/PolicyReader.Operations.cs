using Logwarden.Match;

namespace Logwarden.Policy;

/// <summary>The sections about redaction, people, alarms and clocks.</summary>
public static partial class PolicyReader
{
    static readonly string[] SeverityNames = ["P0", "P1", "P2", "P3"];

    static RedactionPolicy Redaction(PolicyFields file, IReadOnlySet<string>? known)
    {
        if (file.Map("redaction") is not { IsBroken: false } fields) return new(RedactionChoice.Redact, [], []);
        _ = Clause(fields);
        var actor = fields.Word("actor", ["keep", "pseudonym", "redact"]);
        var settings = new List<RedactionSetting>();
        if (fields.Optional("rules") is not null && fields.Map("rules") is { IsBroken: false } rules)
        {
            foreach (var key in rules.Keys)
            {
                var choice = rules.Word(key.Value, ["redact", "pseudonym", "keep", "off"]);
                settings.Add(new(key.Value, Choice(choice)));
                if (known is not null && !known.Contains(key.Value)) rules.FailAt(key.Value, "there is no such redaction rule", "the id of a rule", NearestWord.Find(key.Value, known));
            }
        }
        var payloads = fields.Optional("payload_fields") is null ? [] : fields.Texts("payload_fields", "a field name or dotted path");
        fields.Done();
        return new(Choice(actor), [.. settings], payloads);
    }

    static RedactionChoice Choice(string word) => word switch
    {
        "pseudonym" => RedactionChoice.Pseudonym,
        "keep" => RedactionChoice.Keep,
        "off" => RedactionChoice.Off,
        _ => RedactionChoice.Redact,
    };

    static ValueList<SeverityLevel> Severities(PolicyFields file)
    {
        if (file.Map("severities") is not { IsBroken: false } map) return [];
        var levels = new List<SeverityLevel>();
        foreach (var name in SeverityNames)
        {
            if (map.Map(name) is not { IsBroken: false } fields) continue;
            _ = Clause(fields);
            var level = new SeverityLevel(name, fields.Deadline("acknowledge"), fields.Deadline("remediate"));
            if (level is { Acknowledge: Deadline.Within first, Remediate: Deadline.Within then } && then.Span < first.Span)
            {
                fields.FailAt("remediate", $"{then} is shorter than the time to acknowledge, {first}", $"at least {first}");
            }
            fields.Done();
            levels.Add(level);
        }
        map.Done();
        return [.. levels];
    }

    static ValueList<ReviewCadence> Reviews(PolicyFields file, List<PolicyError> errors, IReadOnlyCollection<string> roles)
    {
        var reviews = new List<ReviewCadence>();
        foreach (var (item, i) in file.List("reviews", "a list of reviews").Select((item, i) => (item, i)))
        {
            var review = new PolicyFields(errors, item, PolicyFields.Index("reviews", i));
            reviews.Add(new(Clause(review), review.Word("every", ["week", "month", "quarter", "year", "always"]),
                review.Words("by", roles, emptyAllowed: false), review.Text("what", "what is reviewed")));
            review.Done();
        }
        return [.. reviews];
    }

    static ValueList<PolicyRole> Roles(PolicyFields file)
    {
        if (file.Map("roles") is not { IsBroken: false } map) return [];
        var roles = new List<PolicyRole>();
        foreach (var key in map.Keys)
        {
            if (map.Map(key.Value) is not { IsBroken: false } fields)
            {
                roles.Add(new(key.Value, []));
                continue;
            }
            _ = Clause(fields);
            roles.Add(new(key.Value, fields.Words("may", ["query", "verify", "review", "approve", "hold", "acknowledge", "administer"], emptyAllowed: false)));
            fields.Done();
        }
        return [.. roles];
    }

    static ValueList<ArchiveCheck> ArchiveChecks(PolicyFields file)
    {
        if (file.Map("archive") is not { IsBroken: false } fields) return [];
        _ = Clause(fields);
        var checks = new List<ArchiveCheck>();
        if (fields.Map("checks") is { IsBroken: false } map)
        {
            foreach (var finding in ArchiveFindings) checks.Add(new(finding, map.Word(finding, ["refuse", "warn"]) is "refuse"));
            map.Done();
        }
        fields.Done();
        return [.. checks];
    }

    static readonly string[] ArchiveFindings = ["object-lock-off", "versioning-off", "public-access", "default-retention", "no-object-lock-store"];

    static AlertPolicy Alerts(PolicyFields file)
    {
        if (file.Map("alerts") is not { IsBroken: false } fields) return new("", default, "", 0);
        var (pager, after, severity, noise) = ("", default(TimeSpan), "", 0);
        if (fields.Map("pager") is { IsBroken: false } paging)
        {
            _ = Clause(paging);
            pager = paging.Word("to", ["better-stack"]);
            paging.Done();
        }
        if (fields.Map("ingestion_stop") is { IsBroken: false } stop)
        {
            _ = Clause(stop);
            after = stop.Duration("after");
            severity = stop.Word("severity", SeverityNames);
            stop.Done();
        }
        if (fields.Map("noise_budget") is { IsBroken: false } budget)
        {
            _ = Clause(budget);
            noise = budget.Whole("per_week", 0, 10_000);
            budget.Done();
        }
        fields.Done();
        return new(pager, after, severity, noise);
    }

    static ClockPolicy Clock(PolicyFields file)
    {
        if (file.Map("clock") is not { IsBroken: false } fields) return new([], default, default);
        _ = Clause(fields);
        var clock = new ClockPolicy(fields.Texts("servers", "an address or a name"), fields.Duration("warn_offset"), fields.Duration("alarm_offset"));
        if (clock.WarnOffset != default && clock.AlarmOffset != default && clock.AlarmOffset < clock.WarnOffset)
        {
            fields.FailAt("alarm_offset", $"{DurationText.Print(clock.AlarmOffset)} is below the warning, {DurationText.Print(clock.WarnOffset)}", "at least the warning");
        }
        fields.Done();
        return clock;
    }
}
