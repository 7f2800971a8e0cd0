namespace Logwarden.Redaction;

/// <summary>Check digits of payment cards, bank accounts and national ids. Every method expects digits only unless it says otherwise.</summary>
static class Checks
{
    /// <summary>Luhn sum of <paramref name="digits"/> (ASCII) is a multiple of ten.</summary>
    public static bool Luhn(ReadOnlySpan<byte> digits)
    {
        var sum = 0;
        for (var i = 0; i < digits.Length; i++)
        {
            var d = digits[digits.Length - 1 - i] - '0';
            if ((i & 1) == 1) d = d > 4 ? (d * 2) - 9 : d * 2;
            sum += d;
        }
        return digits.Length > 0 && sum % 10 == 0;
    }

    /// <summary>ISO 7064 mod 97-10 over an IBAN without spaces (letters and digits, any case).</summary>
    public static bool Iban(ReadOnlySpan<byte> iban)
    {
        if (iban.Length < 15) return false;
        var rest = 0;
        for (var i = 0; i < iban.Length; i++)
        {
            var c = iban[(i + 4) % iban.Length];
            if (c is >= (byte)'0' and <= (byte)'9') rest = ((rest * 10) + c - '0') % 97;
            else if (Chars.Is(c, Ch.Letter)) rest = ((rest * 100) + (c | 0x20) - 'a' + 10) % 97;
            else return false;
        }
        return rest == 1;
    }

    /// <summary>Sum of digit times weight.</summary>
    public static int Weighted(ReadOnlySpan<byte> digits, ReadOnlySpan<byte> weights)
    {
        var sum = 0;
        for (var i = 0; i < weights.Length; i++) sum += (digits[i] - '0') * weights[i];
        return sum;
    }

    /// <summary>UK NHS number: ten digits, mod 11.</summary>
    public static bool Nhs(ReadOnlySpan<byte> d) =>
        d.Length == 10 && Weighted(d, [10, 9, 8, 7, 6, 5, 4, 3, 2, 1]) % 11 == 0 && !AllSame(d);

    /// <summary>Polish PESEL: eleven digits that start with a date, mod 10.</summary>
    public static bool Pesel(ReadOnlySpan<byte> d) =>
        d.Length == 11 && Weighted(d, [1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1]) % 10 == 0 && Two(d, 2) % 20 is >= 1 and <= 12 && Two(d, 4) is >= 1 and <= 31;

    /// <summary>Australian business number: eleven digits, mod 89.</summary>
    public static bool Abn(ReadOnlySpan<byte> d) =>
        d.Length == 11 && d[0] != '0' && (Weighted(d, [10, 1, 3, 5, 7, 9, 11, 13, 15, 17, 19]) - 10) % 89 == 0;

    /// <summary>Australian tax file number: nine digits, mod 11.</summary>
    public static bool Tfn(ReadOnlySpan<byte> d) =>
        d.Length == 9 && Weighted(d, [1, 4, 3, 7, 5, 8, 6, 9, 10]) % 11 == 0 && !AllSame(d);

    /// <summary>Australian company number: nine digits, mod 10.</summary>
    public static bool Acn(ReadOnlySpan<byte> d) =>
        d.Length == 9 && (10 - (Weighted(d, [8, 7, 6, 5, 4, 3, 2, 1]) % 10)) % 10 == d[8] - '0';

    /// <summary>Australian Medicare card: ten digits, mod 10 in the ninth.</summary>
    public static bool Medicare(ReadOnlySpan<byte> d) =>
        d.Length == 10 && d[0] is >= (byte)'2' and <= (byte)'6' && Weighted(d, [1, 3, 7, 9, 1, 3, 7, 9]) % 10 == d[8] - '0';

    /// <summary>Canadian social insurance number: nine digits, Luhn, no 0 or 8 in front.</summary>
    public static bool Sin(ReadOnlySpan<byte> d) => d.Length == 9 && d[0] is not ((byte)'0' or (byte)'8') && Luhn(d);

    /// <summary>German tax id: eleven digits, ISO 7064 mod 11,10, one digit twice or thrice among the first ten.</summary>
    public static bool GermanTax(ReadOnlySpan<byte> d)
    {
        if (d.Length != 11 || d[0] == '0') return false;
        var product = 10;
        Span<byte> counts = stackalloc byte[10];
        for (var i = 0; i < 10; i++)
        {
            counts[d[i] - '0']++;
            var sum = (d[i] - '0' + product) % 10;
            product = (sum == 0 ? 10 : sum) * 2 % 11;
        }
        var most = 0;
        foreach (var count in counts) most = Math.Max(most, count);
        return (11 - product) % 10 == d[10] - '0' && most is 2 or 3;
    }

    /// <summary>French social security number: thirteen digits and a key of two, mod 97.</summary>
    public static bool Nir(ReadOnlySpan<byte> d)
    {
        if (d.Length != 15 || d[0] is not ((byte)'1' or (byte)'2') || Two(d, 3) is 0 or > 12) return false;
        long body = 0;
        for (var i = 0; i < 13; i++) body = (body * 10) + d[i] - '0';
        return 97 - (body % 97) == Two(d, 13);
    }

