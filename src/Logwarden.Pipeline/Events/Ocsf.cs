namespace Logwarden.Events;

/// <summary>Numbers of OCSF 1.8.0 that we write, and the parts that every event has.</summary>
static class Ocsf
{
    public const int BaseEvent = 0;
    public const int AccountChange = 3001;
    public const int Authentication = 3002;
    public const int EntityManagement = 3004;
    public const int UserAccess = 3005;
    public const int GroupManagement = 3006;
    public const int NetworkActivity = 4001;
    public const int ApplicationLifecycle = 6002;
    public const int ApiActivity = 6003;
    public const int DatastoreActivity = 6005;
    public const int Other = 99;

    public const byte Informational = 1;
    public const byte Low = 2;
    public const byte Medium = 3;
    public const byte High = 4;
    public const byte Critical = 5;
    public const byte Fatal = 6;

    public const byte StatusUnknown = 0;
    public const byte Success = 1;
    public const byte Failure = 2;

    /// <summary>Begins the event's object with what is required of every class. The facts are read from the event.</summary>
    public static void Begin(JsonOut o, NormalizedEvent e)
    {
        o.Begin();
        o.Number("class_uid"u8, e.ClassUid);
        o.Number("category_uid"u8, e.ClassUid / 1000);
        o.Number("activity_id"u8, e.ActivityId);
        o.Number("type_uid"u8, e.ClassUid * 100L + e.ActivityId);
        o.Number("severity_id"u8, e.SeverityId);
        o.Number("status_id"u8, e.StatusId);
        o.Number("time"u8, Math.DivRem(e.TimeMicros, 1000, out var rest) - (rest < 0 ? 1 : 0));
    }

    /// <summary>Begins <c>metadata</c> with the version, the product and the action. The caller ends it.</summary>
    public static void BeginMetadata(JsonOut o, ReadOnlySpan<byte> vendor, ReadOnlySpan<byte> product)
    {
        o.Begin("metadata"u8);
        o.String("version"u8, "1.8.0"u8);
        o.Begin("product"u8);
        o.String("name"u8, product);
        o.Optional("vendor_name"u8, vendor);
        o.End();
    }

    /// <summary>
    /// Writes <c>src_endpoint</c>, which most classes require: the address, else the name of the service or host that called, else
    /// the name <c>unknown</c>.
    /// </summary>
    /// <returns>Where the address stands.</returns>
    public static JsonSlice Source(JsonOut o, ReadOnlySpan<byte> ip, int port, ReadOnlySpan<byte> service, ReadOnlySpan<byte> uid)
    {
        o.Begin("src_endpoint"u8);
        var slice = o.Optional("ip"u8, ip);
        if (port >= 0) o.Number("port"u8, port);
        o.Optional("svc_name"u8, service);
        o.Optional("uid"u8, uid);
        if (ip.IsEmpty && service.IsEmpty && uid.IsEmpty) o.String("name"u8, "unknown"u8);
        o.End();
        return slice;
    }
}
