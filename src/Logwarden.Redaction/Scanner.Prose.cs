namespace Logwarden.Redaction;

/// <summary>Passwords in sentences: a word, mere space or a verb, and the password.</summary>
ref partial struct Scanner
{
    // "password x" with nothing but a space: only names that are the word itself.
    static bool ProseName(ReadOnlySpan<byte> name)
    {
        if (name.Length is < 3 or > 40) return false;
        var a = Chars.Lower(name[^1]);
        var b = Chars.Lower(name[^2]);
        return (a == 'd' && b is (byte)'r' or (byte)'w') || (a == 't' && b == 'r') || (a == 's' && b == 's') || (a == 'e' && b is (byte)'d' or (byte)'s');
    }

    // Prose, netrc files and options of command lines put no sign between the word and the password.
    bool ProseValue(int nameStart, in Place place, int end)
    {
        if (nameStart > 0 && _text[nameStart] == '-' && _text[nameStart - 1] <= ' ' || nameStart == 0 && _text[0] == '-')
            return _text[place.Start] != '-';
        var value = _text[place.Start..end];
        if (place.Quote != 0) return value.IndexOf((byte)' ') < 0 && value.Length >= 4 && _text[place.Start..].Length > 0;
        if (OnProse(place.Start)) return false;
        // DB_PASSWORD hunter2: a setting without a sign, as in a Dockerfile.
        if (Chars.RunEnd(_text, nameStart, Ch.Up | Ch.Under | Ch.Digit) >= place.Start - 1 && _text[nameStart..place.Start].IndexOf((byte)'_') > 0)
            return PlainPassword(value);
        // netrc: "login NAME password VALUE"
        var before = _text[Math.Max(0, nameStart - 80)..nameStart];
        return before.IndexOf("login "u8) >= 0 && Chars.Is(value[0], Ch.Alnum) && value.Length >= 4;
    }

    // "the password is 'x'", 'password for the user "a" is "b"', "password reset to x1y2z3": the word after "is" or its like.
    bool OnProse(int from)
    {
        const int WordsMax = 8;
        var limit = Math.Min(_text.Length, from + 80);
        if (_text[from..limit].IndexOf((byte)'\n') is >= 0 and var line) limit = from + line;
        var p = from;
        for (var words = 0; words < WordsMax && p < limit; words++)
        {
            var space = _text[p..limit].IndexOf((byte)' ');
            if (space <= 0) return false;
            var word = _text.Slice(p, space);
            p = Gap(p + space, limit);
            if (!IsCopula(word))
            {
                // A sentence, or another assignment, ends what was said of the password.
                if (word[^1] is (byte)'.' or (byte)',' or (byte)';' or (byte)':' || word.IndexOf((byte)'=') >= 0) return false;
                continue;
            }
            return p < limit && OnProseValue(from, p, ProseEnd(p));
        }
        return false;
    }

    // The value has its own end, wherever the sentence began.
    readonly int ProseEnd(int from)
    {
        var limit = Math.Min(_text.Length, from + ValueMax);
        return _text[from..limit].IndexOf((byte)'\n') is >= 0 and var line ? from + line : limit;
    }

    static bool IsCopula(ReadOnlySpan<byte> word)
    {
        if (word[^1] == ':') word = word[..^1];
        return word.SequenceEqual("is"u8) || word.SequenceEqual("was"u8) || word.SequenceEqual("to"u8) || word.SequenceEqual("lautet"u8) || word.SequenceEqual("ist"u8);
    }

    bool OnProseValue(int from, int at, int limit)
    {
        if (!Chars.Is(_text[at], Ch.Quote))
        {
            var end = at + (_text[at..limit].IndexOf((byte)' ') is >= 0 and var space ? space : limit - at);
            while (end > at && _text[end - 1] is (byte)'.' or (byte)',' or (byte)';' or (byte)'!' or (byte)')' or (byte)'"' or (byte)'\'' or (byte)'\r') end--;
            return end > at && PlainPassword(_text[at..end]) && Hit(RedactionRules.Password, at, end);
        }
        var close = _text[(at + 1)..limit].IndexOf(_text[at]);
        if (close < 3 || _text.Slice(at + 1, close).IndexOf((byte)' ') >= 0 || Placeholders.IsReference(_text.Slice(at + 1, close))) return false;
        // 'password for the user "a" is "b"'
        var quoted = _text[from..at].IndexOf(_text[at]);
        var account = quoted < 0 ? -1 : _text[(from + quoted + 1)..at].IndexOf(_text[at]);
        if (account > 0 && !Placeholders.IsReference(_text.Slice(from + quoted + 1, account))) Hit(RedactionRules.Password, from + quoted + 1, from + quoted + 1 + account);
        return Hit(RedactionRules.Password, at + 1, at + 1 + close);
    }

    // No word of a sentence: letters and digits or signs mixed, and no time, name of an algorithm, path or version.
    static bool PlainPassword(ReadOnlySpan<byte> value)
    {
        if (value.Length < 6 || Placeholders.IsReference(value) || Placeholders.IsPartlyMasked(value)) return false;
        var look = Look.At(value);
        if (look.Digits == 0 || look.Letters < 2 || look.Slashes > 0 || look.Dots > 1 || Uuid(value) || value.IndexOf((byte)':') >= 0) return false;
        return !Chars.StartsWithNoCase(value, "sha"u8) && !Chars.StartsWithNoCase(value, "md5"u8) && !Chars.StartsWithNoCase(value, "scram"u8) && !Chars.StartsWithNoCase(value, "utf"u8)
            && !Chars.StartsWithNoCase(value, "base"u8) && !Chars.StartsWithNoCase(value, "pbkdf2"u8) && !Chars.StartsWithNoCase(value, "argon2"u8) && !Chars.Is(value[0], Ch.Digit);
    }
}
