using System.Text;
using System.Text.Json;
using Logwarden.Events;

namespace Logwarden.Tests.Formats;

/// <summary>LOG-3: changes of security settings are told, and those of logging itself stand out.</summary>
public class LoggingChangeTests
{
    const int Medium = 3;

    [Theory]
    [InlineData("ALTER SYSTEM SET log_statement = 'none'")]
    [InlineData("alter system set \"log_connections\" to off")]
    [InlineData("ALTER SYSTEM RESET ALL")]
    [InlineData("ALTER SYSTEM RESET shared_preload_libraries")]
    [InlineData("ALTER ROLE bob SET pgaudit.log = 'none'")]
    [InlineData("ALTER USER bob IN DATABASE shop SET log_min_duration_statement = -1")]
    [InlineData("ALTER DATABASE shop RESET pgaudit.log")]
    [InlineData("ALTER FUNCTION f() SET log_statement = 'none'")]
    [InlineData("/* just /* a */ comment */ SET -- really\n SESSION pgaudit.log TO 'none'")]
    [InlineData("set local pgaudit . log = none")]
    [InlineData("SET session_replication_role = replica")]
    [InlineData("RESET log_statement")]
    [InlineData("select 1; SET pgaudit.log = 'none'; select 2")]
    [InlineData("SELECT pg_catalog.set_config('pgaudit.log', 'none', false)")]
    [InlineData("select Set_Config ( E'log_statement', 'none', true)")]
    [InlineData("DO $x$ BEGIN SET pgaudit.log = 'none'; END $x$")]
    [InlineData("DO $$ BEGIN IF true THEN EXECUTE 'alter system set log_statement = none'; END IF; END $$")]
    [InlineData("DO LANGUAGE plpgsql 'begin perform set_config(''pgaudit.log'', $1, false); end'")]
    [InlineData("DO 'begin execute ''alter system set log_statement = none''; end'")]
    [InlineData("DROP EXTENSION pgaudit")]
    [InlineData("drop extension if exists hstore, \"pgaudit\" cascade")]
    [InlineData("ALTER EXTENSION pgaudit UPDATE")]
    [InlineData("DROP EVENT TRIGGER pgaudit_sql_drop")]
    [InlineData("ALTER EVENT TRIGGER watch DISABLE")]
    public void Changes_of_what_PostgreSQL_logs_stand_out(string sql)
    {
        foreach (var record in Records(sql))
        {
            var (kinds, severity) = Read("pgaudit", record);
            Assert.True(kinds.HasFlag(LogKinds.SecuritySetting));
            Assert.Equal(Medium, severity);
        }
    }

    [Theory]
    [InlineData("ALTER SYSTEM SET work_mem = '1GB'")]
    [InlineData("CREATE ROLE bob LOGIN")]
    [InlineData("GRANT ALL ON t TO bob")]
    [InlineData("ALTER DATABASE shop OWNER TO bob")]
    [InlineData("CREATE EXTENSION hstore")]
    [InlineData("CREATE OR REPLACE FUNCTION f() RETURNS int AS 'select 1' LANGUAGE sql; DROP POLICY p ON t")]
    [InlineData("ALTER TABLE t DISABLE ROW LEVEL SECURITY")]
    [InlineData("ALTER TABLE t DISABLE TRIGGER audit_t")]
    [InlineData("CREATE EVENT TRIGGER watch ON sql_drop EXECUTE FUNCTION f()")]
    [InlineData("ALTER EVENT TRIGGER watch ENABLE ALWAYS")]
    public void Changes_of_other_security_settings_of_PostgreSQL_are_told(string sql)
    {
        foreach (var record in Records(sql)) Assert.Equal((LogKinds.SecuritySetting, 1), (Read("pgaudit", record).Kinds & LogKinds.SecuritySetting, Read("pgaudit", record).Severity));
    }

    [Theory]
    [InlineData("UPDATE log_entries SET log_statement = 'none'")]
    [InlineData("INSERT INTO t VALUES ('x; SET pgaudit.log = none'), ($$; DROP EXTENSION pgaudit$$), (E'\\'; SET log_statement = 1')")]
    [InlineData("select 1 -- ; SET pgaudit.log = 'none'\n + 2")]
    [InlineData("SELECT \"; SET log_statement = 1\" FROM t")]
    [InlineData("SHOW pgaudit.log")]
    [InlineData("SET search_path = log_archive")]
    [InlineData("RESET ALL")]
    [InlineData("ALTER TABLE t ALTER COLUMN log_line SET DEFAULT 1")]
    [InlineData("SELECT set_config('app.user', 'pgaudit', true)")]
    [InlineData("create table user_grants (role text, event text)")]
    [InlineData("select $1, $2, 'it''s', $body")]
    [InlineData("select 'it")]
    [InlineData("select $x$ /*")]
    [InlineData("select E'\\")]
    [InlineData("/* /* */")]
    public void What_only_looks_like_one_is_none(string sql)
    {
        foreach (var record in Records(sql)) Assert.False(Read("pgaudit", record).Kinds.HasFlag(LogKinds.SecuritySetting));
    }

