using System.Text;
using Logwarden.Events;

namespace Logwarden.Formats;

/// <summary>What an action is: its OCSF class and activity, how severe, and which LOG clauses ask for it.</summary>
readonly record struct ActionType(int ClassUid, int ActivityId, byte Severity, LogKinds Kinds);

/// <summary>What the calls of AWS are, by service and name.</summary>
static class CloudTrailTypes
{
    const int AuthenticationTicket = 3;

    // The calls of IAM that change an account or a group, with the OCSF activity of each.
    static readonly (string Name, int ClassUid, int ActivityId)[] Iam =
    [
        ("CreateUser", Ocsf.AccountChange, 1), ("DeleteUser", Ocsf.AccountChange, 6), ("CreateLoginProfile", Ocsf.AccountChange, 2),
        ("DeleteLoginProfile", Ocsf.AccountChange, 5), ("UpdateLoginProfile", Ocsf.AccountChange, 4),
        ("ChangePassword", Ocsf.AccountChange, 3), ("EnableMFADevice", Ocsf.AccountChange, 10),
        ("DeactivateMFADevice", Ocsf.AccountChange, 11), ("AttachUserPolicy", Ocsf.AccountChange, 7),
        ("PutUserPolicy", Ocsf.AccountChange, 7), ("DetachUserPolicy", Ocsf.AccountChange, 8),
        ("DeleteUserPolicy", Ocsf.AccountChange, 8), ("CreateGroup", Ocsf.GroupManagement, 6), ("DeleteGroup", Ocsf.GroupManagement, 5),
        ("AddUserToGroup", Ocsf.GroupManagement, 3), ("RemoveUserFromGroup", Ocsf.GroupManagement, 4),
        ("AttachGroupPolicy", Ocsf.GroupManagement, 1), ("PutGroupPolicy", Ocsf.GroupManagement, 1),
        ("DetachGroupPolicy", Ocsf.GroupManagement, 2), ("DeleteGroupPolicy", Ocsf.GroupManagement, 2),
    ];

    static readonly NameTable IamNames = new([.. Iam.Select(call => call.Name)]);

    static readonly NameTable Sessions = new(
        "AssumeRole", "AssumeRoleWithSAML", "AssumeRoleWithWebIdentity", "AssumeRoot", "GetFederationToken", "GetSessionToken");

    // Services whose every change is a change of a security setting.
    static readonly NameTable SecurityServices = new(
        "iam", "kms", "cloudtrail", "guardduty", "config", "securityhub", "access-analyzer", "organizations", "sso", "sso-directory",
        "identitystore", "secretsmanager", "wafv2", "waf", "waf-regional", "network-firewall", "detective", "macie2", "inspector2", "acm",
        "rolesanywhere", "cognito-idp", "shield", "fms", "ram", "account", "auditmanager", "logs", "securitylake");

    // Parts of names that tell a change of a security setting in any service.
    static readonly byte[][] SecurityWords =
    [
        .. new[]
        {
            "Policy", "Acl", "ACL", "SecurityGroup", "Encryption", "PublicAccess", "FlowLogs", "Logging", "Permission", "ObjectLock", "Versioning",
            "Password", "AccessKey", "KeyPair", "SSHPublicKey", "SnapshotAttribute", "ImageAttribute", "Retention",
            "LegalHold", "Replication", "NetworkAcl", "EventSelectors", "Alarm", "Detector", "IPSet", "LogConfig", "LogSource", "AuditLog",
            // Those of databases hold what they log, pgaudit's settings among it.
            "ParameterGroup", "MetadataOptions",
        }.Select(Encoding.UTF8.GetBytes),
    ];

    // Calls that turn logging or detection off or away: LOG-3's first concern.
    static readonly NameTable Blinding = new(
        "StopLogging", "DeleteTrail", "UpdateTrail", "PutEventSelectors", "DeleteFlowLogs", "DeleteDetector", "UpdateDetector",
        "DeleteLogGroup", "DeleteLogStream", "PutRetentionPolicy", "DeleteRetentionPolicy", "StopConfigurationRecorder",
        "DeleteConfigurationRecorder", "DeleteDeliveryChannel", "DisableSecurityHub", "DisassociateFromMasterAccount", "DeleteAlarms",
        "DisableAlarmActions", "DeleteEventDataStore", "StopEventDataStoreIngestion", "DeleteMembers", "DisassociateMembers",
        "UpdateEventDataStore", "PutInsightSelectors", "DeleteServiceLinkedChannel", "DisableAWSServiceAccess", "LeaveOrganization",
        "DisassociateFromAdministratorAccount", "StopMonitoringMembers", "StopMonitoringMember", "DeletePublishingDestination", "ArchiveFindings", "CreateFilter",
        "BatchDisableStandards", "DisableImportFindingsForProduct", "DisableMacie", "DeleteAnalyzer", "DeleteGraph",
        "DeleteSubscriptionFilter", "DeleteMetricFilter", "DeleteDestination", "PutConfigurationRecorder", "DeleteConfigRule",
        "PutBucketLogging", "DisableLogging", "DeleteLoggingConfiguration", "DeleteQueryLoggingConfig", "DeleteResolverQueryLogConfig",
        "DisassociateResolverQueryLogConfig", "DeleteDataLake", "DeleteAwsLogSource", "DisableRule", "RemoveTargets", "UpdateClusterConfig",
        "ModifyDBParameterGroup", "ModifyDBClusterParameterGroup", "ResetDBParameterGroup", "ResetDBClusterParameterGroup");

