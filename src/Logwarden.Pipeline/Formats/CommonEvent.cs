using System.Buffers;
using System.Buffers.Text;
using System.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Writes the OCSF event of a record whose fields were found by name or by map: Authentication for log-in and log-out, Account Change
/// when the object is an account, API Activity for any other action, the base event when there is no action.
/// </summary>
static class CommonEvent
{
    static readonly NameTable Low = new("debug", "trace", "info", "informational", "notice", "information");
    static readonly NameTable Warnings = new("warn", "warning", "low");
    static readonly NameTable Errors = new("error", "err", "medium");
    static readonly NameTable Highs = new("high", "severe");
    static readonly NameTable Criticals = new("critical", "crit", "alert");
    static readonly NameTable Fatals = new("fatal", "emergency", "emerg", "panic");
    static readonly NameTable Good = new("success", "succeeded", "successful", "ok", "true", "allow", "allowed", "granted", "pass", "passed", "completed");
    static readonly NameTable Bad = new("failure", "fail", "failed", "error", "false", "deny", "denied", "rejected", "refused", "unauthorized", "forbidden");

    /// <summary>Writes the event.</summary>
    /// <param name="view">The record.</param>
    /// <param name="rows">Row of each <see cref="CommonField"/>, −1 where there is none.</param>
    /// <param name="product">Name of the product when the record names no service.</param>
    /// <param name="context">What is known beside the record.</param>
    /// <param name="output">Filled.</param>
    public static void Write(scoped in JsonView view, scoped ReadOnlySpan<int> rows, ReadOnlySpan<byte> product, in FormatContext context, NormalizedEvent output)
    {
        output.SetTime(TryTime(view, rows[(int)CommonField.Time], out var micros), micros, context.AcceptedMicros);
        Classify(view, rows, output);
        var o = output.Out;
        Ocsf.Begin(o, output);
        var action = view.Text(rows[(int)CommonField.Action]);
        if (output.ActivityId == Ocsf.Other) o.String("activity_name"u8, action.IsEmpty ? "Log"u8 : action);
        WriteMetadata(o, view, rows, product, output);
        var service = view.Scalar(rows[(int)CommonField.Service]);
        if (service.IsEmpty) service = product;
        if (output.ClassUid != Ocsf.BaseEvent) WriteParties(o, view, rows, service, output);
        if (output.ClassUid == Ocsf.ApiActivity) WriteApi(o, view, rows, service, output);
        o.Optional("status_detail"u8, output.StatusId == Ocsf.StatusUnknown ? view.Scalar(rows[(int)CommonField.Status]) : default);
        o.Optional("message"u8, view.Text(rows[(int)CommonField.Message]));
        o.Begin("unmapped"u8);
        if (output.ClassUid == Ocsf.BaseEvent) WriteBaseFields(o, view, rows, output);
        WriteRest(o, view, rows, output);
        o.End();
        o.End();
        o.MoveTo(output.Json);
        if (!output.User.IsPresent) output.Missing |= MissingFields.User;
        if (!output.Ip.IsPresent) output.Missing |= MissingFields.Ip;
        if (!output.Action.IsPresent) output.Missing |= MissingFields.Action;
        if (!output.Object.IsPresent) output.Missing |= MissingFields.Object;
    }

    static bool TryTime(scoped in JsonView view, int row, out long micros)
    {
        micros = 0;
        return view.Kind(row) switch
        {
            JsonKind.Number => TimeText.TryReadUnix(view.Raw(row), out micros),
            JsonKind.String => TimeText.TryRead(view.Text(row), out micros) || TimeText.TryReadUnix(view.Text(row), out micros),
            _ => false,
        };
    }

    static void Classify(scoped in JsonView view, scoped ReadOnlySpan<int> rows, NormalizedEvent output)
    {
        var action = view.Text(rows[(int)CommonField.Action]);
        var words = CommonActions.Read(action);
        var target = CommonActions.Read(view.Scalar(rows[(int)CommonField.ObjectType]));
        var hasUser = rows[(int)CommonField.User] >= 0 || rows[(int)CommonField.UserName] >= 0;
        var type = action.IsEmpty
            ? new ActionType(Ocsf.BaseEvent, Ocsf.Other, 0, LogKinds.None)
            : CommonActions.Type(words, target, hasUser, rows[(int)CommonField.Object] >= 0);
        output.ClassUid = type.ClassUid;
        output.ActivityId = type.ActivityId;
        output.Kinds = type.Kinds;
        output.SeverityId = Severity(view.Scalar(rows[(int)CommonField.Severity]));
        output.StatusId = Status(view.Scalar(rows[(int)CommonField.Status]));
        if (output.StatusId == Ocsf.StatusUnknown && words.Says(ActionWords.Failed)) output.StatusId = Ocsf.Failure;
    }

