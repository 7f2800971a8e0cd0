using System.Buffers;
using System.Text;
using Logwarden.Redaction;

namespace Logwarden.Formats;

/// <summary>
/// The settings of PostgreSQL that matter for LOG-3, and the ways to change one by its name: SET, <c>set_config</c>, and an UPDATE of <c>pg_settings</c>. A name that is
/// not in the text, or can't be told from it (a parameter, a column, an expression), may be that of any setting: it counts as one of logging.
/// </summary>
static class PostgresSettings
{
    /// <summary>Bytes of a name that tell what it is: all of these names are shorter.</summary>
    const int NameBytes = 64;

    // Casts and brackets around a name.
    const int LevelsMax = 8;

    static readonly byte[][] Logging =
    [
        .. new[]
        {
            "log_", "pgaudit", "logging_collector", "syslog_", "event_source", "event_triggers", "shared_preload_libraries", "session_preload_libraries",
            "local_preload_libraries", "auto_explain", "set_user",
            // Turns triggers off, those that write audit tables too.
            "session_replication_role",
        }.Select(Encoding.ASCII.GetBytes),
    ];

    static readonly NameTable TextTypes = new("text", "varchar", "name", "bpchar", "char", "character", "unknown");

    // Behind these a table or a function is named, with a list in brackets that is no call.
    static readonly NameTable NoCalls = new("function", "procedure", "routine", "into", "table", "references", "as", "with", "copy", "exists");

    /// <summary>Is it a setting of what is logged, or an extension that logs?</summary>
    public static bool IsLogging(ReadOnlySpan<byte> name)
    {
        foreach (var setting in Logging)
        {
            if (name.Length >= setting.Length && Ascii.EqualsIgnoreCase(name[..setting.Length], setting)) return true;
        }
        return false;
    }

    /// <summary>What a change of the setting means whose name the words stand at, or at whose first part.</summary>
    public static SecurityChange OfName(scoped in SqlWords words) => words.IsName ? Of(words.Read(stackalloc byte[NameBytes])) : SecurityChange.Logging;

    /// <summary>What it means when the words stand at <c>set_config</c>.</summary>
    /// <param name="words">Left as they are.</param>
    /// <param name="before">The word before the name, or before its schema.</param>
    public static SecurityChange OfCall(SqlWords words, ReadOnlySpan<byte> before)
    {
        words.Next();
        if (!words.Take((byte)'(')) return SecurityChange.None;
        if (TryName(ref words, LevelsMax, out var change) && words.Is((byte)',')) return change;
        return Has(NoCalls, before) ? SecurityChange.None : SecurityChange.Logging;
    }

    /// <summary>What it means when the words stand at <c>pg_settings</c> in an UPDATE. Only a condition that names one setting and nothing more is understood.</summary>
    public static SecurityChange OfUpdate(SqlWords words)
    {
        var level = 0;
        while (words.Next() && !words.IsStatementEnd && !words.Is("update"u8))
        {
            if (words.Is((byte)'(')) level++;
            else if (words.Is((byte)')')) level--;
            if (level > 0) continue;
            if (level < 0 || words.Is("from"u8)) break;
            if (!words.Is("where"u8)) continue;
            words.Next();
            var alias = words;
            if (alias.IsName && alias.Next() && alias.Take((byte)'.')) words = alias;
            if (!words.IsNamed("name"u8) || !words.Next() || !words.Take((byte)'=')) break;
            if (!TryName(ref words, LevelsMax, out var change)) break;
            if (words.IsStatementEnd || words.Is((byte)')') || words.Is("returning"u8)) return change;
            break;
        }
        return SecurityChange.Logging;
    }

    static SecurityChange Of(ReadOnlySpan<byte> name) =>
        // With standard_conforming_strings off, a backslash makes another name of it.
        IsLogging(name) || name.Contains((byte)'\\') ? SecurityChange.Logging
        : Ascii.EqualsIgnoreCase(name, "row_security"u8) ? SecurityChange.Setting
        : SecurityChange.None;

    /// <summary>Reads a literal that names a setting, also in brackets or cast to text, and goes behind it.</summary>
    static bool TryName(scoped ref SqlWords words, int levels, out SecurityChange change)
    {
        change = SecurityChange.Logging;
        if (levels == 0) return false;
        bool isRead;
        if (words.Take((byte)'('))
        {
            isRead = TryName(ref words, levels - 1, out change) && words.Take((byte)')');
        }
        else if (words.Is("cast"u8))
        {
            words.Next();
            isRead = words.Take((byte)'(') && TryName(ref words, levels - 1, out change) && words.Is("as"u8) && words.Next() && TakeTextType(ref words) && words.Take((byte)')');
        }
        else
        {
            // text 'x' is a literal too.
            isRead = (!words.IsName || TakeTextType(ref words)) && words.IsLiteral && words.Form != SqlForm.Bits;
            if (isRead) change = Of(words.Read(stackalloc byte[NameBytes]));
            words.Next();
        }
        while (isRead && words.Take((byte)':')) isRead = words.Take((byte)':') && TakeTextType(ref words);
        return isRead;
    }

    static bool TakeTextType(scoped ref SqlWords words)
    {
        if (words.IsNamed("pg_catalog"u8))
        {
            words.Next();
            if (!words.Take((byte)'.')) return false;
        }
        if (!words.IsName || !Has(TextTypes, words.Word)) return false;
        words.Next();
        if (words.Is("varying"u8)) words.Next();
        if (!words.Take((byte)'(')) return true;
        words.Next();
        return words.Take((byte)')');
    }

    static bool Has(NameTable names, ReadOnlySpan<byte> word)
    {
        Span<byte> lower = stackalloc byte[16];
        return Ascii.ToLower(word, lower, out var length) == OperationStatus.Done && names.Has(lower[..length]);
    }
}
