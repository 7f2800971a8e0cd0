using System.Globalization;
using System.Text;

namespace Logwarden.Match;

/// <summary>
/// "Is this text an address of that network?" in plain SQL, since DuckDB's inet extension may be absent: IPv4 as a regular
/// expression over the octets, IPv6 as comparisons of zero-padded hextets. Exactly the addresses that <see cref="IpNetwork"/> reads.
/// </summary>
static class SqlNetwork
{
    const string AnyOctet = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])";

    /// <summary>The condition. Has no parameters: everything in it is digits of ours.</summary>
    internal static string Condition(string text, IpNetwork network)
    {
        if (network.IsV6) return V6(text, network);
        return network.IsSingle
            ? $"{text} IN ({string.Join(", ", network.SpellingsV4().Select(spelling => $"'{spelling}'"))})"
            : $"regexp_full_match({text}, '(?:::ffff:|::FFFF:)?{V4Pattern(network)}')";
    }

    static string V4Pattern(IpNetwork network)
    {
        var (first, last) = ((uint)network.First, (uint)network.Last);
        var octets = new string[4];
        for (var i = 0; i < 4; i++)
        {
            var (low, high) = ((int)(first >> 24 - 8 * i & 255), (int)(last >> 24 - 8 * i & 255));
            octets[i] = low == 0 && high == 255 ? AnyOctet : $"(?:{string.Join('|', Enumerable.Range(low, high - low + 1))})";
        }
        return string.Join("\\.", octets);
    }

    static string V6(string text, IpNetwork network)
    {
        const string Hextet = "[0-9A-Fa-f]{1,4}";
        var forms = new List<string> { $"(?:{Hextet}:){{7}}{Hextet}" };
        for (var left = 0; left <= 7; left++)
        {
            var before = left == 0 ? "" : left == 1 ? Hextet : $"(?:{Hextet}:){{{left - 1}}}{Hextet}";
            var room = 7 - left;
            var after = room switch { 0 => "", 1 => $"(?:{Hextet})?", _ => $"(?:(?:{Hextet}:){{0,{room - 1}}}{Hextet})?" };
            forms.Add($"{before}::{after}");
        }
        var sql = new StringBuilder();
        sql.Append(CultureInfo.InvariantCulture, $"CASE WHEN regexp_full_match({text}, '{string.Join('|', forms)}') THEN ");
        var left8 = $"list_filter(string_split(split_part(lower({text}), '::', 1), ':'), lambda h: h <> '')";
        var right8 = $"list_filter(string_split(split_part(lower({text}), '::', 2), ':'), lambda h: h <> '')";
        // the gap is filled with as many zeros as are missing
        var all = $"list_concat(list_concat({left8}, list_transform(range(8 - len({left8}) - len({right8})), lambda i: '0')), {right8})";
        sql.Append(CultureInfo.InvariantCulture, $"array_to_string(list_transform({all}, lambda h: lpad(h, 4, '0')), '')");
        sql.Append(CultureInfo.InvariantCulture, $" BETWEEN '{network.First:x32}' AND '{network.Last:x32}' ELSE false END");
        return sql.ToString();
    }
}
