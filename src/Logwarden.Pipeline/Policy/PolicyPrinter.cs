using System.Globalization;

namespace Logwarden.Policy;

/// <summary>Prints a resolved policy, defaults included, as text for people. <see cref="PolicyJson"/> prints it for programs.</summary>
public static class PolicyPrinter
{
    /// <summary>Writes all sections.</summary>
    public static void Print(PolicySnapshot policy, TextWriter output)
    {
        var header = policy.Header;
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"policy {header.Version} of {header.Date:yyyy-MM-dd}, {(header.InForce ? "in force" : "draft")}, by {header.Author}, approved by {header.Approver ?? "nobody"}"));
        output.WriteLine($"sha256 {policy.Sha256}");
        Table(output, "classes", ["CLASS", "HOT", "TOTAL", "LOCK", "BEHIND", "CLAUSE"], policy.Classes, one =>
            [one.Name, one.Hot.ToString(), one.Total.ToString(), Word(one.Lock), one.MayShed ? "shed" : "wait", one.Clause]);
        Table(output, "classify (first match decides)", ["CLASS", "WHEN"],
            [.. policy.Classify, new ClassifyRule(new Match.Predicate.Everything(), policy.Otherwise)], rule => [rule.Class, rule.When.ToString()]);
        Table(output, "retention schedule", ["RECORD", "CLASS", "KEEP", "BASIS"], policy.RetentionSchedule, line =>
            [line.Record, line.Class, line.Keep.ToString(), line.Basis]);
        if (policy.Requirements.Count > 0)
        {
            Table(output, "requirements (the longest governs)", ["NAME", "KIND", "KEEP", "CLASS", "WHEN", "BASIS"], policy.Requirements, one =>
                [one.Name, Word(one.Kind), one.Keep.ToString(), one.Class ?? "*", one.When?.ToString() ?? "*", one.Basis]);
        }
        Table(output, "routes", ["CLAUSE", "TO", "WHEN"], policy.Routes, route =>
            [route.Clause, string.Join(", ", route.To), route.When.ToString()]);
        Table(output, "required fields", ["FIELDS"], [policy.RequiredFields], fields => [Word(fields)]);
        Table(output, "redaction (rules not named redact)", ["RULE", "CHOICE"],
            [new RedactionSetting("(actor)", policy.Redaction.Actor), .. policy.Redaction.Rules], rule => [rule.Rule, Word(rule.Choice)]);
        if (policy.Redaction.PayloadFields.Count > 0) output.WriteLine($"payload fields besides the built-in ones: {string.Join(", ", policy.Redaction.PayloadFields)}");
        Table(output, "severities", ["SEVERITY", "ACKNOWLEDGE", "REMEDIATE"], policy.Severities, level =>
            [level.Name, level.Acknowledge.ToString()!, level.Remediate.ToString()!]);
        Table(output, "reviews", ["CLAUSE", "EVERY", "BY", "WHAT"], policy.Reviews, review =>
            [review.Clause, review.Every, string.Join(", ", review.By), review.What]);
        Table(output, "roles", ["ROLE", "MAY"], policy.Roles, role => [role.Name, string.Join(", ", role.May)]);
        Table(output, "archive checks", ["FINDING", "ACTION"], policy.ArchiveChecks, check => [check.Finding, check.Refuse ? "refuse" : "warn"]);
        Table(output, "alerts and clock", ["KEY", "VALUE"], Settings(policy), setting => [setting.Key, setting.Value]);
        Table(output, "clauses", ["CLAUSE", "TEXT"], policy.Clauses, clause => [clause.Id, clause.Text]);
    }

    /// <summary>An enum value, flags included, as the policy file writes it.</summary>
    internal static string Word<T>(T value) where T : struct, Enum => value.ToString().ToLowerInvariant();

    static IReadOnlyList<(string Key, string Value)> Settings(PolicySnapshot policy) =>
    [
        ("pager", policy.Alerts.Pager),
        ("ingestion stop after", DurationText.Print(policy.Alerts.IngestionStopAfter)),
        ("ingestion stop severity", policy.Alerts.IngestionStopSeverity),
        ("noise budget per week", policy.Alerts.NoisePerWeek.ToString(CultureInfo.InvariantCulture)),
        ("time servers", string.Join(", ", policy.Clock.Servers)),
        ("clock warning", DurationText.Print(policy.Clock.WarnOffset)),
        ("clock alarm", DurationText.Print(policy.Clock.AlarmOffset)),
    ];

    static void Table<T>(TextWriter output, string title, string[] heads, IReadOnlyList<T> items, Func<T, string[]> cells)
    {
        var rows = new List<string[]>(items.Count + 1) { heads };
        foreach (var item in items) rows.Add(cells(item));
        output.WriteLine();
        output.WriteLine(title);
        foreach (var row in rows)
        {
            output.Write("  ");
            for (var i = 0; i < row.Length; i++)
            {
                var width = i == row.Length - 1 ? 0 : rows.Max(other => other[i].Length) + 2;
                output.Write(row[i].PadRight(width));
            }
            output.WriteLine();
        }
    }
}
