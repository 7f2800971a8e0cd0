using Logwarden.Archive;
using Logwarden.Data;
using Logwarden.Delivery;
using Logwarden.Holds;
using Logwarden.Proof.Notes;
using Logwarden.Retention;

namespace Logwarden.Hosting;

/// <summary>Puts a run of retention together from what an installation has: for the loop of the server and for the command beside it.</summary>
static class RetentionWork
{
    /// <summary>What a run works on and whom it asks.</summary>
    /// <param name="data">The data folder.</param>
    /// <param name="policy">The policy in force.</param>
    /// <param name="control">Destinations and own events.</param>
    /// <param name="custody">Holds and what was restored.</param>
    public static RetentionOptions Options(string data, PolicyFile policy, ControlState control, Custody custody) => new()
    {
        DataDirectory = data,
        Rules = policy.Rules,
        HoldsOf = segment => custody.Holds.On(segment.Path),
        RestoredUntil = segment => custody.Restores.RestoredUntil(segment.Path),
        NeededBy = new HotNeeds(control.Destinations, control.Deliveries, policy.Policy, data).Of,
        Tell = notice => control.Events.Write(new OwnEvent(notice.Action, notice.Object)
        {
            // What retention deletes or keeps is a change of how logs are kept (LOG-3).
            Status = notice.IsFailure ? "failure" : "success",
            Severity = notice.IsFailure ? "error" : "info",
            Message = notice.Message,
            Details = notice.Details,
        }),
    };

    /// <summary>The newest seal that a data folder knows of; null before the first.</summary>
    /// <exception cref="InvalidDataException">It is not one that this installation signed.</exception>
    public static Seal? Newest(string data, IReadOnlyList<VerifierKey> keys)
    {
        var path = Path.Combine(data, "state", "sealed.note");
        if (!File.Exists(path)) return null;
        return Seal.TryOpen(File.ReadAllBytes(path), keys, out var reason) ?? throw new InvalidDataException($"{path}: {reason}");
    }
}
