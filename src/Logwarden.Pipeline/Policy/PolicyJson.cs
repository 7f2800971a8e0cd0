using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Logwarden.Policy;

/// <summary>The resolved policy, and the errors of a file, as JSON for programs. Keys are those of the policy file.</summary>
public static class PolicyJson
{
    static readonly JsonWriterOptions Indented = new() { Indented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping, NewLine = "\n" };

    /// <summary>The resolved policy.</summary>
    public static string Print(PolicySnapshot policy) => Write(json =>
    {
        Header(json, policy);
        json.WriteStartObject("clauses");
        foreach (var clause in policy.Clauses) json.WriteString(clause.Id, clause.Text);
        json.WriteEndObject();
        json.WriteStartObject("classes");
        foreach (var one in policy.Classes)
        {
            json.WriteStartObject(one.Name);
            Strings(json, ("clause", one.Clause), ("hot", one.Hot.ToString()), ("total", one.Total.ToString()), ("lock", PolicyPrinter.Word(one.Lock)), ("behind", one.MayShed ? "shed" : "wait"));
            json.WriteEndObject();
        }
        json.WriteEndObject();
        json.WriteStartObject("classify");
        Rows(json, "rules", policy.Classify, rule => Strings(json, ("when", rule.When.ToString()), ("class", rule.Class)));
        json.WriteString("otherwise", policy.Otherwise);
        json.WriteEndObject();
        Rows(json, "retention_schedule", policy.RetentionSchedule, line =>
            Strings(json, ("record", line.Record), ("class", line.Class), ("keep", line.Keep.ToString()), ("basis", line.Basis)));
        Rows(json, "requirements", policy.Requirements, one => Strings(json, ("name", one.Name), ("kind", PolicyPrinter.Word(one.Kind)), ("class", one.Class),
            ("when", one.When?.ToString()), ("keep", one.Keep.ToString()), ("basis", one.Basis)));
        Rows(json, "routes", policy.Routes, route =>
        {
            Strings(json, ("clause", route.Clause), ("when", route.When.ToString()));
            Texts(json, "to", route.To);
        });
        Texts(json, "required_fields", PolicyPrinter.Word(policy.RequiredFields).Split(", "));
        Redaction(json, policy.Redaction);
        Operations(json, policy);
    });

    /// <summary>The outcome of a check.</summary>
    public static string Print(string file, PolicyOrErrors read) => Write(json =>
    {
        json.WriteString("file", file);
        json.WriteBoolean("ok", read.Policy is not null);
        Rows(json, "errors", read.Errors, error =>
        {
            json.WriteNumber("line", error.Line);
            json.WriteNumber("column", error.Column);
            Strings(json, ("path", error.Path), ("reason", error.Reason), ("expected", error.Expected), ("nearest", error.Nearest));
        });
    });

    static void Header(Utf8JsonWriter json, PolicySnapshot policy)
    {
        var header = policy.Header;
        json.WriteStartObject("policy");
        Strings(json, ("version", header.Version), ("date", Day(header.Date)), ("status", header.InForce ? "in-force" : "draft"),
            ("author", header.Author), ("approver", header.Approver), ("sha256", policy.Sha256));
        Rows(json, "changes", header.Changes, change => Strings(json, ("version", change.Version), ("date", Day(change.Date)),
            ("author", change.Author), ("approver", change.Approver), ("change", change.Change)));
        json.WriteEndObject();
    }

    static void Redaction(Utf8JsonWriter json, RedactionPolicy redaction)
    {
        json.WriteStartObject("redaction");
        json.WriteString("actor", PolicyPrinter.Word(redaction.Actor));
        json.WriteStartObject("rules");
        foreach (var rule in redaction.Rules) json.WriteString(rule.Rule, PolicyPrinter.Word(rule.Choice));
        json.WriteEndObject();
        Texts(json, "payload_fields", redaction.PayloadFields);
        json.WriteEndObject();
    }

    static void Operations(Utf8JsonWriter json, PolicySnapshot policy)
    {
        json.WriteStartObject("severities");
        foreach (var level in policy.Severities)
        {
            json.WriteStartObject(level.Name);
            Strings(json, ("acknowledge", level.Acknowledge.ToString()), ("remediate", level.Remediate.ToString()));
            json.WriteEndObject();
        }
        json.WriteEndObject();
        Rows(json, "reviews", policy.Reviews, review =>
        {
            Strings(json, ("clause", review.Clause), ("every", review.Every), ("what", review.What));
            Texts(json, "by", review.By);
        });
        json.WriteStartObject("roles");
        foreach (var role in policy.Roles) Texts(json, role.Name, role.May);
        json.WriteEndObject();
        json.WriteStartObject("archive_checks");
        foreach (var check in policy.ArchiveChecks) json.WriteString(check.Finding, check.Refuse ? "refuse" : "warn");
        json.WriteEndObject();
        json.WriteStartObject("alerts");
        Strings(json, ("pager", policy.Alerts.Pager), ("ingestion_stop_after", DurationText.Print(policy.Alerts.IngestionStopAfter)),
            ("ingestion_stop_severity", policy.Alerts.IngestionStopSeverity));
        json.WriteNumber("noise_budget_per_week", policy.Alerts.NoisePerWeek);
        json.WriteEndObject();
        json.WriteStartObject("clock");
        Texts(json, "servers", policy.Clock.Servers);
        Strings(json, ("warn_offset", DurationText.Print(policy.Clock.WarnOffset)), ("alarm_offset", DurationText.Print(policy.Clock.AlarmOffset)));
        json.WriteEndObject();
    }

    static string Write(Action<Utf8JsonWriter> content)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            content(json);
            json.WriteEndObject();
        }
        return Encoding.UTF8.GetString(buffer.ToArray());
    }

    static void Rows<T>(Utf8JsonWriter json, string name, IEnumerable<T> rows, Action<T> content)
    {
        json.WriteStartArray(name);
        foreach (var row in rows)
        {
            json.WriteStartObject();
            content(row);
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    static void Strings(Utf8JsonWriter json, params ReadOnlySpan<(string Key, string? Value)> pairs)
    {
        foreach (var (key, value) in pairs) json.WriteString(key, value);
    }

    static void Texts(Utf8JsonWriter json, string name, IEnumerable<string> texts)
    {
        json.WriteStartArray(name);
        foreach (var text in texts) json.WriteStringValue(text);
        json.WriteEndArray();
    }

    static string Day(DateOnly date) => date.ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
