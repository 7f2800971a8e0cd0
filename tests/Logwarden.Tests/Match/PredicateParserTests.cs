using System.Text;
using CsCheck;
using Logwarden.Match;

namespace Logwarden.Tests.Match;

public class PredicateParserTests
{
    [Fact]
    public void Printed_predicates_parse_to_the_same_tree() => Gens.Predicates.Sample(predicate =>
    {
        var parsed = PredicateParser.Parse(predicate.ToString());
        Assert.True(parsed.Error is null, $"{predicate}: {parsed.Error}");
        Assert.Equal(predicate, parsed.Predicate);
    }, iter: 10_000);

    [Fact]
    public void No_text_makes_the_parser_throw()
    {
        var words = Gen.OneOf("user", "ip", "time", "kind", "missing", "exists", "in", "is", "not", "and", "or", "(", ")", "\"", "\\", "=", ":", "==", "!=", ">", "<=", "..",
            "*", "?", ",", "-", " ", "10.0.0.0/8", "1..4", "LOG-1", "2026-01-01", "a.b", ".", "\\u12", "\ud800", "\0", "ü", "9999999999999999999", "1e999", "missing");
        Gen.OneOf(words.Array[0, 14].Select(parts => string.Concat(parts)), words.Array[0, 14].Select(parts => string.Join(' ', parts)), Gen.String).Sample(text =>
        {
            var parsed = PredicateParser.Parse(text);
            if (parsed.Error is { } error)
            {
                Assert.InRange(error.Position, 0, text.Length);
                Assert.InRange(error.Position + error.Length, 0, text.Length);
                return;
            }
            Assert.Equal(parsed.Predicate, PredicateParser.Parse(parsed.Value.ToString()).Predicate);
            Matcher.Compile(parsed.Value);
            SqlWriter.Write(parsed.Value);
        }, iter: 20_000);
    }

    [Theory]
    [InlineData("", "*")]
    [InlineData(" user : ada* ", "user=ada*")]
    [InlineData("user=ada or user=bob and not -x", "user=ada OR user=bob AND NOT NOT x")]
    [InlineData("(a OR b) c", "(a OR b) AND c")]
    [InlineData("a (b c)", "a AND b AND c")]
    [InlineData("ip in 10.1.2.3/8", "ip in 10.0.0.0/8")]
    [InlineData("ip=10.0.0.0/8", "ip in 10.0.0.0/8")]
    [InlineData("src_endpoint.ip=\"2001:DB8::0:1\"", "src_endpoint.ip=2001:db8::1")]
    [InlineData("user=10.0.0.1/32", "user in 10.0.0.1/32")]
    [InlineData("severity_id>4", "severity_id>=5")]
    [InlineData("activity_id in 1..4", "activity_id in 1..4")]
    [InlineData("activity_id in (1, 3..)", "activity_id in (1, 3..)")]
    [InlineData("action in ( a ,\"b c\", d* )", "action in (a, \"b c\", d*)")]
    [InlineData("user not in (a, b)", "NOT user in (a, b)")]
    [InlineData("user is not missing", "exists(user)")]
    [InlineData("user is missing", "NOT exists(user)")]
    [InlineData("kind=log-1 missing in (ip, user)", "kind=LOG-1 AND missing in (user, ip)")]
    [InlineData("kind is missing", "NOT NOT kind=none")]
    [InlineData("time>=2026-01-01T01:00:00+01:00", "time>=2026-01-01T00:00:00Z")]
    [InlineData("time=2026-01-01", "time in 2026-01-01T00:00:00Z..2026-01-01T23:59:59.999999Z")]
    [InlineData("unmapped.\"a b\".c>=0.5", "unmapped.\"a b\".c>=0.5")]
    [InlineData("\"user\"=x", "\"user\"=x")]
    [InlineData("id=7", "event_id=7")]
    [InlineData("object=arn:aws:s3:::b/k", "object=\"arn:aws:s3:::b/k\"")]
    [InlineData("foo\\*bar \\-x", "\"foo*bar\" AND \"-x\"")]
    [InlineData("user=\"\"", "user=\"\"")]
    public void Canonical_text(string text, string canonical) => Assert.Equal(canonical, PredicateParser.Parse(text).Value.ToString());

