using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Logwarden.Redaction.Rules;

namespace Logwarden.Redaction;

/// <summary>What becomes of personal data in the text at hand.</summary>
enum Personal : byte
{
    ByRule,
    Keep,
    Pseudonym,
}

/// <summary>
/// The one pass over a text. Budget: 3 ns per word of ordinary text (bench row "redact"). A SIMD loop cuts the text into words
/// ([A-Za-z0-9_]+) and visits each once, left to right. A word is looked at for four things only: does a known token start
/// here (one hash of three bytes), does it start with a digit, is it long, and what follows it (a separator, an @). Everything
/// dearer is behind those four tests. A hit moves <c>_resume</c> forward, so that no byte is reported twice.
/// </summary>
ref partial struct Scanner
{
    readonly Redactor _redactor;
    readonly RedactionScratch _scratch;
    readonly ReadOnlySpan<byte> _text;
    readonly int _readable;
    readonly int _base;
    readonly int _depth;
    readonly Personal _personal;
    readonly bool _identifier;
    int _resume;
    int _longEnd;
    int _percentEnd;
    int _hashEnd;
    int _jwtEnd;
    CommandOption[]? _commandOptions;
    int _commandEnd;
    int _nearStart = -1;
    int _nearKnown;
    int _nearFound;

    /// <summary>Prepares a pass.</summary>
    /// <param name="redactor">Rules and what they do.</param>
    /// <param name="scratch">Where hits go.</param>
    /// <param name="text">The text.</param>
    /// <param name="readable">Bytes that may be read from the start of the text on: at least its length, more when it is a part of a larger buffer.</param>
    /// <param name="origin">Offset of the text, added to the offsets of hits.</param>
    /// <param name="depth">How many decodings lie between the input and this text.</param>
    /// <param name="personal">What becomes of personal data.</param>
    /// <param name="identifier">The text is a field that holds an access key id as an identifier.</param>
    public Scanner(Redactor redactor, RedactionScratch scratch, ReadOnlySpan<byte> text, int readable, int origin, int depth, Personal personal, bool identifier)
    {
        _redactor = redactor;
        _scratch = scratch;
        _text = text;
        _readable = readable;
        _base = origin;
        _depth = depth;
        _personal = personal;
        _identifier = identifier;
    }

    /// <summary>Runs the pass.</summary>
    public void Run()
    {
        var n = _text.Length;
        uint carry = 0;
        var wordStart = -1;
        for (var i = 0; i < n; i += Blocks.Bytes)
        {
            var mask = WordMask(Blocks.At(_text, _readable, i));
            if (n - i < Blocks.Bytes) mask &= (1u << (n - i)) - 1;
            var edges = mask ^ (mask << 1 | carry);
            carry = mask >> 31;
            while (edges != 0)
            {
                var p = i + BitOperations.TrailingZeroCount(edges);
                edges &= edges - 1;
                if (wordStart < 0)
                {
                    wordStart = p;
                    continue;
                }
                if (wordStart >= _resume) OnWord(wordStart, p);
                wordStart = -1;
            }
        }
        if (wordStart >= _resume && wordStart >= 0) OnWord(wordStart, n);
    }

    /// <summary>One bit per byte: letter, digit or underscore.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    static uint WordMask(Vector256<byte> v)
    {
        var letter = Vector256.LessThanOrEqual((v | Vector256.Create((byte)0x20)) - Vector256.Create((byte)'a'), Vector256.Create((byte)25));
        var digit = Vector256.LessThanOrEqual(v - Vector256.Create((byte)'0'), Vector256.Create((byte)9));
        var under = Vector256.Equals(v, Vector256.Create((byte)'_'));
        return (letter | digit | under).ExtractMostSignificantBits();
    }

    void OnWord(int start, int end)
    {
        var text = _text;
        if (start > 0)
        {
            var left = text[start - 1];
            if (left is (byte)'%' or (byte)'\\' or (byte)'$' or (byte)'[' && OnLeft(left, ref start, end)) return;
        }
        var candidate = RedactionRules.TokenTable.Candidate(LiteralTable.Three(text, start));
        if (candidate != 0 && OnToken(candidate, start)) return;
        var special = SpecialWords.Table.Candidate(LiteralTable.Three(text, start));
        if (special != 0 && OnSpecial(special, start, end)) return;
        var first = text[start];
        var length = end - start;
        if (first <= (byte)'9')
        {
            if (_personal != Personal.Keep && OnNumber(start, end)) return;
            if (end < text.Length && text[end] == ':' && length is >= 8 and <= 10 && OnTelegram(start, end)) return;
        }
        else if (length is 9 or 16 || (length >= 4 && Chars.Is(text[start + 2], Ch.Digit)))
        {
            if (_personal != Personal.Keep && OnIdWord(start, end)) return;
        }
        if (length >= LongWord ? OnLong(start, end) : length == 8 && start > 0 && OnUuid(start, end)) return;
        if (end < text.Length && Follows[text[end]] != 0) OnFollow(start, end);
    }

    /// <summary>What stands before a word and changes how it reads. True when the word is dealt with.</summary>
    bool OnLeft(byte left, ref int start, int end)
    {
        if (left == '[')
        {
            var marker = Placeholders.MarkerLength(_text[(start - 1)..]);
            if (marker == 0) return false;
            _resume = start - 1 + marker;
            return true;
        }
        if (left == '$') return OnHash(start);
        if (left == '%')
        {
            if (end - start < 2 || Chars.HexValue(_text[start]) < 0 || Chars.HexValue(_text[start + 1]) < 0) return false;
            if (start >= _percentEnd && OnPercent(start)) return true;
            start += 2;
            return start >= end;
        }
        // An escape of a string inside a string: its letter is not part of the word.
        if (_text[start] is (byte)'n' or (byte)'r' or (byte)'t' && end - start > 1) start++;
        else if (_text[start] == 'u' && end - start > 5 && Chars.HexValue(_text[start + 1]) >= 0 && Chars.HexValue(_text[start + 4]) >= 0) start += 5;
        return false;
    }

    bool OnToken(int candidate, int start)
    {
        var text = _text[start..];
        for (var c = candidate; c != 0; c = RedactionRules.TokenTable.Next(c))
        {
            if (!RedactionRules.TokenTable.Matches(c, text)) continue;
            var length = RedactionRules.Tokens[c - 1].Match(text);
            if (length == 0) continue;
            // So little of a sign may also be a piece of base64.
            if (RedactionRules.Tokens[c - 1].Distinct == 0 && start > 0 && _text[start - 1] is (byte)'+' or (byte)'/') continue;
            var rule = RedactionRules.TokenRules[c - 1];
            if (rule == _redactor.AwsKeyId && !OnAwsKeyId(start, length)) return true;
            if (Hit(rule, start, start + length))
            {
                if (rule == _redactor.AwsKeyId) OnAwsSecret(start + length);
                else if (rule == _redactor.AlibabaKeyId) OnOtherHalf(start + length, 30);
                return true;
            }
        }
        return false;
    }

    // Documentation's own ids end in EXAMPLE; a field that holds nothing but an id names a principal (see KeyKind.AccessKeyId).
    readonly bool OnAwsKeyId(int start, int length) => !_text.Slice(start, length).EndsWith("EXAMPLE"u8) && !_identifier;

    void OnAwsSecret(int from)
    {
        var limit = Math.Min(_text.Length, from + 120);
        for (var i = from; i < limit; i++)
        {
            if (!Chars.Is(_text[i], Ch.Base64)) continue;
            var end = Chars.RunEnd(_text, i, Ch.Alnum | Ch.Plus | Ch.Slash);
            if (end - i == 40 && Look.At(_text[i..end]) is { Entropy: > 4.0, Digits: > 0, Upper: > 2, Lower: > 2 })
            {
                Hit(RedactionRules.AwsSecretKey, i, end);
                return;
            }
            i = Math.Max(i, end);
        }
    }

    /// <summary>Records a hit unless its rule is off. Personal rules follow what the text is.</summary>
    bool Hit(int rule, int start, int end)
    {
        var action = _redactor.ActionOf(rule);
        if (action == RedactionAction.Keep) return false;
        if (_personal != Personal.ByRule && _redactor.IsPersonal(rule))
        {
            if (_personal == Personal.Keep) return false;
            action = RedactionAction.Pseudonym;
        }
        if (start < _resume) start = _resume;
        start = BehindMarker(start);
        if (start >= end) return false;
        _scratch.Hits.Add(new RedactionFinding(rule, start + _base, end - start, action));
        _resume = end;
        return true;
    }

    // A place inside the marker of an earlier redaction is moved behind it.
    readonly int BehindMarker(int start)
    {
        var floor = Math.Max(0, start - 100);
        var open = _text[floor..start].LastIndexOf((byte)'[');
        if (open < 0) return start;
        var marker = Placeholders.MarkerLength(_text[(floor + open)..]);
        return marker > 0 && floor + open + marker > start ? floor + open + marker : start;
    }

    /// <summary>What a byte after a word may mean: 1 = a separator or something before one, 2 = an @.</summary>
    static ReadOnlySpan<byte> Follows => FollowTable;

    static readonly byte[] FollowTable = BuildFollows();

    static byte[] BuildFollows()
    {
        var table = new byte[256];
        foreach (var c in "=:>\"'`])\\ \t!|?~<(") table[c] = 1;
        table['@'] = 2;
        return table;
    }

    void OnFollow(int start, int end)
    {
        var next = _text[end];
        if (next == '@')
        {
            OnAt(start, end);
            return;
        }
        if (next == '|' && OnAppToken(start, end)) return;
        if (next == ':' && end + 2 < _text.Length && _text[end + 1] == '/' && OnUrl(end)) return;
        OnKey(start, end);
    }
}
