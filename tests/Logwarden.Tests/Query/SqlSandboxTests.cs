using DuckDB.NET.Data;
using Logwarden.Hot;
using Logwarden.Query;
using Logwarden.Tests.Segments;

namespace Logwarden.Tests.Query;

/// <summary>Twenty events in a segment.</summary>
public sealed class TwentyEvents : IDisposable
{
    public TwentyEvents() => World.Seal(Enumerable.Range(0, 20).Select(i => StoredEvents.One(i)));

    internal QueryWorld World { get; } = new();

    public void Dispose() => World.Dispose();
}

public sealed class SqlSandboxTests(TwentyEvents events) : IClassFixture<TwentyEvents>
{
    readonly QueryWorld _world = events.World;

    public static TheoryData<string> Escapes =>
    [
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM \"/etc/passwd\"",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_csv_auto('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM read_blob('/etc/passwd')",
        "SELECT * FROM read_json('/etc/passwd')",
        "SELECT * FROM read_ndjson_objects('/etc/passwd')",
        "SELECT * FROM read_parquet('SEGMENT')",
        "SELECT * FROM parquet_scan('SEGMENT')",
        "SELECT * FROM 'SEGMENT'",
        "SELECT * FROM parquet_metadata('SEGMENT')",
        "SELECT * FROM parquet_kv_metadata('SEGMENT')",
        "SELECT * FROM read_text('SEGMENT')",
        "SELECT * FROM glob('/*')",
        "SELECT * FROM glob('DATA/hot/segments/**')",
        "SELECT * FROM sniff_csv('/etc/passwd')",
        "SELECT * FROM read_csv('https://example.com/x.csv')",
        "SELECT * FROM 's3://bucket/x.parquet'",
        "SELECT getenv('HOME')",
        "SELECT main.getenv('HOME') FROM events",
        "SELECT current_setting('memory_limit')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM duckdb_tables()",
        "SELECT * FROM duckdb_secrets()",
        "SELECT * FROM duckdb_views",
        "SELECT * FROM pg_catalog.pg_tables",
        "SELECT * FROM pg_tables",
        "SELECT * FROM information_schema.tables",
        "SELECT * FROM sqlite_master",
        "SELECT * FROM pragma_table_info('events')",
        "SELECT * FROM tail_0",
        "SELECT * FROM main.events",
        "SELECT * FROM memory.main.events",
        "SELECT * FROM query('SELECT 1')",
        "SELECT * FROM query_table('tail_0')",
        "SELECT * FROM json_execute_serialized_sql('{}')",
        "SELECT * FROM (WITH \"/etc/passwd\" AS (SELECT 1) SELECT * FROM \"/etc/passwd\") a, \"/etc/passwd\" b",
        "SELECT * FROM (WITH duckdb_settings AS (SELECT 1) SELECT 1) a, duckdb_settings b",
        "WITH x AS (SELECT * FROM read_text('/etc/passwd')) SELECT * FROM x",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t, read_text('/etc/hosts') WHERE n < 3) SELECT * FROM t",
        "SELECT (SELECT content FROM read_text('/etc/passwd') LIMIT 1)",
        "SELECT * FROM events WHERE EXISTS (SELECT 1 FROM glob('/*'))",
        "SELECT list_transform([1], lambda x: getenv('HOME'))",
        "SELECT count(*) FILTER (WHERE getenv('X') = '') FROM events",
        "SELECT sum(1) OVER (ORDER BY getenv('X')) FROM events",
        "SELECT 1 ORDER BY getenv('X')",
        "SELECT 1 LIMIT length(getenv('X'))",
        "SELECT * FROM range(length(getenv('X')))",
        "SELECT * REPLACE (getenv('X') AS source) FROM events",
        "SELECT 1 GROUP BY getenv('X') HAVING getenv('Y') IS NULL",
        "VALUES (getenv('X'))",
        "SELECT 1; SELECT 2",
        "SELECT 1; DROP TABLE tail_0",
        "COPY events TO '/tmp/x.csv'",
        "COPY (SELECT 1) TO 'DATA/hot/segments/x.csv'",
        "CREATE TABLE x AS SELECT 1",
        "CREATE MACRO m() AS 1",
        "CREATE OR REPLACE VIEW events AS SELECT 1",
        "INSERT INTO tail_0 SELECT NULL",
        "UPDATE tail_0 SET source = 'x'",
        "DELETE FROM tail_0",
        "DROP TABLE tail_0",
        "ATTACH 'DATA/x.db'",
        "DETACH memory",
        "USE memory",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET memory_limit = '100GB'",
        "SET enable_external_access = true",
        "RESET enable_external_access",
        "SET VARIABLE x = 1",
        "SELECT getvariable('x')",
        "PRAGMA database_list",
        "PRAGMA table_info('events')",
        "CALL duckdb_settings()",
        "EXPLAIN SELECT 1",
        "EXPLAIN ANALYZE SELECT * FROM read_text('/etc/passwd')",
        "DESCRIBE events",
        "SUMMARIZE events",
        "SHOW TABLES",
        "SELECT * FROM (DESCRIBE events)",
        "EXPORT DATABASE 'DATA/x'",
        "IMPORT DATABASE 'DATA/x'",
        "CHECKPOINT",
        "VACUUM",
        "BEGIN",
        "ROLLBACK",
        "PREPARE p AS SELECT 1",
        "EXECUTE p",
        "SELECT ?",
        "SELECT $x",
        "SELECT write_log('x')",
        "SELECT sleep_ms(10)",
        "SELECT pg_sleep(1)",
        "SELECT nextval('s')",
        "SELECT txid_current()",
        "SELECT '1.2.3.4'::inet",
        "SELECT * FROM unknown",
        "SELECT \0 1",
        "",
        "   ",
        "-- nothing",
        "SELECT * FROM events AT (VERSION => 1)",
        "SELECT * FROM test_all_types()",
        "SELECT * FROM repeat_row(1, num_rows => 5)",
        "PIVOT events ON user",
        "SELECT random()",
        "SELECT icu_sort_key('a', 'b')",
        "SELECT json_serialize_plan('SELECT 1')",
    ];

