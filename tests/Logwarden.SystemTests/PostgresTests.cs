using System.Diagnostics;
using Logwarden.SystemTests.World;
using Logwarden.Tests.World;

namespace Logwarden.SystemTests;

/// <summary>A real PostgreSQL 15 with pgaudit writes its three log formats; each is taken in without its passwords and literals.</summary>
public sealed class PostgresTests
{
    static readonly string[] Secrets = ["hunter2secret", "Tr0ub4dor&3x", "123-45-6789", "topsecretliteral", "eve@example.com", "4111111111111111", "O''Hara"];

    const string Statements = """
        create extension pgaudit;
        create table customers(id int, email text, ssn text);
        insert into customers values (1, 'ada@corp.test', '123-45-6789');
        insert into customers values (2, 'O''Hara', '4111111111111111');
        create role bob login password 'hunter2secret';
        alter role bob password 'Tr0ub4dor&3x';
        select * from nowhere where secret = 'topsecretliteral';
        prepare p(text) as select * from customers where email = $1;
        execute p('eve@example.com');
        update customers set ssn = '123-45-6789' where id = 1;
        set pgaudit.log = 'none';
        """;

    [Fact]
    public async Task Each_log_format_of_a_real_server_is_taken_in_without_its_secrets()
    {
        using var folder = new TempFolder();
        // PostgreSQL runs as a user of its own and must get in.
        File.SetUnixFileMode(folder.Path, (UnixFileMode)0b111_101_101);
        Run("start", folder.In("pg"));
        try
        {
            var script = folder.In("statements.sql");
            await File.WriteAllTextAsync(script, Statements, TestContext.Current.CancellationToken);
            Run("sql", folder.In("pg"), script);
        }
        finally
        {
            Run("stop", folder.In("pg"));
        }

        foreach (var kind in (string[])["json", "csv", "log"])
        {
            var log = folder.In("pg", "data", "log", "postgresql." + kind);
            var raw = await File.ReadAllTextAsync(log, TestContext.Current.CancellationToken);
            Assert.Contains("topsecretliteral", raw, StringComparison.Ordinal);
            var data = folder.In("data-" + kind);

            await Tool.OkAsync("ingest", "--data", data, "--source", "pg", "--format", "pgaudit", log);

            var events = await Tool.OkAsync("query", "", "--data", data, "--format", "json", "--limit", "1000");
            Assert.Contains("INSERT INTO", events, StringComparison.OrdinalIgnoreCase);
            Assert.Contains("customers", events, StringComparison.Ordinal);
            Assert.Contains("ROLE bob", events, StringComparison.OrdinalIgnoreCase);
            var quarantined = await Tool.OkAsync("query", "", "--class", "quarantine", "--data", data, "--format", "json");
            Assert.Equal("", quarantined.Trim());
            Leaks.AssertNone(data, Secrets);
            await Tool.OkAsync("verify", Path.Combine(data, "archive"));
        }
    }

    static void Run(params string[] args)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", [Script, .. args]) { RedirectStandardError = true, RedirectStandardOutput = true })!;
        var errors = process.StandardError.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors);
    }

    static string Script => Path.Combine(Repository.Root, "tests", "services", "postgres.sh");
}
