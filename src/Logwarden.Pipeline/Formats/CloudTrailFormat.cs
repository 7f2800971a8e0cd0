using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>
/// AWS CloudTrail: files of <c>{"Records":[…]}</c> and single records
/// (https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html).
/// <para>User is the ARN of the identity, else its principal id, user name, calling service or account. IP is
/// <c>sourceIPAddress</c> when it is an address; the name of an AWS service becomes <c>src_endpoint.svc_name</c> and counts as a
/// missing IP. Action is <c>s3:GetObject</c>: the service without <c>.amazonaws.com</c>, and the event name. Object is the first ARN of
/// <c>resources</c>, else the target that the request's parameters name, else the account, which is what a call without target is about.</para>
/// <para>Budget: 6 µs for a record of 1.26 KB, nothing allocated.</para>
/// </summary>
public sealed class CloudTrailFormat : IFormat
{
    enum Field
    {
        EventVersion,
        UserIdentity,
        EventTime,
        EventSource,
        EventName,
        AwsRegion,
        SourceIpAddress,
        UserAgent,
        ErrorCode,
        ErrorMessage,
        RequestId,
        EventId,
        ReadOnly,
        EventType,
        RecipientAccountId,
        SharedEventId,
        VpcEndpointId,
        ApiVersion,
        Mapped,
        Resources = Mapped,
        RequestParameters,
        ResponseElements,
        AdditionalEventData,
        EventCategory,
        Count,
    }

    static readonly NameTable Names = new(
        "eventVersion", "userIdentity", "eventTime", "eventSource", "eventName", "awsRegion", "sourceIPAddress", "userAgent", "errorCode",
        "errorMessage", "requestID", "eventID", "readOnly", "eventType", "recipientAccountId", "sharedEventID", "vpcEndpointId",
        "apiVersion", "resources", "requestParameters", "responseElements", "additionalEventData", "eventCategory");

    static readonly NameTable IdentityMapped = new("type", "principalId", "arn", "accountId", "accessKeyId", "userName", "invokedBy");

    /// <inheritdoc/>
    public string Name => "cloudtrail";

    /// <inheritdoc/>
    public string Summary => "AWS CloudTrail log files and single records.";

    /// <inheritdoc/>
    public Framing Framing { get; } = new(FramingKind.Json, "Records");

    /// <inheritdoc/>
    public NormalizeError? Normalize(ReadOnlySpan<byte> record, in FormatContext context, NormalizedEvent output)
    {
        if (output.Read(record, out var view) is { } refused) return refused;
        Span<int> rows = stackalloc int[(int)Field.Count];
        Names.Find(view, rows);
        if (Check(view, rows) is { } wrong) return wrong;
        var facts = new Facts(view, rows);
        output.SetTime(TimeText.TryRead(view.Text(rows[(int)Field.EventTime]), out var micros), micros, context.AcceptedMicros);
        Classify(facts, output);
        Write(facts, output);
        return null;
    }

    static NormalizeError? Check(scoped in JsonView view, ReadOnlySpan<int> rows)
    {
        var name = rows[(int)Field.EventName];
        if (name < 0 || (rows[(int)Field.EventSource] < 0 && rows[(int)Field.UserIdentity] < 0 && rows[(int)Field.EventType] < 0))
        {
            return new("not-cloudtrail", name < 0 ? "eventName" : "eventSource", 0,
                "not a CloudTrail record: expected eventName and eventSource");
        }
        if (view.Text(name).IsEmpty) return view.Wrong(name, "expected text that is not empty");
        for (var field = 0; field < (int)Field.Mapped; field++)
        {
            if (rows[field] < 0) continue;
            var kind = view.Kind(rows[field]);
            var isRight = (Field)field switch
            {
                Field.UserIdentity => kind == JsonKind.Object,
                Field.ReadOnly => kind is JsonKind.Boolean or JsonKind.String,
                Field.ErrorCode or Field.ErrorMessage or Field.RecipientAccountId => kind is JsonKind.String or JsonKind.Number,
                _ => kind == JsonKind.String,
            };
            if (!isRight) return view.Wrong(rows[field], (Field)field == Field.UserIdentity ? "expected an object" : "expected text");
        }
        return null;
    }

