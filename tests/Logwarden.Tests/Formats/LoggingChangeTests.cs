using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Events;
using Logwarden.Formats;

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
    [InlineData("CREATE TABLE t AS SELECT set_config('pgaudit.log', 'none', false)")]
    [InlineData("CREATE MATERIALIZED VIEW v AS SELECT pg_catalog . set_config('pgaudit.log', 'none', false)")]
    [InlineData("INSERT INTO t SELECT set_config('log_statement', 'none', false)")]
    [InlineData("WITH x AS (SELECT set_config('pgaudit.log', 'none', false)) SELECT * FROM x")]
    [InlineData("SELECT * FROM t JOIN set_config('pgaudit.log', 'none', false) s ON true")]
    [InlineData("EXPLAIN ANALYZE CREATE TABLE t AS SELECT set_config('pgaudit.log', 'none', false)")]
    [InlineData("PREPARE p AS SELECT set_config('pgaudit.log', 'none', false)")]
    [InlineData("CREATE VIEW set_config AS SELECT set_config('pgaudit.log', 'none', false)")]
    [InlineData("ALTER TABLE t ALTER COLUMN c SET DEFAULT set_config('pgaudit.log', 'none', false)")]
    [InlineData("UPDATE pg_settings SET setting = 'none' WHERE name = 'pgaudit.log'")]
    [InlineData("UPDATE ONLY (pg_catalog.\"pg_settings\") AS s SET setting = 'none' WHERE s.name = 'log_statement'")]
    [InlineData("WITH x AS (UPDATE pg_settings SET setting = 'none' WHERE name = 'pgaudit.log' RETURNING 1) SELECT 1")]
    [InlineData("UPDATE pg_settings SET setting = 'none' WHERE name LIKE 'pga%'")]
    [InlineData("UPDATE pg_settings SET setting = 'none' WHERE name = 'work_mem' OR true")]
    [InlineData("UPDATE pg_settings SET setting = (SELECT 'none' WHERE name = 'work_mem') WHERE name = 'pgaudit.log'")]
    [InlineData("UPDATE pg_settings SET setting = t.b FROM t WHERE name = 'work_mem'")]
    [InlineData("SET U&\"\\0070gaudit.log\" = 'none'")]
    [InlineData("SET U&\"d!0061t!0061\" . x = 1; SET U&\"pg!0061udit\" UESCAPE '!' . log = 'none'")]
    [InlineData("ALTER SYSTEM SET U&\"\\+00006Cog_statement\" = 'none'")]
    [InlineData("ALTER ROLE bob SET u&\"!0070gaudit.log\" /* so */ uescape '!' TO 'none'")]
    [InlineData("SELECT U&\"set\\005fconfig\"('pgaudit.log', 'none', false)")]
    [InlineData("DROP EXTENSION U&\"\\0070gaudit\"")]
    [InlineData("SELECT set_config(E'\\x70gaudit.log', 'none', false)")]
    [InlineData("SELECT set_config(e'\\160g\\u0061udit\\U0000002elog', 'none', false)")]
    [InlineData("SELECT set_config(U&'\\0070gaudit.log', 'none', false)")]
    [InlineData("SELECT set_config(U&'!0070gaudit.log' UESCAPE '!', 'none', false)")]
    [InlineData("SELECT set_config($x$pgaudit.log$x$, 'none', false)")]
    [InlineData("SELECT set_config(N'pgaudit.log', 'none', false)")]
    [InlineData("SELECT set_config(text 'pgaudit.log', 'none', false)")]
    [InlineData("SELECT set_config(cast('pgaudit.log' as text), 'none', false)")]
    [InlineData("SELECT set_config(CAST((('pgaudit.log'::name)) AS pg_catalog.text)::varchar(20), 'none', false)")]
    [InlineData("SELECT set_config(('pgaudit.log')::character varying, 'none', false)")]
    [InlineData("SELECT set_config($1, $2, false)")]
    [InlineData("SELECT set_config(name, 'none', false) FROM t")]
    [InlineData("SELECT set_config('pgau' || 'dit.log', 'none', false)")]
    [InlineData("SELECT set_config('pgau'\n'dit.log', 'none', false)")]
    [InlineData("SELECT set_config(lower('PGAUDIT.LOG'), 'none', false)")]
    [InlineData("SELECT set_config('app.x' COLLATE \"C\", 'none', false)")]
    [InlineData("SELECT set_config(setting_name => 'app.x', new_value => '1', is_local => true)")]
    [InlineData("SELECT set_config('\\x70gaudit.log', 'none', false)")]
    [InlineData("SELECT set_config([REDACTED:sql-literal], [REDACTED:sql-literal], false)")]
    [InlineData("SELECT set_config(X'7067', 'none', false)")]
    [InlineData("SELECT set_config((((((((((('pgaudit.log'))))))))))), 'none', false)")]
    [InlineData("SELECT set_config(")]
    [InlineData("DO $$ DECLARE x text := set_config('pgaudit.log', 'none', false); BEGIN END $$")]
    [InlineData("DO $$ BEGIN IF set_config('pgaudit.log', 'none', false) = '' THEN NULL; END IF; END $$")]
    [InlineData("DO E'begin perform set_config(\\'pgaudit.log\\', \\'none\\', false); end'")]
    [InlineData("DO $$ BEGIN UPDATE pg_settings SET setting = 'none' WHERE name = n; END $$ LANGUAGE plpgsql")]
    [InlineData("DO $$ BEGIN EXECUTE 'SET ' || 'pgaudit' || '.log = none'; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE 'select set_' || 'config(''pgaudit.log'', ''none'', false)' INTO x; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE format('SET %I = %L', 'pgaudit.log', 'none'); END $$")]
    [InlineData("DO $$ BEGIN EXECUTE concat('ALTER ROLE ', r, ' SET pgaudit.log = none'); END $$")]
    [InlineData("DO $$ BEGIN EXECUTE CASE WHEN true THEN 'SET pgaudit.log = none' END; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE 'SET ' || n || ' = 1'; END $$")]
    [InlineData("DO $$ BEGIN FOR r IN EXECUTE 'select set_config(''pgaudit.log'', ''none'', false)' LOOP NULL; END LOOP; END $$")]
    [InlineData("DO $a$ BEGIN EXECUTE $b$ DO $c$ BEGIN EXECUTE $d$ SET pgaudit.log = none $d$; END $c$ $b$; END $a$")]
    [InlineData("CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$ SELECT set_config('pgaudit.log', 'none', false) $$")]
    [InlineData("CREATE OR REPLACE FUNCTION f(a text DEFAULT 'x') RETURNS text AS 'BEGIN PERFORM set_config(a, ''none'', false); END' LANGUAGE plpgsql")]
    [InlineData("CREATE PROCEDURE p() LANGUAGE plpgsql SET log_statement = 'none' AS $$ BEGIN END $$")]
    [InlineData("CREATE FUNCTION f() RETURNS text BEGIN ATOMIC SELECT 1; SELECT set_config('pgaudit.log', 'none', false); END")]
    [InlineData("CREATE FUNCTION f() RETURNS text RETURN set_config('pgaudit.log', 'none', false)")]
    [InlineData("CREATE TRIGGER a BEFORE INSERT ON t EXECUTE FUNCTION f(); select 1 -- \r ; SET pgaudit.log = 'none'")]
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
    [InlineData("SELECT set_config('row_security', 'off', false)")]
    [InlineData("UPDATE pg_settings SET setting = 'off' WHERE name = 'row_security'")]
    [InlineData("DO $$ BEGIN GRANT ALL ON t TO bob; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE format('ALTER ROLE %I SET search_path = x', r); END $$")]
    [InlineData("REVOKE EXECUTE ON FUNCTION set_config(text, text, boolean) FROM PUBLIC")]
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
    [InlineData("SELECT set_config('app.user', $1, true), set_config(text 'search_path', 'x', false), set_config(U&'app\\002euser'::text, 'x', true)")]
    [InlineData("SELECT 'set_config(''pgaudit.log'')', $$ set_config('pgaudit.log') $$, \"set_config\" FROM t -- set_config('pgaudit.log')")]
    [InlineData("INSERT INTO notes VALUES ('UPDATE pg_settings SET setting = 1', 'SET pgaudit.log = none') /* ; SET pgaudit.log = none */")]
    [InlineData("SELECT name, setting FROM pg_settings WHERE name = 'pgaudit.log' FOR UPDATE")]
    [InlineData("UPDATE pg_settings SET setting = '64MB' WHERE name = 'work_mem'")]
    [InlineData("UPDATE public.settings SET pg_settings = 'log_statement'")]
    [InlineData("CREATE TABLE set_config (name text, log_statement text)")]
    [InlineData("INSERT INTO set_config (name, value) VALUES ('pgaudit.log', 'none')")]
    [InlineData("WITH set_config (a) AS (SELECT 1) SELECT a FROM set_config")]
    [InlineData("COMMENT ON FUNCTION pg_catalog.set_config(text, text, boolean) IS 'sets pgaudit.log'")]
    [InlineData("EXECUTE p('SET pgaudit.log = none')")]
    [InlineData("SET search_path = 'pgaudit'")]
    [InlineData("SET")]
    [InlineData("DO $$ BEGIN EXECUTE 'UPDATE ' || t || ' SET ' || c || ' = $1' USING 'SET pgaudit.log = 1'; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE format('COMMENT ON TABLE t IS %L', '; SET pgaudit.log = none'); END $$")]
    [InlineData("DO $$ BEGIN EXECUTE 'SELECT ' || quote_literal('; SET pgaudit.log = none'); RAISE NOTICE 'SET pgaudit.log'; END $$")]
    [InlineData("DO $$ BEGIN EXECUTE 'SET search_path TO ' || quote_ident(s); EXECUTE q; PERFORM set_config('app.user', u, true); END $$")]
    [InlineData("CREATE FUNCTION f(a text DEFAULT 'SET pgaudit.log = none') RETURNS text LANGUAGE sql AS $$ SELECT 'set_config(a)' $$")]
    [InlineData("CREATE FUNCTION f() RETURNS int BEGIN ATOMIC UPDATE t SET log_line = 1; SELECT 1; END")]
    [InlineData("CREATE TRIGGER a BEFORE INSERT ON t EXECUTE FUNCTION f('SET pgaudit.log = none')")]
    [InlineData("MERGE INTO t USING s ON true WHEN MATCHED THEN DO NOTHING WHEN NOT MATCHED THEN INSERT VALUES ('SET pgaudit.log = 1')")]
    [InlineData("select U&\"")]
    [InlineData("select U&'\\")]
    [InlineData("select U&'\\00' uescape")]
    [InlineData("select E'\\u12")]
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
    public void Any_text_will_do_and_within_a_literal_or_comment_it_changes_nothing() => Gen.OneOf(
        "set ", "reset ", "alter ", "system ", "create ", "function ", "as ", "do ", "execute ", "format", "concat", "begin ", "then ", "update ", "only ", "pg_settings ", "where ", "name", "set_config",
        "pgaudit.log", "(", ")", ",", "=", ".", "::", "text ", "cast", "'", "''", "\"", "$a$", "$", "$1", "E'", "U&'", "U&\"", "uescape ", "\\", "\\x70", "\\0070", "--", "\n", "\r", "/*", "*/", ";", "||", "[", "é", "1.5").Array[0, 30].Sample(pieces =>
    {
        var sql = string.Concat(pieces);
        PostgresSecurity.Of(Encoding.UTF8.GetBytes(sql));
        PostgresSecurity.Of(Encoding.UTF8.GetBytes("do $q$ " + sql + "$q$"));
        Assert.Equal(SecurityChange.None, PostgresSecurity.Of(Encoding.UTF8.GetBytes("select $q$" + sql + "$q$")));
        Assert.Equal(SecurityChange.None, PostgresSecurity.Of(Encoding.UTF8.GetBytes("select '" + sql.Replace("'", "''", StringComparison.Ordinal) + "', 1")));
        Assert.Equal(SecurityChange.None, PostgresSecurity.Of(Encoding.UTF8.GetBytes("select 1 -- " + sql.ReplaceLineEndings(" "))));
    }, iter: 3000);

    [Fact]
    public void A_setting_that_pgaudit_does_not_log_the_statement_of_is_told()
    {
        Assert.True(Read("pgaudit", Audit("MISC", "SET", "<not logged>")).Kinds.HasFlag(LogKinds.SecuritySetting));
        Assert.False(Read("pgaudit", Audit("MISC", "SET", "<previously logged>")).Kinds.HasFlag(LogKinds.SecuritySetting));
        Assert.False(Read("pgaudit", Audit("MISC", "SET", "SET search_path = x")).Kinds.HasFlag(LogKinds.SecuritySetting));
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
