using Logwarden.Events;
using Logwarden.Redaction;

namespace Logwarden.Formats;

/// <summary>Parts of the OCSF event of a PostgreSQL record.</summary>
static class PostgresEvent
{
    static readonly (PgColumn Column, byte[] Name)[] Rest =
    [
        (PgColumn.Pid, "pid"u8.ToArray()), (PgColumn.Application, "application_name"u8.ToArray()),
        (PgColumn.CommandTag, "ps"u8.ToArray()), (PgColumn.SessionStart, "session_start"u8.ToArray()),
        (PgColumn.VirtualTransaction, "vxid"u8.ToArray()), (PgColumn.Transaction, "txid"u8.ToArray()),
        (PgColumn.LineNumber, "line_num"u8.ToArray()), (PgColumn.CursorPosition, "cursor_position"u8.ToArray()),
        (PgColumn.InternalPosition, "internal_position"u8.ToArray()), (PgColumn.Location, "location"u8.ToArray()),
        (PgColumn.FunctionName, "func_name"u8.ToArray()), (PgColumn.FileName, "file_name"u8.ToArray()),
        (PgColumn.FileLine, "file_line_num"u8.ToArray()), (PgColumn.BackendType, "backend_type"u8.ToArray()),
        (PgColumn.LeaderPid, "leader_pid"u8.ToArray()), (PgColumn.QueryId, "query_id"u8.ToArray()),
    ];

    /// <summary>Writes <c>actor</c>: the role, the session, and the program when there is no role.</summary>
    public static void WriteActor(JsonOut o, ReadOnlySpan<byte> user, ReadOnlySpan<byte> application, ReadOnlySpan<byte> session, NormalizedEvent output)
    {
        o.Begin("actor"u8);
        if (!user.IsEmpty)
        {
            o.Begin("user"u8);
            output.User = o.Plain("name"u8, user);
            output.Actors.Add(output.User);
            o.Number("type_id"u8, 1);
            o.End();
        }
        if (!session.IsEmpty)
        {
            o.Begin("session"u8);
            o.Plain("uid"u8, session);
            o.End();
        }
        if (!application.IsEmpty) o.Plain("app_name"u8, application);
        else if (user.IsEmpty) o.String("app_name"u8, "postgresql"u8);
        o.End();
    }

    /// <summary>Writes <c>database</c> and <c>table</c>; the object is the audited one, else the database.</summary>
    public static void WriteDatabase(JsonOut o, ReadOnlySpan<byte> database, ReadOnlySpan<byte> type, ReadOnlySpan<byte> name, NormalizedEvent output)
    {
        o.Begin("database"u8);
        var slice = o.Plain("name"u8, database.IsEmpty ? "unknown"u8 : database);
        o.String("type"u8, "Relational"u8);
        o.Number("type_id"u8, 1);
        o.End();
        if (!database.IsEmpty) output.Object = slice;
        if (name.IsEmpty) return;
        o.Begin("table"u8);
        output.Object = o.Plain("name"u8, name);
        o.OptionalPlain("desc"u8, type);
        o.End();
    }

    /// <summary>Writes a statement without its literals.</summary>
    public static void WriteSql(JsonOut o, ReadOnlySpan<byte> name, ReadOnlySpan<byte> sql, NormalizedEvent output)
    {
        output.Found.Clear();
        PostgresText.FindInStatement(sql, PostgresStatements.WithoutLiterals, output.Found);
        WriteWithoutFound(o, name, sql, output);
    }

    /// <summary>Writes a message, detail or context without the values in it.</summary>
    public static void WriteRedacted(JsonOut o, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text, NormalizedEvent output)
    {
        if (text.IsEmpty) return;
        output.Found.Clear();
        PostgresText.Find(text, PostgresStatements.WithoutLiterals, output.Found);
        WriteWithoutFound(o, name, text, output);
    }

    static void WriteWithoutFound(JsonOut o, ReadOnlySpan<byte> name, ReadOnlySpan<byte> text, NormalizedEvent output)
    {
        output.SqlLiteralsRedacted += output.Found.Count;
        output.Redacted.ResetWrittenCount();
        PostgresText.Write(text, output.Found, output.Redacted);
        o.Plain(name, output.Redacted.WrittenSpan);
    }

    /// <summary>Tells that there were parameters; never what they were.</summary>
    public static void WriteParameters(JsonOut o, ReadOnlySpan<byte> parameters, NormalizedEvent output)
    {
        if (parameters.IsEmpty) return;
        if (parameters.SequenceEqual("<none>"u8) || parameters.SequenceEqual("<not logged>"u8) || parameters.SequenceEqual("<previously logged>"u8))
        {
            o.Plain("parameter"u8, parameters);
            return;
        }
        o.String("parameter"u8, "[REDACTED:sql-literal]"u8);
        output.SqlLiteralsRedacted++;
    }

    /// <summary>How long a statement took: the part of the message before the statement.</summary>
    public static void WriteDuration(JsonOut o, ReadOnlySpan<byte> message)
    {
        var end = message.IndexOf(" ms"u8);
        if (end > 0) o.Plain("duration_ms"u8, message["duration: "u8.Length..end]);
    }

    /// <summary>Writes the columns that have no place of their own in OCSF.</summary>
    public static void WriteRest(JsonOut o, scoped in PgRecord record, NormalizedEvent output)
    {
        WriteRedacted(o, "detail"u8, record[PgColumn.Detail], output);
        WriteRedacted(o, "hint"u8, record[PgColumn.Hint], output);
        WriteRedacted(o, "context"u8, record[PgColumn.Context], output);
        if (!record[PgColumn.InternalQuery].IsEmpty) WriteSql(o, "internal_query"u8, record[PgColumn.InternalQuery], output);
        if (output.ClassUid is not Ocsf.DatastoreActivity && !record[PgColumn.Statement].IsEmpty)
            WriteSql(o, "statement"u8, record[PgColumn.Statement], output);
        foreach (var (column, name) in Rest) o.OptionalPlain(name, record[column]);
    }
}
