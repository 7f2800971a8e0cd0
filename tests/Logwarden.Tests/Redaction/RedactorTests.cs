using System.Buffers;
using System.Diagnostics;
using System.Text;
using System.Text.Json;
using CsCheck;
using Logwarden.Redaction;

namespace Logwarden.Tests.Redaction;

public class RedactorTests
{
    const string Token = "ghp_XIxB7KMNdAr3zqWtQqhE94qglHqOzn1D1stg";

    [Theory]
    [InlineData("password=hunter2secret", "password=[REDACTED:password]")]
    [InlineData("Server=db;User Id=app;Password=S3cr3t;Port=1", "Server=db;User Id=[REDACTED:connection-string];Password=[REDACTED:password];Port=1")]
    [InlineData("postgres://app:s3cr3t/x@db.local:5432/main", "postgres://app:[REDACTED:url-userinfo]@db.local:5432/main")]
    [InlineData("Authorization: Bearer mF_9.B5f-4.1JqM", "Authorization: Bearer [REDACTED:authorization]")]
    [InlineData("authorization: Basic dXNlcjpwYXNzd29yZA==", "authorization: Basic [REDACTED:authorization]")]
    [InlineData("Cookie: sid=abc123; theme=dark", "Cookie: [REDACTED:cookie]")]
    [InlineData("mail to jane.doe+x@example.co.uk now", "mail to [REDACTED:email] now")]
    [InlineData("card 4012-8888-8888-1881 used", "card [REDACTED:payment-card] used")]
    [InlineData("iban GB82 WEST 1234 5698 7654 32.", "iban [REDACTED:iban].")]
    [InlineData("ssn 536-90-4399", "ssn [REDACTED:us-ssn]")]
    [InlineData("call (415) 555-0132", "call [REDACTED:phone]")]
    [InlineData("dial +49 30 1234567", "dial [REDACTED:phone]")]
    [InlineData("ALTER ROLE app PASSWORD 'x1y2z3'", "ALTER ROLE app PASSWORD '[REDACTED:password]'")]
    [InlineData("CREATE USER a IDENTIFIED BY tiger9", "CREATE USER a IDENTIFIED BY [REDACTED:sql-password]")]
    [InlineData("machine api.example.com login bob password pass123 x", "[REDACTED:password] x")]
    [InlineData("user = 'alice'\npassword = 'open sesame'", "user = '[REDACTED:connection-string]'\npassword = '[REDACTED:password]'")]
    [InlineData("user=alice password=opensesame1", "user=alice password=[REDACTED:password]")]
    [InlineData("ConvertTo-SecureString -String 'dsjUE#g8s' -Force", "ConvertTo-SecureString -String '[REDACTED:password]' -Force")]
    [InlineData("Connect-VIServer esx1 -User root -Password S3cret1", "Connect-VIServer esx1 -User [REDACTED:password] -Password [REDACTED:password]")]
    [InlineData("curl -u bob:S3cretPass https://x.example/a", "curl -u bob:[REDACTED:password] https://x.example/a")]
    [InlineData("docker login -u me -p S3cretPw9 registry", "docker login -u me -p [REDACTED:password] registry")]
    [InlineData("redis-cli -h db -a S3cretPw9 ping", "redis-cli -h db -a [REDACTED:password] ping")]
    [InlineData("ldapsearch -x -D cn=x -w S3cretPw9 -b dc=y", "ldapsearch -x -D cn=x -w [REDACTED:password] -b dc=y")]
    [InlineData("passwords: [\"S3cretPw9\", \"An0ther1\"]", "passwords: [\"[REDACTED:password]\", \"[REDACTED:password]\"]")]
    [InlineData("Passwort: S3cretPw9", "Passwort: [REDACTED:password]")]
    [InlineData("C:\\Windows\\System32\\net.exe user bob S3cretPw9! /add", "C:\\Windows\\System32\\net.exe user bob [REDACTED:password] /add")]
    [InlineData("net user bob /delete", "net user bob /delete")]
    [InlineData("the net user count is 12", "the net user count is 12")]
    [InlineData("docker run -p 8080:80 image", "docker run -p 8080:80 image")]
    [InlineData("sshpass -p 'S3cretPw!' ssh host", "sshpass -p '[REDACTED:password]' ssh host")]
    [InlineData("bob:{SSHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=", "bob:{SSHA}[REDACTED:password-hash]")]
    [InlineData("adm:500:aad3b435b51404eeaad3b435b51404ee:31d6cfe0d16ae931b73c59d7e0c089c0:::", "adm:500:[REDACTED:password-hash]:::")]
    [InlineData("{\"kty\":\"oct\",\"k\":\"AyM1SysPpbyDfgZld3umj1qz\"}", "{\"kty\":\"oct\",\"k\":\"[REDACTED:private-key]\"}")]
    [InlineData("{\"auth\":\"dXNlcjpwYXNzd29yZDEyMw==\"}", "{\"auth\":\"[REDACTED:secret]\"}")]
    [InlineData("Activation key : ZAQWS-XCDER-VBGTR-FRTGU-KLMNX", "Activation key : [REDACTED:secret]")]
    [InlineData("%define token 4b9a6d8b4bc56fbfa1c638eb0c6cab37", "%define token [REDACTED:secret]")]
    [InlineData("smbclient //srv/share -U alice%S3cretPw!", "smbclient //srv/share -U alice%[REDACTED:password]")]
    [InlineData("PsExec.exe \\\\host -u bob -p S3cretPw9 cmd", "PsExec.exe \\\\host -u bob -p [REDACTED:password] cmd")]
    [InlineData("curl -H 'x: y' -u 'bob:S3cret Pass' https://x.example/a", "curl -H 'x: y' -u 'bob:[REDACTED:password] Pass' https://x.example/a")]
    [InlineData("openssl enc -aes-256-cbc -k S3cretPw9 -in a", "openssl enc -aes-256-cbc -k [REDACTED:password] -in a")]
    [InlineData("mongodump -u a -p S3cretPw9 --out x", "mongodump -u a -p [REDACTED:password] --out x")]
    [InlineData("sqlcmd -S db -U sa -P S3cretPw9 -Q x", "sqlcmd -S db -U sa -P [REDACTED:password] -Q x")]
    [InlineData("snmpget -v3 -A S3cretPw9 -X 0therPw99 host", "snmpget -v3 -A [REDACTED:password] -X [REDACTED:password] host")]
    [InlineData("xfreerdp /u:bob /p:S3cretPw9 /v:host", "xfreerdp /u:bob /p:[REDACTED:password] /v:host")]
    [InlineData("7z x -pS3cretPw9 a.7z", "7z x -p[REDACTED:password] a.7z")]
    [InlineData("sqlplus scott/S3cretPw9@orcl", "sqlplus scott/[REDACTED:password]@orcl")]
    [InlineData("jdbc:oracle:thin:scott/S3cretPw9@//db:1521/x", "jdbc:oracle:thin:scott/[REDACTED:password]@//db:1521/x")]
    [InlineData("htpasswd -b .htpasswd bob S3cretPw9 && ls", "htpasswd -b .htpasswd bob [REDACTED:password] && ls")]
    [InlineData("echo 'root:tr0ub4dor' | chpasswd", "echo 'root:[REDACTED:password]' | chpasswd")]
    [InlineData("echo tr0ub4dor | passwd --stdin root", "echo [REDACTED:password] | passwd --stdin root")]
    [InlineData("net use x: \\\\srv\\share S3cretPw9 /user:bob", "net use x: \\\\srv\\share [REDACTED:password] /user:bob")]
    [InlineData("new NetworkCredential(\"bob\", \"S3cretPw9\")", "new NetworkCredential(\"bob\", \"[REDACTED:password]\")")]
    [InlineData("EXEC sp_addlogin 'bob', 'S3cretPw9'", "EXEC sp_addlogin 'bob', '[REDACTED:password]'")]
    [InlineData("password is S3cretPw9.", "password is [REDACTED:password].")]
    [InlineData("password for bob changed to S3cretPw9", "password for bob changed to [REDACTED:password]")]
    [InlineData("the password for the database user of the application is a1b2c3d4-a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4Xyz", "the password for the database user of the application is [REDACTED:password]")]
    [InlineData("password for user \"ada\" is \"a1b2c3d4-a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4a1b2c3d4Xyz\"", "password for user \"[REDACTED:password]\" is \"[REDACTED:password]\"")]
    [InlineData("Passwort lautet S3cretPw9", "Passwort lautet [REDACTED:password]")]
    [InlineData("mot de passe: S3cretPw9", "mot de passe: [REDACTED:password]")]
    [InlineData("ENV DB_PASSWORD S3cretPw9", "ENV DB_PASSWORD [REDACTED:password]")]
    [InlineData("GET /cb?code=4/0AX4XfWhZq8rTw31xyzQ&state=abc HTTP/1.1", "GET /cb?code=[REDACTED:secret]&state=abc HTTP/1.1")]
    [InlineData("GET /x?X-Amz-Date=2&X-Amz-Signature=fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc9 HTTP/1.1", "GET /x?X-Amz-Date=2&X-Amz-Signature=[REDACTED:secret] HTTP/1.1")]
    [InlineData("env {\"name\": \"DB_PASSWORD\", \"value\": \"S3cretPw9\"}", "env {\"name\": \"DB_PASSWORD\", \"value\": \"[REDACTED:password]\"}")]
    [InlineData("- name: DB_PASSWORD\n  value: S3cretPw9\n", "- name: DB_PASSWORD\n  value: [REDACTED:password]\n")]
    [InlineData("[map[name:DB_PASSWORD value:S3cretPw9]]", "[map[name:DB_PASSWORD value:[REDACTED:password]]]")]
    public void What_is_secret_goes_and_the_rest_stays(string text, string expected) => Assert.Equal(expected, Redacting.Text(text));

