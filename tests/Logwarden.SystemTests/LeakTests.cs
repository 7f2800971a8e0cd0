using System.Text;
using System.Text.Json;
using Logwarden.SystemTests.World;

namespace Logwarden.SystemTests;

/// <summary>Secrets planted in every format, in the places and wrappings where they really turn up: not one byte of one is found afterwards.</summary>
public sealed class LeakTests
{
    // Assembled here, so that no scanner of this repository takes them for real ones.
    static readonly (string Kind, string Secret, string Around)[] Planted =
    [
        ("aws", "wJalr" + "XUtnFEMIK7MDENGbPxRfiCYzQx81pLm3kW", "aws_secret_access_key = {0}"),
        ("github", "gh" + "p_0123456789abcdefghijklmnopqrstuvwx9Z", "token {0} used"),
        ("slack", "xo" + "xb-123456789012-1234567890123-AbCdEfGhIjKlMnOpQrStUvWx", "posting with {0}"),
        ("stripe", "sk" + "_live_4eC39HqLyjWDarjtT1zdp7dcTyB3mQ2x", "charge by {0}"),
        ("jwt", "ey" + "JhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkFkYSJ9.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c", "session {0}"),
        ("basic", "QWxhZGRp" + "bjpvcGVuIHNlc2FtZSBub3c=", "Authorization: Basic {0}"),
        ("bearer", "AbCdEf" + "123456GhIjKl7890MnOpQrStUv", "Authorization: Bearer {0}"),
        ("connection", "S3cr3tDb" + "Pw9x", "Server=db;Database=shop;User Id=app;Password={0};"),
        ("url", "hunter2" + "Really9Long", "postgres://app:{0}@db.internal:5432/shop"),
        ("password", "Corr3ct" + "H0rseBattery", "password={0}"),
        ("card", "4111" + "111111111111", "card {0} declined"),
        ("iban", "DE8937" + "0400440532013000", "paid to {0}"),
        ("ssn", "536-22-" + "8726", "ssn {0} on file"),
        ("email", "grace.hopper@" + "navy-customer.test", "mail to {0} bounced"),
    ];

    [Fact]
    public async Task No_planted_secret_is_in_any_byte_on_disk_or_in_what_was_printed()
    {
        using var folder = new TempFolder();
        var data = folder.In("data");
        var printed = new StringBuilder();
        foreach (var (format, make) in Formats)
        {
            var input = folder.In(format + ".in");
            await File.WriteAllTextAsync(input, string.Join('\n', Lines().Select((line, i) => make(i, line))) + "\n", TestContext.Current.CancellationToken);
            var run = await Tool.RunAsync("ingest", "--data", data, "--source", "s-" + format, "--format", format, input);
            Assert.True(run.ExitCode == 0, run.Errors);
            printed.Append(run.Output).Append(run.Errors);
        }
        // What can't be read must not leak into quarantine either.
        var broken = folder.In("broken.in");
        await File.WriteAllTextAsync(broken, string.Join('\n', Lines().Select(line => "{\"message\": \"" + line + "\", oops")), TestContext.Current.CancellationToken);
        var bad = await Tool.RunAsync("ingest", "--data", data, "--source", "s-broken", "--format", "app", broken);
        printed.Append(bad.Output).Append(bad.Errors);
        printed.Append(await Tool.OkAsync("query", "", "--data", data, "--format", "json", "--limit", "5000"));
        printed.Append(await Tool.OkAsync("query", "password=" + Planted[9].Secret, "--data", data));

        Leaks.AssertNone(data, Planted.Select(planted => planted.Secret));
        Leaks.AssertNoneIn(printed.ToString(), Planted.Select(planted => planted.Secret));
    }

    static IEnumerable<string> Lines()
    {
        foreach (var (_, secret, around) in Planted)
        {
            var line = string.Format(System.Globalization.CultureInfo.InvariantCulture, around, secret);
            yield return line;
            yield return "wrapped " + Convert.ToBase64String(Encoding.UTF8.GetBytes(line)) + " end";
            yield return "get /x?q=" + Uri.EscapeDataString(line);
            yield return "payload " + JsonSerializer.Serialize(new { note = line });
        }
    }

    static readonly (string Format, Func<int, string, string> Make)[] Formats =
    [
        ("app", (i, line) => JsonSerializer.Serialize(new { id = $"a{i}", dt = "2026-11-25T01:02:03Z", user = "ada", ip = "192.0.2.1", action = "note", @object = "x", message = line })),
        ("json", (i, line) => JsonSerializer.Serialize(new { n = i, nested = new { deep = new[] { line } } })),
        ("cloudtrail", (i, line) => JsonSerializer.Serialize(new
        {
            eventVersion = "1.08", eventID = $"00000000-0000-4000-8000-{i:D12}", eventTime = "2026-11-25T01:02:03Z", eventSource = "ssm.amazonaws.com", eventName = "PutParameter",
            awsRegion = "eu-central-1", sourceIPAddress = "192.0.2.1", userAgent = "cli", recipientAccountId = "123456789012", eventType = "AwsApiCall",
            userIdentity = new { type = "IAMUser", arn = "arn:aws:iam::123456789012:user/ada", principalId = "AIDAEXAMPLE", userName = "ada", accountId = "123456789012" },
            requestParameters = new { name = "note", description = line },
        })),
        ("k8s-audit", (i, line) => JsonSerializer.Serialize(new
        {
            kind = "Event", apiVersion = "audit.k8s.io/v1", level = "RequestResponse", auditID = $"id-{i}", stage = "ResponseComplete", requestURI = "/api/v1/namespaces/x/secrets", verb = "create",
            user = new { username = "ada" }, sourceIPs = new[] { "192.0.2.1" }, objectRef = new { resource = "secrets", name = "s" }, responseStatus = new { code = 201 },
            requestReceivedTimestamp = "2026-11-25T01:02:03.000000Z", stageTimestamp = "2026-11-25T01:02:03.000001Z",
            requestObject = new { data = new { note = line } }, annotations = new { note = line },
        })),
        ("pgaudit", (i, line) => JsonSerializer.Serialize(new
        {
            timestamp = "2026-11-25 01:02:03.000 UTC", user = "ada", dbname = "shop", pid = 7, remote_host = "192.0.2.1", session_id = "6566.1", line_num = i + 1, error_severity = "LOG",
            message = $"AUDIT: SESSION,{i},1,WRITE,INSERT,TABLE,public.notes,\"insert into notes values ('{line.Replace("'", "''", StringComparison.Ordinal).Replace("\"", "\"\"", StringComparison.Ordinal)}')\",<none>", backend_type = "client backend",
        })),
    ];
}
