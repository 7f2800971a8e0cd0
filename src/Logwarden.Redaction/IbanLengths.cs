namespace Logwarden.Redaction;

/// <summary>Lengths of the bank account numbers of the countries in the IBAN registry.</summary>
static class IbanLengths
{
    const string Registry = "AD24AE23AL28AT20AZ28BA20BE16BG22BH22BI27BR29BY28CH21CR22CY28CZ24DE22DJ27DK18DO28EE20EG29ES24FI18FK18FO18FR27GB22GE22"
        + "GI23GL18GR27GT28HN28HR21HU28IE22IL23IQ23IS26IT27JO30KW30KZ20LB28LC32LI21LT20LU20LV21LY25MC27MD24ME22MK19MN20MR27MT31MU30NI28NL18NO15"
        + "OM23PK24PL28PS29PT25QA29RO24RS22RU33SA24SC31SD18SE24SI19SK24SM27SO23ST25SV28TL23TN24TR26UA29VA22VG24XK20YE30";

    static readonly byte[] Lengths = Build();

    /// <summary>Length of an account number of the country, 0 when there is no such country.</summary>
    public static int Of(byte first, byte second) =>
        first is >= (byte)'A' and <= (byte)'Z' && second is >= (byte)'A' and <= (byte)'Z' ? Lengths[((first - 'A') * 26) + second - 'A'] : 0;

    static byte[] Build()
    {
        var lengths = new byte[26 * 26];
        for (var i = 0; i < Registry.Length; i += 4)
            lengths[((Registry[i] - 'A') * 26) + Registry[i + 1] - 'A'] = (byte)(((Registry[i + 2] - '0') * 10) + Registry[i + 3] - '0');
        return lengths;
    }
}
