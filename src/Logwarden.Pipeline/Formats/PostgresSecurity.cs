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
/// Finds the statements of PostgreSQL that change security settings, and above all logging itself: settings of the log and of pgaudit wherever they can be set, the
/// libraries that are loaded, extensions, event triggers, roles, rights and row security. A name that is computed while the statement runs can't be seen.
/// </summary>
static class PostgresSecurity
{
    // Blocks in blocks: DO bodies that EXECUTE text.
    const int DepthMax = 3;

    static readonly byte[][] LoggingSettings =
    [
        .. new[]
        {
            "log_", "pgaudit", "logging_collector", "syslog_", "event_source", "event_triggers", "shared_preload_libraries", "session_preload_libraries",
            "local_preload_libraries", "auto_explain", "set_user",
            // Turns triggers off, those that write audit tables too.
            "session_replication_role",
        }.Select(Encoding.ASCII.GetBytes),
    ];

    /// <summary>Is it a setting of what is logged?</summary>
    public static bool IsLoggingSetting(ReadOnlySpan<byte> name)
    {
        foreach (var setting in LoggingSettings)
        {
            if (name.Length >= setting.Length && Ascii.EqualsIgnoreCase(name[..setting.Length], setting)) return true;
        }
        return false;
    }

    /// <summary>What the weightiest of the statements in a text does. The name of a command, such as <c>DROP EXTENSION</c>, will do for a statement.</summary>
    public static SecurityChange Of(ReadOnlySpan<byte> sql) => Of(sql, 0);

    static SecurityChange Of(ReadOnlySpan<byte> sql, int depth)
    {
        var words = new SqlWords(sql);
        var change = SecurityChange.None;
        while (change < SecurityChange.Logging && words.Next())
        {
            if (words.Is(";"u8) || BeginsBlock(words)) continue;
            change = Max(change, Statement(ref words, depth));
            // In a block, what is behind words such as THEN is another statement.
            while (!words.Is(";"u8) && !(depth > 0 && BeginsBlock(words)) && words.Next())
            {
            }
        }
        return change;
    }

    static bool BeginsBlock(scoped in SqlWords words) =>
        words.Is("begin"u8) || words.Is("then"u8) || words.Is("else"u8) || words.Is("loop"u8);

    static SecurityChange Statement(scoped ref SqlWords words, int depth)
    {
        if (words.Is("set"u8) || words.Is("reset"u8)) return Session(ref words);
        if (words.Is("alter"u8)) return Alter(ref words);
        if (words.Is("create"u8)) return Create(ref words);
        if (words.Is("drop"u8)) return Drop(ref words);
        if (words.Is("grant"u8) || words.Is("revoke"u8) || words.Is("reassign"u8) || words.Is("security"u8)) return SecurityChange.Setting;
        if ((words.Is("do"u8) || words.Is("execute"u8)) && depth < DepthMax) return Block(ref words, depth + 1);
        return Call(ref words, depth);
    }

    static SecurityChange Session(scoped ref SqlWords words)
    {
        words.Next();
        if (words.Is("session"u8) || words.Is("local"u8)) words.Next();
        return IsLoggingSetting(words.Word) ? SecurityChange.Logging
            : words.Is("row_security"u8) ? SecurityChange.Setting
            : SecurityChange.None;
    }

    static SecurityChange Alter(scoped ref SqlWords words)
    {
        words.Next();
        if (words.Is("system"u8) || words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("database"u8))
            return Max(SecurityChange.Setting, Set(ref words));
        if (words.Is("function"u8) || words.Is("procedure"u8) || words.Is("routine"u8)) return Set(ref words);
        if (words.Is("event"u8)) return words.Find("disable"u8, "disable"u8) ? SecurityChange.Logging : SecurityChange.Setting;
        if (words.Is("extension"u8)) return Extension(ref words);
        if (words.Is("policy"u8) || words.Is("default"u8)) return SecurityChange.Setting;
        // DISABLE TRIGGER, DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY.
        return words.Is("table"u8) && words.Find("trigger"u8, "security"u8) ? SecurityChange.Setting : SecurityChange.None;
    }

    static SecurityChange Create(scoped ref SqlWords words)
    {
        words.Next();
        if (words.Is("or"u8) && words.Next()) words.Next();
        if (words.Is("extension"u8)) return Extension(ref words);
        if (words.Is("function"u8) || words.Is("procedure"u8)) return Set(ref words);
        return words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("policy"u8) || words.Is("event"u8)
            ? SecurityChange.Setting
            : SecurityChange.None;
    }

    static SecurityChange Drop(scoped ref SqlWords words)
    {
        words.Next();
        if (words.Is("extension"u8)) return Extension(ref words);
        if (words.Is("event"u8)) return SecurityChange.Logging;
        return words.Is("role"u8) || words.Is("user"u8) || words.Is("group"u8) || words.Is("policy"u8) || words.Is("owned"u8) || words.Is("trigger"u8)
            ? SecurityChange.Setting
            : SecurityChange.None;
    }

    /// <summary>Any of the extensions named is one that logs.</summary>
    static SecurityChange Extension(scoped ref SqlWords words)
    {
        while (!words.Is(";"u8) && words.Next())
        {
            if (!words.IsLiteral && IsLoggingSetting(words.Word)) return SecurityChange.Logging;
        }
        return SecurityChange.Setting;
    }

    /// <summary>What stands behind SET or RESET in the statement.</summary>
    static SecurityChange Set(scoped ref SqlWords words)
    {
        while (words.Find("set"u8, "reset"u8))
        {
            var isReset = words.Is("reset"u8);
            if (words.Next() && (IsLoggingSetting(words.Word) || (isReset && words.Is("all"u8)))) return SecurityChange.Logging;
        }
        return SecurityChange.None;
    }

    static SecurityChange Block(scoped ref SqlWords words, int depth)
    {
        while (!words.Is(";"u8) && words.Next())
        {
            if (!words.IsLiteral) continue;
            // In a body that is itself in quotes they are doubled: the statement follows.
            return words.Word.IsEmpty && words.Next() ? Statement(ref words, depth) : Of(words.Word, depth);
        }
        return SecurityChange.None;
    }

    /// <summary>Does it call <c>set_config</c> with the name of a setting?</summary>
    static SecurityChange Call(scoped ref SqlWords words, int depth)
    {
        do
        {
            if (depth > 0 && BeginsBlock(words)) return SecurityChange.None;
            if (words.IsLiteral || words.Word.Length < 10 || !Ascii.EqualsIgnoreCase(words.Word[^10..], "set_config"u8)) continue;
            while (words.Next() && (words.Is("("u8) || words.Is("e"u8) || (words.IsLiteral && words.Word.IsEmpty)))
            {
            }
            if (IsLoggingSetting(words.Word)) return SecurityChange.Logging;
        }
        while (!words.Is(";"u8) && words.Next());
        return SecurityChange.None;
    }

    static SecurityChange Max(SecurityChange a, SecurityChange b) => a > b ? a : b;
}
