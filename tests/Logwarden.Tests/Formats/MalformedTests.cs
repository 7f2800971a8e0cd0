using System.Text;
using CsCheck;
using Logwarden.Events;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

/// <summary>Bad records of every format: refused with a stable reason, never thrown, and never in the way of their neighbours.</summary>
public class MalformedTests
{
    const string Trail = """{"eventVersion":"1.08","userIdentity":{"type":"IAMUser","arn":"arn:aws:iam::1:user/a"},"eventTime":"2026-01-02T03:04:05Z","eventSource":"s3.amazonaws.com","eventName":"GetObject","sourceIPAddress":"1.2.3.4","eventID":"e"}""";
    const string Kube = """{"kind":"Event","apiVersion":"audit.k8s.io/v1","auditID":"a","stage":"ResponseComplete","verb":"get","user":{"username":"u"},"sourceIPs":["1.2.3.4"],"objectRef":{"resource":"pods","name":"p"},"requestReceivedTimestamp":"2026-01-02T03:04:05.000001Z"}""";
    const string Server = """{"timestamp":"2026-01-02 03:04:05.678 UTC","user":"u","dbname":"d","error_severity":"LOG","message":"AUDIT: SESSION,1,1,READ,SELECT,TABLE,public.t,select 1,<none>","remote_host":"1.2.3.4","session_id":"s.1","line_num":1}""";
    const string Application = """{"time":"2026-01-02T03:04:05Z","user":"u","ip":"1.2.3.4","action":"invoice.read","object":"i-1"}""";

    public static readonly TheoryData<string, string> Samples = new()
    {
        { "cloudtrail", Trail },
        { "k8s-audit", Kube },
        { "pgaudit", Server },
        { "app", Application },
        { "json", Application },
    };

