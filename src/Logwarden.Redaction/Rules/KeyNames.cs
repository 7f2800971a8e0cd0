using System.Text;

namespace Logwarden.Redaction.Rules;

/// <summary>What the name of a key says about its value.</summary>
[Flags]
enum KeyKind : byte
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>It is a password: any value goes.</summary>
    Password = 1,

    /// <summary>It is a secret, token or credential: a value that could be one goes.</summary>
    Secret = 2,

    /// <summary>It is some key: a value goes only when it looks random.</summary>
    Key = 4,

    /// <summary>It names a service.</summary>
    Vendor = 8,

    /// <summary>The name itself describes the thing (its id, type, age) and does not hold it.</summary>
    About = 16,

    /// <summary>An access key id on its own: an identifier.</summary>
    AccessKeyId = 32,

    /// <summary>The name ends in "id".</summary>
    Id = 64,
}

/// <summary>Reads the names of keys, in any of the usual spellings (camelCase, SNAKE_CASE, dotted, dashed).</summary>
static class KeyNames
{
    const int LengthMax = 96;

    static readonly (string Word, KeyKind Kind)[] Words = BuildWords();
    static readonly LiteralTable Table = new([.. Words.Select(w => (Encoding.ASCII.GetBytes(w.Word), false))]);

    // The name ends so: it tells about the secret. "…id" is handled apart, since many services call half of a credential an id.
    static readonly byte[][] AboutEndings = Ascii(
        "name", "arn", "type", "count", "length", "size", "policy", "status", "time", "date", "expires", "expiry", "expiration",
        "expiresin", "enabled", "required", "uri", "url", "path", "file", "filename", "version", "versionid", "algorithm", "alg",
        "field", "alias", "region", "used", "lastused", "lastaccess", "state", "fingerprint", "usage", "method", "provider", "issuer",
        "source", "mode", "format", "publickey", "keyid", "secretid", "keypair", "primarykey", "foreignkey", "partitionkey",
        "sortkey", "hashkey", "rangekey", "s3key", "objectkey", "nexttoken", "continuationtoken", "nextpagetoken", "lastpagetoken",
        "signingtoken", "signintoken", "clientrequesttoken", "idempotencytoken", "keyspec", "keystate", "keymanager",
        "authenticated", "selectionexpression", "updatedat", "createdat", "issuedat", "rotation", "limit", "max", "min",
        "reset", "authority", "audience", "scope", "scopes", "authtype", "authtime", "authmode", "description", "label",
        "keyusage", "manager", "lastset", "lastchange", "changed", "userkey", "identifier", "changetoken", "hostkey", "sshpublickey", "endpoint", "class", "group", "index", "help", "hint", "prompt", "page", "title",
        "tokens", "budget", "masterkeyid", "host", "port", "role", "user", "username", "owner", "email", "domain", "uid",
        "error", "message", "event", "action", "result", "reason", "code", "service", "client", "server", "account", "provisioner");

    // The name says that its value is none.
    static readonly byte[][] NotOneStarts = Ascii("dummy", "fake", "bogus", "placeholder", "sampletoken", "samplekey", "mocktoken", "mockkey", "nonmatching", "notreal", "notasecret");

    static readonly byte[][] PasswordEndings = Ascii("pass", "pwd", "pw", "psw", "pswd", "pss");
    static readonly byte[][] NotPassword = Ascii("bypass", "compass", "onepass", "encompass", "surpass", "trespass");
    static readonly byte[][] KeyEndings = Ascii("key", "keys", "pat", "psk", "hmac", "sas", "sig", "webhook", "dsn", "otp", "seed", "nonce", "pin", "login", "access");