    static byte Severity(ReadOnlySpan<byte> text)
    {
        Span<byte> word = stackalloc byte[16];
        if (!TryLower(text, word, out var length) || length == 0) return Ocsf.Informational;
        word = word[..length];
        return Low.Has(word) ? Ocsf.Informational
            : Warnings.Has(word) ? Ocsf.Low
            : Errors.Has(word) ? Ocsf.Medium
            : Highs.Has(word) ? Ocsf.High
            : Criticals.Has(word) ? Ocsf.Critical
            : Fatals.Has(word) ? Ocsf.Fatal
            : Ocsf.Informational;
    }

    static byte Status(ReadOnlySpan<byte> text)
    {
        if (Utf8Parser.TryParse(text, out int code, out var used) && used == text.Length)
            return code is >= 200 and < 400 or 0 ? Ocsf.Success : code is >= 400 and < 600 ? Ocsf.Failure : Ocsf.StatusUnknown;
        Span<byte> word = stackalloc byte[16];
        if (!TryLower(text, word, out var length)) return Ocsf.StatusUnknown;
        return Good.Has(word[..length]) ? Ocsf.Success : Bad.Has(word[..length]) ? Ocsf.Failure : Ocsf.StatusUnknown;
    }

    static bool TryLower(ReadOnlySpan<byte> text, Span<byte> word, out int length)
    {
        length = 0;
        return text.Length <= word.Length && Ascii.ToLower(text, word, out length) == OperationStatus.Done;
    }

    static void WriteMetadata(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, ReadOnlySpan<byte> product, NormalizedEvent output)
    {
        var id = view.Scalar(rows[(int)CommonField.Id]);
        Ocsf.BeginMetadata(o, default, view.Scalar(rows[(int)CommonField.Service]) is { IsEmpty: false } service ? service : product);
        o.Optional("uid"u8, id);
        output.Id.Write(id);
        output.Action = o.Optional("event_code"u8, view.Text(rows[(int)CommonField.Action]));
        o.Optional("original_time"u8, view.Scalar(rows[(int)CommonField.Time]));
        o.Optional("log_level"u8, view.Scalar(rows[(int)CommonField.Severity]));
        o.End();
    }

    /// <summary>Writes who acted and from where, and for the classes about users the user.</summary>
    static void WriteParties(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, ReadOnlySpan<byte> service, NormalizedEvent output)
    {
        o.Begin("actor"u8);
        var hasUser = rows[(int)CommonField.User] >= 0 || rows[(int)CommonField.UserName] >= 0;
        if (hasUser) WriteUser(o, view, rows, output);
        var session = view.Scalar(rows[(int)CommonField.Session]);
        if (!session.IsEmpty)
        {
            o.Begin("session"u8);
            o.String("uid"u8, session);
            o.End();
        }
        if (!hasUser) o.String("app_name"u8, service);
        o.End();
        var text = view.Text(rows[(int)CommonField.Ip]);
        var address = FirstAddress(text, out var port);
        output.Ip = Ocsf.Source(o, address, port, default, default);
        if (output.Ip.IsPresent) output.Actors.Add(output.Ip);
        if (view.Text(rows[(int)CommonField.UserAgent]) is { IsEmpty: false } agent)
        {
            o.Begin("http_request"u8);
            o.String("user_agent"u8, agent);
            o.End();
        }
        var target = view.Scalar(rows[(int)CommonField.Object]);
        if (output.ClassUid == Ocsf.Authentication)
        {
            WriteUser(o, view, rows, output);
            o.Begin("service"u8);
            var name = o.String("name"u8, target.IsEmpty ? service : target);
            // Who logs in to an application acts on that application.
            output.Object = name;
            o.End();
        }
        else if (output.ClassUid == Ocsf.AccountChange)
        {
            o.Begin("user"u8);
            output.Object = o.String("uid"u8, target);
            output.Actors.Add(output.Object);
            o.End();
        }
    }

