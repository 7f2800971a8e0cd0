namespace Logwarden.Redaction;

/// <summary>Connection strings: the account that a password belongs to goes with it, since both together are the credential.</summary>
ref partial struct Scanner
{
    const int ConnectionMax = 400;

    /// <summary>Redacts the account in the pairs around a password that was found at start..end.</summary>
    void OnConnection(int nameStart, int start, int end, bool before)
    {
        if (before)
        {
            var from = nameStart;
            var floor = Math.Max(_resume, nameStart - ConnectionMax);
            while (from > floor && (_text[from - 1] is not ((byte)'\n' or (byte)'<' or (byte)'>') || (from > 1 && _text[from - 2] == ';'))) from--;
            OnAccount(from, nameStart);
            return;
        }
        if (end >= _text.Length || _text[end] is not ((byte)';' or (byte)'\\' or (byte)'"')) return;
        var to = end;
        while (to < _text.Length && to < end + ConnectionMax && !(_text[to] == '\n' && _text[to - 1] != ';') && _text[to] is not ((byte)'"' or (byte)'\'' or (byte)'<' or (byte)'>')) to++;
        if (_text[end] == ';') OnAccount(end, to);
    }

    void OnAccount(int from, int to)
    {
        var pairs = _text[from..to];
        if (pairs.IndexOf((byte)';') < 0) return;
        for (var at = 0; at < pairs.Length;)
        {
            var equal = pairs[at..].IndexOf((byte)'=');
            if (equal < 0) return;
            equal += at;
            var nameEnd = equal;
            while (nameEnd > at && pairs[nameEnd - 1] == ' ') nameEnd--;
            var nameStart = nameEnd;
            while (nameStart > at && (Chars.Is(pairs[nameStart - 1], Ch.Alnum) || (pairs[nameStart - 1] == ' ' && nameStart > 1 && Chars.Is(pairs[nameStart - 2], Ch.Letter)))) nameStart--;
            var valueStart = equal + 1;
            while (valueStart < pairs.Length && pairs[valueStart] is (byte)' ' or (byte)'\\' or (byte)'"' or (byte)'\'') valueStart++;
            var length = pairs[valueStart..].IndexOfAny(";\\\"'"u8);
            if (length < 0) length = 0;
            if (pairs[valueStart..].StartsWith("#{"u8) && pairs[valueStart..].IndexOf((byte)'}') is > 0 and var brace) length = brace + 1;
            if (length > 0 && IsAccount(pairs[nameStart..nameEnd]) && !Placeholders.IsReference(pairs.Slice(valueStart, length)))
                Hit(RedactionRules.ConnectionString, from + valueStart, from + valueStart + length);
            else if (length > 0 && pairs[nameStart..nameEnd].EndsWith("Endpoint"u8)) OnEndpoint(from + valueStart, from + valueStart + length);
            at = equal + 1;
        }
    }

    // BlobEndpoint=http://127.0.0.1:8440/account: a path here is the account again.
    void OnEndpoint(int start, int end)
    {
        var host = _text[start..end].IndexOf("://"u8);
        if (host < 0) return;
        var path = _text[(start + host + 3)..end].IndexOf((byte)'/');
        if (path > 0 && start + host + 4 + path < end) Hit(RedactionRules.ConnectionString, start + host + 4 + path, end);
    }

    static bool IsAccount(ReadOnlySpan<byte> name)
    {
        Span<byte> compact = stackalloc byte[24];
        var n = 0;
        foreach (var c in name)
        {
            if (!Chars.Is(c, Ch.Alnum)) continue;
            if (n == compact.Length) return false;
            compact[n++] = Chars.Lower(c);
        }
        compact = compact[..n];
        return compact.SequenceEqual("userid"u8) || compact.SequenceEqual("uid"u8) || compact.SequenceEqual("user"u8) || compact.SequenceEqual("username"u8) || compact.SequenceEqual("login"u8)
            || compact.SequenceEqual("accountname"u8) || compact.SequenceEqual("sharedaccesskeyname"u8);
    }
}
