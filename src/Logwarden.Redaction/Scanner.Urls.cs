using System.Buffers;

namespace Logwarden.Redaction;

/// <summary>URLs and e-mail addresses.</summary>
ref partial struct Scanner
{
    const int AuthorityMax = 512;

    static readonly SearchValues<byte> UrlEnds = SearchValues.Create(" \"'<>\n,"u8);

    /// <summary>A scheme ends at <paramref name="colon"/>. True when something after it was redacted.</summary>
    bool OnUrl(int colon)
    {
        var text = _text;
        var p = colon + 1;
        while (p < text.Length && p < colon + 5 && text[p] is (byte)'/' or (byte)'\\') p++;
        if (p - colon < 3) return false;
        var stop = p;
        var at = -1;
        for (; stop < text.Length && stop < p + AuthorityMax; stop++)
        {
            var c = text[stop];
            if (c == '@') at = stop;
            if (c <= ' ' || c is (byte)'"' or (byte)'\'' or (byte)'<' or (byte)'>' or (byte)'`') break;
            // A slash ends the authority, unless it stands in a password: then an @ still follows.
            if (c is (byte)'/' or (byte)'?' or (byte)'#' or (byte)'\\' && !(at < 0 && SlashInPassword(p, stop))) break;
        }
        if (at > p && OnUserinfo(p, at, stop)) return true;
        return OnSecretPath(p, stop);
    }

    readonly bool SlashInPassword(int from, int slash)
    {
        var colon = _text[from..slash].IndexOf((byte)':');
        if (colon < 1 || _text[(from + colon + 1)..slash].IndexOfAnyExceptInRange((byte)'0', (byte)'9') < 0) return false;
        var rest = _text[slash..Math.Min(_text.Length, slash + 80)];
        var end = rest.IndexOfAny(UrlEnds);
        if (end >= 0) rest = rest[..end];
        return rest.IndexOf((byte)'@') > 0;
    }

    bool OnUserinfo(int from, int at, int stop)
    {
        var info = _text[from..at];
        var colon = info.IndexOf((byte)':');
        var host = _text[(at + 1)..stop];
        if (colon < 0)
        {
            // A token in the place of the user.
            if (info.Length < 20 || Placeholders.IsReference(info) || !Look.At(info).Random(20, 3.0)) return false;
            return Hit(RedactionRules.UrlUserinfo, from, at);
        }
        var password = info[(colon + 1)..];
        if (password.Length == 0 || Placeholders.IsReference(password)) return false;
        var start = host.EndsWith("contribsys.com"u8) || host.IndexOf("contribsys.com:"u8) >= 0 ? from : from + colon + 1;
        if (Placeholders.StartsWithMarker(password)) return false;
        // The user part may be the token itself ("token:x-oauth-basic@").
        if (colon >= 20 && Look.At(info[..colon]).Random(20, 3.2)) start = from;
        return Hit(RedactionRules.UrlUserinfo, start, at);
    }

    bool OnSecretPath(int from, int stop)
    {
        var end = stop;
        while (end < _text.Length && end < from + 2048 && _text[end] > ' ' && !Chars.Is(_text[end], Ch.Quote) && _text[end] is not ((byte)'<' or (byte)'>' or (byte)')' or (byte)']' or (byte)'\\' or (byte)'|')) end++;
        var url = _text[from..end];
        var host = url[..(stop - from)];
        var path = url[(stop - from)..];
        var secret = -1;
        if (host.SequenceEqual("hooks.slack.com"u8) || host.SequenceEqual("hooks.slack-gov.com"u8)) secret = After(path, "/services/"u8, "/workflows/"u8, "/triggers/"u8);
        else if (host.EndsWith("webhook.office.com"u8) || host.EndsWith("outlook.office.com"u8)) secret = After(path, "/webhookb2/"u8, "/webhook/"u8, "/IncomingWebhook/"u8);
        else if (host.EndsWith("discord.com"u8) || host.EndsWith("discordapp.com"u8)) secret = After(path, "/api/webhooks/"u8, "/webhooks/"u8, "/webhooks/"u8);
        else if (host.EndsWith("hooks.zapier.com"u8)) secret = After(path, "/hooks/catch/"u8, "/hooks/"u8, "/hooks/"u8);
        else if (host.EndsWith(".tines.com"u8) || host.EndsWith(".tines.io"u8)) secret = After(path, "/webhook/"u8, "/webhook/"u8, "/webhook/"u8);
        else if (host.EndsWith("api.softlayer.com"u8)) secret = After(path, "/soap/v3.1/"u8, "/soap/v3/"u8, "/rest/v3/"u8);
        else if (host.EndsWith("api.telegram.org"u8)) secret = After(path, "/bot"u8, "/bot"u8, "/file/bot"u8);
        else if (host.EndsWith("hooks.airtable.com"u8) || host.EndsWith(".m.pipedream.net"u8) || host.EndsWith("hook.integromat.com"u8)) secret = path.Length > 16 ? 1 : -1;
        if (secret < 0 || path.Length - secret < 12 || MaskedPath(path[secret..])) return false;
        return Hit(RedactionRules.WebhookUrl, stop + secret, end);
    }

    static bool MaskedPath(ReadOnlySpan<byte> path) => Placeholders.StartsWithMarker(path) || Look.At(path).Distinct < 6;

    static int After(ReadOnlySpan<byte> path, ReadOnlySpan<byte> a, ReadOnlySpan<byte> b, ReadOnlySpan<byte> c) =>
        path.StartsWith(a) ? a.Length : path.StartsWith(b) ? b.Length : path.StartsWith(c) ? c.Length : -1;

    /// <summary>An @ follows a word: an e-mail address, or the password of a database address that is no URL.</summary>
    void OnAt(int start, int end)
    {
        var text = _text;
        var rest = text[(end + 1)..];
        if (rest.StartsWith("tcp("u8) || rest.StartsWith("unix("u8))
        {
            var from = Chars.RunStart(text, end, Math.Max(_resume, end - 128), Ch.Wide | Ch.Percent);
            if (from > 0 && text[from - 1] == ':') Hit(RedactionRules.ConnectionString, from, end);
            return;
        }
        if (_personal == Personal.Keep) return;
        OnEmail(start, end);
    }

    void OnEmail(int start, int at)
    {
        var text = _text;
        var local = Math.Max(Math.Max(0, at - 64), _resume);
        var from = at;
        while (from > local && (Chars.Is(text[from - 1], Ch.Dotted | Ch.Plus | Ch.Percent | Ch.High) || text[from - 1] is (byte)'&' or (byte)'\'' or (byte)'!')) from--;
        while (from < at && (text[from] is (byte)'.' or (byte)'-' or (byte)'\'' or (byte)'&' or (byte)'#' or (byte)'%' || Chars.Is(text[from], Ch.High) && from < start)) from++;
        if (from > 1 && text[from - 1] == '\\' && text[from] is (byte)'n' or (byte)'t' or (byte)'r' && at - from > 1) from++;
        if (from >= at || at - from >= 40 || text[from..at].SequenceEqual("git"u8)) return;
        if (from > 1 && text[from - 1] == '/' && text[from - 2] == '/') return;
        // The session of an assumed role is who acts, wherever the ARN stands.
        if (from > 16 && text[from - 1] == '/' && _redactor.ActorPersonal == Personal.Keep
            && text[Math.Max(0, from - 120)..from].LastIndexOf("assumed-role/"u8) >= 0)
        {
            return;
        }
        // <CAFpGju6…@mail.example.com>: the id of a message.
        var whole = Chars.RunStart(text, from, Math.Max(0, from - 100), Ch.Wide);
        if (whole > 0 && text[whole - 1] == '<' && at - whole >= 30 && Look.At(text[whole..at]) is { Digits: > 2, Upper: > 2 }) return;
        var end = Chars.RunEnd(text, at + 1, Ch.Alnum | Ch.Dash | Ch.Dot);
        while (end > at && text[end - 1] is (byte)'.' or (byte)'-') end--;
        var domain = text[(at + 1)..end];
        var dot = domain.LastIndexOf((byte)'.');
        if (dot < 1 || domain.IndexOf(".."u8) >= 0) return;
        var top = domain[(dot + 1)..];
        if (top.Length is < 2 or > 24 || NotTopLevel(top) || domain.EndsWith("gserviceaccount.com"u8)) return;
        if (top.StartsWith("xn--"u8) == false && Chars.RunEnd(top, 0, Ch.Letter) != top.Length) return;
        Hit(RedactionRules.Email, from, end);
    }

    // user@unit.service, icon@2x.png, host@node.internal: names of things, not of people.
    static bool NotTopLevel(ReadOnlySpan<byte> top) => top.Length switch
    {
        2 => top.SequenceEqual("js"u8) || top.SequenceEqual("ts"u8),
        3 => top.SequenceEqual("pfx"u8) || top.SequenceEqual("pem"u8) || top.SequenceEqual("log"u8) || top.SequenceEqual("txt"u8) || top.SequenceEqual("zip"u8) || top.SequenceEqual("exe"u8) || top.SequenceEqual("png"u8) || top.SequenceEqual("jpg"u8) || top.SequenceEqual("gif"u8) || top.SequenceEqual("svg"u8) || top.SequenceEqual("css"u8),
        4 => top.SequenceEqual("json"u8) || top.SequenceEqual("jpeg"u8) || top.SequenceEqual("yaml"u8) || top.SequenceEqual("webp"u8),
        5 => top.SequenceEqual("timer"u8) || top.SequenceEqual("mount"u8) || top.SequenceEqual("slice"u8),
        6 => top.SequenceEqual("socket"u8) || top.SequenceEqual("target"u8),
        7 => top.SequenceEqual("service"u8),
        8 => top.SequenceEqual("internal"u8),
        _ => false,
    };
}