    [Theory, MemberData(nameof(Escapes))]
    public async Task Nothing_but_a_select_over_events_gets_through(string sql)
    {
        var segment = Directory.GetFiles(_world.Data, "*.parquet", SearchOption.AllDirectories)[0];
        var text = sql.Replace("SEGMENT", segment, StringComparison.Ordinal).Replace("DATA", _world.Data, StringComparison.Ordinal);
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.SqlAsync(text, TestContext.Current.CancellationToken));
        // And everything works as before.
        Assert.Equal([20L], (await _world.Engine.SqlAsync("SELECT count(*) FROM events", TestContext.Current.CancellationToken)).Rows[0]);
    }

    [Theory]
    [InlineData("SELECT count(*) FROM events;")]
    [InlineData("FROM events")]
    [InlineData("WITH e AS (SELECT * FROM events) SELECT user, count(*) AS n FROM e GROUP BY user ORDER BY n DESC LIMIT 3 -- top")]
    [InlineData("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 3) SELECT sum(n) FROM t")]
    [InlineData("SELECT date_trunc('hour', time) AS h, count(*) FILTER (WHERE kinds & 2 <> 0) FROM events GROUP BY ALL ORDER BY ALL")]
    [InlineData("SELECT event->>'$.metadata.uid', json_extract_string(event, '$.message'), CAST(event AS JSON) FROM events WHERE event LIKE '%order%' AND user IN ('ada', 'ken')")]
    [InlineData("SELECT *, row_number() OVER (PARTITION BY user ORDER BY time DESC) AS r FROM events QUALIFY r <= 2")]
    [InlineData("SELECT a.user FROM events a JOIN events b ON a.user = b.user AND a.\"offset\" < b.\"offset\" WHERE a.time BETWEEN TIMESTAMP '2020-01-01' AND now() - INTERVAL 1 DAY")]
    [InlineData("SELECT CASE WHEN user IS NULL THEN 'x' ELSE upper(user) || '!' END, [x * 2 FOR x IN [1, 2]], {'a': 1}.a, 1.5::DECIMAL(4,2) FROM events UNION ALL SELECT 'a', [], 1, 2")]
    [InlineData("SELECT unnest([1, 2]), u FROM unnest(['a']) t(u), (VALUES (1), (2)) v(x), generate_series(1, 3) g")]
    [InlineData("SELECT DISTINCT ON (user) user, quantile_cont(severity_id, 0.5) OVER () FROM events ORDER BY user NULLS LAST LIMIT 50%")]
    [InlineData("SELECT count(DISTINCT ip), approx_count_distinct(user), list(DISTINCT source), arg_max(event_id, time), current_date FROM events")]
    public async Task Ordinary_questions_are_answered(string sql) =>
        Assert.NotEmpty((await _world.Engine.SqlAsync(sql, TestContext.Current.CancellationToken)).Rows);

    /// <summary>The database's own lock, without the check of the text before it.</summary>
    [Theory]
    [InlineData("SELECT * FROM read_text('/etc/passwd')")]
    [InlineData("SELECT * FROM read_csv('/etc/passwd')")]
    [InlineData("SELECT * FROM glob('/etc/*')")]
    [InlineData("COPY (SELECT 1) TO '/tmp/logwarden-escape.csv'")]
    [InlineData("ATTACH '/tmp/logwarden-escape.db'")]
    [InlineData("INSTALL httpfs")]
    [InlineData("LOAD httpfs")]
    [InlineData("SET enable_external_access = true")]
    [InlineData("SET allowed_directories = ['/']")]
    [InlineData("SET lock_configuration = false")]
    [InlineData("RESET memory_limit")]
    [InlineData("SELECT * FROM read_parquet('https://example.com/x.parquet')")]
    public void The_database_itself_is_locked(string sql)
    {
        using var database = new HotDatabase(Path.Combine(_world.Data, "hot", "segments"), new());
        using var connection = database.Connect();
        using var command = HotDatabase.Command(connection, sql);
        Assert.ThrowsAny<DuckDBException>(() =>
        {
            using var reader = command.ExecuteReader();
            reader.Read();
        });
    }

    [Fact]
    public async Task Too_much_memory_is_an_error_and_nothing_more()
    {
        await Assert.ThrowsAsync<QueryRefusedException>(() => _world.Engine.SqlAsync(
            "SELECT count(*) FROM (SELECT a.range, b.range, list(a.range) FROM range(100000) a, range(1000) b GROUP BY ALL)", TestContext.Current.CancellationToken));
        Assert.Equal([20L], (await _world.Engine.SqlAsync("SELECT count(*) FROM events", TestContext.Current.CancellationToken)).Rows[0]);
    }
}
