using System.Buffers;

namespace Logwarden.Formats;

/// <summary>
/// Goes over SQL word by word the way PostgreSQL's lexer does: comments are skipped, and neither they nor literals are taken for words.
/// Any bytes will do; a literal that does not end reaches to the end.
/// </summary>
ref struct SqlWords(ReadOnlySpan<byte> sql)
{
    static readonly SearchValues<byte> WordBytes = SearchValues.Create(
        [.. "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.$"u8, .. Enumerable.Range(0x80, 0x80).Select(b => (byte)b)]);

    ReadOnlySpan<byte> _rest = sql;
    bool _hasEscapes;

    /// <summary>Is the current word a literal, whose content <see cref="Word"/> is?</summary>
    public bool IsLiteral { get; private set; }

    /// <summary>A name or keyword without its double quotes, the content of a literal, or one byte of anything else.</summary>
    public ReadOnlySpan<byte> Word { get; private set; }

    /// <summary>Goes to the next word.</summary>
    /// <returns>False at the end.</returns>
    public bool Next()
    {
        SkipBlanks();
        IsLiteral = false;
        Word = default;
        if (_rest.IsEmpty) return false;
        switch (_rest[0])
        {
            case (byte)'"':
                Quoted((byte)'"');
                return true;
            case (byte)'\'':
                IsLiteral = true;
                if (_hasEscapes) QuotedWithEscapes();
                else Quoted((byte)'\'');
                _hasEscapes = false;
                return true;
            case (byte)'$' when DollarTag() is var tag and > 0:
                IsLiteral = true;
                var end = _rest[tag..].IndexOf(_rest[..tag]);
                Take(tag, end < 0 ? _rest.Length - tag : end, end < 0 ? 0 : tag);
                return true;
        }
        var length = _rest.IndexOfAnyExcept(WordBytes);
        if (length < 0) length = _rest.Length;
        Take(0, Math.Max(1, length), 0);
        _hasEscapes = Is("e"u8) && _rest is [(byte)'\'', ..];
        return true;
    }

    /// <summary>Is the current word this one, which is in small letters? A literal is no word.</summary>
    public readonly bool Is(ReadOnlySpan<byte> word) => !IsLiteral && System.Text.Ascii.EqualsIgnoreCase(Word, word);

    /// <summary>Goes to the next of these words within the statement.</summary>
    /// <returns>False at the end of the statement, where it then stands.</returns>
    public bool Find(ReadOnlySpan<byte> word, ReadOnlySpan<byte> other)
    {
        while (!Is(";"u8) && Next())
        {
            if (Is(word) || Is(other)) return true;
        }
        return false;
    }

    void SkipBlanks()
    {
        while (true)
        {
            _rest = _rest.TrimStart(" \t\r\n\f\v"u8);
            if (_rest.StartsWith("--"u8))
            {
                var end = _rest.IndexOf((byte)'\n');
                _rest = end < 0 ? default : _rest[end..];
            }
            else if (_rest.StartsWith("/*"u8))
            {
                SkipComment();
            }
            else
            {
                return;
            }
        }
    }

    void SkipComment()
    {
        var depth = 0;
        do
        {
            var at = _rest.IndexOfAny((byte)'/', (byte)'*');
            if (at < 0 || at + 1 >= _rest.Length)
            {
                _rest = default;
                return;
            }
            var (isOpening, isClosing) = (_rest[at..].StartsWith("/*"u8), _rest[at..].StartsWith("*/"u8));
            depth += isOpening ? 1 : isClosing ? -1 : 0;
            _rest = _rest[(at + (isOpening || isClosing ? 2 : 1))..];
        }
        while (depth > 0);
    }

    /// <summary>Takes to the closing quote; a doubled one is inside.</summary>
    void Quoted(byte quote)
    {
        var at = 1;
        while (true)
        {
            var end = _rest[at..].IndexOf(quote);
            if (end < 0)
            {
                Take(1, _rest.Length - 1, 0);
                return;
            }
            at += end;
            if (at + 1 >= _rest.Length || _rest[at + 1] != quote)
            {
                Take(1, at - 1, 1);
                return;
            }
            at += 2;
        }
    }

    void QuotedWithEscapes()
    {
        var at = 1;
        while (at < _rest.Length && (_rest[at] != '\'' || (at + 1 < _rest.Length && _rest[at + 1] == '\'')))
            at += _rest[at] is (byte)'\\' or (byte)'\'' ? 2 : 1;
        at = Math.Min(at, _rest.Length);
        Take(1, at - 1, Math.Min(1, _rest.Length - at));
    }

    /// <summary>Bytes of <c>$tag$</c> that begins here; 0 when there is none, as for a parameter.</summary>
    readonly int DollarTag()
    {
        var end = _rest[1..].IndexOfAnyExcept(WordBytes);
        var close = _rest[1..].IndexOf((byte)'$');
        if (close < 0 || (end >= 0 && end < close) || (close > 0 && char.IsAsciiDigit((char)_rest[1]))) return 0;
        return close + 2;
    }

    void Take(int before, int length, int after)
    {
        Word = _rest.Slice(before, length);
        _rest = _rest[(before + length + after)..];
    }
}
