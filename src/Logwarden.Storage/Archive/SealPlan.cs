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

    /// <exception cref="InvalidDataException">It is no plan.</exception>
    public static SealPlan Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            return JsonSerializer.Deserialize(json, SealJson.Default.SealPlan) is { Note: not null, Checkpoints: not null } plan ? plan
                : throw Damaged("it holds no note or no checkpoints", null);
        }
        catch (JsonException bad)
        {
            throw Damaged(bad.Message.TrimEnd('.'), bad);
        }
    }

    static InvalidDataException Damaged(string why, Exception? bad) =>
        new($"state/seal-plan.json is not the plan of a seal: {why}. Put a copy of it back, or of the whole folder; without it nobody can tell what of the seal is in the archive.", bad);
}
