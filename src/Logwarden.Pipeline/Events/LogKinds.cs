namespace Logwarden.Events;

/// <summary>Which of the policy's LOG-1..4 clauses an event is an instance of. Several may hold at once.</summary>
[Flags]
public enum LogKinds
{
    /// <summary>None of them: kept, but not asked for by LOG-1..4.</summary>
    None = 0,

    /// <summary>LOG-1: user log-in and log-out.</summary>
    SignIn = 1,

    /// <summary>LOG-2: create, read, update, delete on users and objects.</summary>
    ObjectAccess = 2,

    /// <summary>LOG-3: change of a security setting, first of all of logging itself.</summary>
    SecuritySetting = 4,

    /// <summary>LOG-4: access of an owner or administrator to customer data.</summary>
    CustomerDataAccess = 8,
}

/// <summary>Which of the five LOG-5 fields an event lacks.</summary>
[Flags]
public enum MissingFields
{
    /// <summary>All five are there.</summary>
    None = 0,

    /// <summary>No user id.</summary>
    User = 1,

    /// <summary>No IP address.</summary>
    Ip = 2,

    /// <summary>No valid timestamp; the time of acceptance stands in.</summary>
    Time = 4,

    /// <summary>No action type.</summary>
    Action = 8,

    /// <summary>No action object.</summary>
    Object = 16,
}
