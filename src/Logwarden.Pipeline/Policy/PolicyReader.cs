using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Logwarden.Events;
using Logwarden.Match;

namespace Logwarden.Policy;

/// <summary>
/// Reads a policy file (<c>docs/policy-file.md</c>) and finds everything that is wrong with it at once, each with line, column, place,
/// what was expected and the nearest valid word.
/// </summary>
public static partial class PolicyReader
{
    static readonly string[] KnownDestinations = ["better-stack", "cloudwatch", "archive"];

    /// <summary>Reads a policy.</summary>
    /// <param name="yaml">Content of the file.</param>
    /// <param name="redactionRules">Ids that redaction rules may have; null to take any.</param>
    public static PolicyOrErrors Read(string yaml, IReadOnlySet<string>? redactionRules)
    {
        var errors = new List<PolicyError>();
        var policy = new YamlTree(errors).Read(yaml) is { } root ? Policy(root, yaml, errors, redactionRules) : null;
        if (errors.Count == 0) return new(policy, []);
        return new(null, [.. errors.OrderBy(error => error.Line).ThenBy(error => error.Column)]);
    }

    static PolicySnapshot Policy(YamlValue root, string yaml, List<PolicyError> errors, IReadOnlySet<string>? redactionRules)
    {
        var file = new PolicyFields(errors, root, "");
        var classNames = PolicySnapshot.ClassNames;
        var header = Header(file, errors);
        var clauses = Clauses(file);
        var classes = Classes(file, out var classFields);
        var classify = Classify(file, errors, classNames, out var otherwise);
        var schedule = Schedule(file, errors, classNames);
        Tiers(classes, classFields, schedule);
        var roles = Roles(file);
        var severities = Severities(file);
        var destinations = Destinations(file);
        var policy = new PolicySnapshot
        {
            Header = header,
            Clauses = clauses,
            Classes = classes,
            Classify = classify,
            Otherwise = otherwise,
            RetentionSchedule = [.. schedule.Select(line => line.Line)],
            Requirements = Requirements(file, errors, classNames),
            Destinations = destinations,
            Routes = Routes(file, errors, [.. KnownDestinations, .. destinations]),
            RequiredFields = RequiredFields(file),
            Redaction = Redaction(file, redactionRules),
            Severities = severities,
            Reviews = Reviews(file, errors, [.. roles.Select(role => role.Name)]),
            Roles = roles,
            ArchiveChecks = ArchiveChecks(file),
            Alerts = Alerts(file),
            Clock = Clock(file),
            Sha256 = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(yaml))),
        };
        file.Done();
        return policy;
    }

    static PolicyHeader Header(PolicyFields file, List<PolicyError> errors)
    {
        if (file.Map("policy") is not { IsBroken: false } fields) return new("", default, false, "", null, []);
        var version = fields.Text("version", "a version such as 1.0.0");
        var date = fields.Date("date");
        var inForce = fields.Word("status", ["in-force", "draft"]) is "in-force";
        var author = fields.Text("author", "who wrote this version");
        var approver = fields.OptionalText("approver", "who approved this version");
        if (inForce && approver is null) fields.FailAt("approver", "a policy in force has no approver (GOV-1)", "who approved it, not its author");
        if (inForce && SamePerson(author, approver)) fields.FailAt("approver", $"'{approver}' is also the author (GOV-1)", "someone else than the author");
        var changes = new List<PolicyChange>();
        foreach (var (item, i) in fields.List("changes", "a list of changes").Select((item, i) => (item, i)))
        {
            var change = new PolicyFields(errors, item, PolicyFields.Index("policy.changes", i));
            changes.Add(new(change.Text("version", "a version such as 1.0.0"), change.Date("date"), change.Text("author", "who wrote it"),
                change.OptionalText("approver", "who approved it"), change.Text("change", "what changed")));
            change.Done();
        }
        if (version.Length > 0 && changes.Count > 0 && changes.TrueForAll(change => !string.Equals(change.Version, version, StringComparison.Ordinal)))
        {
            fields.FailAt("changes", $"no change is of version {version}", "a line for each version, this one too");
        }
        fields.Done();
        return new(version, date, inForce, author, approver, [.. changes]);
    }

    static bool SamePerson(string author, string? approver) =>
        author.Length > 0 && string.Equals(author.Trim(), approver?.Trim(), StringComparison.OrdinalIgnoreCase);

    static ValueList<PolicyClause> Clauses(PolicyFields file)
    {
        if (file.Map("clauses") is not { IsBroken: false } fields) return [];
        foreach (var id in PolicyClauses.All) fields.Text(id, "the clause's text");
        fields.Done();
        return [.. fields.Keys.Select(key => new PolicyClause(key.Value, fields.OptionalText(key.Value, "text") ?? ""))];
    }

    static ValueList<PolicyClass> Classes(PolicyFields file, out Dictionary<string, PolicyFields> classFields)
    {
        classFields = new(StringComparer.Ordinal);
        if (file.Map("classes") is not { IsBroken: false } map) return [];
        var classes = new List<PolicyClass>();
        foreach (var name in PolicySnapshot.ClassNames)
        {
            if (map.Map(name) is not { IsBroken: false } fields) continue;
            var lockMode = fields.Word("lock", ["compliance", "governance", "none"]) switch
            {
                "governance" => ClassLock.Governance,
                "none" => ClassLock.None,
                _ => ClassLock.Compliance,
            };
            var mayShed = fields.Optional("behind") is not null && fields.Word("behind", ["wait", "shed"]) is "shed";
            var one = new PolicyClass(name, Clause(fields), fields.Period("hot"), fields.Period("total"), lockMode) { MayShed = mayShed };
            if (one.Hot != default && one.Total != default && !one.Total.IsNeverShorterThan(one.Hot))
            {
                fields.FailAt("hot", $"{one.Hot} hot is longer than {one.Total} in total", "at most the total");
            }
            fields.Done();
            classFields[name] = fields;
            classes.Add(one);
        }
        map.Done();
        return [.. classes.OrderBy(one => map.Keys.Select(key => key.Value).ToList().IndexOf(one.Name))];
    }

    static ValueList<ClassifyRule> Classify(PolicyFields file, List<PolicyError> errors, IReadOnlyList<string> classNames, out string otherwise)
    {
        otherwise = "";
        if (file.Map("classify") is not { IsBroken: false } fields) return [];
        var rules = new List<ClassifyRule>();
        foreach (var (item, i) in fields.List("rules", "a list of rules").Select((item, i) => (item, i)))
        {
            var rule = new PolicyFields(errors, item, PolicyFields.Index("classify.rules", i));
            rules.Add(new(rule.Predicate("when"), rule.Word("class", [.. classNames])));
            if (rules[^1].When.NamesClass()) rule.FailAt("when", "the class is what is decided here", "a predicate over other fields");
            rule.Done();
        }
        otherwise = fields.Word("otherwise", [.. classNames]);
        fields.Done();
        return [.. rules];
    }

    static List<(ScheduleLine Line, int Row)> Schedule(PolicyFields file, List<PolicyError> errors, IReadOnlyList<string> classNames)
    {
        var lines = new List<(ScheduleLine, int)>();
        foreach (var (item, i) in file.List("retention_schedule", "a list of record types").Select((item, i) => (item, i)))
        {
            var line = new PolicyFields(errors, item, PolicyFields.Index("retention_schedule", i));
            lines.Add((new(line.Text("record", "a type of record"), line.Word("class", [.. classNames]), line.Period("keep"),
                line.Text("basis", "why it is kept so long")), item.Line));
            line.Done();
        }
        return lines;
    }

    /// <summary>RET-6: the section may be left out; contracts and regulations are not everybody's.</summary>
    static ValueList<RetentionRequirement> Requirements(PolicyFields file, List<PolicyError> errors, IReadOnlyList<string> classNames)
    {
        if (file.Optional("requirements") is null) return [];
        var requirements = new List<RetentionRequirement>();
        var items = file.List("requirements", "a list of contracts and regulations");
        for (var i = 0; i < items.Count; i++)
        {
            var fields = new PolicyFields(errors, items[i], PolicyFields.Index("requirements", i));
            var name = fields.Text("name", "a name of its own, such as PCI DSS");
            if (name.Length > 0 && requirements.Exists(one => string.Equals(one.Name, name, StringComparison.Ordinal))) fields.FailAt("name", $"another requirement has the name '{name}'", "a name of its own");
            var kind = fields.Word("kind", ["contract", "regulation"]) is "regulation" ? RequirementKind.Regulation : RequirementKind.Contract;
            var @class = fields.Optional("class") is null ? null : fields.Word("class", [.. classNames]);
            var when = fields.Optional("when") is null ? null : fields.Predicate("when");
            if (!fields.IsBroken && @class is null && when is null) fields.FailAt("when", "it does not say which events it is about", "class, when, or both");
            requirements.Add(new(name, kind, @class, when, fields.Period("keep"), fields.Text("basis", "where it is written")));
            fields.Done();
        }
        if (items.Count > RequirementMatcher.RequirementsMax)
        {
            file.FailAt("requirements", string.Create(CultureInfo.InvariantCulture, $"{items.Count} requirements"),
                string.Create(CultureInfo.InvariantCulture, $"at most {RequirementMatcher.RequirementsMax}; join those that keep equally long with OR"));
        }
        return [.. requirements];
    }

    /// <summary>RET-7: no class may be kept shorter than any line of the schedule that it implements, and each class has a line.</summary>
    static void Tiers(ValueList<PolicyClass> classes, Dictionary<string, PolicyFields> fields, List<(ScheduleLine Line, int Row)> schedule)
    {
        foreach (var one in classes)
        {
            foreach (var (line, row) in schedule)
            {
                if (!string.Equals(line.Class, one.Name, StringComparison.Ordinal) || one.Total == default || line.Keep == default || one.Total.IsNeverShorterThan(line.Keep)) continue;
                var reason = string.Create(CultureInfo.InvariantCulture, $"{one.Total} is shorter than its schedule line '{line.Record}', {line.Keep}, on line {row} (RET-7)");
                fields[one.Name].FailAt("total", reason, $"at least {line.Keep}");
            }
            if (schedule.Count > 0 && schedule.TrueForAll(entry => !string.Equals(entry.Line.Class, one.Name, StringComparison.Ordinal)))
            {
                fields[one.Name].FailAt("total", "no line of the retention schedule asks for this class (RET-7)", "a line for each class in retention_schedule");
            }
        }
    }

    /// <summary>Names besides those that every policy knows.</summary>
    static ValueList<string> Destinations(PolicyFields file) => file.Optional("destinations") is null ? [] : file.Texts("destinations", "the name of a destination");

    static ValueList<PolicyRoute> Routes(PolicyFields file, List<PolicyError> errors, IReadOnlyCollection<string> destinations)
    {
        var routes = new List<PolicyRoute>();
        foreach (var (item, i) in file.List("routes", "a list of routes").Select((item, i) => (item, i)))
        {
            var route = new PolicyFields(errors, item, PolicyFields.Index("routes", i));
            routes.Add(new(Clause(route), route.Predicate("when"), route.Words("to", destinations, emptyAllowed: false)));
            route.Done();
        }
        return [.. routes];
    }

    static MissingFields RequiredFields(PolicyFields file)
    {
        string[] words = ["user", "ip", "time", "action", "object"];
        if (file.Map("required_fields") is not { IsBroken: false } fields) return MissingFields.None;
        _ = Clause(fields);
        var bits = MissingFields.None;
        foreach (var word in fields.Words("fields", words, emptyAllowed: false))
        {
            if (word.Length > 0) bits |= (MissingFields)(1 << Array.IndexOf(words, word));
        }
        fields.Done();
        return bits;
    }

    static string Clause(PolicyFields fields)
    {
        const string Expected = "the id of a clause such as RET-1";
        var id = fields.Text("clause", Expected);
        if (id.Length > 0 && !PolicyClauses.All.Contains(id, StringComparer.Ordinal)) fields.FailAt("clause", $"'{id}' is no clause", Expected, NearestWord.Find(id, PolicyClauses.All));
        return id;
    }
}
