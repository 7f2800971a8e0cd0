using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>The fields of an event that many formats call by many names. In the order of <see cref="FieldMap.Targets"/>.</summary>
enum CommonField
{
    Time,
    Id,
    User,
    UserName,
    Ip,
    Action,
    Object,
    ObjectType,
    Message,
    Severity,
    Status,
    Session,
    UserAgent,
    Service,
    Count,
}

/// <summary>
/// The names under which a field may stand at the top of a record or one level below, best first. Names in one object beat those
/// inside nested objects.
/// </summary>
static class CommonNames
{
    static readonly Names Top = new(
        (CommonField.Time, "dt time timestamp @timestamp ts datetime date_time event_time eventTime occurred_at created_at createdAt logged_at date"),
        (CommonField.Id, "event_id eventId id uuid event.id"),
        (CommonField.User, "user_id userId user.id actor_id actorId actor.id user actor uid principal subject who username user_name user.name usr email user.email account login owner"),
        (CommonField.UserName, "username user_name userName user.name actor_name user_email email user.email display_name"),
        (CommonField.Ip, "ip ip_address ipAddress client_ip clientIp client.ip source_ip sourceIp source.ip src_ip remote_ip remote_addr remoteAddr remote_address x_forwarded_for ipaddr address"),
        (CommonField.Action, "action action_type actionType event_action event.action event event_name eventName event_type eventType operation activity verb method type"),
        (CommonField.Object, "object object_id objectId object.id target target_id targetId target.id resource resource_id resourceId resource.id resource_name entity entity_id entityId table path url uri"),
        (CommonField.ObjectType, "object_type objectType object.type target_type targetType resource_type resourceType entity_type entityType"),
        (CommonField.Message, "message msg log text description summary"),
        (CommonField.Severity, "severity level log_level loglevel log.level priority"),
        (CommonField.Status, "status outcome result event.outcome success status_code"),
        (CommonField.Session, "session_id sessionId session.id session"),
        (CommonField.UserAgent, "user_agent userAgent user_agent.original ua"),
        (CommonField.Service, "app application service app_name service_name serviceName service.name program logger component source"));

    static readonly Names InActor = new(
        (CommonField.User, "id uid user_id userId sub login username name email"),
        (CommonField.UserName, "username user_name name display_name email"),
        (CommonField.Ip, "ip ip_address ipAddress"),
        (CommonField.Session, "session_id sessionId"));

    static readonly Names InObject = new(
        (CommonField.Object, "id uid arn key name path"),
        (CommonField.ObjectType, "type kind"));

    static readonly Names InEvent = new(
        (CommonField.Action, "action name type"),
        (CommonField.Id, "id"),
        (CommonField.Status, "outcome"));

    static readonly Names InSource = new(
        (CommonField.Ip, "ip ip_address ipAddress client_ip clientIp remote_ip remote_addr address"),
        (CommonField.UserAgent, "user_agent userAgent"),
        (CommonField.Session, "session_id sessionId"));

    static readonly NameTable Containers = new(
        "user", "actor", "principal", "usr", "object", "target", "resource", "entity", "event", "source", "client", "request", "http",
        "network", "context", "remote");

    static readonly Names[] ContainerNames =
    [
        InActor, InActor, InActor, InActor, InObject, InObject, InObject, InObject, InEvent, InSource, InSource, InSource, InSource,
        InSource, InSource, InSource,
    ];

    /// <summary>Fills in the row of each field that is found and is text, a number or a boolean.</summary>
    /// <param name="view">The record.</param>
    /// <param name="rows">By field; −1 where nothing is known yet.</param>
    public static void Find(scoped in JsonView view, Span<int> rows)
    {
        rows.Fill(-1);
        Span<int> ranks = stackalloc int[(int)CommonField.Count];
        ranks.Fill(int.MaxValue);
        Take(view, 0, Top, rows, ranks, 0);
        for (var row = view.First(0); row >= 0; row = view.After(row, 0))
        {
            if (view.Kind(row) != JsonKind.Object) continue;
            var container = Containers.Find(view.Name(row));
            if (container >= 0) Take(view, row, ContainerNames[container], rows, ranks, 1000 * (container + 1));
        }
        // One text for both is no second name.
        if (rows[(int)CommonField.UserName] == rows[(int)CommonField.User]) rows[(int)CommonField.UserName] = -1;
    }

    static void Take(scoped in JsonView view, int parent, Names names, Span<int> rows, Span<int> ranks, int rankBase)
    {
        for (var row = view.First(parent); row >= 0; row = view.After(row, parent))
        {
            if (view.Scalar(row).IsEmpty) continue;
            var from = 0;
            var name = view.Name(row);
            while (names.Next(name, ref from, out var field, out var rank))
            {
                if (rankBase + rank >= ranks[(int)field] || !Fits(view, row, field)) continue;
                rows[(int)field] = row;
                ranks[(int)field] = rankBase + rank;
            }
        }
    }

    static bool Fits(scoped in JsonView view, int row, CommonField field) => view.Kind(row) switch
    {
        JsonKind.Boolean => field == CommonField.Status,
        JsonKind.Number => field is not (CommonField.Ip or CommonField.Action or CommonField.Message),
        _ => true,
    };

    /// <summary>Names of several fields; one name may stand for two of them.</summary>
    sealed class Names
    {
        readonly NameTable _table;
        readonly List<(CommonField Field, int Rank)>[] _meanings;

        public Names(params ReadOnlySpan<(CommonField Field, string Names)> fields)
        {
            var all = new List<string>();
            var meanings = new List<List<(CommonField, int)>>();
            foreach (var (field, names) in fields)
            {
                var rank = 0;
                foreach (var name in names.Split(' '))
                {
                    var at = all.IndexOf(name);
                    if (at < 0)
                    {
                        at = all.Count;
                        all.Add(name);
                        meanings.Add([]);
                    }
                    meanings[at].Add((field, rank++));
                }
            }
            _table = new([.. all]);
            _meanings = [.. meanings];
        }

        public bool Next(ReadOnlySpan<byte> name, ref int from, out CommonField field, out int rank)
        {
            (field, rank) = (default, 0);
            var at = _table.Find(name);
            if (at < 0 || from >= _meanings[at].Count) return false;
            (field, rank) = _meanings[at][from++];
            return true;
        }
    }
}
