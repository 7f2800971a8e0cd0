using System.Text;
using Logwarden.Redaction;

namespace Logwarden.Formats;

/// <summary>
/// Goes over SQL word by word as <see cref="SqlTokens"/> does, without blanks and comments, and reads names and literals the way PostgreSQL would. Any bytes will do.
/// </summary>
/// <param name="sql">The text.</param>
/// <param name="isBlock">It is the body of a block or function: what is behind words such as THEN is another statement.</param>
ref struct SqlWords(ReadOnlySpan<byte> sql, bool isBlock)
{
    SqlTokens _tokens = new(sql);
    byte _escape;

    /// <summary>What the current word is; <see cref="SqlToken.Other"/> at the end.</summary>
    public SqlToken Kind { get; private set; }

    /// <summary>How its content is to be read, when it has quotes.</summary>
    public SqlForm Form { get; private set; }

    /// <summary>A word as it stands, of what has quotes the content; empty at the end.</summary>
    public ReadOnlySpan<byte> Word { get; private set; }

    /// <summary>Is it a literal?</summary>
    public readonly bool IsLiteral => Kind == SqlToken.Literal;

    /// <summary>Is it a name, quoted or not, or a keyword?</summary>
    public readonly bool IsName => Kind is SqlToken.Name or SqlToken.QuotedName;

    /// <summary>Is the text at its end?</summary>
    public readonly bool IsAtEnd => Kind == SqlToken.Other && Word.IsEmpty;

    /// <summary>Is the statement at its end?</summary>
    public readonly bool IsStatementEnd => Is((byte)';') || IsAtEnd || (isBlock && BeginsStatement);

    /// <summary>Is it a word behind which, in a block, a statement begins?</summary>
    public readonly bool BeginsStatement => Kind == SqlToken.Name && (Is("begin"u8) || Is("then"u8) || Is("else"u8) || Is("loop"u8));

    /// <summary>Goes to the next word.</summary>
    /// <returns>False at the end.</returns>
    public bool Next()
    {
        if (!Step()) return false;
        if (Form != SqlForm.Unicode || Kind is not (SqlToken.Literal or SqlToken.QuotedName)) return true;
        // What escapes in it may be told behind it: U&"d!0061t" UESCAPE '!'.
        _escape = (byte)'\\';
        var ahead = this;
        if (!ahead.Step() || !ahead.Is("uescape"u8) || !ahead.Step() || !ahead.IsLiteral || ahead.Word.Length != 1) return true;
        _escape = ahead.Word[0];
        _tokens = ahead._tokens;
        return true;
    }

    /// <summary>Is it this word, in small letters, without quotes?</summary>
    public readonly bool Is(ReadOnlySpan<byte> word) => Kind == SqlToken.Name && Ascii.EqualsIgnoreCase(Word, word);

    /// <summary>Is it this sign?</summary>
    public readonly bool Is(byte sign) => Kind == SqlToken.Other && Word.Length == 1 && Word[0] == sign;

    /// <summary>Is it this name, in small letters, however it is quoted?</summary>
    public readonly bool IsNamed(ReadOnlySpan<byte> name) =>
        IsName && (IsPlain ? Ascii.EqualsIgnoreCase(Word, name) : Word.Length >= name.Length && Ascii.EqualsIgnoreCase(Read(stackalloc byte[64]), name));

    /// <summary>Goes to the next of these words within the statement.</summary>
    /// <returns>False at the end of the statement, where it then stands.</returns>
    public bool Find(ReadOnlySpan<byte> word, ReadOnlySpan<byte> other)
    {
        while (!IsStatementEnd && Next())
        {
            if (Is(word) || Is(other)) return true;
        }
        return false;
    }

    /// <summary>Goes over this sign.</summary>
    /// <returns>False when it is another; it then stands where it stood.</returns>
    public bool Take(byte sign)
    {
        if (!Is(sign)) return false;
        Next();
        return true;
    }

    /// <summary>The current name or literal as PostgreSQL reads it; of a long one only what there is room for.</summary>
    /// <param name="room">Where it is written when it is not as it stands. With as many bytes as <see cref="Word"/> it holds all.</param>
    public readonly ReadOnlySpan<byte> Read(Span<byte> room)
    {
        if (IsPlain) return Word;
        var (at, written) = (0, 0);
        while (at < Word.Length && room.Length - written >= 4) written += Piece(Word, ref at, room[written..]);
        return room[..written];
    }

    /// <summary>The same, all of it.</summary>
    public readonly ReadOnlySpan<byte> ReadAll() => IsPlain ? Word : Read(new byte[Word.Length + 4]);

    bool Step()
    {
        while (_tokens.Next())
        {
            Kind = _tokens.Kind;
            if (Kind == SqlToken.Comment || (Kind == SqlToken.Other && _tokens.Text[0] <= ' ')) continue;
            var hasQuotes = Kind is SqlToken.Literal or SqlToken.QuotedName;
            Word = hasQuotes ? _tokens.Inside : _tokens.Text;
            Form = hasQuotes ? _tokens.Form : SqlForm.Dollar;
            return true;
        }
        Kind = SqlToken.Other;
        Word = default;
        return false;
    }

    /// <summary>Is its content what it means?</summary>
    readonly bool IsPlain => Form switch
    {
        SqlForm.Plain => !Word.Contains(Kind == SqlToken.Literal ? (byte)'\'' : (byte)'"'),
        SqlForm.Escapes => Word.IndexOfAny((byte)'\'', (byte)'\\') < 0,
        SqlForm.Unicode => Word.IndexOfAny((byte)'\'', (byte)'"', _escape) < 0,
        _ => true,
    };

    /// <summary>One byte, or what an escape stands for; never more bytes than there stood, and at most four.</summary>
    readonly int Piece(ReadOnlySpan<byte> word, ref int at, Span<byte> output)
    {
        var c = word[at++];
        if (Form == SqlForm.Escapes && c == '\\' && at < word.Length) return Escape(word, ref at, output);
        if (Form == SqlForm.Unicode && c == _escape && at < word.Length)
        {
            if (word[at] != _escape) return word[at] == '+' ? Character(word, 1, 6, ref at, output) : Character(word, 0, 4, ref at, output);
            at++;
        }
        // A quote within quotes is doubled.
        else if (c == (Kind == SqlToken.Literal ? '\'' : '"'))
        {
            at++;
        }
        output[0] = c;
        return 1;
    }

    static int Escape(ReadOnlySpan<byte> word, ref int at, Span<byte> output)
    {
        var c = word[at];
        if (c == 'u') return Character(word, 1, 4, ref at, output);
        if (c == 'U') return Character(word, 1, 8, ref at, output);
        at++;
        var value = 0;
        if (c == 'x' && at < word.Length && char.IsAsciiHexDigit((char)word[at]))
        {
            for (var digits = 0; digits < 2 && at < word.Length && char.IsAsciiHexDigit((char)word[at]); digits++) value = (value * 16) + Convert.ToInt32(((char)word[at++]).ToString(), 16);
        }
        else if (c is >= (byte)'0' and <= (byte)'7')
        {
            at--;
            for (var digits = 0; digits < 3 && at < word.Length && word[at] is >= (byte)'0' and <= (byte)'7'; digits++) value = (value * 8) + word[at++] - '0';
        }
        else
        {
            value = c switch { (byte)'b' => '\b', (byte)'f' => '\f', (byte)'n' => '\n', (byte)'r' => '\r', (byte)'t' => '\t', _ => c };
        }
        output[0] = (byte)(value & 0xFF);
        return 1;
    }

    // A character by its number: so many digits behind so many other signs.
    static int Character(ReadOnlySpan<byte> word, int before, int digits, ref int at, Span<byte> output)
    {
        var number = word[Math.Min(at + before, word.Length)..Math.Min(at + before + digits, word.Length)];
        at = Math.Min(at + before + digits, word.Length);
        if (number.Length == digits && System.Buffers.Text.Utf8Parser.TryParse(number, out uint value, out var used, 'x') && used == digits && Rune.TryCreate(value, out var rune))
            return rune.EncodeToUtf8(output);
        output[0] = (byte)'?';
        return 1;
    }
}
