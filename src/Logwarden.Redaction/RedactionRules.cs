using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>What a rule looks for.</summary>
public enum RuleFamily
{
    /// <summary>Something that opens a door: keys, tokens, passwords.</summary>
    Secret,

    /// <summary>Personal data.</summary>
    Personal,

    /// <summary>Bodies of requests and responses, dropped whole.</summary>
    Payload,

    /// <summary>Literals of SQL statements.</summary>
    Sql,
}

/// <summary>One redaction rule.</summary>
/// <param name="Id">Stable id; it stands in <c>[REDACTED:id]</c>, in the policy and in the counts.</param>
/// <param name="What">What it finds, in a few words.</param>
/// <param name="Family">What kind of thing that is.</param>
public sealed record RedactionRule(string Id, string What, RuleFamily Family);

/// <summary>The catalogue of rules. Ids are stable; the order is not.</summary>
public static class RedactionRules
{
    // The rules that are code, not rows of a token table. Their indices are constants so that matchers can name them.
    internal const int Payload = 0;
    internal const int SqlLiteral = 1;
    internal const int Password = 2;
    internal const int Secret = 3;
    internal const int VendorKey = 4;
    internal const int SensitiveField = 5;
    internal const int Jwt = 6;
    internal const int PrivateKey = 7;
    internal const int Authorization = 8;
    internal const int UrlUserinfo = 9;
    internal const int UrlSecret = 10;
    internal const int ConnectionString = 11;
    internal const int PasswordHash = 12;
    internal const int AzureKey = 13;
    internal const int Email = 14;
    internal const int Card = 15;
    internal const int Iban = 16;
    internal const int Ssn = 17;
    internal const int Phone = 18;
    internal const int NationalId = 19;
    internal const int TelegramToken = 20;
    internal const int DiscordToken = 21;
    internal const int SalesforceToken = 22;
    internal const int AwsSecretKey = 23;
    internal const int WebhookUrl = 24;
    internal const int Mailchimp = 25;
    internal const int Cookie = 26;
    internal const int SqlPassword = 27;

    static readonly RedactionRule[] Coded =
    [
        new("payload", "whole bodies of requests and responses, by field name", RuleFamily.Payload),
        new("sql-literal", "literals of SQL statements", RuleFamily.Sql),
        new("password", "the value of a key that says password", RuleFamily.Secret),
        new("secret", "a secret-looking value of a key that says secret, token or key", RuleFamily.Secret),
        new("vendor-key", "a secret-looking value of a key that names a service", RuleFamily.Secret),
        new("sensitive-field", "a JSON field that the policy calls sensitive", RuleFamily.Secret),
        new("jwt", "JSON Web Tokens", RuleFamily.Secret),
        new("private-key", "PEM, PGP and PuTTY private keys", RuleFamily.Secret),
        new("authorization", "bearer and basic credentials of an HTTP header", RuleFamily.Secret),
        new("url-userinfo", "the password (or token) of a URL", RuleFamily.Secret),
        new("url-secret", "a secret parameter or path of a URL", RuleFamily.Secret),
        new("connection-string", "the key or password of a connection string", RuleFamily.Secret),
        new("password-hash", "crypt, Kerberos and similar password hashes", RuleFamily.Secret),
        new("azure-key", "Azure keys by the signature inside them", RuleFamily.Secret),
        new("email", "e-mail addresses", RuleFamily.Personal),
        new("payment-card", "payment cards (Luhn)", RuleFamily.Personal),
        new("iban", "bank accounts (mod 97)", RuleFamily.Personal),
        new("us-ssn", "US social security and taxpayer numbers", RuleFamily.Personal),
        new("phone", "phone numbers", RuleFamily.Personal),
        new("national-id", "national ids with a check digit", RuleFamily.Personal),
        new("telegram-token", "Telegram bot tokens", RuleFamily.Secret),
        new("discord-token", "Discord bot tokens", RuleFamily.Secret),
        new("salesforce-token", "Salesforce session ids", RuleFamily.Secret),
        new("aws-secret-key", "AWS secret access keys beside an access key id", RuleFamily.Secret),
        new("webhook-url", "URLs whose path is the credential (Slack, Teams, Discord)", RuleFamily.Secret),
        new("mailchimp-key", "Mailchimp keys", RuleFamily.Secret),
        new("cookie", "cookie values of an HTTP header", RuleFamily.Secret),
        new("sql-password", "passwords in SQL text", RuleFamily.Secret),
    ];

    internal static readonly TokenRule[] Tokens = [.. CloudTokens.All, .. CodeTokens.All, .. ServiceTokens.All, .. ModelTokens.All];

    static readonly RedactionRule[] Catalogue = Build();

    /// <summary>Index in <see cref="All"/> of the rule of each token of <see cref="Tokens"/>.</summary>
    internal static readonly ushort[] TokenRules = [.. Tokens.Select(t => (ushort)IndexOf(t.Id))];

    internal static readonly LiteralTable TokenTable =
        new([.. Tokens.Select(t => (System.Text.Encoding.UTF8.GetBytes(t.Fold ? LowerCase(t.Prefix) : t.Prefix), t.Fold))]);

    /// <summary>Every rule.</summary>
    public static IReadOnlyList<RedactionRule> All => Catalogue;

    /// <summary>Index of the rule with <paramref name="id"/>, -1 when there is none.</summary>
    public static int IndexOf(string id) => Array.FindIndex(Catalogue, r => string.Equals(r.Id, id, StringComparison.Ordinal));

    static RedactionRule[] Build()
    {
        var ids = new HashSet<string>(Coded.Select(r => r.Id), StringComparer.Ordinal);
        var tokens = Tokens.Where(t => ids.Add(t.Id))
            .Select(t => new RedactionRule(t.Id, t.Id.Replace('-', ' ') + " by its prefix " + t.Prefix, RuleFamily.Secret));
        return [.. Coded, .. tokens];
    }

    static string LowerCase(string text) => string.Create(text.Length, text, static (span, source) =>
    {
        for (var i = 0; i < span.Length; i++) span[i] = (char)Chars.Lower((byte)source[i]);
    });
}
