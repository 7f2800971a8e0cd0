using System.Buffers;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// Kubernetes API-server audit events, <c>audit.k8s.io</c> v1 and v1beta1: lines of a log file, webhook batches (<c>EventList</c>), EKS.
/// <para>User is <c>user.username</c>. IP is the last of <c>sourceIPs</c>: the API server adds the address that connected to it at the
/// end, and everything before it comes from X-Forwarded-For and X-Real-Ip headers, which the client writes. When a proxy of one's own stands
/// in front, the last one is that proxy; the whole list stays in <c>unmapped.sourceIPs</c>. Action is <c>verb:resource/subresource</c>, or
/// <c>verb:path</c> for a request without resource. Object is <c>resource/namespace/name</c>.</para>
/// <para>Bodies (<c>requestObject</c>, <c>responseObject</c>) never leave: <c>unmapped.request_object_bytes</c> tells how large they were.</para>
/// </summary>
public sealed class K8sAuditFormat : IFormat
{
    enum Field
    {
        Kind,
        ApiVersion,
        AuditId,
        Stage,
        Verb,
        User,
        SourceIps,
        UserAgent,
        ObjectRef,
        ResponseStatus,
        RequestReceived,
        StageTime,
        RequestObject,
        ResponseObject,
        RequestUri,
        Level,
        Timestamp,
        Annotations,
        Count,
    }

    static readonly NameTable Names = new(
        "kind", "apiVersion", "auditID", "stage", "verb", "user", "sourceIPs", "userAgent", "objectRef", "responseStatus",
        "requestReceivedTimestamp", "stageTimestamp", "requestObject", "responseObject", "requestURI", "level", "timestamp", "annotations");

    static readonly NameTable SecurityResources = new(
        "roles", "rolebindings", "clusterroles", "clusterrolebindings", "serviceaccounts", "secrets", "networkpolicies",
        "podsecuritypolicies", "validatingwebhookconfigurations", "mutatingwebhookconfigurations", "validatingadmissionpolicies",
        "certificatesigningrequests", "apiservices", "resourcequotas", "limitranges", "namespaces",
        "validatingadmissionpolicybindings", "mutatingadmissionpolicies", "mutatingadmissionpolicybindings", "securitycontextconstraints");

    static readonly NameTable Verbs = new(
        "create", "get", "list", "watch", "update", "patch", "delete", "deletecollection", "post", "put", "head");

    static readonly int[] Activities = [1, 2, 2, 2, 3, 3, 4, 4, 1, 3, 2];

    /// <inheritdoc/>
    public string Name => "k8s-audit";

    /// <inheritdoc/>
    public string Summary => "Kubernetes API-server audit events (audit.k8s.io v1, v1beta1), as lines or EventList.";

    /// <inheritdoc/>
    public Framing Framing { get; } = new(FramingKind.Json, "items");