    /// <summary>What is asked of a record more than once.</summary>
    readonly ref struct Facts
    {
        public readonly JsonView View;
        public readonly ReadOnlySpan<int> Rows;
        public readonly ReadOnlySpan<byte> Service;
        public readonly ReadOnlySpan<byte> Operation;
        public readonly ReadOnlySpan<byte> Target;
        public readonly bool IsFailure;

        public Facts(JsonView view, ReadOnlySpan<int> rows)
        {
            View = view;
            Rows = rows;
            var source = Text(Field.EventSource);
            var dot = source.IndexOf(".amazonaws.com"u8);
            Service = dot > 0 ? source[..dot] : source;
            Operation = Text(Field.EventName);
            Target = CloudTrailTargets.Find(view, rows[(int)Field.Resources], rows[(int)Field.RequestParameters], rows[(int)Field.ResponseElements]);
            IsFailure = rows[(int)Field.ErrorCode] >= 0 || rows[(int)Field.ErrorMessage] >= 0
                || view.Text(rows[(int)Field.ResponseElements], "ConsoleLogin"u8).SequenceEqual("Failure"u8);
        }

        public ReadOnlySpan<byte> Text(Field field) => View.Scalar(Rows[(int)field]);

        public int Row(Field field) => Rows[(int)field];
    }

    static void Classify(scoped in Facts facts, NormalizedEvent output)
    {
        var view = facts.View;
        var readOnly = facts.Text(Field.ReadOnly) is var flag && flag.SequenceEqual("true"u8);
        var type = CloudTrailTypes.Of(facts.Service, facts.Operation, readOnly, facts.Text(Field.EventType));
        var parameters = facts.Row(Field.RequestParameters);
        // A class that needs a user or a group holds only when the request names it.
        var isWhole = type.ClassUid switch
        {
            Ocsf.AccountChange => !view.Text(parameters, "userName"u8).IsEmpty || !Identity(facts, "userName"u8).IsEmpty,
            Ocsf.GroupManagement => !view.Text(parameters, "groupName"u8).IsEmpty,
            Ocsf.Authentication => !User(facts).IsEmpty,
            _ => true,
        };
        if (!isWhole) type = CloudTrailTypes.Call(facts.Operation, readOnly) with { Kinds = type.Kinds };
        output.ClassUid = type.ClassUid;
        output.ActivityId = type.ActivityId;
        output.SeverityId = type.Severity;
        output.StatusId = facts.IsFailure ? Ocsf.Failure : Ocsf.Success;
        output.Kinds = type.Kinds;
        if (facts.Text(Field.EventCategory).SequenceEqual("Data"u8)) output.Kinds |= LogKinds.CustomerDataAccess;
    }

    static void Write(scoped in Facts facts, NormalizedEvent output)
    {
        var o = output.Out;
        Ocsf.Begin(o, output);
        if (output.ActivityId == Ocsf.Other) o.String("activity_name"u8, facts.Operation);
        WriteMetadata(o, facts, output);
        WriteActor(o, facts, output);
        WriteSource(o, facts, output);
        o.Begin("api"u8);
        o.String("operation"u8, facts.Operation);
        o.Optional("version"u8, facts.Text(Field.ApiVersion));
        if (facts.Row(Field.EventSource) >= 0)
        {
            o.Begin("service"u8);
            o.String("name"u8, facts.Text(Field.EventSource));
            o.End();
        }
        WriteUid(o, "request"u8, facts.Text(Field.RequestId));
        if (facts.IsFailure)
        {
            o.Begin("response"u8);
            o.Optional("error"u8, facts.Text(Field.ErrorCode));
            o.Optional("error_message"u8, facts.Text(Field.ErrorMessage));
            o.End();
        }
        o.End();
        WriteCloud(o, facts, output);
        if (!facts.Text(Field.UserAgent).IsEmpty)
        {
            o.Begin("http_request"u8);
            o.String("user_agent"u8, facts.Text(Field.UserAgent));
            o.End();
        }
        WriteClassFields(o, facts, output);
        WriteObject(o, facts, output);
        if (!output.Object.IsPresent) output.Missing |= MissingFields.Object;
        WriteUnmapped(o, facts);
        o.End();
        o.MoveTo(output.Json);
        System.Buffers.BuffersExtensions.Write(output.Id, facts.Text(Field.EventId));
    }

    static void WriteMetadata(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        Ocsf.BeginMetadata(o, "AWS"u8, "CloudTrail"u8);
        o.Optional("uid"u8, facts.Text(Field.EventId));
        output.Action = facts.Service.IsEmpty
            ? o.String("event_code"u8, facts.Operation)
            : o.Joined("event_code"u8, facts.Service, ":"u8, facts.Operation);
        o.Optional("original_time"u8, facts.Text(Field.EventTime));
        o.Optional("log_name"u8, facts.Text(Field.EventType));
        o.Optional("log_version"u8, facts.Text(Field.EventVersion));
        o.Optional("correlation_uid"u8, facts.Text(Field.SharedEventId));
        o.BeginArray("profiles"u8);
        o.Element("cloud"u8);
        o.EndArray();
        o.End();
    }

    static ReadOnlySpan<byte> Identity(scoped in Facts facts, ReadOnlySpan<byte> name) => facts.View.Text(facts.Row(Field.UserIdentity), name);