    static readonly byte[][] Readers = Bytes("Get", "List", "Describe", "Head", "Lookup", "Search", "Scan", "Query", "Select", "View",
        "Download", "Check", "Test", "Validate", "Preview", "Simulate", "Detect", "Poll", "Receive", "Decrypt", "BatchGet");

    static readonly byte[][] Makers = Bytes("Create", "Run", "Allocate", "Register", "Import", "Upload", "Issue", "Generate", "Request",
        "Copy", "Provision", "Purchase", "Launch", "Publish", "Add", "Restore", "Invite", "Subscribe");

    static readonly byte[][] Removers = Bytes("Delete", "Remove", "Terminate", "Deregister", "Release", "Purge", "Destroy", "Cancel",
        "Unsubscribe", "BatchDelete", "ScheduleKeyDeletion");

    static readonly byte[][] Changers = Bytes("Update", "Put", "Modify", "Set", "Attach", "Detach", "Associate", "Disassociate", "Enable",
        "Disable", "Start", "Stop", "Tag", "Untag", "Change", "Reset", "Replace", "Authorize", "Revoke", "Reboot", "Rotate", "Edit",
        "Move", "Accept", "Reject", "Apply", "Send", "Write", "Deactivate", "Activate", "Resync", "Upgrade", "Share", "End");

    /// <summary>What a call is.</summary>
    public static ActionType Of(ReadOnlySpan<byte> service, ReadOnlySpan<byte> operation, bool readOnly, ReadOnlySpan<byte> eventType)
    {
        if (eventType.SequenceEqual("AwsConsoleSignIn"u8) || service.SequenceEqual("signin"u8)) return SignIn(operation);
        if (service.SequenceEqual("sts"u8) && Sessions.Has(operation))
            return new(Ocsf.Authentication, AuthenticationTicket, Ocsf.Informational, LogKinds.SignIn);
        if (service.SequenceEqual("sso"u8) && operation.SequenceEqual("Authenticate"u8))
            return new(Ocsf.Authentication, 1, Ocsf.Informational, LogKinds.SignIn);
        var call = Call(operation, readOnly);
        if (readOnly || call.ActivityId == 2) return call;
        if (Blinding.Has(operation)) return call with { Severity = Ocsf.Medium, Kinds = call.Kinds | LogKinds.SecuritySetting };
        if (service.SequenceEqual("iam"u8) && IamNames.Find(operation) is var known && known >= 0)
        {
            return new(Iam[known].ClassUid, Iam[known].ActivityId, Ocsf.Informational,
                LogKinds.ObjectAccess | LogKinds.SecuritySetting);
        }
        return SecurityServices.Has(service) || HasSecurityWord(operation)
            ? call with { Kinds = call.Kinds | LogKinds.SecuritySetting }
            : call;
    }

    /// <summary>The call as API Activity.</summary>
    public static ActionType Call(ReadOnlySpan<byte> operation, bool readOnly)
    {
        var activity = readOnly || StartsWithAny(operation, Readers) ? 2
            : StartsWithAny(operation, Makers) ? 1
            : StartsWithAny(operation, Removers) ? 4
            : StartsWithAny(operation, Changers) ? 3
            : Ocsf.Other;
        return new(Ocsf.ApiActivity, activity, Ocsf.Informational, LogKinds.ObjectAccess);
    }

    /// <summary>OCSF <c>user.type_id</c> of a CloudTrail identity type: user, administrator (root), system (role, service), or other.</summary>
    public static int UserType(ReadOnlySpan<byte> type) => type switch
    {
        [] => 0,
        _ when type.SequenceEqual("Root"u8) => 2,
        _ when type.SequenceEqual("IAMUser"u8) || type.SequenceEqual("IdentityCenterUser"u8) || type.SequenceEqual("SAMLUser"u8)
            || type.SequenceEqual("WebIdentityUser"u8) || type.SequenceEqual("FederatedUser"u8) => 1,
        _ when type.SequenceEqual("AWSService"u8) => 3,
        _ when type.SequenceEqual("Unknown"u8) => 0,
        _ => Ocsf.Other,
    };

    static ActionType SignIn(ReadOnlySpan<byte> operation)
    {
        var activity = operation.SequenceEqual("SwitchRole"u8) || operation.SequenceEqual("ExitRole"u8) ? 7
            : operation.SequenceEqual("ConsoleLogin"u8) || operation.SequenceEqual("UserAuthentication"u8) ? 1
            : operation.SequenceEqual("Logout"u8) ? 2
            : Ocsf.Other;
        return new(Ocsf.Authentication, activity, Ocsf.Informational, LogKinds.SignIn);
    }

    static bool HasSecurityWord(ReadOnlySpan<byte> operation)
    {
        foreach (var word in SecurityWords)
        {
            if (operation.IndexOf(word) >= 0) return true;
        }
        return false;
    }

    static bool StartsWithAny(ReadOnlySpan<byte> text, byte[][] words)
    {
        foreach (var word in words)
        {
            if (text.StartsWith(word)) return true;
        }
        return false;
    }

    static byte[][] Bytes(params string[] words) => Array.ConvertAll(words, Encoding.UTF8.GetBytes);
}
