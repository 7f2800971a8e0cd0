using System.Buffers;
using System.Text;

namespace Logwarden.Formats;

/// <summary>What a statement means for LOG-3; the weightier the higher.</summary>
enum SecurityChange
{
    /// <summary>It changes no security setting.</summary>
    None,

    /// <summary>It changes who may do what, or how the server is set up.</summary>
    Setting,

    /// <summary>It changes or may turn off what is logged.</summary>
    Logging,
}

/// <summary>
/// Finds the statements of PostgreSQL that change security settings, and above all logging itself: settings of the log and of pgaudit wherever they can be set
/// (<see cref="PostgresSettings"/>), the libraries that are loaded, extensions, event triggers, roles, rights and row security; also in the bodies of blocks and functions, and in the text that
/// these execute as far as it stands there. What is put together in variables, or done by functions that stand elsewhere, can't be seen.
/// </summary>
static class PostgresSecurity
{
    // Statements in blocks in statements. Deeper, nobody writes for a purpose that may be seen.
    const int DepthMax = 5;

    /// <summary>What the weightiest of the statements in a text does. The name of a command, such as <c>DROP EXTENSION</c>, will do for a statement.</summary>
    public static SecurityChange Of(ReadOnlySpan<byte> sql) => Of(sql, 0);

    static SecurityChange Of(ReadOnlySpan<byte> sql, int depth)
    {
        if (depth > DepthMax) return SecurityChange.Logging;
        var words = new SqlWords(sql, isBlock: depth > 0);
        var change = SecurityChange.None;
        var isStart = true;
        // The word before this one, and the one before the name that this one is the last part of.
        ReadOnlySpan<byte> last = default, before = default;
        while (change < SecurityChange.Logging && words.Next())
        {
            if (words.IsStatementEnd || (isStart && words.BeginsStatement))
            {
                isStart = true;
                last = default;
                continue;
            }
            if (isStart) change = Max(change, Statement(words, depth));
            isStart = false;
            if (words.Is((byte)'.'))
            {
                last = before;
                continue;
            }
            before = last;
            if (words.IsName) change = Max(change, Anywhere(words, before, depth));
            // UPDATE ONLY (t) updates t.
            if (!(IsUpdate(last) && (words.Is("only"u8) || words.Is((byte)'(')))) last = words.IsName ? words.Word : default;
        }
        return change;
    }

    /// <summary>What the kind of a statement tells, whose first word the words stand at.</summary>
    static SecurityChange Statement(SqlWords words, int depth)
    {
        if (words.Is("set"u8) || words.Is("reset"u8)) return Session(words, depth);
        if (words.Is("alter"u8)) return Alter(words, depth);
        if (words.Is("create"u8)) return Create(words, depth);
        if (words.Is("drop"u8)) return Drop(words);
        if (words.Is("do"u8)) return Block(words, depth);
        return words.Is("grant"u8) || words.Is("revoke"u8) || words.Is("reassign"u8) || words.Is("security"u8) ? SecurityChange.Setting : SecurityChange.None;
    }

    /// <summary>What a name tells wherever in a statement it stands.</summary>
    static SecurityChange Anywhere(scoped in SqlWords words, ReadOnlySpan<byte> before, int depth)
    {
        if (words.IsNamed("set_config"u8)) return PostgresSettings.OfCall(words, before);
        if (IsUpdate(before) && words.IsNamed("pg_settings"u8)) return PostgresSettings.OfUpdate(words);
        return depth > 0 && words.Is("execute"u8) ? Executed(words, depth) : SecurityChange.None;
    }

