using System.Text;
using Logwarden.Events;
using Logwarden.Formats;
using Logwarden.Tests.World;

namespace Logwarden.Tests.Formats;

public class FormatTests
{
    [Theory]
    [InlineData("1767323045", 1767323045000000)]
    [InlineData("1767323045.25", 1767323045250000)]
    [InlineData("1767323045123", 1767323045123000)]
    [InlineData("1767323045123456", 1767323045123456)]
    [InlineData("1767323045123456789", 1767323045123456)]
    [InlineData("\"1767323045\"", 1767323045000000)]
    [InlineData("\"2026-01-02T03:04:05Z\"", 1767323045000000)]
    [InlineData("\"2026-01-02 03:04:05.5+01:00\"", 1767319445500000)]
    [InlineData("\"2026-01-02 03:04:05.123456789 UTC\"", 1767323045123456)]
    [InlineData("\"2026-01-02T03:04:05\"", 1767323045000000)]
    public void Times_are_read_in_all_forms(string dt, long micros)
    {
        var e = Reading.One(Reading.Format("app"), $$"""{"dt":{{dt}},"action":"x"}""");
        Assert.Equal(micros, e.TimeMicros);
        Assert.False(e.Missing.HasFlag(MissingFields.Time));
        Assert.Equal(micros / 1000, e.Root.GetProperty("time").GetInt64());
    }

    [Theory]
    [InlineData("\"yesterday\"")]
    [InlineData("\"2026-02-30T00:00:00Z\"")]
    [InlineData("\"2026-01-02 03:04:05 CET\"")]
    [InlineData("-5")]
    [InlineData("1e40")]
    [InlineData("null")]
    [InlineData("{}")]
    public void A_time_that_is_none_is_missing_and_acceptance_stands_in(string dt)
    {
        var e = Reading.One(Reading.Format("app"), $$"""{"dt":{{dt}},"action":"x"}""");
        Assert.Equal(Reading.Accepted, e.TimeMicros);
        Assert.True(e.Missing.HasFlag(MissingFields.Time));
    }

    [Theory]
    [InlineData("""{"user":"u","action":"user.login","ip":"1.2.3.4"}""", 3002, 1, LogKinds.SignIn)]
    [InlineData("""{"user":"u","action":"User logged out"}""", 3002, 2, LogKinds.SignIn)]
    [InlineData("""{"user_id":7,"action":"delete","object":"u-9","object_type":"user"}""", 3001, 6, LogKinds.ObjectAccess | LogKinds.SecuritySetting)]
    [InlineData("""{"actor":{"id":"u"},"action":"invoice.read","object":{"type":"invoice","id":"i-1"}}""", 6003, 2, LogKinds.ObjectAccess | LogKinds.CustomerDataAccess)]
    [InlineData("""{"user":"u","action":"RolePermissionsUpdated","object":"r"}""", 6003, 3, LogKinds.ObjectAccess | LogKinds.SecuritySetting)]
    [InlineData("""{"message":"started","level":"info"}""", 0, 99, LogKinds.None)]
    public void Actions_of_applications_find_their_class(string record, int classUid, int activity, LogKinds kinds)
    {
        var e = Reading.One(Reading.Format("app"), record);
        Assert.Equal((classUid, activity, kinds), (e.Root.GetProperty("class_uid").GetInt32(), e.Root.GetProperty("activity_id").GetInt32(), e.Kinds));
    }

    [Theory]
    [InlineData("ip")]
    [InlineData("client_ip")]
    [InlineData("remote_addr")]
    [InlineData("source.ip")]
    public void Addresses_are_found_under_their_common_names(string name)
    {
        Assert.Equal("1.2.3.4", Reading.One(Reading.Format("app"), $$"""{"action":"x","{{name}}":"1.2.3.4"}""").Ip);
        Assert.Equal("2001:db8::1", Reading.One(Reading.Format("app"), $$"""{"action":"x","{{name}}":"[2001:db8::1]:443"}""").Ip);
        Assert.Null(Reading.One(Reading.Format("app"), $$"""{"action":"x","{{name}}":"localhost"}""").Ip);
    }

