namespace Logwarden.Events;

/// <summary>Why a record could not be taken in.</summary>
/// <param name="Code">Stable reason in kebab-case; the ledger counts by it.</param>
/// <param name="Field">The field at fault; empty when it is the record as a whole.</param>
/// <param name="Position">Byte in the record where the fault stands.</param>
/// <param name="Reason">For people: what is wrong and what was expected. Holds nothing of the record's content.</param>
public sealed record NormalizeError(string Code, string Field, long Position, string Reason)
{
    internal static NormalizeError At(string code, long position, string reason) => new(code, "", position, reason);
}
