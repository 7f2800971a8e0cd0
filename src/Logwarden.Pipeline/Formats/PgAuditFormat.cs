using System.Buffers;
using System.Buffers.Text;
using System.Text.Unicode;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// PostgreSQL server logs, with the entries of pgaudit in them: jsonlog, csvlog and text lines, also mixed
/// (https://github.com/pgaudit/pgaudit#format, https://www.postgresql.org/docs/current/runtime-config-logging.html).
/// <para>User is the role of the session. IP is the client's address; a session over a Unix socket has none. Action is
/// <c>READ:SELECT</c> for an audit entry (its class and command), <c>connection:authorized</c>, <c>connection:received</c>,
/// <c>connection:closed</c>, <c>connection:refused</c>, <c>parameter:changed</c>, <c>statement:SELECT</c>, or the severity. Object is the
/// audited object, else the role or parameter named, else the database.</para>
/// <para>Statements that change what is logged are LOG-3 with severity medium, other changes of security settings LOG-3 (<see cref="PostgresSecurity"/>).</para>
/// <para>Literals of SQL never leave: the statement's shape stays. Values of parameters and rows in details are replaced as well.
/// Times without a zone are UTC; with the abbreviation of another zone they are no valid time.</para>
/// </summary>
public sealed class PgAuditFormat : IFormat
{
    /// <inheritdoc/>
    public string Name => "pgaudit";

    /// <inheritdoc/>
    public string Summary => "PostgreSQL logs with pgaudit entries: jsonlog, csvlog and text lines.";

    /// <inheritdoc/>
    public Framing Framing { get; } = new(FramingKind.PostgresLog);