    [Theory]
    [InlineData("kind=LOG-9", "character 6: unknown kind 'LOG-9', expected LOG-1, LOG-2, LOG-3, LOG-4, none, did you mean LOG-1?")]
    [InlineData("missing=uesr", "character 9: unknown missing 'uesr', expected user, ip, time, action, object, none, did you mean user?")]
    [InlineData("usr=ada", "character 1: there is no field 'usr', expected a field; for a JSON key of that name write \"usr\", did you mean user?")]
    [InlineData("user=", "character 6: a value is missing, expected a value")]
    [InlineData("user=ada AND", "character 13: the text ends, expected a term: a word, \"a phrase\", field=value, NOT or (")]
    [InlineData("(user=ada", "character 1: the parenthesis is not closed, expected )")]
    [InlineData("user=ada)", "character 9: this ) closes nothing")]
    [InlineData("\"open", "character 1: the quote is not closed, expected \"")]
    [InlineData("severity_id=high", "character 13: 'high' does not fit, expected a whole number")]
    [InlineData("severity_id in 4..1", "character 16: the range is empty, expected the lower end first")]
    [InlineData("time>yesterday", "character 6: 'yesterday' does not fit, expected a time such as 2026-01-31T08:00:00Z or a date such as 2026-01-31")]
    [InlineData("user>a", "character 5: user is a text and cannot be compared with >, expected = == != : or in")]
    [InlineData("user in a", "character 9: 'a' is no list, expected a list in parentheses, a network such as 10.0.0.0/8, or a range such as 1..4")]
    [InlineData("user in (a b)", "character 12: the list goes on without a comma, expected , or )")]
    [InlineData("user is mising", "character 9: unknown state 'mising', expected missing or present, did you mean missing?")]
    [InlineData("a b and or", "character 9: 'or' is a keyword, expected a term; write it in quotes to search for the word")]
    [InlineData("user=and", "character 6: 'and' is a keyword, expected a value; write it in quotes to mean the word")]
    [InlineData("user=\"a\\q\"", "character 8: unknown escape in a quoted text, expected one of \\\" \\\\ \\n \\r \\t \\uXXXX")]
    [InlineData("a..b=1", "character 3: a field name has an empty part, expected a name")]
    [InlineData("a*b=1", "character 2: '*' cannot stand in a field name, expected letters, digits, _ - @ $ /, or the name in quotes")]
    [InlineData("exists user", "character 8: exists needs a field in parentheses, expected (")]
    public void Errors_say_where_what_and_what_was_meant(string text, string message) =>
        Assert.Equal(message, PredicateParser.Parse(text).Error?.ToString());

    [Fact]
    public void Limits_hold()
    {
        Assert.Null(PredicateParser.Parse(Nested(PredicateParser.DepthMax - 1)).Error);
        Assert.Equal("too deeply nested", PredicateParser.Parse(Nested(PredicateParser.DepthMax)).Error!.Reason);
        Assert.Equal("too deeply nested", PredicateParser.Parse(new string('-', 10_000) + "x").Error!.Reason);
        Assert.Equal("the text is too long", PredicateParser.Parse(new string('x', PredicateParser.LengthMax + 1)).Error!.Reason);
        Assert.Equal("too many terms", PredicateParser.Parse(string.Join(' ', Enumerable.Repeat("x", PredicateParser.TermsMax + 1))).Error!.Reason);
        Assert.Null(PredicateParser.Parse(string.Join(' ', Enumerable.Repeat("x", PredicateParser.TermsMax))).Error);

        static string Nested(int depth) => new StringBuilder().Insert(0, "(", depth).Append('x').Append(')', depth).ToString();
    }
}
