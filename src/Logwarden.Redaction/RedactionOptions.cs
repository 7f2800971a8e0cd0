namespace Logwarden.Redaction;

/// <summary>What becomes of a hit.</summary>
public enum RedactionAction
{
    /// <summary>The hit is replaced by <c>[REDACTED:rule-id]</c>.</summary>
    Redact,

    /// <summary>The hit is replaced by a keyed pseudonym, so that equal inputs stay joinable.</summary>
    Pseudonym,

    /// <summary>The hit stays as it is; it is neither replaced nor counted.</summary>
    Keep,
}

/// <summary>What becomes of personal data inside the values that name the actor of an event. Secrets in them always go.</summary>
public enum ActorTreatment
{
    /// <summary>The actor's own e-mail, phone or other personal id stays: it is who did it.</summary>
    Keep,

    /// <summary>It becomes a keyed pseudonym.</summary>
    Pseudonym,

    /// <summary>It is redacted like anywhere else.</summary>
    Redact,
}

/// <summary>Which rules run and what they do. Immutable; one <see cref="Redactor"/> is built from it.</summary>
public sealed record RedactionOptions
{
    static readonly string[] DefaultPayloads =
    [
        "requestObject", "responseObject", "request_body", "response_body", "requestBody", "responseBody", "raw_data",
        "request.body", "response.body", "http_request.body", "http_response.body",
    ];

    static readonly string[] DefaultActors =
    [
        "userName", "user_name", "user", "userId", "user_id", "userKey", "userPrincipalName", "upn", "principalId", "principal",
        "actor", "id", "objectId", "mailboxOwnerUPN", "signInIdentifier", "assumedRoleId", "subject", "actorEmail", "principalEmail", "caller", "roleSessionName", "sessionName", "arn", "uid", "uid_alt",
        "credential_uid", "email_addr", "login", "loginName", "sourceIdentity", "accountName", "session_user_name", "dbuser",
    ];

    static readonly string[] DefaultSensitive =
    [
        "password", "passwd", "passphrase", "secretAccessKey", "secret_access_key", "sessionToken", "session_token",
        "clientSecret", "client_secret", "privateKey", "private_key", "refreshToken", "refresh_token", "accessToken",
        "access_token", "idToken", "id_token", "authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key",
        "apiKey", "api_key", "masterUserPassword", "newPassword", "oldPassword", "secretString", "secretBinary",
        "x-amz-security-token", "connectionString", "connection_string", "privateKeyMaterial", "keyMaterial", "otp",
        "cvv", "cvc", "pin", "ssn",
    ];

    /// <summary>Ids of rules that do not run at all. Default: none. An unknown id is an error of <see cref="Redactor.Create"/>.</summary>
    public IReadOnlySet<string> DisabledRules { get; init; } = new HashSet<string>(StringComparer.Ordinal);

    /// <summary>Action per rule id; a rule that is absent redacts. An unknown id is an error of <see cref="Redactor.Create"/>.</summary>
    public IReadOnlyDictionary<string, RedactionAction> Actions { get; init; } =
        new Dictionary<string, RedactionAction>(StringComparer.Ordinal);

    /// <summary>What becomes of personal data in the values that name the actor. Default: it stays.</summary>
    public ActorTreatment Actor { get; init; } = ActorTreatment.Keep;

    /// <summary>
    /// Key of the pseudonyms (HMAC-SHA256). At least 16 bytes when any action is <see cref="RedactionAction.Pseudonym"/>
    /// or <see cref="Actor"/> is <see cref="ActorTreatment.Pseudonym"/>; unused otherwise.
    /// </summary>
    public ReadOnlyMemory<byte> PseudonymKey { get; init; }

    /// <summary>
    /// Names of JSON fields (or dotted ends of paths) whose whole value is dropped, whatever it holds: bodies of requests
    /// and responses. The case of letters does not matter.
    /// </summary>
    public IReadOnlyCollection<string> PayloadFields { get; init; } = DefaultPayloads;

    /// <summary>
    /// Names of JSON fields whose value says who acted, besides the ranges given with the document: personal data in them is
    /// treated as <see cref="Actor"/> says. The case of letters does not matter.
    /// </summary>
    public IReadOnlyCollection<string> ActorFields { get; init; } = DefaultActors;

    /// <summary>Names of JSON fields whose scalar value is a secret whatever it looks like. The case of letters does not matter.</summary>
    public IReadOnlyCollection<string> SensitiveFields { get; init; } = DefaultSensitive;
}

/// <summary>The range of one actor value inside a JSON document: the bytes between its quotes.</summary>
/// <param name="Start">Offset of the first byte after the opening quote.</param>
/// <param name="Length">Number of bytes before the closing quote.</param>
public readonly record struct ProtectedSpan(int Start, int Length);

/// <summary>One hit in the input.</summary>
/// <param name="Rule">Index into <see cref="RedactionRules.All"/>.</param>
/// <param name="Start">Offset of the first replaced byte in the input.</param>
/// <param name="Length">Number of replaced bytes.</param>
/// <param name="Action">What replaces it.</param>
public readonly record struct RedactionFinding(int Rule, int Start, int Length, RedactionAction Action)
{
    /// <summary>Id of the rule.</summary>
    public string RuleId => RedactionRules.All[Rule].Id;

    /// <summary>A whole JSON value with its delimiters, not the inside of a string.</summary>
    internal bool Bare { get; init; }
}
