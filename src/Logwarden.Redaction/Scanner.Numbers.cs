using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace Logwarden.Redaction;

/// <summary>Payment cards, social security numbers, phone numbers and national ids: what digits can be.</summary>
ref partial struct Scanner
{
    const int DigitsMax = 20;
    const int GroupsMax = 10;

    /// <summary>Groups of digits with single separators between, read from one place.</summary>
    struct Digits
    {
        DigitBytes _all;
        GroupInts _counts;
        GroupInts _ends;
        GroupBytes _between;
        public int Groups;
        public int Total;

        [UnscopedRef]
        public Span<byte> All => _all;

        [UnscopedRef]
        public Span<int> Counts => _counts;

        [UnscopedRef]
        public Span<int> Ends => _ends;

        [UnscopedRef]
        public Span<byte> Between => _between;

        /// <summary>Number of digits in the first <paramref name="groups"/> groups.</summary>
        public int Sum(int groups)
        {
            var sum = 0;
            for (var i = 0; i < groups; i++) sum += Counts[i];
            return sum;
        }

        public bool Shape(int groups, ReadOnlySpan<byte> counts)
        {
            if (groups != counts.Length) return false;
            for (var i = 0; i < groups; i++)
                if (Counts[i] != counts[i]) return false;
            return true;
        }

        /// <summary>All separators of the first <paramref name="groups"/> groups are <paramref name="separator"/>.</summary>
        public bool Only(int groups, byte separator) => groups == 1 || Between[..(groups - 1)].IndexOfAnyExcept(separator) < 0;

        public bool Same(int groups) => groups == 1 || Only(groups, Between[0]);
    }

    [InlineArray(DigitsMax)]
    struct DigitBytes { byte _first; }

    [InlineArray(GroupsMax)]
    struct GroupBytes { byte _first; }

    [InlineArray(GroupsMax)]
    struct GroupInts { int _first; }

    bool OnNumber(int start, int end)
    {
        var text = _text;
        var left = start > 0 ? text[start - 1] : (byte)' ';
        // Inside a path, a UUID, a version, an ARN, a timestamp there are no such numbers.
        if (left is (byte)'.' or (byte)'/' or (byte)'#' or (byte)'~') return false;
        if (left is (byte)'-' or (byte)':' && start > 1 && Chars.Is(text[start - 2], Ch.Alnum) && (left == '-' || Chars.Is(text[start - 2], Ch.Digit) || text[start - 2] == ':')) return false;
        if (left == ':' && start > 1 && text[start - 2] == ':') return false;
        if (end - start > 19) return false;
        var digitsEnd = Chars.RunEnd(text, start, Ch.Digit);
        if (digitsEnd < end) return end - start is 9 or 10 or 11 && OnIdWord(start, end);
        var digits = default(Digits);
        Read(ref digits, start);
        if (digits.Total < 6 || digits.Counts[0] + digits.Counts[1] == 2) return false;
        for (var groups = digits.Groups; groups > 0; groups--)
        {
            var stop = digits.Ends[groups - 1];
            var total = digits.Sum(groups);
            if (total < 6 || !Ends(stop)) continue;
            if (OnCard(ref digits, groups, total, start, stop) || OnSsn(ref digits, groups, total, start, stop)
                || OnNational(ref digits, groups, total, start, stop) || OnPhone(ref digits, groups, total, start, stop, left))
            {
                return true;
            }
        }
        return false;
    }

    readonly void Read(ref Digits digits, int start)
    {
        var text = _text;
        var p = start;
        while (p < text.Length && digits.Groups < GroupsMax)
        {
            var end = p;
            while (end < text.Length && Chars.Is(text[end], Ch.Digit) && digits.Total < DigitsMax) digits.All[digits.Total++] = text[end++];
            if (end == p) return;
            digits.Counts[digits.Groups] = end - p;
            digits.Ends[digits.Groups] = end;
            digits.Groups++;
            if (end + 1 >= text.Length || digits.Groups == GroupsMax) return;
            var between = text[end];
            if (between is not ((byte)' ' or (byte)'-' or (byte)'.' or (byte)'(' or (byte)')' or (byte)':')) return;
            digits.Between[digits.Groups - 1] = between;
            p = end + 1;
            // ") 555", " (532)", ")-"
            if (between is (byte)' ' or (byte)')' or (byte)'-' && text[p] is (byte)'(' or (byte)' ' or (byte)'-' && text[p] != between)
            {
                digits.Between[digits.Groups - 1] = (byte)'(';
                p++;
            }
        }
    }

    readonly bool Ends(int stop)
    {
        if (stop >= _text.Length) return true;
        var c = _text[stop];
        if (Chars.Is(c, Ch.Name)) return c is (byte)'x' && stop + 1 < _text.Length && Chars.Is(_text[stop + 1], Ch.Digit);
        if (c is (byte)'-') return stop + 1 >= _text.Length || !Chars.Is(_text[stop + 1], Ch.Digit);
        if (c is (byte)'.' or (byte)':' or (byte)'/' or (byte)',') return stop + 1 >= _text.Length || !Chars.Is(_text[stop + 1], c == ',' ? Ch.None : Ch.Alnum);
        return c is not ((byte)'%' or (byte)'@');
    }

    bool OnCard(ref Digits d, int groups, int total, int start, int stop)
    {
        if (total is < 12 or > 19) return false;
        var all = d.All[..total];
        var first = all[0];
        var known = first is >= (byte)'3' and <= (byte)'6' && total >= 13
            || first == '2' && total == 16 && Checks.Two(all, 0) is >= 22 and <= 27
            || total == 15 && (all.StartsWith("2131"u8) || all.StartsWith("1800"u8))
            || first == '1' && total == 15 && groups == 1 && all[1] != '6' && all[1] != '7'
            || first is (byte)'5' or (byte)'6' && total == 12;
        if (!known || !d.Same(groups) || groups > 1 && d.Between[0] is not ((byte)' ' or (byte)'-')) return false;
        if (groups > 1 && !d.Shape(groups, [4, 4, 4, 4]) && !d.Shape(groups, [4, 6, 5]) && !d.Shape(groups, [4, 6, 4])
            && !d.Shape(groups, [4, 4, 4, 1]) && !d.Shape(groups, [4, 4, 4, 4, 3]) && !d.Shape(groups, [4, 4, 4, 2]))
        {
            return false;
        }
        if (total is 12 or 13 or 14 && groups == 1 && !Likely(all, total) && !Near(start, CardWords)) return false;
        return Checks.Luhn(all) && !Checks.AllSame(all) && Hit(RedactionRules.Card, start, stop);
    }

    // Short runs: Visa of 13, Diners of 14. Times in milliseconds start with 1, so they never come here.
    static bool Likely(ReadOnlySpan<byte> all, int total) => total switch
    {
        14 => Checks.Two(all, 0) is 30 or 36 or 38 or 39,
        13 => all[0] == '4',
        _ => false,
    };

    bool OnSsn(ref Digits d, int groups, int total, int start, int stop)
    {
        if (total != 9) return false;
        var written = groups == 3 && d.Shape(3, [3, 2, 4]) && d.Same(3) && d.Between[0] is (byte)'-' or (byte)' ' or (byte)'.';
        var area = ((d.All[0] - '0') * 100) + Checks.Two(d.All, 1);
        if (area is 0 or 666 || Checks.Two(d.All, 3) == 0 || d.All[5..9].IndexOfAnyExcept((byte)'0') < 0) return false;
        if (area >= 900 && Checks.Two(d.All, 3) is < 50 or 89 or 93) return false;
        if (d.All[..9].SequenceEqual("123456789"u8) || d.All[..9].SequenceEqual("987654321"u8)) return false;
        if (!written && !(groups <= 2 && Near(start, SsnWords))) return false;
        return Hit(RedactionRules.Ssn, start, stop);
    }

    bool OnNational(ref Digits d, int groups, int total, int start, int stop)
    {
        var all = d.All[..total];
        var spaced = groups > 1 && d.Same(groups);
        var space = spaced && d.Between[0] == ' ';
        // One of a longer list of numbers.
        if (space && (start > 1 && _text[start - 1] == ' ' && Chars.Is(_text[start - 2], Ch.Digit) || stop + 1 < _text.Length && _text[stop] == ' ' && Chars.Is(_text[stop + 1], Ch.Digit))) return false;
        var sure = total switch
        {
            9 => space && d.Shape(groups, [3, 3, 3]) && (Checks.Tfn(all) || Checks.Acn(all) || Checks.Sin(all)) || spaced && d.Shape(groups, [3, 3, 3]) && Checks.Sin(all),
            10 => space && d.Shape(groups, [3, 3, 4]) && Checks.Nhs(all) || space && d.Shape(groups, [4, 5, 1]) && Checks.Medicare(all),
            11 => space && d.Shape(groups, [2, 3, 3, 3]) && Checks.Abn(all),
            12 => spaced && d.Shape(groups, [4, 4, 4]) && Checks.Aadhaar(all),
            15 => d.Shape(groups, [1, 2, 2, 2, 3, 3, 2]) && Checks.Nir(all),
            _ => false,
        };
        if (!sure && d.Same(groups) && Checked(all)) sure = Near(start, IdWords);
        return sure && Hit(RedactionRules.NationalId, start, stop);
    }

    static bool Checked(ReadOnlySpan<byte> all) => all.Length switch
    {
        9 => Checks.Tfn(all) || Checks.Acn(all) || Checks.Sin(all),
        10 => Checks.Nhs(all) || Checks.Medicare(all),
        11 => Checks.Pesel(all) || Checks.Abn(all) || Checks.GermanTax(all) || Checks.Turkish(all),
        12 => Checks.Aadhaar(all),
        13 => Checks.SouthAfrican(all),
        15 => Checks.Nir(all),
        _ => false,
    };

    bool OnPhone(ref Digits d, int groups, int total, int start, int stop, byte left)
    {
        if (total > 16) return false;
        var from = start;
        bool phone;
        if (left == '+')
        {
            if (start > 1 && Chars.Is(_text[start - 2], Ch.Alnum | Ch.Slash | Ch.Equal | Ch.Plus)) return false;
            from = start - 1;
            phone = total is >= 8 and <= 15 && d.All[0] != '0' && Spread(ref d, groups);
        }
        else if (left == '(')
        {
            from = start - 1;
            phone = groups >= 2 && d.Between[0] is (byte)')' or (byte)'(' && total is >= 8 and <= 12 && d.Counts[0] <= 4;
        }
        else
        {
            phone = !Address(ref d, groups) && NorthAmerican(ref d, groups, total) || Trunk(ref d, groups, total) || Mobile(ref d, groups, total)
                || (total is >= 7 and <= 15 || total == 6 && d.Shape(groups, [2, 2, 2]) && d.Only(groups, (byte)' ')) && Spread(ref d, groups) && !Address(ref d, groups) && (Near(start, PhoneWords) || groups > 1 && After(stop));
        }
        if (!phone || Checks.AllSame(d.All[..total])) return false;
        return Hit(RedactionRules.Phone, from, Extension(stop));
    }

    // 415-555-0132, 1-415-555-0132, 001-415-555-0132
    static bool NorthAmerican(ref Digits d, int groups, int total)
    {
        var skip = groups == 4 && d.Counts[0] <= 3 && (d.All[d.Counts[0] - 1] == '1' || d.Between[0] == '-') ? 1 : 0;
        if (groups - skip != 3 || total - (skip == 0 ? 0 : d.Counts[0]) != 10) return false;
        if (d.Counts[skip] != 3 || d.Counts[skip + 1] != 3) return false;
        var at = skip == 0 ? 0 : d.Counts[0];
        return d.All[at] >= '2' && (d.Same(groups) || d.Between[0] is (byte)'(' or (byte)')') && d.Between[0] != ':';
    }

    // 0412 123 45 67, 0 (532) 1234567, 0917-123-4567, 09-7625400, 02 6788 1234
    static bool Trunk(ref Digits d, int groups, int total)
    {
        if (d.All[0] != '0' || d.All[1] == '0' || total is < 9 or > 12 || groups < 2 || d.Shape(groups, [3, 2, 4])) return false;
        for (var i = 0; i < groups; i++)
            if (i < groups - 1 && d.Between[i] is (byte)'.' or (byte)':') return false;
        if (groups == 2) return d.Counts[0] is >= 2 and <= 5 && d.Counts[1] is >= 5 and <= 8 && total >= 9;
        return d.Counts[0] is 1 or 2 or 3 or 4 or 5 && d.Counts[groups - 1] >= 2;
    }

    // 07700900123, 05321234567, 09171234567: no count and no id begins with a zero and has eleven digits.
    static bool Mobile(ref Digits d, int groups, int total) =>
        groups == 1 && total == 11 && d.All[0] == '0' && d.All[1] is (byte)'5' or (byte)'7' or (byte)'9';

    // 10.12.13.14, 1.2.3456: an address or a version.
    static bool Address(ref Digits d, int groups) => groups is 3 or 4 && d.Only(groups, (byte)'.') && !d.Shape(groups, [3, 3, 4]) && !d.Shape(groups, [3, 3, 3]) && !d.Shape(groups, [1, 3, 3, 4]);

    static bool Spread(ref Digits d, int groups)
    {
        for (var i = 0; i < groups - 1; i++)
            if (d.Between[i] == ':') return false;
        // A date.
        return !(groups == 3 && d.Counts[0] == 4 && d.Counts[1] == 2 && d.Counts[2] == 2) && !(groups == 3 && d.Counts[2] == 4 && d.Counts[0] == 2 && d.Counts[1] == 2);
    }

    // "x123", " ext. 123"
    readonly int Extension(int stop)
    {
        var p = stop;
        if (p < _text.Length && _text[p] == ' ') p++;
        var rest = _text[p..];
        var word = rest.StartsWith("ext"u8) ? 3 : rest.StartsWith("x"u8) ? 1 : 0;
        if (word == 0) return stop;
        p += word;
        while (p < _text.Length && p < stop + 8 && _text[p] is (byte)'.' or (byte)' ' or (byte)':') p++;
        var end = Chars.RunEnd(_text, p, Ch.Digit);
        return end > p && end - p <= 6 ? end : stop;
    }

    static readonly byte[][] PhoneWords = Words("phone", "tel", "telephone", "mobile", "cell", "cellular", "call", "calling", "called", "fax", "sms", "whatsapp", "contact", "numara", "telefon", "dial", "reach", "answering", "pager", "landline", "number");
    static readonly byte[][] SsnWords = Words("ssn", "social sec", "social_sec", "itin", "taxpayer");
    static readonly byte[][] CardWords = Words("card", "visa", "master", "amex", "diners", "pan");
    static readonly byte[][] IdWords = Words("nhs", "pesel", "tax", "tfn", "abn", "acn", "aadhaar", "sin", "steuer", "nir", "national id",
        "national_id", "identity", "medicare", "insurance", "turkish", "kimlik", "ssn", "sécurité sociale", "id number", "uidai");

    static byte[][] Words(params string[] words) => [.. words.Select(System.Text.Encoding.UTF8.GetBytes)];

    // "781 1704 office"
    readonly bool After(int stop)
    {
        var rest = _text[stop..];
        if (!rest.IsEmpty && rest[0] is (byte)' ' or (byte)'-') rest = rest[1..];
        return Chars.StartsWithNoCase(rest, "office"u8) || Chars.StartsWithNoCase(rest, "fax"u8) || Chars.StartsWithNoCase(rest, "mobile"u8)
            || Chars.StartsWithNoCase(rest, "cell"u8) || Chars.StartsWithNoCase(rest, "(office"u8);
    }

    /// <summary>Whether one of the words stands within the 40 bytes before, on the same line.</summary>
    bool Near(int start, byte[][] words)
    {
        // The same number is asked about several times, with more and fewer of its groups.
        if (_nearStart != start) (_nearStart, _nearKnown, _nearFound) = (start, 0, 0);
        var set = ReferenceEquals(words, PhoneWords) ? 1 : ReferenceEquals(words, SsnWords) ? 2 : ReferenceEquals(words, CardWords) ? 4 : 8;
        if ((_nearKnown & set) == 0)
        {
            _nearKnown |= set;
            if (Stands(start, words)) _nearFound |= set;
        }
        return (_nearFound & set) != 0;
    }

    readonly bool Stands(int start, byte[][] words)
    {
        var before = _text[Math.Max(0, start - 40)..start];
        if (before.TrimEnd("\r\n"u8).LastIndexOf((byte)'\n') is >= 0 and var cut) before = before[(cut + 1)..];
        Span<byte> lower = stackalloc byte[40];
        for (var i = 0; i < before.Length; i++) lower[i] = Chars.Lower(before[i]);
        lower = lower[..before.Length];
        foreach (var word in words)
        {
            var at = lower.LastIndexOf(word);
            if (at < 0) continue;
            // A short word stands alone ("call", not "callerIp"); a longer one may be a part of another.
            var after = at + word.Length;
            if (at > 0 && Chars.Is(lower[at - 1], Ch.Letter) && (word.Length <= 5 || word[0] == 'n')) continue;
            if (word.Length <= 4 && after < lower.Length && Chars.Is(lower[after], Ch.Letter)) continue;
            if (word.Length == 6 && word[0] == 'n' && lower.IndexOf("licen"u8) >= 0) continue;
            return true;
        }
        return false;
    }

    /// <summary>Ids that mix letters and digits: IBAN, NIF, NIE, NRIC, codice fiscale.</summary>
    bool OnIdWord(int start, int end)
    {
        var text = _text;
        if (start > 0 && text[start - 1] is (byte)'-' or (byte)'.' or (byte)'/' or (byte)'_' or (byte)'+' or (byte)'=' && text[start - 1] != '=') return false;
        var length = end - start;
        var word = text[start..end];
        if (length >= 4 && Chars.Is(word[0], Ch.Up) && Chars.Is(word[1], Ch.Up) && Chars.Is(word[2], Ch.Digit) && Chars.Is(word[3], Ch.Digit) && OnIban(start, end)) return true;
        if (end < text.Length && text[end] is (byte)'-' or (byte)'.' or (byte)'/' or (byte)':' && end + 1 < text.Length && Chars.Is(text[end + 1], Ch.Alnum)) return false;
        if (length == 9 && (Chars.Is(word[8], Ch.Up) && (Checks.Spanish(word) || Checks.Nric(word)))) return Hit(RedactionRules.NationalId, start, end);
        if (length == 16 && Chars.Is(word[0], Ch.Up) && Checks.Italian(word)) return Hit(RedactionRules.NationalId, start, end);
        return false;
    }

    bool OnIban(int start, int end)
    {
        var length = IbanLengths.Of(_text[start], _text[start + 1]);
        if (length == 0) return false;
        Span<byte> iban = stackalloc byte[34];
        var n = 0;
        var p = start;
        while (p < _text.Length && n < length)
        {
            if (Chars.Is(_text[p], Ch.UpAlnum)) iban[n++] = _text[p++];
            else if (_text[p] is (byte)' ' or (byte)'-' && n % 4 == 0 && p + 1 < _text.Length) p++;
            else return false;
        }
        if (n < length || p < end || (p < _text.Length && Chars.Is(_text[p], Ch.Alnum))) return false;
        return Checks.Iban(iban[..n]) && Hit(RedactionRules.Iban, start, p);
    }
}