    /// <summary>Turkish national id: eleven digits with two check digits.</summary>
    public static bool Turkish(ReadOnlySpan<byte> d)
    {
        if (d.Length != 11 || d[0] == '0') return false;
        var odd = Weighted(d, [1, 0, 1, 0, 1, 0, 1, 0, 1]);
        var even = Weighted(d, [0, 1, 0, 1, 0, 1, 0, 1]);
        var tenth = ((odd * 7) - even) % 10;
        return (tenth + 10) % 10 == d[9] - '0' && (odd + even + d[9] - '0') % 10 == d[10] - '0';
    }

    /// <summary>South African id: thirteen digits that start with a date, Luhn.</summary>
    public static bool SouthAfrican(ReadOnlySpan<byte> d) =>
        d.Length == 13 && Two(d, 2) is >= 1 and <= 12 && Two(d, 4) is >= 1 and <= 31 && d[10] <= '1' && Luhn(d);

    /// <summary>Indian Aadhaar: twelve digits, Verhoeff, no 0 or 1 in front.</summary>
    public static bool Aadhaar(ReadOnlySpan<byte> d) => d.Length == 12 && d[0] >= '2' && Verhoeff(d);

    /// <summary>Spanish NIF or NIE: eight digits (or X, Y, Z and seven) and a letter, mod 23.</summary>
    public static bool Spanish(ReadOnlySpan<byte> id)
    {
        if (id.Length != 9) return false;
        var number = (id[0] | 0x20) switch { 'x' => 0, 'y' => 1, 'z' => 2, >= '0' and <= '9' => id[0] - '0', _ => -1 };
        if (number < 0) return false;
        for (var i = 1; i < 8; i++)
        {
            if (!Chars.Is(id[i], Ch.Digit)) return false;
            number = (number * 10) + id[i] - '0';
        }
        return (id[8] & 0xDF) == "TRWAGMYFPDXBNJZSQVHLCKE"[number % 23];
    }

    /// <summary>Singapore NRIC or FIN: a letter, seven digits and a check letter.</summary>
    public static bool Nric(ReadOnlySpan<byte> id)
    {
        if (id.Length != 9) return false;
        var first = id[0] & 0xDF;
        for (var i = 1; i < 8; i++)
            if (!Chars.Is(id[i], Ch.Digit)) return false;
        var sum = Weighted(id.Slice(1, 7), [2, 7, 6, 5, 4, 3, 2]) + (first is 'T' or 'G' ? 4 : first == 'M' ? 3 : 0);
        var letter = id[8] & 0xDF;
        return first switch
        {
            'S' or 'T' => "JZIHGFEDCBA"[sum % 11] == letter,
            'F' or 'G' => "XWUTRQPNMLK"[sum % 11] == letter,
            'M' => "KLJNPQRTUWX"[10 - (sum % 11)] == letter,
            _ => false,
        };
    }

    /// <summary>Italian fiscal code: sixteen characters with a check letter.</summary>
    public static bool Italian(ReadOnlySpan<byte> id)
    {
        ReadOnlySpan<byte> odd = [1, 0, 5, 7, 9, 13, 15, 17, 19, 21, 2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23];
        if (id.Length != 16) return false;
        const string Shape = "LLLLLLNNLNNLNNNL";
        int sum = 0, digits = 0;
        for (var i = 0; i < 16; i++)
        {
            var letter = Chars.Is(id[i], Ch.Letter);
            // Digits may be replaced by letters to tell twins apart (omocodia).
            if (Shape[i] == 'L' != letter && (Shape[i] == 'L' || !letter)) return false;
            if (!letter && !Chars.Is(id[i], Ch.Digit)) return false;
            if (!letter) digits++;
            var value = letter ? (id[i] & 0xDF) - 'A' : id[i] - '0';
            if (i < 15) sum += (i & 1) == 0 ? odd[value] : value;
        }
        return digits >= 5 && sum % 26 == (id[15] & 0xDF) - 'A';
    }

    /// <summary>The number that the two digits at <paramref name="at"/> write.</summary>
    public static int Two(ReadOnlySpan<byte> d, int at) => ((d[at] - '0') * 10) + d[at + 1] - '0';

    /// <summary>Whether all digits are equal.</summary>
    public static bool AllSame(ReadOnlySpan<byte> d) => d.IndexOfAnyExcept(d[0]) < 0;

    static bool Verhoeff(ReadOnlySpan<byte> d)
    {
        const string Multiply = "0123456789123406789523401789563401289567401239567859876043216598710432765982104387659321049876543210";
        const string Permute = "01234567891576283094580379614289160435279453126870428657390127938064157046913258";
        var c = 0;
        for (var i = 0; i < d.Length; i++)
        {
            var p = Permute[((i % 8) * 10) + d[d.Length - 1 - i] - '0'] - '0';
            c = Multiply[(c * 10) + p] - '0';
        }
        return c == 0;
    }
}
