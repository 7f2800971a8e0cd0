using System.Text;
using Logwarden.Redaction;
using Logwarden.Redaction.Rules;

namespace Logwarden.Tests.Redaction;

public class ChecksTests
{
    [Fact]
    public void Check_digits_accept_the_right_number_and_no_neighbour()
    {
        Neighbours("4012888888881881", d => Checks.Luhn(d));
        Neighbours("4010232137", d => Checks.Nhs(d));
        Neighbours("51824753556", d => Checks.Abn(d));
        Neighbours("399876543211", d => Checks.Aadhaar(d));
        Neighbours("10000000146", d => Checks.Turkish(d));
        Assert.True(Checks.Iban("GB82WEST12345698765432"u8));
        Assert.False(Checks.Iban("GB82WEST12345698765433"u8));
        Assert.True(Checks.Spanish("12345678Z"u8));
        Assert.True(Checks.Spanish("X9613851N"u8));
        Assert.True(Checks.Nric("S2740116C"u8));
        Assert.True(Checks.Italian("RSSMRA85T10A562S"u8));
        Assert.False(Checks.Italian("RSSMRA85T10A562T"u8));
    }

    delegate bool Check(ReadOnlySpan<byte> digits);

    static void Neighbours(string number, Check check)
    {
        var digits = Encoding.ASCII.GetBytes(number);
        Assert.True(check(digits), number);
        var last = digits[^1];
        for (var d = (byte)'0'; d <= '9'; d++)
        {
            digits[^1] = d;
            if (d != last) Assert.False(check(digits), Encoding.ASCII.GetString(digits));
        }
    }

    [Fact]
    public void Every_token_rule_finds_its_own_token_and_no_mask()
    {
        foreach (var rule in RedactionRules.Tokens)
        {
            var token = Sample(rule);
            Assert.True(rule.Match(Encoding.ASCII.GetBytes(token)) == token.Length, rule.Id + " " + token);
            Assert.DoesNotContain(token, Redacting.Text("see " + token + " there"), StringComparison.Ordinal);
            // A rule that asks for no different characters takes a mask for a token, on purpose.
            var mask = rule.Prefix + new string('x', rule.Min);
            Assert.Equal(rule.Distinct == 0 ? mask.Length : 0, rule.Match(Encoding.ASCII.GetBytes(mask)));
            Assert.Equal(0, rule.Match(Encoding.ASCII.GetBytes(token[..(rule.Prefix.Length + rule.Min - 1)])));
        }
    }

    static string Sample(TokenRule rule)
    {
        const string Alphabet = "a8f3k9Q2b7Zc4dX6e1gM5hP0jRnTuW";
        var letters = Alphabet.Where(c => Chars.Is((byte)c, rule.Set)).ToArray();
        return rule.Prefix + rule.Inside + string.Concat(Enumerable.Range(0, rule.Min - (rule.Inside?.Length ?? 0)).Select(i => letters[i * 7 % letters.Length]));
    }

    [Theory]
    [InlineData("db_password", KeyKind.Password)]
    [InlineData("clientSecret", KeyKind.Secret)]
    [InlineData("X-Api-Key", KeyKind.Secret | KeyKind.Key)]
    [InlineData("tokenType", KeyKind.Secret | KeyKind.About)]
    [InlineData("accessKeyId", KeyKind.AccessKeyId)]
    [InlineData("userName", KeyKind.None)]
    [InlineData("requestID", KeyKind.None)]
    public void Names_are_read_in_any_spelling(string name, object kind) => Assert.Equal((KeyKind)kind, KeyNames.Read(Encoding.ASCII.GetBytes(name)));
}