    [Fact]
    public void A_field_map_says_where_fields_stand()
    {
        var map = FieldMap.Parse(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["time"] = "$.ts",
            ["user"] = "$.who.0.key",
            ["action"] = "did.what",
            ["object"] = "$.did.to",
        }, out var error);
        Assert.Null(error);
        var e = Reading.One(Reading.Format("json"), """{"ts":1767323045,"who":[{"key":"u1"}],"did":{"what":"sold","to":"cow","for":3},"user":"other"}""", map);
        Assert.Equal(("u1", "sold", "cow", 1767323045000000L), (e.User, e.Action, e.Object, e.TimeMicros));
        Assert.Equal("""{"for":3}""", e.Root.GetProperty("unmapped").GetProperty("did").GetRawText());
    }

    [Fact]
    public void A_wrong_field_map_says_what_is_wrong()
    {
        Assert.Null(FieldMap.Parse(new Dictionary<string, string>(StringComparer.Ordinal) { ["usr"] = "$.a" }, out var error));
        Assert.Contains("usr", error, StringComparison.Ordinal);
        Assert.Null(FieldMap.Parse(new Dictionary<string, string>(StringComparer.Ordinal) { ["user"] = "$.a..b" }, out error));
        Assert.Contains("empty name", error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_last_source_address_of_Kubernetes_is_taken_as_only_it_is_not_written_by_the_client()
    {
        var e = Reading.One(Reading.Format("k8s-audit"),
            """{"kind":"Event","auditID":"a","stage":"S","verb":"create","user":{"username":"u"},"sourceIPs":["6.6.6.6","10.0.0.9"],"objectRef":{"resource":"pods","namespace":"n","subresource":"exec","name":"p"},"requestObject":{"metadata":{"name":"z"},"secret":"s3cret"}}""");
        Assert.Equal(("10.0.0.9", "create:pods/exec", "pods/n/p", "a:S"), (e.Ip, e.Action, e.Object, e.Id));
        Assert.DoesNotContain("s3cret", e.Root.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(43, e.Root.GetProperty("unmapped").GetProperty("request_object_bytes").GetInt32());
    }

    [Theory]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  statement: insert into t values ('secret1', 12345)")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d ERROR:  duplicate key value violates unique constraint \"t_pkey\"\n2026-01-02 03:04:05 UTC [7] u@d DETAIL:  Key (email)=(secret1) already exists.")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d DETAIL:  parameters: $1 = 'secret1', $2 = '12345'")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d DETAIL:  Failing row contains (12345, secret1).")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d ERROR:  invalid input syntax for type integer: \"secret1\"")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  AUDIT: SESSION,1,1,WRITE,INSERT,TABLE,t,\"insert into t values ('secret1', $$secret1$$)\",\"secret1,12345\"")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  duration: 1.5 ms  execute a: select * from t where a = 'secret1' and b = 12345")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d CONTEXT:  SQL statement \"update t set a = 'secret1'\"")]
    [InlineData("2026-01-02 03:04:05 UTC [7] u@d LOG:  AUDIT: SESSION,1,1,ROLE,ALTER ROLE,,,alter role bob password 'secret1',<none>")]
    public void Values_in_SQL_are_taken_out_and_counted(string lines)
    {
        var items = Reading.All(Reading.Format("pgaudit"), lines);
        Assert.All(items, item => Assert.Null(item.Error));
        Assert.DoesNotContain(items, item => item.Event!.Root.GetRawText() is var json
            && (json.Contains("secret1", StringComparison.Ordinal) || json.Contains("12345", StringComparison.Ordinal)));
        Assert.NotEqual(0, items.Sum(item => item.Event!.SqlLiterals));
    }

    [Fact]
    public void The_catalog_has_every_format_and_names_are_unique()
    {
        var inFolder = typeof(IFormat).Assembly.GetTypes().Where(type => typeof(IFormat).IsAssignableFrom(type) && type.IsClass);
        Assert.Equal(inFolder.Select(type => type.Name).Order(StringComparer.Ordinal),
            FormatCatalog.All.Select(format => format.GetType().Name).Order(StringComparer.Ordinal));
        Assert.Equal(FormatCatalog.All.Count, FormatCatalog.All.Select(format => format.Name).Distinct(StringComparer.Ordinal).Count());
    }

    /// <summary>Set LOGWARDEN_ACCEPT to write the expected files anew; they are reviewed like code.</summary>
    [Theory]
    [MemberData(nameof(SampleFiles))]
    public void Samples_become_what_lies_beside_them(string format, string file)
    {
        var folder = Path.Combine(Samples(), format);
        var actual = new StringBuilder();
        foreach (var item in Reading.All(Reading.Format(format), File.ReadAllBytes(Path.Combine(folder, file))))
        {
            Assert.True(item.Error is null, $"{item.Position}: {item.Error}");
            actual.Append(item.Event!.Root.GetRawText()).Append('\n');
        }
        var expected = Path.Combine(folder, Path.GetFileNameWithoutExtension(file) + ".ocsf.ndjson");
        if (Environment.GetEnvironmentVariable("LOGWARDEN_ACCEPT") is { Length: > 0 }) File.WriteAllBytes(expected, Encoding.UTF8.GetBytes(actual.ToString()));
        Assert.Equal(File.ReadAllText(expected), actual.ToString());
    }

    public static TheoryData<string, string> SampleFiles()
    {
        var files = new TheoryData<string, string>();
        foreach (var format in FormatCatalog.All)
        {
            foreach (var file in Directory.EnumerateFiles(Path.Combine(Samples(), format.Name)).Order(StringComparer.Ordinal))
            {
                if (!file.EndsWith(".ocsf.ndjson", StringComparison.Ordinal)) files.Add(format.Name, Path.GetFileName(file));
            }
        }
        return files;
    }

    internal static string Samples() => Path.Combine(Repository.Root, "samples", "logs");
}
