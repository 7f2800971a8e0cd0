using System.Text.Json.Serialization;
using Logwarden.Holds;

namespace Logwarden.Hosting;

/// <summary>A hold as the command line and the API print it.</summary>
sealed record HoldJson
{
    [JsonPropertyName("id")]
    public required long Id { get; init; }

    [JsonPropertyName("matter")]
    public required string Matter { get; init; }

    [JsonPropertyName("scope")]
    public required string Scope { get; init; }

    [JsonPropertyName("state")]
    public required string StateName { get; init; }

    [JsonPropertyName("requester")]
    public required string Requester { get; init; }

    [JsonPropertyName("approver")]
    public required string Approver { get; init; }

    [JsonPropertyName("created")]
    public required DateTimeOffset Created { get; init; }

    [JsonPropertyName("objects")]
    public required long Objects { get; init; }

    [JsonPropertyName("missing")]
    public required long Missing { get; init; }

    [JsonPropertyName("scanned_to_seal")]
    public required long ScannedTo { get; init; }

    [JsonPropertyName("released")]
    public DateTimeOffset? Released { get; init; }

    [JsonPropertyName("release_requester")]
    public string? ReleaseRequester { get; init; }

    [JsonPropertyName("release_approver")]
    public string? ReleaseApprover { get; init; }

    [JsonPropertyName("release_reason")]
    public string? ReleaseReason { get; init; }

    [JsonPropertyName("objects_at_release")]
    public long? ObjectsAtRelease { get; init; }

    [JsonPropertyName("paths")]
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<string>? Paths { get; init; }

    /// <summary>A hold in a word: <c>being put on</c>, <c>on</c>, <c>being taken off</c> or <c>released</c>.</summary>
    public static string State(Hold hold) => !hold.IsActive ? (hold.Objects > 0 ? "being taken off" : "released") : hold.Applied is null ? "being put on" : "on";

    public static HoldJson Of(Hold hold) => new()
    {
        Id = hold.Id,
        Matter = hold.Matter,
        Scope = hold.Scope,
        StateName = State(hold),
        Requester = hold.Requester,
        Approver = hold.Approver,
        Created = hold.Created,
        Objects = hold.Objects,
        Missing = hold.Missing,
        ScannedTo = hold.ScannedTo,
        Released = hold.Released,
        ReleaseRequester = hold.ReleaseRequester,
        ReleaseApprover = hold.ReleaseApprover,
        ReleaseReason = hold.ReleaseReason,
        ObjectsAtRelease = hold.ObjectsAtRelease,
    };
}