    /// <inheritdoc/>
    public NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output)
    {
        output.Clear();
        if (record.IsEmpty) return NormalizeError.At("empty", 0, "an empty record");
        Span<Range> columns = stackalloc Range[(int)PgColumn.Count];
        columns.Clear();
        var text = output.Scratch;
        NormalizeError? refused;
        if (record[0] == '{') refused = PgRecord.ReadJson(record, output.Index, text, columns);
        else if (!Utf8.IsValid(record)) refused = NormalizeError.At("invalid-utf8", 0, "text is not valid UTF-8");
        else if (PostgresFraming.IsCsv(record)) refused = PgRecord.ReadCsv(record, text, columns);
        else refused = PostgresLine.Read(record, text, columns);
        if (refused is not null) return refused;
        var message = text.WrittenSpan[columns[(int)PgColumn.Message]];
        Span<Range> audit = stackalloc Range[AuditFields];
        audit.Clear();
        if (message.StartsWith("AUDIT: "u8) && ReadAudit(message["AUDIT: "u8.Length..], output.Spare, audit) is { } bad) return bad;
        var facts = new Facts(new PgRecord(text.WrittenSpan, columns), output.Spare.WrittenSpan, audit);
        output.SetTime(TimeText.TryRead(facts.Record[PgColumn.Time], out var micros), micros, context.AcceptedMicros);
        Classify(facts, output);
        Write(facts, output);
        return null;
    }

    const int AuditFields = 10;

    static NormalizeError? ReadAudit(ReadOnlySpan<byte> entry, ArrayBufferWriter<byte> text, Span<Range> fields)
    {
        int at = 0, count = 0;
        while (count < AuditFields)
        {
            if (!CsvText.TryField(entry, ref at, text, out fields[count]))
                return new("invalid-audit", "message", at, "an AUDIT entry with a quoted field that does not end");
            count++;
            if (at >= entry.Length) break;
            at++;
        }
        // Without parameter logging in old versions the last field is absent.
        return count < 8
            ? new("invalid-audit", "message", at, $"an AUDIT entry of {count} fields: expected type, two ids, class, command, type, object, statement")
            : null;
    }

    /// <summary>What is asked of a record more than once.</summary>
    readonly ref struct Facts
    {
        public readonly PgRecord Record;
        public readonly PgSubject Subject;
        public readonly ReadOnlySpan<byte> User;
        public readonly ReadOnlySpan<byte> Database;
        public readonly ReadOnlySpan<byte> Address;
        public readonly int Port;
        public readonly ReadOnlySpan<byte> Statement;
        public readonly ReadOnlySpan<byte> Message;
        readonly ReadOnlySpan<byte> _auditText;
        readonly ReadOnlySpan<Range> _audit;

        public Facts(PgRecord record, ReadOnlySpan<byte> auditText, ReadOnlySpan<Range> audit)
        {
            Record = record;
            _auditText = auditText;
            _audit = audit;
            Message = record[PgColumn.Message];
            var severity = record[PgColumn.Severity];
            Subject = PostgresActions.Subject(severity, record[PgColumn.StateCode], Message, !record[PgColumn.Statement].IsEmpty);
            User = Known(record[PgColumn.User]);
            Database = Known(record[PgColumn.Database]);
            if (User.IsEmpty && Subject is PgSubject.Connected or PgSubject.Closed) User = PostgresActions.Value(Message, "user="u8);
            if (User.IsEmpty && Subject == PgSubject.Refused) User = RefusedUser(Message);
            if (Database.IsEmpty && Subject is PgSubject.Connected or PgSubject.Closed) Database = PostgresActions.Value(Message, "database="u8);
            Address = IpText.Address(record[PgColumn.Remote], out Port);
            if (Port < 0 && Utf8Parser.TryParse(record[PgColumn.RemotePort], out int port, out _)) Port = port;
            if (Address.IsEmpty && Subject is PgSubject.Opened or PgSubject.Closed)
            {
                Address = IpText.Address(PostgresActions.Value(Message, "host="u8), out _);
                Port = Utf8Parser.TryParse(PostgresActions.Value(Message, "port="u8), out port, out _) ? port : -1;
            }
            if (Address.IsEmpty && Subject == PgSubject.Refused) Address = IpText.Address(PostgresActions.InQuotes(Message, "host \""u8), out _);
            if (Port > 65535) Port = -1;
            Statement = Subject == PgSubject.Audit ? Audit(7) : record[PgColumn.Statement];
            if (Statement.IsEmpty && Subject == PgSubject.Statement) Statement = SqlOf(severity, Message);
        }

        /// <summary>A field of the AUDIT entry.</summary>
        public ReadOnlySpan<byte> Audit(int field) => _auditText[_audit[field]];

        static ReadOnlySpan<byte> Known(ReadOnlySpan<byte> name) => name.SequenceEqual("[unknown]"u8) ? default : name;

        static ReadOnlySpan<byte> RefusedUser(ReadOnlySpan<byte> message) =>
            PostgresActions.InQuotes(message, "user \""u8) is { IsEmpty: false } user ? user : PostgresActions.InQuotes(message, "role \""u8);

        static ReadOnlySpan<byte> SqlOf(ReadOnlySpan<byte> severity, ReadOnlySpan<byte> message)
        {
            if (severity.SequenceEqual("STATEMENT"u8)) return message;
            if (message.StartsWith("duration: "u8))
            {
                var end = message.IndexOf(" ms  "u8);
                if (end < 0) return default;
                message = message[(end + 5)..];
            }
            if (message.StartsWith("plan:"u8)) return default;
            var colon = message.IndexOf(": "u8);
            return colon < 0 ? default : message[(colon + 2)..];
        }
    }

    static void Classify(scoped in Facts facts, NormalizedEvent output)
    {
        var record = facts.Record;
        var severity = record[PgColumn.Severity];
        var isError = severity.SequenceEqual("ERROR"u8) || severity.SequenceEqual("FATAL"u8) || severity.SequenceEqual("PANIC"u8);
        var type = facts.Subject switch
        {
            PgSubject.Audit => PostgresActions.Audit(facts.Audit(3), facts.Audit(4)),
            PgSubject.Connected => new(Ocsf.Authentication, 1, Ocsf.Informational, LogKinds.SignIn),
            PgSubject.Authenticated => new(Ocsf.Authentication, 6, Ocsf.Informational, LogKinds.SignIn),
            PgSubject.Closed => new(Ocsf.Authentication, 2, Ocsf.Informational, LogKinds.SignIn),
            PgSubject.Refused => new(Ocsf.Authentication, 1, Ocsf.Low, LogKinds.SignIn),
            PgSubject.Opened => new(Ocsf.NetworkActivity, 1, Ocsf.Informational, LogKinds.None),
            PgSubject.Setting => new(Ocsf.ApplicationLifecycle, 8, Ocsf.Informational, LogKinds.SecuritySetting),
            PgSubject.Started => new(Ocsf.ApplicationLifecycle, 3, Ocsf.Informational, LogKinds.None),
            PgSubject.Stopped => new(Ocsf.ApplicationLifecycle, 4, Ocsf.Informational, LogKinds.None),
            PgSubject.Statement => new ActionType(Ocsf.DatastoreActivity, 4, Ocsf.Informational, LogKinds.ObjectAccess),
            _ => new(Ocsf.BaseEvent, Ocsf.Other, isError ? Ocsf.Low : Ocsf.Informational, LogKinds.None),
        };
        // A class that needs a user holds only when one is named.
        if (type.ClassUid == Ocsf.Authentication && facts.User.IsEmpty && !AuthenticatedUser(facts, out _))
            type = type with { ClassUid = Ocsf.BaseEvent, ActivityId = Ocsf.Other };
        if (type.ClassUid == Ocsf.AccountChange && PostgresActions.RoleName(facts.Statement).IsEmpty)
            type = type with { ClassUid = Ocsf.DatastoreActivity, ActivityId = Ocsf.Other };
        output.ClassUid = type.ClassUid;
        output.ActivityId = type.ActivityId;
        output.SeverityId = severity.SequenceEqual("PANIC"u8) ? Ocsf.High : isError ? Math.Max(type.Severity, Ocsf.Low) : type.Severity;
        output.StatusId = isError ? Ocsf.Failure
            : facts.Subject is PgSubject.Server or PgSubject.Opened || severity.SequenceEqual("STATEMENT"u8) ? Ocsf.StatusUnknown
            : Ocsf.Success;
        output.Kinds = type.Kinds;
        var change = SecurityChangeOf(facts);
        if (change != SecurityChange.None) output.Kinds |= LogKinds.SecuritySetting;
        if (change == SecurityChange.Logging) output.SeverityId = Math.Max(output.SeverityId, Ocsf.Medium);
        if (facts.Subject != PgSubject.Audit) return;
        var isData = facts.Audit(3) is var auditClass && (auditClass.SequenceEqual("READ"u8) || auditClass.SequenceEqual("WRITE"u8));
        if (isData && PostgresActions.IsAdministrator(facts.User, record[PgColumn.Application])) output.Kinds |= LogKinds.CustomerDataAccess;
    }

    static SecurityChange SecurityChangeOf(scoped in Facts facts)
    {
        if (facts.Subject == PgSubject.Setting)
            return PostgresSettings.IsLogging(PostgresActions.InQuotes(facts.Message, "parameter \""u8)) ? SecurityChange.Logging : SecurityChange.Setting;
        if (facts.Subject is not (PgSubject.Audit or PgSubject.Statement)) return SecurityChange.None;
        var change = PostgresSecurity.Of(facts.Statement);
        if (facts.Subject == PgSubject.Statement || change == SecurityChange.Logging) return change;
        // The statement may be left out, having been logged before. Where none is logged, any setting may have been set.
        var command = PostgresSecurity.Of(facts.Audit(4));
        if (facts.Statement.SequenceEqual("<not logged>"u8) && (facts.Audit(4).SequenceEqual("SET"u8) || facts.Audit(4).SequenceEqual("RESET"u8))) command = SecurityChange.Setting;
        return command > change ? command : change;
    }

    static bool AuthenticatedUser(scoped in Facts facts, out bool isIdentity)
    {
        isIdentity = facts.Subject == PgSubject.Authenticated && !PostgresActions.InQuotes(facts.Message, "identity=\""u8).IsEmpty;
        return isIdentity;
    }

    static void Write(scoped in Facts facts, NormalizedEvent output)
    {
        var o = output.Out;
        Ocsf.Begin(o, output);
        if (output.ActivityId == Ocsf.Other)
            o.Plain("activity_name"u8, facts.Subject == PgSubject.Audit ? facts.Audit(4) : facts.Record[PgColumn.Severity]);
        WriteMetadata(o, facts, output);
        PostgresEvent.WriteActor(o, facts.User, facts.Record[PgColumn.Application], facts.Record[PgColumn.SessionId], output);
        // These two classes have no place for an address.
        var hasSource = output.ClassUid is not (Ocsf.BaseEvent or Ocsf.ApplicationLifecycle);
        if (hasSource) output.Ip = Ocsf.Source(o, facts.Address, facts.Port, default, default);
        WriteClassFields(o, facts, output);
        WriteMessage(o, facts, output);
        WriteUnmapped(o, facts, hasSource, output);
        o.End();
        o.MoveTo(output.Json);
        if (facts.Address.IsEmpty) output.Missing |= MissingFields.Ip;
        else output.Actors.Add(output.Ip);
        if (facts.User.IsEmpty) output.Missing |= MissingFields.User;
        if (!output.Object.IsPresent) output.Missing |= MissingFields.Object;
    }

    static void WriteMetadata(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var record = facts.Record;
        var (session, line) = (PgColumn.SessionId, PgColumn.LineNumber);
        Ocsf.BeginMetadata(o, "PostgreSQL Global Development Group"u8, "PostgreSQL"u8);
        if (!record[session].IsEmpty && !record[line].IsEmpty)
        {
            output.Id.Write(record[session]);
            output.Id.Write(":"u8);
            output.Id.Write(record[line]);
            o.Plain("uid"u8, output.Id.WrittenSpan);
        }
        output.Action = facts.Subject switch
        {
            PgSubject.Audit => o.PlainJoined("event_code"u8, facts.Audit(3), facts.Audit(4)),
            PgSubject.Connected => o.String("event_code"u8, "connection:authorized"u8),
            PgSubject.Authenticated => o.String("event_code"u8, "connection:authenticated"u8),
            PgSubject.Opened => o.String("event_code"u8, "connection:received"u8),
            PgSubject.Closed => o.String("event_code"u8, "connection:closed"u8),
            PgSubject.Refused => o.String("event_code"u8, "connection:refused"u8),
            PgSubject.Setting => o.String("event_code"u8, "parameter:changed"u8),
            PgSubject.Started => o.String("event_code"u8, "server:started"u8),
            PgSubject.Stopped => o.String("event_code"u8, "server:stopped"u8),
            PgSubject.Statement => o.PlainJoined("event_code"u8, "statement"u8, PostgresActions.Verb(facts.Statement)),
            _ => o.PlainJoined("event_code"u8, "server"u8, record[PgColumn.Severity]),
        };
        o.OptionalPlain("original_time"u8, record[PgColumn.Time]);
        o.OptionalPlain("log_level"u8, record[PgColumn.Severity]);
        o.String("log_name"u8, facts.Subject == PgSubject.Audit ? "pgaudit"u8 : "postgresql"u8);
        if (output.ClassUid is Ocsf.BaseEvent or Ocsf.ApplicationLifecycle or Ocsf.NetworkActivity)
        {
            // In these classes the actor comes with the host profile.
            o.BeginArray("profiles"u8);
            o.Element("host"u8);
            o.EndArray();
        }
        o.End();
    }

    static void WriteClassFields(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        switch (output.ClassUid)
        {
            case Ocsf.Authentication:
                o.Begin("user"u8);
                var user = facts.User.IsEmpty ? PostgresActions.InQuotes(facts.Message, "identity=\""u8) : facts.User;
                output.Actors.Add(o.Plain("name"u8, user));
                o.End();
                o.Begin("service"u8);
                var database = o.Plain("name"u8, facts.Database.IsEmpty ? "postgresql"u8 : facts.Database);
                if (!facts.Database.IsEmpty) output.Object = database;
                o.End();
                break;
            case Ocsf.AccountChange:
                o.Begin("user"u8);
                output.Object = o.Plain("name"u8, PostgresActions.RoleName(facts.Statement));
                output.Actors.Add(output.Object);
                o.End();
                break;
            case Ocsf.ApplicationLifecycle:
                o.Begin("app"u8);
                o.String("name"u8, "PostgreSQL"u8);
                var parameter = PostgresActions.InQuotes(facts.Message, "parameter \""u8);
                if (!parameter.IsEmpty)
                {
                    o.Begin("feature"u8);
                    output.Object = o.Plain("name"u8, parameter);
                    o.End();
                }
                o.End();
                break;
            case Ocsf.DatastoreActivity:
                PostgresEvent.WriteDatabase(o, facts.Database, facts.Subject == PgSubject.Audit ? facts.Audit(5) : default,
                    facts.Subject == PgSubject.Audit ? facts.Audit(6) : default, output);
                break;
        }
        if (facts.Statement.IsEmpty) return;
        if (output.ClassUid == Ocsf.DatastoreActivity)
        {
            o.Begin("query_info"u8);
            var command = facts.Subject == PgSubject.Audit ? facts.Audit(4) : PostgresActions.Verb(facts.Statement);
            o.Plain("name"u8, command.IsEmpty ? "statement"u8 : command);
            PostgresEvent.WriteSql(o, "query_string"u8, facts.Statement, output);
            o.End();
        }
    }

    static void WriteMessage(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        o.OptionalPlain("status_code"u8, facts.Record[PgColumn.StateCode]);
        if (facts.Subject is not (PgSubject.Audit or PgSubject.Statement) || output.StatusId == Ocsf.Failure)
            PostgresEvent.WriteRedacted(o, "message"u8, facts.Message, output);
    }

    static void WriteUnmapped(JsonOut o, scoped in Facts facts, bool hasSource, NormalizedEvent output)
    {
        var record = facts.Record;
        o.Begin("unmapped"u8);
        if (!hasSource && !facts.Address.IsEmpty) output.Ip = o.String("remote_host"u8, facts.Address);
        if (facts.Subject == PgSubject.Audit)
        {
            o.Begin("pgaudit"u8);
            o.Plain("type"u8, facts.Audit(0));
            o.Plain("statement_id"u8, facts.Audit(1));
            o.Plain("substatement_id"u8, facts.Audit(2));
            o.Plain("class"u8, facts.Audit(3));
            o.Plain("command"u8, facts.Audit(4));
            o.OptionalPlain("object_type"u8, facts.Audit(5));
            o.OptionalPlain("object_name"u8, facts.Audit(6));
            if (output.ClassUid != Ocsf.DatastoreActivity) PostgresEvent.WriteSql(o, "statement"u8, facts.Statement, output);
            PostgresEvent.WriteParameters(o, facts.Audit(8), output);
            o.OptionalPlain("rows"u8, facts.Audit(9));
            o.End();
        }
        else if (facts.Subject == PgSubject.Statement && output.StatusId != Ocsf.Failure && facts.Message.StartsWith("duration: "u8))
        {
            PostgresEvent.WriteDuration(o, facts.Message);
        }
        o.OptionalPlain("database"u8, facts.Database);
        PostgresEvent.WriteRest(o, record, output);
        o.End();
    }
}
