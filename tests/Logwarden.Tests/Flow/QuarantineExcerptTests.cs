using System.Text;
using CsCheck;
using Logwarden.Events;
using Logwarden.Flow;
using Logwarden.Formats;
using Logwarden.Journal;
using Logwarden.Policy;
using Logwarden.Redaction;

namespace Logwarden.Tests.Flow;

/// <summary>A record that can't be read is shown in part. No part of a secret is in that part, wherever the parts end.</summary>
public class QuarantineExcerptTests
{
    const int LimitBytes = 40_000;

    // Put together here, so that no scanner of this repository takes them for real ones.
    static readonly (string Before, string Secret, string After)[] Secrets =
    [
        ("", "gh" + "p_0123456789abcdefghijklmnopqrstuvwx9Z", ""),
        ("password=", "Corr3ct" + "H0rseBattery", ""),
        ("Authorization: Bearer ", "AbCdEf" + "123456GhIjKl7890MnOpQrStUv", ""),
        ("postgres://app:", "hunter2" + "Really9Long", "@db.internal:5432/shop"),
    ];

    static readonly string Key = "-----BEGIN RSA PRIVATE " + "KEY-----\n"
        + string.Join('\n', Enumerable.Range(0, 25).Select(i => Convert.ToBase64String(Encoding.ASCII.GetBytes($"line {i:D2} of the key, which is {i * 7919 % 1000:D3} secret")))) + "\n-----END RSA PRIVATE " + "KEY-----";

    static readonly Redactor Redactor = Redactor.Create(new RedactionOptions());
    static readonly PolicyClassifier Classifier = new(PolicySnapshot.Default);