    static ReadOnlySpan<byte> User(scoped in Facts facts)
    {
        if (Identity(facts, "arn"u8) is { IsEmpty: false } arn) return arn;
        if (Identity(facts, "principalId"u8) is { IsEmpty: false } principal) return principal;
        if (Identity(facts, "userName"u8) is { IsEmpty: false } name) return name;
        if (Identity(facts, "invokedBy"u8) is { IsEmpty: false } service) return service;
        return Identity(facts, "accountId"u8);
    }

    static void WriteActor(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var view = facts.View;
        var identity = facts.Row(Field.UserIdentity);
        var session = view.Find(identity, "sessionContext"u8);
        o.Begin("actor"u8);
        var user = User(facts);
        if (!user.IsEmpty)
        {
            o.Begin("user"u8);
            WriteIdentity(o, facts, output, user);
            o.End();
        }
        var attributes = view.Find(session, "attributes"u8);
        if (session >= 0)
        {
            o.Begin("session"u8);
            if (TimeText.TryRead(view.Text(attributes, "creationDate"u8), out var created)) o.Number("created_time"u8, created / 1000);
            var mfa = view.Scalar(view.Find(attributes, "mfaAuthenticated"u8));
            if (!mfa.IsEmpty) o.Boolean("is_mfa"u8, mfa.SequenceEqual("true"u8));
            Keep(output, o.Optional("issuer"u8, view.Text(view.Find(session, "sessionIssuer"u8), "arn"u8)));
            o.End();
        }
        var service = Identity(facts, "invokedBy"u8);
        if (service.IsEmpty && user.IsEmpty) service = "unknown"u8;
        o.Optional("app_name"u8, service);
        o.End();
        if (user.IsEmpty) output.Missing |= MissingFields.User;
    }

    static void WriteIdentity(JsonOut o, scoped in Facts facts, NormalizedEvent output, ReadOnlySpan<byte> user)
    {
        var type = Identity(facts, "type"u8);
        o.Optional("type"u8, type);
        o.Number("type_id"u8, CloudTrailTypes.UserType(type));
        var name = Identity(facts, "userName"u8);
        if (name.IsEmpty)
        {
            var session = facts.View.Find(facts.Row(Field.UserIdentity), "sessionContext"u8);
            name = facts.View.Text(facts.View.Find(session, "sessionIssuer"u8), "userName"u8);
        }
        Keep(output, o.Optional("name"u8, name));
        output.User = o.String("uid"u8, user);
        Keep(output, output.User);
        var principal = Identity(facts, "principalId"u8);
        if (!principal.IsEmpty && !principal.SequenceEqual(user)) Keep(output, o.String("uid_alt"u8, principal));
        o.Optional("credential_uid"u8, Identity(facts, "accessKeyId"u8));
        WriteUid(o, "account"u8, Identity(facts, "accountId"u8));
    }

    static void WriteSource(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var source = facts.Text(Field.SourceIpAddress);
        var isAddress = IpText.IsAddress(source);
        output.Ip = Ocsf.Source(o, isAddress ? source : default, -1, isAddress ? default : source, facts.Text(Field.VpcEndpointId));
        if (isAddress) Keep(output, output.Ip);
        else output.Missing |= MissingFields.Ip;
    }

    static ReadOnlySpan<byte> Account(scoped in Facts facts) =>
        facts.Text(Field.RecipientAccountId) is { IsEmpty: false } recipient ? recipient : Identity(facts, "accountId"u8);

    static void WriteCloud(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        o.Begin("cloud"u8);
        o.String("provider"u8, "AWS"u8);
        o.Optional("region"u8, facts.Text(Field.AwsRegion));
        if (!Account(facts).IsEmpty)
        {
            o.Begin("account"u8);
            var account = o.String("uid"u8, Account(facts));
            if (output.ClassUid == Ocsf.Authentication) output.Object = account;
            o.End();
        }
        o.End();
        o.Optional("status_code"u8, facts.Text(Field.ErrorCode));
        o.Optional("status_detail"u8, facts.Text(Field.ErrorMessage));
    }

    static void WriteClassFields(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var view = facts.View;
        var parameters = facts.Row(Field.RequestParameters);
        switch (output.ClassUid)
        {
            case Ocsf.Authentication:
                WriteSubject(o, facts, output);
                o.Begin("service"u8);
                o.String("name"u8, facts.Text(Field.EventSource) is { IsEmpty: false } source ? source : "signin.amazonaws.com"u8);
                o.End();
                var mfa = view.Text(facts.Row(Field.AdditionalEventData), "MFAUsed"u8);
                if (!mfa.IsEmpty) o.Boolean("is_mfa"u8, mfa.SequenceEqual("Yes"u8));
                break;
            case Ocsf.AccountChange:
                o.Begin("user"u8);
                var name = view.Text(parameters, "userName"u8);
                output.Object = o.String("name"u8, name.IsEmpty ? Identity(facts, "userName"u8) : name);
                Keep(output, output.Object);
                o.End();
                if (view.Text(parameters, "policyArn"u8) is { IsEmpty: false } policy) WriteUid(o, "policy"u8, policy);
                break;
            case Ocsf.GroupManagement:
                o.Begin("group"u8);
                output.Object = o.String("name"u8, view.Text(parameters, "groupName"u8));
                o.End();
                if (view.Text(parameters, "userName"u8) is not { IsEmpty: false } member) break;
                o.Begin("user"u8);
                Keep(output, o.String("name"u8, member));
                o.End();
                break;
        }
    }

