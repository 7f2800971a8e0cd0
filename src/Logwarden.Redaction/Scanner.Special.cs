using System.Buffers.Text;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>Secrets with a shape of their own: PEM blocks, JWTs, header credentials, password hashes.</summary>
ref partial struct Scanner
{
    const int PemMax = 1 << 16;

    bool OnSpecial(int candidate, int start, int end)
    {
        for (var c = candidate; c != 0; c = SpecialWords.Table.Next(c))
        {
            if (!SpecialWords.Table.Matches(c, _text[start..])) continue;
            var done = SpecialWords.KindOf(c) switch
            {
                SpecialWords.Begin => OnPem(start),
                SpecialWords.Jwt => OnJwt(start),
                SpecialWords.Jwt64 => OnJwt64(start),
                SpecialWords.Bearer => OnBearer(end),
                SpecialWords.Basic => OnBasic(end),
                SpecialWords.Putty => OnPutty(start),
                SpecialWords.Salesforce => OnSalesforce(start),
                SpecialWords.Terraform => OnTerraform(start, end),
                SpecialWords.Identified => OnIdentified(end),
                SpecialWords.Netrc => OnNetrc(start, end),
                SpecialWords.SecureString => OnSecureString(end),
                SpecialWords.ServerLogin => OnServerLogin(end),
                SpecialWords.DirectoryHash => OnDirectoryHash(start, end),
                SpecialWords.Command => OnCommand(end, SpecialWords.OptionsOf(c)),
                SpecialWords.NetUser => OnNetUser(end),
                SpecialWords.NetUse => OnNetUse(end),
                SpecialWords.SlashedAccount => OnSlashedAccount(end),
                SpecialWords.ChangePassword => OnChangePassword(start),
                SpecialWords.LastArgument => OnLastArgument(end),
                SpecialWords.Arguments => OnArguments(end),
                SpecialWords.PayPal => OnPayPal(end),
                SpecialWords.Block => OnCredentialsBlock(end),
                SpecialWords.DirectoryEntry => OnDirectoryEntry(end),
                _ => false,
            };
            if (done) return true;
        }
        return false;
    }

    // access_token$production$ 16 $ 32
    bool OnPayPal(int end)
    {
        var environment = Chars.RunEnd(_text, end + 1, Ch.Low);
        if (environment >= _text.Length || _text[environment] != '$') return false;
        var account = Chars.RunEnd(_text, environment + 1, Ch.Base36);
        if (account - environment != 17 || account >= _text.Length || _text[account] != '$') return false;
        var to = Chars.RunEnd(_text, account + 1, Ch.Hex);
        return to - account == 33 && Hit(RedactionRules.Secret, environment + 1, to);
    }

    bool OnPem(int start)
    {
        if (start < 4 || !_text[..start].EndsWith("----"u8)) return false;
        var rest = _text[start..];
        if (rest.Length > PemMax) rest = rest[..PemMax];
        var header = rest[..Math.Min(rest.Length, 60)].IndexOf("PRIVATE KEY"u8);
        if (header is < 0 or > 40) return false;
        var from = start;
        while (from > 0 && _text[from - 1] == '-') from--;
        var body = rest[(header + 11)..];
        var close = body.IndexOf("-END"u8);
        int end;
        if (close >= 0 && body[..close].IndexOf("BEGIN"u8) < 0)
        {
            if (Base64Count(body[..close]) < 20) return false;
            end = start + header + 11 + close + 4;
            var line = _text[end..];
            var dashes = line.IndexOf("--"u8);
            if (dashes is >= 0 and < 50)
            {
                end += dashes;
                while (end < _text.Length && _text[end] == '-') end++;
            }
        }
        else
        {
            // Cut off: everything that may still belong to it.
            end = start + header + 11;
            while (end < _text.Length && (Chars.Is(_text[end], Ch.Wide | Ch.Space | Ch.Quote) || _text[end] is (byte)'\\' or (byte)',' or (byte)':')) end++;
            if (Base64Count(_text[(start + header + 11)..end]) < 20) return false;
        }
        return Hit(RedactionRules.PrivateKey, from, end);
    }

    static int Base64Count(ReadOnlySpan<byte> text)
    {
        var count = 0;
        foreach (var c in text)
            if (Chars.Is(c, Ch.Alnum | Ch.Plus | Ch.Slash) && ++count >= 20) return count;
        return count;
    }

    bool OnPutty(int start)
    {
        var lines = _text[start..].IndexOf("Private-Lines:"u8);
        if (lines < 0) return false;
        var mac = _text[(start + lines)..].IndexOf("Private-MAC"u8);
        return Hit(RedactionRules.PrivateKey, start + lines, mac < 0 ? _text.Length : start + lines + mac);
    }

    bool OnJwt(int start)
    {
        if (start < _jwtEnd) return false;
        var end = start;
        var dots = 0;
        int firstDot = -1, secondStart = -1;
        for (; end < _text.Length; end++)
        {
            var c = _text[end];
            if (c == '.')
            {
                if (++dots > 4) break;
                if (firstDot < 0) firstDot = end;
                else if (secondStart < 0) secondStart = end;
            }
            else if (!Chars.Is(c, Ch.Base64Url | Ch.Slash | Ch.Plus))
            {
                break;
            }
        }
        if (dots == 0) _jwtEnd = end;
        while (end > start && _text[end - 1] == '.') end--;
        if (firstDot < 0 || firstDot - start < 12 || end - firstDot < 12) return false;
        var second = _text[(firstDot + 1)..end];
        if (!second.StartsWith("ey"u8) && dots < 2) return false;
        return !Placeholders.IsMask(second) && Hit(RedactionRules.Jwt, start, end);
    }

    bool OnJwt64(int start)
    {
        var end = Chars.RunEnd(_text, start, Ch.Base64 | Ch.Dash | Ch.Under);
        return end - start >= 60 && Hit(RedactionRules.Jwt, start, end);
    }

    bool OnBearer(int end)
    {
        var p = end;
        while (p < _text.Length && p < end + 4 && _text[p] is (byte)' ' or (byte)':' or (byte)'+') p++;
        if (p == end || p >= _text.Length) return false;
        var stop = p;
        while (stop < _text.Length && stop < p + ValueMax && (Chars.Is(_text[stop], Ch.Wide | Ch.Tilde) || _text[stop] == ':')) stop++;
        while (stop > p && _text[stop - 1] is (byte)'.' or (byte)':') stop--;
        var value = _text[p..stop];
        if (value.Length < 8 || Placeholders.IsReference(value)) return false;
        var look = Look.At(value);
        var word = look.Digits == 0 && (look.Upper == 0 || look.Lower == 0 || look.Upper == 1) && look.Length < 24;
        return !word && look.Entropy >= 2.5 && Hit(RedactionRules.Authorization, p, stop);
    }

    bool OnBasic(int end)
    {
        if (end >= _text.Length || _text[end] is not ((byte)' ' or (byte)'+')) return false;
        var p = end;
        while (p < _text.Length && p < end + 4 && _text[p] is (byte)' ' or (byte)'+') p++;
        var stop = Chars.RunEnd(_text, p, Ch.Base64 | Ch.Dash | Ch.Under);
        if (stop - p is < 6 or > 1024) return false;
        Span<byte> plain = stackalloc byte[768];
        var value = _text[p..stop];
        if (Base64.DecodeFromUtf8(value[..(value.Length / 4 * 4)], plain, out _, out var written) is not System.Buffers.OperationStatus.Done) return false;
        return plain[..written].IndexOf((byte)':') >= 0 && Encodings.Printable(plain[..written]) && Hit(RedactionRules.Authorization, p, stop);
    }

    bool OnSalesforce(int start)
    {
        var bang = Chars.RunEnd(_text, start, Ch.Alnum);
        if (bang - start is not (15 or 18) || bang >= _text.Length || _text[bang] != '!') return false;
        var end = Chars.RunEnd(_text, bang + 1, Ch.Dotted);
        return end - bang >= 60 && Hit(RedactionRules.SalesforceToken, start, end);
    }

    // IDENTIFIED BY 'x', IDENTIFIED WITH plugin BY 'x' (MySQL, Oracle, ClickHouse).
    bool OnIdentified(int end)
    {
        var rest = _text[end..Math.Min(_text.Length, end + 80)];
        var by = rest.IndexOfAny((byte)'B', (byte)'b');
        while (by >= 0 && !(Chars.StartsWithNoCase(rest[by..], "by "u8) && by > 0 && rest[by - 1] <= ' '))
        {
            var next = rest[(by + 1)..].IndexOfAny((byte)'B', (byte)'b');
            by = next < 0 ? -1 : by + 1 + next;
        }
        if (by < 0 && rest.IndexOf(" AS '*"u8) is > 0 and var hash)
        {
            var from = end + hash + 5;
            var stop = Chars.RunEnd(_text, from + 1, Ch.HexAny);
            return stop - from > 16 && Hit(RedactionRules.SqlPassword, from, stop);
        }
        if (by < 0) return false;
        var at = end + by + 3;
        while (at < _text.Length && _text[at] == ' ') at++;
        if (at < _text.Length && Chars.Is(_text[at], Ch.Quote) && _text[(at + 1)..].IndexOf(_text[at]) is > 0 and var close)
            return !Placeholders.IsReference(_text.Slice(at + 1, close)) && Hit(RedactionRules.SqlPassword, at + 1, at + 1 + close);
        var bare = Chars.RunEnd(_text, at, Ch.Token);
        return bare > at && !Chars.StartsWithNoCase(_text[at..], "values"u8) && Hit(RedactionRules.SqlPassword, at, bare);
    }

    /// <summary>Hashes that start with a dollar sign: crypt, PHC strings, Kerberos tickets.</summary>
    bool OnHash(int start)
    {
        var text = _text[start..];
        var known = text.StartsWith("6$"u8) || text.StartsWith("5$"u8) || text.StartsWith("1$"u8) || text.StartsWith("2a$"u8)
            || text.StartsWith("2b$"u8) || text.StartsWith("2y$"u8) || text.StartsWith("y$"u8) || text.StartsWith("apr1$"u8)
            || text.StartsWith("argon2"u8) || text.StartsWith("krb5"u8) || text.StartsWith("pbkdf2"u8) || text.StartsWith("scrypt$"u8)
            || text.StartsWith("P$"u8) || text.StartsWith("H$"u8) || text.StartsWith("bcrypt"u8) || text.StartsWith("NT$"u8);
        if (!known) return false;
        if (start < _hashEnd) return false;
        var end = start;
        while (end < _text.Length && (Chars.Is(_text[end], Ch.Wide) || _text[end] is (byte)'$' or (byte)'*' or (byte)'@' or (byte)',' or (byte)':')) end++;
        _hashEnd = end;
        while (end > start && _text[end - 1] is (byte)':' or (byte)',' or (byte)'.') end--;
        return end - start >= 20 && Look.At(_text[start..end]).Entropy > 3 && Hit(RedactionRules.PasswordHash, start - 1, end);
    }

    bool OnTelegram(int start, int end)
    {
        var stop = Chars.RunEnd(_text, end + 1, Ch.Token);
        return Chars.RunEnd(_text, start, Ch.Digit) == end && stop - end - 1 is >= 35 and <= 36 && _text[end + 1] == 'A'
            && Hit(RedactionRules.TelegramToken, start, stop);
    }
}
