using System.Text.Json;

namespace Logwarden.Archive;

/// <summary>
/// What a seal is about to put into the archive, in <c>state/seal-plan.json</c>, signed already: whoever carries it out again after a crash puts the
/// same bytes. As long as it is there, the seal is not finished.
/// </summary>
/// <param name="Note">The seal's note.</param>
/// <param name="Checkpoints">The new checkpoint of each class that it changes, by class.</param>
sealed record SealPlan(string Note, SortedDictionary<string, string> Checkpoints)
{
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(this, SealJson.Default.SealPlan);

    public static SealPlan Parse(ReadOnlySpan<byte> json) => JsonSerializer.Deserialize(json, SealJson.Default.SealPlan)!;
}