    [Theory]
    [InlineData("cloudtrail", "{}", "not-cloudtrail")]
    [InlineData("cloudtrail", """{"eventName":7,"eventSource":"s3.amazonaws.com"}""", "wrong-type")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":["s3"]}""", "wrong-type")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","userIdentity":"root"}""", "wrong-type")]
    [InlineData("cloudtrail", """{"eventName":"A","eventName":"B","eventSource":"s"}""", "repeated-field")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","n":1e99999}""", "number-out-of-range")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","n":"\ud800"}""", "invalid-escape")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","n":tru}""", "invalid-json")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","n":"\x"}""", "invalid-json")]
    [InlineData("cloudtrail", """{"eventName":"A","eventSource":"s","n":01}""", "invalid-json")]
    [InlineData("k8s-audit", """{"kind":"Pod","verb":"get"}""", "not-k8s-audit")]
    [InlineData("k8s-audit", """{"kind":"Event","apiVersion":"v1","verb":"get"}""", "not-k8s-audit")]
    [InlineData("k8s-audit", """{"kind":0}""", "not-k8s-audit")]
    [InlineData("k8s-audit", """{"kind":"Event","auditID":"a","verb":7}""", "wrong-type")]
    [InlineData("k8s-audit", """{"kind":"Event","auditID":"a","verb":"get","sourceIPs":"1.2.3.4"}""", "wrong-type")]
    [InlineData("k8s-audit", """{"kind":"Event","auditID":"a","verb":"get","user":"root"}""", "wrong-type")]
    [InlineData("pgaudit", "not a log line", "no-log-prefix")]
    [InlineData("pgaudit", """{"a":1}""", "not-postgres")]
    [InlineData("pgaudit", """{"message":{"a":1}}""", "wrong-type")]
    [InlineData("pgaudit", "2026-01-02 03:04:05 UTC,a,b", "invalid-csv")]
    [InlineData("pgaudit", "2026-01-02 03:04:05 UTC [1] u@d LOG:  AUDIT: SESSION,1,1,READ", "invalid-audit")]
    [InlineData("pgaudit", "2026-01-02 03:04:05 UTC [1] u@d LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,\"select", "invalid-audit")]
    [InlineData("app", "{}", "not-an-event")]
    [InlineData("app", """{"colour":"blue"}""", "not-an-event")]
    public void A_bad_record_has_a_stable_reason(string format, string record, string code)
    {
        var item = Assert.Single(Reading.All(Reading.Format(format), record));
        Assert.Equal(code, item.Error?.Code);
        Assert.NotEmpty(item.Error!.Reason);
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Invalid_UTF8_is_refused_and_the_next_record_is_read(string format, string sample)
    {
        var bytes = Encoding.UTF8.GetBytes(sample.Replace("\"u\"", "\"uü\"", StringComparison.Ordinal).Replace("user/a", "user/ü", StringComparison.Ordinal) + "\n" + sample);
        bytes[bytes.AsSpan().IndexOf("ü"u8)] = 0xFF;
        var items = Reading.All(Reading.Format(format), bytes);
        Assert.Equal(["invalid-utf8", null], items.ConvertAll(item => item.Error?.Code));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Truncation_anywhere_loses_no_neighbour(string format, string sample)
    {
        for (var length = 1; length < sample.Length; length += 3)
        {
            var items = Reading.All(Reading.Format(format), sample + "\n" + sample[..length] + "\n" + sample);
            Assert.Equal(2, items.Count(item => item.Event is not null));
            Assert.Contains(items, item => item.Error is not null);
        }
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void A_record_of_11_MB_is_refused_and_one_of_9_MB_is_taken(string format, string sample)
    {
        var items = Reading.All(Reading.Format(format), sample[..^1] + ",\"x\":\"" + new string('x', 11 << 20) + "\"}\n"
            + sample[..^1] + ",\"x\":\"" + new string('x', 9 << 20) + "\"}\n" + sample);
        Assert.Equal(["record-too-large", null, null], items.ConvertAll(item => item.Error?.Code));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Nesting_is_taken_up_to_its_limit(string format, string sample)
    {
        var taken = sample[..^1] + ",\"x\":" + new string('[', 120) + new string(']', 120) + "}";
        var refused = sample[..^1] + ",\"x\":" + new string('[', 200) + new string(']', 200) + "}";
        Assert.Equal(["too-deep", null, null], Reading.All(Reading.Format(format), refused + "\n" + taken + "\n" + sample).ConvertAll(item => item.Error?.Code));
    }

    [Theory]
    [MemberData(nameof(Samples))]
    public void Mutated_records_never_throw(string format, string sample) =>
        Gen.Select(Gen.Int[0, 2000], Gen.Byte, Gen.Int[0, 3], Gen.Int[1, 12]).Array[1, 5].Sample(edits =>
        {
            var bytes = Encoding.UTF8.GetBytes(sample).ToList();
            foreach (var (at, value, kind, length) in edits)
            {
                var place = at % bytes.Count;
                if (kind == 0) bytes.Insert(place, value);
                else if (kind == 1) bytes[place] = value;
                else if (kind == 2) bytes[place] = (byte)"\"\\{}[]:,0 \n\t"[value % 12];
                else bytes.RemoveRange(place, Math.Min(length, bytes.Count - place - 1));
                if (bytes.Count == 0) bytes.Add(value);
            }
            var record = bytes.ToArray();
            var output = new NormalizedEvent();
            if (Reading.Format(format).Normalize(record, new FormatContext("test", null, Reading.Accepted), output) is null) NormalizedCopy.Of(output);
            var after = Reading.All(Reading.Format(format), (byte[])[.. record, (byte)'\n', .. Encoding.UTF8.GetBytes(sample)]);
            Assert.Contains(after, item => string.Equals(item.RawText, sample, StringComparison.Ordinal) && item.Event is not null);
        }, iter: 3000);

    [Fact]
    public void Mutated_text_lines_never_throw() => Gen.Select(Gen.Int[0, 500], Gen.Char["\":=[]@()-,. \tLOGAUDIT0"], Gen.Int[0, 2]).Array[1, 6].Sample(edits =>
    {
        var line = new StringBuilder("2026-01-02 03:04:05.678 UTC:1.2.3.4(5):u@d:[42]:LOG:  AUDIT: SESSION,1,1,READ,SELECT,TABLE,t,\"select 'x'\",<none>");
        foreach (var (at, value, kind) in edits)
        {
            var place = at % line.Length;
            if (kind == 0) line.Insert(place, value);
            else if (kind == 1) line[place] = value;
            else line.Remove(place, 1);
        }
        var output = new NormalizedEvent();
        var record = Encoding.UTF8.GetBytes(line.ToString());
        if (Reading.Format("pgaudit").Normalize(record, new FormatContext("test", null, Reading.Accepted), output) is null) NormalizedCopy.Of(output);
    }, iter: 3000);
}
