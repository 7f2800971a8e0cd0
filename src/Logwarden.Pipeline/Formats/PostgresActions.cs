using System.Buffers;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>What a message of the server is about.</summary>
enum PgSubject
{
    Server,
    Audit,
    Statement,
    Connected,
    Authenticated,
    Opened,
    Closed,
    Refused,
    Setting,
    Started,
    Stopped,
}

/// <summary>What the messages and audit entries of PostgreSQL are as OCSF.</summary>
static class PostgresActions
{
    const LogKinds Changes = LogKinds.ObjectAccess | LogKinds.SecuritySetting;

    static readonly SearchValues<byte> Letters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"u8);
    static readonly SearchValues<byte> WordEnds = SearchValues.Create(" \t\r\n;(),"u8);

    static readonly byte[][] Refusals =
    [
        .. new[]
        {
            " authentication failed for user ", "no pg_hba.conf entry for ", "pg_hba.conf rejects ", " is not permitted to log in",
            "no password assigned ", "authentication failed",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    static readonly NameTable Tools = new("psql", "pgAdmin", "DBeaver", "DataGrip", "pg_dump", "pg_dumpall", "Navicat", "TablePlus", "Postico");

    static readonly NameTable Administrators = new("postgres", "rdsadmin", "rds_superuser", "root", "admin", "administrator", "vultradmin");

    /// <summary>Tells what a message is about.</summary>
    public static PgSubject Subject(ReadOnlySpan<byte> severity, ReadOnlySpan<byte> state, ReadOnlySpan<byte> message, bool hasStatement)
    {
        if (message.StartsWith("AUDIT: "u8)) return PgSubject.Audit;
        if (message.StartsWith("connection authorized: "u8) || message.StartsWith("replication connection authorized: "u8)) return PgSubject.Connected;
        if (message.StartsWith("connection authenticated: "u8)) return PgSubject.Authenticated;
        if (message.StartsWith("connection received: "u8)) return PgSubject.Opened;
        if (message.StartsWith("disconnection: "u8)) return PgSubject.Closed;
        if (severity.SequenceEqual("FATAL"u8) && IsRefusal(state, message)) return PgSubject.Refused;
        if (message.StartsWith("parameter \""u8) || message.StartsWith("received SIGHUP"u8)) return PgSubject.Setting;
        if (message.StartsWith("database system is ready to accept"u8)) return PgSubject.Started;
        if (message.StartsWith("database system is shut down"u8) || message.StartsWith("received fast shutdown"u8)
            || message.StartsWith("received smart shutdown"u8) || message.StartsWith("received immediate shutdown"u8))
        {
            return PgSubject.Stopped;
        }
        var isSql = hasStatement || severity.SequenceEqual("STATEMENT"u8) || message.StartsWith("statement: "u8)
            || message.StartsWith("execute "u8) || message.StartsWith("duration: "u8);
        return isSql ? PgSubject.Statement : PgSubject.Server;
    }

    static bool IsRefusal(ReadOnlySpan<byte> state, ReadOnlySpan<byte> message)
    {
        if (state.StartsWith("28"u8) || state.SequenceEqual("3D000"u8)) return true;
        foreach (var refusal in Refusals)
        {
            if (message.IndexOf(refusal) >= 0) return true;
        }
        return message.EndsWith(" does not exist"u8) && (message.StartsWith("role "u8) || message.StartsWith("database "u8));
    }

    /// <summary>What an audit entry is, by the class and the command that pgaudit gives it.</summary>
    public static ActionType Audit(ReadOnlySpan<byte> auditClass, ReadOnlySpan<byte> command)
    {
        if (auditClass.SequenceEqual("READ"u8)) return Data(1, LogKinds.ObjectAccess);
        if (auditClass.SequenceEqual("WRITE"u8))
        {
            var activity = command.SequenceEqual("UPDATE"u8) ? 2
                : command.SequenceEqual("DELETE"u8) || command.StartsWith("TRUNCATE"u8) ? 7
                : 5;
            return Data(activity, LogKinds.ObjectAccess);
        }
        if (auditClass.SequenceEqual("DDL"u8))
        {
            var activity = command.StartsWith("CREATE"u8) ? 6
                : command.StartsWith("DROP"u8) ? 7
                : command.StartsWith("ALTER"u8) ? 2
                : Ocsf.Other;
            return Data(activity, LogKinds.ObjectAccess);
        }
        if (auditClass.SequenceEqual("ROLE"u8)) return Role(command);
        return auditClass.SequenceEqual("FUNCTION"u8) ? Data(4, LogKinds.ObjectAccess) : Data(Ocsf.Other, LogKinds.None);
    }

    static ActionType Role(ReadOnlySpan<byte> command) =>
        command.SequenceEqual("CREATE ROLE"u8) ? new(Ocsf.AccountChange, 1, Ocsf.Informational, Changes)
        : command.SequenceEqual("DROP ROLE"u8) ? new(Ocsf.AccountChange, 6, Ocsf.Informational, Changes)
        : command.SequenceEqual("ALTER ROLE"u8) ? new(Ocsf.AccountChange, Ocsf.Other, Ocsf.Informational, Changes)
        : Data(Ocsf.Other, Changes);

    static ActionType Data(int activity, LogKinds kinds) => new(Ocsf.DatastoreActivity, activity, Ocsf.Informational, kinds);

    /// <summary>The name of a role in <c>CREATE|ALTER|DROP ROLE|USER|GROUP [IF EXISTS] name</c>; empty when it is not found.</summary>
    public static ReadOnlySpan<byte> RoleName(ReadOnlySpan<byte> statement)
    {
        Word(ref statement);
        Word(ref statement);
        var name = Word(ref statement);
        if (!System.Text.Ascii.EqualsIgnoreCase(name, "if"u8)) return name.Trim((byte)'"');
        Word(ref statement);
        return Word(ref statement).Trim((byte)'"');
    }

    /// <summary>The first word of a statement, for the action of a statement that is not audited.</summary>
    public static ReadOnlySpan<byte> Verb(ReadOnlySpan<byte> statement)
    {
        var word = Word(ref statement);
        return word.Length is > 0 and <= 16 && word.IndexOfAnyExcept(Letters) < 0 ? word : default;
    }

    /// <summary>Is it a person with an administrator's tool or role rather than an application?</summary>
    public static bool IsAdministrator(ReadOnlySpan<byte> user, ReadOnlySpan<byte> application)
    {
        if (Administrators.Has(user)) return true;
        var end = application.IndexOfAny((byte)' ', (byte)'-');
        return Tools.Has(end < 0 ? application : application[..end]);
    }

    /// <summary>The value behind <paramref name="key"/> in a message such as <c>user=postgres database=shop</c>.</summary>
    public static ReadOnlySpan<byte> Value(ReadOnlySpan<byte> message, ReadOnlySpan<byte> key)
    {
        var at = message.IndexOf(key);
        if (at < 0) return default;
        var rest = message[(at + key.Length)..];
        var end = rest.IndexOf((byte)' ');
        return end < 0 ? rest : rest[..end];
    }

    /// <summary>The text between the first two double quotes behind <paramref name="before"/>.</summary>
    public static ReadOnlySpan<byte> InQuotes(ReadOnlySpan<byte> message, ReadOnlySpan<byte> before)
    {
        var at = message.IndexOf(before);
        if (at < 0) return default;
        var rest = message[(at + before.Length)..];
        var end = rest.IndexOf((byte)'"');
        return end < 0 ? default : rest[..end];
    }

    static ReadOnlySpan<byte> Word(scoped ref ReadOnlySpan<byte> text)
    {
        text = text.TrimStart(" \t\r\n("u8);
        if (text.Length > 1 && text[0] == '"' && text[1..].IndexOf((byte)'"') is >= 0 and var close)
        {
            var quoted = text[..(close + 2)];
            text = text[(close + 2)..];
            return quoted;
        }
        var end = text.IndexOfAny(WordEnds);
        var word = end < 0 ? text : text[..end];
        text = text[word.Length..];
        return word;
    }
}