    /// <inheritdoc/>
    public NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output)
    {
        if (output.Read(record, out var view) is { } refused) return refused;
        Span<int> rows = stackalloc int[(int)Field.Count];
        Names.Find(view, rows);
        if (Check(view, rows) is { } wrong) return wrong;
        output.SetTime(TryTime(view, rows, out var micros), micros, context.AcceptedMicros);
        var facts = new Facts(view, rows);
        Classify(facts, output);
        Write(facts, output);
        return null;
    }

    static bool TryTime(scoped in JsonView view, ReadOnlySpan<int> rows, out long micros) =>
        TimeText.TryRead(view.Text(rows[(int)Field.RequestReceived]), out micros)
        || TimeText.TryRead(view.Text(rows[(int)Field.Timestamp]), out micros)
        || TimeText.TryRead(view.Text(rows[(int)Field.StageTime]), out micros);

    static NormalizeError? Check(scoped in JsonView view, ReadOnlySpan<int> rows)
    {
        var (kind, version) = (rows[(int)Field.Kind], rows[(int)Field.ApiVersion]);
        if (kind >= 0 && !view.Text(kind).SequenceEqual("Event"u8))
            return new("not-k8s-audit", "kind", view.Position(kind), "not an audit event: expected kind Event");
        if (version >= 0 && !view.Text(version).StartsWith("audit.k8s.io/"u8))
            return new("not-k8s-audit", "apiVersion", view.Position(version), "not an audit event: expected apiVersion audit.k8s.io/…");
        if (view.Text(rows[(int)Field.Verb]).IsEmpty)
        {
            var verb = rows[(int)Field.Verb];
            return verb < 0
                ? new("not-k8s-audit", "verb", 0, "not an audit event: expected a verb")
                : view.Wrong(verb, "expected text that is not empty");
        }
        if (kind < 0 && rows[(int)Field.AuditId] < 0 && rows[(int)Field.RequestUri] < 0 && rows[(int)Field.ObjectRef] < 0)
            return new("not-k8s-audit", "auditID", 0, "not an audit event: expected kind Event, auditID, objectRef or requestURI");
        ReadOnlySpan<Field> objects = [Field.User, Field.ObjectRef, Field.ResponseStatus];
        foreach (var field in objects)
        {
            var row = rows[(int)field];
            if (row >= 0 && view.Kind(row) != JsonKind.Object) return view.Wrong(row, "expected an object");
        }
        ReadOnlySpan<Field> texts = [Field.AuditId, Field.Stage, Field.RequestUri, Field.UserAgent, Field.RequestReceived];
        foreach (var field in texts)
        {
            var row = rows[(int)field];
            if (row >= 0 && view.Kind(row) != JsonKind.String) return view.Wrong(row, "expected text");
        }
        var ips = rows[(int)Field.SourceIps];
        return ips >= 0 && view.Kind(ips) != JsonKind.Array ? view.Wrong(ips, "expected an array of addresses") : null;
    }

    /// <summary>What is asked of a record more than once.</summary>
    readonly ref struct Facts
    {
        public readonly JsonView View;
        public readonly ReadOnlySpan<int> Rows;
        public readonly ReadOnlySpan<byte> Verb;
        public readonly ReadOnlySpan<byte> Resource;
        public readonly ReadOnlySpan<byte> Subresource;
        public readonly ReadOnlySpan<byte> Namespace;
        public readonly ReadOnlySpan<byte> ObjectName;
        public readonly ReadOnlySpan<byte> Path;
        public readonly int Code;

        public Facts(JsonView view, ReadOnlySpan<int> rows)
        {
            View = view;
            Rows = rows;
            var reference = rows[(int)Field.ObjectRef];
            Verb = view.Text(rows[(int)Field.Verb]);
            Resource = view.Text(reference, "resource"u8);
            Subresource = view.Text(reference, "subresource"u8);
            Namespace = view.Text(reference, "namespace"u8);
            ObjectName = view.Text(reference, "name"u8);
            // The name of what is created may stand in the body alone.
            if (ObjectName.IsEmpty) ObjectName = view.Text(view.Find(rows[(int)Field.RequestObject], "metadata"u8), "name"u8);
            if (ObjectName.IsEmpty && view.Text(rows[(int)Field.ResponseObject], "kind"u8) is var kind && !kind.EndsWith("List"u8))
                ObjectName = view.Text(view.Find(rows[(int)Field.ResponseObject], "metadata"u8), "name"u8);
            Path = view.Text(rows[(int)Field.RequestUri]);
            var query = Path.IndexOf((byte)'?');
            if (query >= 0) Path = Path[..query];
            Code = System.Buffers.Text.Utf8Parser.TryParse(view.Scalar(view.Find(rows[(int)Field.ResponseStatus], "code"u8)), out int code, out _)
                ? code
                : 0;
        }

        public ReadOnlySpan<byte> Text(Field field) => View.Text(Rows[(int)field]);

        public int Row(Field field) => Rows[(int)field];
    }

    static void Classify(scoped in Facts facts, NormalizedEvent output)
    {
        var verb = Verbs.Find(facts.Verb);
        output.ClassUid = Ocsf.ApiActivity;
        output.ActivityId = verb < 0 ? Ocsf.Other : Activities[verb];
        output.SeverityId = Ocsf.Informational;
        output.StatusId = facts.Code switch { 0 => Ocsf.StatusUnknown, < 400 => Ocsf.Success, _ => Ocsf.Failure };
        output.Kinds = LogKinds.ObjectAccess;
        if (output.ActivityId != 2 && SecurityResources.Has(facts.Resource)) output.Kinds |= LogKinds.SecuritySetting;
        if (output.ActivityId != 2 && K8sLogging.IsChanged(facts.Resource, facts.Subresource, facts.ObjectName, output.ActivityId))
            (output.Kinds, output.SeverityId) = (output.Kinds | LogKinds.SecuritySetting, Ocsf.Medium);
        var user = facts.View.Text(facts.Row(Field.User), "username"u8);
        var isInside = facts.Subresource.SequenceEqual("exec"u8) || facts.Subresource.SequenceEqual("attach"u8)
            || facts.Subresource.SequenceEqual("portforward"u8) || facts.Subresource.SequenceEqual("ephemeralcontainers"u8);
        if (isInside || (facts.Resource.SequenceEqual("secrets"u8) && !user.StartsWith("system:"u8)))
            output.Kinds |= LogKinds.CustomerDataAccess;
    }

    static void Write(scoped in Facts facts, NormalizedEvent output)
    {
        var o = output.Out;
        Ocsf.Begin(o, output);
        if (output.ActivityId == Ocsf.Other) o.String("activity_name"u8, facts.Verb);
        WriteMetadata(o, facts, output);
        WriteActor(o, facts, output);
        WriteSource(o, facts, output);
        WriteApi(o, facts);
        if (facts.Row(Field.UserAgent) >= 0 || facts.Row(Field.RequestUri) >= 0)
        {
            o.Begin("http_request"u8);
            o.Optional("user_agent"u8, facts.Text(Field.UserAgent));
            if (!facts.Text(Field.RequestUri).IsEmpty)
            {
                o.Begin("url"u8);
                o.String("url_string"u8, facts.Text(Field.RequestUri));
                o.End();
            }
            o.End();
        }
        WriteResource(o, facts, output);
        WriteUnmapped(o, facts);
        o.End();
        o.MoveTo(output.Json);
    }

    static void WriteMetadata(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var id = facts.Text(Field.AuditId);
        Ocsf.BeginMetadata(o, "Kubernetes"u8, "Kubernetes"u8);
        if (!id.IsEmpty)
        {
            o.Joined("uid"u8, id, ":"u8, facts.Text(Field.Stage));
            output.Id.Write(id);
            output.Id.Write(":"u8);
            output.Id.Write(facts.Text(Field.Stage));
        }
        var scratch = output.Scratch;
        scratch.Write(facts.Verb);
        var about = facts.Resource.IsEmpty ? facts.Path : facts.Resource;
        if (!about.IsEmpty) scratch.Write(":"u8);
        scratch.Write(about);
        if (!facts.Subresource.IsEmpty)
        {
            scratch.Write("/"u8);
            scratch.Write(facts.Subresource);
        }
        output.Action = o.String("event_code"u8, scratch.WrittenSpan);
        o.Optional("original_time"u8, facts.Text(Field.RequestReceived));
        o.String("log_name"u8, "audit"u8);
        o.Optional("log_version"u8, facts.Text(Field.ApiVersion));
        o.Optional("log_level"u8, facts.Text(Field.Level));
        o.End();
    }

    static void WriteActor(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var view = facts.View;
        var user = facts.Row(Field.User);
        var name = view.Text(user, "username"u8);
        var uid = view.Text(user, "uid"u8);
        o.Begin("actor"u8);
        if (name.IsEmpty && uid.IsEmpty)
        {
            output.Missing |= MissingFields.User;
            o.String("app_name"u8, "unknown"u8);
            o.End();
            return;
        }
        o.Begin("user"u8);
        output.User = o.Optional("name"u8, name);
        var uidSlice = o.Optional("uid"u8, uid);
        if (!output.User.IsPresent) output.User = uidSlice;
        else if (uidSlice.IsPresent) output.Actors.Add(uidSlice);
        output.Actors.Add(output.User);
        o.Number("type_id"u8, name.StartsWith("system:"u8) ? 3 : 1);
        var groups = view.Find(user, "groups"u8);
        if (view.Kind(groups) == JsonKind.Array && view.First(groups) >= 0)
        {
            o.BeginArray("groups"u8);
            for (var row = view.First(groups); row >= 0; row = view.After(row, groups))
            {
                if (view.Text(row).IsEmpty) continue;
                o.Begin();
                o.String("name"u8, view.Text(row));
                o.End();
            }
            o.EndArray();
        }
        o.End();
        var decision = view.Text(facts.Row(Field.Annotations), "authorization.k8s.io/decision"u8);
        if (!decision.IsEmpty)
        {
            o.BeginArray("authorizations"u8);
            o.Begin();
            o.String("decision"u8, decision);
            o.End();
            o.EndArray();
        }
        o.End();
    }

    static void WriteSource(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var view = facts.View;
        var ips = facts.Row(Field.SourceIps);
        ReadOnlySpan<byte> last = default;
        for (var row = view.First(ips); row >= 0; row = view.After(row, ips)) last = view.Text(row);
        var address = IpText.IsAddress(last) ? last : default;
        output.Ip = Ocsf.Source(o, address, -1, default, default);
        if (address.IsEmpty) output.Missing |= MissingFields.Ip;
        else output.Actors.Add(output.Ip);
    }

    static void WriteApi(JsonOut o, scoped in Facts facts)
    {
        var view = facts.View;
        var reference = facts.Row(Field.ObjectRef);
        o.Begin("api"u8);
        o.String("operation"u8, facts.Verb);
        o.Optional("version"u8, view.Text(reference, "apiVersion"u8));
        o.Begin("service"u8);
        o.String("name"u8, "kube-apiserver"u8);
        o.End();
        var group = view.Text(reference, "apiGroup"u8);
        if (!group.IsEmpty)
        {
            o.Begin("group"u8);
            o.String("name"u8, group);
            o.End();
        }
        if (!facts.Text(Field.AuditId).IsEmpty)
        {
            o.Begin("request"u8);
            o.String("uid"u8, facts.Text(Field.AuditId));
            o.End();
        }
        if (facts.Code != 0)
        {
            o.Begin("response"u8);
            o.Number("code"u8, facts.Code);
            o.Optional("error"u8, view.Text(facts.Row(Field.ResponseStatus), "reason"u8));
            o.End();
        }
        o.End();
    }

    static void WriteResource(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var scratch = output.Spare;
        scratch.Write(facts.Resource.IsEmpty ? facts.Path : facts.Resource);
        foreach (var isName in (ReadOnlySpan<bool>)[false, true])
        {
            var part = isName ? facts.ObjectName : facts.Namespace;
            if (part.IsEmpty) continue;
            scratch.Write("/"u8);
            scratch.Write(part);
        }
        if (scratch.WrittenCount == 0)
        {
            output.Missing |= MissingFields.Object;
            return;
        }
        o.BeginArray("resources"u8);
        o.Begin();
        output.Object = o.String("uid"u8, scratch.WrittenSpan);
        o.Optional("name"u8, facts.ObjectName);
        o.Optional("namespace"u8, facts.Namespace);
        o.Optional("type"u8, facts.Resource);
        o.End();
        o.EndArray();
    }

    static void WriteUnmapped(JsonOut o, scoped in Facts facts)
    {
        var view = facts.View;
        o.Begin("unmapped"u8);
        for (var row = view.First(0); row >= 0; row = view.After(row, 0))
        {
            if (view.Kind(row) == JsonKind.Null) continue;
            switch ((Field)Names.Find(view.Name(row)))
            {
                case Field.RequestObject:
                    o.Number("request_object_bytes"u8, view.Raw(row).Length);
                    break;
                case Field.ResponseObject:
                    o.Number("response_object_bytes"u8, view.Raw(row).Length);
                    break;
                case Field.Kind or Field.ApiVersion or Field.AuditId or Field.Verb or Field.UserAgent or Field.RequestReceived
                    or Field.RequestUri or Field.Level:
                    break;
                case Field.SourceIps when view.First(row) is var first && (first < 0 || view.After(first, row) < 0):
                    break;
                case Field.User:
                    WriteUserRest(o, view, row);
                    break;
                default:
                    o.Raw(view.Name(row), view.Raw(row), view.HasBlanks);
                    break;
            }
        }
        o.End();
    }

    static void WriteUserRest(JsonOut o, scoped in JsonView view, int user)
    {
        var extra = view.Find(user, "extra"u8);
        if (extra < 0) return;
        o.Begin("user"u8);
        o.Raw("extra"u8, view.Raw(extra), view.HasBlanks);
        o.End();
    }
}