    [Fact]
    public void A_statement_that_pgaudit_logged_before_is_known_by_its_command()
    {
        Assert.Equal(Medium, Read("pgaudit", Audit("DDL", "DROP EVENT TRIGGER", "<previously logged>")).Severity);
        Assert.True(Read("pgaudit", Audit("DDL", "ALTER SYSTEM", "<previously logged>")).Kinds.HasFlag(LogKinds.SecuritySetting));
    }

    [Fact]
    public void A_log_setting_that_the_server_reloads_stands_out()
    {
        Assert.Equal(Medium, Read("pgaudit", "2026-01-02 03:04:05 UTC [7] LOG:  parameter \"log_statement\" changed to \"none\"").Severity);
        Assert.Equal(1, Read("pgaudit", "2026-01-02 03:04:05 UTC [7] LOG:  parameter \"work_mem\" changed to \"1GB\"").Severity);
    }

    [Theory]
    [InlineData("cloudtrail", "StopLogging")]
    [InlineData("cloudtrail", "DeleteTrail")]
    [InlineData("cloudtrail", "UpdateTrail")]
    [InlineData("cloudtrail", "PutEventSelectors")]
    [InlineData("cloudtrail", "UpdateEventDataStore")]
    [InlineData("ec2", "DeleteFlowLogs")]
    [InlineData("guardduty", "DeleteDetector")]
    [InlineData("guardduty", "DisassociateFromAdministratorAccount")]
    [InlineData("s3", "PutBucketLogging")]
    [InlineData("rds", "ModifyDBParameterGroup")]
    [InlineData("rds", "ResetDBClusterParameterGroup")]
    [InlineData("redshift", "DisableLogging")]
    [InlineData("route53resolver", "DeleteResolverQueryLogConfig")]
    [InlineData("eks", "UpdateClusterConfig")]
    [InlineData("events", "DisableRule")]
    [InlineData("logs", "DeleteSubscriptionFilter")]
    public void Calls_of_AWS_that_blind_stand_out(string service, string name)
    {
        var record = JsonSerializer.Serialize(new { eventVersion = "1.08", eventSource = service + ".amazonaws.com", eventName = name, userIdentity = new { type = "Root", accountId = "1" } });
        Assert.Equal((LogKinds.SecuritySetting, Medium), (Read("cloudtrail", record).Kinds & LogKinds.SecuritySetting, Read("cloudtrail", record).Severity));
    }

    [Theory]
    [InlineData("create", "auditsinks", null, "x", true)]
    [InlineData("patch", "daemonsets", null, "fluent-bit", true)]
    [InlineData("update", "daemonsets", "status", "fluent-bit", false)]
    [InlineData("get", "daemonsets", null, "fluent-bit", false)]
    [InlineData("patch", "daemonsets", null, "shop", false)]
    [InlineData("update", "configmaps", null, "aws-auth", true)]
    [InlineData("deletecollection", "events", null, null, true)]
    [InlineData("create", "events", null, "x", false)]
    public void Changes_of_what_a_cluster_logs_stand_out(string verb, string resource, string? subresource, string? name, bool isSeen)
    {
        var record = JsonSerializer.Serialize(new { kind = "Event", apiVersion = "audit.k8s.io/v1", auditID = "1", verb, objectRef = new { resource, subresource, name } });
        var (kinds, severity) = Read("k8s-audit", record);
        Assert.Equal((isSeen, isSeen), (kinds.HasFlag(LogKinds.SecuritySetting), severity == Medium));
    }

    /// <summary>The statement as pgaudit logs it, in a class that says nothing, and as the server does without pgaudit.</summary>
    static string[] Records(string sql) =>
    [
        Audit("MISC", "MISC", sql),
        JsonSerializer.Serialize(new { timestamp = "2026-01-02 03:04:05 UTC", pid = 7, error_severity = "LOG", message = "statement: " + sql }),
    ];

    static string Audit(string auditClass, string command, string sql) => JsonSerializer.Serialize(new
    {
        timestamp = "2026-01-02 03:04:05 UTC",
        pid = 7,
        error_severity = "LOG",
        message = new StringBuilder("AUDIT: SESSION,1,1,").Append(auditClass).Append(',').Append(command).Append(",,,\"").Append(sql.Replace("\"", "\"\"", StringComparison.Ordinal)).Append("\",<none>").ToString(),
    });

    static (LogKinds Kinds, int Severity) Read(string format, string record)
    {
        var e = Reading.One(Reading.Format(format), record);
        return (e.Kinds, e.Root.GetProperty("severity_id").GetInt32());
    }
}
