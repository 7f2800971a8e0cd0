using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>Credentials that are pairs or lists: an account beside its password, netrc entries, private members of a JWK.</summary>
ref partial struct Scanner
{
    const int PairMax = 160;

    static ReadOnlySpan<byte> Blanks => " \t\r\n"u8;

    /// <summary>
    /// In a block of settings the line before a password names its account; both together are the credential. On one line
    /// (an event that says who did something) the account stays.
    /// </summary>
    void OnAccountLine(int nameStart)
    {
        var floor = Math.Max(_resume, nameStart - PairMax);
        if (nameStart <= floor) return;
        var block = _text[floor..nameStart];
        var lineEnd = block.LastIndexOf((byte)'\n');
        if (lineEnd < 0) return;
        var line = block[..lineEnd];
        var from = floor + line.LastIndexOf((byte)'\n') + 1;
        line = _text[from..(floor + lineEnd)];
        var at = 0;
        while (at < line.Length && (Chars.Is(line[at], Ch.Space | Ch.Quote) || line[at] is (byte)'-' or (byte)'$')) at++;
        var end = Chars.RunEnd(line, at, Ch.Token | Ch.Dot);
        if (end == at || !IsAccount(line[at..end])) return;
        var value = end;
        while (value < line.Length && (Chars.Is(line[value], Ch.Space | Ch.Quote) || line[value] is (byte)'=' or (byte)':' or (byte)'>')) value++;
        if (value == end || value >= line.Length) return;
        var quote = Chars.Is(line[value - 1], Ch.Quote) ? line[value - 1] : (byte)' ';
        var stop = line[value..].IndexOf(quote);
        stop = stop < 0 ? line.Length : value + stop;
        while (stop > value && line[stop - 1] is (byte)',' or (byte)';' or (byte)'\r') stop--;
        if (stop > value && !Placeholders.IsReference(line[value..stop])) Hit(RedactionRules.ConnectionString, from + value, from + stop);
    }

    /// <summary>machine HOST login NAME password VALUE, on one line or on several: the whole entry.</summary>
    bool OnNetrc(int start, int end)
    {
        var limit = Math.Min(_text.Length, end + ArgumentsMax);
        var p = NextArgument(end, limit, out _);
        if (p < 0 || !_text[Gap(p, limit)..].StartsWith("login"u8)) return false;
        p = NextArgument(Gap(p, limit) + 5, limit, out _);
        if (p < 0 || !_text[Gap(p, limit)..].StartsWith("password"u8)) return false;
        p = NextArgument(Gap(p, limit) + 8, limit, out var value);
        return p > 0 && !Placeholders.IsReference(_text[value..p]) && Hit(RedactionRules.Password, start, p);
    }

    /// <summary>credentials { username 'x' password 'y' } of a Gradle script: what stands between the braces.</summary>
    bool OnCredentialsBlock(int end)
    {
        var limit = Math.Min(_text.Length, end + ArgumentsMax);
        var open = Gap(end, limit);
        if (open >= limit || _text[open] != '{') return false;
        var length = _text[open..limit].IndexOf((byte)'}');
        if (length < 0) return false;
        var block = _text.Slice(open + 1, length - 1);
        var first = block.IndexOf("username"u8);
        var password = first < 0 ? -1 : block[first..].IndexOf("password"u8);
        if (password < 0) return false;
        var rest = block[(first + password + 8)..];
        rest = rest[Math.Min(rest.Length, Chars.RunEnd(rest, 0, Ch.Space | Ch.Equal))..].TrimEnd(Blanks);
        if (rest.Length < 3 || !Chars.Is(rest[0], Ch.Quote) || Placeholders.IsReference(rest[1..])) return false;
        return Hit(RedactionRules.Password, open + 1 + first, open + 1 + block.TrimEnd(Blanks).Length);
    }

    /// <summary>ConvertTo-SecureString [-String] [-Force] [-AsPlainText] 'plain text'.</summary>
    bool OnSecureString(int end)
    {
        if (!Chars.StartsWithNoCase(_text[end..], "-securestring"u8)) return false;
        var p = end + 13;
        var limit = Math.Min(_text.Length, p + ArgumentsMax);
        while (true)
        {
            var before = p;
            while (p < limit && (Chars.Is(_text[p], Ch.Quote) || _text[p] is (byte)' ' or (byte)'\\')) p++;
            if (p == before || p >= limit) return false;
            if (_text[p] != '-') break;
            p = Chars.RunEnd(_text, p, Ch.Token);
        }
        var quote = _text[p - 1];
        var rest = _text[p..limit];
        var length = Chars.Is(quote, Ch.Quote) ? rest.IndexOf(quote) : rest.IndexOfAny(Blanks);
        var value = length < 0 ? rest : rest[..length];
        if (value.Length > 0 && value[^1] == '\\') value = value[..^1];
        return value.Length >= 4 && value[0] != '(' && !Placeholders.IsReference(value) && Hit(RedactionRules.Password, p, p + value.Length);
    }

    /// <summary>Connect-VIServer HOST -User NAME -Password VALUE.</summary>
    bool OnServerLogin(int end)
    {
        if (!Chars.StartsWithNoCase(_text[end..], "-viserver"u8)) return false;
        var limit = Math.Min(_text.Length, end + ArgumentsMax);
        var line = _text[end..limit].IndexOf((byte)'\n');
        if (line >= 0) limit = end + line;
        var hit = false;
        for (var p = end; p < limit;)
        {
            var next = NextArgument(p, limit, out var word);
            if (next < 0)
            {
                p = Math.Max(p + 1, word);
                continue;
            }
            p = next;
            if (!Chars.StartsWithNoCase(_text[word..next], "-user"u8) && !Chars.StartsWithNoCase(_text[word..next], "-password"u8)) continue;
            var stop = NextArgument(next, limit, out var value);
            if (stop < 0 || Placeholders.StartsWithMarker(_text[value..])) continue;
            hit |= Hit(RedactionRules.Password, value, stop);
            p = stop;
        }
        return hit;
    }

    /// <summary>{SSHA}…: the hashes of LDAP directories and htpasswd files.</summary>
    bool OnDirectoryHash(int start, int end)
    {
        if (start == 0 || _text[start - 1] != '{') return false;
        var stop = Chars.RunEnd(_text, end + 1, Ch.Base64);
        return stop - end - 1 >= 20 && Hit(RedactionRules.PasswordHash, end + 1, stop);
    }

    /// <summary>LM and NT hash of a dump of Windows accounts: two times 32 hexadecimal digits with a colon between.</summary>
    bool OnNtHash(int start, int end)
    {
        const int Length = 32;
        if (end - start != Length || end >= _text.Length || _text[end] != ':' || Chars.RunEnd(_text, start, Ch.HexAny) != end) return false;
        var stop = Chars.RunEnd(_text, end + 1, Ch.HexAny);
        return stop - end - 1 == Length && Hit(RedactionRules.PasswordHash, start, stop);
    }

    /// <summary>
    /// A word and mere space before a value: "vendor SECRET value", "define token value". Only a value that looks random goes.
    /// </summary>
    void OnSpaced(int nameStart, in Place place)
    {
        var name = _text[nameStart..];
        var end = Chars.RunEnd(_text, nameStart, Ch.Token | Ch.Dot);
        name = _text[nameStart..end];
        var kind = ReadName(name);
        if ((kind & (KeyKind.About | KeyKind.Id)) != KeyKind.None) return;
        if ((kind & KeyKind.Vendor) == KeyKind.None && nameStart > 1 && _text[nameStart - 1] == ' ')
        {
            var before = Chars.RunStart(_text, nameStart - 1, Math.Max(0, nameStart - 40), Ch.Name);
            kind |= ReadName(_text[before..(nameStart - 1)]) & KeyKind.Vendor;
        }
        // "api key is x"
        var to = _text[place.Start..].StartsWith("is "u8) ? place.Start + 3 : _text[place.Start..].StartsWith("is: "u8) ? place.Start + 4 : place.Start;
        var from = to;
        var stop = Math.Min(_text.Length, to + 512);
        while (to < stop && _text[to] > ' ' && !Chars.Is(_text[to], Ch.Quote) && _text[to] is not ((byte)',' or (byte)';' or (byte)')')) to++;
        var value = _text[from..to];
        // aws configure set aws_secret_access_key VALUE
        if (value.Length == 40 && name.EndsWith("secret_access_key"u8) && Look.At(value) is { Entropy: > 4.0 } && Hit(RedactionRules.AwsSecretKey, from, to)) return;
        if (value.Length < 12 || Placeholders.IsReference(value) || Placeholders.IsPartlyMasked(value)) return;
        var look = Look.At(value);
        var vendor = (kind & KeyKind.Vendor) != KeyKind.None && VendorLook(look, more: true) && look.Digits > 2;
        var secret = (kind & KeyKind.Secret) != KeyKind.None && (look.Random(16, 3.0) && look.Digits >= 4 && look.Slashes + look.Dots + look.Others == 0 && look.Dashes <= 1
            || Uuid(value) && Chars.StartsWithNoCase(name[^Math.Min(name.Length, 3)..], "key"u8));
        if (vendor || secret) Hit(vendor ? RedactionRules.VendorKey : RedactionRules.Secret, from, to);
    }

    // …secret, …token, …key, …access
    static bool SpacedName(ReadOnlySpan<byte> name)
    {
        if (name.Length < 3) return false;
        var a = Chars.Lower(name[^1]);
        var b = Chars.Lower(name[^2]);
        return a switch
        {
            (byte)'t' => b == 'e',
            (byte)'n' => b == 'e',
            (byte)'y' => b == 'e',
            (byte)'s' => b == 's' && name.Length > 5 && Chars.Lower(name[^3]) == 'e',
            _ => false,
        };
    }

    /// <summary>1527194624358273|qbBf2-…: the token of a Facebook app.</summary>
    bool OnAppToken(int start, int end)
    {
        if (end - start is < 13 or > 17 || Chars.RunEnd(_text, start, Ch.Digit) != end) return false;
        var stop = Chars.RunEnd(_text, end + 1, Ch.Token);
        return stop - end - 1 is >= 26 and <= 28 && Look.At(_text[(end + 1)..stop]) is { Digits: > 0, Upper: > 1, Lower: > 1 } && Hit(RedactionRules.Secret, start, stop);
    }

    /// <summary>The other half of a credential whose identifier ended at <paramref name="from"/>: a run of exactly this many random characters.</summary>
    void OnOtherHalf(int from, int length)
    {
        var limit = Math.Min(_text.Length, from + 120);
        for (var i = from; i < limit; i++)
        {
            if (!Chars.Is(_text[i], Ch.Token)) continue;
            var end = Chars.RunEnd(_text, i, Ch.Token);
            if (end - i == length && Look.At(_text[i..end]) is { Entropy: > 3.5, Digits: > 1, Upper: > 2, Lower: > 2 })
            {
                Hit(RedactionRules.Secret, i, end);
                return;
            }
            i = end;
        }
    }

    /// <summary>Whether a member of a JSON Web Key holds private material: d, p, q, dp, dq, qi, k, with a "kty" beside it.</summary>
    internal static bool IsPrivateMember(ReadOnlySpan<byte> name, ReadOnlySpan<byte> value, ReadOnlySpan<byte> around)
    {
        const int Shortest = 16;
        if (value.Length < Shortest || Chars.RunEnd(value, 0, Ch.Base64Url) != value.Length) return false;
        var known = name.Length == 1 ? name[0] is (byte)'d' or (byte)'p' or (byte)'q' or (byte)'k'
            : name.SequenceEqual("dp"u8) || name.SequenceEqual("dq"u8) || name.SequenceEqual("qi"u8);
        return known && around.IndexOf("kty"u8) >= 0;
    }

    /// <summary>What lies around a member of an object, bounded on both sides.</summary>
    internal static ReadOnlySpan<byte> Around(ReadOnlySpan<byte> text, int start, int end) =>
        text[Math.Max(0, start - 2048)..Math.Min(text.Length, end + 2048)];
}