    static void WriteUser(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, NormalizedEvent output)
    {
        o.Begin("user"u8);
        var slice = o.Optional("uid"u8, view.Scalar(rows[(int)CommonField.User]));
        if (slice.IsPresent) output.Actors.Add(slice);
        var name = o.Optional("name"u8, view.Scalar(rows[(int)CommonField.UserName]));
        if (name.IsPresent) output.Actors.Add(name);
        if (!output.User.IsPresent) output.User = slice.IsPresent ? slice : name;
        o.End();
    }

    static void WriteApi(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, ReadOnlySpan<byte> service, NormalizedEvent output)
    {
        o.Begin("api"u8);
        o.String("operation"u8, view.Text(rows[(int)CommonField.Action]));
        o.Begin("service"u8);
        o.String("name"u8, service);
        o.End();
        o.End();
        var target = view.Scalar(rows[(int)CommonField.Object]);
        if (target.IsEmpty) return;
        o.BeginArray("resources"u8);
        o.Begin();
        output.Object = o.String("uid"u8, target);
        o.Optional("type"u8, view.Scalar(rows[(int)CommonField.ObjectType]));
        o.End();
        o.EndArray();
    }

    /// <summary>The base event has no place for a party or an object: they stay where the policy looks for leftovers.</summary>
    static void WriteBaseFields(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, NormalizedEvent output)
    {
        output.User = o.Optional("logwarden_user"u8, view.Scalar(rows[(int)CommonField.User]) is { IsEmpty: false } user
            ? user
            : view.Scalar(rows[(int)CommonField.UserName]));
        if (output.User.IsPresent) output.Actors.Add(output.User);
        output.Ip = o.Optional("logwarden_ip"u8, FirstAddress(view.Text(rows[(int)CommonField.Ip]), out _));
        if (output.Ip.IsPresent) output.Actors.Add(output.Ip);
        output.Object = o.Optional("logwarden_object"u8, view.Scalar(rows[(int)CommonField.Object]));
    }

    /// <summary>The address of a field; of a list, as in X-Forwarded-For, the first.</summary>
    static ReadOnlySpan<byte> FirstAddress(ReadOnlySpan<byte> text, out int port)
    {
        var comma = text.IndexOf((byte)',');
        return IpText.Address((comma < 0 ? text : text[..comma]).Trim((byte)' '), out port);
    }

    /// <summary>Copies what was not mapped. A field that was read but could not be understood stays, too.</summary>
    static void WriteRest(JsonOut o, scoped in JsonView view, scoped ReadOnlySpan<int> rows, NormalizedEvent output)
    {
        for (var row = view.First(0); row >= 0; row = view.After(row, 0))
        {
            if (view.Kind(row) == JsonKind.Null || IsWritten(view, rows, row, output)) continue;
            if (view.Kind(row) != JsonKind.Object || !HoldsMapped(view, rows, row))
            {
                o.Raw(view.Name(row), view.Raw(row), view.HasBlanks);
                continue;
            }
            var any = false;
            for (var part = view.First(row); part >= 0; part = view.After(part, row))
            {
                if (IsWritten(view, rows, part, output)) continue;
                if (!any) o.Begin(view.Name(row));
                any = true;
                o.Raw(view.Name(part), view.Raw(part), view.HasBlanks);
            }
            if (any) o.End();
        }
    }

    static bool IsWritten(scoped in JsonView view, scoped ReadOnlySpan<int> rows, int row, NormalizedEvent output)
    {
        var at = rows.IndexOf(row);
        if (at < 0) return false;
        var field = (CommonField)at;
        var isParty = output.ClassUid != Ocsf.BaseEvent;
        return field switch
        {
            CommonField.Ip => output.Ip.IsPresent && IpText.IsAddress(view.Text(row)),
            CommonField.UserName or CommonField.Session or CommonField.UserAgent => isParty,
            CommonField.ObjectType => output.ClassUid == Ocsf.ApiActivity && output.Object.IsPresent,
            CommonField.Status => output.StatusId == Ocsf.StatusUnknown,
            CommonField.Message => view.Kind(row) == JsonKind.String,
            _ => true,
        };
    }

    static bool HoldsMapped(scoped in JsonView view, scoped ReadOnlySpan<int> rows, int parent)
    {
        for (var part = view.First(parent); part >= 0; part = view.After(part, parent))
        {
            if (rows.Contains(part)) return true;
        }
        return false;
    }
}