    public static TheoryData<string, string> Cases
    {
        get
        {
            var cases = new TheoryData<string, string>();
            foreach (var format in (string[])["app", "json", "cloudtrail", "k8s-audit", "pgaudit"])
                foreach (var how in (string[])["garbage", "invalid", "truncated", "too large", "not an object", "in an array"]) cases.Add(format, how);
            return cases;
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void No_cut_leaves_half_a_secret(string format, string how)
    {
        foreach (var (before, secret, after) in Secrets)
        {
            foreach (var cut in (int[])[512, 1024, RecordReader.ExcerptBytesMax - 4096, RecordReader.ExcerptBytesMax])
            {
                for (var words = cut - before.Length - secret.Length - after.Length - 30; words <= cut; words += 4)
                    AssertHidden(format, Record(how, $"{Words(words)} {before}{secret}{after} {Words(3000)}"), secret[4..]);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void The_lines_of_a_key_stay_together(string format, string how)
    {
        foreach (var before in (int[])[0, 30, 500, 1010, 3000])
        {
            foreach (var line in Key.Split('\n')[1..^1].Where((_, i) => i % 6 == 0))
                AssertHidden(format, Record(how, Words(before) + "\n" + Key + "\n" + Words(100)), line[..20]);
        }
    }

    [Theory]
    [InlineData("app")]
    [InlineData("pgaudit")]
    public void A_key_that_the_input_ends_in_stays_together(string format)
    {
        for (var lines = 3; lines < 20; lines += 4)
        {
            var cut = string.Join('\n', Key.Split('\n')[..lines]);
            foreach (var line in cut.Split('\n')[1..]) AssertHidden(format, "key: " + cut, line[..20]);
        }
    }

    // Data that no rule knows by its look: it is data because of where it stands.
    [Theory]
    [InlineData("app", "{\"dt\":\"2026-11-25T01:02:03Z\",\"user\":\"ada\",\"request_body\":\"{\\\"patient\\\":\\\"Ada Lovelace\\\"}\",oops}\n", "2026-11-25T01:02:03Z")]
    [InlineData("app", "{\"user\":\"ada\",\"request_body\":{\"patient\":\"Ada Lovelace", "\\u0022user\\u0022:\\u0022ada")]
    [InlineData("json", "{'user':'ada', 'response_body': 'Ada Lovelace'}\n", "'user':'ada'")]
    [InlineData("app", "atient\": \"Ada Lovelace\"}\n", "aaaaa")]
    [InlineData("app", "<165>1 2026-11-25T01:02:03Z host app - patient Ada Lovelace\n", "<999>9 9999-99-99A99:99:99A aaaa aaa - ")]
    [InlineData("k8s-audit", "{\"kind\":\"Event\",\"requestObject\":{\"data\":\"Ada Lovelace\",oops}}\n", "requestObject")]
    [InlineData("pgaudit", "2026-11-25 01:02:03 UTC [77] LOG:  AUDIT: SESSION,1,1,WRITE,INSERT,,,\"insert into p values ('Ada Lovelace')\n", "UTC [77] LOG:  AAAAA: AAAAAAA,9,9,AAAAA")]
    [InlineData("pgaudit", "INSERT INTO patients VALUES ('Ada Lovelace', 'note:  hiv')\n", "AAAAAA AAAA aaaaaaaa")]
    [InlineData("pgaudit", "Ada Lovelace, St James Square, diagnosis ERROR:  flu\n", "")]
    [InlineData("json", "{\"user\":\"ada\",\"requ\\u0065st_body\":\"Ada Lovelace\",oops}\n", "\\u0022user\\u0022:\\u0022ada")]
    [InlineData("pgaudit", "{\"timestamp\":\"2026-11-25 01:02:03.004 UTC\",\"message\":\"AUDIT: SESSION,1,1,WRITE,INSERT,,,insert into p values ('Ada Lovelace", "aaaaaaaaa")]
    [InlineData("pgaudit", "2026-11-25 01:02:03.004 UTC,\"app\",\"shop\",77,\"insert into p values ('Ada Lovelace", "9999-99-99 99:99:99.999")]
    public void What_may_be_payload_or_a_statement_is_shown_by_its_shape(string format, string input, string shown)
    {
        foreach (var json in Stored(format, input))
        {
            Assert.DoesNotContain("Lovelace", json, StringComparison.Ordinal);
            if (!json.Contains("\"class_uid\":0", StringComparison.Ordinal)) continue;
            Assert.Contains(shown, json.Replace("\\\"", "\\u0022", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Where_a_payload_begins_is_found_in_any_torn_text() => Gen.String[Gen.Char["abc{}[]\"\\:=,' _"], 0, 40].Sample(before =>
    {
        var text = Encoding.UTF8.GetBytes(before + "\n\"request_body\" : rest");
        Assert.InRange(Redactor.PayloadAt(text), 1, text.Length - 4);
    });

    static string Record(string how, string text) => how switch
    {
        "garbage" => text + "\n",
        "invalid" => "{\"message\":\"" + text + "\",oops}\n",
        "truncated" => "{\"message\":\"" + text,
        "too large" => "{\"message\":\"" + text + new string('x', LimitBytes) + "\"}\n",
        "not an object" => "[\"" + text + "\"]\n",
        _ => "[{\"message\":\"" + text + "\",oops},{\"a\":1}]\n",
    };

    static string Words(int length)
    {
        const string Lorem = "the quick brown fox jumps over the lazy dog and ";
        var text = new StringBuilder();
        while (text.Length < length) text.Append(Lorem);
        return text.ToString(0, Math.Max(0, length));
    }

    static void AssertHidden(string format, string input, string secret)
    {
        foreach (var json in Stored(format, input))
            for (var at = 0; at + 8 <= secret.Length; at++) Assert.DoesNotContain(secret.Substring(at, 8), json, StringComparison.Ordinal);
    }

    static List<string> Stored(string format, string input)
    {
        var route = new IntakeRoute("s", FormatCatalog.Find(format)!, null);
        var worker = new IntakeWorker(route, Redactor, Classifier, DedupKeys.Passing(), TimeProvider.System);
        var batch = new AppendBatch { Source = "s" };
        using var stream = new MemoryStream(Encoding.UTF8.GetBytes(input));
        var reader = new RecordReader(stream, route.Format.Framing, new RecordLimits(LimitBytes));
        while (reader.Read(out var record)) worker.Add(record, RecordOrigin.None, batch);

        Assert.NotEmpty(batch.Entries);
        return [.. batch.Entries.Select(entry =>
        {
            Assert.True(EventEncoding.TryRead(batch.Bytes.WrittenSpan.Slice(entry.Start, entry.Length), out var stored));
            return Encoding.UTF8.GetString(stored.Json);
        })];
    }
}
