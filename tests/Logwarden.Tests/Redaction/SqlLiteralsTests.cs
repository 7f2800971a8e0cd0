using System.Buffers;
using System.Text;
using CsCheck;
using Logwarden.Redaction;

namespace Logwarden.Tests.Redaction;

public class SqlLiteralsTests
{
    [Theory]
    [InlineData("INSERT INTO t (a, b2) VALUES ('x''y', 12.5e-3)", "INSERT INTO t (a, b2) VALUES (#, #)")]
    [InlineData("SELECT E'a\\'b' , $1, col2 FROM \"T 1\" WHERE x = $tag$it's$tag$", "SELECT # , $1, col2 FROM \"T 1\" WHERE x = #")]
    [InlineData("ALTER ROLE bob PASSWORD 'unterminated", "ALTER ROLE bob PASSWORD #")]
    [InlineData("select 1 -- plain comment\nfrom t /* pin 1234 */", "select # -- plain comment\nfrom t #")]
    [InlineData("CREATE USER u IDENTIFIED BY tiger", "CREATE USER u IDENTIFIED BY #")]
    [InlineData("select t1.c2, x'ff', U&'\\0041', b'01'", "select t1.c2, #, #, #")]
    [InlineData("select E'a'\n 'b\\'c', 'd'", "select #\n #, #")]
    [InlineData("select E'a', 'b\\' || c", "select #, # || c")]
    [InlineData("select 1 -- a comment\r, U&\"a'b\", c -- x = y\r\n+ 'd'", "select # -- a comment\r, U&\"a'b\", c --#\r\n+ #")]
    public void Literals_go_and_the_statement_stays(string sql, string expected) =>
        Assert.Equal(expected.Replace("#", "[REDACTED:sql-literal]", StringComparison.Ordinal), Redact(sql));

    [Fact]
    public void Running_it_again_changes_nothing() => Gen.OneOf(
        Gen.OneOf("'", "''", "\"", "$", "$a$", "--", "\n", "/*", "*/", "E'", "\\", " ", "1", "a", ".", "[", "]", "by ", "identified ", "'secret'", "12e+5"), Gen.String[0, 3]).Array[0, 14].Sample(pieces =>
    {
        var once = Redact(string.Concat(pieces));
        Assert.Equal(once, Redact(once));
    }, iter: 3000);

    [Fact]
    public void Each_byte_is_of_one_token() => Gen.OneOf(
        Gen.OneOf("'", "''", "\"", "$", "$a$", "--", "\n", "/*", "*/", "E'", "U&'", "U&\"", "\\", " ", "1", "a", ".", "[", "]", "[REDACTED:pem]", "$1"), Gen.String[0, 3]).Array[0, 14].Sample(pieces =>
    {
        var tokens = new SqlTokens(Encoding.UTF8.GetBytes(string.Concat(pieces)));
        var end = 0;
        while (tokens.Next())
        {
            Assert.Equal(end, tokens.Start);
            Assert.True(tokens.End > end);
            if (tokens.Kind is SqlToken.Literal or SqlToken.QuotedName) Assert.InRange(tokens.Inside.Length, 0, tokens.Text.Length - 1);
            end = tokens.End;
        }
        Assert.Equal(Encoding.UTF8.GetByteCount(string.Concat(pieces)), end);
    }, iter: 3000);

    static string Redact(string sql)
    {
        var output = new ArrayBufferWriter<byte>();
        var bytes = Encoding.UTF8.GetBytes(sql);
        List<Range> found = [];
        PostgresText.FindInStatement(bytes, PostgresStatements.WithoutLiterals, found);
        PostgresText.Write(bytes, found, output);
        var result = Encoding.UTF8.GetString(output.WrittenSpan);
        if (found.Count == 0) Assert.Equal(Encoding.UTF8.GetString(bytes), result);
        return result;
    }
}