    [Theory]
    [InlineData("arn:aws:iam::123456789012:role/admin")]
    [InlineData("2023-07-10T11:45:00.123456Z uid=1000 ip=10.12.13.14 port 54321")]
    [InlineData("550e8400-e29b-41d4-a716-446655440000")]
    [InlineData("version 1.2.3.4567 build 20230710114500 id 1688989500123456789")]
    [InlineData("arn:aws:secretsmanager:us-east-1:123456789012:secret:prod/db-AbCdEf")]
    [InlineData("sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
    [InlineData("password=${DB_PASSWORD} token=$TOKEN secret=****")]
    [InlineData("AROAJKLMNOPQRSTUVWXYZ:session i-0abcd1234efgh5678 eni-0a1b2c3d4e5f67890")]
    [InlineData("user alice logged in from 2001:db8::1 with password authentication")]
    [InlineData("\"callerIpAddress\": \"40.126.4.40\", \"call\": \"13.85.188.242\"")]
    [InlineData("lines 443 476 509 542 575 608 641 of the file")]
    [InlineData("\"detail\": \"Correct password\", \"requirement\": \"primary\"")]
    [InlineData("[\"password\", \"password\", \"password\"]")]
    [InlineData("\"url\": \"https://github.com/a/b\", \"revision\": \"68d5575c64352792e6e716a1e909db5f9cb3bc2a\"")]
    [InlineData("\"accessKeyId\": \"AKIA1JMTHE9ZMZMWG0MG\", \"x\": 1")]
    [InlineData("<CAFpGju6Zzs6HoCNQsDh0=F=vS7KHikisdRrnC@mail.example.com>")]
    [InlineData("Password=#{password}, set <password> api_key: your-api-key")]
    [InlineData("secret my-app-tls-20240102 created, token validation took 123ms")]
    [InlineData("GET /x?ticket=INC-2026-00012345&code=SQLSTATE_CONNECTION_FAILURE_08006&signature=v2-canonical-payload-1 HTTP/1.1")]
    [InlineData("docker run --name db mysql -p 3306:3306 && docker run mysql -p33060")]
    [InlineData("echo password changed for ada | tee chpasswd.log")]
    [InlineData("your password is expired, it was valid until 2026-11-25T01:02:03Z")]
    [InlineData("password is stored as sha256-hashed, the password for bob is not set to 12345678")]
    [InlineData("DB_PASSWORD is not set in /etc/app2/env1")]
    [InlineData("mysql -h db -P 3306 --protocol=tcp shop; zip -r backup1.zip x; openssl version -a")]
    [InlineData("htpasswd -c .htpasswd bob; net use * /delete; cat list | chpasswd")]
    [InlineData("GET /x?code=404&ticket=12&invite=summer-party HTTP/1.1")]
    [InlineData("{\"name\": \"Password policy\", \"value\": 8}, name: LOG_LEVEL\n  value: debug2verbose")]
    public void Identifiers_addresses_times_and_references_stay(string text) => Assert.Equal(text, Redacting.Text(text));

    [Theory]
    [InlineData("""{"name":"DB_PASSWORD","value":"S3cretPw9"}""", """{"name":"DB_PASSWORD","value":"[REDACTED:password]"}""")]
    [InlineData("""{"value":"S3cretPw9","name":"DB_PASSWORD"}""", """{"value":"[REDACTED:password]","name":"DB_PASSWORD"}""")]
    [InlineData("""{"name":"DB_PASSWORD","id":7,"value":"S3cretPw9"}""", """{"name":"DB_PASSWORD","id":7,"value":"[REDACTED:password]"}""")]
    [InlineData("""{"name":"X-Api-Key","values":["abc1","def2"]}""", """{"name":"X-Api-Key","values":["[REDACTED:sensitive-field]","[REDACTED:sensitive-field]"]}""")]
    [InlineData("""{"headers":[{"name":"Cookie","value":"a=b"},{"name":"Host","value":"x"}]}""", """{"headers":[{"name":"Cookie","value":"[REDACTED:sensitive-field]"},{"name":"Host","value":"x"}]}""")]
    [InlineData("""{"password":{"value":"S3cretPw9","type":"plain"},"size":{"value":"S3cretPw9"}}""", """{"password":{"value":"[REDACTED:password]","type":"plain"},"size":{"value":"S3cretPw9"}}""")]
    [InlineData("""{"m":"body {\"name\":\"DB_PASSWORD\",\"value\":\"S3cretPw9\"}"}""", """{"m":"body {\"name\":\"DB_PASSWORD\",\"value\":\"[REDACTED:password]\"}"}""")]
    [InlineData("""{"name":"password reset","children":[{"value":"S3cretPw9"}]}""", """{"name":"password reset","children":[{"value":"S3cretPw9"}]}""")]
    [InlineData("""{"password":{"minLength":{"value":"LongerThan8"},"value":"S3cretPw9"}}""", """{"password":{"minLength":{"value":"LongerThan8"},"value":"[REDACTED:password]"}}""")]
    [InlineData("""{"passwordPolicy":{"password":{"value":"hunter2"}}}""", """{"passwordPolicy":{"password":{"value":"[REDACTED:password]"}}}""")]
    [InlineData("""{"token":{"password":{"value":"open sesame"}}}""", """{"token":{"password":{"value":"[REDACTED:password]"}}}""")]
    [InlineData("""{"name":"DB_PASSWORD","oldValue":"old4pass","newValue":"new4pass"}""", """{"name":"DB_PASSWORD","oldValue":"[REDACTED:password]","newValue":"[REDACTED:password]"}""")]
    [InlineData("""{"Name":"/prod/db_password","Type":"SecureString","Value":"hunter2"}""", """{"Name":"/prod/db_password","Type":"SecureString","Value":"[REDACTED:password]"}""")]
    [InlineData("""{"name":"DB_PASSWORD","key":"k1","note":"{}","value":"hunter2"}""", """{"name":"DB_PASSWORD","key":"k1","note":"{}","value":"[REDACTED:password]"}""")]
    [InlineData("""{"value":123456,"type":"x","name":"password"}""", """{"value":"[REDACTED:password]","type":"x","name":"password"}""")]
    [InlineData("""{"pass\u0077ord":"hunter2","requestO\u0062ject":{"a":1}}""", """{"pass\u0077ord":"[REDACTED:password]","requestO\u0062ject":"[REDACTED:payload]"}""")]
    [InlineData("""{"name":"colour","value":"red"}""", """{"name":"colour","value":"red"}""")]
    public void A_value_is_what_the_name_beside_or_around_it_says(string json, string expected) => Assert.Equal(expected, Redacting.Json(json));

    [Fact]
    public void However_many_passwords_a_line_has_all_go()
    {
        var text = "7z x " + string.Join(' ', Enumerable.Range(0, 40).Select(i => $"-pS3cret{i:D2}")) + "\n"
            + string.Join(' ', Enumerable.Range(0, 60).Select(i => $"curl -u a:S3cret{i:D2}"));
        var once = Redacting.Text(text);
        Assert.DoesNotContain("S3cret", once, StringComparison.Ordinal);
        Assert.Equal(once, Redacting.Text(once));
    }

    [Fact]
    public void A_long_assertion_goes_whole()
    {
        var assertion = string.Concat(Enumerable.Range(0, 700).Select(i => $"Ab{i:D3}XyZ9"));
        Assert.Equal("GET /acs?SAMLResponse=[REDACTED:secret]&x=1", Redacting.Text($"GET /acs?SAMLResponse={assertion}&x=1"));
    }

    [Fact]
    public void What_is_redacted_already_is_not_counted_again()
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.False(Redacting.Default.Text("password to \"[REDACTED:password]\" now, password is [REDACTED:password]"u8, new RedactionScratch(), output));
    }

    /// <summary>Hits and hits found in the result of hits, as many as there are: merging them is linear (a quadratic way takes minutes here).</summary>
    [Fact]
    public void Merged_hits_are_those_of_a_slow_and_simple_way() => Gen.Select(Gen.Int[0, 6].Array[0, 12], Gen.Int[0, 8].Array[0, 12]).Sample((firsts, seconds) =>
    {
        var rule = RedactionRules.IndexOf("password");
        var known = Spread(firsts, rule);
        var found = Spread(seconds, rule);
        var input = new byte[200];
        // Which bytes of the input each byte of the replaced text stands for.
        var text = new List<(int From, int To)>();
        for (var (at, i) = (0, 0); at < input.Length;)
        {
            if (i < known.Count && known[i].Start == at)
            {
                text.AddRange(Enumerable.Repeat((at, at + known[i].Length), Redactor.MarkerLength(known[i])));
                at += known[i++].Length;
                continue;
            }
            text.Add((at, ++at));
        }
        var expected = new HashSet<int>(known.SelectMany(hit => Enumerable.Range(hit.Start, hit.Length)));
        foreach (var hit in found) expected.UnionWith(Enumerable.Range(hit.Start, hit.Length).Where(i => i < text.Count).SelectMany(i => Enumerable.Range(text[i].From, text[i].To - text[i].From)));
        found.RemoveAll(hit => hit.Start + hit.Length > text.Count);

        Moved.Merge(known, found);

        Assert.Equal(expected.Order(), known.SelectMany(hit => Enumerable.Range(hit.Start, hit.Length)));
    });

    static List<RedactionFinding> Spread(int[] gaps, int rule)
    {
        var (hits, at) = (new List<RedactionFinding>(), 0);
        foreach (var gap in gaps)
        {
            at += gap + 1;
            hits.Add(new(rule, at, gap + 1, RedactionAction.Redact));
            at += gap + 1;
        }
        return hits;
    }

    [Fact]
    public void A_clean_document_is_not_copied()
    {
        var output = new ArrayBufferWriter<byte>();
        Assert.False(Redacting.Default.Json("""{"a":"b","n":[1,2,{"c":null}]}"""u8, [], new RedactionScratch(), output));
        Assert.Equal(0, output.WrittenCount);
    }

    [Fact]
    public void Payloads_are_dropped_whole_and_stay_valid_json() => Assert.Equal(
        """{"a":1,"requestObject":"[REDACTED:payload]","http":{"response.body":2},"request":{"body":"[REDACTED:payload]"},"n":null}""",
        Redacting.Json("""{"a":1,"requestObject":{"x":["}",{"y":2}]},"http":{"response.body":2},"request":{"body":[1,2]},"n":null}"""));

    [Fact]
    public void Sensitive_fields_lose_their_value_whatever_it_is() => Assert.Equal(
        """{"sessionToken":"[REDACTED:sensitive-field]","password":"[REDACTED:password]","pin":"[REDACTED:sensitive-field]","accessKeyId":"AKIAIOSFODNN7ABCDEFG"}""",
        Redacting.Json("""{"sessionToken":"abc","password":12345,"pin":7,"accessKeyId":"AKIAIOSFODNN7ABCDEFG"}"""));

    [Fact]
    public void A_name_beside_a_value_names_it() => Assert.Equal(
        """{"env":[{"name":"DB_PASSWORD","value":"[REDACTED:password]"},{"name":"HOST","value":"db"}]}""",
        Redacting.Json("""{"env":[{"name":"DB_PASSWORD","value":"abcd"},{"name":"HOST","value":"db"}]}"""));

    [Theory]
    [InlineData(ActorTreatment.Keep, "jane@example.com")]
    [InlineData(ActorTreatment.Redact, "[REDACTED:email]")]
    [InlineData(ActorTreatment.Pseudonym, "[PSEUDONYM:email:")]
    public void The_actors_mail_is_treated_as_the_policy_says_and_secrets_in_it_always_go(ActorTreatment treatment, string expected)
    {
        var redactor = Redactor.Create(new RedactionOptions { Actor = treatment, PseudonymKey = new byte[32] });
        const string Json = """{"who":"jane@example.com","other":"joe@example.com"}""";
        var result = Redacting.Json(Json, redactor, new ProtectedSpan(8, 16));
        Assert.StartsWith("{\"who\":\"" + expected, result, StringComparison.Ordinal);
        Assert.EndsWith("\"other\":\"[REDACTED:email]\"}", result, StringComparison.Ordinal);
        Assert.DoesNotContain(Token, Redacting.Json("{\"who\":\"" + Token + "\"}", redactor, new ProtectedSpan(8, Token.Length)), StringComparison.Ordinal);
    }

    [Fact]
    public void Equal_values_have_equal_pseudonyms_and_other_keys_others()
    {
        RedactionOptions options = new() { Actions = new Dictionary<string, RedactionAction>(StringComparer.Ordinal) { ["email"] = RedactionAction.Pseudonym }, PseudonymKey = "0123456789abcdef"u8.ToArray() };
        var one = Redacting.Text("a@example.com a@example.com b@example.com", Redactor.Create(options)).Split(' ');
        var two = Redacting.Text("a@example.com", Redactor.Create(options with { PseudonymKey = "fedcba9876543210"u8.ToArray() }));
        Assert.Equal(one[0], one[1]);
        Assert.False(string.Equals(one[0], one[2], StringComparison.Ordinal));
        Assert.False(string.Equals(one[0], two, StringComparison.Ordinal));
        Assert.Matches(@"^\[PSEUDONYM:email:[A-Za-z0-9_-]{16}\]$", one[0]);
    }

    [Fact]
    public void A_disabled_rule_finds_nothing_and_an_unknown_one_is_refused()
    {
        var redactor = Redactor.Create(new RedactionOptions { DisabledRules = new HashSet<string>(StringComparer.Ordinal) { "email" } });
        Assert.Equal("a@example.com", Redacting.Text("a@example.com", redactor));
        Assert.Throws<ArgumentException>(() => Redactor.Create(new RedactionOptions { DisabledRules = new HashSet<string>(StringComparer.Ordinal) { "e-mail" } }));
    }

    [Fact]
    public void Counts_are_sorted_by_rule()
    {
        _ = Redacting.Text(Encoding.UTF8.GetBytes("a@example.com password=abcd1234 b@example.com"), out var scratch);
        var output = new ArrayBufferWriter<byte>();
        scratch.WriteCounts(output);
        Assert.Equal("email=2,password=1", Encoding.UTF8.GetString(output.WrittenSpan));
        Assert.Equal([0, 23, 32], scratch.Findings.ToArray().Select(f => f.Start));
    }

    [Fact]
    public void Secrets_are_found_however_deep_they_are_wrapped()
    {
        var gen = Gen.Int[0, 3].Array[1, 4].Select(wraps => wraps.Aggregate(Token, (inner, wrap) => wrap switch
        {
            0 => JsonSerializer.Serialize(new { message = inner }),
            1 => Convert.ToBase64String(Encoding.UTF8.GetBytes("the token is " + inner)),
            2 => "https://example.com/?q=" + Uri.EscapeDataString("a " + inner + " b"),
            _ => "log line: " + inner + " end",
        }));
        gen.Sample(text =>
        {
            Assert.False(Redacting.Leaks(Redacting.Text(text), Token), text);
            Assert.False(Redacting.Leaks(Redacting.Json(JsonSerializer.Serialize(new { x = text })), Token), text);
        }, iter: 300);
    }

    static readonly Gen<string> Piece = Gen.OneOf(
        Gen.OneOf(Token, "password=", "password: \"", "token", " = ", "\"", "'", "\n", "\\n", "\\", "{", "}", ",", ":", ";", "&", "@", "://", "https://u:p4ss@h.example/", "jane@example.com",
            "4012888888881881", "+49 30 1234567", "536-90-4399", "%40", "%3D", "[REDACTED:email]", "[", "]", "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijklmnop", "Bearer ", "secret", "api_key", "AKIAQYLPMN5HHHFPZAM2", " is ", "$", "<", ">"),
        Gen.Char.AlphaNumeric.Array[1, 24].Select(c => new string(c)),
        Gen.String[0, 4]);

    [Fact]
    public void Redacting_redacted_text_changes_nothing() => Piece.Array[1, 12].Sample(pieces =>
    {
        var once = Redacting.Text(string.Concat(pieces));
        Assert.Equal(once, Redacting.Text(once));
    }, iter: 3000);

    [Fact]
    public void Valid_json_stays_valid_json_and_stable() => Piece.Array[1, 6].Array[1, 5].Sample(values =>
    {
        var json = JsonSerializer.Serialize(values.Select((v, i) => new { name = "n" + i, password = i, text = string.Concat(v), inner = JsonSerializer.Serialize(new { token = string.Concat(v) }) }));
        var once = Redacting.Json(json);
        Assert.Equal(once, Redacting.Json(once));
    }, iter: 1000);

    [Fact]
    public void Any_bytes_are_taken_in() => Gen.Byte.Array[0, 300].Sample(bytes => Redacting.Text(bytes, out _), iter: 3000);

    [Fact]
    public void No_input_takes_more_than_linear_time()
    {
        string[] units = ["a@", "password=", "\"", "\\\"", "%41%42", "1-", "1 2 3 ", "eyJhbGciOi.", "-----BEGIN PRIVATE KEY-----\n", "QUJD", "https://a:b", "key: ", "IDENTIFIED b", "$6$abc", "{\"a\":", "password is \"x\" ", "<password a=\"b\" ", "[REDACTED:", "a.b-", "AA00 BBBB ", "login password x ", "eyJ-", "A3-", "bearer:", "-----BEGIN PRIVATE KEY!",
            "machine a login b password ", "curl -u ", "mysql -p", "credentials { username ", "kty \"d\":\"AyM1SysPpbyDfgZl\\", "\"d\":\"", "SECRET a1b2c3 ", "DirectoryEntry(\"", "Connect-VIServer ", "user=a\npassword=\n", "slack a.b "];
        foreach (var unit in units)
        {
            var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, 200_000 / unit.Length)));
            var start = Stopwatch.GetTimestamp();
            Redacting.Text(text, out _);
            Assert.True(Stopwatch.GetElapsedTime(start) < TimeSpan.FromSeconds(5), unit);
        }
    }
}