    /// <summary>Who is authenticated: the role for whose session credentials are issued, else the caller.</summary>
    static void WriteSubject(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        var role = facts.View.Text(facts.Row(Field.RequestParameters), "roleArn"u8);
        o.Begin("user"u8);
        if (role.IsEmpty)
        {
            Keep(output, o.Optional("name"u8, Identity(facts, "userName"u8)));
            Keep(output, o.String("uid"u8, User(facts)));
        }
        else
        {
            output.Object = o.String("uid"u8, role);
            Keep(output, output.Object);
        }
        o.End();
    }

    /// <summary>
    /// What the action was done to. API Activity has <c>resources</c>; in the others it is the user, role, group or account that
    /// the event already names.
    /// </summary>
    static void WriteObject(JsonOut o, scoped in Facts facts, NormalizedEvent output)
    {
        // The group, user, role or account that is written by now is the object.
        if (output.ClassUid != Ocsf.ApiActivity) return;
        var view = facts.View;
        var target = facts.Target.IsEmpty ? Account(facts) : facts.Target;
        var resources = facts.Row(Field.Resources);
        var hasList = view.Kind(resources) == JsonKind.Array && view.First(resources) >= 0;
        if (!hasList && target.IsEmpty) return;
        o.BeginArray("resources"u8);
        if (!hasList)
        {
            o.Begin();
            output.Object = o.String("uid"u8, target);
            if (facts.Target.IsEmpty) o.String("type"u8, "AWS::Account"u8);
            o.End();
        }
        for (var row = hasList ? view.First(resources) : -1; row >= 0; row = view.After(row, resources)) WriteResource(o, view, row, output);
        if (hasList && !output.Object.IsPresent && !target.IsEmpty)
        {
            o.Begin();
            output.Object = o.String("uid"u8, target);
            o.End();
        }
        o.EndArray();
    }

    static void WriteResource(JsonOut o, scoped in JsonView view, int row, NormalizedEvent output)
    {
        var uid = CloudTrailTargets.Arn(view, row);
        if (uid.IsEmpty) return;
        o.Begin();
        var slice = o.String("uid"u8, uid);
        if (!output.Object.IsPresent) output.Object = slice;
        o.Optional("type"u8, view.Text(row, "type"u8));
        var account = view.Text(row, "accountId"u8);
        if (!account.IsEmpty)
        {
            o.Begin("owner"u8);
            WriteUid(o, "account"u8, account);
            o.End();
        }
        o.End();
    }

    static void WriteUnmapped(JsonOut o, scoped in Facts facts)
    {
        var view = facts.View;
        o.Begin("unmapped"u8);
        for (var row = view.First(0); row >= 0; row = view.After(row, 0))
        {
            var field = Names.Find(view.Name(row));
            if (view.Kind(row) == JsonKind.Null || field is >= 0 and < (int)Field.Mapped and not (int)Field.UserIdentity and not (int)Field.ReadOnly)
                continue;
            if (field == (int)Field.Resources && view.Kind(row) == JsonKind.Array && view.First(row) >= 0) continue;
            if (field != (int)Field.UserIdentity)
            {
                o.Raw(view.Name(row), view.Raw(row), view.HasBlanks);
                continue;
            }
            WriteIdentityRest(o, view, row);
        }
        o.End();
    }

    static void WriteIdentityRest(JsonOut o, scoped in JsonView view, int identity)
    {
        var any = false;
        for (var part = view.First(identity); part >= 0; part = view.After(part, identity))
        {
            if (view.Kind(part) == JsonKind.String && IdentityMapped.Has(view.Name(part))) continue;
            if (!any) o.Begin("userIdentity"u8);
            any = true;
            o.Raw(view.Name(part), view.Raw(part), view.HasBlanks);
        }
        if (any) o.End();
    }

    static void WriteUid(JsonOut o, ReadOnlySpan<byte> name, ReadOnlySpan<byte> uid)
    {
        if (uid.IsEmpty) return;
        o.Begin(name);
        o.String("uid"u8, uid);
        o.End();
    }

    static void Keep(NormalizedEvent output, JsonSlice slice)
    {
        if (slice.IsPresent) output.Actors.Add(slice);
    }
}