    /// <summary>Reads the <paramref name="name"/> of a key.</summary>
    public static KeyKind Read(ReadOnlySpan<byte> name)
    {
        if (name.Length is < 2 or > LengthMax) return KeyKind.None;
        Span<byte> compact = stackalloc byte[LengthMax];
        var n = 0;
        foreach (var c in name)
            if (Chars.Is(c, Ch.Alnum)) compact[n++] = Chars.Lower(c);
        compact = compact[..n];
        if (n < 2) return KeyKind.None;
        if (EndsWith(compact, "accesskeyid"u8) || compact.SequenceEqual("accesskey"u8)
            || EndsWith(compact, "credentialuid"u8) || EndsWith(compact, "traceids"u8))
        {
            return KeyKind.AccessKeyId;
        }
        if (EndsWith(compact, "encryptedusername"u8)) return KeyKind.Secret;
        // A React build bakes these into its pages: accounts as well as keys.
        if (compact.StartsWith("reactapp"u8) && (EndsWith(compact, "user"u8) || EndsWith(compact, "username"u8))) return KeyKind.Password;
        // .npmrc and Docker write account and password as base64 under this name.
        if (compact.SequenceEqual("auth"u8)) return KeyKind.Key;
        var kind = Contained(compact) | Ending(compact);
        if (kind == KeyKind.Id || compact.SequenceEqual("clienttoken"u8) || compact.SequenceEqual("pagetoken"u8)) return KeyKind.None;
        if (kind != KeyKind.None && EndsWithAny(compact, AboutEndings)) kind |= KeyKind.About;
        // A password stays one whatever is said about it.
        if ((kind & KeyKind.Password) == KeyKind.None && StartsWithAny(compact, NotOneStarts)) kind |= KeyKind.About;
        return kind;
    }

    static KeyKind Contained(ReadOnlySpan<byte> compact)
    {
        var kind = KeyKind.None;
        for (var i = 0; i + 3 <= compact.Length; i++)
        {
            for (var c = Table.Candidate(LiteralTable.Three(compact, i)); c != 0; c = Table.Next(c))
            {
                // A short name of a service hides in other words, so it counts only in front.
                if (Words[c - 1] is { Kind: KeyKind.Vendor, Word.Length: <= 4 } && i > 0) continue;
                if (Table.Matches(c, compact[i..])) kind |= Words[c - 1].Kind;
            }
        }
        return kind;
    }

    static KeyKind Ending(ReadOnlySpan<byte> compact)
    {
        var kind = KeyKind.None;
        // salt2, key1
        while (compact.Length > 3 && Chars.Is(compact[^1], Ch.Digit)) compact = compact[..^1];
        if (EndsWith(compact, "salt"u8)) kind |= KeyKind.Secret;
        if (compact.SequenceEqual("passe"u8)) kind |= KeyKind.Password; // mot de passe
        if (EndsWithAny(compact, PasswordEndings) && !EndsWithAny(compact, NotPassword)) kind |= KeyKind.Password;
        if (EndsWithAny(compact, KeyEndings)) kind |= KeyKind.Key;
        return EndsWith(compact, "id"u8) ? kind | KeyKind.Id : kind;
    }

    static bool StartsWithAny(ReadOnlySpan<byte> compact, byte[][] starts)
    {
        foreach (var start in starts)
            if (compact.StartsWith(start)) return true;
        return false;
    }

    static bool EndsWithAny(ReadOnlySpan<byte> compact, byte[][] endings)
    {
        foreach (var ending in endings)
            if (EndsWith(compact, ending)) return true;
        return false;
    }

    static bool EndsWith(ReadOnlySpan<byte> compact, ReadOnlySpan<byte> ending) => compact.EndsWith(ending);

    static byte[][] Ascii(params string[] words) => [.. words.Select(Encoding.ASCII.GetBytes)];

    static (string Word, KeyKind Kind)[] BuildWords()
    {
        List<(string, KeyKind)> words = [];
        foreach (var w in new[] { "password", "passwd", "passphrase", "passcode", "userpwd", "kennwort", "motdepasse", "contrasena", "contrasea", "senha", "wachtwoord",
            "passwort", "adgangskode", "salasana", "losenord", "parola", "heslo" })
        {
            words.Add((w, KeyKind.Password));
        }
        foreach (var w in new[] { "secret", "token", "apikey", "apitoken", "accesskey", "authkey", "privatekey", "signingkey", "encryptionkey",
            "credential", "bearer", "sessionkey", "accountkey", "sharedaccess", "storagekey", "masterkey", "authorization", "jwt", "apisecret",
            "clientsecret", "refreshtok", "unsealkey", "licensekey", "deploykey", "authtok", "servicekey", "sharedkey", "cookie", "sessionid",
            "accesscode", "securitytoken", "hmackey", "connectionstring", "webhooksecret", "recoverykey", "resetkey", "apiauth", "authapi", "xauth" })
        {
            words.Add((w, KeyKind.Secret));
        }
        foreach (var w in VendorNames.All) words.Add((w, KeyKind.Vendor));
        return [.. words];
    }
}
