using System.Buffers;
using System.Buffers.Text;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>Long runs: keys with a signature inside, base64 and URL-encoded text, and random values that a word before explains.</summary>
ref partial struct Scanner
{
    const int LongWord = 16;
    const int MaxMindLength = 40;
    const int EncodedMax = 1 << 20;

    bool OnLong(int start, int end)
    {
        if (start < _longEnd) return false;
        var from = Chars.RunStart(_text, start, Math.Max(_resume, _longEnd), Ch.Alnum | Ch.Plus | Ch.Slash);
        var to = Chars.RunEnd(_text, end, Ch.Alnum | Ch.Plus | Ch.Slash);
        while (to < _text.Length && to - from < EncodedMax && _text[to] == '=') to++;
        // Not padding, but the sign of an assignment.
        if (to > end && _text[to - 1] == '=' && to < _text.Length && Chars.Is(_text[to], Ch.Alnum | Ch.Quote)) while (_text[to - 1] == '=') to--;
        _longEnd = to;
        var run = _text[from..to];
        if (AzureKey(run)) return Hit(RedactionRules.AzureKey, from, to);
        if (run.Length is 44 or 64 && (AtlassianToken(run) || DropboxToken(run))) return Hit(RedactionRules.VendorKey, from, to);
        if (run.Length >= 24 && OnBase64(from, to)) return true;
        if (OnDiscord(start, end)) return true;
        if (end < _text.Length && _text[end] == '-' && OnMailchimp(start, end)) return true;
        if (end - start == MaxMindLength && OnMaxMind(start, end)) return true;
        if (OnNtHash(start, end) || OpenAiOld(start, end) || OnAzureSecret(start)) return true;
        return OnVault(start, end) || OnGoogleClient(start, end) || OnExplained(from, Math.Max(to, end));
    }

    // Microsoft's identifiable keys carry a fixed signature at a fixed place.
    static bool AzureKey(ReadOnlySpan<byte> run)
    {
        if (run.Length is 44 or 43) return Signed(run, 33) || Signed(run, 32) || Signed(run, 34);
        if (run.Length is 88 or 86) return Signed(run, 76) || Signed(run, 75) || Signed(run, 77);
        if (run.Length is 52 or 54 or 56) return Signed(run, 42) || Signed(run, 40) || Signed(run, 44);
        if (run.Length is 32) return Signed(run, 20);
        return run.Length is 84 or 88 or 80 && run[52..].StartsWith("JQQJ99"u8);
    }

    // Tokens of a person in Jira, Confluence and Bitbucket servers: base64 of twelve digits, a colon and twenty bytes.
    static bool AtlassianToken(ReadOnlySpan<byte> run)
    {
        if (run.Length != 44 || run[0] is not ((byte)'M' or (byte)'N' or (byte)'O')) return false;
        Span<byte> plain = stackalloc byte[15];
        return Base64.DecodeFromUtf8(run[..20], plain, out _, out _, isFinalBlock: false) == OperationStatus.Done
            && Chars.RunEnd(plain, 0, Ch.Digit) == 12 && plain[12] == ':';
    }

    // Dropbox tokens without an end: eleven characters, a row of A, and the rest.
    static bool DropboxToken(ReadOnlySpan<byte> run) =>
        run.Length == 64 && run[10..24].IndexOf("AAAAAAAAAA"u8) >= 0 && Chars.RunEnd(run, 0, Ch.Alnum) == 64 && Look.At(run) is { Entropy: > 3.5, Digits: > 2 };

    static bool Signed(ReadOnlySpan<byte> run, int at)
    {
        var mark = run[at..];
        return mark.StartsWith("AzFu"u8) || mark.StartsWith("AzSe"u8) || mark.StartsWith("AzCa"u8) || mark.StartsWith("+ASt"u8)
            || mark.StartsWith("+ABa"u8) || mark.StartsWith("+ACR"u8) || mark.StartsWith("ACDb"u8) || mark.StartsWith("+AMC"u8)
            || mark.StartsWith("+ARm"u8) || mark.StartsWith("AIoT"u8) || mark.StartsWith("+AEh"u8) || mark.StartsWith("+ASb"u8)
            || mark.StartsWith("AAsr"u8) || mark.StartsWith("APIM"u8) || mark.StartsWith("ACDbDATA"u8) || mark.StartsWith("AEG+"u8);
    }

    // Entra client secrets: xxx7Q~ or xxx8Q~ and 31 to 34 more.
    bool OnAzureSecret(int start)
    {
        if (start < 6 || _text[start - 1] is not ((byte)'~' or (byte)'.' or (byte)'-')) return false;
        var from = Chars.RunStart(_text, start, Math.Max(_resume, start - 40), Ch.Dotted | Ch.Tilde);
        var to = Chars.RunEnd(_text, start, Ch.Dotted | Ch.Tilde);
        var run = _text[from..to];
        return run.Length is >= 37 and <= 40 && run[4] == 'Q' && run[5] == '~' && Hit(RedactionRules.AzureKey, from, to);
    }

    bool OpenAiOld(int start, int end)
    {
        var at = _text[start..end].IndexOf("T3BlbkFJ"u8);
        if (at < 0) return false;
        var from = Chars.RunStart(_text, start, Math.Max(_resume, start - 120), Ch.Token);
        return Hit(RedactionRules.Secret, from, Chars.RunEnd(_text, end, Ch.Token));
    }

    // hex32-us12
    bool OnMailchimp(int start, int end)
    {
        if (end - start != 32 || Chars.RunEnd(_text, start, Ch.Hex) != end || !_text[end..].StartsWith("-us"u8)) return false;
        var stop = Chars.RunEnd(_text, end + 3, Ch.Digit);
        return stop - end is 4 or 5 && Hit(RedactionRules.Mailchimp, start, stop);
    }

    // 6 characters _ 29 _mmk
    bool OnMaxMind(int start, int end) =>
        _text[start + 6] == '_' && _text[start..end].EndsWith("_mmk"u8) && Hit(RedactionRules.VendorKey, start, end);

    // 24-28 characters . 6 . 27-40
    bool OnDiscord(int start, int end)
    {
        if (end - start is < 24 or > 28 || end >= _text.Length || _text[end] != '.' || _text[start] is not ((byte)'M' or (byte)'N' or (byte)'O')) return false;
        var second = Chars.RunEnd(_text, end + 1, Ch.Token);
        if (second - end - 1 != 6 || second >= _text.Length || _text[second] != '.') return false;
        var third = Chars.RunEnd(_text, second + 1, Ch.Token);
        return third - second - 1 is >= 27 and <= 40 && Hit(RedactionRules.DiscordToken, start, third);
    }

    /// <summary>Decodes a run that turns out to be text, and scans that; the whole run goes when anything is in it.</summary>
    bool OnBase64(int from, int to)
    {
        if (_depth >= RedactionScratch.DepthMax || to - from > EncodedMax) return false;
        var run = _text[from..to];
        while (run.Length > 0 && run[^1] == '=') run = run[..^1];
        Span<byte> probe = stackalloc byte[12];
        if (Base64.DecodeFromUtf8(run[..16], probe, out _, out _, isFinalBlock: false) != OperationStatus.Done || !Encodings.Printable(probe)) return false;
        var plain = _scratch.Buffer(_depth, run.Length);
        var whole = run.Length / 4 * 4;
        if (Base64.DecodeFromUtf8(run[..whole], plain, out _, out var written, isFinalBlock: false) != OperationStatus.Done) return false;
        if (run.Length - whole > 1)
        {
            Span<byte> last = [(byte)'A', (byte)'A', (byte)'A', (byte)'A'];
            run[whole..].CopyTo(last);
            Base64.DecodeFromUtf8(last, plain.AsSpan(written), out _, out _, isFinalBlock: false);
            written += run.Length - whole - 1;
        }
        var rule = Inner(plain, written);
        return rule >= 0 && Hit(rule, from, to);
    }

    /// <summary>Scans decoded text; the rule of its first hit, -1 when there is none.</summary>
    int Inner(byte[] plain, int length)
    {
        var hits = _scratch.Hits;
        var before = hits.Count;
        var inner = new Scanner(_redactor, _scratch, plain.AsSpan(0, length), plain.Length, 0, _depth + 1, _personal, identifier: false);
        inner.Run();
        if (hits.Count == before) return -1;
        var rule = hits[before].Rule;
        // Binary data whose first bytes happen to be text holds no addresses and numbers of people.
        if (_redactor.IsPersonal(rule) && !Encodings.Printable(plain.AsSpan(0, length))) rule = -1;
        hits.RemoveRange(before, hits.Count - before);
        return rule;
    }

    /// <summary>URL-encoded text: decodes the run around it once and scans that; hits are mapped back.</summary>
    bool OnPercent(int start)
    {
        var text = _text;
        int from = start, to = start;
        var floor = Math.Max(_resume, _percentEnd);
        while (from > floor && text[from - 1] > ' ' && !Chars.Is(text[from - 1], Ch.Quote)) from--;
        while (to < text.Length && text[to] > ' ' && !Chars.Is(text[to], Ch.Quote) && text[to] is not ((byte)'<' or (byte)'>')) to++;
        _percentEnd = to;
        if (_depth >= RedactionScratch.DepthMax || to - from > EncodedMax) return false;
        var run = text[from..to];
        var plain = _scratch.Buffer(_depth, run.Length);
        var length = Encodings.Percent(run, plain);
        var hits = _scratch.Hits;
        var before = hits.Count;
        var inner = new Scanner(_redactor, _scratch, plain.AsSpan(0, length), plain.Length, 0, _depth + 1, _personal, _identifier);
        inner.Run();
        if (hits.Count == before) return false;
        for (var i = before; i < hits.Count; i++)
        {
            var hit = hits[i];
            var rawStart = from + Encodings.PercentOffset(run, hit.Start);
            var rawEnd = from + Encodings.PercentOffset(run, hit.Start + hit.Length);
            hits[i] = hit with { Start = rawStart + _base, Length = rawEnd - rawStart };
        }
        _resume = to;
        return true;
    }

    /// <summary>A long random word that the words before it explain ("vendor SECRET 0123…"): nothing but space or one sign between.</summary>
    bool OnExplained(int start, int end)
    {
        if (start == 0) return false;
        var before = _text[start - 1];
        if (before is not ((byte)' ' or (byte)'-' or (byte)'\'' or (byte)'"' or (byte)'(' or (byte)'\t' or (byte)'.')) return false;
        var line = _text[Math.Max(0, start - 64)..start];
        if (line.LastIndexOf((byte)'\n') is >= 0 and var cut) line = line[(cut + 1)..];
        // "name": "value": what the value is, its own name says, and not the words before that.
        var sign = line.Length - 1;
        while (sign > 0 && (Chars.Is(line[sign], Ch.Quote) || line[sign] is (byte)' ' or (byte)'\\')) sign--;
        var most = before is (byte)'"' or (byte)'\'' && line[sign] is (byte)':' or (byte)'=' ? 1 : 4;
        var kind = KeyKind.None;
        var words = 0;
        for (var p = line.Length; p > 0 && words < most;)
        {
            while (p > 0 && !Chars.Is(line[p - 1], Ch.Name) && (words == 0 || line[p - 1] is not ((byte)'/' or (byte)')' or (byte)'\t' or (byte)';'))) p--;
            var wordEnd = p;
            while (p > 0 && Chars.Is(line[p - 1], Ch.Name)) p--;
            if (wordEnd == p) break;
            kind |= ReadName(line[p..wordEnd]) & ~(KeyKind.About | KeyKind.Id | KeyKind.AccessKeyId);
            if (SaysKey(line[p..wordEnd])) kind |= KeyKind.Key;
            words++;
        }
        if ((kind & KeyKind.Vendor) == KeyKind.None) return false;
        var last = LastWord(line);
        if (before is (byte)'-' or (byte)'.' && !SaysKey(last) && (ReadName(last) & (KeyKind.Secret | KeyKind.Key | KeyKind.Vendor)) == KeyKind.None) return false;
        if (before == '.' && (kind & (KeyKind.Key | KeyKind.Secret)) == KeyKind.None) return false;
        var to = Chars.RunEnd(_text, end, Ch.Token);
        if (to < _text.Length && _text[to] is (byte)'=' or (byte)':' && to + 1 < _text.Length && _text[to + 1] != '=') return false;
        var look = Look.At(_text[start..to]);
        if (look is { Dashes: > 2, Digits: < 3 }) return false;
        return VendorLook(look, (kind & (KeyKind.Secret | KeyKind.Key)) != KeyKind.None) && Hit(RedactionRules.VendorKey, start, to);
    }

    // Words that say that a key follows, even where they are no name of one.
    static bool SaysKey(ReadOnlySpan<byte> word)
    {
        for (var i = 0; i + 6 <= word.Length; i++)
            if (Chars.StartsWithNoCase(word[i..], "access"u8) || Chars.StartsWithNoCase(word[i..], "privat"u8) || Chars.StartsWithNoCase(word[i..], "secret"u8)) return true;
        return false;
    }

    // A UUID that the word before explains.
    bool OnUuid(int start, int end) =>
        end < _text.Length && _text[end] == '-' && start + 36 <= _text.Length && Uuid(_text.Slice(start, 36)) && OnExplained(start, start + 36);

    // Terraform: 14 characters, .atlasv1. and 60 or more.
    bool OnTerraform(int start, int end)
    {
        if (end >= _text.Length || _text[end] != '.' || start < 15 || _text[start - 1] != '.') return false;
        var to = Chars.RunEnd(_text, end + 1, Ch.Token);
        return to - end > 40 && Hit(_redactor.Terraform, Chars.RunStart(_text, start - 1, Math.Max(_resume, start - 20), Ch.Alnum), to);
    }

    // The older tokens of Vault: s. and 24 characters, or s.CAES and more.
    bool OnVault(int start, int end)
    {
        if (start < 2 || _text[start - 1] != '.' || _text[start - 2] is not ((byte)'s' or (byte)'b' or (byte)'r')) return false;
        if (start > 2 && Chars.Is(_text[start - 3], Ch.Dotted)) return false;
        var to = Chars.RunEnd(_text, end, Ch.Token);
        var look = Look.At(_text[start..to]);
        if (look.Digits < 2 || look.Upper < 2 || look.Lower < 2 || !(to - start == 24 || _text[start..to].StartsWith("CAES"u8))) return false;
        return Hit(_redactor.Vault, start - 2, to);
    }

    // 123-abc.apps.googleusercontent.com
    bool OnGoogleClient(int start, int end)
    {
        if (end - start != 32 || !_text[end..].StartsWith(".apps.googleusercontent.com"u8)) return false;
        var to = end + ".apps.googleusercontent.com".Length;
        if (!Hit(_redactor.GoogleClient, Chars.RunStart(_text, start, _resume, Ch.Token), to)) return false;
        OnOtherHalf(to, 24);
        return true;
    }

    static ReadOnlySpan<byte> LastWord(ReadOnlySpan<byte> line)
    {
        var end = line.Length;
        while (end > 0 && !Chars.Is(line[end - 1], Ch.Name)) end--;
        return line[Chars.RunStart(line, end, 0, Ch.Name)..end];
    }
}