    static bool IsUpdate(ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(word, "update"u8);

    static SecurityChange Session(SqlWords words, int depth)
    {
        words.Next();
        if (words.Is("session"u8) || words.Is("local"u8)) words.Next();
        return Name(words, depth);
    }

    /// <summary>The words stand at the name of a setting. A text may end before it: the name of a command, or a statement that is put together.</summary>
    static SecurityChange Name(scoped in SqlWords words, int depth) =>
        words.IsAtEnd && depth == 0 ? SecurityChange.None : PostgresSettings.OfName(words);

    static SecurityChange Alter(SqlWords words, int depth)
    {
        words.Next();
        if (words.Is("system"u8) || words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("database"u8))
            return Max(SecurityChange.Setting, Set(words, depth));
        if (words.Is("function"u8) || words.Is("procedure"u8) || words.Is("routine"u8)) return Set(words, depth);
        if (words.Is("event"u8)) return words.Find("disable"u8, "disable"u8) ? SecurityChange.Logging : SecurityChange.Setting;
        if (words.Is("extension"u8)) return Extension(words);
        if (words.Is("policy"u8) || words.Is("default"u8)) return SecurityChange.Setting;
        // DISABLE TRIGGER, DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY.
        return words.Is("table"u8) && words.Find("trigger"u8, "security"u8) ? SecurityChange.Setting : SecurityChange.None;
    }

    static SecurityChange Create(SqlWords words, int depth)
    {
        words.Next();
        if (words.Is("or"u8) && words.Next()) words.Next();
        if (words.Is("extension"u8)) return Extension(words);
        if (words.Is("function"u8) || words.Is("procedure"u8)) return Function(words, depth);
        return words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("policy"u8) || words.Is("event"u8)
            ? SecurityChange.Setting
            : SecurityChange.None;
    }

    static SecurityChange Drop(SqlWords words)
    {
        words.Next();
        if (words.Is("extension"u8)) return Extension(words);
        if (words.Is("event"u8)) return SecurityChange.Logging;
        return words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("policy"u8) || words.Is("owned"u8) || words.Is("trigger"u8)
            ? SecurityChange.Setting
            : SecurityChange.None;
    }

    /// <summary>Any of the extensions named is one that logs.</summary>
    static SecurityChange Extension(SqlWords words)
    {
        while (words.Next() && !words.IsStatementEnd)
        {
            if (words.IsName && PostgresSettings.OfName(words) == SecurityChange.Logging) return SecurityChange.Logging;
        }
        return SecurityChange.Setting;
    }

    /// <summary>What stands behind SET or RESET in the statement.</summary>
    static SecurityChange Set(SqlWords words, int depth)
    {
        var change = SecurityChange.None;
        while (words.Find("set"u8, "reset"u8)) change = Max(change, Set(ref words, depth));
        return change;
    }

    static SecurityChange Set(scoped ref SqlWords words, int depth)
    {
        var isReset = words.Is("reset"u8);
        words.Next();
        return isReset && words.Is("all"u8) ? SecurityChange.Logging : Name(words, depth);
    }

    /// <summary>The settings of a function, and what is in its body.</summary>
    static SecurityChange Function(SqlWords words, int depth)
    {
        var change = SecurityChange.None;
        // What follows ATOMIC are statements, not parts of this one.
        while (change < SecurityChange.Logging && words.Next() && !words.IsStatementEnd && !words.Is("atomic"u8))
        {
            if (words.Is("set"u8) || words.Is("reset"u8)) change = Max(change, Set(ref words, depth));
            else if (words.Is("as"u8) && words.Next() && words.IsLiteral) change = Max(change, Of(words.ReadAll(), depth + 1));
        }
        return change;
    }

    static SecurityChange Block(SqlWords words, int depth)
    {
        words.Next();
        if (words.Is("language"u8) && words.Next()) words.Next();
        return words.IsLiteral ? Of(words.ReadAll(), depth + 1) : SecurityChange.None;
    }

    /// <summary>The words stand at EXECUTE in a block: what is executed, as far as it stands there.</summary>
    static SecurityChange Executed(SqlWords words, int depth)
    {
        words.Next();
        // CREATE TRIGGER … EXECUTE FUNCTION, GRANT EXECUTE ON.
        if (words.Is("function"u8) || words.Is("procedure"u8) || words.Is("on"u8)) return SecurityChange.None;
        var text = new ArrayBufferWriter<byte>();
        // Brackets around this word, and those within which nothing is text of the statement: 0 when there are none.
        var (level, hidden, format) = (0, 0, 0);
        var isCall = false;
        for (; !words.IsAtEnd && !words.Is((byte)';') && !IsBehindText(words); words.Next())
        {
            if (words.Is((byte)'('))
            {
                level++;
                if (isCall && hidden == 0) hidden = level;
            }
            else if (words.Is((byte)')'))
            {
                if (hidden == level) hidden = 0;
                if (format == level) format = 0;
                level--;
            }
            else if (hidden == 0)
            {
                if (words.Is("format"u8)) format = level + 1;
                else if (words.IsLiteral) text.Write(words.ReadAll());
                // Of the arguments of format only the first is text.
                else if (words.Is((byte)',')) hidden = format == level ? level : 0;
                else if (words.BeginsStatement) text.Write(";"u8); // CASE … THEN … ELSE
                // For any other expression a sign stands that is no name.
                else if (!words.Is((byte)'|') && !IsJoin(words)) text.Write("?"u8);
            }
            isCall = words.IsName && !IsJoin(words);
        }
        return Of(text.WrittenSpan, depth + 1);
    }

    static bool IsBehindText(scoped in SqlWords words) => words.Is("using"u8) || words.Is("into"u8) || words.Is("loop"u8) || words.Is("execute"u8);

    static bool IsJoin(scoped in SqlWords words) => words.Is("format"u8) || words.Is("concat"u8);

    static SecurityChange Max(SecurityChange a, SecurityChange b) => a > b ? a : b;
}
