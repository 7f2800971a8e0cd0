using System.Text.Json;
using Logwarden.Journal;

namespace Logwarden.Retention;

/// <summary>
/// How far retention is, in <c>state/retention.json</c>. It saves work and decides nothing: without it all is looked at again.
/// </summary>
sealed record RetentionState
{
    /// <summary>SHA-256 of the periods by which locks were last extended.</summary>
    public string Terms { get; init; } = "";

    /// <summary>Seals below this number were extended by those terms.</summary>
    public long ExtendedSeals { get; init; }

    /// <summary>All segments of seals below this number are gone as required.</summary>
    public long FirstSeal { get; init; }

    /// <summary>First deletion record that names a segment of <see cref="FirstSeal"/> or later.</summary>
    public long FirstDeletion { get; init; }

    /// <summary>Deletion records below this number were carried out, but for <see cref="Pending"/>.</summary>
    public long NextDeletion { get; init; }

    /// <summary>Deletion records of which something could not be deleted yet.</summary>
    public IReadOnlyList<long> Pending { get; init; } = [];

    /// <summary>Deletion records below this number were told.</summary>
    public long Told { get; init; }

    /// <summary>By class: no lock of its tiles and checkpoints ends before. The class <c>""</c> is seals and deletion records.</summary>
    public IReadOnlyDictionary<string, DateTime> Proofs { get; init; } = new Dictionary<string, DateTime>(StringComparer.Ordinal);

    /// <summary>By class: the latest date to which a segment was ever extended.</summary>
    public IReadOnlyDictionary<string, DateTime> Extended { get; init; } = new Dictionary<string, DateTime>(StringComparer.Ordinal);

    /// <summary>Reads it; what cannot be read is as if it were not there.</summary>
    public static RetentionState Load(string path)
    {
        if (!File.Exists(path)) return new();
        try
        {
            return JsonSerializer.Deserialize(File.ReadAllBytes(path), DeletionJson.Default.RetentionState) ?? new();
        }
        catch (JsonException)
        {
            return new();
        }
    }

    public void Save(string path)
    {
        DurableFile.CreateDirectory(Path.GetDirectoryName(path)!);
        DurableFile.Replace(path, JsonSerializer.SerializeToUtf8Bytes(this, DeletionJson.Default.RetentionState));
    }
}
