using System.Text;
using CsCheck;
using Logwarden.Formats;

namespace Logwarden.Tests.Formats;

/// <summary>The lines of a private key stay together, and nobody can make lines of others look like lines of a key.</summary>
public class KeyBlockTests
{
    const string Prefix = "2026-11-24 14:07:59 UTC ";

    // Put together here, so that no scanner of this repository takes them for real ones.
    const string Begin = "-----BEGIN RSA PRIVATE " + "KEY-----";
    const string End = "-----END RSA PRIVATE " + "KEY-----";
    const string Body = "MIIEpAIBAAKCAQEAx1J2K4qRz0f5D9nN0yq7Xo3bT8mVw6uHh2pLr4sE";

    static readonly Framing Postgres = new(FramingKind.PostgresLog);
    static readonly Framing Json = new(FramingKind.Json);

    [Theory]
    [InlineData("-----BEGIN ")]
    [InlineData("-----BEGIN KEY-----")]
    [InlineData("-----BEGIN CERTIFICATE-----")]
    [InlineData(Begin)]
    [InlineData("x\n\t" + Begin)]
    public void A_statement_that_begins_a_key_hides_no_line_of_others(string begin)
    {
        foreach (var log in (string[])["LOG:  statement: SELECT 1 ", "LOG:  ", "ERROR:  syntax error at "])
        {
            string[] lines =
            [
                $"{Prefix}{log}{begin}",
                $"{Prefix}LOG:  connection authorized: user=mallory database=prod",
                $"{Prefix}LOG:  received SIGHUP, reloading configuration files",
                $"{Prefix}LOG:  AUDIT: SESSION,1,1,READ,SELECT,,,SELECT 1,<none>",
                "2026-11-24 14:07:59.098 UTC,\"u\",\"d\",1,,s,1,\"x\"",
                "{\"message\":\"x\"}",
                $"{Prefix}LOG:  {End}",
            ];
            for (var count = 1; count <= lines.Length; count++)
            {
                Assert.Equal(lines[..count], Records(string.Join('\n', lines[..count]) + "\n", Postgres));
            }
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData(Prefix + "LOG:  ")]
    [InlineData("archive command: ")]
    public void A_key_in_a_server_log_stays_together(string before)
    {
        var key = $"{before}{Begin}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF\n\n{Body}\n{Body}\nAbc=\n{End}";
        string[] expected = [$"{Prefix}LOG:  a", key, $"{Prefix}LOG:  b"];
        Assert.Equal(expected, Records(string.Join('\n', expected) + "\n", Postgres));
    }

    [Fact]
    public void A_key_that_is_torn_ends_where_the_next_record_begins()
    {
        string[] server = [$"{Begin}\n{Body}\n{Body}", $"{Prefix}LOG:  b"];
        Assert.Equal(server, Records(string.Join('\n', server) + "\n", Postgres));
        string[] lines = [$"{Begin}\n{Body}\n{Body}", "{\"a\":1}"];
        Assert.Equal(lines, Records(string.Join('\n', lines) + "\n", Json));
    }

    [Fact]
    public void A_line_that_begins_a_record_is_the_first_of_one() => Gen.Int[0, Pieces.Length - 1].Array[1, 12].Sample(picks =>
    {
        var lines = picks.Select((pick, i) => Pieces[pick].Replace("#", $"{i}", StringComparison.Ordinal)).ToArray();
        var records = Records(string.Join('\n', lines), Postgres);
        Assert.Empty(lines.Where(line => PostgresFraming.IsStart(Encoding.UTF8.GetBytes(line))).Except(records.Select(record => record.Split('\n')[0]), StringComparer.Ordinal));
        Assert.Equal(string.Join('\n', lines), string.Join('\n', records));
    }, iter: 3000);

    static readonly string[] Pieces =
    [
        $"{Prefix}LOG:  received # {Begin}", $"{Prefix}LOG:  {Begin} #", $"{Prefix}LOG:  {Begin}", $"{Prefix}LOG:  request #", $"{Prefix}STATEMENT:  SELECT # -----BEGIN ", Begin, End, Body, "word", "Comment: #",
        "two words #", "2026-11-24 14:07:59.098 UTC,a,#",
    ];

    static List<string> Records(string input, Framing framing)
    {
        var bytes = Encoding.UTF8.GetBytes(input);
        var reader = new RecordReader(bytes, framing, RecordLimits.Default);
        var records = new List<string>();
        while (reader.Read(out var record)) records.Add(Encoding.UTF8.GetString(record.Bytes).TrimEnd('\n'));
        return records;
    }
}
