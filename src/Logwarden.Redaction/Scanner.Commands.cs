using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>Passwords among the arguments of commands and of calls, by what the command or the call is.</summary>
ref partial struct Scanner
{
    const int ArgumentsMax = 1024;
    const int PasswordMin = 4;

    readonly int Gap(int p, int limit)
    {
        while (p < limit && Chars.Is(_text[p], Ch.Space)) p++;
        return p;
    }

    // End of the word after the space at p, -1 when there is none.
    readonly int NextArgument(int p, int limit, out int start)
    {
        start = Gap(p, limit);
        if (start == p || start >= limit) return -1;
        var rest = _text[start..limit];
        var length = rest.IndexOfAny(Blanks);
        return length < 0 ? limit : start + length;
    }

    // Where the arguments of a command end: with its line.
    readonly int LineEnd(int from)
    {
        var limit = Math.Min(_text.Length, from + ArgumentsMax);
        return _text[from..limit].IndexOfAny((byte)'\n', (byte)'\r') is >= 0 and var line ? from + line : limit;
    }

    /// <summary>One argument that is a password, without the quotes around it or what the shell has behind it.</summary>
    bool OnPassword(int from, int to)
    {
        if (to <= from) return false;
        if (Chars.Is(_text[from], Ch.Quote) && _text[(from + 1)..LineEnd(from)].IndexOf(_text[from]) is > 0 and var close)
            (from, to) = (from + 1, from + 1 + close);
        while (to > from && (Chars.Is(_text[to - 1], Ch.Quote) || _text[to - 1] is (byte)'\\' or (byte)';')) to--;
        return to - from >= PasswordMin && !Placeholders.IsReference(_text[from..to]) && Hit(RedactionRules.Password, from, to);
    }

    /// <summary>curl -u NAME:VALUE; sshpass -p VALUE, mysql -pVALUE, xfreerdp /p:VALUE: what stands between them is looked at when the result is read again.</summary>
    bool OnCommand(int end, CommandOption[] options)
    {
        var limit = LineEnd(end);
        var found = false;
        var p = Chars.RunEnd(_text, end, Ch.Dotted);
        // A command named over and over is not followed each time through the same arguments.
        if (ReferenceEquals(options, _commandOptions) && p < _commandEnd) p = _commandEnd;
        var last = p;
        while (p < limit)
        {
            var next = NextArgument(p, limit, out var word);
            if (next < 0) break;
            foreach (var option in options) found |= OnOption(word, next, limit, option);
            (last, p) = (p, next);
        }
        (_commandOptions, _commandEnd) = (options, last);
        return found;
    }

    bool OnOption(int word, int end, int limit, CommandOption option)
    {
        var argument = _text[word..end];
        if (option.Attached) return IsAttached(argument, option) && OnPassword(word + option.Name.Length, end);
        if (!argument.SequenceEqual(option.Name)) return false;
        var stop = NextArgument(end, limit, out var value);
        if (stop < 0) return false;
        if (option.Sign == 0) return _text[value] != '-' && !IsPort(_text[value..stop]) && OnPassword(value, stop);
        var sign = _text[value..stop].IndexOf(option.Sign);
        return sign > 0 && OnPassword(value + sign + 1, stop);
    }

    // -p 8080:80 and -p 3306 publish ports.
    static bool IsPort(ReadOnlySpan<byte> argument) => argument.Length <= 11 && argument.IndexOfAnyExceptInRange((byte)'0', (byte)':') < 0;

    static bool IsAttached(ReadOnlySpan<byte> argument, CommandOption option) => argument.Length >= option.Name.Length + PasswordMin && argument.StartsWith(option.Name)
        && argument.IndexOf((byte)'=') < 0 && !IsPort(argument[option.Name.Length..]) && !argument.StartsWith("-port"u8) && !argument.StartsWith("-prot"u8);

    /// <summary>net user NAME VALUE /add, on the command line of Windows; a star asks for the password, a slash begins an option.</summary>
    bool OnNetUser(int end)
    {
        var limit = LineEnd(end);
        var p = NextArgument(Chars.RunEnd(_text, end, Ch.Dotted), limit, out _);
        p = p < 0 ? p : NextArgument(p, limit, out _);
        if (p < 0) return false;
        p = NextArgument(p, limit, out var value);
        return p > 0 && IsWindowsPassword(value) && OnPassword(value, p);
    }

    /// <summary>net use [X:] \\HOST\SHARE VALUE /user:NAME.</summary>
    bool OnNetUse(int end)
    {
        var limit = LineEnd(end);
        var hasPath = false;
        for (var p = end; p < limit;)
        {
            p = NextArgument(p, limit, out var word);
            if (p < 0) return false;
            if (hasPath) return IsWindowsPassword(word) && OnPassword(word, p);
            hasPath = _text[word] == '\\';
        }
        return false;
    }

    readonly bool IsWindowsPassword(int value) => _text[value] is not ((byte)'/' or (byte)'*');

    /// <summary>sqlplus NAME/VALUE@HOST, jdbc:oracle:thin:NAME/VALUE@HOST.</summary>
    bool OnSlashedAccount(int end)
    {
        var from = _text[end] == ':' ? end + 1 : Gap(end, LineEnd(end));
        var slash = Chars.RunEnd(_text, from, Ch.Dotted);
        if (slash == from || slash >= _text.Length || _text[slash] != '/') return false;
        var rest = _text[(slash + 1)..LineEnd(slash)];
        var length = rest.IndexOfAny("@ \"'"u8);
        return OnPassword(slash + 1, slash + 1 + (length < 0 ? rest.Length : length));
    }

    /// <summary>echo NAME:VALUE | chpasswd, echo VALUE | passwd --stdin NAME: what is written to the command before it.</summary>
    bool OnChangePassword(int start)
    {
        var floor = Math.Max(_resume, start - ArgumentsMax);
        var before = _text[floor..start];
        if (before.LastIndexOfAny((byte)'\n', (byte)';') is >= 0 and var line)
        {
            floor += line + 1;
            before = _text[floor..start];
        }
        var pipe = before.LastIndexOf((byte)'|');
        // Right behind it, perhaps as root: a file of that name gets no password.
        if (pipe >= 0 && before[(pipe + 1)..].Trim(Blanks) is { IsEmpty: false } between && !between.SequenceEqual("sudo"u8)) return false;
        var echo = pipe < 0 ? -1 : before[..pipe].LastIndexOf("echo "u8);
        if (echo < 0) return false;
        var from = floor + echo + 5;
        var to = floor + pipe;
        while (to > from && _text[to - 1] == ' ') to--;
        while (from < to && (_text[from] == ' ' || Chars.Is(_text[from], Ch.Quote))) from++;
        if (_text[from..to].IndexOf((byte)':') is > 0 and var colon) from += colon + 1;
        return OnPassword(from, to);
    }

    /// <summary>htpasswd -b FILE NAME VALUE: with that option the last argument.</summary>
    bool OnLastArgument(int end)
    {
        var limit = LineEnd(end);
        var p = NextArgument(end, limit, out var option);
        if (p < 0 || _text[option..p].IndexOf((byte)'b') < 0) return false;
        var (arguments, last, lastEnd) = (0, 0, 0);
        while ((p = NextArgument(p, limit, out var word)) > 0 && _text[word] is not ((byte)'|' or (byte)'&' or (byte)'>' or (byte)';'))
        {
            arguments++;
            (last, lastEnd) = (word, p);
        }
        return arguments >= 2 && OnPassword(last, lastEnd);
    }

    /// <summary>NetworkCredential("account", "password") and its like in other languages: the second of two quoted arguments.</summary>
    bool OnArguments(int end)
    {
        var limit = LineEnd(end);
        var p = end;
        while (p < limit && _text[p] is (byte)'(' or (byte)'=' or (byte)' ' or (byte)'N') p++;
        for (var argument = 0; argument < 2; argument++)
        {
            if (p >= limit || _text[p] is not ((byte)'"' or (byte)'\'')) return false;
            var close = _text[(p + 1)..limit].IndexOf(_text[p]);
            if (close < 0) return false;
            if (argument == 1) return OnPassword(p + 1, p + 1 + close);
            p = Gap(p + close + 2, limit);
            if (p >= limit || _text[p++] != ',') return false;
            p = Gap(p, limit);
        }
        return false;
    }

    /// <summary>new DirectoryEntry("LDAP://…", "account", "password"): all three arguments.</summary>
    bool OnDirectoryEntry(int end)
    {
        if (end >= _text.Length || _text[end] != '(') return false;
        var limit = Math.Min(_text.Length, end + ArgumentsMax);
        int p = end + 1, arguments = 0, first = 0, last = 0;
        while (arguments < 3)
        {
            p = Gap(p, limit);
            if (p >= limit || _text[p] is not ((byte)'"' or (byte)'\'')) return false;
            var close = _text[(p + 1)..limit].IndexOf(_text[p]);
            if (close < 0) return false;
            if (arguments++ == 0) first = p + 1;
            last = p + 1 + close;
            p = Gap(last + 1, limit);
            if (arguments < 3 && (p >= limit || _text[p++] != ',')) return false;
        }
        return Hit(RedactionRules.ConnectionString, first, last);
    }
}
