using System.Buffers;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>Assignments: a name, something that separates, a value.</summary>
ref partial struct Scanner
{
    const int NameMax = 80;
    const int ValueMax = 4096;

    /// <summary>Where the value of an assignment stands.</summary>
    readonly ref struct Place
    {
        public required int Start { get; init; }

        /// <summary>The quote that opens it, 0 when it is bare.</summary>
        public required byte Quote { get; init; }

        /// <summary>The separator: '=', ':', '&gt;', ',' or ' ' for mere space.</summary>
        public required byte Separator { get; init; }

        /// <summary>The name itself was quoted or bracketed.</summary>
        public required bool Enclosed { get; init; }
    }

    void OnKey(int start, int end)
    {
        if (!TryPlace(end, start > 0 && _text[start - 1] == '<', out var place)) return;
        var nameStart = Chars.RunStart(_text, start, Math.Max(Math.Max(0, end - NameMax), _resume), Ch.Token | Ch.Dot);
        var name = _text[nameStart..end];
        if (place.Separator == ',' && (IsFieldValue(nameStart) || !IsArgument(nameStart, name, place))) return;
        // A part of a path of names (arn:aws:service:…), not a key.
        if (place is { Separator: (byte)':', Enclosed: false } && nameStart > 1 && _text[nameStart - 1] == ':' && place.Start == end + 1) return;
        if (place.Separator == ' ' && SpacedName(name)) OnSpaced(nameStart, place);
        if (place.Separator == ' ' && !ProseName(name)) return;
        if (name.Length <= 2 && place is { Enclosed: true, Quote: not 0 } && OnPrivateMember(nameStart, name, place)) return;
        // "Unseal Key 2: …"
        if (name.Length <= 2 && nameStart > 4 && Chars.Is(name[0], Ch.Digit) && _text[..nameStart].EndsWith("ey "u8)) name = _text[Chars.RunStart(_text, nameStart - 1, 0, Ch.Name)..(nameStart - 1)];
        var kind = ReadName(name);
        if (kind == KeyKind.None && name.Length == 5 && Chars.StartsWithNoCase(name, "value"u8)) kind = ReadName(NameBefore(nameStart));
        if (kind == KeyKind.None && nameStart > 0 && _text[nameStart - 1] is (byte)'?' or (byte)'&' && place.Separator == '=' && OnQuery(name, place)) return;
        if (kind == KeyKind.AccessKeyId && place is { Enclosed: true, Quote: (byte)'"' }) OnIdentifier(name, place);
        if (kind is KeyKind.None or KeyKind.AccessKeyId) return;
        if (place.Separator == ' ' && (kind & (KeyKind.Password | KeyKind.About)) != KeyKind.Password) return;
        if (place.Separator == ':' && (kind & KeyKind.Secret) != KeyKind.None && OnHeader(name, place)) return;
        // <password> in a text about passwords, and not an element with something in it.
        if (place.Separator == '>' && _text[place.Start - 1] == ' ' && _text[place.Start..Math.Min(_text.Length, place.Start + 200)].IndexOf("</"u8) < 0) return;
        var valueEnd = ValueEnd(place, kind);
        if (valueEnd <= place.Start) return;
        if (place.Separator == ' ' && !ProseValue(nameStart, place, valueEnd)) return;
        OnValue(kind, nameStart, place, valueEnd);
    }

    // name: DB_PASSWORD, value: …: the name that a value has where both are members, in JSON that is text here, in YAML and in what programs print of their structures.
    readonly ReadOnlySpan<byte> NameBefore(int nameStart)
    {
        var floor = Math.Max(0, nameStart - PairMax);
        var to = LeftOf(nameStart, floor, comma: true);
        var from = Chars.RunStart(_text, to, floor, Ch.Token | Ch.Dot);
        var sign = LeftOf(from, floor, comma: false);
        if (from == to || sign <= floor || _text[sign - 1] is not ((byte)':' or (byte)'=')) return default;
        var end = LeftOf(sign - 1, floor, comma: false);
        var field = _text[Chars.RunStart(_text, end, floor, Ch.Name)..end];
        foreach (var known in NamesFields)
            if (field.Length == known.Length && Chars.StartsWithNoCase(field, known)) return _text[from..to];
        return default;
    }

    static readonly byte[][] NamesFields = [.. Redactor.NamesFields.Select(field => System.Text.Encoding.ASCII.GetBytes(field.ToLowerInvariant()))];

    readonly int LeftOf(int p, int floor, bool comma)
    {
        while (p > floor && (Chars.Is(_text[p - 1], Ch.Space | Ch.Quote) || _text[p - 1] == '\\' || comma && _text[p - 1] is (byte)',' or (byte)';')) p--;
        return p;
    }

    static readonly SearchValues<byte> QueryEnds = SearchValues.Create("& \t\r\n\"'<>#"u8);

    static readonly byte[][] QuerySecrets = [.. new[] { "code", "ticket", "signature", "x-amz-signature", "x-goog-signature", "samlresponse", "oobcode", "invite" }.Select(System.Text.Encoding.ASCII.GetBytes)];

    // ?code=…&state=…: what a query of a URL hands over once: an OAuth code, a CAS ticket, a signature that lets its holder in.
    bool OnQuery(ReadOnlySpan<byte> name, in Place place)
    {
        foreach (var known in QuerySecrets)
        {
            if (name.Length != known.Length || !Chars.StartsWithNoCase(name, known)) continue;
            var rest = _text[place.Start..];
            var length = rest.IndexOfAny(QueryEnds);
            var value = length < 0 ? rest : rest[..length];
            return !value.IsEmpty && !Placeholders.IsReference(value) && OnceOnly(Look.At(value)) && Hit(RedactionRules.Secret, place.Start, place.Start + value.Length);
        }
        return false;
    }

    // No number of a ticket (INC-2026-00012345) and no name of an error (SQLSTATE_08006): cases mixed as chance does, or digits and letters in one run.
    static bool OnceOnly(in Look look) => look.Random(16, 3.0)
        && (look is { Upper: >= 2, Lower: >= 2, Digits: >= 2 } || look is { Length: >= 20, Digits: >= 4, Dashes: 0 } && look.Letters >= 4);

    // "accessKeyId": "AKIA…" names a principal, in a record that is text as in one that is JSON.
    void OnIdentifier(ReadOnlySpan<byte> name, in Place place)
    {
        const int Length = 20;
        if (place.Separator != ':' || !name.SequenceEqual("accessKeyId"u8) || place.Start + Length >= _text.Length) return;
        if (_text[place.Start + Length] == '"' && Chars.RunEnd(_text, place.Start, Ch.UpAlnum) == place.Start + Length) _resume = place.Start + Length;
    }

    // In "a": "b", "c": the string before the comma is a value already.
    readonly bool IsFieldValue(int start)
    {
        var p = start - 1;
        while (p >= 0 && (Chars.Is(_text[p], Ch.Quote | Ch.Space) || _text[p] == '\\')) p--;
        return p >= 0 && _text[p] is (byte)':' or (byte)'=';
    }

    // ("key", "value"): the string is the name and nothing else, and what follows is not the name of a field or the same word again.
    readonly bool IsArgument(int nameStart, ReadOnlySpan<byte> name, in Place place)
    {
        if (nameStart == 0 || !Chars.Is(_text[nameStart - 1], Ch.Quote)) return false;
        var rest = _text[place.Start..Math.Min(_text.Length, place.Start + 256)];
        var close = rest.IndexOf(place.Quote);
        if (place.Quote == 0 || close < 0) return true;
        if (rest[..close].SequenceEqual(name)) return false;
        var after = close + 1;
        while (after < rest.Length && rest[after] <= ' ') after++;
        return after >= rest.Length || rest[after] != ':';
    }

    bool OnPrivateMember(int nameStart, ReadOnlySpan<byte> name, in Place place)
    {
        var length = _text[place.Start..Math.Min(_text.Length, place.Start + ValueMax)].IndexOfAny(place.Quote, (byte)'\\');
        if (length < 0) return false;
        var end = place.Start + length;
        return IsPrivateMember(name, _text[place.Start..end], Around(_text, nameStart, end)) && Hit(RedactionRules.PrivateKey, place.Start, end);
    }

    readonly KeyKind ReadName(ReadOnlySpan<byte> name)
    {
        var hash = KeyedHash.Of(name, 5);
        if (_scratch.Names.TryGet(hash, out var known)) return (KeyKind)known;
        var kind = KeyNames.Read(name);
        _scratch.Names.Put(hash, (FieldKind)kind);
        return kind;
    }

    void OnValue(KeyKind kind, int nameStart, in Place place, int end)
    {
        var value = _text[place.Start..end];
        if (place.Quote == 0 && Chars.StartsWithNoCase(value, "bearer"u8)) return;
        // Somebody cut it short before us: "abc..[Redacted]".
        if (end + 1 < _text.Length && _text[end] == '.' && _text[end + 1] is (byte)'.' or (byte)'[' || value.IndexOf(".."u8) > 0) return;
        // The shell's working directory is called PWD.
        if (value[0] == '/' && place.Quote == 0 && _text[nameStart..place.Start].IndexOf("PWD"u8) >= 0) return;
        if (IsStandIn(nameStart, place, value)) return;
        var rule = Decide(kind, value, place.Quote != 0);
        if (rule < 0 || place.Separator == ',' && rule != RedactionRules.Password && Look.At(value).Digits == 0) return;
        if (end - place.Start >= ValueMax) end = Chars.RunEnd(_text, end, Ch.Wide);
        else if (rule == RedactionRules.Password && place is { Quote: 0, Separator: (byte)'=' }) end = WithComment(nameStart, end);
        if (place.Separator == '=') OnConnection(nameStart, place.Start, end, before: true);
        if (rule == RedactionRules.Password) OnAccountLine(nameStart);
        Hit(rule, place.Start, end);
        if (place.Quote != 0 && place.Start > 1 && _text[place.Start - 2] == '[') OnList(rule, place.Quote, end);
        if (place.Separator == '=') OnConnection(nameStart, place.Start, end, before: false);
    }

    // ["a", "b"]: what the first of a list is, the others are.
    void OnList(int rule, byte quote, int end)
    {
        while (end < _text.Length && _text[end] == quote)
        {
            var next = end + 1;
            while (next < _text.Length && (_text[next] <= ' ' || _text[next] == ',')) next++;
            if (next == end + 1 || next >= _text.Length || _text[next] != quote) return;
            var length = _text[(next + 1)..].IndexOf(quote);
            if (length < 0) return;
            end = next + 1 + length;
            if (length > 3 && !Placeholders.IsReference(_text[(next + 1)..end])) Hit(rule, next + 1, end);
        }
    }

    // In a program, not in a document or an address: password = "password", f(password=password), and what an anonymous log-in gives.
    readonly bool IsStandIn(int nameStart, in Place place, ReadOnlySpan<byte> value)
    {
        const int Before = 80;
        if (place.Enclosed || place.Separator is not ((byte)'=' or (byte)':')) return false;
        var end = place.Start + value.Length;
        var written = place.Quote != 0 ? _text[place.Start - 2] == ' ' : end < _text.Length && _text[end] is (byte)',' or (byte)')';
        if (written && Placeholders.IsOwnName(_text[nameStart..Chars.RunEnd(_text, nameStart, Ch.Dotted)], value)) return true;
        return place.Quote != 0 && _text[Math.Max(0, nameStart - Before)..nameStart].IndexOf("\"anonymous\""u8) >= 0;
    }

    // NAME=value # comment, a line of its own: what is said about a password often repeats it.
    readonly int WithComment(int nameStart, int end)
    {
        var line = Chars.RunStart(_text, nameStart, Math.Max(0, nameStart - 16), Ch.Space);
        while (line > 0 && line < nameStart && _text[line] == '\n') line++;
        if (line > 1 && _text[line - 1] == '#') line--;
        if (line > 0 && _text[line - 1] != '\n' || !Chars.Is(_text[nameStart], Ch.Up)) return end;
        var p = end;
        while (p < _text.Length && p < end + 16 && _text[p] == ' ') p++;
        if (p == end || p >= _text.Length || _text[p] != '#') return end;
        var rest = _text[p..Math.Min(_text.Length, p + 256)];
        var stop = rest.IndexOfAny((byte)'\n', (byte)'\r');
        return p + (stop < 0 ? rest.Length : stop);
    }

    /// <summary>Which rule, if any, wants <paramref name="value"/> of a key of this <paramref name="kind"/>; -1 when none.</summary>
    internal static int Decide(KeyKind kind, ReadOnlySpan<byte> value, bool quoted)
    {
        if (value.Length < 2 || Placeholders.IsReference(value)) return -1;
        if ((kind & KeyKind.About) != KeyKind.None) return -1;
        if ((kind & KeyKind.Password) != KeyKind.None)
            return (kind & KeyKind.Id) == KeyKind.None && (quoted || !Code(value)) && value.Length >= (quoted ? 4 : 3) ? RedactionRules.Password : -1;
        if (!quoted && Code(value) || Placeholders.IsPartlyMasked(value) || Placeholders.IsMadeUp(value)) return -1;
        if (value.StartsWith("base64:"u8)) value = value[7..];
        var look = Look.At(value);
        if ((kind & KeyKind.Vendor) != KeyKind.None && value.Length == 17 && value[8] == ':' && Chars.RunEnd(value, 0, Ch.Hex) == 8 && Chars.RunEnd(value, 9, Ch.Hex) == 17) return RedactionRules.VendorKey;
        if ((kind & KeyKind.Secret) != KeyKind.None && (kind & KeyKind.Id) == KeyKind.None && SecretLook(look, quoted, (kind & KeyKind.Vendor) != KeyKind.None))
            return RedactionRules.Secret;
        if ((kind & KeyKind.Vendor) != KeyKind.None && RandomLetters(look)) return RedactionRules.VendorKey;
        if ((kind & KeyKind.Vendor) != KeyKind.None && VendorLook(look, (kind & ~KeyKind.Vendor) != KeyKind.None)) return RedactionRules.VendorKey;
        if ((kind & KeyKind.Key) != KeyKind.None && ProductKey(value)) return RedactionRules.Secret;
        if ((kind & KeyKind.Key) != KeyKind.None && (kind & KeyKind.Id) == KeyKind.None && look.Slashes + look.Spaces + look.Dots == 0 && value.IndexOf((byte)':') < 0 && look.Others <= 2 && look.Random(16, 3.0) && !Uuid(value))
            return RedactionRules.Secret;
        return -1;
    }

    // ABCDE-FGHIJ-KLMNO-PQRST-UVWXY
    static bool ProductKey(ReadOnlySpan<byte> value)
    {
        if (value.Length != 29) return false;
        for (var i = 0; i < value.Length; i++)
            if (i % 6 == 5 ? value[i] != '-' : !Chars.Is(value[i], Ch.UpAlnum)) return false;
        return Look.At(value).Distinct > 8;
    }

    static bool SecretLook(in Look look, bool quoted, bool vendor)
    {
        if (look.Length < 6 || look.Spaces > 0) return false;
        // A stand-in of the full length, such as tests hold.
        if (quoted && look is { Length: >= 20, Distinct: <= 2, Digits: 0, Others: 0 }) return true;
        if (look.Digits > 0 && look.Letters > 0) return look.Length >= 8 ? look.Entropy >= 2.2 : quoted && look.Entropy >= 2.5;
        if (look.Letters == 0) return look.Digits >= (vendor ? 12 : 16) && look.Others == 0 && look.Distinct > 3;
        if (look.Others > 0 && look.Others < 6 && quoted) return look.Entropy >= 2.8;
        return look.Length >= 16 && look.Entropy >= 3.2 && (look.Upper > 1 && look.Lower > 1 || look.Length >= 20) && look.Dashes + look.Dots <= 2
            || quoted && look.Dashes <= 1 && look.Entropy >= 2.8 && look.Length >= 10 && look.Dots + look.Slashes == 0 && (look.Upper == 0 || look.Lower == 0);
    }

    static bool Uuid(ReadOnlySpan<byte> value) => value.Length == 36 && value[8] == '-' && value[13] == '-' && value[18] == '-' && value[23] == '-';

    // Letters alone, both cases as often as chance has them: no name of a thing looks so.
    static bool RandomLetters(in Look look) => look.Length >= 32 && look.Upper * 4 >= look.Length && look.Lower * 4 >= look.Length
        && look.Entropy >= 4.0 && look.Letters + look.Dashes == look.Length && look.Dashes <= 1;

    static bool VendorLook(in Look look, bool more)
    {
        if (look.Spaces > 0 || look.Dots > 3) return false;
        if (look.Digits > 0 && look.Letters > 0)
            return look.Length >= (more ? 10 : 16) && look.Entropy >= (more ? 2.8 : 3.0) && look.Slashes <= 2 && look.Others <= 4;
        if (more && look.Letters == 0) return look.Digits >= 15 && look.Others == 0;
        return more && look.Length >= 20 && look.Entropy >= 3.0 && look.Dashes + look.Dots + look.Slashes + look.Others <= 2;
    }

    /// <summary>An expression of a program and not a literal: a call, a member, a path of names.</summary>
    static bool Code(ReadOnlySpan<byte> value)
    {
        if (value[0] is (byte)'(' or (byte)'{' or (byte)'[' or (byte)'*' || (value[0] is (byte)'&' or (byte)'@' or (byte)'/' && value.Length < 5)) return true;
        var i = 0;
        if (!Chars.Is(value[0], Ch.Letter | Ch.Under)) return false;
        var dots = 0;
        for (; i < value.Length; i++)
        {
            var c = value[i];
            if (Chars.Is(c, Ch.Name)) continue;
            if (c == '.' && i + 1 < value.Length && Chars.Is(value[i + 1], Ch.Letter | Ch.Under)) dots++;
            else if (c is (byte)'(' or (byte)'[') return i > 1;
            else if (c == '-' && i + 1 < value.Length && value[i + 1] == '>') return true;
            else if (c == ':' && i + 1 < value.Length && value[i + 1] == ':') return true;
            else return false;
        }
        return dots > 0 && Look.At(value) is var look && (look.Digits == 0 || look.Digits * 5 < look.Length && look.Entropy < 4.2);
    }

    /// <summary>Finds the value that belongs to a name that ends at <paramref name="end"/>.</summary>
    readonly bool TryPlace(int end, bool tag, out Place place)
    {
        place = default;
        var text = _text;
        var p = end;
        var enclosed = false;
        for (; p < text.Length && p < end + 8 && (Chars.Is(text[p], Ch.Quote) || text[p] is (byte)']' or (byte)'\\' or (byte)')'); p++) enclosed = true;
        var spaced = p;
        while (p < text.Length && p < spaced + 24 && text[p] is (byte)' ' or (byte)'\t') p++;
        if (p >= text.Length) return false;
        if (p > spaced && !enclosed) p = SkipType(p);
        if (text[p] is (byte)'.' or (byte)'+' && p + 1 < text.Length && text[p + 1] == '=') p++;
        var separator = Sign(p, out var q);
        if (separator == 0 && q > p) return false;
        if (separator == 0) separator = OtherSign(p, end, enclosed, p > spaced, tag, ref q);
        if (separator == 0)
        {
            if (p == spaced || enclosed) return false;
            separator = (byte)' ';
        }
        return Opened(q, separator, enclosed, out place);
    }

    // = : := => == || >= ?= and the like; 0 (and q behind it) for a sign that separates nothing.
    readonly byte Sign(int p, out int q)
    {
        var text = _text;
        byte separator = 0;
        q = p;
        for (; q < text.Length && q < p + 4 && text[q] is (byte)'=' or (byte)':' or (byte)'>' or (byte)'|' or (byte)'?' or (byte)'!' or (byte)'~' or (byte)'<'; q++)
        {
            if (separator is 0 or (byte)'|' or (byte)'?' or (byte)'!') separator = text[q];
        }
        return separator is (byte)'<' or (byte)'~' or (byte)'!' or (byte)'?' && q == p + 1 ? (byte)0 : separator;
    }

    // PASSWORD('x'), ("key", "value"), key="k" value="v", <key attribute="a">value
    readonly byte OtherSign(int p, int end, bool enclosed, bool spaced, bool tag, ref int q)
    {
        var text = _text;
        if (text[p] == '(' && p + 1 < text.Length && Chars.Is(text[p + 1], Ch.Quote) && end >= 8 && Chars.StartsWithNoCase(text[(end - 8)..end], "password"u8))
        {
            q = p + 1;
            return (byte)'=';
        }
        if (text[p] == ',' && enclosed)
        {
            q = p + 1;
            return (byte)',';
        }
        if (enclosed && spaced && Chars.StartsWithNoCase(text[p..], "value="u8))
        {
            q = p + 6;
            return (byte)'=';
        }
        if (tag && spaced && text[p..Math.Min(text.Length, p + 80)].IndexOf((byte)'>') is > 0 and var close)
        {
            q = p + close + 1;
            return (byte)'>';
        }
        return 0;
    }

    // "var x string = …": the name of a type between.
    readonly int SkipType(int p)
    {
        var word = Chars.RunEnd(_text, p, Ch.Letter);
        if (word == p || word - p > 12) return p;
        var next = word;
        while (next < _text.Length && next < word + 4 && _text[next] == ' ') next++;
        return next > word && next + 1 < _text.Length && _text[next] == '=' && _text[next + 1] is (byte)' ' or (byte)'"' or (byte)'\'' ? next : p;
    }

    // Skips space and what opens a value: quotes, also escaped ones, an opening parenthesis before a quote.
    readonly bool Opened(int p, byte separator, bool enclosed, out Place place)
    {
        var text = _text;
        byte quote = 0;
        var limit = Math.Min(text.Length, p + 40);
        for (; p < limit; p++)
        {
            var c = text[p];
            if (c is (byte)'"' or (byte)'\'' or (byte)'`') quote = c;
            else if (c == '\\' && p + 1 < text.Length && text[p + 1] is (byte)'"' or (byte)'\'' or (byte)'\\') continue;
            else if (c is (byte)' ' or (byte)'\t' && quote == 0) continue;
            else if (c == '[' && quote == 0 && p + 1 < text.Length && text[p + 1] is (byte)'"' or (byte)'\'') continue;
            else if (quote == 0 && c is (byte)'b' or (byte)'r' or (byte)'u' or (byte)'f' && p + 1 < text.Length && text[p + 1] is (byte)'"' or (byte)'\'') continue;
            else if (c is (byte)'\r' or (byte)'\n' && quote == 0 && (separator == '>' || separator == ':' && enclosed)) continue;
            else break;
            if (quote != 0 && p + 1 < text.Length && text[p + 1] == quote)
            {
                // Two quotes are an empty value, three open a longer one.
                if (p + 2 >= text.Length || text[p + 2] != quote)
                {
                    place = default;
                    return false;
                }
                p += 2;
            }
            if (quote != 0 && (p + 1 >= limit || text[p + 1] is not ((byte)'"' or (byte)'\'' or (byte)'\\'))) { p++; break; }
        }
        place = new Place { Start = p, Quote = quote, Separator = separator, Enclosed = enclosed };
        return p < text.Length && !(quote == 0 && text[p] is (byte)'\r' or (byte)'\n');
    }

    readonly int ValueEnd(in Place place, KeyKind kind)
    {
        var text = _text;
        var limit = Math.Min(text.Length, place.Start + ValueMax);
        if (place.Quote != 0)
        {
            for (var i = place.Start; i < limit; i++)
            {
                if (text[i] == place.Quote)
                    return i > place.Start && text[i - 1] == '\\' ? BeforeBackslashes(i, place.Start) : i;
                if (text[i] == '\n') break;
            }
        }
        return BareEnd(place, kind, limit);
    }

    // The closing quote is escaped where the opening one was.
    readonly int BeforeBackslashes(int i, int floor)
    {
        while (i > floor && _text[i - 1] == '\\') i--;
        return i;
    }

    readonly int BareEnd(in Place place, KeyKind kind, int limit)
    {
        var text = _text;
        var i = place.Start;
        for (; i < limit; i++)
        {
            var c = text[i];
            if (c <= ' ' || Chars.Is(c, Ch.Quote) && (kind & KeyKind.Password) == KeyKind.None || c == '"') break;
            if (c is (byte)';' or (byte)'&' && NextIsName(i + 1)) break;
            if (c == '<' && i + 1 < limit && (text[i + 1] == '/' || Chars.Is(text[i + 1], Ch.Letter))) break;
            if (c == '>' && (kind & KeyKind.Password) == KeyKind.None) break;
            if (c == '\\' && i + 1 < limit && text[i + 1] is (byte)'n' or (byte)'r' or (byte)'t' or (byte)'"' or (byte)'\'' or (byte)'\\') break;
            if (c is (byte)',' && (i + 1 >= limit || text[i + 1] <= ' ' || NextIsName(i + 1) || Chars.Is(text[i + 1], Ch.Quote))) break;
            if (c == '[' && Placeholders.StartsWithMarker(text[i..])) break;
        }
        var shortened = i;
        while (shortened > place.Start && text[shortened - 1] is (byte)')' or (byte)'}' or (byte)']' or (byte)',' or (byte)';' or (byte)'\'' or (byte)'`') shortened--;
        if (shortened < i && text[place.Start..shortened].IndexOfAny((byte)'(', (byte)'{', (byte)'[') >= 0) return i;
        if (shortened > place.Start + 4 && text[shortened - 1] == '.' && i == shortened) shortened--;
        return shortened;
    }

    // After ; & or , comes the next pair, so the value ends here.
    readonly bool NextIsName(int i)
    {
        if (i >= _text.Length || _text[i] <= ' ') return true;
        var end = Chars.RunEnd(_text, i, Ch.Dotted);
        while (end < _text.Length && end < i + 40 && (_text[end] == ' ' || Chars.Is(_text[end], Ch.Token))) end++;
        return end > i && end < _text.Length && _text[end] is (byte)'=' or (byte)':' || end == i && Chars.Is(_text[i], Ch.Quote);
    }

    /// <summary>Headers whose value runs to the end of the line. True when it was one.</summary>
    bool OnHeader(ReadOnlySpan<byte> name, in Place place)
    {
        var cookie = name.Length is 6 or 10 && Chars.StartsWithNoCase(name[^6..], "cookie"u8);
        var authorization = name.Length is 13 or 19 && Chars.StartsWithNoCase(name[^13..], "authorization"u8);
        if (!cookie && !authorization) return false;
        var line = _text[place.Start..];
        var stop = line.IndexOfAny((byte)'\n', (byte)'\r', (byte)'"');
        if (place.Quote is not (0 or (byte)'"')) stop = line.IndexOfAny((byte)'\n', (byte)'\r', place.Quote);
        var end = stop < 0 ? line.Length : stop;
        if (stop < 0 || line[stop] != '"')
            if (line[..end].IndexOf((byte)'\'') is >= 0 and var tick) end = tick;
        while (end > 0 && line[end - 1] is (byte)'\\' or (byte)' ') end--;
        var value = line[..end];
        if (value.Length < 4 || Placeholders.IsReference(value)) return value.Length >= 4;
        if (cookie) return value.IndexOf((byte)'=') > 0 && Hit(RedactionRules.Cookie, place.Start, place.Start + end);
        var space = value.IndexOf((byte)' ');
        if (space is < 3 or > 18 || Chars.RunEnd(value, 0, Ch.Token) != space) return false;
        var rest = value[(space + 1)..];
        if (rest.Length < 4 || Placeholders.IsReference(rest)) return true;
        var stopAt = rest.IndexOf((byte)' ');
        if (stopAt > 0 && rest[..stopAt].IndexOfAny((byte)'=', (byte)',') < 0) rest = rest[..stopAt];
        var from = place.Start + space + 1;
        return Hit(RedactionRules.Authorization, from, from + rest.Length);
    }
}
